"""The half of a node that has nothing to do, when nobody else is left: its guard settles it while the other node is in sight."""

from dataclasses import replace
from functools import cache

import pytest
from nodes import MIGRATION
from one_domain import SHARES, converged
from pair import running

from saltern import operations, start_stop
from saltern.model.operation import Half, OperationKind
from saltern.model.places import operation_log, stopped_file
from saltern.observe import read_operation
from saltern.plan.operation import over_after_s
from saltern.sim import xen
from saltern.sim.model import SimDomain
from saltern.sim.world import World

SPEC = SHARES["dom0"].domains["dns"]
ID = "0a1b2c3d"


@cache
def worlds() -> dict[str, str]:
    return converged()


@pytest.fixture(params=["8.4", "9"])
def world(request: pytest.FixtureRequest) -> World:
    """dns runs on dom0."""
    return World.from_json(worlds()[request.param])


def enter(world: World, kind: OperationKind, source: str, target: str) -> None:
    resources = tuple(disk.resource for disk in SPEC.disks)
    for node, half in ((source, Half.SOURCE), (target, Half.TARGET)):
        about = {"uuid": SPEC.uuid, "resources": resources, "kind": kind, "half": half}
        entry = replace(
            MIGRATION, **about, id=ID, source=source, target=target, owner="anna", since="noon", taken=False
        )
        operations.begin(world.host(node), entry)


def settle(world: World) -> str | None:
    return operations.settle_idle(world.host("dom0m"), "dns")


def test_of_a_stop_that_was_not_obeyed_nothing_stays_once_that_is_certain(world: World) -> None:
    enter(world, OperationKind.STOP, "dom0", "dom0m")
    operations.expect(world.host("dom0m"), "dns", ID)
    world.advance(over_after_s(OperationKind.STOP) - 60)
    assert settle(world) is None  # the guest may still end
    world.advance(60)
    assert settle(world) == "stop of dns on dom0, begun by anna at noon was left half-done: it is over on this node"
    assert read_operation(world.host("dom0m"), "dns") is None
    assert world.host("dom0m").read_text(stopped_file("dns")) is None
    assert settle(world) is None


def test_of_one_that_was_it_is_kept_that_the_domain_stays_stopped(world: World) -> None:
    enter(world, OperationKind.STOP, "dom0", "dom0m")
    operations.expect(world.host("dom0m"), "dns", ID)
    world.host("dom0").run(["xl", "shutdown", "-w", "dns"])
    world.advance(over_after_s(OperationKind.STOP))
    assert settle(world) is not None
    assert f"{SPEC.uuid} stopped by anna" in str(world.host("dom0m").read_text(stopped_file("dns")))


def test_what_cannot_be_told_is_left_and_not_waited_for(world: World) -> None:
    enter(world, OperationKind.STOP, "dom0", "dom0m")
    operations.expect(world.host("dom0m"), "dns", ID)
    world.power_cut("dom0")
    world.advance(over_after_s(OperationKind.STOP))
    before_s = world.time_s
    assert settle(world) is None
    assert world.time_s - before_s < 5
    assert read_operation(world.host("dom0m"), "dns") is not None


def test_a_half_that_works_or_was_never_begun_is_not_for_the_guard(world: World) -> None:
    enter(world, OperationKind.STOP, "dom0", "dom0m")
    world.advance(over_after_s(OperationKind.STOP))
    assert settle(world) is None
    assert operations.settle_idle(world.host("dom0"), "dns") is None
    assert all(read_operation(world.host(node), "dns") is not None for node in SHARES)


