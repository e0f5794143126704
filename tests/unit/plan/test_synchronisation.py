"""The first synchronisation starts at home between provably new sides; growth happens when both volumes have grown."""

import pytest
from nodes import NEW, USED, pair_slice, running, view

from saltern.errors import Refused
from saltern.model.action import Demote, Promote, ResizeResource, StartFirstSync
from saltern.model.observed import ConnectionState, DiskState, ReplicationState, Role
from saltern.plan.step import Step, Wait
from saltern.plan.synchronisation import first_step, size_step
from saltern.units import GIB, MIB

HOME = pair_slice("dom0")
AWAY = pair_slice("dom0m")
DNS = HOME.resources["dns"]
BOTH_NEW = running(disk=DiskState.INCONSISTENT, peer_disk=DiskState.INCONSISTENT)


def test_the_home_node_starts_the_first_synchronisation_between_new_sides() -> None:
    found = first_step(DNS, HOME, view(resources=BOTH_NEW, metadata=NEW))
    assert found.actions == (StartFirstSync(resource="dns"), Demote(resource="dns"))


def test_the_partner_never_starts_it() -> None:
    assert first_step(DNS, AWAY, view(resources=BOTH_NEW, metadata=NEW)).actions == ()


def test_a_disk_with_a_history_is_never_forced() -> None:
    with pytest.raises(Refused, match="neither side has the whole data"):
        first_step(DNS, HOME, view(resources=BOTH_NEW, metadata=USED))


@pytest.mark.parametrize(
    "state", [None, *(state for state in ConnectionState if state is not ConnectionState.CONNECTED)]
)
def test_nothing_is_forced_without_the_partner(state) -> None:
    found = first_step(DNS, HOME, view(resources=running(disk=DiskState.INCONSISTENT, state=state), metadata=NEW))
    assert isinstance(found, Wait)


@pytest.mark.parametrize("peer_disk", [disk for disk in DiskState if disk is not DiskState.INCONSISTENT])
def test_nothing_is_forced_over_a_partner_that_is_not_new(peer_disk) -> None:
    found = first_step(
        DNS, HOME, view(resources=running(disk=DiskState.INCONSISTENT, peer_disk=peer_disk), metadata=NEW)
    )
    assert isinstance(found, Step)
    assert found.actions == ()


@pytest.mark.parametrize("state", [state for state in ReplicationState if state is not ReplicationState.ESTABLISHED])
def test_nothing_is_forced_while_something_is_being_synchronised(state) -> None:
    syncing = running(disk=DiskState.INCONSISTENT, peer_disk=DiskState.INCONSISTENT, replication=state)
    assert first_step(DNS, HOME, view(resources=syncing, metadata=NEW)).actions == ()


@pytest.mark.parametrize("disk", [DiskState.UP_TO_DATE, DiskState.OUTDATED, DiskState.CONSISTENT])
def test_a_disk_that_has_data_is_left_alone(disk) -> None:
    assert first_step(DNS, HOME, view(resources=running(disk=disk))).actions == ()


SMALL = 512 * MIB


def test_the_primary_makes_use_of_growth() -> None:
    found = size_step(DNS, HOME, view(resources=running(role=Role.PRIMARY, size_bytes=SMALL)))
    assert found.actions == (ResizeResource(resource="dns"),)
    assert found.waits_for == "the volume on dom0m has not grown yet"


def test_with_two_secondaries_the_home_node_promotes_for_it() -> None:
    assert size_step(DNS, HOME, view(resources=running(size_bytes=SMALL))).actions == (Promote(resource="dns"),)
    assert size_step(DNS, AWAY, view(resources=running(size_bytes=SMALL))).actions == ()


def test_a_primary_partner_is_left_to_do_it() -> None:
    assert size_step(DNS, HOME, view(resources=running(size_bytes=SMALL, peer_role=Role.PRIMARY))).actions == ()


@pytest.mark.parametrize(
    "found",
    [
        running(size_bytes=SMALL, state=ConnectionState.CONNECTING),
        running(size_bytes=SMALL, peer_disk=DiskState.INCONSISTENT, replication=ReplicationState.SYNC_SOURCE),
    ],
)
def test_growth_waits_for_a_synchronised_partner(found) -> None:
    assert isinstance(size_step(DNS, HOME, view(resources=found)), Wait)


def test_a_device_of_the_right_size_needs_nothing() -> None:
    assert size_step(DNS, HOME, view(resources=running(size_bytes=GIB))).actions == ()
