"""The log of a guard is passed on line by line, to each master: each in its order, none twice, none that is only half there."""

import json
from pathlib import Path

import pytest

from saltern.guarding import asked, following
from saltern.model.places import GUARD_LOGS, GUARD_SETTINGS, GUARD_TOLD
from saltern.run import LocalHost

MASTER, OTHER = "salt:4506", "fd00::1:4506"


@pytest.fixture
def host(tmp_path: Path) -> LocalHost:
    return LocalHost(root=str(tmp_path))


def write(host: LocalHost, day: int, *words: str) -> None:
    for each in words:
        line = json.dumps({"at": "now", "subject": "guard", "words": each})
        host.append_text(f"{GUARD_LOGS}/guard-2026-11-{day}.jsonl", f"{line}\n")


def told(host: LocalHost, most: int = 100, master: str = MASTER) -> list[str]:
    """The words that are passed on now, ``most`` of them before whoever passes them on is killed."""
    found = following.news(host, master)[:most]
    for position, _ in found:
        following.keep(host, master, position)
    return [line["words"] for _, line in found]


def test_what_was_there_before_the_first_look_is_old(host: LocalHost) -> None:
    write(host, 25, "old")
    assert told(host) == []
    write(host, 25, "new")
    assert told(host) == ["new"]
    assert told(host) == []


def test_the_next_day_follows_and_nothing_is_left_out_after_a_restart(host: LocalHost) -> None:
    assert told(host) == []
    write(host, 25, "one", "two", "three")
    assert told(host, most=2) == ["one", "two"]
    write(host, 26, "four")
    assert told(host) == ["three", "four"]
    write(host, 26, "five")
    assert told(host) == ["five"]


def test_a_line_that_is_not_whole_yet_waits(host: LocalHost) -> None:
    assert told(host) == []
    file = f"{GUARD_LOGS}/guard-2026-11-25.jsonl"
    host.append_text(file, '{"subject": "guard", ')
    assert told(host) == []
    host.append_text(file, '"words": "whole"}\n')
    assert told(host) == ["whole"]


def test_a_line_that_a_power_cut_has_cut_off_is_shown_as_it_is_and_stops_nothing(host: LocalHost) -> None:
    assert told(host) == []
    host.append_text(f"{GUARD_LOGS}/guard-2026-11-25.jsonl", '{"subj\n')
    write(host, 25, "after it")
    assert told(host) == ['{"subj', "after it"]


def test_a_position_that_cannot_be_read_begins_with_what_comes(host: LocalHost) -> None:
    write(host, 25, "old")
    host.write_text(f"{GUARD_TOLD}/{MASTER}", "{", 0o600)
    assert told(host) == []
    write(host, 25, "new")
    assert told(host) == ["new"]


def test_each_master_is_told_everything_and_none_waits_for_another(host: LocalHost) -> None:
    assert [told(host), told(host, master=OTHER)] == [[], []]
    write(host, 25, "one", "two")
    assert told(host) == ["one", "two"]
    write(host, 26, "three")
    assert told(host) == ["three"]
    assert told(host, most=1, master=OTHER) == ["one"]
    assert told(host, master=OTHER) == ["two", "three"]
    assert [told(host), told(host, master=OTHER)] == [[], []]


def test_a_master_that_is_new_is_told_what_comes(host: LocalHost) -> None:
    assert told(host) == []
    write(host, 25, "one")
    assert told(host, master=OTHER) == []
    write(host, 25, "two")
    assert [told(host), told(host, master=OTHER)] == [["one", "two"], ["two"]]


def test_the_position_of_a_master_that_is_no_more_goes_and_those_of_the_others_stay(host: LocalHost) -> None:
    for master in (MASTER, OTHER):
        told(host, master=master)
    being_written = f"{GUARD_TOLD}/.{OTHER}.4711.new"
    host.write_text(being_written, "{", 0o600)
    write(host, 25, "one")
    following.forget_all_but(host, {MASTER})
    assert following.masters(host) == {MASTER}
    assert host.read_text(being_written) == "{"
    assert told(host) == ["one"]


def test_a_node_tells_that_it_has_no_guard_or_what_a_silent_one_decided_last(host: LocalHost, tmp_path: Path) -> None:
    assert asked.status(host, str(tmp_path)) == {"configured": False}
    host.write_text(GUARD_SETTINGS, "{}", 0o600)
    write(host, 25, *(f"number {number}" for number in range(30)))
    found = asked.status(host, str(tmp_path))
    assert found["protected"] is False
    assert "no guard answers" in found["trouble"]
    assert [each["words"] for each in found["decisions"]] == [f"number {number}" for number in range(10, 30)]
