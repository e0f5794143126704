"""Operations as the master has them done: planned, entered, carried out and watched, on simulated nodes."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from fleet import SimFleet
from gate import Gate
from one_domain import Worlds, check_disks, exchange_keys
from pair import NODES, check_safety, converge, empty_world, failures, running, slices

from saltern import controller, migration, operations, start_stop
from saltern.controller import Unanswered
from saltern.converge import Converge
from saltern.errors import Refused, SalternError
from saltern.model.operation import OperationKind, Planned
from saltern.model.places import (
    AUTHORIZED_KEYS,
    OPERATION_SCRIPT,
    maintenance_file,
    operation_file,
    operation_lock,
    operation_log,
    placed_file,
    stopped_file,
)
from saltern.plan.operation import LEFT_AFTER_S, TAKEN_UP_WITHIN_S, over_after_s
from saltern.plan.selection import Selection, halves
from saltern.sim import processes
from saltern.sim.model import SimDomain
from saltern.sim.world import World
from saltern.units import MIB

SHARES = slices()  # router and dns at home on dom0, mail on dom0m
ID = "0a1b2c3d"
IDS = count()  # no two operations have the same
HOME = {"router": ["dom0"], "dns": ["dom0"], "mail": ["dom0m"]}
MIGRATE, OFFLINE, START, STOP, _ = OperationKind


@pytest.fixture(scope="module")
def worlds() -> Worlds:
    """The pair, converged, for either generation of DRBD."""
    found = Worlds()
    for drbd in ("8.4", "9"):
        world = empty_world(drbd)
        for outcomes in converge(world, SHARES).values():
            assert failures(outcomes) == []
        exchange_keys(world, SHARES)
        world.advance(30)
        found[drbd] = world.to_json()
    return found


@pytest.fixture
def nodes(worlds: Worlds) -> SimFleet:
    return SimFleet(World.from_json(worlds["8.4"]), SHARES)


class Watched(SimFleet):
    """Checks at every second that nothing lives twice, that guests have their data, and how many are on their way."""

    most = 0

    def _ask(self, nodes: Sequence[str], function: str, *args: Any) -> dict[str, Any]:
        answers = super()._ask(nodes, function, *args)
        if function == "operation.carry_out":
            self.most = max(self.most, self.asked.count(function) - sum("runs on" in line for line in self.told))
        return answers

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        check_safety(self.world, SHARES)
        for node in self.world.nodes.values():
            for domain in node.domains:
                if domain.running:
                    check_disks(node, domain)


def _guests(world: World) -> list[SimDomain]:
    return [domain for node in world.nodes.values() for domain in node.domains]


def do(nodes: SimFleet, kind: OperationKind, *, parallel: int = 2, timeout_s: float = 3600, **what: str) -> list[str]:
    selection, identifier = Selection(kind=kind, **what), f"{next(IDS):08x}"
    controller.begin(nodes.fleet, selection, identifier=identifier, owner="root on master", since="2026-11-26 10:00:00")
    if kind is not STOP:
        controller.synchronise(nodes.fleet, selection, identifier=identifier, timeout_s=60)
    done = controller.carry_out(nodes.fleet, selection, identifier=identifier, parallel=parallel, timeout_s=timeout_s)
    assert entered(nodes) == []
    return [each.domain for each in done]


def entered(nodes: SimFleet, name: str | None = None) -> list[str]:
    every = [name] if name else ["router", "dns", "mail"]
    return [node for node in NODES for each in every if operation_file(each) in nodes.world.nodes[node].files]


def placed(nodes: SimFleet, name: str) -> list[str]:
    return [node for node in NODES if placed_file(name) in nodes.world.nodes[node].files]


def kept_stopped(nodes: SimFleet, name: str) -> list[str]:
    return [node for node in NODES if stopped_file(name) in nodes.world.nodes[node].files]


def apply(nodes: SimFleet) -> None:
    for outcomes in converge(nodes.world, SHARES, wait_s=30).values():
        assert failures(outcomes) == []


def test_a_pv_domain_is_shut_down_to_be_moved_where_xen_has_no_shadow_paging(nodes: SimFleet) -> None:
    """As Debian's; xl would try, and say "Failed to enable logdirty" (transcript 495)."""
    for node in nodes.world.nodes.values():
        node.shadow_paging = False
    with pytest.raises(Refused, match="dom0: it is a PV domain, and Xen was built without shadow paging"):
        do(nodes, MIGRATE, domain="dns")
    assert entered(nodes) == []
    do(nodes, OFFLINE, domain="dns")
    assert running(nodes.world)["dns"] == ["dom0m"]


@pytest.mark.parametrize("drbd", ["8.4", "9"])
@pytest.mark.parametrize("kind", [MIGRATE, OFFLINE])
def test_a_domain_moves_to_its_partner_and_home_again(worlds, drbd, kind) -> None:
    nodes = Watched(World.from_json(worlds[drbd]), SHARES)
    assert do(nodes, kind, domain="dns") == ["dns"]
    assert running(nodes.world) == {**HOME, "dns": ["dom0m"]}
    if kind is MIGRATE:
        assert nodes.told[-1].startswith("two Primaries were allowed: dns for ")
    assert do(nodes, kind, domain="dns", target="dom0m") == []
    assert do(nodes, kind, domain="dns", target="dom0") == ["dns"]
    assert running(nodes.world) == HOME
    apply(nodes)


def test_what_is_stopped_stays_so_until_it_is_started(nodes) -> None:
    assert do(nodes, STOP, domain="dns") == ["dns"]
    assert kept_stopped(nodes, "dns") == list(NODES)
    apply(nodes)
    assert "dns" not in running(nodes.world)
    assert do(nodes, STOP, domain="dns") == []
    assert do(nodes, START, domain="dns") == ["dns"]
    assert kept_stopped(nodes, "dns") == []
    assert running(nodes.world) == HOME
    assert do(nodes, START, domain="dns") == []


def test_a_stopped_domain_is_started_on_its_partner_when_that_is_named(nodes) -> None:
    do(nodes, STOP, domain="dns")
    do(nodes, START, domain="dns", target="dom0m")
    assert running(nodes.world)["dns"] == ["dom0m"]
    with pytest.raises(Refused, match=r"it runs on dom0m\. `salt-run state.orch migrate`"):
        do(nodes, START, domain="dns", target="dom0")
    apply(nodes)
    assert running(nodes.world)["dns"] == ["dom0m"]


ALONE = "neither its partner nor the witness answers"


