"""Numbers are allocated where the topology leaves them open, and stay what they are once they are written down."""

import pytest
import yaml
from topologies import TAKEN_AWAY, allocated, found, found_compiling, merged, pillar

from saltern import topology
from saltern.errors import UnknownEntry
from saltern.topology import lockfile
from saltern.topology.allocate import XEN_OUI

THREE_NODES = "nodes: {dom2: {address: 10.0.0.3, volume_group: XEN}}"
OTHER_NODES = "nodes: {dom2: {address: 10.0.0.3, volume_group: XEN}, dom3: {address: 10.0.0.4, volume_group: XEN}}"
ENTRY_OF_A = "saltern:allocation:domains:a"


def numbers(data, forget=()):
    return allocated(data, forget)["saltern"]["allocation"]["domains"]


def disk_of(name, minor, port, meta_disk=None):
    """The entry of a disk whose resource and volume have their usual names."""
    place = meta_disk or f"{name}_meta"
    return {"resource": name, "volume": name, "minor": minor, "port": port, "meta_disk": place}


def without(data, *names):
    """The topology without these domains, and with the allocation that it had."""
    return merged(data, {"saltern": {"domains": dict.fromkeys(names, TAKEN_AWAY)}})


def test_numbers_begin_at_the_documented_ones():
    assert numbers(pillar())["a"]["disks"]["xvda"] == disk_of("a", 1, 7788)


def test_written_numbers_are_passed_over_and_recorded():
    disks = numbers(pillar("domains: {b: {disks: {xvda: {minor: 1, port: 7788}}}}"))
    assert disks["a"]["disks"]["xvda"] == disk_of("a", 2, 7789)
    assert disks["b"]["disks"]["xvda"] == disk_of("b", 1, 7788)


ALL_WRITTEN = """
domains:
  b: <taken away>
  a:
    uuid: 11111111-1111-1111-1111-111111111111
    disks: {xvda: {minor: 8, port: 7800, node_ids: [0, 1], meta_disk: 'meta[3]'}}
    interfaces: [{bridge: xenbr0, mac: '00:16:3e:00:00:01'}]
"""


def test_a_domain_whose_numbers_are_all_written_is_recorded_too():
    assert numbers(pillar(ALL_WRITTEN))["a"] == {
        "uuid": "11111111-1111-1111-1111-111111111111",
        "node_ids": {"dom0": 0, "dom0m": 1},
        "macs": {"xenbr0": "00:16:3e:00:00:01"},
        "volume_groups": {"dom0": "XEN", "dom0m": "XEN"},
        "disks": {"xvda": disk_of("a", 8, 7800, "meta[3]")},
    }


def test_a_domain_that_is_not_recorded_is_refused_although_all_its_numbers_are_written():
    (violation,) = found_compiling(pillar(ALL_WRITTEN))
    assert violation.rule == "not-allocated"
    assert violation.paths == ("saltern:domains:a",)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"minor": 9}, "9 here, 8 in the allocation"),
        ({"port": 7801}, "7801 here, 7800 in the allocation"),
        ({"meta_disk": "meta[4]"}, "meta[4] here, meta[3] in the allocation"),
        ({"meta_disk": "other"}, "other here, meta in the allocation"),
        ({"meta_disk": TAKEN_AWAY}, "a_meta of its own here, meta[3] in the allocation"),
        ({"volume": "photos"}, "photos here, a in the allocation"),
        ({"resource": "web", "volume": "a"}, "web here, a in the allocation"),
    ],
)
def test_what_is_recorded_of_a_disk_is_not_changed(written, said):
    data = merged(allocated(pillar(ALL_WRITTEN)), {"saltern": {"domains": {"a": {"disks": {"xvda": written}}}}})
    place = f"disks:xvda:{next(iter(written))}"
    for violations in (found(data), found_compiling(data)):
        (violation,) = violations
        assert violation.rule == "recorded-changed"
        assert violation.paths == (f"saltern:domains:a:{place}", f"{ENTRY_OF_A}:{place}")
        assert violation.found == said
        assert "forget=a/xvda" in violation.remedy


