"""drbdmeta as it answered on real block devices: drbd-utils 9.22, and transcripts in brackets."""

from pathlib import Path

import pytest

from saltern.sim import drbd
from saltern.sim.drbd import metadata
from saltern.sim.model import BlockDevice
from saltern.sim.tools import Result
from saltern.sim.world import NodeSpec, World
from saltern.units import MIB

JUST_CREATED = "0000000000000004:0000000000000000:0000000000000000:0000000000000000"
RECORDED = Path(__file__).parents[3] / "data" / "drbdmeta"
NO_TTY = "stdin not a TTY, not waiting for confirmation\n"


class Disk:
    """A node with a meta-disk of 600 MiB."""

    def __init__(self) -> None:
        self.world = World.create([NodeSpec(name="n1", address="10.0.0.1")])
        self.device = BlockDevice(600 * MIB)
        self.world.nodes["n1"].devices["/dev/vdd"] = self.device

    def meta(self, place: str, *words: str, version: str = "v08", path: str = "/dev/vdd") -> Result:
        return drbd.run(self.world, "n1", ["drbdmeta", "11", version, path, place, *words])


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.mark.parametrize("place", ["0", "1", "flex-external", "internal"])
def test_the_exit_code_tells_blank_from_valid_from_missing(disk: Disk, place: str) -> None:
    """[249, 251]"""
    assert disk.meta(place, "get-gi") == Result(1)
    assert disk.meta(place, "create-md").returncode == 0
    assert disk.meta(place, "get-gi") == Result(0, f"{JUST_CREATED}:0:0:0:0:0:0:0\n")
    missing = disk.meta(place, "get-gi", path="/dev/nosuch")
    assert missing == Result(20, "", "open(/dev/nosuch) failed: No such file or directory\n")


def test_metadata_of_9_have_flags_of_their_own(disk: Disk) -> None:
    assert disk.meta("0", "create-md", "1", version="v09").returncode == 0
    assert disk.meta("0", "--node-id=1", "get-gi", version="v09").stdout == f"{JUST_CREATED}:0:0:0:0:1:0:0:0:0:0:0:0\n"


@pytest.mark.parametrize("place", ["1", "flex-external"])
def test_metadata_are_not_written_over_metadata_unasked(disk: Disk, place: str) -> None:
    """[262]"""
    disk.meta(place, "create-md")
    refused = disk.meta(place, "create-md")
    question = "\nValid meta data seems to be in place.\nDo you really want to overwrite?\n"
    assert refused == Result(1, "Operation cancelled.\n", question + NO_TTY)
    forced = disk.meta(place, "create-md", "--force")
    assert forced.returncode == 0
    assert forced.stderr.startswith(f"{question}*** confirmation forced via --force option ***\n")


@pytest.mark.parametrize(("first", "second"), [("v08", "v09"), ("v09", "v08")])
def test_metadata_are_not_converted_unasked(disk: Disk, first: str, second: str) -> None:
    disk.meta("1", "create-md", "1", version=first)
    refused = disk.meta("1", "create-md", "1", version=second)
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"\nValid {first} meta-data found, convert to {second}?\n{NO_TTY}")
    assert disk.meta("1", "--node-id=1", "get-gi", version=second) == Result(1)
    assert disk.meta("1", "--node-id=1", "get-gi", version=first).returncode == 0


def test_flexible_metadata_and_slot_0_are_in_the_same_place(disk: Disk) -> None:
    disk.meta("flex-external", "create-md")
    assert disk.meta("0", "get-gi").returncode == 0
    assert disk.meta("0", "create-md").returncode == 1


def test_slots_beside_each_other_do_not_disturb(disk: Disk) -> None:
    for place in ("1", "2", "3"):
        assert disk.meta(place, "create-md").returncode == 0
    disk.meta("2", "wipe-md", "--force")
    assert [disk.meta(place, "get-gi").returncode for place in ("1", "2", "3")] == [0, 1, 0]


def test_metadata_in_slot_0_stand_in_the_way_of_every_other_slot(disk: Disk) -> None:
    """drbdmeta looks at the start of the device for data, whatever the slot."""
    disk.meta("0", "create-md")
    refused = disk.meta("1", "create-md")
    assert refused.returncode == 1
    assert refused.stdout == (
        "md_offset 134217728\nal_offset 134221824\nbm_offset 134254592\n\nFound some data\n\n"
        " ==> This might destroy existing data! <==\nOperation canceled.\n"
    )
    assert refused.stderr == f"\nDo you want to proceed?\n{NO_TTY}"
    assert disk.meta("1", "create-md", "--force").returncode == 0


def test_a_slot_beyond_the_end_is_refused(disk: Disk) -> None:
    """[048]; one that begins before the end is not."""
    assert disk.meta("4", "create-md").returncode == 0
    refused = disk.meta("5", "create-md")
    assert refused.returncode == 10
    assert refused.stderr.startswith("Device too small: expecting meta data block at\nbyte offset 671088640,")


def test_metadata_are_not_wiped_unasked(disk: Disk) -> None:
    disk.meta("1", "create-md")
    refused = disk.meta("1", "wipe-md")
    assert refused == Result(
        1, "Operation cancelled.\n", f"\nDo you really want to wipe out the DRBD meta data?\n{NO_TTY}"
    )
    assert disk.meta("1", "get-gi").returncode == 0


def test_inconsistent_data_cannot_be_outdated(disk: Disk) -> None:
    disk.meta("1", "create-md")
    assert disk.meta("1", "outdate") == Result(5, "", "Device is inconsistent.\n")
    assert disk.meta("1", "dstate") == Result(0, "Inconsistent\n")


def test_a_dump_tells_where_everything_is(disk: Disk) -> None:
    """[036]"""
    disk.meta("internal", "create-md")
    text = disk.meta("internal", "dump-md").stdout
    assert "# md_offset 629141504\n# al_offset 629108736\n# bm_offset 629088256\n" in text
    assert disk.meta("1", "dump-md") == Result(1, "", "No valid meta data found\n")


def test_a_dump_of_8_4_says_nothing_of_consistency_so_that_what_is_restored_from_it_is_inconsistent(disk: Disk) -> None:
    """Recorded: `get-gi` before, the dump, and `get-gi` of what `restore-md` made of it in another place."""
    before, dump, restored = (
        (RECORDED / f"9.22-{name}.txt").read_text()
        for name in ("get-gi-dumped", "dump-md-up-to-date", "get-gi-restored")
    )
    assert (before.strip()[-13:], restored.strip()[-13:]) == ("1:1:0:0:0:0:0", "0:0:0:0:0:0:0")
    assert before[:67] == restored[:67]  # the generations
    disk.meta("1", "create-md")
    found = metadata.read(disk.device, 1)
    assert found is not None
    found.consistent = found.was_up_to_date = True
    assert disk.meta("1", "get-gi").stdout.strip()[-13:] == "1:1:0:0:0:0:0"
    (flags,) = [line for line in dump.splitlines() if "flags" in line]
    assert flags in disk.meta("1", "dump-md").stdout.splitlines()
