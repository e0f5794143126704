"""What holds for every topology: stable numbers, no number twice where nodes are shared, no order that matters."""

import copy
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from topologies import allocated

from saltern import topology
from saltern.desired import slice_from_pillar, slice_to_pillar
from saltern.model.desired import Purpose
from saltern.model.running import Generation
from saltern.render import drbd_resource, xl_config

NODES = [f"node{number}" for number in range(5)]
NAMES = [f"vm{number}" for number in range(12)]
OPTION_TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)


@st.composite
def domains(draw):
    home, partner = draw(st.permutations(NODES))[:2]
    devices = draw(st.lists(st.sampled_from(["xvda", "xvdb", "xvdc"]), min_size=1, max_size=3, unique=True))
    shared = st.sampled_from([{}, {}, {"meta_disk": "meta"}, {"meta_disk": "meta2"}])
    return {
        "home": home,
        "partner": partner,
        "memory": f"{draw(st.integers(64, 4096))}M",
        "order": draw(st.integers(0, 3)),
        "disks": {device: {"size": f"{draw(st.integers(4, 5000))}M", **draw(shared)} for device in devices},
        "interfaces": [{"bridge": draw(st.sampled_from(["xenbr0", "xenbr1"]))} for _ in range(draw(st.integers(0, 3)))],
        "xl": {"bootloader": "pygrub"},
    }


@st.composite
def topologies(draw):
    """Valid topologies without an allocation. Dependencies point to names before, so that there is no cycle."""
    chosen = sorted(draw(st.sets(st.sampled_from(NAMES), min_size=1)))
    described = {name: draw(domains()) for name in chosen}
    for position, name in enumerate(chosen):
        if position:
            described[name]["depends_on"] = draw(st.lists(st.sampled_from(chosen[:position]), max_size=2))
    nodes = {name: {"address": f"10.0.0.{number + 1}", "volume_group": "XEN"} for number, name in enumerate(NODES)}
    return {"saltern": {"cluster": "property", "nodes": nodes, "domains": described}}


def numbers(data, forget=()):
    return allocated(data, forget)["saltern"]["allocation"]["domains"]


def with_others(before, other):
    """``before``, allocated, without the domains that ``other`` does not name, and with those that only it has."""
    after = copy.deepcopy(before)
    mine, theirs = after["saltern"]["domains"], other["saltern"]["domains"]
    for name in set(mine) - set(theirs):
        del mine[name]
    for domain in mine.values():
        domain["depends_on"] = []
    for name in set(theirs) - set(mine):
        mine[name] = {**theirs[name], "depends_on": []}
    return after


@given(topologies())
def test_every_topology_is_complete_and_valid_once_it_is_allocated(data):
    compiled = topology.compile(allocated(data))
    assert set(compiled.slices) == set(NODES)


@given(topologies(), topologies())
def test_adding_and_removing_domains_changes_no_number_of_the_others(before, other):
    first = allocated(before)
    then = numbers(with_others(first, other))
    entries = first["saltern"]["allocation"]["domains"]
    assert {name: then[name] for name in entries} == entries  # also of those that are gone


@given(topologies(), topologies())
def test_a_domain_that_comes_back_gets_its_old_numbers(before, other):
    first = allocated(before)
    between = allocated(with_others(first, other))
    again = {name: {**domain, "depends_on": []} for name, domain in before["saltern"]["domains"].items()}
    between["saltern"]["domains"].update(again)
    compiled = topology.compile(between)  # without allocating
    expected = topology.compile(first)
    for node, share in expected.slices.items():
        for name, resource in share.resources.items():
            assert compiled.slices[node].resources[name] == resource
        for name, domain in share.domains.items():
            back = compiled.slices[node].domains[name]
            assert (back.uuid, back.interfaces) == (domain.uuid, domain.interfaces)


@given(topologies(), topologies())
def test_numbers_of_what_is_gone_are_given_to_nobody_on_its_nodes(before, other):
    then = numbers(with_others(allocated(before), other))
    for kind in ("minor", "port", "meta_disk"):
        used = [
            (node, disk[kind])
            for entry in then.values()
            for disk in entry["disks"].values()
            if kind in disk
            for node in entry["node_ids"]
        ]
        assert _twice(used) == []
    assert _twice(mac for entry in then.values() for mac in entry.get("macs", {}).values()) == []


