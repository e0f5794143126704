"""The first synchronisation starts at home between provably new sides; growth happens when both volumes have grown."""

import pytest
from nodes import NEW, USED, lvm, pair_slice, running, view

from saltern.errors import Refused
from saltern.model.action import Demote, MarkVolume, Promote, ResizeResource, StartFirstSync
from saltern.model.running import ConnectionState, DiskState, ReplicationState, Role
from saltern.plan.step import Step, Wait
from saltern.plan.synchronisation import first_step, size_step
from saltern.plan.volume import NEW_TAG
from saltern.units import GIB, MIB

HOME = pair_slice("dom0")
AWAY = pair_slice("dom0m")
DNS = HOME.resources["dns"]
BOTH_NEW = running(disk=DiskState.INCONSISTENT, peer_disk=DiskState.INCONSISTENT)


MARKED = lvm({"dns": (GIB, {NEW_TAG})})
UNMARKED = lvm({"dns": (GIB, set())})
END_OF_NEW = (MarkVolume(volume_group="XEN", name="dns", remove=NEW_TAG),)


def test_the_home_node_starts_the_first_synchronisation_between_new_sides() -> None:
    found = first_step(DNS, HOME, view(volumes=MARKED, resources=BOTH_NEW, metadata=NEW))
    assert found.actions == (StartFirstSync(resource="dns"), Demote(resource="dns"))


def test_the_partner_never_starts_it_and_waits_for_it() -> None:
    assert isinstance(first_step(DNS, AWAY, view(volumes=MARKED, resources=BOTH_NEW, metadata=NEW)), Wait)


@pytest.mark.parametrize(("volumes", "metadata"), [(MARKED, USED), (UNMARKED, NEW), (UNMARKED, USED)])
def test_a_disk_that_is_not_provably_new_is_never_forced(volumes, metadata) -> None:
    with pytest.raises(Refused, match="neither side is known to have the whole data"):
        first_step(DNS, HOME, view(volumes=volumes, resources=BOTH_NEW, metadata=metadata))


@pytest.mark.parametrize(
    "state", [None, *(state for state in ConnectionState if state is not ConnectionState.CONNECTED)]
)
@pytest.mark.parametrize("node_slice", [HOME, AWAY])
def test_nothing_is_forced_without_the_partner(node_slice, state) -> None:
    alone = running(disk=DiskState.INCONSISTENT, state=state)
    assert isinstance(first_step(DNS, node_slice, view(volumes=MARKED, resources=alone, metadata=NEW)), Wait)


@pytest.mark.parametrize("peer_disk", [disk for disk in DiskState if disk is not DiskState.INCONSISTENT])
def test_nothing_is_forced_over_a_partner_that_is_not_new(peer_disk) -> None:
    found = running(disk=DiskState.INCONSISTENT, peer_disk=peer_disk)
    assert isinstance(first_step(DNS, HOME, view(volumes=MARKED, resources=found, metadata=NEW)), Wait)


@pytest.mark.parametrize("state", [state for state in ReplicationState if state.value not in ("Off", "Established")])
@pytest.mark.parametrize("node_slice", [HOME, AWAY])
def test_the_mark_of_the_new_ends_when_a_synchronisation_has_started(node_slice, state) -> None:
    syncing = running(disk=DiskState.INCONSISTENT, peer_disk=DiskState.INCONSISTENT, replication=state)
    assert first_step(DNS, node_slice, view(volumes=MARKED, resources=syncing)).actions == END_OF_NEW
    assert first_step(DNS, node_slice, view(volumes=UNMARKED, resources=syncing)).actions == ()


@pytest.mark.parametrize("disk", [DiskState.UP_TO_DATE, DiskState.OUTDATED, DiskState.CONSISTENT])
def test_a_disk_that_has_data_is_left_alone(disk) -> None:
    assert first_step(DNS, HOME, view(volumes=UNMARKED, resources=running(disk=disk))).actions == ()
    assert first_step(DNS, HOME, view(volumes=MARKED, resources=running(disk=disk))).actions == END_OF_NEW


def test_a_half_synchronised_disk_without_its_partner_is_not_waited_for() -> None:
    alone = running(disk=DiskState.INCONSISTENT, state=ConnectionState.CONNECTING)
    found = first_step(DNS, AWAY, view(volumes=UNMARKED, resources=alone))
    assert isinstance(found, Step)
    assert found.actions == ()


SMALL = 512 * MIB


def test_a_device_does_not_grow_beyond_its_own_volume() -> None:
    small = lvm({"dns": (SMALL, set())})
    with pytest.raises(Refused, match="its volume has 512M, not 1G yet"):
        size_step(DNS, HOME, view(volumes=small, resources=running(role=Role.PRIMARY, size_bytes=SMALL)))


def test_the_primary_makes_use_of_growth() -> None:
    found = size_step(DNS, HOME, view(volumes=UNMARKED, resources=running(role=Role.PRIMARY, size_bytes=SMALL)))
    assert found.actions == (ResizeResource(resource="dns"),)
    assert found.waits_for == "the volume on dom0m has not grown yet"


def test_with_two_secondaries_the_home_node_promotes_for_it() -> None:
    assert size_step(DNS, HOME, view(volumes=UNMARKED, resources=running(size_bytes=SMALL))).actions == (
        Promote(resource="dns"),
    )
    assert size_step(DNS, AWAY, view(volumes=UNMARKED, resources=running(size_bytes=SMALL))).actions == ()


def test_a_primary_partner_is_left_to_do_it() -> None:
    assert (
        size_step(
            DNS, HOME, view(volumes=UNMARKED, resources=running(size_bytes=SMALL, peer_role=Role.PRIMARY))
        ).actions
        == ()
    )


@pytest.mark.parametrize(
    "found",
    [
        running(size_bytes=SMALL, state=ConnectionState.CONNECTING),
        running(size_bytes=SMALL, peer_disk=DiskState.INCONSISTENT, replication=ReplicationState.SYNC_SOURCE),
    ],
)
def test_growth_waits_for_a_synchronised_partner(found) -> None:
    assert isinstance(size_step(DNS, HOME, view(volumes=UNMARKED, resources=found)), Wait)


def test_a_side_that_was_promoted_for_the_growth_alone_is_demoted_after_it() -> None:
    grown = running(role=Role.PRIMARY, size_bytes=GIB)
    assert size_step(DNS, HOME, view(resources=grown, promoted=("dns",))).actions == (Demote(resource="dns"),)
    assert size_step(DNS, HOME, view(resources=grown)).actions == ()


def test_a_device_of_the_right_size_needs_nothing() -> None:
    assert size_step(DNS, HOME, view(volumes=UNMARKED, resources=running(size_bytes=GIB))).actions == ()
