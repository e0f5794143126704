"""The file that libxl starts: it finds the core, or refuses by itself where it does not."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from saltern.model.places import CORE
from saltern.render.block_script import render
from saltern.render.header import is_ours

SOURCES = str(Path(__file__).parents[3] / "src")


def start(core: str | Path, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run the script with a core elsewhere, and hardly an environment."""
    text = render().replace(CORE, str(core))
    return subprocess.run(
        [sys.executable, "-IS", "-c", text, *argv], capture_output=True, text=True, env={}, check=False
    )


def test_it_is_known_as_ours_and_started_by_the_python_of_the_node_alone() -> None:
    assert is_ours(render())
    assert render().startswith("#!/usr/bin/python3 -IS\n")


def test_it_starts_the_core_without_an_environment() -> None:
    done = start(SOURCES, "attach", "dns")
    assert done.returncode == 2
    assert "add | remove | close RESOURCE" in done.stderr


@pytest.mark.parametrize("verb", ["remove", "close"])
def test_without_a_core_it_says_what_to_do(tmp_path: Path, verb: str) -> None:
    done = start(tmp_path, verb)
    assert done.returncode == 1
    assert f"core in {tmp_path}" in done.stderr
    assert "Apply the state `core`" in done.stderr


def test_half_a_core_is_as_none(tmp_path: Path) -> None:
    (tmp_path / "saltern").mkdir()
    (tmp_path / "saltern" / "__init__.py").write_text("")
    (tmp_path / "saltern" / "block_script.py").write_text("from saltern.plan import attach\n")
    assert "No module named 'saltern.plan'" in start(tmp_path, "remove").stderr
    (tmp_path / "saltern" / "block_script.py").write_text("def main(")
    assert start(tmp_path, "remove").returncode == 1


def run_in_this_python(monkeypatch: pytest.MonkeyPatch, version: tuple[int, int]) -> list[list[str]]:
    asked: list[list[str]] = []
    monkeypatch.setattr(sys, "version_info", version)
    monkeypatch.setattr(sys, "version", f"{version[0]}.{version[1]}.2 (main)")
    monkeypatch.setattr(sys, "argv", ["block-saltern", "add"])
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setitem(os.environ, "XENBUS_PATH", "backend/vbd/7/51712")
    monkeypatch.setattr(subprocess, "call", lambda argv, env: asked.append(argv))
    with pytest.raises(SystemExit, match="1"):
        exec(compile(render(), "block-saltern", "exec"), {})  # noqa: S102 - it is the text under test
    return asked


def test_a_python_that_is_too_old_reads_it_and_is_refused_in_the_words_that_libxl_prints(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ast.parse(render(), feature_version=(3, 4))
    ((program, error, reason, status, value),) = run_in_this_python(monkeypatch, (3, 9))
    assert (program, status, value) == ("xenstore-write", "backend/vbd/7/51712/hotplug-status", "error")
    assert error == "backend/vbd/7/51712/hotplug-error"
    assert "Python 3.11 or newer is needed, /usr/bin/python3 is 3.9.2" in reason
