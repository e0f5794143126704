"""Metadata are created once, on volumes that are provably blank: the table of docs/design/converge.md."""

import pytest
from nodes import BLANK, NEW, USED, as_it_should_be, lvm, pair_slice, running, view

from saltern.errors import Refused
from saltern.model.action import CreateMetadata, MarkVolume, WipeMetadata
from saltern.model.observed import Metadata, MetadataState
from saltern.model.running import DiskState, Generation
from saltern.plan.metadata import step, wipe_step
from saltern.plan.volume import BLANK_TAG, NEW_TAG
from saltern.units import GIB, MIB

SLICE = pair_slice()
DNS = SLICE.resources["dns"]
MARK = {BLANK_TAG}
DATA_IS_NEW = MarkVolume(volume_group="XEN", name="dns", remove=BLANK_TAG, add=NEW_TAG)
META_IS_USED = MarkVolume(volume_group="XEN", name="dns_meta", remove=BLANK_TAG)


def volumes(data: set[str], meta: set[str]):
    return lvm({"dns": (GIB, data), "dns_meta": (4 * MIB, meta)})


def test_blank_volumes_get_metadata_and_the_data_volume_counts_as_new() -> None:
    found = step(DNS, SLICE, view(volumes=volumes(MARK, MARK), metadata=BLANK))
    assert found.actions == (CreateMetadata(resource="dns"), DATA_IS_NEW, META_IS_USED)


def test_no_metadata_for_a_resource_that_is_not_configured() -> None:
    with pytest.raises(Refused, match="not configured"):
        step(DNS, SLICE, view(volumes=volumes(MARK, MARK), metadata=BLANK, files={"/etc/drbd.d/dns.res": None}))


def test_drbd_9_metadata_have_room_for_more_peers() -> None:
    files = as_it_should_be(SLICE, Generation.V9)
    found = step(DNS, SLICE, view(volumes=volumes(MARK, MARK), metadata=BLANK, kernel=(9, 2, 8), files=files))
    assert found.actions[0] == CreateMetadata(resource="dns", max_peers=3)


@pytest.mark.parametrize(
    ("data", "meta", "left"),
    [
        (MARK, MARK, (DATA_IS_NEW, META_IS_USED)),
        ({NEW_TAG}, MARK, (META_IS_USED,)),
        (MARK, set(), (DATA_IS_NEW,)),
        ({NEW_TAG}, set(), ()),
    ],
)
def test_after_a_crash_between_creating_and_marking_only_the_marks_are_changed(data, meta, left) -> None:
    assert step(DNS, SLICE, view(volumes=volumes(data, meta), metadata=NEW)).actions == left


@pytest.mark.parametrize(("data", "meta"), [(MARK, MARK), (MARK, set()), (set(), MARK)])
def test_metadata_of_a_generation_over_a_new_volume_are_refused(data, meta) -> None:
    with pytest.raises(Refused, match="describe data that are gone"):
        step(DNS, SLICE, view(volumes=volumes(data, meta), metadata=USED))


@pytest.mark.parametrize(("data", "meta"), [(set(), MARK), (set(), set()), (MARK, set()), ({NEW_TAG}, MARK)])
@pytest.mark.parametrize("metadata", [BLANK, Metadata(state=MetadataState.NO_DEVICE)])
def test_no_metadata_on_a_volume_that_is_not_marked_as_blank(data, meta, metadata) -> None:
    with pytest.raises(Refused, match=f"lvchange --addtag {BLANK_TAG}"):
        step(DNS, SLICE, view(volumes=volumes(data, meta), metadata=metadata))


def test_new_metadata_that_somebody_made_on_a_volume_with_data_are_refused() -> None:
    with pytest.raises(Refused, match="it may hold data"):
        step(DNS, SLICE, view(volumes=volumes(set(), set()), metadata=NEW))


def test_metadata_of_a_generation_stay() -> None:
    assert step(DNS, SLICE, view(volumes=volumes(set(), set()), metadata=USED)).actions == ()


@pytest.mark.parametrize("data", [set(), {NEW_TAG}])
def test_an_attached_disk_needs_no_look_at_its_metadata(data) -> None:
    assert step(DNS, SLICE, view(volumes=volumes(data, set()), resources=running())).actions == ()


@pytest.mark.parametrize("disk", [DiskState.UP_TO_DATE, DiskState.OUTDATED, DiskState.CONSISTENT])
def test_an_attached_disk_that_is_still_marked_as_blank_and_taken_for_data_is_refused(disk) -> None:
    with pytest.raises(Refused, match="still marked"):
        step(DNS, SLICE, view(volumes=volumes(MARK, set()), resources=running(disk=disk)))


def test_an_attached_disk_that_nobody_takes_for_data_loses_its_mark() -> None:
    found = view(volumes=volumes(MARK, set()), resources=running(disk=DiskState.INCONSISTENT))
    assert step(DNS, SLICE, found).actions == (DATA_IS_NEW,)


def test_a_slot_beyond_the_end_of_the_shared_meta_disk_is_refused() -> None:
    shared = pair_slice(shared_meta=True)
    found = view(volumes=lvm({"dns": (GIB, MARK), "meta": (136 * MIB, set())}), metadata=BLANK)
    with pytest.raises(Refused, match="slot 1 needs a meta-disk of 256 MiB"):
        step(shared.resources["dns"], shared, found)


def test_a_shared_meta_disk_needs_no_mark() -> None:
    shared = pair_slice(shared_meta=True)
    volumes = lvm({"dns": (GIB, MARK), "meta": (256 * MIB, set())})
    found = view(volumes=volumes, metadata=BLANK, files=as_it_should_be(shared))
    assert step(shared.resources["dns"], shared, found).actions == (CreateMetadata(resource="dns"), DATA_IS_NEW)


@pytest.mark.parametrize("data", [{}, {"dns": (GIB, MARK)}])
def test_metadata_of_a_lost_replica_can_be_wiped(data) -> None:
    found = view(volumes=lvm({**data, "dns_meta": (4 * MIB, set())}), metadata=USED)
    assert wipe_step(DNS, SLICE, found).actions == (
        WipeMetadata(
            resource="dns", minor=1, generation=Generation.V84, meta_device="/dev/XEN/dns_meta", meta_index=None
        ),
        MarkVolume(volume_group="XEN", name="dns_meta", add=BLANK_TAG),
    )


def test_metadata_of_a_volume_that_may_hold_data_are_not_wiped() -> None:
    with pytest.raises(Refused, match="may hold the data of this replica"):
        wipe_step(DNS, SLICE, view(volumes=volumes(set(), set()), metadata=USED))


def test_metadata_in_use_are_not_wiped() -> None:
    with pytest.raises(Refused, match="attached"):
        wipe_step(DNS, SLICE, view(volumes=volumes(MARK, MARK), resources=running()))
