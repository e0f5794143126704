"""Which losses of nodes a cluster survives with the memory it declares."""

from topologies import pillar

from saltern.topology.capacity import losses, volume_demand
from saltern.topology.load import load
from saltern.units import MIB


def outcomes(fragment, count=1):
    return {loss.lost: loss for loss in losses(load(pillar(fragment)).cluster, count)}


def test_a_loss_is_survived_when_the_partner_holds_both_loads():
    found = outcomes("nodes: {dom0: {memory: 512M}, dom0m: {memory: 512M}}")
    assert {lost: loss.survivable for lost, loss in found.items()} == {("dom0",): True, ("dom0m",): True}


def test_a_loss_is_not_survived_when_the_partner_lacks_memory():
    found = outcomes("nodes: {dom0: {memory: 512M}, dom0m: {memory: 511M}}")
    assert found[("dom0m",)].survivable is True
    loss = found[("dom0",)]
    assert loss.survivable is False
    demand = loss.overloaded["dom0m"]
    assert (demand.needed_bytes, demand.available_bytes) == (512 * MIB, 511 * MIB)


def test_memory_that_is_not_declared_leaves_the_answer_open():
    loss = outcomes("nodes: {dom0: {memory: 512M}}")[("dom0",)]
    assert (loss.survivable, loss.unknown) == (None, ("dom0m",))


def test_the_loss_of_both_nodes_stops_what_lived_on_them_alone():
    fragment = """
    nodes: {dom2: {address: 10.0.0.3, volume_group: XEN, memory: 8G}, dom0: {memory: 8G}, dom0m: {memory: 256M}}
    domains: {b: {partner: dom2}}
    """
    found = outcomes(fragment, count=2)
    assert found[("dom0", "dom0m")].stopped == ("a",)
    assert found[("dom0", "dom0m")].overloaded == {}
    assert set(found[("dom0", "dom2")].overloaded) == {"dom0m"}
    assert found[("dom0m", "dom2")].stopped == ("b",)


def test_a_side_that_is_left_without_its_tie_breaker_has_no_quorum():
    fragment = """
    tie_breaker: third
    nodes: {third: {address: 10.0.0.3, volume_group: XEN}, dom0: {memory: 8G}, dom0m: {memory: 8G}}
    """
    one, two = outcomes(fragment), outcomes(fragment, count=2)
    assert {lost: loss.survivable for lost, loss in one.items()} == {
        (each,): True for each in ("dom0", "dom0m", "third")
    }
    assert {lost: loss.stopped for lost, loss in two.items()} == dict.fromkeys(two, ("a", "b"))
    assert not two["dom0", "third"].overloaded


def test_volumes_take_whole_extents_and_a_shared_meta_disk_its_slots():
    fragment = """
    domains:
      a: {disks: {xvda: {size: 4097K, meta_disk: 'meta[2]'}}}
      b: {disks: {xvda: {size: 4M, meta_disk: 'meta[0]'}}}
    """
    needed = volume_demand(load(pillar(fragment)).cluster)
    assert needed == {"dom0": (8 + 4 + 3 * 128) * MIB, "dom0m": (8 + 4 + 3 * 128) * MIB}