@given(topologies(), st.randoms(use_true_random=False))
def test_a_domain_starts_elsewhere_only_when_it_was_forgotten(data, rng):
    before = allocated(data)
    name = rng.choice(sorted(before["saltern"]["domains"]))
    domain = before["saltern"]["domains"][name]
    pair = {domain["home"], domain["partner"]}
    domain["home"], domain["partner"] = rng.sample(NODES, 2)
    if {domain["home"], domain["partner"]} == pair:
        assert numbers(before) == before["saltern"]["allocation"]["domains"]
        return
    for act in (topology.compile, topology.load_and_allocate):
        with pytest.raises(topology.TopologyError) as refused:
            act(before)
        assert [violation.rule for violation in refused.value.violations] == ["domain-moved"]
    then = numbers(before, [name])
    assert then[name]["node_ids"].keys() == {domain["home"], domain["partner"]}
    others = before["saltern"]["allocation"]["domains"].keys() - {name}
    assert all(then[other] == before["saltern"]["allocation"]["domains"][other] for other in others)


@given(topologies())
def test_allocating_again_changes_nothing(data):
    once = allocated(data)
    assert numbers(once) == once["saltern"]["allocation"]["domains"]


@given(topologies(), st.randoms(use_true_random=False))
def test_the_order_in_the_file_does_not_matter(data, rng):
    shuffled = _shuffled(data, rng)
    first, second = (topology.load_and_allocate(pillar) for pillar in (data, shuffled))
    assert topology.write_allocation(first) == topology.write_allocation(second)
    slices = [topology.compile(allocated(pillar)).slices for pillar in (data, shuffled)]
    for node in NODES:
        assert list(slices[0][node].domains) == list(slices[1][node].domains)
        assert slices[0][node].volumes == slices[1][node].volumes


def _shuffled(value, rng: random.Random):
    if not isinstance(value, dict):
        return value
    items = [(key, _shuffled(item, rng)) for key, item in value.items()]
    rng.shuffle(items)
    return dict(items)


@given(topologies())
def test_no_number_is_there_twice_on_any_node(data):
    for node, share in topology.compile(allocated(data)).slices.items():
        hosts = [resource.on(node) for resource in share.resources.values()]
        assert _twice(host.minor for host in hosts) == []
        assert _twice((host.address, host.port) for host in hosts) == []
        assert _twice((host.meta_device, host.meta_index) for host in hosts) == []
        assert _twice(volume.path for volume in share.volumes) == []
        macs = (interface.mac for domain in share.domains.values() for interface in domain.interfaces)
        assert _twice(macs) == []
        assert _twice(domain.uuid for domain in share.domains.values()) == []
        for resource in share.resources.values():
            assert resource.hosts[0].node_id != resource.hosts[1].node_id


def _twice(things):
    return [thing for thing, count in Counter(things).items() if count > 1]


@given(topologies())
def test_every_volume_that_a_resource_uses_is_there_and_large_enough(data):
    for node, share in topology.compile(allocated(data)).slices.items():
        volumes = {volume.path: volume for volume in share.volumes}
        for resource in share.resources.values():
            host = resource.on(node)
            assert volumes[host.disk].size_bytes == resource.size_bytes
            assert volumes[host.disk].purpose is Purpose.DATA
            meta = volumes[host.meta_device]
            assert meta.purpose is Purpose.META
            if host.meta_index is not None:
                assert meta.size_bytes >= (host.meta_index + 1) * 128 * 1024**2


@given(topologies())
def test_dependencies_start_first(data):
    for share in topology.compile(allocated(data)).slices.values():
        started = set()
        for domain in share.domains.values():
            assert {other for other in domain.depends_on if other in share.domains} <= started
            started.add(domain.name)


@given(topologies())
def test_a_share_survives_the_pillar(data):
    for share in topology.compile(allocated(data)).slices.values():
        assert slice_from_pillar(slice_to_pillar(share)) == share


@given(OPTION_TEXT, OPTION_TEXT, OPTION_TEXT, OPTION_TEXT)
@settings(max_examples=200)
def test_what_is_valid_can_be_rendered(option, xl_value, interface_option, name):
    data = {
        "saltern": {
            "nodes": {
                "dom0": {"address": "10.0.0.1", "volume_group": "XEN"},
                "dom0m": {"address": "10.0.0.2", "volume_group": "X+G"},
            },
            "domains": {
                name: {
                    "home": "dom0",
                    "partner": "dom0m",
                    "memory": "64M",
                    "disks": {"xvda": {"size": "4M", "volume": "v+1"}},
                    "interfaces": [{"bridge": "xenbr0", "script": interface_option}],
                    "drbd": {"handlers": {"split-brain": option}},
                    "xl": {"bootloader": "pygrub", "cmdline": xl_value, "vnuma": [[xl_value]]},
                }
            },
        }
    }
    try:
        complete = allocated(data)
    except topology.TopologyError:
        return
    for share in topology.compile(complete).slices.values():
        for resource in share.resources.values():
            for generation in Generation:
                assert drbd_resource.render(resource, generation)
        for domain in share.domains.values():
            assert xl_config.render(domain)