@pytest.mark.parametrize("kind", [MIGRATE, OFFLINE])
def test_a_domain_does_not_move_to_a_node_that_has_no_lease(nodes, kind) -> None:
    gate = Gate(nodes.world, "dom0m", ALONE)
    with pytest.raises(Refused, match=f"dom0m: .*{ALONE}"):
        do(nodes, kind, domain="dns")
    assert entered(nodes) == []
    assert running(nodes.world) == HOME
    gate.why = None
    assert do(nodes, kind, domain="dns") == ["dns"]


def test_a_node_is_not_evacuated_to_one_that_has_no_lease_but_away_from_it(nodes) -> None:
    Gate(nodes.world, "dom0m", ALONE)
    with pytest.raises(Refused, match=ALONE):
        do(nodes, MIGRATE, evacuate="dom0")
    assert do(nodes, MIGRATE, evacuate="dom0m") == ["mail"]
    with pytest.raises(Refused, match=ALONE):
        do(nodes, MIGRATE, home="dom0m")


def test_a_domain_is_started_as_soon_as_its_node_has_a_lease(nodes) -> None:
    do(nodes, STOP, domain="dns")
    gate = Gate(nodes.world, "dom0", ALONE)
    with pytest.raises(Refused, match=ALONE):
        do(nodes, START, domain="dns")
    assert "dns" not in running(nodes.world)
    gate.why = None
    controller.begin(nodes.fleet, Selection(kind=START, domain="dns"), identifier=ID, owner="anna", since="now")
    controller.synchronise(nodes.fleet, Selection(kind=START, domain="dns"), identifier=ID, timeout_s=60)
    gate.first = [None, *[ALONE] * 3]  # the last look of the master, then the node itself, which waits
    controller.carry_out(nodes.fleet, Selection(kind=START, domain="dns"), identifier=ID, parallel=1, timeout_s=600)
    assert running(nodes.world) == HOME
    assert gate.first == []


def test_a_domain_that_is_down_already_is_kept_so(nodes) -> None:
    nodes.world.host("dom0").run(["xl", "shutdown", "-w", "dns"])
    nodes.world.advance(5)
    assert do(nodes, STOP, domain="dns") == ["dns"]
    apply(nodes)
    assert "dns" not in running(nodes.world)


def test_a_domain_that_somebody_has_started_by_hand_is_no_longer_kept_stopped(nodes) -> None:
    do(nodes, STOP, domain="dns")
    nodes.world.host("dom0").run(["xl", "create", "/etc/xen/dns.cfg"])
    apply(nodes)
    assert kept_stopped(nodes, "dns") == [
        "dom0m"
    ]  # which cannot know; and what is kept at home is what an apply goes by
    assert do(nodes, START, domain="dns") == ["dns"]
    assert kept_stopped(nodes, "dns") == []


@pytest.mark.parametrize("kind", [STOP, OFFLINE])
def test_a_guest_that_does_not_shut_down_goes_on_and_the_reason_is_told(nodes, kind) -> None:
    guest = next(each for each in _guests(nodes.world) if each.name == "dns")

    def deaf(seconds: float) -> None:
        guest.stops_at_s = None
        nodes.world.advance(seconds)

    nodes.sleep = deaf
    begun_s = nodes.world.time_s
    with pytest.raises(Refused, match=r"stays on dom0: .*has not shut down within 600 s"):
        do(nodes, kind, domain="dns")
    assert nodes.world.time_s - begun_s < start_stop.SHUTDOWN_S + 10
    assert (entered(nodes), kept_stopped(nodes, "dns")) == ([], [])


@pytest.mark.parametrize("parallel", [1, 2])
def test_a_node_is_evacuated_so_many_at_a_time_and_its_domains_return(worlds, parallel) -> None:
    nodes = Watched(World.from_json(worlds["8.4"]), SHARES)
    assert do(nodes, MIGRATE, evacuate="dom0", parallel=parallel) == ["router", "dns"]
    assert nodes.most == parallel
    assert running(nodes.world) == {"router": ["dom0m"], "dns": ["dom0m"], "mail": ["dom0m"]}
    assert do(nodes, MIGRATE, evacuate="dom0") == []
    assert do(nodes, MIGRATE, home="dom0") == ["router", "dns"]
    assert running(nodes.world) == HOME


def test_a_node_is_ready_when_it_answers_and_its_disks_are_in_order(nodes) -> None:
    controller.ready(nodes.fleet, "dom0", timeout_s=0)
    nodes.world.power_cut("dom0")
    with pytest.raises(Refused, match=r"after 5 s still: dom0: the minion does not answer"):
        controller.ready(nodes.fleet, "dom0", timeout_s=5)
    ask = nodes.sleep

    def repaired(seconds: float) -> None:
        ask(seconds)
        if nodes.shown:
            nodes.world.boot("dom0")

    nodes.sleep = repaired
    controller.ready(nodes.fleet, "dom0", timeout_s=600)
    assert "dom0 is not ready: dom0: the minion does not answer" in nodes.shown


def test_every_domain_returns_to_its_home(nodes) -> None:
    do(nodes, MIGRATE, evacuate="dom0")
    do(nodes, MIGRATE, evacuate="dom0m")
    assert running(nodes.world) == {name: ["dom0"] for name in HOME}
    assert do(nodes, MIGRATE, home="*") == ["mail"]
    assert running(nodes.world) == HOME


def test_an_evacuation_that_does_not_fit_is_refused_and_says_what_would_be_left(nodes) -> None:
    nodes.world.nodes["dom0m"].memory_bytes = (64 + 100) * MIB  # mail, one more, and not two
    with pytest.raises(Refused, match=r"what runs on dom0: one domain would be left: domain dns: .* it needs 64M"):
        do(nodes, MIGRATE, evacuate="dom0")
    assert (running(nodes.world), entered(nodes)) == (HOME, [])


def test_an_evacuation_counts_what_its_domains_have_and_not_what_they_get_at_their_next_start(nodes) -> None:
    nodes.world.nodes["dom0m"].memory_bytes = (
        64 + 100
    ) * MIB  # mail, and the two that are smaller now than in the topology
    for domain in nodes.world.nodes["dom0"].domains:
        domain.memory_bytes = 32 * MIB
    assert do(nodes, MIGRATE, evacuate="dom0") == ["router", "dns"]


def test_one_that_fails_does_not_hold_the_others_up(nodes) -> None:
    ask = nodes._ask
    nodes._ask = lambda on, function, *args: ask(
        on,
        function,
        *(("ffff",) if args[:1] == ("router",) and function == "operation.carry_out" else args[:1]),
        *args[1:],
    )
    with pytest.raises(Refused, match=r"router: .*1 of 2 are done"):
        do(nodes, MIGRATE, evacuate="dom0")
    assert running(nodes.world) == {**HOME, "dns": ["dom0m"]}
    assert entered(nodes) == []


