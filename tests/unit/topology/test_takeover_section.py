"""The section ``takeover``: what guards are told, and what would prove nothing."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from pair import TOPOLOGY

from saltern import topology
from saltern.desired import slice_from_pillar, slice_to_pillar
from saltern.errors import TopologyError, Violation
from saltern.guard.times import Times
from saltern.guarding import upkeep
from saltern.guarding.settings import Party, read_guard
from saltern.guarding.told import guard_settings
from saltern.model.desired import GuardSpec, NodeSlice
from saltern.model.places import GUARD_SETTINGS
from saltern.run import LocalHost

WITNESS = {"minion": "master", "address": "192.168.1.10"}


def pillar(takeover: Any, **domains: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(TOPOLOGY)
    if takeover is not None:
        found["saltern"]["takeover"] = takeover
    for name, keys in domains.items():
        found["saltern"]["domains"][name].update(keys)
    return found


def slices(takeover: Any, **domains: dict[str, Any]) -> dict[str, NodeSlice]:
    found = pillar(takeover, **domains)
    written = topology.write_allocation(topology.load_and_allocate(copy.deepcopy(found)))
    found["saltern"]["allocation"] = yaml.safe_load(written)["saltern"]["allocation"]
    return dict(topology.compile(found).slices)


def violations(takeover: Any, **domains: dict[str, Any]) -> tuple[Violation, ...]:
    with pytest.raises(TopologyError) as error:
        slices(takeover, **domains)
    return error.value.violations


def test_without_the_section_no_node_has_a_guard() -> None:
    assert all(share.guard is None for share in slices(None).values())


def test_each_guard_is_told_its_partners_the_witness_and_the_times() -> None:
    guard = slices({"witness": WITNESS, "lease": {"takeover": 30}})["dom0"].guard
    assert guard == GuardSpec(
        address="192.168.1.190",
        port=7780,
        partners={"dom0m": "192.168.1.191"},
        witness="master",
        witness_address="192.168.1.10",
        witness_port=7781,
        times=Times(takeover_s=30.0),
    )


def test_what_a_guard_is_told_travels_in_the_pillar() -> None:
    for share in slices({"witness": WITNESS}, dns={"priority": 200}).values():
        assert slice_from_pillar(slice_to_pillar(share)) == share
        assert share.domains["dns"].priority == 200
        assert share.domains["mail"].priority == 100


def test_each_guard_is_told_the_command_for_its_events(tmp_path: Path) -> None:
    command = ["/usr/local/sbin/tell-admin", "--level", 3]
    share = slices({"witness": WITNESS, "notify": command})["dom0"]
    assert slice_from_pillar(slice_to_pillar(share)) == share
    host = LocalHost(root=str(tmp_path))
    upkeep.told(host, guard_settings(share, {"dom0m": "a" * 40, "master": "b" * 40}), test=False)
    assert read_guard(host, GUARD_SETTINGS).notify == ("/usr/local/sbin/tell-admin", "--level", "3")


@pytest.mark.parametrize(
    "command", [[], ["tell-admin"], "/usr/local/sbin/tell-admin", {"run": "x"}, ["/x", ["y"]], ["/x", "a\nb"]]
)
def test_what_is_no_command_by_its_path_is_refused(command: Any) -> None:
    (violation,) = violations({"witness": WITNESS, "notify": command})
    assert violation.paths == ("saltern:takeover:notify",)


def test_a_guard_reads_what_is_rendered_of_its_share(tmp_path: Path) -> None:
    share = slices({"witness": WITNESS, "lease": {"beat": 0.5}})["dom0m"]
    assert share.guard is not None
    keys = {"dom0": "a" * 40, "master": "b" * 40}
    host = LocalHost(root=str(tmp_path))
    upkeep.told(host, guard_settings(share, keys), test=False)
    found = read_guard(host, GUARD_SETTINGS)
    assert found.partners == {"dom0": Party(address="192.168.1.190", port=7780, key="a" * 40)}
    assert found.witness == Party(address="192.168.1.10", port=7781, key="b" * 40)
    assert found.times == share.guard.times
    assert [each.name for each in found.domains] == list(share.domains)
    assert {each.partner for each in found.domains} == {"dom0"}
    assert {each.name: each.resources for each in found.domains}["mail"] == ("mail", "mail-xvdb")


@pytest.mark.parametrize(
    ("takeover", "rule", "path"),
    [
        ({}, "missing-key", "saltern:takeover:witness"),
        ({"witness": {"minion": "master"}}, "missing-key", "saltern:takeover:witness:address"),
        ({"witness": WITNESS, "leases": {}}, "unknown-key", "saltern:takeover:leases"),
        ({"witness": {**WITNESS, "minion": "dom0"}}, "witness-apart", "saltern:takeover:witness:minion"),
        ({"witness": {**WITNESS, "address": "192.168.1.191"}}, "witness-apart", "saltern:takeover:witness:address"),
        ({"witness": WITNESS, "port": 7792}, "port-unique", "saltern:takeover:port"),
        ({"witness": WITNESS, "lease": {"takeover": 18}}, "lease", "saltern:takeover:lease"),
        ({"witness": WITNESS, "lease": {"watchdog": 7.5}}, "lease", "saltern:takeover:lease"),
        ({"witness": WITNESS, "lease": {"drift": 0.2}}, "lease", "saltern:takeover:lease:drift"),
        ({"witness": WITNESS, "lease": {"beat": "1 s"}}, "type", "saltern:takeover:lease:beat"),
        ({"witness": WITNESS, "lease": {"beat": float("nan")}}, "lease", "saltern:takeover:lease:beat"),
        ("yes", "type", "saltern:takeover"),
    ],
)
def test_what_is_wrong_is_told_at_its_place(takeover: Any, rule: str, path: str) -> None:
    assert [(each.rule, path in each.paths) for each in violations(takeover)] == [(rule, True)]


def test_the_inequality_is_told_with_what_would_be_enough() -> None:
    (found,) = violations({"witness": WITNESS, "lease": {"takeover": 18}})
    assert "takeover is 18 s" in found.found
    assert "18.3 s" in found.found
