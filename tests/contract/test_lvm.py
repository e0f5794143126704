"""LVM answers as it did when it was recorded (tests/data/transcripts)."""

import re

import pytest
from contract_steps import synced
from contract_target import Target, transcript

GROUP = ["pvcreate /dev/vdb", "vgcreate XEN /dev/vdb"]
META = [*GROUP, "lvcreate -n meta -L 136M XEN"]


def volumes(target: Target) -> None:
    for command in [*META, "lvcreate -n dns -L 256M XEN"]:
        assert target.run("node1", command).returncode == 0


# What is run before; everything else begins with the volumes.
FROM_BARE = {1: [], 2: ["pvcreate /dev/vdb"], 3: ["pvcreate /dev/vdb"], 4: GROUP, 5: GROUP, 6: GROUP, 7: META}
# What else stood on the disk then: 511 - 34 - 96 - 80 = 301 extents were free after growing.
FROM_VOLUMES: dict[int, list[str]] = {
    **{number: [] for number in (8, 9, 10, *range(12, 20))},
    206: ["lvcreate -n two -l 96 XEN"],
}


def normal(text: str) -> str:
    """Identifiers and dates are different every time."""
    text = re.sub(r"\b\w{6}(-\w{4}){5}-\w{6}\b", "UUID", text)
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000", "TIME", text)


@pytest.mark.parametrize("number", FROM_BARE | FROM_VOLUMES)
def test_lvm_answers_as_recorded(target: Target, number: int) -> None:
    recorded = transcript(number)
    if number in FROM_VOLUMES:
        target.start(volumes)
    for command in (FROM_BARE | FROM_VOLUMES)[number]:
        assert target.run(recorded.node, command).returncode == 0
    answer = target.run(recorded.node, recorded.command)
    assert answer.returncode == recorded.answer.returncode
    assert normal(answer.stdout) == normal(recorded.answer.stdout)
    assert answer.stderr == recorded.answer.stderr


def test_lvreduce_takes_the_disk_from_under_drbd_and_lvremove_does_not(target: Target) -> None:
    target.start(synced)
    assert target.run("node1", "lvextend -L 384M XEN/dns").returncode == 0
    recorded = transcript(211)
    assert target.run("node1", recorded.command) == recorded.answer