def test_what_has_changed_since_it_was_entered_is_found_before_anything_moves(nodes) -> None:
    planned = Selection(kind=MIGRATE, evacuate="dom0")
    controller.begin(nodes.fleet, planned, identifier=ID, owner="root", since="now")
    del nodes.world.nodes["dom0m"].files["/etc/xen/scripts/block-saltern"]
    with pytest.raises(SalternError):  # now it is told, for both, before anything moves
        controller.carry_out(nodes.fleet, planned, identifier=ID, parallel=1, timeout_s=600)
    assert (running(nodes.world), entered(nodes)) == (HOME, [])


def test_a_master_that_dies_leaves_nothing_that_an_apply_does_not_end(nodes) -> None:
    planned = Selection(kind=OFFLINE, domain="dns")
    controller.begin(nodes.fleet, planned, identifier=ID, owner="root", since="now")
    nodes.silent = {"dom0m"}
    with pytest.raises(SalternError):
        controller.carry_out(nodes.fleet, planned, identifier=ID, parallel=1, timeout_s=600)
    nodes.silent = set()
    nodes.world.advance(LEFT_AFTER_S)
    apply(nodes)
    assert (running(nodes.world), entered(nodes)) == (HOME, [])


def begun_again(nodes: SimFleet, kind: OperationKind = MIGRATE, **what: str) -> list[str]:
    planned = controller.begin(
        nodes.fleet, Selection(kind=kind, domain="dns", **what), identifier="ffff", owner="anna", since="later"
    )
    return [str(each) for each in planned]


def moved_but_for_an_entry(nodes: SimFleet) -> None:
    """The runner and the process that would have ended the target's entry were killed after all else was done."""
    do(nodes, MIGRATE, domain="dns")
    spec = SHARES["dom0"].domains["dns"]
    planned = Planned(kind=MIGRATE, domain="dns", source="dom0", target="dom0m")
    entries = halves(planned, spec, SHARES["dom0m"], identifier=ID, owner="root on master", since="now", stays=True)
    host = nodes.world.host("dom0m")
    operations.begin(host, entries["dom0m"])
    operations.expect(host, "dns", ID)


def test_the_target_ends_its_entry_by_itself_also_in_a_world_that_was_put_into_a_file_meanwhile(nodes) -> None:
    what = Selection(kind=MIGRATE, domain="dns")
    controller.begin(nodes.fleet, what, identifier=ID, owner="root", since="now")
    migration.send(nodes.world.host("dom0"), "dns", ID)
    assert entered(nodes) == ["dom0m"]
    nodes.world = World.from_json(nodes.world.to_json())
    nodes.world.advance(2)
    assert (running(nodes.world)["dns"], entered(nodes), placed(nodes, "dns")) == (["dom0m"], [], ["dom0m"])


@pytest.mark.parametrize("silent_s", [0, LEFT_AFTER_S])
def test_the_same_command_again_ends_a_migration_that_is_done_and_plans_no_way_back(nodes, silent_s) -> None:
    moved_but_for_an_entry(nodes)
    nodes.world.advance(silent_s)
    assert begun_again(nodes) == []
    done = "dns runs on dom0m: the migrate of dns from dom0 to dom0m, begun by root on master at now, is done"
    assert nodes.told[-1] == done
    assert (running(nodes.world)["dns"], entered(nodes), placed(nodes, "dns")) == (["dom0m"], [], ["dom0m"])


def test_the_same_command_again_leaves_an_entry_to_whoever_is_at_it_and_plans_no_way_back(nodes) -> None:
    moved_but_for_an_entry(nodes)
    what = Selection(kind=MIGRATE, domain="dns")
    with nodes.world.host("dom0m").hold(operation_lock("dns")):
        assert controller.destination(nodes.fleet, what) == "dom0m"
        assert controller.decide(nodes.fleet, what) == ()
        assert begun_again(nodes) == []
    assert entered(nodes) == ["dom0m"]


def test_the_same_command_again_goes_the_same_way_where_nothing_was_moved(nodes) -> None:
    controller.begin(nodes.fleet, Selection(kind=MIGRATE, domain="dns"), identifier=ID, owner="root", since="now")
    nodes.world.advance(LEFT_AFTER_S)
    assert begun_again(nodes, OFFLINE) == ["dns is shut down on dom0, then starts on dom0m"]


def test_who_names_the_way_back_gets_it_also_where_an_entry_was_left(nodes) -> None:
    moved_but_for_an_entry(nodes)
    assert begun_again(nodes, target="dom0") == ["dns moves from dom0m to dom0"]


def test_what_is_in_its_place_is_said_to_be(nodes) -> None:
    assert begun_again(nodes, target="dom0") == []
    assert nodes.told[-1] == "dns runs on dom0 already"
    assert begun_again(nodes, START) == []
    assert nodes.told[-1] == "dns runs already"
    assert do(nodes, MIGRATE, home="*") == []
    assert nodes.told[-1] == "nothing is to be done: everything is in its place"
    do(nodes, MIGRATE, evacuate="dom0")
    do(nodes, MIGRATE, evacuate="dom0")
    assert nodes.told[-1] == "nothing is to be done: no domain of the topology is on dom0"


class Dead(BaseException):
    """The master is gone: it does not even tidy up."""


class Mortal(SimFleet):
    """A master that dies after so many answers."""

    def __init__(self, world: World, answers: int) -> None:
        super().__init__(world, SHARES)
        self.left = answers

    def _ask(self, nodes: Sequence[str], function: str, *args: Any) -> dict[str, Any]:
        if not self.left:
            raise Dead
        self.left -= 1
        return super()._ask(nodes, function, *args)


@pytest.mark.parametrize("source", NODES)
def test_a_stop_that_was_begun_is_finished_without_the_master_and_one_that_was_not_stops_nothing(nodes, source) -> None:
    if source == "dom0m":
        do(nodes, OFFLINE, domain="dns", target=source)
    world = nodes.world.to_json()
    for answers in count(1):
        mortal = Mortal(World.from_json(world), answers)
        try:
            do(mortal, STOP, domain="dns")
        except Dead:
            pass
        else:
            break
        begun = mortal.asked.count("operation.carry_out") == 2
        mortal.world.advance(over_after_s(STOP))
        apply(mortal)
        assert ("dns" in running(mortal.world)) != begun, f"after {answers} answers"
        assert kept_stopped(mortal, "dns") == (list(NODES) if begun else []), f"after {answers} answers"
        assert entered(mortal) == []
    assert begun


