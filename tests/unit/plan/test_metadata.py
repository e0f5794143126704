"""Metadata are created once, on volumes that are provably blank: the table of docs/design/converge.md."""

import pytest
from nodes import BLANK, NEW, USED, lvm, pair_slice, running, view

from saltern.errors import Refused
from saltern.model.action import CreateMetadata, UntagVolume
from saltern.model.observed import DiskState, Metadata, MetadataState
from saltern.plan.metadata import step
from saltern.plan.volume import BLANK_TAG
from saltern.units import GIB, MIB

SLICE = pair_slice()
DNS = SLICE.resources["dns"]
MARK = {BLANK_TAG}
UNTAG_DATA = UntagVolume(volume_group="XEN", name="dns", tag=BLANK_TAG)
UNTAG_META = UntagVolume(volume_group="XEN", name="dns_meta", tag=BLANK_TAG)


def volumes(data: set[str], meta: set[str]):
    return lvm({"dns": (GIB, data), "dns_meta": (4 * MIB, meta)})


def test_blank_volumes_get_metadata_then_lose_their_marks() -> None:
    found = step(DNS, SLICE, view(volumes=volumes(MARK, MARK), metadata=BLANK))
    assert found.actions == (CreateMetadata(resource="dns"), UNTAG_DATA, UNTAG_META)


def test_drbd_9_metadata_have_room_for_more_peers() -> None:
    found = step(DNS, SLICE, view(volumes=volumes(MARK, MARK), metadata=BLANK, kernel=(9, 2, 8)))
    assert found.actions[0] == CreateMetadata(resource="dns", max_peers=3)


@pytest.mark.parametrize(
    ("data", "meta", "left"),
    [(MARK, MARK, (UNTAG_DATA, UNTAG_META)), (set(), MARK, (UNTAG_META,)), (MARK, set(), (UNTAG_DATA,))],
)
def test_after_a_crash_between_creating_and_unmarking_only_the_marks_are_taken_away(data, meta, left) -> None:
    assert step(DNS, SLICE, view(volumes=volumes(data, meta), metadata=NEW)).actions == left


@pytest.mark.parametrize(("data", "meta"), [(MARK, MARK), (MARK, set())])
def test_metadata_of_a_generation_over_a_new_volume_are_refused(data, meta) -> None:
    with pytest.raises(Refused, match="describe data that are gone"):
        step(DNS, SLICE, view(volumes=volumes(data, meta), metadata=USED))


@pytest.mark.parametrize(("data", "meta"), [(set(), MARK), (set(), set()), (MARK, set())])
@pytest.mark.parametrize("metadata", [BLANK, Metadata(state=MetadataState.NO_DEVICE)])
def test_no_metadata_on_a_volume_that_is_not_marked_as_blank(data, meta, metadata) -> None:
    with pytest.raises(Refused, match=f"lvchange --addtag {BLANK_TAG}"):
        step(DNS, SLICE, view(volumes=volumes(data, meta), metadata=metadata))


def test_valid_metadata_stay() -> None:
    assert step(DNS, SLICE, view(volumes=volumes(set(), set()), metadata=USED)).actions == ()


def test_an_attached_disk_needs_no_look_at_its_metadata() -> None:
    assert step(DNS, SLICE, view(volumes=volumes(set(), set()), resources=running())).actions == ()


@pytest.mark.parametrize("disk", [DiskState.UP_TO_DATE, DiskState.OUTDATED, DiskState.CONSISTENT])
def test_an_attached_disk_that_is_still_marked_as_blank_and_taken_for_data_is_refused(disk) -> None:
    with pytest.raises(Refused, match="still marked"):
        step(DNS, SLICE, view(volumes=volumes(MARK, set()), resources=running(disk=disk)))


def test_an_attached_disk_that_nobody_takes_for_data_loses_its_mark() -> None:
    found = view(volumes=volumes(MARK, set()), resources=running(disk=DiskState.INCONSISTENT))
    assert step(DNS, SLICE, found).actions == (UNTAG_DATA,)


def test_a_slot_beyond_the_end_of_the_shared_meta_disk_is_refused() -> None:
    shared = pair_slice(shared_meta=True)
    found = view(volumes=lvm({"dns": (GIB, MARK), "meta": (136 * MIB, set())}), metadata=BLANK)
    with pytest.raises(Refused, match="slot 1 needs a meta-disk of 256 MiB"):
        step(shared.resources["dns"], shared, found)


def test_a_shared_meta_disk_needs_no_mark() -> None:
    shared = pair_slice(shared_meta=True)
    found = view(volumes=lvm({"dns": (GIB, MARK), "meta": (256 * MIB, set())}), metadata=BLANK)
    assert step(shared.resources["dns"], shared, found).actions == (CreateMetadata(resource="dns"), UNTAG_DATA)
