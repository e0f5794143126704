"""What states do with a guard, as real processes: it is brought, restarted in order, takes over, and is gone in order."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import guarded
import pytest
from guarded import Guarded

from saltern.guarding import asked, upkeep
from saltern.guarding.settings import read_guard
from saltern.guarding.told import Told
from saltern.model.places import GUARD_SETTINGS
from saltern.run import LocalHost
from saltern.sim.systemctl import keeper

NODES = ("dom0", "dom0m")


class Kept(Guarded):
    """Nodes whose guards a simulated systemd keeps."""

    def host(self, node: str) -> LocalHost:
        path = f"{self.root(node)}/bin:{os.environ['PATH']}"
        return LocalHost(root=self.root(node), environment={"PATH": path})

    def ensure(self, node: str) -> upkeep.Kept:
        """What the states `guard.configured` and `guard.running` do, with the settings that the node has."""
        host = self.host(node)
        settings = read_guard(host, GUARD_SETTINGS)
        told = upkeep.told(host, Told(settings, ()), asked.guard(self.root(node)), test=False)
        runs = upkeep.guard_runs(host, asked.guard(self.root(node)), test=False)
        return upkeep.Kept(comment=f"{told.comment}; {runs.comment}", changes={**told.changes, **runs.changes})

    def kill_keeper(self, node: str) -> None:
        group = keeper(Path(self.root(node)))
        if group is not None:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)

    def close(self) -> None:
        for node in NODES:
            self.kill_keeper(node)
        super().close()


@pytest.fixture
def nodes() -> Iterator[Kept]:
    directory = guarded.directory()
    made = Kept(directory)
    made.build(guarded.converged_world())
    yield made
    made.close()
    guarded.remove(directory)


def test_a_guard_is_brought_restarted_in_order_takes_over_and_is_gone_in_order(nodes: Kept) -> None:
    nodes.start(guarded.WITNESS)
    for node in NODES:
        assert nodes.ensure(node).changes
    for node in NODES:
        nodes.eventually(f"{node} is protected", partial(nodes.is_protected, node))
        assert not nodes.ensure(node).changes
    # Another time limit is another file: the guard is asked to end, and is back with it.
    nodes.write_settings("dom0m", cluster="another")
    assert nodes.status("dom0m")["current"] is False  # type: ignore[index]
    assert [each for each in nodes.ensure("dom0m").changes if each.startswith("service")]
    assert nodes.status("dom0m")["current"] is True  # type: ignore[index]
    assert nodes.live("mail") == ["dom0m"]
    nodes.eventually("dom0m is protected again", partial(nodes.is_protected, "dom0m"))
    with nodes.world() as world:
        world.power_cut("dom0")
    nodes.eventually("dns runs on dom0m", lambda: nodes.live("dns") == ["dom0m"])
    assert asked.status(nodes.host("dom0m"), nodes.root("dom0m"))["decisions"]
    # The partner is proven dead, so nobody has to agree.
    assert upkeep.guard_gone(nodes.host("dom0m"), asked.guard(nodes.root("dom0m")), test=False).changes
    assert keeper(Path(nodes.root("dom0m"))) is None
    assert sorted(nodes.domains("dom0m")) == ["dns", "mail"]