def test_a_number_that_an_entry_lacks_is_recorded_as_it_is_written():
    data = allocated(pillar(ALL_WRITTEN))
    complete = numbers(data)
    entry = data["saltern"]["allocation"]["domains"]["a"]
    del entry["disks"]["xvda"]["port"], entry["disks"]["xvda"]["volume"], entry["volume_groups"]["dom0"]
    (violation,) = found_compiling(data)
    assert violation.paths == (
        "saltern:nodes:dom0:volume_group",
        "saltern:domains:a:disks:xvda:port",
        "saltern:domains:a:disks:xvda:volume",
    )
    assert numbers(data) == complete


def test_exchanging_home_and_partner_with_written_node_ids_needs_them_the_other_way_round():
    data = allocated(pillar(ALL_WRITTEN))
    data["saltern"]["domains"]["a"].update(home="dom0m", partner="dom0")
    for violations in (found(data), found_compiling(data)):
        (violation,) = violations
        assert violation.rule == "recorded-changed"
        assert violation.paths == ("saltern:domains:a:disks:xvda:node_ids", f"{ENTRY_OF_A}:node_ids")
        assert violation.found == "1 for dom0 and 0 for dom0m here, 0 for dom0 and 1 for dom0m in the allocation"
        assert "the other way round, as [1, 0]" in violation.remedy
    data["saltern"]["domains"]["a"]["disks"]["xvda"]["node_ids"] = [1, 0]
    assert found_compiling(data) == ()


def test_written_node_ids_are_recorded_and_the_same_for_all_disks():
    data = pillar("domains: {a: {disks: {xvda: {node_ids: [5, 3]}, xvdb: {size: 1G}}}}")
    assert numbers(data)["a"]["node_ids"] == {"dom0": 5, "dom0m": 3}
    data["saltern"]["domains"]["a"]["disks"]["xvdb"]["node_ids"] = [3, 5]
    assert [violation.rule for violation in found(data)] == ["recorded-changed"]


def test_another_volume_group_is_refused_while_it_is_recorded_to_hold_disks():
    data = allocated(pillar(THREE_NODES))
    data["saltern"]["nodes"]["dom2"]["volume_group"] = "SSD"
    assert found_compiling(data) == ()
    data["saltern"]["nodes"]["dom0"]["volume_group"] = "SSD"
    for violations in (found(data), found_compiling(data)):
        (violation,) = violations
        assert violation.rule == "recorded-changed"
        entries = [f"saltern:allocation:domains:{name}:volume_groups:dom0" for name in ("a", "b")]
        assert violation.paths == ("saltern:nodes:dom0:volume_group", *entries)
        assert "forget=a,b" in violation.remedy
    assert numbers(data, ["a", "b"])["a"]["volume_groups"] == {"dom0": "SSD", "dom0m": "XEN"}


def test_what_was_taken_out_of_the_topology_holds_no_node_to_its_volume_group():
    data = allocated(pillar(THREE_NODES))
    del data["saltern"]["domains"]["b"]
    data["saltern"]["nodes"]["dom0"]["volume_group"] = "SSD"
    (violation,) = found_compiling(data)
    assert "forget=a`" in violation.remedy
    del data["saltern"]["domains"]["a"]
    assert found_compiling(data) == ()


def test_a_written_number_that_is_taken_out_stays():
    before = allocated(pillar(ALL_WRITTEN))
    disk = {"minor": TAKEN_AWAY, "port": TAKEN_AWAY, "meta_disk": "meta"}
    domain = {"uuid": TAKEN_AWAY, "disks": {"xvda": disk}, "interfaces": [{"bridge": "xenbr0"}]}
    after = merged(before, {"saltern": {"domains": {"a": domain}}})
    assert numbers(after) == before["saltern"]["allocation"]["domains"]
    assert found_compiling(after) == ()


def test_a_number_is_used_again_where_no_node_is_shared():
    data = pillar(f"{{{OTHER_NODES}, domains: {{b: {{home: dom2, partner: dom3}}}}}}")
    assert numbers(data)["b"]["disks"]["xvda"] == disk_of("b", 1, 7788)


