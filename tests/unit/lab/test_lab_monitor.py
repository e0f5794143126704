"""QMP as QEMU speaks it: a greeting, answers, refusals, and events in between."""

import json
import socket
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from lab.errors import LabError, TimedOut
from lab.monitor import Monitor

GREETING = {"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 22}}, "capabilities": ["oob"]}}
STOPPED = {"event": "STOP", "timestamp": {"seconds": 1, "microseconds": 2}}
OK = {"return": {}}


def qemu(path: Path, *answers: Sequence[object]) -> list[object]:
    """A QEMU that greets, and says to each command what belongs to it; returns the list of what it is asked."""
    asked: list[object] = []
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()

    def serve() -> None:
        with server, server.accept()[0] as connection, connection.makefile("rw") as stream:
            for answer in ([GREETING], *answers):
                if answer[0] is not GREETING:
                    asked.append(json.loads(stream.readline()))
                for each in answer:
                    stream.write(json.dumps(each) + "\r\n")
                stream.flush()
            stream.readline()

    threading.Thread(target=serve, daemon=True).start()
    return asked


def test_an_answer_is_found_among_events(tmp_path: Path) -> None:
    asked = qemu(tmp_path / "qmp", [OK], [STOPPED, {"return": {"status": "paused"}}])
    with Monitor(tmp_path / "qmp", 10) as monitor:
        assert monitor.execute("query-status") == {"status": "paused"}
    assert [each["execute"] for each in asked] == ["qmp_capabilities", "query-status"]


def test_arguments_are_sent_as_they_are(tmp_path: Path) -> None:
    asked = qemu(tmp_path / "qmp", [OK], [OK])
    with Monitor(tmp_path / "qmp", 10) as monitor:
        monitor.execute("set_link", name="link", up=False)
    assert asked[1] == {"execute": "set_link", "arguments": {"name": "link", "up": False}}


def test_a_refusal_is_told_in_the_words_of_qemu(tmp_path: Path) -> None:
    qemu(tmp_path / "qmp", [OK], [{"error": {"class": "GenericError", "desc": "Device 'link' not found"}}])
    with Monitor(tmp_path / "qmp", 10) as monitor, pytest.raises(LabError, match="set_link: Device 'link' not found"):
        monitor.execute("set_link", name="link", up=False)


def test_a_qemu_that_has_gone_is_told(tmp_path: Path) -> None:
    qemu(tmp_path / "qmp", [OK])
    with Monitor(tmp_path / "qmp", 10) as monitor, pytest.raises(LabError, match="has closed its monitor"):
        monitor.execute("query-status")


def test_a_qemu_that_says_nothing_is_not_waited_for_without_end(tmp_path: Path) -> None:
    server = socket.socket(socket.AF_UNIX)
    with server:
        server.bind(str(tmp_path / "qmp"))
        server.listen()
        with pytest.raises(TimedOut, match="does not answer"):
            Monitor(tmp_path / "qmp", 0.05)
