"""DRBD's handler: an exit code for what the guard knows, and never one that says more."""

import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from saltern.guarding import fence_peer
from saltern.guarding.local import LocalDoor, NoGuard, Question, Reply, ask
from saltern.run import DEFAULT_TIMEOUT_S


@pytest.fixture
def root() -> Iterator[str]:
    """A short path: that of a Unix socket has 107 characters at most."""
    path = tempfile.mkdtemp(prefix="saltern-")
    yield path
    shutil.rmtree(path, ignore_errors=True)


@contextmanager
def guard(root: str, *answers: Any) -> Iterator[list[Question]]:
    """A guard that gives these answers in turn, and the last one for ever."""
    asked: list[Question] = []
    left = list(answers)

    def answer(question: Question) -> Reply:
        asked.append(question)
        found = left.pop(0) if len(left) > 1 else left[0]
        return {"answer": found, "why": "because"} if isinstance(found, str) else found

    over = threading.Event()
    door = LocalDoor(root, answer)

    def serve() -> None:
        while not over.wait(0.01):
            door.serve()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield asked
    finally:
        over.set()
        thread.join()
        door.close()


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        (["alone"], 4),
        (["dead"], 7),
        (["no"], 1),
        (["wait", "alone"], 4),
        (["wait", "dead"], 7),
        (["wait", "no"], 1),
        ([{"error": "what?"}, "dead"], 7),
        (["certainly"], 1),
        ([{"answer": 7}], 1),
    ],
)
def test_the_exit_code_says_what_the_guard_knows(root: str, answers: list[Any], code: int) -> None:
    patience_s = 1.0 if code == 1 else 60.0
    with guard(root, *answers) as asked:
        assert fence_peer.run({"DRBD_RESOURCE": "dns"}, root, patience_s) == code
    assert asked[0] == {"ask": "lost", "resource": "dns"}, "what was granted for a loss before is of no use now"
    assert all(question == {"ask": "go on", "resource": "dns"} for question in asked[1:])


@pytest.mark.parametrize("environ", [{}, {"DRBD_RESOURCE": ""}])
def test_without_a_resource_nothing_goes_on(root: str, environ: dict[str, str]) -> None:
    with guard(root, "dead") as asked:
        assert fence_peer.run(environ, root, 1.0) == 1
    assert asked == []


def test_without_a_guard_nothing_goes_on(root: str) -> None:
    assert fence_peer.run({"DRBD_RESOURCE": "dns"}, root, 0.1) == 1


@pytest.mark.parametrize(
    ("shown", "waits"),
    [
        ("echo 'exists resource name:dns role:Primary suspended:fencing'; echo 'exists -'", True),
        ("echo 'exists resource name:dns role:Secondary suspended:no'; echo 'exists -'", False),
        ("exit 10", True),
    ],
)
def test_without_a_guard_a_primary_waits_for_one_and_a_promotion_is_refused(
    root: str, monkeypatch: pytest.MonkeyPatch, shown: str, waits: bool
) -> None:
    program = Path(root, "bin", "drbdsetup")
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{shown}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setattr(fence_peer, "_PROMOTION_S", 0.0)
    pauses: list[float] = []
    clock = SimpleNamespace(sleep=pauses.append, monotonic=iter(range(100)).__next__)
    monkeypatch.setattr(fence_peer, "time", clock)
    assert fence_peer.run({"DRBD_RESOURCE": "dns"}, root, 5.0) == 1
    assert bool(pauses) is waits


def test_drbd_is_answered_before_drbdadm_gives_the_handler_up() -> None:
    assert fence_peer.PATIENCE_S < 600  # cmd-timeout-long in drbd.conf(5)
    assert 4 * fence_peer._PROMOTION_S < DEFAULT_TIMEOUT_S


def test_the_socket_is_for_root_only(root: str) -> None:
    with guard(root, "no"):
        socket = Path(root, "run/saltern/guard.sock")
        assert socket.stat().st_mode & 0o777 == 0o600
        assert socket.parent.stat().st_mode & 0o077 == 0
        assert socket.stat().st_uid == os.getuid()


@pytest.mark.parametrize("question", [b"", b"[]", b"{", b'{"ask"' + b" " * 9000])
def test_a_question_that_is_none_is_told_so_and_the_next_one_answered(root: str, question: bytes) -> None:
    import socket

    with guard(root, "no"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as way:
            way.connect(str(Path(root, "run/saltern/guard.sock")))
            way.send(question)
            way.settimeout(30)
            assert question == b"" or b"error" in way.recv(4096)
        assert ask(root, {"ask": "status"}, 30.0)["answer"] == "no"


def test_nobody_waits_for_ever_for_a_guard_that_hangs(root: str) -> None:
    door = LocalDoor(root, lambda _: {})
    with pytest.raises(NoGuard, match="timed out"):
        ask(root, {"ask": "status"}, 0.1)
    door.close()
