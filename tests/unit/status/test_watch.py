"""Looking again: speeds, lines, a screen."""

import re
from typing import Any

from answers import HOME, PARTNER, SHARES, SILENT, answer, domain, entry, resource

from saltern.status.answer import Answer
from saltern.status.state import cluster_status
from saltern.status.text import bar, status_text
from saltern.status.watch import changes, remembered, screen, timed
from saltern.units import MIB


def status(home: Answer = HOME, partner: Answer = PARTNER) -> dict[str, Any]:
    return cluster_status(SHARES, {"dom0": home, "dom0m": partner})


def synchronising(out_of_sync_bytes: int, source: str = "SyncSource", target: str = "SyncTarget") -> dict[str, Any]:
    home = resource(role="Primary", replication=source, out_of_sync_bytes=out_of_sync_bytes)
    partner = resource(disk="Inconsistent", replication=target, out_of_sync_bytes=out_of_sync_bytes)
    return status(answer(home, domain()), answer(partner))


def disk(found: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = found["domains"]["dns"]["disks"]["xvda"]
    return told


def test_the_speed_is_what_was_synchronised_between_two_looks() -> None:
    found = timed(synchronising(256 * MIB), synchronising(276 * MIB), 2.0)
    assert disk(found)["bytes_per_s"] == 10 * MIB
    assert "  dns  dom0 -> dom0m  [###############.....]  75.0 %  10 MiB/s, 0:26 left" in status_text(found)


def test_hours_are_told_where_there_are_some() -> None:
    found = timed(synchronising(256 * MIB), synchronising(256 * MIB + 102400), 4.0)
    assert "25 KiB/s, 2:54:46 left" in status_text(found)


def test_no_speed_is_told_where_none_is_known() -> None:
    now = synchronising(256 * MIB)
    for earlier in (synchronising(256 * MIB), synchronising(1 * MIB), status(), status(SILENT, SILENT)):
        assert disk(timed(now, earlier, 2.0))["bytes_per_s"] is None
    assert disk(timed(now, synchronising(300 * MIB), 0.0))["bytes_per_s"] is None
    assert "left" not in status_text(now)


def test_a_synchronisation_that_is_paused_is_told_so() -> None:
    found = timed(synchronising(256 * MIB, "PausedSyncS", "PausedSyncT"), synchronising(276 * MIB), 2.0)
    assert re.search(r"dom0 -> dom0m .* 75.0 %  paused", status_text(found))


def test_a_bar_is_full_only_when_all_is_done() -> None:
    assert bar(0) == f"[{'.' * 20}]"
    assert bar(99.9) == f"[{'#' * 19}.]"
    assert bar(100) == f"[{'#' * 20}]"


def test_the_text_is_plain_ascii_and_narrow_whatever_is_wrong() -> None:
    left = answer(resource(role="Primary", state="StandAlone"), domain(paused=True), entered=entry(alive=False))
    for found in (synchronising(256 * MIB), status(left, SILENT), status(left, answer({}, unreadable="x" * 50))):
        text = status_text(found)
        assert text.isascii()
        assert max(map(len, text.splitlines())) <= 100
        assert max(map(len, status_text(found, 80).splitlines())) <= 80


# --- Lines -------------------------------------------------------------------------------------------------------
def test_the_first_look_tells_everything_and_the_same_again_nothing() -> None:
    assert list(changes(status(), None)) == [
        "node dom0: answers",
        "node dom0m: answers",
        "domain dns: runs on dom0",
        "resource dns: dom0 Primary/UpToDate Connected, dom0m Secondary/UpToDate Connected",
    ]
    assert list(changes(status(), status())) == []


def test_a_node_that_stops_answering_is_told_with_what_was_known_of_it() -> None:
    told = list(changes(status(HOME, SILENT), status()))
    assert told == [
        "node dom0m: does not answer (was: answers)",
        "resource dns: dom0 Primary/UpToDate Connected, dom0m unknown/unknown unknown "
        "(was: dom0 Primary/UpToDate Connected, dom0m Secondary/UpToDate Connected)",
        "wrong: dom0m: the minion does not answer; see whether the node and its minion are up",
    ]
    assert "no longer wrong: dom0m" in "\n".join(changes(status(), status(HOME, SILENT)))


def test_a_domain_that_moves_is_told_in_lines() -> None:
    there = status(answer(resource(), entered=entry()), answer(resource(role="Primary"), domain(), entered=entry()))
    told = list(changes(there, status()))
    assert "domain dns: runs on dom0m (was: runs on dom0)" in told
    assert any(line.startswith("stretch of dns") and line.endswith(": going on") for line in told)
    over = list(changes(status(), there))
    assert any(line.startswith("stretch of dns") and line.endswith(": over (was: going on)") for line in over)


def test_a_synchronisation_is_told_at_its_beginning_every_tenth_and_its_end() -> None:
    assert "synchronisation of dns: 70 %" in list(changes(synchronising(256 * MIB), status()))
    assert list(changes(synchronising(250 * MIB), synchronising(256 * MIB))) == []
    assert list(changes(synchronising(200 * MIB), synchronising(256 * MIB))) == [
        "synchronisation of dns: 80 % (was: 70 %)"
    ]
    assert "synchronisation of dns: over (was: 70 %)" in list(changes(status(), synchronising(256 * MIB)))


def test_a_silent_node_is_shown_with_the_time_of_its_last_answer() -> None:
    found = remembered(status(HOME, SILENT), {"dom0": "12:00:02", "dom0m": "12:00:00"})
    assert found["nodes"] == {"dom0": "answers", "dom0m": "does not answer (last at 12:00:00)"}
    assert remembered(status(HOME, SILENT), {})["nodes"]["dom0m"] == "does not answer"


# --- A screen ----------------------------------------------------------------------------------------------------
def test_a_screen_is_renewed_from_its_corner_and_what_stood_there_is_erased() -> None:
    assert screen("one\ntwo", columns=80, rows=24) == "\033[Hone\033[K\ntwo\033[K\n\033[J"


def test_a_screen_without_room_never_scrolls_and_says_what_is_cut_off() -> None:
    shown = screen("\n".join("abcdef" for _ in range(10)), columns=4, rows=5)
    assert shown.count("\n") == 4
    assert shown.count("abcd\033[K") == 3
    assert "... " in shown
    assert "... and 7 more lines" in screen("\n".join("ab" for _ in range(10)), columns=80, rows=5)
