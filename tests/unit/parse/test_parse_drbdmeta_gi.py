from pathlib import Path

import pytest

from saltern.errors import ParseError
from saltern.model.observed import Metadata, MetadataState
from saltern.parse.drbdmeta_gi import parse

DATA = Path(__file__).parents[2] / "data" / "drbdmeta"
NO_DEVICE = (
    "open(/dev/XEN/nosuch) failed: No such file or directory\n"
    "Command 'drbdmeta 9 v08 /dev/XEN/nosuch 3 get-gi' terminated with exit code 20\n"
)


def read(case: str) -> Metadata:
    return parse(0, (DATA / f"{case}.txt").read_text(), "")


@pytest.mark.parametrize("case", ["8.4-get-gi-just-created", "9.22-get-gi-just-created"])
def test_metadata_without_history_are_just_created(case: str) -> None:
    assert read(case).just_created


def test_the_generation_is_told_without_the_bit_that_marks_a_primary() -> None:
    assert read("8.4-get-gi-primary") == Metadata(state=MetadataState.VALID, current=0xFAB5C9A7446B9AEE)


def test_metadata_left_unclean_by_a_power_cut_are_valid() -> None:
    metadata = read("8.4-get-gi-after-power-cut")
    assert metadata.state is MetadataState.VALID
    assert not metadata.just_created


def test_one_line_for_each_peer_is_one_generation() -> None:
    assert read("9.22-get-gi-two-peers").current == 0x8A1D6C3F5E9B0246


def test_silence_with_exit_1_is_blank() -> None:
    assert parse(1, "", "") == Metadata(state=MetadataState.BLANK)
    assert parse(1, "", "No valid meta data found\n") == Metadata(state=MetadataState.BLANK)


def test_a_missing_device_is_not_a_blank_one() -> None:
    assert parse(20, "", NO_DEVICE) == Metadata(state=MetadataState.NO_DEVICE)


@pytest.mark.parametrize(
    ("returncode", "stdout", "stderr"),
    [
        pytest.param(1, "", "'dns' not defined in your config (for this host).\n", id="unknown resource"),
        pytest.param(1, "", "no resources defined!\n", id="no configuration"),
        pytest.param(1, "something\n", "", id="exit 1 that says something"),
        pytest.param(10, "", "drbd.d/two.res:2: conflicting use of device-minor\n", id="broken configuration"),
        pytest.param(
            10, "", "Device too small: expecting meta data block at\nbyte offset 671088640\n", id="no such slot"
        ),
        pytest.param(20, "", "open(/dev/XEN/meta) failed: Device or resource busy\n", id="device in use"),
        pytest.param(20, "", "Device '1' is configured!\n", id="disk attached"),
        pytest.param(20, "", "", id="exit 20 without a reason"),
        pytest.param(0, "", "", id="valid, but nothing told"),
        pytest.param(0, "0000000000000004:0000000000000000\n", "", id="cut off"),
        pytest.param(0, "not a UUID\n", "", id="not understood"),
        pytest.param(-9, "", "", id="killed"),
        pytest.param(127, "", "", id="not installed"),
    ],
)
def test_everything_else_raises_and_is_never_blank(returncode: int, stdout: str, stderr: str) -> None:
    with pytest.raises(ParseError):
        parse(returncode, stdout, stderr)


def test_peers_that_disagree_on_the_generation_raise() -> None:
    first, second = (DATA / "9.22-get-gi-two-peers.txt").read_text().splitlines()
    with pytest.raises(ParseError):
        parse(0, f"{first}\n{second.replace('8A1D', '8A1E')}\n", "")
