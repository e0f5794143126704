"""Whatever stands in a pillar, the answer is a topology or TopologyError, never a traceback."""

import copy

from hypothesis import given, settings
from hypothesis import strategies as st
from topologies import allocated, pillar

from saltern import topology
from saltern.desired import slice_from_pillar, slice_to_pillar
from saltern.errors import SliceError, TopologyError

FULL = """
drbd: {protocol: C, net: {ping-int: 3}, disk: {al-extents: 1}, handlers: {split-brain: /x}, options: {cpu-mask: '1'}}
nodes:
  dom0: {network: 10.0.0.0/24, volume_group_size: 1T, memory: 8G}
domains:
  a:
    vcpus: 2
    order: 3
    depends_on: [b]
    uuid: 11111111-1111-1111-1111-111111111111
    drbd: {net: {timeout: 1}}
    disks:
      xvda: {minor: 3, port: 7800, node_ids: [1, 0], meta_disk: 'meta[1]', resource: r, volume: v, drbd: {protocol: A}}
      xvdb: {size: 2G, meta_disk: meta}
    interfaces: [{bridge: x, mac: '00:16:3e:00:00:01', ip: 10.0.0.9}]
    xl: {type: pvh, cpus: [1, '2']}
"""

# Python refuses to print it, and hypothesis to show it.
huge = st.none().map(lambda _: 10**5000)

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | huge
    | st.floats()
    | st.text(max_size=10)
    | st.binary(max_size=3)
    | st.dates()
    | st.sampled_from(["saltern", "dom0", "a", "b", "1G", "meta[0]", "-1", "..", "\ud800", "٣", "xvda", "10.0.0.1"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5) | st.integers() | st.none() | huge, inner, max_size=3)
    ),
    max_leaves=6,
)
keys = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10) | huge | st.dates()


def places(data, here=()):
    """The path of every value in nested mappings and lists."""
    yield here
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield from places(value, (*here, key))


def put(data, place, value):
    if not place:
        return value
    data = copy.deepcopy(data)
    part = data
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    return data


COMPLETE = allocated(pillar(FULL))
SHARE = slice_to_pillar(topology.compile(COMPLETE).slices["dom0"])


@given(place=st.sampled_from(list(places(COMPLETE))), value=values)
@settings(max_examples=1000)
def test_any_value_anywhere_ends_in_a_topology_or_in_violations(place, value):
    data = put(COMPLETE, place, value)
    for what in (topology.compile, topology.load_and_allocate):
        try:
            what(data)
        except TopologyError as error:
            assert error.violations
            assert "\n  [" in str(error)


@given(place=st.sampled_from([place for place in places(COMPLETE) if place]), key=keys, value=values)
@settings(max_examples=500)
def test_any_key_anywhere_ends_in_a_topology_or_in_violations(place, key, value):
    data = put(COMPLETE, place, {key: value})
    try:
        topology.compile(data)
    except TopologyError as error:
        assert str(error)


@given(place=st.sampled_from(list(places(SHARE))), value=values)
@settings(max_examples=500)
def test_any_value_anywhere_in_a_share_ends_in_a_share_or_in_a_refusal(place, value):
    try:
        slice_from_pillar(put(SHARE, place, value))
    except SliceError as error:
        assert str(error)
