"""A start, a stop or an offline migration that was interrupted at any moment is finished or undone by the next `state.apply`."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NamedTuple

import pytest
from one_domain import RESOURCES, SHARES, Watch, Worlds, converged, mend, other, windows
from pair import NODES, converge, failures, running

from saltern import operations, start_stop, work
from saltern.errors import SalternError
from saltern.model.operation import Half, OperationKind, Planned
from saltern.model.places import OPERATION_SCRIPT, operation_file, stopped_file
from saltern.plan import selection
from saltern.plan.operation import LEFT_AFTER_S, over_after_s
from saltern.run import Host
from saltern.sim import processes, xen
from saltern.sim.host import Killed, SimHost
from saltern.sim.world import World

ID = "0a1b-2c3d"
SPEC = SHARES["dom0"].domains["dns"]
OFFLINE, START, STOP = OperationKind.OFFLINE, OperationKind.START, OperationKind.STOP


@pytest.fixture(scope="module")
def worlds() -> Worlds:
    """The pair, with the domain running at home; under `stopped` without, and under `away` with it on its partner."""
    found = converged()
    world = World.from_json(found["8.4"])
    world.host("dom0").run(["xl", "shutdown", "-w", "dns"])
    world.advance(10)
    found["stopped"] = world.to_json()
    world.host("dom0m").run(["xl", "create", "/etc/xen/dns.cfg"])
    world.advance(10)
    found["away"] = world.to_json()
    return found


def begin(world: World, kind: OperationKind, source: str) -> None:
    planned = Planned(kind=kind, domain="dns", source=source, target=other(source))
    halves = selection.halves(planned, SPEC, SHARES[other(source)], identifier=ID, owner="root on master", since="now")
    for node, entry in halves.items():
        operations.begin(world.host(node), entry)
        if kind is START:  # somebody has stopped it before
            operations.keep_stopped(world.host(node), entry)


def entered(world: World) -> list[str]:
    return [name for name, node in world.nodes.items() if operation_file("dns") in node.files]


def kept_stopped(world: World) -> list[str]:
    return [name for name, node in world.nodes.items() if stopped_file("dns") in node.files]


INTERRUPTIONS: dict[str, Callable[[World, SimHost], object]] = {
    "nothing": lambda world, worker: None,
    "the cable is pulled": lambda world, worker: world.cut_link(*NODES),
    "its node loses its power": lambda world, worker: world.power_cut(worker.name),
    "the other node loses its power": lambda world, worker: world.power_cut(other(worker.name)),
    "it is killed": lambda world, worker: setattr(worker, "dead", True),
    "the other one is killed": lambda world, worker: processes.kill(world.nodes[other(worker.name)], OPERATION_SCRIPT),
}


class Told(NamedTuple):
    """Whether something happened to an operation before its worker ended, and whether a guest was told to shut down."""

    interrupted: bool
    shut_down: bool


def carried_out_until(
    world: World, moment: int, interrupt: Callable[[World, SimHost], object], kind: OperationKind, source: str
) -> Told:
    """An operation that something happens to at that moment."""
    watch = Watch(world)
    begin(world, kind, source)
    node = other(source) if kind is START else source
    work.begin(world.host(other(node)), "dns", ID)
    worker = world.host(node)
    turns, shut_down = 0, False

    def turn(seconds: float) -> None:
        nonlocal turns, shut_down
        world.advance(seconds)
        watch()
        turns += 1
        shut_down |= any(domain.stops_at_s is not None for domain in world.nodes[source].domains)
        if turns == moment:
            interrupt(world, worker)

    worker.enter(turn)
    with suppress(Killed, SalternError, OSError):
        to_its_end(worker, (start_stop.starting if kind is START else start_stop.stopping)(worker, "dns", ID))
    worker.leave()
    watch()
    return Told(turns >= moment, shut_down)


def to_its_end(host: Host, steps: Iterator[float]) -> None:
    for pause_s in steps:
        host.sleep(pause_s)


def settle_by_apply(world: World) -> list[str]:
    watch = Watch(world)
    world.advance(30)
    watch()
    mend(world)
    world.advance(max(over_after_s(kind) for kind in OperationKind))
    for _ in range(2):
        told = [failure for outcomes in converge(world, SHARES, wait_s=30).values() for failure in failures(outcomes)]
        world.advance(60)
        watch()
    return told


INTENDED = {
    OFFLINE: lambda source: ([other(source)], []),
    START: lambda source: ([other(source)], []),
    STOP: lambda source: ([], list(NODES)),
}


@pytest.mark.parametrize("interruption", INTERRUPTIONS)
@pytest.mark.parametrize(
    ("drbd", "kind", "source"),
    [
        ("8.4", OFFLINE, "dom0"),
        ("9", OFFLINE, "dom0"),
        ("8.4", STOP, "dom0"),
        ("away", STOP, "dom0m"),
        ("stopped", START, "dom0m"),
        ("stopped", START, "dom0"),
    ],
)
def test_whatever_interrupts_it_at_any_moment_one_domain_is_left_or_none_that_was_stopped(
    worlds, drbd, kind, source, interruption
) -> None:
    moment = 0
    while True:
        moment += 1 if drbd in ("8.4", "away") else 2
        world = World.from_json(worlds[drbd])
        told = carried_out_until(world, moment, INTERRUPTIONS[interruption], kind, source)
        assert settle_by_apply(world) == [], f"at moment {moment}"
        assert entered(world) == [], f"at moment {moment}"
        assert windows(world) == {name: ["no", "no"] for name in RESOURCES}, f"at moment {moment}"
        alive = running(world).get("dns", [])
        # What was to stop, and did not, goes on, and is not kept stopped. What is down is so because its home keeps it.
        assert len(alive) == (0 if "dom0" in kept_stopped(world) else 1), f"at moment {moment}: {kept_stopped(world)}"
        if kind is STOP and told.shut_down:
            assert alive == [], f"at moment {moment}: {kept_stopped(world)}"
        if kind is START and alive and "power" not in interruption:
            assert kept_stopped(world) == [], f"at moment {moment}"
        if not told.interrupted:
            break
    if interruption == "nothing":
        assert (alive, kept_stopped(world)) == INTENDED[kind](source)
    assert moment > 5


def apply_at(world: World, *nodes: str) -> None:
    """An apply on one node after the other, each for itself; what it does not get done is for the next one."""
    watch = Watch(world)
    for node in nodes:
        converge(world, {node: SHARES[node]}, wait_s=1)
        world.advance(30)
        watch()


def cut_and_killed(world: World, worker: SimHost) -> None:
    world.cut_link(*NODES)
    worker.dead = True


@pytest.mark.parametrize("shutdown_s", [2, start_stop.SHUTDOWN_S + 60])
@pytest.mark.parametrize("interrupt", [INTERRUPTIONS["the cable is pulled"], cut_and_killed])
def test_a_guest_that_ends_while_the_replication_is_cut_stays_stopped_whoever_applies_first(
    worlds, monkeypatch, interrupt, shutdown_s
) -> None:
    monkeypatch.setattr(xen, "GUEST_STOPS_S", shutdown_s)
    for moment in range(1, 13):
        world = World.from_json(worlds["away"])
        told = carried_out_until(world, moment, interrupt, STOP, "dom0m")
        world.advance(over_after_s(STOP) + shutdown_s)
        world.heal_link(*NODES)
        world.advance(60)
        apply_at(world, "dom0", "dom0m", "dom0")
        assert entered(world) == []
        assert ("dns" in running(world), "dom0" in kept_stopped(world)) == (not told.shut_down, told.shut_down), moment
    assert told.interrupted


def test_a_home_that_boots_while_the_guest_shuts_down_elsewhere_starts_it_no_more(worlds, monkeypatch) -> None:
    def boots(world: World, worker: SimHost) -> None:
        world.power_cut("dom0")
        world.advance(60)
        world.boot("dom0")
        world.advance(60)
        apply_at(world, "dom0")

    monkeypatch.setattr(xen, "GUEST_STOPS_S", 300)
    for moment in range(1, 13):
        world = World.from_json(worlds["away"])
        world.advance(3600)  # so that the entry is from long after the boot before
        told = carried_out_until(world, moment, boots, STOP, "dom0m")
        world.advance(300)
        apply_at(world, "dom0", "dom0m", "dom0")
        assert (
            ("dns" in running(world), kept_stopped(world)) == (False, list(NODES)) if told.shut_down else (True, [])
        ), moment
    assert told.interrupted


@pytest.mark.parametrize("idle", NODES)
def test_a_start_that_comes_after_the_other_node_was_applied_leaves_no_old_note_there(worlds, idle) -> None:
    def applied_late(world: World, worker: SimHost) -> None:
        world.advance(LEFT_AFTER_S + 5)
        apply_at(world, idle)

    moment, started = 0, 0
    while True:
        moment += 1
        world = World.from_json(worlds["stopped"])
        told = carried_out_until(world, moment, applied_late, START, idle)
        started += running(world).get("dns") == [other(idle)]
        assert settle_by_apply(world) == []
        assert kept_stopped(world) == ([] if running(world) else list(NODES)), moment
        if not told.interrupted:
            break
    assert started > 2


def test_halves_know_who_begins_them(worlds) -> None:
    planned = Planned(kind=START, domain="dns", source="dom0m", target="dom0")
    halves = selection.halves(planned, SPEC, SHARES["dom0"], identifier=ID, owner="root", since="now")
    assert work.command(halves["dom0"]) == [OPERATION_SCRIPT, "start", "dns", ID]
    assert (halves["dom0m"].half, work.command(halves["dom0m"])) == (Half.SOURCE, None)
