"""What guard and witness are told: what the topology says, and the keys that others have told."""

from dataclasses import replace

import pytest
from nodes import pair_slice

from saltern.desired import slice_from_pillar, slice_to_pillar, witness_from_pillar, witness_to_pillar
from saltern.errors import Refused, SliceError
from saltern.guard.times import Times
from saltern.guarding.settings import GuardedDomain, GuardSettings, Party, WitnessSettings
from saltern.guarding.told import guard_settings, witness_settings
from saltern.model.desired import GuardSpec, WitnessSpec
from saltern.model.topology import FenceAgent, Witness

GUARD = GuardSpec(
    address="192.168.1.190",
    port=7780,
    partners={"dom0m": "192.168.1.191"},
    witness=Witness(minion="master", address="192.168.1.10", port=7781),
    fencing={},
    times=Times(),
)
SHARE = replace(pair_slice(), guard=GUARD)
KEYS = {"dom0": "d" * 40, "dom0m": "e" * 40, "master": "f" * 40}
WITNESS = WitnessSpec(cluster="test", address="192.168.1.10", port=7781, nodes=("dom0", "dom0m"), times=Times())


def test_a_guard_is_told_its_partners_with_their_keys_and_what_it_shares_with_them() -> None:
    found = guard_settings(SHARE, KEYS)
    assert found.silent == ()
    assert isinstance(found.settings, GuardSettings)
    assert found.settings.partners == {"dom0m": Party(address="192.168.1.191", port=7780, key="e" * 40)}
    assert found.settings.witness == Party(address="192.168.1.10", port=7781, key="f" * 40)
    (domain,) = found.settings.domains
    dns = SHARE.domains["dns"]
    assert domain == GuardedDomain(
        name="dns",
        uuid=dns.uuid,
        partner="dom0m",
        resources=("dns",),
        memory_bytes=dns.memory_bytes,
        order=dns.order,
        depends_on=dns.depends_on,
        priority=dns.priority,
    )


def test_the_partner_of_a_domain_is_the_other_node_wherever_it_is_at_home() -> None:
    guard = replace(GUARD, address="192.168.1.191", partners={"dom0": "192.168.1.190"})
    found = guard_settings(replace(pair_slice("dom0m"), guard=guard), KEYS)
    assert isinstance(found.settings, GuardSettings)
    assert [each.partner for each in found.settings.domains] == ["dom0"]


def test_a_partner_without_a_key_is_left_out_with_its_domains_and_named() -> None:
    moved = replace(SHARE.domains["dns"], name="mail", uuid="u2", partner="dom1")
    share = replace(
        SHARE,
        domains={**SHARE.domains, "mail": moved},
        guard=replace(GUARD, partners={**GUARD.partners, "dom1": "192.168.1.192"}),
    )
    found = guard_settings(share, KEYS)
    assert found.silent == ("dom1",)
    assert isinstance(found.settings, GuardSettings)
    assert [each.name for each in found.settings.domains] == ["dns"]
    assert list(found.settings.partners) == ["dom0m"]


def test_without_a_witness_there_is_no_key_of_it_to_wait_for() -> None:
    agent = FenceAgent(agent="fence_ipmilan", options={"ip": "10.0.9.191"}, timeout_s=60.0)
    guard = replace(GUARD, witness=None, fencing={"dom0m": agent})
    found = guard_settings(replace(SHARE, guard=guard), {"dom0m": KEYS["dom0m"]})
    assert found.silent == ()
    assert isinstance(found.settings, GuardSettings)
    assert (found.settings.witness, found.settings.fencing) == (None, {"dom0m": agent})


def test_a_partner_that_is_left_out_is_not_fenced_either() -> None:
    agents = dict.fromkeys(("dom0m", "dom1"), FenceAgent(agent="fence_pdu", options={}, timeout_s=60.0))
    guard = replace(GUARD, partners={**GUARD.partners, "dom1": "192.168.1.192"}, witness=None, fencing=agents)
    found = guard_settings(replace(SHARE, guard=guard), KEYS)
    assert isinstance(found.settings, GuardSettings)
    assert list(found.settings.fencing) == ["dom0m"]


@pytest.mark.parametrize("missing", ["master", "dom0m"])
def test_without_a_witness_or_any_partner_there_is_nothing_to_tell(missing: str) -> None:
    found = guard_settings(SHARE, {name: key for name, key in KEYS.items() if name != missing})
    assert (found.settings, found.silent) == (None, (missing,))


def test_a_node_without_takeover_has_no_settings() -> None:
    with pytest.raises(Refused, match="saltern:takeover"):
        guard_settings(pair_slice(), KEYS)


def test_a_witness_is_told_the_nodes_whose_keys_are_known() -> None:
    found = witness_settings(WITNESS, {"dom0": KEYS["dom0"]})
    assert found.silent == ("dom0m",)
    assert isinstance(found.settings, WitnessSettings)
    assert found.settings.nodes == {"dom0": KEYS["dom0"]}
    assert witness_settings(WITNESS, {}) == (None, ("dom0", "dom0m"))


def test_what_the_witness_is_given_travels_in_the_pillar_and_nothing_else_is_taken_for_it() -> None:
    assert witness_from_pillar(witness_to_pillar(WITNESS)) == WITNESS
    assert slice_from_pillar(slice_to_pillar(SHARE)) == SHARE
    for other in (
        None,
        {},
        slice_to_pillar(SHARE),
        {"witness": {**witness_to_pillar(WITNESS)["witness"], "port": "7781"}},
    ):
        with pytest.raises(SliceError, match="saltern:takeover:witness"):
            witness_from_pillar(other)