def test_a_slot_is_allocated_where_the_shared_volume_is_named_without_one():
    data = pillar("domains: {a: {disks: {xvda: {meta_disk: meta}}}, b: {disks: {xvda: {meta_disk: 'meta[1]'}}}}")
    assert numbers(data)["a"]["disks"]["xvda"]["meta_disk"] == "meta[2]"


def test_slot_0_is_never_allocated_because_drbdmeta_would_create_no_other_behind_it():
    data = pillar("domains: {a: {disks: {xvda: {meta_disk: meta}}}}")
    assert numbers(data)["a"]["disks"]["xvda"]["meta_disk"] == "meta[1]"


def test_node_ids_belong_to_the_nodes_when_home_and_partner_are_exchanged():
    before = allocated(pillar())
    assert before["saltern"]["allocation"]["domains"]["a"]["node_ids"] == {"dom0": 0, "dom0m": 1}
    before["saltern"]["domains"]["a"].update(home="dom0m", partner="dom0")
    hosts = topology.compile(before).slices["dom0"].resources["a"].hosts
    assert [(host.node, host.node_id) for host in hosts] == [("dom0m", 1), ("dom0", 0)]
    assert numbers(before)["a"]["node_ids"] == {"dom0": 0, "dom0m": 1}


# --- Where the data are ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("domain", "keys"),
    [({"partner": "dom2"}, "dom0 and dom2"), ({"home": "dom3", "partner": "dom2"}, "dom2 and dom3")],
)
def test_a_domain_on_other_nodes_than_its_data_is_refused_and_keeps_its_entry(domain, keys):
    before = allocated(pillar(OTHER_NODES))
    after = merged(before, {"saltern": {"domains": {"a": domain}}})
    for violations in (found(after), found_compiling(after)):
        (violation,) = violations
        assert violation.rule == "domain-moved"
        assert violation.paths == ("saltern:domains:a:home", "saltern:domains:a:partner", ENTRY_OF_A)
        assert violation.found == f"{keys} here, dom0 and dom0m in the allocation"
        assert violation.allowed.startswith("dom0 and dom0m")
        assert "topology.allocate forget=a" in violation.remedy
        assert "saltern allocate --forget a" in violation.remedy


def test_a_domain_that_comes_back_on_other_nodes_is_refused():
    before = allocated(pillar(OTHER_NODES))
    between = allocated(without(before, "a"))
    between["saltern"]["domains"]["a"] = {**before["saltern"]["domains"]["a"], "home": "dom2", "partner": "dom3"}
    assert [violation.rule for violation in found(between)] == ["domain-moved"]


def test_a_number_that_is_taken_on_the_new_nodes_is_not_told_of_a_domain_that_may_not_go_there():
    data = allocated(pillar(f"{{{OTHER_NODES}, domains: {{b: {{home: dom2, partner: dom3}}}}}}"))
    data["saltern"]["domains"]["b"]["home"] = "dom0"
    assert [violation.rule for violation in found_compiling(data)] == ["domain-moved"]


def test_a_domain_on_a_node_that_is_not_there_is_told_that_only():
    data = allocated(pillar())
    data["saltern"]["domains"]["a"]["partner"] = "dom9"
    assert [violation.rule for violation in found_compiling(data)] == ["unknown-node"]


def test_numbers_of_a_domain_that_is_its_own_partner_are_still_its_own():
    data = allocated(pillar())
    data["saltern"]["domains"]["a"]["partner"] = "dom0"
    data["saltern"]["allocation"]["domains"]["b"]["disks"]["xvda"]["minor"] = 1
    assert [violation.rule for violation in found_compiling(data)] == ["minor-unique", "home-is-partner"]


@pytest.mark.parametrize("nodes", [{}, {"dom0": 0}, {"dom0": 0, "dom0m": 1, "dom2": 2}])
def test_an_entry_without_its_two_nodes_is_refused(nodes):
    data = allocated(pillar())
    data["saltern"]["allocation"]["domains"]["a"]["node_ids"] = nodes
    violations = found(data)
    assert [(each.rule, each.paths) for each in violations] == [("entry-nodes", (f"{ENTRY_OF_A}:node_ids",))]


