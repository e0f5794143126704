"""A side that no domain uses is Secondary; one that something of the domain may use is left alone."""

import pytest
from nodes import UUID, domain, pair_slice, running, view

from saltern.errors import Refused
from saltern.model.action import Demote
from saltern.model.running import ConnectionState, Role
from saltern.plan.role import step

HOME = pair_slice("dom0")
SLICE = pair_slice("dom0m")
DNS = SLICE.resources["dns"]
OTHER_UUID = "11111111-2222-4333-8444-555555555555"


def test_a_primary_without_its_domain_is_demoted() -> None:
    assert step(DNS, SLICE, view(resources=running(role=Role.PRIMARY))).actions == (Demote(resource="dns"),)


@pytest.mark.parametrize(
    "found",
    [
        domain(blocked=True),
        domain(paused=True),
        domain(shut_down=True),
        domain(None, dying=True),
        domain("dns--incoming", paused=True),
        domain("dns--migratedaway"),
        domain("renamed", UUID),
        domain("dns", OTHER_UUID),
    ],
)
def test_a_primary_that_anything_of_the_domain_may_use_is_left_alone(found) -> None:
    assert step(DNS, SLICE, view(resources=running(role=Role.PRIMARY), domains=(found,))).actions == ()


def test_a_secondary_and_a_resource_that_is_down_need_nothing() -> None:
    assert step(DNS, SLICE, view(resources=running())).actions == ()
    assert step(DNS, SLICE, view()).actions == ()


def test_a_side_that_is_primary_together_with_its_partner_is_left_to_the_migration() -> None:
    found = step(DNS, SLICE, view(resources=running(role=Role.PRIMARY, peer_role=Role.PRIMARY)))
    assert found.actions == ()
    assert "migration" in found.warning


def test_a_resource_of_the_same_name_that_is_not_ours_is_not_demoted() -> None:
    with pytest.raises(Refused):
        step(DNS, SLICE, view(resources=running(role=Role.PRIMARY), files={"/etc/drbd.d/dns.res": "resource dns {}"}))


def test_at_home_it_is_the_same() -> None:
    assert step(DNS, HOME, view(resources=running(role=Role.PRIMARY))).actions == (Demote(resource="dns"),)


@pytest.mark.parametrize("share", [HOME, SLICE])
@pytest.mark.parametrize(
    "state", [None, *(state for state in ConnectionState if state is not ConnectionState.CONNECTED)]
)
def test_a_primary_whose_partner_is_out_of_sight_keeps_the_proof_that_nobody_else_was(share, state) -> None:
    alone = running(role=Role.PRIMARY, state=state, peer_role=Role.UNKNOWN)
    found = step(share.resources["dns"], share, view(resources=alone))
    assert found.actions == ()
    assert "stays Primary" in found.comment


@pytest.mark.parametrize("share", [HOME, SLICE])
def test_what_this_run_has_promoted_itself_is_no_proof(share) -> None:
    alone = running(role=Role.PRIMARY, state=ConnectionState.CONNECTING, peer_role=Role.UNKNOWN)
    found = step(share.resources["dns"], share, view(resources=alone, promoted=("dns",)))
    assert found.actions == (Demote(resource="dns"),)
