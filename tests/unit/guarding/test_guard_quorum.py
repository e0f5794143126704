"""What a look finds of quorum, and what is started by it: three simulated nodes with DRBD 9, dns has two disks on dom0."""

from dataclasses import replace

import one_domain
import pytest
from fenced import asking, fence, heeds, tell
from guarded import TOPOLOGY
from pair import NODES, slices
from tied import THIRD, tied, tied_world

from saltern.errors import Refused
from saltern.guard.facts import Seen
from saltern.guard.times import Times
from saltern.guarding import doing, upkeep
from saltern.guarding.looking import look
from saltern.guarding.quorumless import Quorumless
from saltern.guarding.settings import GuardedDomain, GuardSettings, Party, Place, read_guard
from saltern.guarding.told import Told
from saltern.model.desired import resource_file
from saltern.model.places import GUARD_SETTINGS
from saltern.model.running import Generation
from saltern.render import drbd_resource
from saltern.sim.world import World

SHARES = slices(tied(TOPOLOGY))
SPEC = SHARES["dom0"].domains["dns"]
RESOURCES = tuple(disk.resource for disk in SPEC.disks)
DNS = GuardedDomain(name="dns", uuid=SPEC.uuid, partner="dom0", resources=RESOURCES, memory_bytes=1)


@pytest.fixture(scope="module")
def converged() -> str:
    return tied_world(SHARES).to_json()


@pytest.fixture
def world(converged: str) -> World:
    return World.from_json(converged)


def seen(world: World, node: str) -> Seen:
    host = world.host(node)
    return look(host, [DNS], 7.0, Quorumless(host), witnessed=False).seen


def typed(world: World, node: str, *argv: str) -> None:
    world.host(node).run(argv)


def start(world: World) -> str:
    return doing.start(world.host("dom0m"), DNS, lambda: True, witnessed=False, quorum=True)


def test_both_sides_have_quorum_and_one_is_primary(world: World) -> None:
    here, there = seen(world, "dom0"), seen(world, "dom0m")
    assert (here.quorate, here.primary, here.partly_primary, here.began_s) == ({"dns"}, {"dns"}, set(), 7.0)
    assert (there.quorate, there.primary, there.partly_primary) == ({"dns"}, set(), set())
    assert here.unfenced == there.unfenced == set()


def test_who_is_cut_off_has_none(world: World) -> None:
    for other in ("dom0m", THIRD):
        world.cut_link("dom0", other)
    world.advance(5)
    assert seen(world, "dom0").quorate == set()
    assert seen(world, "dom0m").quorate == {"dns"}


def test_what_had_to_have_none_has_none_though_the_kernel_says_yes(world: World) -> None:
    """A person has told one disk on dom0 to do without: cut off, that one says ``quorum:yes`` for ever."""
    for name in RESOURCES:
        typed(world, "dom0", "drbdsetup", "resource-options", name, "--quorum=off")
        assert (seen(world, "dom0").quorate, seen(world, "dom0").unfenced) == (set(), {"dns"})


def test_a_look_that_does_not_see_what_is_demanded_finds_no_quorum(world: World) -> None:
    assert look(world.host("dom0"), [DNS], 0.0, witnessed=False).seen.quorate == set()


def test_one_disk_that_is_primary_is_told_apart_from_all_of_them(world: World) -> None:
    world.power_cut("dom0")
    world.advance(5)
    typed(world, "dom0m", "drbdadm", "primary", RESOURCES[1])
    assert (seen(world, "dom0m").primary, seen(world, "dom0m").partly_primary) == (set(), {"dns"})
    doing.demote(world.host("dom0m"), DNS)
    assert (seen(world, "dom0m").primary, seen(world, "dom0m").partly_primary) == (set(), set())


def test_what_is_primary_with_quorum_is_started_and_nothing_else(world: World) -> None:
    world.power_cut("dom0")
    world.advance(5)
    with pytest.raises(Refused, match="not all Primary here"):
        start(world)
    typed(world, "dom0m", "drbdadm", "primary", RESOURCES[0])
    with pytest.raises(Refused, match="not all Primary here"):
        start(world)
    typed(world, "dom0m", "drbdadm", "primary", RESOURCES[1])
    assert start(world) == "started"
    assert [domain.name for domain in world.nodes["dom0m"].domains if domain.name == "dns"] == ["dns"]


def test_what_lost_its_quorum_after_it_was_held_is_not_started(world: World) -> None:
    world.power_cut("dom0")
    world.advance(5)
    doing.promote(world.host("dom0m"), DNS)
    world.nodes["dom0m"].drbd.resources[RESOURCES[1]].quorum = False
    with pytest.raises(Refused, match="with quorum"):
        start(world)


def test_what_is_connected_again_is_not_started(world: World) -> None:
    world.power_cut("dom0")
    world.advance(5)
    doing.promote(world.host("dom0m"), DNS)
    world.boot("dom0")
    world.advance(10)
    with pytest.raises(Refused, match="connected again"):
        start(world)


def told(node: str) -> Told:
    party = Party(address="192.168.1.191", port=7780, key="e" * 40)
    return Told(
        GuardSettings(
            version=1,
            node=node,
            listen=Place(address="192.168.1.190", port=7780),
            partners={"dom0m": party},
            domains=(replace(DNS, partner="dom0m"),),
            quorum=True,
            times=Times(detect_s=52.5, takeover_s=75.0),
        ),
        (),
    )


def test_a_node_with_drbd_8_4_is_not_guarded_by_quorum(world: World) -> None:
    old = World.from_json(one_domain.converged()["8.4"])
    with pytest.raises(Refused, match=r"which DRBD 8\.4 has not"):
        upkeep.told(old.host("dom0"), told("dom0"), heeds, test=False)
    assert upkeep.told(world.host("dom0"), told("dom0"), heeds, test=False).changes


def test_drbd_asks_nobody_any_more_when_the_proof_becomes_quorum(world: World) -> None:
    host = world.host("dom0")
    text = host.read_text(resource_file(RESOURCES[0])) or ""
    share = SHARES["dom0"].resources[RESOURCES[0]]
    asking = drbd_resource.render(share, Generation.V9, guarded=True)
    host.write_text(resource_file(RESOURCES[0]), asking, 0o600)
    upkeep.told(host, told("dom0"), heeds, test=False)
    assert host.read_text(resource_file(RESOURCES[0])) == text


def test_what_a_topology_asks_for_is_what_the_states_bring() -> None:
    asked = "saltern:\n  takeover: {quorum: yes, lease: {takeover: 80}}\n"
    shares = slices(tied(TOPOLOGY).replace("saltern:\n", asked, 1))
    world = tied_world(shares)
    for node in NODES:
        assert tell(world, shares[node]).changes
        assert {each.result for each in fence(world, shares[node]).values()} == {True}
        assert asking(world, node) == set()
        found = read_guard(world.host(node), GUARD_SETTINGS)
        assert (found.quorum, found.witness, found.times.detect_s) == (True, None, 52.5)
        guarded = look(world.host(node), found.domains, 0.0, Quorumless(world.host(node)), witnessed=False).seen
        assert guarded.quorate == {"dns", "mail"}


def test_drbd_8_4_has_no_quorum() -> None:
    world = World.from_json(one_domain.converged()["8.4"])
    found = look(world.host("dom0"), [DNS], 0.0, Quorumless(world.host("dom0")), witnessed=False).seen
    assert (found.quorate, found.primary) == (set(), {"dns"})
