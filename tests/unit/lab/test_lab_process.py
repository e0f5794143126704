"""A process of the lab is known again by more than its number, and ended with all that it has started."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import process

CHECKOUT = Path(__file__).parents[3]


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Path]:
    record = tmp_path / "pid"
    yield record
    process.kill(record)


def start(record: Path, *argv: str) -> None:
    process.spawn(argv, record=record, log=record.with_suffix(".log"))


def wait_for(holds) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_was_started_runs_until_it_is_killed(record: Path) -> None:
    start(record, "sleep", "1000")
    pid = process.running(record)
    assert pid is not None
    process.kill(record)
    assert process.running(record) is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_what_it_has_started_ends_with_it(record: Path, tmp_path: Path) -> None:
    child = tmp_path / "child"
    start(record, "sh", "-c", f"sleep 1000 & echo $! > {child}.new; mv {child}.new {child}; wait")
    wait_for(child.exists)
    process.kill(record)
    wait_for(lambda: not lives(int(child.read_text())))


def lives(pid: int) -> bool:
    """Whether it runs; nobody may have read the exit code of an orphan."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


def test_another_process_finds_it_by_its_record_and_can_end_it(record: Path) -> None:
    start(record, "sleep", "1000")
    code = "import pathlib, sys; from lab import process; record = pathlib.Path(sys.argv[1]); "
    code += "print(process.running(record)); process.kill(record)"
    told = subprocess.run(
        [sys.executable, "-c", code, str(record)], capture_output=True, text=True, check=True, cwd=CHECKOUT
    )
    assert int(told.stdout) > 0
    wait_for(lambda: process.running(record) is None)


def test_one_that_has_ended_by_itself_does_not_run(record: Path) -> None:
    start(record, "true")
    wait_for(lambda: process.running(record) is None)


def test_a_stranger_that_was_given_its_number_is_not_taken_for_it_and_not_killed(record: Path) -> None:
    start(record, "sleep", "1000")
    number, boot, started = record.read_text().split()
    os.kill(int(number), 9)
    time.sleep(0.1)  # numbers are not given out again within one tick of the clock, by which the start is told
    stranger = subprocess.Popen(["sleep", "1000"])
    try:
        record.write_text(f"{stranger.pid} {boot} {started}\n")
        assert process.running(record) is None
        process.kill(record)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_one_of_an_earlier_boot_of_this_machine_is_not_found(record: Path) -> None:
    start(record, "sleep", "1000")
    number, boot, started = record.read_text().split()
    told = record.read_text()
    record.write_text(f"{number} {'0' * len(boot)} {started}\n")
    assert process.running(record) is None
    record.write_text(told)


def test_never_started_is_not_running_and_killing_it_is_no_error(tmp_path: Path) -> None:
    assert process.running(tmp_path / "pid") is None
    process.kill(tmp_path / "pid")


def test_its_output_goes_to_the_log(record: Path) -> None:
    start(record, "sh", "-c", "echo said; echo complained >&2")
    wait_for(lambda: process.running(record) is None)
    assert record.with_suffix(".log").read_text() == "said\ncomplained\n"


def test_a_machine_has_the_processor_before_others_where_that_may_be_asked_for(record: Path) -> None:
    start(record, "sleep", "1000")
    process.prefer(record)
    pid = process.running(record)
    assert pid is not None
    assert os.getpriority(os.PRIO_PROCESS, pid) == (process.PREFERRED_NICE if os.geteuid() == 0 else 0)


def test_preferring_what_has_ended_is_no_error(record: Path) -> None:
    process.prefer(record)
