"""A domain starts at home only, once, on good data, and never because the partner is out of sight."""

from dataclasses import replace

import pytest
from nodes import MIGRATION, as_it_should_be, domain, pair_slice, running, view

from saltern.errors import Refused
from saltern.model.action import ForgetStop, StartDomain
from saltern.model.operation import Standing
from saltern.model.places import stopped_file
from saltern.model.running import ConnectionState, DiskState, ReplicationState, Role
from saltern.plan.domain import step
from saltern.plan.step import Step, Wait
from saltern.units import MIB

HOME = pair_slice("dom0")
AWAY = pair_slice("dom0m")


def at_home(**parts):
    return step(HOME.domains["dns"], HOME, view(**parts))


@pytest.mark.parametrize("role", [Role.SECONDARY, Role.PRIMARY])
def test_a_start_is_one_action_whatever_the_role_since_the_block_script_promotes(role) -> None:
    assert at_home(resources=running(role=role)).actions == (StartDomain(domain="dns"),)


def test_a_partner_that_is_being_synchronised_does_not_keep_a_domain_from_starting() -> None:
    source = running(peer_disk=DiskState.INCONSISTENT, replication=ReplicationState.SYNC_SOURCE)
    assert at_home(resources=source).actions


@pytest.mark.parametrize("disk", [DiskState.DISKLESS, DiskState.FAILED])
def test_what_a_partner_without_its_disk_may_have_written_alone_is_not_started_over(disk) -> None:
    with pytest.raises(Refused, match="no disk on dom0m, which may have written it alone: what is here may be older"):
        at_home(resources=running(peer_disk=disk))


@pytest.mark.parametrize("disk", [DiskState.ATTACHING, DiskState.NEGOTIATING, DiskState.DETACHING])
def test_a_disk_of_the_partner_that_comes_or_goes_is_waited_for(disk) -> None:
    assert isinstance(at_home(resources=running(peer_disk=disk)), Wait)


def test_a_disk_of_the_partner_of_which_nothing_was_told_yet_is_waited_for() -> None:
    found = running()
    connection = found["dns"].connections[0]._replace(volumes={})
    assert isinstance(at_home(resources={"dns": found["dns"]._replace(connections=(connection,))}), Wait)


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


@pytest.mark.parametrize("disk", [disk for disk in DiskState if disk not in (DiskState.UP_TO_DATE, DiskState.DISKLESS)])
def test_nothing_but_up_to_date_data_is_started(disk) -> None:
    with pytest.raises(Refused, match=f"is {disk} here"):
        at_home(resources=running(disk=disk))


def test_data_that_are_being_synchronised_are_waited_for() -> None:
    target = running(disk=DiskState.INCONSISTENT, replication=ReplicationState.SYNC_TARGET)
    assert isinstance(at_home(resources=target), Wait)


def test_a_resource_that_is_not_up_refuses_the_start() -> None:
    with pytest.raises(Refused, match="not up"):
        at_home(resources={})


def test_what_the_guard_of_the_node_does_not_allow_is_waited_for() -> None:
    wait = at_home(resources=running(), against_start="neither dom0m nor the witness answers")
    assert isinstance(wait, Wait)
    assert "neither dom0m nor the witness answers" in wait.reason
    assert "guard.status" in wait.remedy


def test_suspended_input_and_output_is_waited_for() -> None:
    suspended = {"dns": running()["dns"]._replace(suspended=True)}
    assert isinstance(at_home(resources=suspended), Wait)


def test_nothing_is_started_on_a_device_that_fails_its_input_and_output() -> None:
    failing = {"dns": running()["dns"]._replace(fails_io=True)}
    assert isinstance(at_home(resources=failing), Wait)


@pytest.mark.parametrize("flag", ["shut_down", "dying"])
def test_a_domain_that_is_going_away_is_waited_for(flag) -> None:
    assert isinstance(at_home(domains=(domain(**{flag: True}),), resources=running()), Wait)


@pytest.mark.parametrize("name", ["dns", "dns--migratedaway"])
def test_a_domain_that_is_suspended_is_told_with_what_to_do_when_its_migration_was_interrupted(name) -> None:
    wait = at_home(domains=(domain(name, shut_down=True, suspended=True),), resources=running())
    assert isinstance(wait, Wait)
    assert "is suspended: a migration is going on, or was interrupted" in wait.reason
    assert "`xl destroy 7` ends it" in wait.remedy


@pytest.mark.parametrize("suspended", [True, False])
def test_the_sender_s_half_of_a_migration_is_told_as_such_with_where_to_look(suspended) -> None:
    for node_slice, other in ((HOME, "dom0m"), (AWAY, "dom0")):
        half = domain("dns--migratedaway", shut_down=True, suspended=suspended)
        wait = step(node_slice.domains["dns"], node_slice, view(domains=(half,), resources=running()))
        assert isinstance(wait, Wait)
        assert "the sender's half of a migration" in wait.reason
        assert f"it may be running on {other}" in wait.reason
        assert f"`xl list` on {other}" in wait.remedy
        assert "`xl destroy 7` ends it" in wait.remedy