def test_a_domain_with_another_uuid_than_the_one_it_may_run_as_is_refused():
    data = allocated(pillar())
    data["saltern"]["domains"]["a"]["uuid"] = "11111111-1111-1111-1111-111111111111"
    for violations in (found(data), found_compiling(data)):
        (violation,) = violations
        paths = ("saltern:domains:a:uuid", f"{ENTRY_OF_A}:uuid")
        assert (violation.rule, violation.paths) == ("recorded-changed", paths)
        assert "forget=a" in violation.remedy
    assert numbers(data, ["a"])["a"]["uuid"] == "11111111-1111-1111-1111-111111111111"


# --- What is gone ------------------------------------------------------------------------------------------------
def test_the_entry_of_a_domain_that_is_gone_stays_and_its_numbers_stay_reserved():
    before = allocated(pillar())
    after = without(before, "a")
    after["saltern"]["domains"]["c"] = pillar()["saltern"]["domains"]["a"]
    then = numbers(after)
    assert then["a"] == before["saltern"]["allocation"]["domains"]["a"]
    assert then["c"]["disks"]["xvda"] == disk_of("c", 3, 7790)


@pytest.mark.parametrize("instead", [{}, {"xvdc": {"size": "1G"}}])
def test_a_recorded_disk_that_is_dropped_or_renamed_is_refused_by_name(instead):
    before = allocated(pillar("domains: {a: {disks: {xvdb: {size: 1G}}}}"))
    after = merged(before, {"saltern": {"domains": {"a": {"disks": {"xvdb": TAKEN_AWAY, **instead}}}}})
    for violations in (found(after), found_compiling(after)):
        gone = next(violation for violation in violations if violation.rule == "disk-gone")
        assert gone.paths == ("saltern:domains:a:disks:xvdb", f"{ENTRY_OF_A}:disks:xvdb")
        assert "forget=a/xvdb" in gone.remedy
        assert "--forget a/xvdb" in gone.remedy
    assert set(numbers(after, ["a/xvdb"])["a"]["disks"]) == {"xvda", *instead}


def test_a_disk_that_cannot_be_read_is_not_called_gone():
    after = merged(allocated(pillar()), {"saltern": {"domains": {"a": {"disks": {"xvda": {"size": "2 GB!"}}}}}})
    assert [violation.rule for violation in found_compiling(after)] == ["size"]


@pytest.mark.parametrize(
    ("domain", "rule", "kept", "written"),
    [
        ({"disks": {"xvda": {"minor": 8}}}, "minor-unique", "disks:xvda:minor", "disks:xvda:minor"),
        ({"disks": {"xvda": {"port": 7800}}}, "port-unique", "disks:xvda:port", "disks:xvda:port"),
        ({"disks": {"xvda": {"meta_disk": "meta[3]"}}}, "slot-unique", "disks:xvda:meta_disk", "disks:xvda:meta_disk"),
        ({"disks": {"xvda": {"volume": "a"}}}, "volume-unique", "disks:xvda:volume", "disks:xvda:volume"),
        ({"uuid": "11111111-1111-1111-1111-111111111111"}, "uuid-unique", "uuid", "uuid"),
        (
            {"interfaces": [{"bridge": "xenbr1", "mac": "00:16:3e:00:00:01"}]},
            "mac-unique",
            "macs:xenbr0",
            "interfaces:0:mac",
        ),
    ],
)
def test_a_written_number_of_a_domain_that_is_gone_is_a_conflict_with_its_entry(domain, rule, kept, written):
    before = allocated(pillar(ALL_WRITTEN))
    new = merged(pillar()["saltern"]["domains"]["b"], domain)
    after = merged(without(before, "a"), {"saltern": {"domains": {"c": new}}})
    (violation,) = found(after)
    assert (violation.rule, violation.paths) == (rule, (f"{ENTRY_OF_A}:{kept}", f"saltern:domains:c:{written}"))
    assert "topology.allocate forget=NAME" in violation.remedy


