"""Numbers are allocated where the topology leaves them open, and stay what they are once they are written down."""

import pytest
from topologies import allocated, found, found_compiling, pillar

from saltern import topology
from saltern.topology.allocate import XEN_OUI

THREE_NODES = "nodes: {dom2: {address: 10.0.0.3, volume_group: XEN}}"


def numbers(data):
    return allocated(data)["saltern"]["allocation"]["domains"]


def test_numbers_begin_at_the_documented_ones():
    assert numbers(pillar())["a"]["disks"]["xvda"] == {"minor": 1, "port": 7788}


def test_written_numbers_are_passed_over_and_not_allocated():
    disks = numbers(pillar("domains: {b: {disks: {xvda: {minor: 1, port: 7788}}}}"))
    assert disks["a"]["disks"]["xvda"] == {"minor": 2, "port": 7789}
    assert "disks" not in disks["b"]


def test_a_number_is_used_again_where_no_node_is_shared():
    data = pillar(
        """
        nodes: {dom2: {address: 10.0.0.3, volume_group: XEN}, dom3: {address: 10.0.0.4, volume_group: XEN}}
        domains: {b: {home: dom2, partner: dom3}}
        """
    )
    assert numbers(data)["a"]["disks"] == numbers(data)["b"]["disks"]


def test_a_slot_is_allocated_where_the_shared_volume_is_named_without_one():
    data = pillar("domains: {a: {disks: {xvda: {meta_disk: meta}}}, b: {disks: {xvda: {meta_disk: 'meta[0]'}}}}")
    assert numbers(data)["a"]["disks"]["xvda"]["slot"] == 1


def test_node_ids_belong_to_the_nodes_when_home_and_partner_are_exchanged():
    before = allocated(pillar())
    assert before["saltern"]["allocation"]["domains"]["a"]["node_ids"] == {"dom0": 0, "dom0m": 1}
    before["saltern"]["domains"]["a"].update(home="dom0m", partner="dom0")
    hosts = topology.compile(before).slices["dom0"].resources["a"].hosts
    assert [(host.node, host.node_id) for host in hosts] == [("dom0m", 1), ("dom0", 0)]
    assert numbers(before)["a"]["node_ids"] == {"dom0": 0, "dom0m": 1}


def test_a_domain_with_a_new_partner_needs_an_allocation_and_keeps_what_it_can():
    before = allocated(pillar(THREE_NODES))
    before["saltern"]["domains"]["a"]["partner"] = "dom2"
    (violation,) = found_compiling(before)
    assert (violation.rule, violation.paths) == ("not-allocated", ("saltern:domains:a:disks:xvda:node_ids",))
    after = allocated(before)["saltern"]["allocation"]["domains"]["a"]
    assert after["node_ids"] == {"dom0": 0, "dom2": 1}
    assert after["disks"] == before["saltern"]["allocation"]["domains"]["a"]["disks"]


def test_a_domain_that_moves_to_where_its_number_is_taken_is_given_another():
    data = pillar(
        """
        nodes: {dom2: {address: 10.0.0.3, volume_group: XEN}, dom3: {address: 10.0.0.4, volume_group: XEN}}
        domains: {b: {home: dom2, partner: dom3}}
        """
    )
    before = allocated(data)
    before["saltern"]["domains"]["b"].update(home="dom0", partner="dom2")
    after = numbers(before)
    assert after["a"] == before["saltern"]["allocation"]["domains"]["a"]
    assert after["b"]["disks"]["xvda"] == {"minor": 2, "port": 7789}


def test_a_domain_that_moves_keeps_a_number_that_a_new_one_would_take():
    before = allocated(pillar(f"{{{THREE_NODES}, domains: {{a: <taken away>}}}}"))
    before["saltern"]["domains"]["b"]["partner"] = "dom2"
    before["saltern"]["domains"]["a"] = pillar()["saltern"]["domains"]["a"]
    after = numbers(before)
    assert after["b"]["disks"]["xvda"] == {"minor": 1, "port": 7788}
    assert after["a"]["disks"]["xvda"] == {"minor": 2, "port": 7789}


def test_what_was_allocated_to_a_domain_that_is_gone_is_dropped():
    before = allocated(pillar())
    del before["saltern"]["domains"]["a"]
    assert set(numbers(before)) == {"b"}


def test_a_number_that_two_branches_allocated_is_left_to_a_person():
    data = allocated(pillar())
    data["saltern"]["allocation"]["domains"]["b"]["disks"]["xvda"]["minor"] = 1
    for violations in (found(data), found_compiling(data)):
        (violation,) = violations
        assert violation.rule == "minor-unique"
        assert violation.paths == (
            "saltern:allocation:domains:a:disks:xvda:minor",
            "saltern:allocation:domains:b:disks:xvda:minor",
        )
        assert "not yet in use" in violation.remedy


