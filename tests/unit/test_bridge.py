"""What Salt is given of the core's values."""

import json

import pytest
from pair import TOPOLOGY, slices

from saltern import bridge
from saltern.bridge import plain
from saltern.desired import part, slice_to_pillar
from saltern.errors import SliceError
from saltern.model.desired import NodeSlice
from saltern.model.running import Device, DiskState, Role, RunningResource
from saltern.secrets import masked


def test_what_drbd_runs_is_carried_by_the_names_of_its_fields() -> None:
    found = RunningResource(
        name="dns",
        role=Role.PRIMARY,
        suspended=False,
        devices={0: Device(minor=1, disk=DiskState.UP_TO_DATE)},
        connections=(),
    )
    device = {"minor": 1, "disk": "UpToDate", "size_bytes": None, "quorum": None}
    told = {"awaits_handler": False, "lacks_quorum": False, "tie_breakers": [], "fails_io": False}
    assert plain([found]) == [
        {"name": "dns", "role": "Primary", "suspended": False, "devices": {0: device}, "connections": [], **told}
    ]


def pillar(share: NodeSlice) -> dict[str, object]:
    return {bridge.PILLAR_KEY: slice_to_pillar(share)}


def test_a_minion_that_has_an_old_pillar_asks_for_the_present_one_and_no_secret_travels_for_that() -> None:
    old, new = slices()["dom0"], slices(TOPOLOGY.replace("xvdb: {size: 128M}", "xvdb: {size: 160M}"))["dom0"]
    expected = masked(slice_to_pillar(part(new, ["mail"])))
    secret = new.resources["mail"].sections["net"]["shared-secret"]
    assert secret not in json.dumps(expected)
    assert bridge.current_slice(pillar(old), expected, lambda: pillar(new)) == new
    assert bridge.current_slice({}, expected, lambda: pillar(new)) == new
    assert bridge.current_slice(pillar(new), expected, lambda: pytest.fail("the present one was there")) == new
    with pytest.raises(SliceError, match="says another thing of mail"):
        bridge.current_slice(pillar(old), expected, lambda: pillar(old))


def test_what_was_not_asked_about_may_have_changed() -> None:
    old, new = slices()["dom0"], slices(TOPOLOGY.replace("xvdb: {size: 128M}", "xvdb: {size: 160M}"))["dom0"]
    expected = masked(slice_to_pillar(part(new, ["dns"])))
    assert bridge.current_slice(pillar(old), expected, lambda: pytest.fail("it says the same of dns")) == old
