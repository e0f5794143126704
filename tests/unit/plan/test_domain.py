"""A domain starts at home only, once, on good data, and never because the partner is out of sight."""

from dataclasses import replace

import pytest
from nodes import domain, pair_slice, running, view

from saltern.errors import Refused
from saltern.model.action import Promote, StartDomain
from saltern.model.observed import ConnectionState, DiskState, ReplicationState, Role
from saltern.plan.domain import step
from saltern.plan.step import Step, Wait
from saltern.units import MIB

HOME = pair_slice("dom0")
AWAY = pair_slice("dom0m")
CFG = {"/etc/xen/dns.cfg": "written"}


def at_home(**parts):
    return step(HOME.domains["dns"], HOME, view(files=CFG, **parts))


def test_the_disks_become_primary_first_and_are_looked_at_again_before_the_start() -> None:
    assert at_home(resources=running()).actions == (Promote(resource="dns"),)
    assert at_home(resources=running(role=Role.PRIMARY)).actions == (StartDomain(domain="dns"),)


def test_a_partner_that_is_being_synchronised_does_not_keep_a_domain_from_starting() -> None:
    source = running(peer_disk=DiskState.INCONSISTENT, replication=ReplicationState.SYNC_SOURCE)
    assert at_home(resources=source).actions


def test_the_partner_does_not_start_what_belongs_elsewhere() -> None:
    assert step(AWAY.domains["dns"], AWAY, view(resources=running())).actions == ()


def test_a_domain_that_runs_is_left_alone_at_home_and_away() -> None:
    for node_slice in (HOME, AWAY):
        found = step(node_slice.domains["dns"], node_slice, view(domains=(domain(blocked=True),)))
        assert isinstance(found, Step)
        assert found.actions == ()


def test_a_domain_that_hangs_on_a_dead_disk_is_not_taken_for_running() -> None:
    for node_slice in (HOME, AWAY):
        with pytest.raises(Refused, match="cannot read or write"):
            step(node_slice.domains["dns"], node_slice, view(domains=(domain(blocked=True),), resources=running()))


def test_a_domain_whose_disks_are_primary_on_the_partner_is_not_started() -> None:
    found = at_home(resources=running(peer_role=Role.PRIMARY))
    assert isinstance(found, Step)
    assert found.actions == ()
    assert "runs on dom0m" in found.comment


@pytest.mark.parametrize(
    "state",
    [state for state in ConnectionState if state not in (ConnectionState.CONNECTED, ConnectionState.STANDALONE)],
)
def test_a_partner_out_of_sight_is_waited_for_never_taken_for_down(state) -> None:
    found = at_home(resources=running(state=state, peer_role=Role.UNKNOWN, peer_disk=DiskState.UNKNOWN))
    assert isinstance(found, Wait)
    assert "unknown is not down" in found.reason


def test_already_being_primary_is_no_proof_while_the_partner_is_out_of_sight() -> None:
    found = at_home(resources=running(role=Role.PRIMARY, state=ConnectionState.CONNECTING, peer_role=Role.UNKNOWN))
    assert isinstance(found, Wait)


@pytest.mark.parametrize("state", [None, ConnectionState.STANDALONE])
def test_a_disk_that_does_not_connect_needs_a_person(state) -> None:
    with pytest.raises(Refused, match="StandAlone"):
        at_home(resources=running(state=state))


@pytest.mark.parametrize("disk", [disk for disk in DiskState if disk is not DiskState.UP_TO_DATE])
def test_nothing_but_up_to_date_data_is_started(disk) -> None:
    with pytest.raises(Refused, match=f"is {disk} here"):
        at_home(resources=running(disk=disk))


def test_data_that_are_being_synchronised_are_waited_for() -> None:
    target = running(disk=DiskState.INCONSISTENT, replication=ReplicationState.SYNC_TARGET)
    assert isinstance(at_home(resources=target), Wait)


def test_a_resource_that_is_not_up_refuses_the_start() -> None:
    with pytest.raises(Refused, match="not up"):
        at_home(resources={})


def test_suspended_input_and_output_is_waited_for() -> None:
    suspended = {"dns": replace(running()["dns"], suspended=True)}
    assert isinstance(at_home(resources=suspended), Wait)


@pytest.mark.parametrize("flag", ["shut_down", "dying"])
def test_a_domain_that_is_going_away_is_waited_for(flag) -> None:
    assert isinstance(at_home(domains=(domain(**{flag: True}),), resources=running()), Wait)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (domain(paused=True), "is paused"),
        (domain(crashed=True), "has crashed"),
        (domain("dns--incoming", paused=True), "migration"),
        (domain("dns--migratedaway"), "migration"),
        (domain(None), "migration"),
        (domain("dns", uuid="11111111-2222-4333-8444-555555555555"), "another UUID"),
        (domain("dns--incoming", uuid="11111111-2222-4333-8444-555555555555"), "another UUID"),
    ],
)
def test_what_is_here_in_an_unclear_condition_is_never_started_a_second_time(found, said) -> None:
    with pytest.raises(Refused, match=said):
        at_home(domains=(found,), resources=running())


def test_too_little_memory_is_refused_before_anything_is_promoted() -> None:
    with pytest.raises(Refused, match="has 128M free"):
        at_home(resources=running(), free_memory_bytes=128 * MIB)


def test_a_domain_without_its_configuration_is_not_started() -> None:
    with pytest.raises(Refused, match=r"/etc/xen/dns\.cfg is missing"):
        step(HOME.domains["dns"], HOME, view(resources=running(), files={"/etc/xen/dns.cfg": None}))


def two_disks():
    disks = (*HOME.domains["dns"].disks, replace(HOME.domains["dns"].disks[0], device="xvdb", resource="dns-xvdb"))
    return replace(HOME.domains["dns"], disks=disks)


def test_every_disk_has_to_prove_that_the_domain_runs_nowhere() -> None:
    second = replace(running(peer_role=Role.PRIMARY)["dns"], name="dns-xvdb")
    found = step(two_disks(), HOME, view(files=CFG, resources={**running(), "dns-xvdb": second}))
    assert isinstance(found, Wait)


def test_every_disk_is_promoted() -> None:
    second = replace(running()["dns"], name="dns-xvdb")
    found = step(two_disks(), HOME, view(files=CFG, resources={**running(), "dns-xvdb": second}))
    assert found.actions == (Promote(resource="dns"), Promote(resource="dns-xvdb"))