@pytest.mark.parametrize("target", NODES)
def test_no_old_note_is_left_of_a_start_that_was_begun_when_the_master_is_gone(nodes, target) -> None:
    do(nodes, STOP, domain="dns")
    world = nodes.world.to_json()
    for answers in count(1):
        mortal = Mortal(World.from_json(world), answers)
        try:
            do(mortal, START, domain="dns", target=target)
        except Dead:
            pass
        else:
            break
        if "operation.carry_out" not in mortal.asked:
            continue
        begun = mortal.asked.count("operation.carry_out") == 2
        mortal.world.advance(over_after_s(START))
        apply(mortal)
        assert running(mortal.world).get("dns", []) == ([target] if begun else []), f"after {answers} answers"
        assert kept_stopped(mortal, "dns") == ([] if begun else list(NODES)), f"after {answers} answers"
        assert entered(mortal) == []
    assert begun


@pytest.mark.parametrize("target", NODES)
def test_a_start_whose_master_died_is_not_waited_for_where_a_master_sees_that_nobody_is_at_it(nodes, target) -> None:
    do(nodes, STOP, domain="dns")
    world = nodes.world.to_json()
    for answers in count(1):
        mortal = Mortal(World.from_json(world), answers)
        with pytest.raises(Dead):
            do(mortal, START, domain="dns", target=target)
        if "operation.carry_out" in mortal.asked:  # the node that starts nothing knows of it, and the other one not
            break
    mortal.left = 1000
    mortal.world.advance(LEFT_AFTER_S + 1)
    do(mortal, START, domain="dns", target=target)
    assert (running(mortal.world)["dns"], kept_stopped(mortal, "dns"), entered(mortal)) == ([target], [], [])


def test_a_guest_that_takes_its_time_to_shut_down_stays_stopped_when_the_master_is_gone(nodes) -> None:
    do(nodes, OFFLINE, domain="dns", target="dom0m")
    guest = next(each for each in _guests(nodes.world) if each.name == "dns")

    def gone(seconds: float) -> None:
        while guest.stops_at_s is None:
            nodes.world.advance(1)
        guest.stops_at_s += 400
        raise Dead

    nodes.sleep = gone
    with pytest.raises(Dead):
        do(nodes, STOP, domain="dns")
    nodes.world.advance(LEFT_AFTER_S + 30)
    with pytest.raises(Refused, match="may still be shutting down on dom0m"):
        operations.settle_left(nodes.world.host("dom0"), "dns")
    nodes.world.advance(400)
    apply(nodes)
    assert "dns" not in running(nodes.world)
    assert kept_stopped(nodes, "dns") == list(NODES)


def test_a_second_operation_is_refused_while_the_first_is_prepared(nodes) -> None:
    first = Selection(kind=MIGRATE, domain="dns")
    controller.begin(nodes.fleet, first, identifier=ID, owner="root", since="now")
    for kind in (MIGRATE, OFFLINE, STOP):
        with pytest.raises(Refused, match="somebody works on it"):
            controller.begin(
                nodes.fleet, Selection(kind=kind, domain="dns"), identifier="ffff", owner="root", since="now"
            )
    with pytest.raises(Refused, match=r"one domain would be left: domain dns: .*somebody works on it"):
        controller.decide(nodes.fleet, Selection(kind=MIGRATE, evacuate="dom0"))


def test_nothing_is_entered_when_one_node_refuses(nodes) -> None:
    nodes.silent = {"dom0"}
    with pytest.raises(SalternError, match="dom0: the minion does not answer"):
        do(nodes, MIGRATE, evacuate="dom0m")
    assert entered(nodes) == []


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ({}, "nothing"),
        ({"domain": "dns", "home": "*"}, "domain dns, home"),
        ({"evacuate": "dom0", "target": "dom0m"}, "target dom0m, evacuate dom0"),
    ],
)
def test_a_selection_names_one_thing(what, told) -> None:
    with pytest.raises(Refused, match=told):
        Selection(kind=MIGRATE, **what)
    with pytest.raises(Refused, match="evacuate dom0"):
        Selection(kind=STOP, evacuate="dom0")


@pytest.mark.parametrize("key", ["domain", "evacuate", "home"])
@pytest.mark.parametrize("value", ["", 7, ["dom0"], True])
def test_what_is_no_name_selects_nothing(key, value) -> None:
    """An empty variable of somebody's shell once stood for every node."""
    with pytest.raises(Refused, match=f"{key} is {re.escape(repr(value))}"):
        Selection(kind=MIGRATE, **{key: value})
    with pytest.raises(Refused, match="target is ''"):
        Selection(kind=MIGRATE, domain="dns", target="")


@pytest.mark.parametrize("what", [{"domain": "dnss"}, {"evacuate": "dom7"}, {"evacuate": "*"}, {"home": "dom7"}])
def test_what_the_topology_does_not_have_is_told_with_what_it_has(nodes, what) -> None:
    with pytest.raises(Refused, match=r"the topology has no such (domain|node)\. It has d"):
        controller.decide(nodes.fleet, Selection(kind=MIGRATE, **what))


@pytest.mark.parametrize("kind", [MIGRATE, OFFLINE])
def test_who_has_put_a_domain_elsewhere_is_noted_there_until_it_leaves(nodes, kind) -> None:
    do(nodes, kind, domain="dns")
    assert placed(nodes, "dns") == ["dom0m"]
    survey = controller.look(nodes.fleet, {"dns": SHARES["dom0"].domains["dns"]})["dns"]
    assert survey["dom0m"].placed == "put there by root on master at 2026-11-26 10:00:00"
    do(nodes, kind, domain="dns", target="dom0")
    assert placed(nodes, "dns") == []
    do(nodes, kind, domain="dns")
    do(nodes, MIGRATE, home="dom0")
    assert placed(nodes, "dns") == []


def test_a_start_elsewhere_places_a_domain_and_a_stop_ends_that(nodes) -> None:
    do(nodes, STOP, domain="dns")
    do(nodes, START, domain="dns", target="dom0m")
    assert placed(nodes, "dns") == ["dom0m"]
    do(nodes, STOP, domain="dns")
    assert placed(nodes, "dns") == []
    do(nodes, START, domain="dns")
    assert placed(nodes, "dns") == []


def test_a_domain_that_does_not_leave_stays_where_it_was_put(nodes) -> None:
    do(nodes, MIGRATE, domain="dns")
    del nodes.world.nodes["dom0"].files[AUTHORIZED_KEYS]
    with pytest.raises(Refused, match="stays on dom0m"):
        do(nodes, MIGRATE, domain="dns")
    assert placed(nodes, "dns") == ["dom0m"]


