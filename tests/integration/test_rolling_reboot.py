"""`salt-run state.orch rolling` with the hook that docs/howto/maintain-a-node.md writes, on a node that really goes down."""

import re
import threading
import time

from minions import CHECKOUT, Salted

_POLL_S = 0.2
HOWTO = CHECKOUT / "docs" / "howto" / "maintain-a-node.md"


class Reboot(threading.Thread):
    """What `systemctl reboot` does to a node and its minion; ``left`` are the domains that it took the power from."""

    def __init__(self, converged: Salted, node: str) -> None:
        super().__init__(daemon=True)
        self.nodes, self.node = converged, node
        self.asked = converged.directory / "reboot"
        self.left: list[str] | None = None
        systemctl = converged.file(node, "bin/systemctl")
        systemctl.write_text(f'#!/bin/sh\n[ "$*" = reboot ] && : >{self.asked}\n')

    def run(self) -> None:
        """Wait for it, then go down and come up again."""
        while not self.asked.exists():
            time.sleep(_POLL_S)
        self.left = self.nodes.domains(self.node)
        minion = self.nodes.minions[self.node]
        minion.terminate()
        with self.nodes.world() as world:
            world.power_cut(self.node)
        with self.nodes.world() as world:
            world.boot(self.node)
        minion.start()


def test_the_hook_of_the_how_to_reboots_a_node_that_is_empty_and_its_domains_come_home(converged: Salted) -> None:
    (hook,) = re.findall(r"`salt/states/reboot\.sls`:\n\n```yaml\n(.*?)```", HOWTO.read_text(), re.DOTALL)
    converged.site("reboot.sls", hook)
    before = converged.domains("dom0")
    reboot = Reboot(converged, "dom0")
    reboot.start()
    code, told = converged.run("state.orch", "rolling", 'pillar={"hook": "reboot", "nodes": ["dom0"]}')
    assert code == 0, told
    assert (reboot.left, converged.domains("dom0")) == ([], before)
    with converged.world() as world:
        assert world.nodes["dom0"].power_cuts == 1