def test_a_written_number_that_another_was_allocated_is_a_conflict_with_the_allocation():
    data = allocated(pillar())
    data["saltern"]["domains"]["b"]["disks"]["xvda"]["minor"] = 1
    (violation,) = found(data)
    assert violation.paths == ("saltern:allocation:domains:a:disks:xvda:minor", "saltern:domains:b:disks:xvda:minor")


def test_equal_node_ids_in_the_allocation_are_refused():
    data = allocated(pillar())
    data["saltern"]["allocation"]["domains"]["a"]["node_ids"] = {"dom0": 1, "dom0m": 1}
    data["saltern"]["domains"]["a"]["disks"]["xvdb"] = {"size": "1G", "minor": 9, "port": 9}
    (violation,) = found_compiling(data)  # one, although both disks have them
    assert violation.rule == "node-id-unique"
    assert violation.paths == (
        "saltern:allocation:domains:a:node_ids:dom0",
        "saltern:allocation:domains:a:node_ids:dom0m",
    )


def test_an_interface_keeps_its_address_when_another_is_put_before_it():
    before = allocated(pillar())
    before["saltern"]["domains"]["a"]["interfaces"] = [{"bridge": "xenbr7"}, {"bridge": "xenbr0"}, {"bridge": "xenbr0"}]
    after = numbers(before)["a"]["macs"]
    assert set(after) == {"xenbr7", "xenbr0", "xenbr0/2"}
    assert after["xenbr0"] == before["saltern"]["allocation"]["domains"]["a"]["macs"]["xenbr0"]


def test_mac_addresses_are_those_of_xen():
    assert all(mac.startswith(XEN_OUI) for domain in numbers(pillar()).values() for mac in domain["macs"].values())


@pytest.mark.parametrize("written", [True, False])
def test_a_mac_address_that_another_has_is_not_allocated(written):
    data = pillar()
    taken = numbers(data)["a"]["macs"]["xenbr0"]
    if written:
        data["saltern"]["domains"]["b"]["interfaces"] = [{"bridge": "xenbr0", "mac": taken}]
    else:
        data["saltern"]["allocation"] = {"domains": {"b": {"macs": {"xenbr0": taken}}}}
    assert numbers(data)["a"]["macs"]["xenbr0"] != taken


def test_a_uuid_outlives_a_new_name_of_the_cluster():
    before = allocated(pillar())
    before["saltern"]["cluster"] = "renamed"
    assert numbers(before)["a"]["uuid"] == before["saltern"]["allocation"]["domains"]["a"]["uuid"]


def test_used_up_minors_are_reported_for_the_disks_that_get_none():
    disks = ", ".join(
        f"xvd{first}{second}: {{size: 4M}}" for first in "abcdefghij" for second in "abcdefghijklmnopqrstuvwxyz"
    )
    violations = found(pillar(f"domains: {{a: {{disks: {{{disks}}}}}}}"))
    assert {violation.rule for violation in violations} == {"numbers-exhausted"}
    # 260 disks, the one that the fragment is merged with, and the one of b: seven more than there are minors.
    assert len(violations) == 7


def test_a_damaged_allocation_is_reported_by_its_path():
    data = allocated(pillar())
    data["saltern"]["allocation"]["domains"]["a"]["disks"]["xvda"]["minor"] = "one"
    violations = found_compiling(data)
    assert [(violation.rule, violation.paths) for violation in violations] == [
        ("type", ("saltern:allocation:domains:a:disks:xvda:minor",)),
        ("not-allocated", ("saltern:domains:a:disks:xvda:minor",)),
    ]


@pytest.mark.parametrize("domains", [128])
def test_as_many_domains_as_half_the_minors_always_fit_on_a_node(domains):
    # A colouring from the lowest number up needs at most 2d - 1 numbers for d resources on the busiest node.
    nodes = {f"n{number}": {"address": f"10.1.{number}.1", "volume_group": "XEN"} for number in range(domains + 1)}
    star = {
        f"vm{number}": {
            "home": "n0",
            "partner": f"n{number + 1}",
            "memory": "64M",
            "disks": {"xvda": {"size": "4M", "minor": 255 - number} if number % 2 else {"size": "4M"}},
        }
        for number in range(domains)
    }
    assert found({"saltern": {"nodes": nodes, "domains": star}}) == ()