def test_an_evacuated_node_is_in_maintenance_until_its_domains_come_home(nodes) -> None:
    nodes.world.nodes["dom0m"].memory_bytes = (64 + 100) * MIB
    with pytest.raises(Refused):
        do(nodes, MIGRATE, evacuate="dom0")
    assert marked(nodes) == []  # nothing was moved
    nodes.world.nodes["dom0m"].memory_bytes *= 4
    do(nodes, MIGRATE, evacuate="dom0")
    assert marked(nodes) == list(NODES)
    assert [placed(nodes, name) for name in HOME] == [[], [], []]
    survey = controller.look(nodes.fleet, {"dns": SHARES["dom0"].domains["dns"]})["dns"]
    assert [each.maintenance for each in survey.values()] == [{"dom0": "evacuated"}, {"dom0": "evacuated"}]
    do(nodes, MIGRATE, evacuate="dom0m")
    do(nodes, MIGRATE, home="dom0")
    assert marked(nodes) == []
    assert marked(nodes, "dom0m") == list(NODES)
    do(nodes, MIGRATE, home="*")
    assert marked(nodes, "dom0m") == []


def test_whoever_sends_domains_to_a_node_that_somebody_else_maintains_is_told(nodes) -> None:
    warning = "dom0 is in maintenance, evacuated: what goes there now may go down with it"
    do(nodes, MIGRATE, evacuate="dom0")
    assert warning not in nodes.told
    foreseen = controller.foresee(nodes.fleet, Selection(kind=MIGRATE, evacuate="dom0m"))
    assert nodes.told[-len(foreseen) - 1 :] == [warning, *(f"would be done: {each}" for each in foreseen)]
    assert running(nodes.world)["mail"] == ["dom0m"]
    nodes.told.clear()
    do(nodes, MIGRATE, evacuate="dom0m")
    assert nodes.told.count(warning) == 1
    do(nodes, MIGRATE, home="dom0m")
    do(nodes, MIGRATE, home="*")
    assert nodes.told.count(warning) == 1


def test_a_partner_that_cannot_be_told_of_a_maintenance_is_named_and_holds_nothing_up(nodes) -> None:
    ask = nodes._ask

    def deaf(on: Sequence[str], function: str, *args: Any) -> dict[str, Any]:
        if function == "operation.begin_maintenance" and on == ["dom0m"]:
            raise Unanswered({"dom0m": "the minion does not answer"})
        return ask(on, function, *args)

    nodes._ask = deaf
    do(nodes, MIGRATE, evacuate="dom0")
    assert marked(nodes) == ["dom0"]
    assert "dom0m could not be told about the maintenance of dom0: the minion does not answer" in nodes.told


def test_all_nodes_are_told_at_once_that_a_maintenance_is_over_and_one_of_several_partners_for_each(nodes) -> None:
    """dom0 shares domains with dom0m and with dom1."""
    asked: list[dict[str, str]] = []

    def ask_each(function: str, args: Mapping[str, Sequence[Any]]) -> dict[str, None]:
        assert function == "operation.end_maintenance"
        asked.append({node: about for node, (about,) in args.items()})
        return dict.fromkeys(args)

    def share(*pairs: tuple[str, str]) -> SimpleNamespace:
        return SimpleNamespace(domains={f"{a}{b}": SimpleNamespace(home=a, partner=b) for a, b in pairs})

    one, other = ("dom0", "dom0m"), ("dom1", "dom0")
    shares = {"dom0": share(one, other), "dom0m": share(one), "dom1": share(other)}
    fleet = replace(nodes.fleet, shares=shares, ask_each=ask_each)
    controller._mark(fleet, Selection(kind=MIGRATE, home="*"), "")
    assert asked == [
        {"dom0": "dom0", "dom0m": "dom0m", "dom1": "dom1"},
        {"dom0": "dom0m", "dom0m": "dom0", "dom1": "dom0"},
        {"dom0": "dom1"},
    ]


def marked(nodes: SimFleet, name: str = "dom0") -> list[str]:
    return [node for node in NODES if maintenance_file(name) in nodes.world.nodes[node].files]


# --- What a hostile look has found -----------------------------------------------------------------------------------
def prepared(nodes: SimFleet, kind: OperationKind, **what: str) -> Selection:
    selection = Selection(kind=kind, **what)
    controller.begin(nodes.fleet, selection, identifier=ID, owner="root on master", since="2026-11-26 10:00:00")
    return selection


def carry_out(nodes: SimFleet, selection: Selection, *, parallel: int = 2) -> None:
    controller.carry_out(nodes.fleet, selection, identifier=ID, parallel=parallel, timeout_s=3600)


def test_a_guest_is_not_shut_down_when_the_target_could_not_start_it(nodes) -> None:
    selection = prepared(nodes, OFFLINE, domain="dns")
    nodes.world.cut_link(*NODES)
    nodes.world.advance(20)
    with pytest.raises(Refused, match="not connected"):
        carry_out(nodes, selection)
    assert (running(nodes.world), entered(nodes)) == (HOME, [])


def test_a_source_does_not_shut_down_when_the_cable_is_pulled_at_the_last_moment(nodes) -> None:
    prepared(nodes, OFFLINE, domain="dns")
    nodes.world.cut_link(*NODES)
    nodes.world.advance(20)
    list(start_stop.stopping(nodes.world.host("dom0"), "dns", ID))
    assert running(nodes.world) == HOME
    assert "dns was not shut down: dns is not connected" in nodes.world.nodes["dom0"].files[operation_log("dns")][0]


def test_a_start_that_comes_to_nothing_does_not_end_a_stop(nodes) -> None:
    do(nodes, STOP, domain="dns")
    nodes.world.cut_link(*NODES)
    nodes.world.advance(40)
    with pytest.raises(Refused, match="after 60 s still"):
        do(nodes, START, domain="dns", target="dom0m")
    nodes.world.heal_link(*NODES)
    nodes.world.advance(60)
    apply(nodes)
    assert (kept_stopped(nodes, "dns"), entered(nodes)) == (list(NODES), [])
    assert "dns" not in running(nodes.world)


def test_a_stop_that_nobody_has_carried_out_stops_nothing_later(nodes) -> None:
    prepared(nodes, STOP, domain="dns")
    nodes.world.advance(LEFT_AFTER_S + 5)
    for node in NODES:
        told = operations.settle_left(nodes.world.host(node), "dns")
        assert re.fullmatch("stop of dns on dom0, begun by .* was left half-done: it is over on this node", told)
    assert (kept_stopped(nodes, "dns"), running(nodes.world)) == ([], HOME)


