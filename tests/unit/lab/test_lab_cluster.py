"""What the lab answers without a machine: where it is down, what a snapshot fits, which words it refuses."""

from pathlib import Path

import pytest

from lab import snapshot
from lab.__main__ import main
from lab.cluster import Lab
from lab.errors import LabError, TimedOut
from lab.patience import patient, wait_until


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "image").mkdir()
    for name in ("base.img", "xen", "vmlinux", "initrd.img"):
        (tmp_path / "image" / name).write_bytes(b"")
    return tmp_path


def test_a_lab_that_is_down_says_how_to_bring_it_up(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--directory", str(directory), "power-cut", "node1"]) == 1
    assert capsys.readouterr().err == "the lab is down; `make lab` brings it up\n"


def test_the_state_of_a_node_can_be_asked_for_whatever_has_happened(directory: Path) -> None:
    assert Lab(directory).state("node1") == "the lab is down; `make lab` brings it up"


def test_ending_a_lab_that_is_down_is_no_error(directory: Path) -> None:
    assert main(["--directory", str(directory), "down"]) == 0


def test_the_status_of_a_lab_that_is_down(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--directory", str(directory), "status"]) == 0
    assert capsys.readouterr().out.split() == ["node1", "off", "node2", "off", "master", "off", "link", "plugged", "in"]


def test_the_directory_can_come_from_the_environment(
    directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SALTERN_LAB", str(directory))
    (directory / "snapshots" / "mine").mkdir(parents=True)
    (directory / "snapshots" / "mine" / "about.json").write_text("{}")
    assert main(["status"]) == 0
    assert "mine, which no longer fits" in capsys.readouterr().out


def test_a_lab_that_somebody_has_to_itself_is_refused_to_others_until_it_is_given_back(directory: Path) -> None:
    refused = pytest.raises(LabError, match=r"run in the lab .*; SALTERN_LAB names another one")
    with Lab(directory).reserved(), refused, Lab(directory).reserved():
        pass
    with Lab(directory).reserved():
        pass


@pytest.mark.parametrize("name", ["../x", "", ".", "a/b", "mine.partial"])
def test_a_snapshot_has_a_name_and_no_path(directory: Path, name: str) -> None:
    with pytest.raises(LabError, match="names no snapshot; allowed: letters"):
        Lab(directory).about(name)


def test_a_snapshot_that_was_not_finished_is_none(directory: Path) -> None:
    (directory / "snapshots" / "half.partial").mkdir(parents=True)
    assert Lab(directory).snapshots() == []
    assert not Lab(directory).has("half")


def test_what_a_snapshot_belongs_to_changes_with_the_image_and_with_the_keys(directory: Path) -> None:
    keys = directory / "keys"
    keys.mkdir()

    def told() -> dict[str, str]:
        return snapshot.fingerprint(["node1", "node2"], directory / "image", keys)

    before = told()
    assert told() == before
    (directory / "image" / "base.img").write_bytes(b"another")
    assert {what for what in before if told()[what] != before[what]} == {"image"}
    (keys / "node1.pub").write_text("another")
    assert {what for what in before if told()[what] != before[what]} == {"image", "minions"}


def test_the_hash_of_sources_changes_with_names_and_contents_and_not_with_what_python_compiles(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text("one = 1\n")
    before = snapshot.tree_hash([tmp_path])
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "module.pyc").write_bytes(b"compiled")
    assert snapshot.tree_hash([tmp_path]) == before
    (tmp_path / "module.py").rename(tmp_path / "other.py")
    renamed = snapshot.tree_hash([tmp_path])
    assert renamed != before
    (tmp_path / "other.py").write_text("one = 2\n")
    assert snapshot.tree_hash([tmp_path]) != renamed


def test_what_does_not_come_true_in_time_is_named() -> None:
    with pytest.raises(TimedOut, match="not after 0 s: the sun rises"):
        wait_until(lambda: False, "the sun rises", timeout_s=0)


def test_a_node_that_does_not_exist_is_refused_before_anything_is_done(directory: Path) -> None:
    with pytest.raises(SystemExit):
        main(["--directory", str(directory), "power-cut", "node3"])


def test_patience_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALTERN_LAB_PATIENCE", "much")
    with pytest.raises(LabError, match="SALTERN_LAB_PATIENCE is 'much'"):
        patient(10)
