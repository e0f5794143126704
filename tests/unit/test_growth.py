"""Whether a disk can grow, and whether it has: decided on the master, on simulated nodes; `state.apply` grows it."""

import pytest
from fleet import SimFleet
from pair import TOPOLOGY, converge, empty_world, failures, slices

from saltern import growth
from saltern.errors import Refused
from saltern.sim.world import World
from saltern.units import MIB

LARGER = slices(TOPOLOGY.replace("xvdb: {size: 128M}", "xvdb: {size: 160M}"))


@pytest.fixture(scope="module")
def converged() -> str:
    world = empty_world()
    converge(world, slices())
    world.advance(30)
    return world.to_json()


@pytest.fixture
def nodes(converged: str) -> SimFleet:
    return SimFleet(World.from_json(converged), LARGER)


def test_a_disk_grows_to_what_the_topology_gives_it(nodes) -> None:
    found = growth.decide(nodes.fleet, "mail", "xvdb", "160M")
    assert str(found) == "mail/xvdb: 128M on dom0m, 128M on dom0; the topology gives it 160M"
    assert not found.is_done
    for outcomes in converge(nodes.world, LARGER).values():
        assert failures(outcomes) == []
    assert growth.seen(nodes.fleet, "mail", "xvdb").has_bytes == {"dom0m": 160 * MIB, "dom0": 160 * MIB}
    assert growth.seen(nodes.fleet, "mail", "xvdb").is_done


def test_what_the_topology_does_not_say_is_refused_with_the_place_to_write_it(nodes) -> None:
    with pytest.raises(
        Refused, match=r"gives it 160M, and 3G were asked for\. Write `size: 3G` at saltern:domains:mail:disks"
    ):
        growth.decide(nodes.fleet, "mail", "xvdb", "3G")
    with pytest.raises(Refused, match=r"no disk xvdc\. It has xvda, xvdb"):
        growth.decide(nodes.fleet, "mail", "xvdc")


def test_a_size_below_what_the_disk_has_is_no_size_to_write_into_the_topology(nodes) -> None:
    with pytest.raises(Refused, match=r"never made smaller: .*128M on dom0m.*, and 64M were asked for") as refused:
        growth.decide(nodes.fleet, "mail", "xvdb", "64M")
    assert "Write" not in str(refused.value)


def test_sides_that_are_apart_or_larger_do_not_grow(nodes) -> None:
    nodes.shares = slices(TOPOLOGY.replace("xvdb: {size: 128M}", "xvdb: {size: 64M}"))
    with pytest.raises(Refused, match="never made smaller"):
        growth.decide(nodes.fleet, "mail", "xvdb")
    nodes.shares = LARGER
    nodes.world.cut_link("dom0", "dom0m")
    nodes.world.advance(30)
    with pytest.raises(Refused, match="not connected"):
        growth.decide(nodes.fleet, "mail", "xvdb")
