"""What Salt is given of the core's values."""

from saltern.bridge import plain
from saltern.model.running import Device, DiskState, Role, RunningResource


def test_what_drbd_runs_is_carried_by_the_names_of_its_fields() -> None:
    found = RunningResource(
        name="dns",
        role=Role.PRIMARY,
        suspended=False,
        devices={0: Device(minor=1, disk=DiskState.UP_TO_DATE)},
        connections=(),
    )
    device = {"minor": 1, "disk": "UpToDate", "size_bytes": None}
    assert plain([found]) == [
        {"name": "dns", "role": "Primary", "suspended": False, "devices": {0: device}, "connections": []}
    ]
