"""A node's share of the cluster: what is on it, in which order it starts, and how it travels in the pillar."""

import copy
import json

import pytest
from topologies import allocated, pillar

from saltern import topology
from saltern.desired import metadata_size_bytes, slice_from_pillar, slice_to_pillar, start_order
from saltern.errors import SliceError, TopologyError
from saltern.topology.load import load
from saltern.units import GIB, MIB

THIRD = """
nodes: {dom2: {address: 10.0.0.3, volume_group: OTHER}}
domains: {b: {home: dom2, partner: dom0}}
"""


def compiled(fragment=""):
    return topology.compile(allocated(pillar(fragment)))


@pytest.mark.parametrize(
    ("size_bytes", "peers", "sectors"),
    [
        (2 * GIB, 1, 16 * 8 + 72),
        (2 * GIB + 1, 1, 17 * 8 + 72),
        (1, 1, 8 + 72),
        (2 * GIB, 3, 16 * 8 * 3 + 72),
        # The most that a slot of 128 MiB covers for one peer (DRBD_MAX_SECTORS_FIXED_BM): it then fills the slot.
        ((262144 - 72) * 32768 * 512, 1, 262144),
    ],
)
def test_metadata_take_what_the_formula_says(size_bytes, peers, sectors):
    assert metadata_size_bytes(size_bytes, peers) == sectors * 512


def test_a_node_has_what_is_at_home_on_it_and_what_it_holds_a_replica_of():
    slices = compiled(THIRD).slices
    assert {node: sorted(share.domains) for node, share in slices.items()} == {
        "dom0": ["a", "b"],
        "dom0m": ["a"],
        "dom2": ["b"],
    }
    assert {node: sorted(share.resources) for node, share in slices.items()} == {
        "dom0": ["a", "b"],
        "dom0m": ["a"],
        "dom2": ["b"],
    }


def test_volumes_are_in_the_group_of_their_node_and_as_large_as_written():
    (data, meta) = compiled(THIRD).slices["dom2"].volumes
    assert (data.path, data.size_bytes) == ("/dev/OTHER/b", GIB)
    assert (meta.path, meta.size_bytes) == ("/dev/OTHER/b_meta", metadata_size_bytes(GIB))


def test_a_shared_meta_disk_is_as_long_as_its_highest_slot_on_that_node():
    data = pillar(THIRD)
    data["saltern"]["domains"]["a"]["disks"]["xvda"]["meta_disk"] = "meta[4]"
    data["saltern"]["domains"]["b"]["disks"]["xvda"]["meta_disk"] = "meta[1]"
    slices = topology.compile(allocated(data)).slices
    sizes = {
        node: {volume.name: volume.size_bytes for volume in share.volumes}["meta"] for node, share in slices.items()
    }
    assert sizes == {"dom0": 5 * 128 * MIB, "dom0m": 5 * 128 * MIB, "dom2": 2 * 128 * MIB}


def test_a_node_without_domains_has_an_empty_share():
    share = compiled("nodes: {idle: {address: 10.0.0.9, volume_group: XEN}}").slices["idle"]
    assert (share.volumes, share.resources, share.domains) == ((), {}, {})


def test_options_of_the_disk_win_over_those_of_the_domain_and_of_the_cluster():
    fragment = """
    drbd: {protocol: A, net: {timeout: 1, ping-int: 1, max-buffers: 1}}
    domains:
      a:
        drbd: {protocol: B, net: {ping-int: 2, max-buffers: 2}}
        disks: {xvda: {drbd: {net: {max-buffers: 3}}}}
    """
    resources = compiled(fragment).slices["dom0"].resources
    assert resources["a"].protocol == "B"
    net = resources["a"].sections["net"]
    assert {name: net[name] for name in ("timeout", "ping-int", "max-buffers")} == {
        "timeout": "1",
        "ping-int": "2",
        "max-buffers": "3",
    }
    assert resources["b"].protocol == "A"


def test_yes_and_no_of_yaml_reach_drbd_as_words_and_xl_as_numbers():
    fragment = "{drbd: {disk: {disk-flushes: no}}, domains: {a: {xl: {nestedhvm: yes, vnuma: [[yes, x]]}}}}"
    share = compiled(fragment).slices["dom0"]
    assert share.resources["a"].sections["disk"] == {"disk-flushes": "no"}
    assert share.domains["a"].xl == {"bootloader": "pygrub", "nestedhvm": 1, "vnuma": [[1, "x"]]}


def test_a_domain_returns_by_itself_as_it_says_or_else_as_the_cluster_does():
    for fragment, returns in (
        ("", {"a": False, "b": False}),
        ("return: automatic", {"a": True, "b": True}),
        ("{return: automatic, domains: {a: {return: manual}}}", {"a": False, "b": True}),
        ("domains: {a: {return: automatic}}", {"a": True, "b": False}),
    ):
        share = slice_from_pillar(slice_to_pillar(compiled(fragment).slices["dom0"]))
        assert {name: domain.automatic_return for name, domain in share.domains.items()} == returns


def identities(fragment=""):
    """The secret with which each resource connects; both nodes must have the same."""
    slices = compiled(fragment).slices
    found = [
        {name: resource.sections["net"].get("shared-secret") for name, resource in slices[node].resources.items()}
        for node in ("dom0", "dom0m")
    ]
    assert found[0] == found[1]
    return found[0]