def test_a_migration_whose_login_is_refused_ends_at_once_with_what_was_said(nodes) -> None:
    del nodes.world.nodes["dom0m"].files[AUTHORIZED_KEYS]
    selection = prepared(nodes, MIGRATE, domain="dns")
    begun_s = nodes.world.time_s
    with pytest.raises(Refused, match=r"stays on dom0: .*migrate of dns"):
        carry_out(nodes, selection)
    assert nodes.world.time_s - begun_s < 120
    assert (running(nodes.world), entered(nodes)) == (HOME, [])


@pytest.mark.parametrize(("kind", "node"), [(MIGRATE, "dom0"), (OFFLINE, "dom0"), (OFFLINE, "dom0m"), (STOP, "dom0")])
def test_a_process_that_dies_at_once_is_noticed_in_less_than_a_minute(nodes, kind, node) -> None:
    ask = nodes._ask

    def deadly(on: Sequence[str], function: str, *args: Any) -> dict[str, Any]:
        answers = ask(on, function, *args)
        if function == "operation.carry_out" and on == [node]:
            processes.kill(nodes.world.nodes[node], OPERATION_SCRIPT)
        return answers

    nodes._ask = deadly
    selection = prepared(nodes, kind, domain="dns")
    begun_s = nodes.world.time_s
    with pytest.raises(Refused):
        carry_out(nodes, selection)
    assert nodes.world.time_s - begun_s < 60
    assert (running(nodes.world), entered(nodes)) == (HOME, [])


@pytest.mark.parametrize(("entered_as", "carried_out_as"), [(MIGRATE, STOP), (OFFLINE, STOP), (OFFLINE, MIGRATE)])
def test_what_was_entered_is_not_carried_out_as_something_else(nodes, entered_as, carried_out_as) -> None:
    prepared(nodes, entered_as, domain="dns")
    with pytest.raises(Refused, match=f"the {carried_out_as} of dns is not entered"):
        carry_out(nodes, Selection(kind=carried_out_as, domain="dns"))
    assert "operation.carry_out" not in nodes.asked
    assert (running(nodes.world), entered(nodes)) == (HOME, [])


def begun_late(nodes: SimFleet, before: str, lost: str = "") -> None:
    """The process on dom0m is slow to begin: it does so when the master asks for ``before``. The answer to ``lost`` is lost."""
    ask, waits = nodes._ask, []

    def slow(on: Sequence[str], function: str, *args: Any) -> dict[str, Any]:
        if function == "operation.carry_out" and on == ["dom0m"]:
            waits.append(args)
            if function == lost:
                raise Unanswered({"dom0m": "the minion does not answer"})
            return dict.fromkeys(on)
        while waits and function == before:
            ask(["dom0m"], "operation.carry_out", *waits.pop())
            nodes.world.advance(1)
        return ask(on, function, *args)

    nodes._ask = slow


@pytest.mark.parametrize("lost", ["", "operation.carry_out"])
def test_a_stop_that_begins_late_is_one_of_which_the_home_knows(nodes, lost) -> None:
    do(nodes, MIGRATE, domain="dns")
    selection = prepared(nodes, STOP, domain="dns")
    begun_late(nodes, "operation.withdraw", lost)
    with suppress(Refused):  # where the answer was lost it is told that this is not known
        carry_out(nodes, selection)
    nodes.world.advance(LEFT_AFTER_S)
    apply(nodes)
    assert kept_stopped(nodes, "dns") == ["dom0", "dom0m"]
    assert "dns" not in running(nodes.world)


def test_what_a_person_builds_is_not_ended_by_a_start_that_finds_it(nodes) -> None:
    do(nodes, STOP, domain="dns")
    selection = prepared(nodes, START, domain="dns")
    nodes.world.host("dom0").run(["xl", "create", "-p", "/etc/xen/dns.cfg"])
    list(start_stop.starting(nodes.world.host("dom0"), "dns", ID))
    assert [each.paused for each in _guests(nodes.world) if each.name == "dns"] == [True]
    assert selection.domain == "dns"


@pytest.mark.parametrize(("kind", "target"), [(OFFLINE, "dom0m"), (START, "dom0m")])
def test_an_apply_leaves_a_domain_alone_while_the_other_node_works_on_it(nodes, kind, target) -> None:
    if kind is START:
        do(nodes, STOP, domain="dns")
    applied = []
    advance = nodes.world.advance

    def sleep(seconds: float) -> None:
        advance(seconds)
        if "dns" not in running(nodes.world) and len(applied) < 3:
            applied.append(Converge(nodes.world.host("dom0"), SHARES["dom0"], wait_s=0).all())

    nodes.sleep = sleep
    assert do(nodes, kind, domain="dns", target=target) == ["dns"]
    assert running(nodes.world)["dns"] == [target]


