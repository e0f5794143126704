"""Operations as the master has them done: planned, entered, carried out and watched, on simulated nodes."""

import pytest
from fleet import SimFleet
from one_domain import Worlds, check_disks, exchange_keys
from pair import NODES, check_safety, converge, empty_world, failures, running, slices

from saltern import controller
from saltern.errors import Refused, SalternError
from saltern.model.operation import OperationKind
from saltern.model.places import operation_file, stopped_file
from saltern.plan.operation import LEFT_AFTER_S
from saltern.plan.selection import Selection
from saltern.sim.model import SimDomain
from saltern.sim.world import World
from saltern.units import MIB

SHARES = slices()  # router and dns at home on dom0, mail on dom0m
ID = "0a1b2c3d"
HOME = {"router": ["dom0"], "dns": ["dom0"], "mail": ["dom0m"]}
MIGRATE, OFFLINE, START, STOP = OperationKind


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

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        check_safety(self.world, SHARES)
        for node in self.world.nodes.values():
            for domain in node.domains:
                if domain.running:
                    check_disks(node, domain)
        begun = self.asked.count("operation.carry_out") // 2
        self.most = max(self.most, begun - sum("runs on" in line for line in self.told))


def _guests(world: World) -> list[SimDomain]:
    return [domain for node in world.nodes.values() for domain in node.domains]


def do(nodes: SimFleet, kind: OperationKind, *, parallel: int = 2, timeout_s: float = 3600, **what: str) -> list[str]:
    selection = Selection(kind=kind, **what)
    controller.begin(nodes.fleet, selection, identifier=ID, owner="root on master", since="2026-11-26 10:00:00")
    if kind is not STOP:
        controller.synchronise(nodes.fleet, selection, identifier=ID, timeout_s=60)
    done = controller.carry_out(nodes.fleet, selection, identifier=ID, parallel=parallel, timeout_s=timeout_s)
    assert entered(nodes) == []
    return [each.domain for each in done]


def entered(nodes: SimFleet, name: str | None = None) -> list[str]:
    every = [name] if name else ["router", "dns", "mail"]
    return [node for node in NODES for each in every if operation_file(each) in nodes.world.nodes[node].files]


def kept_stopped(nodes: SimFleet, name: str) -> list[str]:
    return [node for node in NODES if stopped_file(name) in nodes.world.nodes[node].files]


def apply(nodes: SimFleet) -> None:
    for outcomes in converge(nodes.world, SHARES, wait_s=30).values():
        assert failures(outcomes) == []


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
    assert kept_stopped(nodes, "dns") == []


@pytest.mark.parametrize("kind", [STOP, OFFLINE])
def test_a_guest_that_does_not_shut_down_goes_on_and_the_reason_is_told(nodes, kind) -> None:
    guest = next(each for each in _guests(nodes.world) if each.name == "dns")

    def deaf(seconds: float) -> None:
        guest.stops_at_s = None
        nodes.world.advance(seconds)

    nodes.sleep = deaf
    with pytest.raises(Refused, match=r"stays on dom0: .*has not shut down within 600 s"):
        do(nodes, kind, domain="dns")
    nodes.world.advance(60)
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
        if nodes.told:
            nodes.world.boot("dom0")

    nodes.sleep = repaired
    controller.ready(nodes.fleet, "dom0", timeout_s=600)
    assert nodes.told


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
    assert running(nodes.world) == HOME


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


@pytest.mark.parametrize("what", [{"domain": "dnss"}, {"evacuate": "dom7"}, {"home": "dom7"}])
def test_what_the_topology_does_not_have_is_told_with_what_it_has(nodes, what) -> None:
    with pytest.raises(Refused, match=r"the topology has no such (domain|node)\. It has d"):
        controller.decide(nodes.fleet, Selection(kind=MIGRATE, **what))
