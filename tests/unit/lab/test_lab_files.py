"""What the lab writes is whole or not there: a full disk, or a kill, leaves what was there before."""

import errno
import os
from pathlib import Path

import pytest

from lab import process, snapshot
from lab.__main__ import main
from lab.cluster import Lab
from lab.errors import LabError
from lab.files import copy_sparse, write_whole
from lab.machine import Machine, Wiring


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are begun, and have no room for their text."""

    def write_text(path: Path, text: str, **_: object) -> int:
        path.open("w").close()
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_text", write_text)


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    write_whole(tmp_path / "file", "old")
    write_whole(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_leaves_a_file_as_it_was(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file:
        file.write("old")
    with pytest.raises(OSError, match="No space left"):
        write_whole(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == "old"


@pytest.mark.usefixtures("full_disk")
def test_a_process_that_cannot_be_recorded_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []
    spawn = os.posix_spawnp
    monkeypatch.setattr(os, "posix_spawnp", lambda *args, **more: begun.append(spawn(*args, **more)) or begun[-1])
    with pytest.raises(OSError, match="No space left"):
        process.spawn(["sleep", "1000"], record=tmp_path / "pid", log=tmp_path / "log")
    with pytest.raises(ProcessLookupError):
        os.kill(begun[0], 0)
    assert process.running(tmp_path / "pid") is None


def test_a_lab_that_has_no_room_says_so_and_can_still_be_ended(
    tmp_path: Path, full_disk: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("lab.needs.check_to_run", lambda: None)
    monkeypatch.setattr("lab.image.build", lambda *_: None)
    assert main(["--directory", str(tmp_path), "up"]) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert main(["--directory", str(tmp_path), "down"]) == 0


def test_nobody_else_looks_into_the_directory_of_a_lab(tmp_path: Path) -> None:
    Lab(tmp_path / "lab").down()
    assert (tmp_path / "lab").stat().st_mode & 0o777 == 0o700


def test_the_copy_of_a_disk_takes_no_room_for_what_is_empty(tmp_path: Path) -> None:
    with (tmp_path / "disk").open("wb") as disk:
        disk.write(b"text")
        disk.truncate(1 << 30)
    copy_sparse(tmp_path / "disk", tmp_path / "copy")
    assert (tmp_path / "copy").stat().st_size == 1 << 30
    assert (tmp_path / "copy").stat().st_blocks <= 64


def test_a_copy_that_fails_is_told_in_one_message(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"a disk of the lab could not be copied: .*No such file"):
        copy_sparse(tmp_path / "none", tmp_path / "copy")


def test_a_restore_that_breaks_off_leaves_no_disks_that_are_half_the_old_ones(tmp_path: Path) -> None:
    for name in ("base.img", "xen", "vmlinux", "initrd.img"):
        write(tmp_path / "image" / name)
    node = Machine(1, tmp_path / "image", tmp_path / "run", Wiring(1, 2, 3, 4, 5, 6, 7, tmp_path / "sockets"))
    write(tmp_path / "run" / "here")
    node.new_disks()
    write(tmp_path / "snapshot" / "node1.root")
    with pytest.raises(LabError, match=r"node1\.data"):
        snapshot.Snapshot(tmp_path / "snapshot").restore([node], {}, link=True)
    assert not node.has_disks


def write(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")
