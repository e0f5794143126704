"""Ending a domain: it is ended when Xen no longer has it, and not when a tool says so."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, repeat
from typing import Any

import pytest
from fenced import Handler
from nodes import UUID, domain
from one_domain import RESOURCES, SHARES, converged
from pair import converge, failures

from saltern.errors import Refused
from saltern.guarding import stopping
from saltern.guarding.settings import GuardedDomain
from saltern.guarding.stopping import stop, take_up
from saltern.model.action import EndDomain
from saltern.model.observed import Xen
from saltern.model.places import operation_lock
from saltern.sim.drbd import store
from saltern.sim.drbd.kernel import Disk
from saltern.sim.world import World

DNS = GuardedDomain(name="dns", uuid=UUID, partner="dom0m", resources=("dns",), memory_bytes=1)
HERE, GONE = Xen(domains=(domain(),)), Xen(domains=())
SPEC = SHARES["dom0"].domains["dns"]
REAL = replace(DNS, uuid=SPEC.uuid, resources=tuple(RESOURCES))


class Node:
    """A node on which the domain is seen for as long as ``looks`` says; only its clock is asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, looks: Iterator[Xen]) -> None:
        self.now_s = 0.0
        self.done: list[object] = []
        monkeypatch.setattr(stopping, "read_xen", lambda _: next(looks))
        monkeypatch.setattr(stopping, "perform", lambda _, action: self.done.append(action))

    def now(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def run(self, command: list[str]) -> None:
        pytest.fail(f"{command} was run")

    def stop(self) -> str:
        host: Any = self
        return stop(host, DNS)


def test_what_goes_away_slowly_is_waited_for_and_keeps_its_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node(monkeypatch, chain([HERE] * 4, repeat(GONE)))
    assert node.stop() == "ended"
    assert node.done == [EndDomain(domain="dns")]


def test_what_does_not_go_away_is_not_ended_and_keeps_its_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Refused, match="still here"):
        Node(monkeypatch, repeat(HERE)).stop()


def test_what_is_gone_already_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node(monkeypatch, repeat(GONE))
    assert node.stop() == "it is gone"
    assert node.done == []


# --- Disks that hold back what was written last -------------------------------------------------------------------
@pytest.fixture(scope="module")
def worlds() -> dict[str, str]:
    return converged()


@pytest.fixture(params=["8.4", "9"])
def waiting(request: pytest.FixtureRequest, worlds: dict[str, str]) -> World:
    """The copies of dns are out of sight of each other; it runs on dom0, where DRBD's handlers have told nothing."""
    world = World.from_json(worlds[request.param])
    for name in RESOURCES:
        resource = world.nodes["dom0"].drbd.resources[name]
        for device in resource.devices.values():
            options = device.options if request.param == "8.4" else resource.connection.options  # type: ignore[union-attr]
            options["fencing"] = "resource-and-stonith"
    Handler(world)
    world.cut_link("dom0", "dom0m")
    world.advance(60)
    assert all(world.nodes["dom0"].drbd.resources[name].unfenced for name in RESOURCES)
    return world


def generations(world: World, node: str) -> list[int]:
    devices = [world.nodes[node].drbd.resources[name].devices[0] for name in RESOURCES]
    return [store.meta(world.nodes[node], device).current & ~1 for device in devices]


def connections(world: World, node: str) -> list[str]:
    found = [world.nodes[node].drbd.resources[name].connection for name in RESOURCES]
    return [each.state for each in found if each is not None]


def disks(world: World, node: str) -> list[Disk]:
    return [world.nodes[node].drbd.resources[name].devices[0].disk for name in RESOURCES]


def records(world: World, node: str) -> list[dict[int, int]]:
    here = world.nodes[node]
    return [dict(store.backing(here, here.drbd.resources[name].devices[0]).records) for name in RESOURCES]


def take_over(world: World) -> None:
    host = world.host("dom0m")
    for name in RESOURCES:
        host.run(["drbdadm", "primary", name])
    host.run(["xl", "create", "/etc/xen/dns.cfg"])
    world.advance(20)


def test_xl_leaves_a_domain_dying_whose_disks_hold_back_what_it_has_written(waiting: World) -> None:
    host = waiting.host("dom0")
    host.run(["xl", "destroy", "dns"])
    waiting.advance(3600)
    (dying,) = stopping.read_xen(host).domains
    assert (dying.name, dying.uuid, dying.dying) == (None, SPEC.uuid, True)


