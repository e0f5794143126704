"""A topology with a tie-breaker on three simulated nodes: what runs there has quorum, and loses it where it is cut off."""

import pytest
from pair import TOPOLOGY, changes, converge, failures, running, slices
from tied import ALL, THIRD, tied, tied_world

from saltern import observe
from saltern.model.desired import NodeSlice
from saltern.sim import drbd
from saltern.sim.drbd.kernel import Disk
from saltern.sim.world import World

PLAIN = TOPOLOGY.replace(', minor: 1, port: 7792, meta_disk: "meta[1]"', "")


@pytest.fixture
def shares() -> dict[str, NodeSlice]:
    return slices(tied(PLAIN))


@pytest.fixture
def world(shares: dict[str, NodeSlice]) -> World:
    return tied_world(shares)


def quorum(world: World, node: str) -> dict[str, bool]:
    return {name: resource.quorum for name, resource in world.nodes[node].drbd.resources.items()}


def test_it_converges_and_everything_is_connected_with_everything(world: World, shares: dict[str, NodeSlice]) -> None:
    assert running(world) == {"dns": ["dom0"], "router": ["dom0"], "mail": ["dom0m"]}
    for node in ALL:
        resources = world.nodes[node].drbd.resources
        assert resources.keys() == {"dns", "router", "mail", "mail-xvdb"}
        assert all(link.up for resource in resources.values() for link in resource.links)
        assert set(quorum(world, node).values()) == {True}
    again = converge(world, shares)
    assert [changes(found) for found in again.values()] == [{}, {}, {}]


def test_a_node_that_is_cut_off_is_suspended_and_saltern_sees_it(world: World) -> None:
    for other in ("dom0m", THIRD):
        world.cut_link("dom0", other)
    world.advance(5)
    assert not any(quorum(world, "dom0").values())
    assert all(quorum(world, "dom0m").values())
    host = world.host("dom0")
    seen = observe.read_running(host, observe.read_version(host))
    assert {name for name, side in seen.items() if side.lacks_quorum} == {"dns", "router"}
    for other in ("dom0m", THIRD):
        world.heal_link("dom0", other)
    world.advance(10)
    assert all(quorum(world, "dom0").values())


def test_a_node_that_lost_sight_of_its_partner_only_goes_on_and_the_other_copies_are_outdated(world: World) -> None:
    world.cut_link("dom0", "dom0m")
    world.advance(5)
    assert all(quorum(world, "dom0").values())
    disks = {name: world.nodes["dom0m"].drbd.resources[name].devices[0].disk for name in ("dns", "mail")}
    assert disks == {"dns": Disk.OUTDATED, "mail": Disk.UP_TO_DATE}
    assert drbd.run(world, "dom0m", ["drbdadm", "primary", "dns"]).returncode != 0


def test_what_a_lost_node_ran_can_be_promoted_on_its_partner(world: World) -> None:
    world.power_cut("dom0")
    world.advance(5)
    assert drbd.run(world, "dom0m", ["drbdadm", "primary", "dns"]).returncode == 0


def test_the_tie_breaker_comes_back_after_a_boot_with_the_next_apply(
    world: World, shares: dict[str, NodeSlice]
) -> None:
    world.power_cut(THIRD)
    world.advance(5)
    assert all(quorum(world, "dom0").values())
    world.boot(THIRD, drbd_service=False)
    outcomes = converge(world, shares)
    assert [failures(found) for found in outcomes.values()] == [[], [], []]
    world.advance(5)
    assert all(link.up for resource in world.nodes[THIRD].drbd.resources.values() for link in resource.links)