def test_what_a_domain_left_on_nodes_that_another_does_not_use_is_no_conflict():
    before = allocated(pillar(f"{{{OTHER_NODES}, domains: {{b: {{home: dom2, partner: dom3}}}}}}"))
    after = without(before, "a")
    after["saltern"]["domains"]["b"]["disks"]["xvda"].update(minor=1, port=7788)
    assert found_compiling(after) == ()


def test_two_entries_of_what_is_gone_do_not_hinder():
    data = without(allocated(pillar()), "a")
    entries = data["saltern"]["allocation"]["domains"]
    entries["c"] = entries["a"]
    assert found(data) == ()


def test_a_domain_that_is_gone_does_not_need_its_nodes():
    data = allocated(pillar(f"{{{OTHER_NODES}, domains: {{b: {{home: dom2, partner: dom3}}}}}}"))
    data["saltern"]["nodes"] = {name: data["saltern"]["nodes"][name] for name in ("dom0", "dom0m")}
    assert found_compiling(without(data, "b")) == ()


# --- What is forgotten -------------------------------------------------------------------------------------------
SHARED = "domains: {a: {disks: {xvda: {meta_disk: meta}}}}"
RETIRED = {"minors": {1: "a/xvda"}, "ports": {7788: "a/xvda"}, "meta_disks": {"meta[1]": "a/xvda"}}


def test_what_a_forgotten_domain_held_is_retired_and_given_to_nothing_else():
    after = without(allocated(pillar(SHARED)), "a")
    after["saltern"]["domains"]["c"] = pillar(SHARED)["saltern"]["domains"]["a"]
    then = allocated(after, ["a"])
    assert set(numbers(then)) == {"b", "c"}
    assert numbers(then)["c"]["disks"]["xvda"] == disk_of("c", 3, 7790, "meta[2]")
    assert then["saltern"]["allocation"]["retired"] == {"dom0": RETIRED, "dom0m": RETIRED}
    assert allocated(then) == then
    assert found_compiling(then) == ()


def test_retired_numbers_are_free_once_their_lines_are_deleted():
    after = allocated(without(allocated(pillar()), "a"), ["a"])
    del after["saltern"]["allocation"]["retired"]
    after["saltern"]["domains"]["c"] = pillar()["saltern"]["domains"]["a"]
    assert numbers(after)["c"]["disks"]["xvda"] == disk_of("c", 1, 7788)


def test_a_disk_that_comes_back_has_its_retired_numbers_again():
    before = allocated(pillar(SHARED))
    after = allocated(without(before, "a"), ["a"])
    after["saltern"]["domains"]["a"] = pillar(SHARED)["saltern"]["domains"]["a"]
    assert allocated(after)["saltern"]["allocation"] == before["saltern"]["allocation"]


@pytest.mark.parametrize(
    ("disk", "key", "place"),
    [
        ({"minor": 1}, "minor", "minors:1"),
        ({"port": 7788}, "port", "ports:7788"),
        ({"meta_disk": "meta[1]"}, "meta_disk", "meta_disks:meta[1]"),
    ],
)
def test_a_retired_number_that_is_written_for_something_else_is_refused(disk, key, place):
    after = allocated(without(allocated(pillar(SHARED)), "a"), ["a"])
    after["saltern"]["domains"]["c"] = merged(pillar()["saltern"]["domains"]["a"], {"disks": {"xvda": disk}})
    (violation,) = found(after)
    retired = [f"saltern:allocation:retired:{node}:{place}" for node in ("dom0", "dom0m")]
    assert (violation.rule, violation.paths) == ("number-retired", (f"saltern:domains:c:disks:xvda:{key}", *retired))
    assert "a/xvda" in violation.found
    after["saltern"]["domains"]["a"] = after["saltern"]["domains"].pop("c")
    assert found(after) == ()


def test_a_damaged_retired_number_is_reported_by_its_path():
    data = allocated(pillar())
    data["saltern"]["allocation"]["retired"] = {"dom0": {"minors": {"one": "a/xvda"}, "ports": {7788: "a"}}}
    assert [violation.paths[0] for violation in found_compiling(data)] == [
        "saltern:allocation:retired:dom0:minors:one",
        "saltern:allocation:retired:dom0:ports:7788",
    ]