def test_a_start_whose_node_dies_in_it_leaves_no_note_there_that_bars_the_way_back(world: World) -> None:
    world.host("dom0").run(["xl", "shutdown", "-w", "dns"])
    world.advance(10)
    for node in SHARES:
        world.host(node).write_text(stopped_file("dns"), f"{SPEC.uuid} stopped by anna\n", 0o600)
    enter(world, OperationKind.START, "dom0m", "dom0")
    operations.expect(world.host("dom0m"), "dns", ID)
    with operations.taken_up(world.host("dom0"), "dns", ID, Half.TARGET):
        pass  # its process is within `xl create`
    world.power_cut("dom0")
    world.host("dom0m").run(["drbdadm", "primary", "dns"], allowed=range(256))
    for resource in SPEC.disks:
        world.host("dom0m").run(["drbdadm", "primary", resource.resource], allowed=range(256))
    world.boot("dom0")
    world.advance(600)
    operations.settle_left(world.host("dom0"), "dns")
    assert world.host("dom0").read_text(stopped_file("dns")) is None


def created_again(world: World, domain: SimDomain) -> None:
    """What xl does two seconds after a guest has gone for a restart."""
    host = world.host("dom0")
    again = xen.new_domain(world, world.nodes["dom0"], domain.name, domain.uuid, domain.config, domain)
    xen.bring_up(host, again)
    again.paused = False


def test_a_guest_that_restarts_itself_while_it_is_told_to_stop_does_not_count_as_stopped(world: World) -> None:
    enter(world, OperationKind.STOP, "dom0", "dom0m")
    host = world.host("dom0")
    process = start_stop.stopping(host, "dns", ID)
    world.advance(next(process))
    (domain,) = world.nodes["dom0"].domains
    xen.remove(host, domain)
    world.advance(next(process))  # xl sleeps for two seconds
    world.advance(next(process))
    created_again(world, domain)
    for seconds in process:
        world.advance(seconds)
    assert running(world) == {"dns": ["dom0"]}
    assert host.read_text(stopped_file("dns")) is None


def test_nor_does_one_that_restarts_itself_when_it_is_to_be_told(world: World) -> None:
    enter(world, OperationKind.STOP, "dom0", "dom0m")
    host = world.host("dom0")
    (domain,) = world.nodes["dom0"].domains
    xen.remove(host, domain)
    process = start_stop.stopping(host, "dns", ID)
    world.advance(next(process))
    world.advance(next(process))
    created_again(world, domain)
    for seconds in process:
        world.advance(seconds)
    assert running(world) == {}  # it was told, and has obeyed
    assert f"{SPEC.uuid} stopped by anna" in str(host.read_text(stopped_file("dns")))


def test_a_guest_that_goes_at_the_last_moment_is_gone(world: World) -> None:
    enter(world, OperationKind.STOP, "dom0", "dom0m")
    host = world.host("dom0")
    (domain,) = world.nodes["dom0"].domains
    process = start_stop.stopping(host, "dns", ID)
    world.advance(next(process))
    domain.stops_at_s = world.time_s + start_stop.SHUTDOWN_S - 3
    for seconds in process:
        world.advance(seconds)
    assert "goes on" not in str(host.read_text(operation_log("dns")))
    assert f"{SPEC.uuid} stopped by anna" in str(host.read_text(stopped_file("dns")))


def test_a_guest_that_somebody_is_starting_by_hand_is_not_ended_for_a_stop_that_was_left(world: World) -> None:
    enter(world, OperationKind.STOP, "dom0", "dom0m")
    operations.expect(world.host("dom0m"), "dns", ID)
    world.power_cut("dom0")
    world.advance(over_after_s(OperationKind.STOP))
    host = world.host("dom0m")
    for disk in SPEC.disks:
        host.run(["drbdadm", "primary", disk.resource])
    host.run(["xl", "create", "-p", "/etc/xen/dns.cfg"])  # as xl builds it: paused, without a second of its own
    settle(world)
    assert [each.name for each in world.nodes["dom0m"].domains] == ["dns"]


def test_one_that_is_gone_for_good_stays_stopped(world: World) -> None:
    enter(world, OperationKind.STOP, "dom0", "dom0m")
    for seconds in start_stop.stopping(world.host("dom0"), "dns", ID):
        world.advance(seconds)
    assert f"{SPEC.uuid} stopped by anna" in str(world.host("dom0").read_text(stopped_file("dns")))
