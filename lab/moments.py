"""The moments from which tests begin: made once, and made anew when what they were made from has changed."""

from functools import partial
from typing import Any

import yaml

from lab.cluster import NODES, Lab
from lab.errors import LabError
from lab.master import CHECKOUT, PILLAR
from lab.snapshot import tree_hash

BARE = "bare"
CONVERGED = "converged"
SOURCES = (PILLAR, CHECKOUT / "src" / "saltern", CHECKOUT / "salt")
APPLIES = 3  # what had to wait too long for its partner on a busy machine is taken up by the next one
SYNCHRONISED_TIMEOUT_S = 300.0
GUEST_TIMEOUT_S = 300.0


def bring(lab: Lab, name: str) -> None:
    """Put the lab to the moment BARE or CONVERGED.

    BARE: both nodes as installed, their second disks empty, their minions answer, the pillar as it is in the source.
    CONVERGED: the topology of the lab was applied to that, every disk is synchronised, every domain has written to its disk.
    """
    lab.prepare()
    made_from = {BARE: tree_hash([PILLAR]), CONVERGED: tree_hash(SOURCES)}[name]
    if lab.has(name) and lab.about(name).get("made from") == made_from:
        lab.restore(name)
        return
    {BARE: _make_bare, CONVERGED: _make_converged}[name](lab)
    lab.save(name, **{"made from": made_from})


def _make_bare(lab: Lab) -> None:
    lab.master.renew_pillar()
    lab.reinstall(*NODES)


def _make_converged(lab: Lab) -> None:
    bring(lab, BARE)
    lab.make_volume_groups()
    _apply(lab)
    for node in NODES:
        what = f"all disks are UpToDate, says {node}"
        lab.wait_until(partial(_synchronised, lab, node), what, timeout_s=SYNCHRONISED_TIMEOUT_S)
    for name, domain in _domains().items():
        what = f"{name} answers over HTTP"
        lab.wait_until(partial(_answers, lab, domain), what, timeout_s=GUEST_TIMEOUT_S)
    _keep_modules(lab)


def _apply(lab: Lab) -> None:
    for _ in range(APPLIES):
        answer = lab.salt("*", "state.apply", check=False)
        if answer.returncode == 0:
            return
    raise LabError(f"after {APPLIES} runs of `salt '*' state.apply`:\n{answer.stdout}{answer.stderr}")


def _keep_modules(lab: Lab) -> None:
    """The minions have Saltern's modules: asking for each of them before every apply takes a minute in emulation."""
    for node in NODES:
        lab.write_file(node, "/etc/salt/minion.d/modules.conf", "autoload_dynamic_modules: False\n")
        lab.on(node, "systemctl restart salt-minion")
    lab.master.wait_for(NODES, timeout_s=GUEST_TIMEOUT_S)


def _synchronised(lab: Lab, node: str) -> bool:
    told = lab.on(node, "drbdsetup events2 --now").stdout.splitlines()
    # Of each disk, a line of this side and a line of the partner's.
    disks = [line for line in told if line.startswith(("exists device ", "exists peer-device "))]
    return all("disk:UpToDate" in line for line in disks)


def _answers(lab: Lab, domain: dict[str, Any]) -> bool:
    (interface,) = domain["interfaces"]
    # Not its own option -T: busybox 1.35 ends with a segmentation fault there.
    request = f"timeout 5 busybox wget -q -O - http://{interface['ip']}/counter"
    return lab.on(domain["home"], request, check=False).stdout != ""


def _domains() -> dict[str, dict[str, Any]]:
    topology = yaml.safe_load((PILLAR / "saltern" / "init.sls").read_text(encoding="utf-8"))
    domains: dict[str, dict[str, Any]] = topology["saltern"]["domains"]
    return domains
