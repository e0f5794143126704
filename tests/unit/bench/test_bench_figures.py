"""What the benchmark makes of what it has measured: plain values in and out."""

import subprocess
from pathlib import Path

import pytest

from bench.clocks import Clock, Run, taken_s
from bench.rows import percentile, print_ms, print_ratio
from bench.takeover import read


def test_programs_that_ran_one_after_the_other_are_added_up_and_what_is_outside_is_left_out() -> None:
    runs = [Run(1, 3, "xl list"), Run(4, 5, "xl info"), Run(5, 9, "xl create a"), Run(0, 1.5, "xl list")]
    assert taken_s(runs, 0.5, 8) == 3


def test_of_programs_that_overlap_the_time_counts_once() -> None:
    assert taken_s([Run(1, 4, "xl list"), Run(3, 6, "xl info")], 0, 10) == 3
    assert taken_s([Run(1, 9, "drbdadm primary a"), Run(2, 3, "guard fence-peer")], 0, 10) == 8


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(each) for each in range(1000, 0, -1)]
    assert (percentile(values, 99), percentile(values, 50), percentile([7.0], 99)) == (990, 500, 7)


def test_a_takeover_is_read_from_the_log_of_the_guard_and_the_clock_of_its_node() -> None:
    said = [
        {"at": "1970-01-01T00:01:40.000+00:00", "words": "its fence agent is asked to switch it off"},
        {"at": "1970-01-01T00:01:46.000+00:00", "words": "started"},
    ]
    runs = [
        Run(99.0, 101.0, "xl list -v"),
        Run(100.25, 101.0, "fence_simulated "),
        Run(101.0, 102.0, "fence_simulated "),
        Run(102.5, 103.0, "drbdsetup events2 --now --statistics"),
        Run(103.25, 103.5, "xl list -v"),
        Run(104.0, 104.5, "guard fence-peer"),
        Run(103.75, 105.0, "drbdadm primary vm000"),
        Run(105.25, 106.0, "xl create /etc/xen/vm000.cfg"),
    ]
    found = read(said, runs)
    assert (found.call_s, found.primary_s, found.create_s) == (0.25, 1.75, 3.25)
    assert (found.programs_s, found.handler_s) == (2.0, 0.5)
    assert found.ours_s == 0.25 + 3.25 - 2.0 + 0.5


def test_a_line_tells_how_often_the_median_and_the_99th_percentile(capsys: pytest.CaptureFixture[str]) -> None:
    print_ms("something", [0.001, 0.002, 0.009])
    print_ratio("a ratio", [4.0, 9.0], [2.0, 3.0])
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines == ["3 times something 2.0 ms 9.0 ms", "2 times a ratio 2.50 3.00"]


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """A node with programs that end at once, each with its own code."""
    for code, place in enumerate(
        ("bin/xl", "bin/drbdadm", "bin/drbdsetup", "bin/fence_simulated", "usr/lib/saltern/guard")
    ):
        program = tmp_path / place
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f'#!/bin/sh\ncat\necho "$0 $*"\nexit {code}\n')
        program.chmod(0o755)
    return tmp_path


def test_a_program_that_is_measured_does_what_it_did_before_and_is_told_once(node: Path) -> None:
    clock = Clock(str(node))
    done = subprocess.run(
        [str(node / "bin/drbdadm"), "primary", "a b"], input="given\n", capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout == f"given\n{node}/bin/drbdadm.measured primary a b\n"
    (run,) = clock.runs()
    assert run.text == "drbdadm primary a b"
    assert run.begun_s <= run.ended_s
    assert clock.runs() == []


def test_a_stream_of_events_is_left_as_it_is(node: Path) -> None:
    clock = Clock(str(node))
    subprocess.run([str(node / "bin/drbdsetup"), "events2"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert clock.runs() == []