def test_a_domain_that_was_moved_by_hand_is_allocated_anew_on_its_new_nodes():
    before = allocated(pillar(OTHER_NODES))
    before["saltern"]["domains"]["b"].update(home="dom2", partner="dom3")
    after = allocated(before, ["b"])
    then = after["saltern"]["allocation"]["domains"]
    assert then["a"] == before["saltern"]["allocation"]["domains"]["a"]
    assert then["b"]["node_ids"] == {"dom2": 0, "dom3": 1}
    assert then["b"]["disks"]["xvda"] == disk_of("b", 1, 7788)
    assert topology.compile(after).slices["dom2"].domains.keys() == {"b"}


def test_forgetting_one_domain_leaves_another_that_has_moved_refused():
    data = merged(allocated(pillar(THREE_NODES)), {"saltern": {"domains": {"b": {"partner": "dom2"}}}})
    data["saltern"]["domains"]["a"]["partner"] = "dom2"
    with pytest.raises(topology.TopologyError) as refused:
        topology.load_and_allocate(data, ["a"])
    assert [violation.paths[-1] for violation in refused.value.violations] == ["saltern:allocation:domains:b"]
    assert set(topology.load_and_allocate(data, ["a", "b"]).domains["b"].node_ids) == {"dom0m", "dom2"}


def test_forgetting_what_has_no_entry_is_refused_with_those_that_have_one():
    with pytest.raises(UnknownEntry) as refused:
        topology.load_and_allocate(allocated(pillar()), ["b", "nosuch", "c"])
    assert (refused.value.names, refused.value.known) == (("c", "nosuch"), ("a", "b"))
    assert "a, b" in str(refused.value)
    with pytest.raises(UnknownEntry) as refused:
        topology.load_and_allocate(allocated(pillar()), ["b/xvdb"])
    assert (refused.value.names, refused.value.known) == (("b/xvdb",), ("a", "b", "b/xvda"))


# --- Conflicts ---------------------------------------------------------------------------------------------------
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
        assert "forget the domain that runs nowhere" in violation.remedy
    assert numbers(data, ["b"])["b"]["disks"]["xvda"]["minor"] == 2


def test_a_written_number_that_another_was_allocated_is_a_conflict_with_the_allocation():
    data = allocated(pillar())
    data["saltern"]["domains"]["c"] = merged(pillar()["saltern"]["domains"]["b"], {"disks": {"xvda": {"minor": 1}}})
    (violation,) = found(data)
    assert violation.paths == ("saltern:allocation:domains:a:disks:xvda:minor", "saltern:domains:c:disks:xvda:minor")


def test_equal_node_ids_in_the_allocation_are_refused():
    data = allocated(pillar("domains: {a: {disks: {xvdb: {size: 1G}}}}"))
    data["saltern"]["allocation"]["domains"]["a"]["node_ids"] = {"dom0": 1, "dom0m": 1}
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
        data["saltern"]["allocation"] = {
            "domains": {"b": {"node_ids": {"dom0": 0, "dom0m": 1}, "macs": {"xenbr0": taken}}}
        }
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
            "xl": {"bootloader": "pygrub"},
            "disks": {"xvda": {"size": "4M", "minor": 255 - number} if number % 2 else {"size": "4M"}},
        }
        for number in range(domains)
    }
    assert found({"saltern": {"nodes": nodes, "domains": star}}) == ()


# --- Data that were moved ----------------------------------------------------------------------------------------
MOVED = "nodes: {dom1: {address: 10.0.0.3, volume_group: XEN}}\ndomains: {a: {partner: dom1}}"


def moved(before, fragment, names):
    """The allocation after the topology was changed and the data of some domains were moved."""
    data = {"saltern": merged(allocated(pillar(before))["saltern"], yaml.safe_load(fragment))}
    data["saltern"]["allocation"] = lockfile.to_pillar(topology.load_and_allocate(data, moved=names))
    topology.compile(data)
    return data["saltern"]["allocation"]


