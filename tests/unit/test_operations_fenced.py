"""Operations where DRBD asks a guard before a side goes on alone: in sight of each other, no side ever asks."""

from collections.abc import Iterator

import pytest
from fenced import Handler, fence_all, guarded_slices
from gate import Gate
from one_domain import Worlds, exchange_keys
from pair import NODES, check_safety, converge, empty_world, failures, running
from test_controller import HOME, MIGRATE, OFFLINE, START, STOP, Watched, do, entered

from saltern.errors import SalternError
from saltern.sim.world import World

SHARES = guarded_slices()


@pytest.fixture(scope="module")
def worlds() -> Worlds:
    """The pair, converged, for either generation of DRBD; both have a guard, as far as DRBD knows."""
    found = Worlds()
    for drbd in ("8.4", "9"):
        world = empty_world(drbd)
        for outcomes in converge(world, SHARES).values():
            assert failures(outcomes) == []
        fence_all(world, SHARES)
        exchange_keys(world, SHARES)
        world.advance(30)
        found[drbd] = world.to_json()
    return found


@pytest.fixture(params=["8.4", "9"])
def nodes(worlds: Worlds, request: pytest.FixtureRequest) -> Watched:
    """Their guards let everything start."""
    world = World.from_json(worlds[request.param])
    for node in NODES:
        Gate(world, node)
    return Watched(world, SHARES)


@pytest.fixture
def unasked(nodes: Watched) -> Iterator[Watched]:
    """Nobody may be asked until the test is over."""
    handler = Handler(nodes.world)
    yield nodes
    assert handler.calls == []


@pytest.mark.parametrize("kind", [MIGRATE, OFFLINE])
def test_a_domain_moves_to_its_partner_and_home_again(unasked: Watched, kind) -> None:
    assert do(unasked, kind, domain="dns") == ["dns"]
    assert running(unasked.world) == {**HOME, "dns": ["dom0m"]}
    assert do(unasked, kind, domain="dns", target="dom0") == ["dns"]
    assert running(unasked.world) == HOME


def test_a_domain_is_stopped_and_started(unasked: Watched) -> None:
    do(unasked, STOP, domain="dns")
    do(unasked, START, domain="dns", target="dom0m")
    assert running(unasked.world)["dns"] == ["dom0m"]


def test_a_migration_that_loses_its_link_ends_with_one_guest_which_waits_for_an_answer(
    nodes: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both sides are Primary at that moment, and each has its handler run."""
    handler = Handler(nodes.world)
    advance = World.advance

    def cut(world: World, seconds: float) -> None:
        if all(node.drbd.resources["dns"].primary for node in world.nodes.values()):
            world.cut_link(*NODES)
        advance(world, seconds)

    with monkeypatch.context() as patched, pytest.raises(SalternError):
        patched.setattr(World, "advance", cut)
        do(nodes, MIGRATE, domain="dns", timeout_s=120)
    nodes.world.advance(60)
    live = running(nodes.world)["dns"]
    assert len(live) == 1
    assert nodes.world.nodes[live[0]].drbd.resources["dns"].frozen
    assert {call.node for call in handler.calls if call.resource == "dns"} >= set(live)
    for number, call in enumerate(handler.calls):
        handler.ends(4 if call.node in live else 1, call=number)
    assert not nodes.world.nodes[live[0]].drbd.resources["dns"].frozen
    nodes.world.heal_link(*NODES)
    nodes.world.advance(60)
    check_safety(nodes.world, SHARES)


def test_a_guest_is_not_started_out_of_sight_of_the_partner_where_nobody_answers(nodes: Watched) -> None:
    do(nodes, STOP, domain="dns")
    nodes.world.power_cut("dom0")
    nodes.world.advance(60)
    host = nodes.world.host("dom0m")
    assert host.run(["drbdadm", "primary", "dns"], allowed=range(256)).returncode == 11
    handler = Handler(nodes.world, 7)
    assert host.run(["drbdadm", "primary", "dns"]).returncode == 0
    assert [call.node for call in handler.calls] == ["dom0m"]
    host.run(["xl", "create", "/etc/xen/dns.cfg"])
    assert running(nodes.world)["dns"] == ["dom0m"]
    assert entered(nodes) == []
