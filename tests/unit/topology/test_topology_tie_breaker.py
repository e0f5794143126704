"""A tie-breaker in the topology: what each node is given of it, and that its numbers meet nothing there."""

import json
from pathlib import Path
from typing import Any

import jinja2
import pytest
from topologies import allocated, found, found_compiling, pillar

from saltern import topology
from saltern.desired import part, slice_from_pillar, slice_to_pillar
from saltern.model.desired import NodeSlice, TieBreaker
from saltern.topology import lockfile
from saltern.topology.remake import remake

STATES = Path(__file__).parents[3] / "salt" / "states"
THIRD = "tie_breaker: third\nnodes: {third: {address: 10.0.0.3, volume_group: XEN}}"
TWO_PAIRS = """
nodes:
  dom1: {address: 10.0.0.4, volume_group: XEN}
  dom1m: {address: 10.0.0.5, volume_group: XEN}
domains:
  c: {home: dom1, partner: dom1m, memory: 256M, xl: {bootloader: pygrub}, disks: {xvda: {size: 1G}}}
"""
BOTH = """
tie_breaker: third
nodes:
  third: {address: 10.0.0.3, volume_group: XEN}
  dom1: {address: 10.0.0.4, volume_group: XEN}
  dom1m: {address: 10.0.0.5, volume_group: XEN}
domains:
  c: {home: dom1, partner: dom1m, memory: 256M, xl: {bootloader: pygrub}, disks: {xvda: {size: 1G}}}
"""


def slices(fragment: str) -> dict[str, NodeSlice]:
    return dict(topology.compile(allocated(pillar(fragment))).slices)


def numbers(data: dict[str, Any], name: str) -> tuple[int, int]:
    disk = data["saltern"]["allocation"]["domains"][name]["disks"]["xvda"]
    return disk["minor"], disk["port"]


def test_the_third_node_is_given_every_resource_and_nothing_to_hold() -> None:
    third = slices(THIRD)["third"]
    assert sorted(third.tie_breaks) == ["a", "b"]
    assert (third.volumes, third.resources, third.domains) == ((), {}, {})


def test_both_sides_know_where_it_is() -> None:
    found = slices(THIRD)
    for node in ("dom0", "dom0m"):
        side = found[node].resources["a"]
        number = side.on(node)
        assert side.tie_breaker == TieBreaker(node="third", address="10.0.0.3", port=number.port, minor=number.minor)
        assert found[node].tie_breaks == {}


def test_without_one_nobody_breaks_ties() -> None:
    for share in slices("").values():
        assert share.tie_breaks == {}
        assert all(each.tie_breaker is None for each in share.resources.values())


@pytest.mark.parametrize("node", ["dom0", "third"])
def test_it_travels_in_the_pillar(node: str) -> None:
    share = slices(THIRD)[node]
    assert slice_from_pillar(json.loads(json.dumps(slice_to_pillar(share)))) == share


def test_a_part_of_the_third_node_s_share_is_about_these_domains() -> None:
    assert sorted(part(slices(THIRD)["third"], {"b"}).tie_breaks) == ["b"]


def test_two_pairs_are_given_different_numbers_where_one_node_has_both() -> None:
    apart, together = allocated(pillar(TWO_PAIRS)), allocated(pillar(BOTH))
    assert numbers(apart, "c") == numbers(apart, "a")
    for each in (0, 1):
        assert len({numbers(together, name)[each] for name in "abc"}) == 3


def test_pairs_that_have_the_same_numbers_already_are_told() -> None:
    """Their resources run with these: a person decides, and nothing is changed meanwhile."""
    late = pillar(BOTH)
    late["saltern"]["allocation"] = allocated(pillar(TWO_PAIRS))["saltern"]["allocation"]
    broken = {(each.rule, each.found.split(" is claimed")[0]) for each in found(late)}
    minor, port = numbers(late, "a")
    assert broken == {("minor-unique", f"minor {minor} on third"), ("port-unique", f"port {port} at 10.0.0.3")}
    assert {each.rule for each in found_compiling(late)} == {"minor-unique", "port-unique"}


def test_what_a_forgotten_disk_may_have_left_on_the_third_node_is_given_to_nobody() -> None:
    before = allocated(pillar(THIRD))
    taken = numbers(before, "a")
    gone = pillar(f"{BOTH}  a: <taken away>\n")
    gone["saltern"]["allocation"] = before["saltern"]["allocation"]
    after = lockfile.to_pillar(topology.load_and_allocate(gone, ["a"]))
    disk = after["domains"]["c"]["disks"]["xvda"]
    assert disk["minor"] != taken[0]
    assert disk["port"] != taken[1]


def test_a_remake_of_what_has_a_tie_breaker_is_refused() -> None:
    before, after = (topology.compile(allocated(pillar(each))).cluster for each in ("", THIRD))
    for pair in ((before, after), (after, before), (after, after)):
        assert [each.place for each in remake(*pair).refusals] == ["saltern:tie_breaker"]


# --- The states
def rendered(share: NodeSlice, **pillar_data: object) -> str:
    loader = jinja2.FileSystemLoader(STATES)
    environment = jinja2.Environment(loader=loader, extensions=["jinja2.ext.do"])  # noqa: S701 (YAML, no page)
    environment.filters["json"] = json.dumps
    environment.globals = {
        **environment.globals,
        "pillar": {"saltern": slice_to_pillar(share), **pillar_data},
        "opts": {"test": False},
        "salt": {},
    }
    return environment.get_template("drbd/init.sls").render()


def test_the_third_node_applies_its_module_and_a_state_for_each_resource() -> None:
    text = rendered(slices(THIRD)["third"])
    assert [line for line in text.splitlines() if line.startswith("  drbd.")] == [
        "  drbd.module_loaded: []",
        "  drbd.tie_breaker_running:",
        "  drbd.tie_breaker_running:",
    ]


def test_for_one_domain_it_applies_the_state_of_its_resource() -> None:
    text = rendered(slices(THIRD)["third"], saltern_domain="b")
    assert text.count("drbd.tie_breaker_running") == 1
    assert '- name: "b"' in text


def test_a_side_applies_none() -> None:
    assert "tie_breaker" not in rendered(slices(THIRD)["dom0"])
