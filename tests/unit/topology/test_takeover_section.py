"""The section ``takeover``: what guards are told, and what would prove nothing."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from fenced import heeds
from pair import TOPOLOGY

from saltern import topology
from saltern.desired import slice_from_pillar, slice_to_pillar
from saltern.errors import TopologyError, Violation
from saltern.guard.times import Times
from saltern.guarding import upkeep
from saltern.guarding.settings import GuardSettings, Party, read_guard
from saltern.guarding.told import guard_settings
from saltern.model.desired import GuardSpec, NodeSlice
from saltern.model.places import GUARD_SETTINGS
from saltern.model.topology import FenceAgent, Witness
from saltern.run import LocalHost
from saltern.secrets import masked

WITNESS = {"minion": "master", "address": "192.168.1.10"}
AGENT = {"agent": "fence_apc"}
AGENTS = {
    "dom0": {"agent": "fence_ipmilan", "options": {"ip": "10.0.9.190", "password": "hush hush", "lanplus": True}},
    "dom0m": AGENT,
}


def fencing(**of_dom0: Any) -> dict[str, Any]:
    return {**AGENTS, "dom0": {**AGENTS["dom0"], **of_dom0}}


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
        witness=Witness(minion="master", address="192.168.1.10", port=7781),
        fencing={},
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
    upkeep.told(host, guard_settings(share, {"dom0m": "a" * 40, "master": "b" * 40}), heeds, test=False)
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
    upkeep.told(host, guard_settings(share, keys), heeds, test=False)
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
        ({}, "takeover-proof", "saltern:takeover"),
        ({"fencing": {"dom0": AGENT}}, "takeover-proof", "saltern:takeover:fencing:dom0m"),
        ({"fencing": {**AGENTS, "dom9": AGENT}}, "unknown-node", "saltern:takeover:fencing:dom9"),
        ({"fencing": fencing(agent="/sbin/fence_ipmilan")}, "fence-agent", "saltern:takeover:fencing:dom0:agent"),
        ({"fencing": fencing(options={"action": "on"})}, "fence-agent", "saltern:takeover:fencing:dom0:options:action"),
        ({"fencing": fencing(options={"verbose": 1})}, "fence-agent", "saltern:takeover:fencing:dom0:options:verbose"),
        ({"fencing": fencing(options={"ip": ["1"]})}, "type", "saltern:takeover:fencing:dom0:options:ip"),
        ({"fencing": fencing(timeout=0)}, "fence-agent", "saltern:takeover:fencing:dom0:timeout"),
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


def test_the_options_of_an_agent_reach_those_who_use_it_and_nobody_else() -> None:
    shares = slices({"witness": WITNESS, "fencing": AGENTS, "lease": {"duel": 7}})
    for share in shares.values():
        assert slice_from_pillar(slice_to_pillar(share)) == share
        assert share.guard is not None
        assert share.guard.times.duel_s == 7.0
    guards = {name: share.guard for name, share in shares.items() if share.guard is not None}
    options = {"ip": "10.0.9.190", "password": "hush hush", "lanplus": "yes"}
    assert guards["dom0m"].fencing == {"dom0": FenceAgent(agent="fence_ipmilan", options=options, timeout_s=60.0)}
    assert "hush hush" not in json.dumps(slice_to_pillar(shares["dom0"]))
    shown = masked(slice_to_pillar(shares["dom0m"]))
    assert "hush hush" not in json.dumps(shown)
    assert slice_from_pillar(shown).domains == shares["dom0m"].domains  # as the master's runners read it
    assert "hush hush" not in repr(shares["dom0m"])


@pytest.mark.parametrize("secret", ["zq\nzq", " zq", '"zq"', "zq" * 513, 2.75])
def test_an_option_that_an_agent_cannot_be_given_is_refused_and_not_shown(secret: Any) -> None:
    (found,) = violations({"fencing": fencing(options={"login": secret})})
    assert found.paths == ("saltern:takeover:fencing:dom0:options:login",)
    assert not any(part in str(found) for part in ("zq", "2.75"))


def test_options_that_are_no_mapping_are_not_shown_either() -> None:
    (found,) = violations({"fencing": fencing(options="login=x zq")})
    assert (found.rule, found.paths) == ("type", ("saltern:takeover:fencing:dom0:options",))
    assert "zq" not in str(found)


def test_without_anything_that_proves_a_death_automatic_takeover_is_said_to_be_off() -> None:
    (found,) = violations({})
    assert "automatic takeover is off" in found.found


def test_the_inequality_is_told_with_what_would_be_enough() -> None:
    (found,) = violations({"witness": WITNESS, "lease": {"takeover": 18}})
    assert "takeover is 18 s" in found.found
    assert "18.3 s" in found.found


@pytest.mark.parametrize(
    ("drbd", "found"),
    [
        ({"protocol": "A"}, "protocol A"),
        ({"net": {"fencing": "resource-only"}}, "`fencing` under `net`"),
        ({"handlers": {"fence-peer": "/usr/local/bin/fence"}}, "`fence-peer` under `handlers`"),
    ],
)
def test_a_disk_about_which_drbd_would_not_ask_the_guard_is_refused(drbd: dict[str, Any], found: str) -> None:
    (told,) = violations({"witness": WITNESS}, dns={"drbd": drbd})
    assert (told.rule, "saltern:takeover" in told.paths) == ("guarded-disk", True)
    assert found in told.found
    assert slices(None, dns={"drbd": drbd})["dom0"].resources, "without takeover it is as good as any"


def test_protocol_b_can_be_guarded() -> None:
    assert slices({"witness": WITNESS}, dns={"drbd": {"protocol": "B"}})["dom0"].resources["dns"].protocol == "B"


THIRD = {"address": "192.168.1.192", "volume_group": "XEN"}
ONE_PLACE = '{size: 256M, minor: 1, port: 7792, meta_disk: "meta[1]"}'


def by_quorum(takeover_s: float, **net: int) -> dict[str, NodeSlice]:
    found: dict[str, Any] = yaml.safe_load(TOPOLOGY.replace(ONE_PLACE, "{size: 256M}"))
    top = found["saltern"]
    top["tie_breaker"] = "third"
    top["nodes"]["third"] = THIRD
    top["takeover"] = {"quorum": True, "lease": {"takeover": takeover_s}}
    top["domains"]["mail"]["drbd"] = {"net": {name.replace("_", "-"): value for name, value in net.items()}}
    written = topology.write_allocation(topology.load_and_allocate(copy.deepcopy(found)))
    top["allocation"] = yaml.safe_load(written)["saltern"]["allocation"]
    return dict(topology.compile(found).slices)


def test_by_quorum_a_guard_is_told_what_drbd_takes_to_notice_a_loss_of_all_disks_the_longest() -> None:
    shares = by_quorum(90, ping_int=20)
    assert shares["third"].guard is None
    guard = shares["dom0"].guard
    assert guard is not None
    assert (guard.quorum, guard.witness, guard.times) == (True, None, Times(detect_s=62.5, takeover_s=90.0))
    assert slice_from_pillar(slice_to_pillar(shares["dom0"])) == shares["dom0"]
    found = guard_settings(shares["dom0"], {"dom0m": "a" * 40}).settings
    assert isinstance(found, GuardSettings)
    assert (found.quorum, found.times) == (True, guard.times)


def test_a_takeover_that_does_not_wait_for_drbd_to_notice_is_refused() -> None:
    assert by_quorum(73)
    with pytest.raises(TopologyError) as error:
        by_quorum(71)
    assert {each.rule for each in error.value.violations} == {"lease"}
    (first, *_) = error.value.violations
    assert "DRBD takes up to 52.5 s to notice" in first.found