def test_what_its_disks_hold_back_is_given_up_and_the_copies_meet_again(waiting: World) -> None:
    before = generations(waiting, "dom0")
    take_over(waiting)
    assert stop(waiting.host("dom0"), REAL) == "ended; what its disks held back was given up. They are up again"
    assert stopping.read_xen(waiting.host("dom0")).domains == ()
    assert generations(waiting, "dom0") == before, "nothing was written that the partner does not have"

    waiting.heal_link("dom0", "dom0m")
    waiting.advance(600)
    assert disks(waiting, "dom0") == disks(waiting, "dom0m") == [Disk.UP_TO_DATE] * 2
    assert records(waiting, "dom0") == records(waiting, "dom0m")


def test_what_stands_alone_since_its_partner_has_taken_over_meets_it_at_the_next_apply(waiting: World) -> None:
    take_over(waiting)
    waiting.heal_link("dom0", "dom0m")
    waiting.advance(60)
    # The new Primary may also go on looking for its peer: who hangs up first is a matter of luck.
    assert connections(waiting, "dom0") == connections(waiting, "dom0m") == ["StandAlone"] * 2

    stop(waiting.host("dom0"), REAL)
    assert {node: failures(outcomes) for node, outcomes in converge(waiting, SHARES).items()} == {
        "dom0": [],
        "dom0m": [],
    }
    waiting.advance(600)
    assert disks(waiting, "dom0") == [Disk.UP_TO_DATE] * 2
    assert records(waiting, "dom0") == records(waiting, "dom0m")


def test_a_domain_that_dies_already_is_helped_to_its_end(waiting: World) -> None:
    host = waiting.host("dom0")
    host.run(["xl", "destroy", "dns"])
    assert stop(host, REAL).startswith("ended; what its disks held back was given up")
    assert stop(host, REAL) == "it is gone"


def test_resources_that_somebody_works_on_are_left_for_the_next_apply(waiting: World) -> None:
    host = waiting.host("dom0")
    with host.hold(operation_lock("dns")):
        told = stop(host, REAL)
    assert "They stay down until the next `state.apply`: domain dns: another operation" in told
    assert waiting.nodes["dom0"].drbd.resources.keys().isdisjoint(RESOURCES)
    assert stopping.read_xen(host).domains == ()

    take_over(waiting)
    waiting.heal_link("dom0", "dom0m")
    assert {node: failures(outcomes) for node, outcomes in converge(waiting, SHARES).items()} == {
        "dom0": [],
        "dom0m": [],
    }
    waiting.advance(600)
    assert disks(waiting, "dom0") == [Disk.UP_TO_DATE] * 2
    assert records(waiting, "dom0") == records(waiting, "dom0m")


def killed_before_taking_down(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(*_: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(stopping, "_bring_back", dies)
        stop(world.host("dom0"), REAL)


def test_the_next_guard_goes_on_where_one_was_killed_that_had_taken_the_disks(
    waiting: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = generations(waiting, "dom0")
    take_over(waiting)
    killed_before_taking_down(waiting, monkeypatch)
    host = waiting.host("dom0")
    assert list(take_up(host, [REAL])) == [("dns", "its resources were left Primary without a disk. They are up again")]
    assert list(take_up(host, [REAL])) == []
    assert generations(waiting, "dom0") == before

    waiting.heal_link("dom0", "dom0m")
    waiting.advance(600)
    assert disks(waiting, "dom0") == disks(waiting, "dom0m") == [Disk.UP_TO_DATE] * 2
    assert records(waiting, "dom0") == records(waiting, "dom0m")


def test_what_was_left_is_not_touched_while_somebody_works_on_the_domain(
    waiting: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_before_taking_down(waiting, monkeypatch)
    host = waiting.host("dom0")
    with host.hold(operation_lock("dns")):
        ((_, told),) = take_up(host, [REAL])
    assert "They are left to the next `state.apply`: domain dns: another operation" in told
    assert all(waiting.nodes["dom0"].drbd.resources[name].primary for name in RESOURCES)


def test_a_domain_that_runs_without_its_disks_is_left_alone(waiting: World) -> None:
    waiting.heal_link("dom0", "dom0m")
    waiting.advance(60)
    host = waiting.host("dom0")
    for name in RESOURCES:
        device = waiting.nodes["dom0"].drbd.resources[name].devices[0]
        host.run(["drbdsetup", "detach", str(device.minor)])
    assert list(take_up(host, [REAL])) == []
    assert [disk.name for disk in disks(waiting, "dom0")] == ["DISKLESS"] * 2
