"""`python -m soak`: how it ends, and what it tells."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from saltern.guard.times import Times
from soak import __main__ as command
from soak import trial

ROOT = Path(__file__).parents[3]
# A takeover that does not wait for the lease to end.
HASTY = Times(beat_s=2.0, lease_s=60.0)


def test_schedules_that_break_nothing_end_well(capsys):
    assert command.main(["-n", "4", "--nodes", "2", "--jobs", "1", "--out", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["schedules"] == 4
    assert told["violation"] is None
    assert told["schedules_per_second"] > 0


def test_a_long_run_is_done_in_pieces(capsys):
    assert command.main(["-n", "2", "--from", "5", "--jobs", "1", "--out", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["from"], told["next"]) == (5, 7)


def test_a_piece_that_was_interrupted_is_gone_on_with_after_what_is_known():
    tally = command.Tally(range(100, 300))
    for begin in (100, 200, 250):
        tally.add(command.Done(range(begin, begin + 50), 50, 1, 0.5, None))
    assert (tally.schedules, tally.taken_over, tally.next) == (150, 3, 150)
    tally.add(command.Done(range(150, 200), 50, 0, 0.5, None))
    assert tally.next == 300


def test_a_run_that_is_interrupted_says_where_to_go_on(capsys, monkeypatch):
    def blocks(tally, jobs, nodes):
        yield command.Done(range(50), 50, 0, 0.5, None)
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "_blocks", blocks)
    assert command.main(["-n", "200"]) == 130
    assert "--from 50" in capsys.readouterr().out


@pytest.fixture
def broken(monkeypatch):
    """The first seed that breaks a rule when nobody waits for a lease."""
    monkeypatch.setattr(trial, "TIMES", HASTY)
    return next(seed for seed in range(500) if trial.attempt(trial.of_seed(seed, 2)).violation)


def test_a_broken_rule_is_told_with_all_that_leads_there(capsys, broken):
    assert command.main(["--seed", str(broken), "--nodes", "2"]) == 1
    told = capsys.readouterr().out
    assert told.startswith("BROKEN: ")
    assert f"python -m soak --seed {broken} --nodes 2" in told
    assert "The least that breaks it" in told


def test_the_least_that_breaks_a_rule_needs_all_of_it(capsys, broken):
    assert command.main(["--seed", str(broken), "--nodes", "2", "--out", "json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["seed"] == broken
    assert 0 < len(told["shrunk"]["events"]) <= len(trial.of_seed(broken, 2).events)
    assert told["story"]


def test_a_seed_is_the_same_schedule_in_every_process():
    stories = {
        subprocess.run(
            [sys.executable, "-m", "soak", "--seed", "3", "--nodes", "3"],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT / "src")},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(stories) == 1


@pytest.mark.parametrize("nodes", range(2, 7))
def test_clusters_of_every_size_hold(nodes):
    for seed in range(5):
        assert trial.attempt(trial.of_seed(seed, nodes)).violation is None


def test_the_story_of_a_directory_is_told(capsys):
    assert command.main(["--scenario", str(ROOT / "tests/scenarios/takeover/power-loss")]) == 0
    assert "node2 takes over: dns" in capsys.readouterr().out


def test_a_directory_that_cannot_be_read_is_told(capsys, tmp_path):
    assert command.main(["--scenario", str(tmp_path)]) == 2
    assert str(tmp_path) in capsys.readouterr().err