def answer_slowly(nodes: SimFleet, takes_s: int) -> None:
    ask_each = nodes._ask_each

    def slow(function: str, args: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        for _ in range(takes_s // 2):
            nodes.world.advance(1)
        try:
            return ask_each(function, args)
        finally:
            for _ in range(takes_s // 2):
                nodes.world.advance(1)

    nodes._ask_each = slow


@pytest.mark.parametrize("parallel", [1, 2, 4])
def test_a_node_is_evacuated_also_where_each_answer_takes_twenty_seconds(nodes, parallel) -> None:
    answer_slowly(nodes, 20)
    selection = prepared(nodes, MIGRATE, evacuate="dom0")
    controller.synchronise(nodes.fleet, selection, identifier=ID, timeout_s=60)
    carry_out(nodes, selection, parallel=parallel)
    assert running(nodes.world) == {"router": ["dom0m"], "dns": ["dom0m"], "mail": ["dom0m"]}


@pytest.mark.parametrize("kind", [MIGRATE, OFFLINE, STOP])
def test_nodes_that_take_half_a_minute_for_each_answer_are_not_too_slow(nodes, kind) -> None:
    answer_slowly(nodes, 30)
    selection = prepared(nodes, kind, domain="dns")
    if kind is not STOP:
        controller.synchronise(nodes.fleet, selection, identifier=ID, timeout_s=60)
    carry_out(nodes, selection)
    expected = {MIGRATE: ["dom0m"], OFFLINE: ["dom0m"], STOP: None}
    assert (running(nodes.world).get("dns"), entered(nodes)) == (expected[kind], [])


def test_a_node_that_says_nothing_of_a_domain_that_waits_does_not_keep_another_one_from_its_start(nodes) -> None:
    selection, ask, missed = prepared(nodes, MIGRATE, evacuate="dom0"), nodes._ask, []

    def silent(on: Sequence[str], function: str, *args: Any) -> dict[str, Any]:
        nodes.world.advance(5)  # so that it is time to say that dns is prepared still
        if function == "operation.renew" and "dns" in args[0] and nodes.asked.count("operation.carry_out") < 2:
            missed.append(on)
            raise Unanswered({on[0]: "the minion does not answer"})
        return ask(on, function, *args)

    nodes._ask = silent
    carry_out(nodes, selection, parallel=1)
    assert running(nodes.world) == {"router": ["dom0m"], "dns": ["dom0m"], "mail": ["dom0m"]}
    assert missed


def test_the_end_of_a_migration_is_waited_for_and_seen_at_once_with_few_looks_at_the_nodes(nodes) -> None:
    """A look competes with the migration for the processors of both nodes, and here it takes them five seconds."""
    ask, over_s, looked = nodes._ask, [], []

    def slow(on: Sequence[str], function: str, *args: Any) -> dict[str, Any]:
        if function == "operation.look":
            looked.append(len(entered(nodes)))
            nodes.sleep(2.5)
        return ask(on, function, *args)

    def sleep(seconds: float) -> None:
        nodes.world.advance(seconds)
        if not over_s and "operation.carry_out" in nodes.asked and not entered(nodes):
            over_s.append(nodes.world.time_s)

    selection = prepared(nodes, MIGRATE, domain="dns")
    nodes._ask, nodes.sleep = slow, sleep
    carry_out(nodes, selection)
    assert running(nodes.world)["dns"] == ["dom0m"]
    assert nodes.world.time_s - over_s[0] < 10
    assert sum(map(bool, looked)) == 2  # both nodes, before it begins; then once again when it is over


def test_nobody_rests_where_nothing_could_be_begun(nodes) -> None:
    ask, begun_s = nodes._ask, []

    def refusing(on: Sequence[str], function: str, *args: Any) -> dict[str, Any]:
        if function == "operation.carry_out":
            begun_s.append(nodes.world.time_s)
            raise Unanswered({on[0]: "it cannot"})
        return ask(on, function, *args)

    selection = prepared(nodes, MIGRATE, domain="dns")
    nodes._ask = refusing
    with pytest.raises(Refused, match="it cannot"):
        carry_out(nodes, selection)
    assert nodes.world.time_s - begun_s[0] < 1


def test_one_missed_answer_ends_nothing(nodes) -> None:
    ask, missed = nodes._ask, set()

    def forgetful(on: Sequence[str], function: str, *args: Any) -> dict[str, Any]:
        under_way = nodes.asked.count("operation.carry_out") > 0
        if (
            under_way
            and function in ("operation.look", "operation.renew", "operation.finish")
            and function not in missed
        ):
            missed.add(function)
            raise Unanswered({on[0]: "the minion does not answer"})
        return ask(on, function, *args)

    selection = prepared(nodes, MIGRATE, evacuate="dom0")
    nodes._ask = forgetful
    nodes.world.advance(5)
    controller.carry_out(nodes.fleet, selection, identifier=ID, parallel=1, timeout_s=3600)
    assert running(nodes.world) == {"router": ["dom0m"], "dns": ["dom0m"], "mail": ["dom0m"]}
    assert "operation.look" in missed


def test_an_answer_that_is_lost_after_the_deed_leaves_nothing(nodes) -> None:
    ask = nodes._ask

    def lossy(on: Sequence[str], function: str, *args: Any) -> dict[str, Any]:
        answers = ask(on, function, *args)
        if function == "operation.begin" and on == ["dom0"]:
            raise Unanswered({"dom0": "the minion does not answer"})
        return answers

    nodes._ask = lossy
    with pytest.raises(Unanswered):
        prepared(nodes, STOP, domain="dns")
    assert (entered(nodes), kept_stopped(nodes, "dns")) == ([], [])


def test_what_comes_after_it_was_taken_back_is_not_entered(nodes) -> None:
    ask, late = nodes._ask, []

    def slow(on: Sequence[str], function: str, *args: Any) -> dict[str, Any]:
        if function == "operation.begin" and on == ["dom0"]:
            late.append((on, function, *args))
            raise Unanswered({"dom0": "the minion does not answer"})
        return ask(on, function, *args)

    nodes._ask = slow
    with pytest.raises(Unanswered):
        prepared(nodes, MIGRATE, domain="dns")
    with pytest.raises(Unanswered, match="was taken back before it came here"):
        ask(*late.pop())
    assert entered(nodes) == []


def test_what_has_begun_ends_well_when_the_master_takes_it_back(nodes) -> None:
    prepared(nodes, OFFLINE, domain="dns")
    for node in ("dom0m", "dom0"):
        nodes._ask([node], "operation.carry_out", "dns", ID)
        nodes.world.advance(1)
        nodes._ask([node], "operation.withdraw", ["dns"], ID)  # as whoever has lost an answer
    nodes.world.advance(60)
    assert running(nodes.world)["dns"] == ["dom0m"]


def test_a_node_with_a_domain_of_no_topology_is_not_called_empty(nodes) -> None:
    nodes.world.host("dom0m").run(["xl", "shutdown", "-w", "mail"])
    nodes.world.advance(5)
    dom0 = nodes.world.host("dom0")
    dom0.write_text(
        "/etc/xen/other.cfg", 'name = "other"\nmemory = 32\ntype = "pvh"\nkernel = "/boot/guest/vmlinuz"\n', 0o600
    )
    dom0.run(["xl", "create", "/etc/xen/other.cfg"])
    do(nodes, MIGRATE, evacuate="dom0")
    assert "left on dom0, and in no topology: other" in nodes.told
    with pytest.raises(Refused, match="on it are other"):
        controller.require_empty(nodes.fleet, "dom0")
    dom0.run(["xl", "destroy", "other"])
    controller.require_empty(nodes.fleet, "dom0")


def test_a_node_whose_partner_is_in_maintenance_is_not_to_be_left_for_it(nodes) -> None:
    do(nodes, MIGRATE, evacuate="dom0")
    controller.require_partners(nodes.fleet, "dom0")  # its own maintenance is no matter
    with pytest.raises(
        Refused, match=r"node dom0m: its partner dom0 is in maintenance, evacuated.*orch return pillar='{node: dom0}'"
    ):
        controller.require_partners(nodes.fleet, "dom0m")
    do(nodes, MIGRATE, home="dom0")
    controller.require_partners(nodes.fleet, "dom0m")


def test_a_missed_answer_does_not_end_the_wait_for_the_disks(nodes) -> None:
    selection, ask, missed = prepared(nodes, MIGRATE, domain="dns"), nodes._ask, []

    def forgetful(on: Sequence[str], asked: str, *args: Any) -> dict[str, Any]:
        if asked == "operation.look" and not missed:
            missed.append(asked)
            raise Unanswered({on[0]: "the minion does not answer"})
        return ask(on, asked, *args)

    nodes._ask = forgetful
    planned = controller.synchronise(nodes.fleet, selection, identifier=ID, timeout_s=60)
    assert ([each.domain for each in planned], missed) == (["dns"], ["operation.look"])
    carry_out(nodes, selection)
    assert running(nodes.world)["dns"] == ["dom0m"]


def test_what_cannot_be_taken_back_for_one_domain_is_for_the_others_in_one_call_a_node(nodes) -> None:
    selection = prepared(nodes, MIGRATE, evacuate="dom0")
    nodes.world.nodes["dom0"].files[operation_file("router")] = ("{", 0o600)
    before = nodes.asked.count("operation.withdraw")
    with pytest.raises(SalternError):
        controller.synchronise(nodes.fleet, selection, identifier=ID, timeout_s=0)
    assert entered(nodes, "dns") == []
    assert nodes.asked.count("operation.withdraw") - before == len(NODES)


def test_a_node_that_does_not_tell_what_else_is_on_it_hides_nothing_of_what_was_done(nodes) -> None:
    ask = nodes._ask

    def silent(on: Sequence[str], function: str, *args: Any) -> dict[str, Any]:
        if function == "xen.domains":
            raise Unanswered({on[0]: "the minion does not answer"})
        return ask(on, function, *args)

    nodes._ask = silent
    assert do(nodes, MIGRATE, evacuate="dom0") == ["router", "dns"]
    assert "what else is on dom0 is unknown: dom0: the minion does not answer" in nodes.told


def slow_looks(nodes: SimFleet, seconds: float) -> None:
    """Each node takes so long to answer a look."""
    ask = nodes._ask

    def slow(on: Sequence[str], function: str, *args: Any) -> dict[str, Any]:
        if function == "operation.look":
            nodes.world.advance(seconds)
        return ask(on, function, *args)

    nodes._ask = slow


def test_a_migration_that_fails_at_its_source_is_told_at_once_where_looks_take_long(nodes) -> None:
    """The half of the target has no process then, and is over when the master takes it back."""
    del nodes.world.nodes["dom0m"].files[AUTHORIZED_KEYS]
    selection = prepared(nodes, MIGRATE, domain="dns")
    slow_looks(nodes, 2.5)
    begun_s = nodes.world.time_s
    with pytest.raises(Refused, match=r"stays on dom0: .*migrate of dns"):
        carry_out(nodes, selection)
    assert nodes.world.time_s - begun_s < 25
    assert (running(nodes.world), entered(nodes)) == (HOME, [])


def test_a_process_that_dies_at_once_is_noticed_in_a_minute_where_looks_take_long(nodes) -> None:
    ask = nodes._ask

    def deadly(on: Sequence[str], function: str, *args: Any) -> dict[str, Any]:
        answers = ask(on, function, *args)
        if function == "operation.carry_out":
            processes.kill(nodes.world.nodes["dom0"], OPERATION_SCRIPT)
        return answers

    nodes._ask = deadly
    selection = prepared(nodes, MIGRATE, domain="dns")
    slow_looks(nodes, 2.5)
    begun_s = nodes.world.time_s
    with pytest.raises(Refused):
        carry_out(nodes, selection)
    assert nodes.world.time_s - begun_s < 60
    assert (running(nodes.world), entered(nodes)) == (HOME, [])


def test_a_half_that_waits_for_the_other_one_is_renewed_in_time_while_a_guest_does_not_shut_down(nodes) -> None:
    guest = next(each for each in _guests(nodes.world) if each.name == "dns")
    selection, oldest_s = prepared(nodes, STOP, domain="dns"), [0.0]
    slow_looks(nodes, 2.5)

    def sleep(seconds: float) -> None:
        guest.stops_at_s = None  # it takes no notice
        nodes.world.advance(seconds)
        found = operations.read_operation(nodes.world.host("dom0m"), "dns")
        if found is not None:
            oldest_s.append(nodes.world.host("dom0m").now() - found.operation.renewed_s)

    nodes.sleep = sleep
    with pytest.raises(Refused, match="has not shut down within"):
        carry_out(nodes, selection)
    assert 20 < max(oldest_s) < TAKEN_UP_WITHIN_S


def calm(nodes: SimFleet) -> None:
    """Fails when somebody looks over and over and lets no time pass."""
    ask, looked_s = nodes._ask, []

    def counted(on: Sequence[str], function: str, *args: Any) -> dict[str, Any]:
        if function == "operation.look":
            looked_s.append(nodes.world.time_s)
            assert looked_s.count(nodes.world.time_s) < 10, "looks without a pause"
        return ask(on, function, *args)

    nodes._ask = counted


def test_nodes_that_cannot_be_looked_at_are_not_asked_without_a_pause_when_an_operation_is_over(nodes) -> None:
    selection, ask, failed = prepared(nodes, MIGRATE, domain="dns"), nodes._ask, []

    def broken(on: Sequence[str], function: str, *args: Any) -> dict[str, Any]:
        over = "operation.carry_out" in nodes.asked and not entered(nodes)
        if function == "operation.look" and over and len(failed) < 30:
            failed.append(on)
            raise Unanswered({on[0]: "xl list ended with exit code 1"})
        return ask(on, function, *args)

    nodes._ask = broken
    calm(nodes)
    carry_out(nodes, selection)
    assert (running(nodes.world)["dns"], len(failed)) == (["dom0m"], 30)


def test_another_operation_that_begins_when_one_is_over_is_not_watched_without_a_pause(nodes) -> None:
    selection, advance, begun_s = prepared(nodes, MIGRATE, domain="dns"), nodes.world.advance, []

    def sleep(seconds: float) -> None:
        advance(seconds)
        if "operation.carry_out" in nodes.asked and not entered(nodes) and not begun_s:
            begun_s.append(nodes.world.time_s)
            other = Planned(kind=MIGRATE, domain="dns", source="dom0m", target="dom0")
            spec = SHARES["dom0"].domains["dns"]
            of = {"identifier": "ffff", "owner": "another", "since": "now"}
            for node, half in halves(other, spec, SHARES["dom0"], **of).items():
                operations.begin(nodes.world.host(node), half)
        elif begun_s and nodes.world.time_s - begun_s[0] > 20:
            for node in NODES:
                operations.withdraw(nodes.world.host(node), "dns", "ffff")

    nodes.sleep = sleep
    calm(nodes)
    carry_out(nodes, selection)
    assert running(nodes.world)["dns"] == ["dom0m"]
