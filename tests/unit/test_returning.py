"""Domains that return by themselves, on simulated nodes: when they can, once, and never against what somebody wants."""

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import pytest
from fleet import SimFleet
from one_domain import exchange_keys
from pair import NODES, TOPOLOGY, converge, empty_world, failures, running, slices

from saltern import controller, operations, returning
from saltern.errors import Refused
from saltern.model.operation import OperationKind
from saltern.model.places import AUTHORIZED_KEYS, operation_file
from saltern.plan.selection import Selection
from saltern.sim.world import World

# router and mail return by themselves, dns does not; router and dns are at home on dom0
SHARES = slices(
    TOPOLOGY.replace("saltern:\n", "saltern:\n  return: automatic\n").replace(
        "      depends_on: [router]\n", "      depends_on: [router]\n      return: manual\n"
    )
)
AT_HOME = {"router": ["dom0"], "dns": ["dom0"], "mail": ["dom0m"]}
AWAY = {"router": ["dom0m"], "dns": ["dom0m"], "mail": ["dom0m"]}
BACK = {**AWAY, "router": ["dom0"]}
IDS = count()


@pytest.fixture(scope="module")
def converged() -> str:
    world = empty_world()
    for outcomes in converge(world, SHARES).values():
        assert failures(outcomes) == []
    exchange_keys(world, SHARES)
    world.advance(30)
    return world.to_json()


@pytest.fixture
def nodes(converged: str) -> SimFleet:
    return SimFleet(World.from_json(converged), SHARES)


def move(nodes: SimFleet, **what: str) -> None:
    selection, identifier = Selection(kind=OperationKind.MIGRATE, **what), f"{next(IDS):08x}"
    controller.begin(nodes.fleet, selection, identifier=identifier, owner="root", since="noon")
    controller.carry_out(nodes.fleet, selection, identifier=identifier, parallel=2, timeout_s=600)


@pytest.fixture
def away(nodes: SimFleet) -> SimFleet:
    """All that belongs to dom0 runs on dom0m, and nobody wants that."""
    move(nodes, evacuate="dom0")
    for node in NODES:
        operations.end_maintenance(nodes.world.host(node), "dom0")
    nodes.asked.clear()
    nodes.told.clear()
    nodes.shown.clear()
    return nodes


def bring_home(nodes: SimFleet, node: str = "dom0", timeout_s: float = 300) -> list[str]:
    ids = (f"{each:08x}" for each in IDS)
    planned = returning.bring_home(
        nodes.fleet, node, identifiers=ids, owner="automatic return", since="noon", timeout_s=timeout_s
    )
    return [each.domain for each in planned]


def entered(nodes: SimFleet) -> list[str]:
    return [node for node in NODES for name in AWAY if operation_file(name) in nodes.world.nodes[node].files]


def meanwhile(nodes: SimFleet, function: str, do: Callable[[], object]) -> None:
    """Something happens right before the nodes are first asked for ``function``."""
    ask, done = nodes._ask, []

    def asked(on: Sequence[str], what: str, *args: Any) -> dict[str, Any]:
        if what == function and not done:
            done.append(what)
            do()
        return ask(on, what, *args)

    nodes._ask = asked


def test_what_returns_by_itself_comes_home_and_is_left_alone_when_it_is_called_again(away: SimFleet) -> None:
    assert returning.foreseen(away.fleet, "dom0") == {"router": "router comes home to dom0"}
    assert running(away.world) == AWAY
    assert bring_home(away) == ["router"]
    assert (running(away.world), entered(away)) == (BACK, [])
    away.asked.clear()
    assert bring_home(away) == []
    assert set(away.asked) == {"operation.look"}


def test_what_is_no_node_and_what_is_at_home_asks_for_nothing(nodes: SimFleet) -> None:
    assert bring_home(nodes, "master") == []
    assert nodes.asked == []
    assert bring_home(nodes) == []
    assert (set(nodes.asked), nodes.told) == ({"operation.look"}, [])


def test_nothing_returns_to_a_node_in_maintenance(nodes: SimFleet) -> None:
    move(nodes, evacuate="dom0")
    assert bring_home(nodes) == []
    assert running(nodes.world) == AWAY
    assert nodes.told[-1] == "router stays on dom0m: dom0 is in maintenance, evacuated"
    operations.end_maintenance(nodes.world.host("dom0"), "dom0")
    assert bring_home(nodes) == []  # the partner still has the mark
    move(nodes, home="dom0")
    assert running(nodes.world) == AT_HOME


def test_what_somebody_has_moved_by_name_stays_until_it_is_returned_by_name(nodes: SimFleet) -> None:
    move(nodes, domain="router")
    assert bring_home(nodes) == []
    assert nodes.told[-1] == "router stays on dom0m: it was put there by root at noon"
    assert returning.foreseen(nodes.fleet, "dom0") == {"router": nodes.told[-1]}
    move(nodes, home="dom0")
    assert running(nodes.world) == AT_HOME


def test_it_is_waited_for_a_home_that_is_not_back_yet(away: SimFleet) -> None:
    away.world.power_cut("dom0")
    sleep = away.sleep

    def repaired(seconds: float) -> None:
        sleep(seconds)
        if len(away.shown) == 2:
            away.world.boot("dom0")

    away.sleep = repaired
    assert bring_home(away) == ["router"]
    assert running(away.world) == BACK
    assert away.shown[0] == "router does not return yet: dom0: the minion does not answer"


def test_what_cannot_return_in_time_is_told_with_the_reason(away: SimFleet) -> None:
    away.world.cut_link(*NODES)
    away.world.advance(30)
    with pytest.raises(Refused, match=r"router: after 20 s still: .*router is not connected"):
        bring_home(away, timeout_s=20)
    assert (running(away.world), entered(away)) == (AWAY, [])


def test_a_guest_that_does_not_move_is_tried_once(away: SimFleet) -> None:
    del away.world.nodes["dom0"].files[AUTHORIZED_KEYS]
    with pytest.raises(Refused, match="stays on dom0m"):
        bring_home(away)
    assert away.asked.count("operation.carry_out") == 1
    assert (running(away.world), entered(away)) == (AWAY, [])


def test_an_evacuation_that_begins_meanwhile_is_not_undone(away: SimFleet) -> None:
    meanwhile(
        away, "operation.begin", lambda: operations.begin_maintenance(away.world.host("dom0"), "dom0", "evacuated")
    )
    assert bring_home(away) == []
    assert (running(away.world), entered(away)) == (AWAY, [])
    assert "operation.carry_out" not in away.asked


def test_called_twice_at_the_same_time_it_moves_once(away: SimFleet) -> None:
    others: list[str] = []
    meanwhile(away, "operation.begin", lambda: others.extend(bring_home(away)))
    assert (bring_home(away), others) == ([], ["router"])
    assert (running(away.world), entered(away)) == (BACK, [])


def test_what_somebody_else_is_at_work_on_is_left_to_them(away: SimFleet) -> None:
    selection = Selection(kind=OperationKind.STOP, domain="router")
    controller.begin(away.fleet, selection, identifier="ffff", owner="root", since="noon")
    assert bring_home(away) == []
    assert "router stays on dom0m: dom0 has the stop of router on dom0m, begun by root at noon" in away.told
    assert len(entered(away)) == 2
