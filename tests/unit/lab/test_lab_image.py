"""The image is built again when its inputs have changed, and only then; what is half built is never taken for one."""

import lzma
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lab import debian, image, needs, wheels
from lab.errors import LabError


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The lab's own directory as a copy that may be changed."""
    monkeypatch.setattr(debian, "HERE", shutil.copytree(debian.HERE, tmp_path / "lab", symlinks=True))
    return debian.HERE


def change_text(lab: Path) -> None:
    (lab / "guest/root/sbin/init").write_text("#!/bin/sh\n")


def make_executable(lab: Path) -> None:
    (lab / "node/etc/hosts").chmod(0o755)


def add_file(lab: Path) -> None:
    (lab / "node/etc/motd").touch()


def add_package(lab: Path) -> None:
    with (lab / "node-packages.txt").open("a") as file:
        file.write("tcpdump\n")


def turn_link(lab: Path) -> None:
    link = lab / "node/usr/local/bin/salt-call"
    link.unlink()
    link.symlink_to("/opt/salt/bin/python")


@pytest.mark.parametrize("change", [change_text, make_executable, add_file, add_package, turn_link])
def test_whatever_goes_into_the_image_is_one_of_its_inputs(copy: Path, change: Callable[[Path], None]) -> None:
    before = image.inputs()
    change(copy)
    assert image.inputs() != before


def test_another_version_of_salt_is_another_image(monkeypatch: pytest.MonkeyPatch) -> None:
    before = image.inputs()
    monkeypatch.setattr(wheels, "salt_closure", lambda: {"salt": "3999.0"})
    assert image.inputs() != before


def test_the_umask_of_a_checkout_changes_nothing(copy: Path) -> None:
    before = image.inputs()
    for path in copy.rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~0o077)
    assert image.inputs() == before


def test_an_image_of_the_same_inputs_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "check_to_build", lambda: pytest.fail("it is built again"))
    (tmp_path / "image").mkdir()
    (tmp_path / "image/inputs").write_text(image.inputs())
    said: list[str] = []
    image.build(tmp_path, said.append)
    assert said == []


def test_a_build_that_fails_leaves_the_image_that_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise LabError("no archive answers")

    monkeypatch.setattr(needs, "check_to_build", lambda: None)
    monkeypatch.setattr(wheels, "fetch", fails)
    (tmp_path / "image").mkdir()
    (tmp_path / "image/inputs").write_text("of another time")
    with pytest.raises(LabError, match="no archive answers"):
        image.build(tmp_path, lambda text: None)
    assert (tmp_path / "image/inputs").read_text() == "of another time"


def test_the_kernel_is_found_inside_what_debian_ships() -> None:
    kernel = b"\x7fELF and all the rest"
    assert image.elf_of(b"a real-mode part" + lzma.compress(kernel) + b"a trailer") == kernel


def test_a_kernel_packed_in_another_way_is_refused() -> None:
    with pytest.raises(LabError, match="xz"):
        image.elf_of(b"a real-mode part and something else")