def test_no_two_resources_can_connect_with_each_other():
    first = identities("domains: {a: {disks: {xvdb: {size: 1G}}}}")
    others = identities("domains: {a: {uuid: 11111111-1111-1111-1111-111111111111}}"), identities("cluster: other")
    every = [*first.values(), others[0]["a"], *others[1].values()]
    assert len(set(every)) == len(every) == 6
    assert all(len(identity) == 32 for identity in every)
    assert compiled().slices["dom0"].resources["a"].sections["net"]["cram-hmac-alg"] == "sha256"


@pytest.mark.parametrize("net", [{"cram-hmac-alg": "sha1"}, {"shared-secret": "x"}])
def test_a_written_secret_is_left_as_it_is(net):
    share = compiled(f"domains: {{a: {{drbd: {{net: {net}}}}}}}").slices["dom0"]
    assert share.resources["a"].sections["net"] == net


def order(fragment):
    return [domain.name for domain in start_order(load(pillar(fragment)).cluster.domains)]


def test_domains_start_by_order_then_by_name():
    assert order("") == ["a", "b"]
    assert order("domains: {b: {order: 10}}") == ["b", "a"]


def test_a_dependency_starts_first_whatever_the_order_says():
    assert order("domains: {a: {order: 1, depends_on: [b]}}") == ["b", "a"]


def test_a_dependency_that_is_written_twice_counts_once():
    assert compiled("domains: {a: {depends_on: [b, b]}}").cluster.domains["a"].depends_on == ("b",)


def test_a_dependency_on_a_domain_that_is_not_there_counts_as_met():
    domains = load(pillar("domains: {a: {depends_on: [gone, b]}}")).cluster.domains
    assert [domain.name for domain in start_order(domains)] == ["b", "a"]


def test_a_cycle_has_no_order():
    with pytest.raises(ValueError, match="cycle"):
        order("domains: {a: {depends_on: [b]}, b: {depends_on: [a]}}")


def test_a_dependency_through_a_domain_elsewhere_still_counts():
    fragment = """
    nodes: {dom2: {address: 10.0.0.3, volume_group: XEN}, dom3: {address: 10.0.0.4, volume_group: XEN}}
    domains:
      a: {depends_on: [x]}
      x: {home: dom2, partner: dom3, memory: 64M, xl: {bootloader: pygrub}, disks: {xvda: {size: 1G}}, depends_on: [b]}
    """
    assert list(compiled(fragment).slices["dom0"].domains) == ["b", "a"]


def test_a_share_survives_the_pillar_as_plain_data():
    fragment = "domains: {a: {xl: {kernel: /k, cpus: [1, 2]}, disks: {xvda: {meta_disk: 'm[0]'}}}}"
    for share in compiled(fragment).slices.values():
        data = slice_to_pillar(share)
        assert json.loads(json.dumps(data)) == data
        assert slice_from_pillar(data) == share
        assert list(slice_from_pillar(data).domains) == list(share.domains)


@pytest.mark.parametrize("data", [{}, {"nodes": {}}, None, []])
def test_an_uncompiled_pillar_is_refused_with_the_reason(data):
    with pytest.raises(SliceError, match="ext_pillar"):
        slice_from_pillar(data)


def test_a_share_of_another_version_is_refused():
    with pytest.raises(SliceError, match="version 99"):
        slice_from_pillar({"slice_version": 99})


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("volumes",), None),
        (("volumes", 0, "size_bytes"), "1G"),
        (("volumes", 0, "purpose"), "swap"),
        (("resources", "a", "hosts"), []),
        (("resources", "a", "hosts", 0, "minor"), True),
        (("resources", "a", "sections"), [1]),
        (("domains", 0, "uuid"), None),
        (("domains", 0, "interfaces", 0), "x"),
        (("domains",), {"a": {}}),
        (("node",), 7),
    ],
)
def test_a_damaged_share_is_refused(place, value):
    data = copy.deepcopy(slice_to_pillar(compiled().slices["dom0"]))
    part = data
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    with pytest.raises(SliceError, match="damaged"):
        slice_from_pillar(data)


def test_domains_arrive_at_the_address_of_migrations_or_else_where_replication_does():
    slices = compiled("nodes: {dom0: {migration_address: 10.9.0.1}}").slices
    found = {name: slice_from_pillar(slice_to_pillar(share)).migration_address for name, share in slices.items()}
    assert found["dom0"] == "10.9.0.1"
    assert found["dom0m"] == "10.0.0.2"


@pytest.mark.parametrize(
    ("fragment", "rule"),
    [
        ("nodes: {dom0: {migration_address: 10.0.0.2}}", "address-unique"),
        ("nodes: {dom0: {migration_address: 10.9.0.1}, dom0m: {migration_address: 10.9.0.1}}", "address-unique"),
        ("nodes: {dom0: {migration_address: 'fd00::1'}}", "network-match"),
        ("nodes: {dom0: {migration_address: dom0.example.org}}", "address"),
    ],
)
def test_a_migration_address_is_one_of_its_node_alone_that_the_partner_reaches(fragment, rule):
    with pytest.raises(TopologyError) as error:
        compiled(fragment)
    assert rule in [violation.rule for violation in error.value.violations]


def test_a_node_may_name_its_address_as_that_of_migrations():
    assert compiled("nodes: {dom0: {migration_address: 10.0.0.1}}").slices["dom0"].migration_address == "10.0.0.1"
