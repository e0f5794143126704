"""Volumes are created and grown, never shrunk, and a lost one is never replaced in silence."""

from dataclasses import replace

import pytest
from nodes import BLANK, NEW, USED, lvm, pair_slice, running, view

from saltern.errors import Refused
from saltern.model.action import CreateVolume, ExtendVolume
from saltern.model.observed import Metadata, MetadataState
from saltern.observe import Observation
from saltern.plan.project import configuration
from saltern.plan.volume import BLANK_TAG, step
from saltern.units import GIB, MIB

SLICE = pair_slice()
DATA, META = SLICE.volumes
GONE = Metadata(state=MetadataState.NO_DEVICE)


def test_a_missing_data_volume_is_created_and_marked_as_blank() -> None:
    found = step(DATA, SLICE, view(metadata=GONE))
    assert found.actions == (CreateVolume(volume_group="XEN", name="dns", size_bytes=GIB, tag=BLANK_TAG),)
    assert found.changes == {"volume /dev/XEN/dns": {"old": None, "new": "1G"}}


def test_a_metadata_volume_of_its_own_is_marked_as_blank_a_shared_one_is_not() -> None:
    assert step(META, SLICE, view()).actions[0].tag == BLANK_TAG
    shared = pair_slice(shared_meta=True)
    assert step(shared.volumes[1], shared, view()).actions[0].tag is None


def test_a_size_between_extents_is_rounded_up() -> None:
    found = step(replace(DATA, size_bytes=GIB + 1), SLICE, view(metadata=BLANK))
    assert found.actions[0].size_bytes == GIB + 4 * MIB


def test_a_volume_that_is_too_small_grows() -> None:
    found = step(DATA, SLICE, view(volumes=lvm({"dns": (512 * MIB, set())}), resources=running(size_bytes=512 * MIB)))
    assert found.actions == (ExtendVolume(volume_group="XEN", name="dns", size_bytes=GIB),)


def test_a_volume_that_was_reduced_under_its_device_is_not_grown_again_in_silence() -> None:
    with pytest.raises(Refused, match="the end of its data is gone"):
        step(DATA, SLICE, view(volumes=lvm({"dns": (512 * MIB, set())}), resources=running(size_bytes=GIB)))


def test_a_volume_with_data_does_not_grow_while_its_resource_is_down() -> None:
    with pytest.raises(Refused, match="has been reduced"):
        step(DATA, SLICE, view(volumes=lvm({"dns": (512 * MIB, set())})))


@pytest.mark.parametrize("size_bytes", [GIB, 3 * GIB])
def test_a_volume_that_is_large_enough_stays_as_it_is(size_bytes: int) -> None:
    assert step(DATA, SLICE, view(volumes=lvm({"dns": (size_bytes, set())}))).actions == ()


def test_a_volume_that_is_larger_than_the_topology_says_is_told_of() -> None:
    assert step(DATA, SLICE, view(volumes=lvm({"dns": (GIB, set())}))).warning is None
    assert "never shrunk" in step(DATA, SLICE, view(volumes=lvm({"dns": (3 * GIB, set())}))).warning


def test_a_lost_data_volume_is_not_replaced_by_an_empty_one_under_its_metadata() -> None:
    with pytest.raises(Refused, match="this replica has been lost"):
        step(DATA, SLICE, view(metadata=USED))


def attached_elsewhere(disk: str, meta_device: str) -> Observation:
    """A disk that the kernel has attached, by a file that gives this node these volumes."""
    here, *there = SLICE.resources["dns"].hosts
    found = configuration(
        replace(SLICE.resources["dns"], hosts=(replace(here, disk=disk, meta_device=meta_device), *there))
    )
    return view(metadata=USED, resources=running(), configured={"dns": found})


def test_a_volume_that_was_renamed_under_its_metadata_is_not_replaced_by_an_empty_one() -> None:
    """When the file is put back, a boot would attach the empty one by metadata that call it UpToDate."""
    with pytest.raises(Refused, match="this replica has been lost"):
        step(DATA, SLICE, attached_elsewhere("/dev/XEN/dns-renamed", META.path))


def test_a_copy_in_another_place_with_metadata_of_its_own_does_not_keep_a_new_one_from_being_made() -> None:
    assert step(DATA, SLICE, attached_elsewhere("/dev/OLD/dns", "/dev/OLD/dns_meta")).actions


def test_a_data_volume_whose_metadata_never_held_data_is_created() -> None:
    assert step(DATA, SLICE, view(metadata=NEW)).actions


def test_a_full_volume_group_is_refused_before_lvm_refuses() -> None:
    with pytest.raises(Refused, match="has 512M free"):
        step(DATA, SLICE, view(volumes=lvm(free_bytes=512 * MIB), metadata=BLANK))


def test_a_missing_volume_group_is_refused() -> None:
    with pytest.raises(Refused, match="volume group XEN does not exist"):
        step(DATA, SLICE, view(volumes=replace(lvm(), volume_groups={})))


def test_an_inactive_volume_is_refused() -> None:
    found = lvm({"dns": (GIB, set())})
    inactive = replace(found.volumes["XEN", "dns"], active=False)
    with pytest.raises(Refused, match="lvchange --activate y XEN/dns"):
        step(DATA, SLICE, view(volumes=replace(found, volumes={("XEN", "dns"): inactive})))