def test_the_entry_of_a_domain_that_was_moved_keeps_what_is_free_on_its_new_node():
    before = allocated(pillar())["saltern"]["allocation"]["domains"]["a"]
    then = moved("", MOVED, ["a"])
    entry = then["domains"]["a"]
    assert (entry["uuid"], entry["macs"], entry["disks"]) == (before["uuid"], before["macs"], before["disks"])
    assert entry["volume_groups"] == {"dom0": "XEN", "dom1": "XEN"}
    # The new node has an id that is in nobody's metadata.
    assert entry["node_ids"] == {"dom0": 0, "dom1": 2}


def test_what_a_moved_domain_had_on_the_node_that_it_left_is_retired_there():
    disk = allocated(pillar())["saltern"]["allocation"]["domains"]["a"]["disks"]["xvda"]
    retired = moved("", MOVED, ["a"])["retired"]
    assert retired == {"dom0m": {"minors": {disk["minor"]: "a/xvda"}, "ports": {disk["port"]: "a/xvda"}}}


def test_a_moved_domain_gets_another_number_where_its_own_is_taken():
    before = "nodes: {dom1: {address: 10.0.0.3, volume_group: XEN}, dom2: {address: 10.0.0.4, volume_group: XEN}}\n"
    before += (
        "domains: {c: {home: dom1, partner: dom2, memory: 64M, xl: {bootloader: pygrub}, disks: {xvda: {size: 8M}}}}"
    )
    then = moved(before, MOVED, ["a"])["domains"]
    assert then["c"]["disks"]["xvda"]["minor"] not in (None, then["a"]["disks"]["xvda"]["minor"])


def test_a_moved_domain_keeps_the_numbers_of_a_disk_that_is_another_device_now():
    before = allocated(pillar())["saltern"]["allocation"]["domains"]["a"]["disks"]["xvda"]
    fragment = f"domains: {{a: {{disks: {{xvda: {TAKEN_AWAY!r}, xvdb: {{size: 1G, resource: a, volume: a}}}}}}}}"
    disk = moved("", fragment, ["a"])["domains"]["a"]["disks"]["xvdb"]
    assert (disk["minor"], disk["port"]) == (before["minor"], before["port"])


def test_a_moved_domain_is_found_by_its_uuid_under_its_former_name():
    entry = allocated(pillar())["saltern"]["allocation"]["domains"]["a"]
    fragment = (
        f"domains: {{a: {TAKEN_AWAY!r}, web: {{uuid: {entry['uuid']}, home: dom0, partner: dom0m, "
        "memory: 1G, xl: {bootloader: pygrub}, disks: {xvda: {size: 1G}}}}"
    )
    domains = moved("", fragment, ["web"])["domains"]
    assert sorted(domains) == ["b", "web"]
    assert domains["web"]["disks"]["xvda"]["minor"] == entry["disks"]["xvda"]["minor"]


def test_only_what_is_named_follows_the_topology():
    data = {"saltern": merged(allocated(pillar())["saltern"], yaml.safe_load(MOVED))}
    with pytest.raises(topology.TopologyError) as refused:
        topology.load_and_allocate(data, moved=["b"])
    assert [violation.rule for violation in refused.value.violations] == ["domain-moved"]
    with pytest.raises(UnknownEntry):
        topology.load_and_allocate(data, moved=["nosuch"])


@pytest.mark.parametrize(
    "fragment",
    [
        "nodes: {dom2: {address: 10.0.0.3, volume_group: XEN}, dom3: {address: 10.0.0.4, volume_group: XEN}}\n"
        "domains: {a: {home: dom2, partner: dom3}}",
        "nodes: {dom0: {volume_group: NEW}, dom0m: {volume_group: NEW}}",
    ],
)
def test_an_entry_does_not_follow_to_two_places_at_once_where_the_domain_would_be_new(fragment):
    with pytest.raises(topology.TopologyError) as refused:
        moved("", fragment, ["a", "b"])
    assert {violation.rule for violation in refused.value.violations} <= {"domain-moved", "recorded-changed"}
