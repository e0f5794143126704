"""A program that fails while the image is built says why, and what to do."""

from pathlib import Path

import pytest

from lab import tool
from lab.errors import LabError

FAILS = "for n in $(seq 100); do echo line $n; done; echo cannot go on >&2; exit 7"


def test_an_error_shows_the_end_of_what_was_printed_and_the_log_has_all(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with pytest.raises(LabError) as failed:
        tool.run(["sh", "-c", FAILS], log=log, advice="Try another one.")
    text = str(failed.value)
    for part in ("exit code 7", "line 100", "cannot go on", "Try another one.", str(log)):
        assert part in text
    assert "line 1\n" not in text
    assert "line 1\n" in log.read_text()


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no-such-program does not start: No such file"):
        tool.run(["no-such-program"], log=tmp_path / "log", advice="Install it.")


def test_every_line_is_reported_as_it_comes(tmp_path: Path) -> None:
    lines: list[str] = []
    tool.run(["sh", "-c", "echo one; echo two >&2"], log=tmp_path / "log", advice="", on_line=lines.append)
    assert lines == ["one", "two"]