def test_the_sender_s_half_that_xl_is_taking_away_is_waited_for() -> None:
    half = domain("dns--migratedaway", shut_down=True, suspended=True, dying=True)
    assert "being shut down" in at_home(domains=(half,), resources=running()).reason


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


def test_too_little_memory_is_refused_before_anything_is_attempted() -> None:
    with pytest.raises(Refused, match="has 128M free"):
        at_home(resources=running(), free_memory_bytes=128 * MIB)


def test_a_domain_is_never_started_from_a_configuration_of_somebody_else() -> None:
    with pytest.raises(Refused, match="is not what the topology says"):
        at_home(resources=running(), files={"/etc/xen/dns.cfg": 'name = "dns"\ndisk = ["phy:/dev/sdb,xvda,w"]\n'})


def test_a_domain_is_not_started_by_a_block_script_of_somebody_else() -> None:
    for found in (None, "#!/bin/sh\ndrbdadm primary --force dns\n"):
        with pytest.raises(Refused, match="block-saltern"):
            at_home(resources=running(), files={"/etc/xen/scripts/block-saltern": found})


def test_a_domain_is_not_started_by_a_block_script_that_xen_cannot_execute() -> None:
    with pytest.raises(Refused, match="block-saltern"):
        at_home(resources=running(), modes={"/etc/xen/scripts/block-saltern": 0o644})


def test_a_domain_whose_resource_runs_with_another_minor_is_not_started() -> None:
    moved = {"dns": running()["dns"]._replace(devices={0: running()["dns"].devices[0]._replace(minor=9)})}
    with pytest.raises(Refused, match="runs with minor 9"):
        at_home(resources=moved)


def test_a_domain_without_its_configuration_is_not_started() -> None:
    with pytest.raises(Refused, match="is not what the topology says"):
        step(HOME.domains["dns"], HOME, view(resources=running(), files={"/etc/xen/dns.cfg": None}))


def two_disks():
    first = HOME.resources["dns"]
    hosts = tuple(
        replace(host, minor=2, port=7793, disk="/dev/XEN/two", meta_device="/dev/XEN/two_meta") for host in first.hosts
    )
    disks = (*HOME.domains["dns"].disks, replace(HOME.domains["dns"].disks[0], device="xvdb", resource="two"))
    return replace(
        HOME,
        resources={"dns": first, "two": replace(first, name="two", hosts=hosts)},
        domains={"dns": replace(HOME.domains["dns"], disks=disks)},
    )


def second(**parts):
    found = running(**parts)["dns"]
    return found._replace(name="two", devices={0: found.devices[0]._replace(minor=2)})


def test_every_disk_has_to_prove_that_the_domain_runs_nowhere() -> None:
    share = two_disks()
    resources = {**running(), "two": second(peer_role=Role.PRIMARY)}
    found = step(share.domains["dns"], share, view(files=as_it_should_be(share), resources=resources))
    assert isinstance(found, Wait)


def test_a_domain_whose_disks_are_all_free_is_started() -> None:
    share = two_disks()
    resources = {**running(), "two": second()}
    found = step(share.domains["dns"], share, view(files=as_it_should_be(share), resources=resources))
    assert found.actions == (StartDomain(domain="dns"),)


@pytest.mark.parametrize("found", [(), (domain("dns--migratedaway", suspended=True, shut_down=True),)])
def test_a_domain_that_somebody_moves_is_left_alone_whatever_of_it_is_here(found) -> None:
    moving = at_home(operation=Standing(operation=MIGRATION, alive=True), domains=found)
    assert moving.actions == ()
    assert "begun by root on master" in moving.comment


def test_a_domain_is_not_started_beside_an_operation_that_is_not_settled() -> None:
    with pytest.raises(Refused, match="left half-done"):
        at_home(operation=Standing(operation=MIGRATION, alive=False), resources=running())


def test_what_was_stopped_stays_so_whatever_is_known_of_its_disks() -> None:
    found = at_home(stopped="stopped by root on master at 10:00", resources=running())
    assert isinstance(found, Step)
    assert (found.actions, found.comment) == (
        (),
        "dns stays stopped: stopped by root on master at 10:00; `salt-run state.orch start` starts it",
    )


def test_what_is_seen_to_run_here_is_no_longer_kept_stopped() -> None:
    for node_slice in (HOME, AWAY):
        seen = view(stopped="by root", domains=(domain(blocked=True),))
        assert step(node_slice.domains["dns"], node_slice, seen).actions == (ForgetStop(domain="dns"),)


def test_a_disk_that_somebody_uses_on_the_partner_does_not_end_a_stop() -> None:
    for node_slice in (HOME, AWAY):
        seen = view(stopped="by root", resources=running(peer_role=Role.PRIMARY))
        assert step(node_slice.domains["dns"], node_slice, seen).actions == ()


def test_a_note_about_a_machine_of_another_uuid_stops_nothing() -> None:
    files = {stopped_file("dns"): "00000000-0000-0000-0000-000000000000 stopped by root\n"}
    assert at_home(files=files, resources=running()).actions == (StartDomain(domain="dns"),)
