"""What the lab needs of this machine is named, each piece with what to do about it."""

from pathlib import Path

import pytest

from lab import debian, needs
from lab.errors import LabError

PACKAGES = debian.HERE / "packages.txt"


def test_every_missing_program_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(needs, "PATH", str(tmp_path))
    with pytest.raises(LabError) as refused:
        needs.check_to_run()
    for part in ("qemu-system-x86_64", "socat", "openssh-client", "make lab-packages"):
        assert part in str(refused.value)


def test_what_is_looked_for_is_what_the_make_target_installs() -> None:
    assert {*needs.TO_RUN.values(), *needs.TO_BUILD.values()} == set(debian.listed(PACKAGES))


def test_another_system_and_another_user_are_told_together(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sources = tmp_path / "sources.list"
    sources.write_text("deb https://deb.debian.org/debian trixie main\n")
    monkeypatch.setattr(needs, "DEBIAN_SOURCES", (sources, tmp_path / "absent"))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(LabError, match="bookworm") as refused:
        needs.check_to_build()
    assert "sudo" in str(refused.value)


def test_a_python_that_is_not_that_of_the_nodes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "PYTHON", (3, 9))
    with pytest.raises(LabError, match=r"this is Python 3\.\d+"):
        needs.check_to_build()
