"""The guard's socket on its own node: questions of the command line, of DRBD's handler and of the block script.

A question is one packet of JSON, its answer another. The socket belongs to root, and so does the directory it is in.
"""

import json
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from saltern.errors import SalternError
from saltern.guarding.plain import Malformed, read_json
from saltern.model.places import GUARD_SOCKET
from saltern.run import LocalHost

_QUESTION_BYTES: Final = 4096
Question = Mapping[str, object]
Reply = dict[str, Any]


class NoGuard(SalternError):
    """No guard answers on this node."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"no guard answers on this node ({self.reason}). See `systemctl status saltern-guard`"


class LocalDoor:
    """The guard's end. ``root`` stands before the path, for a node that is simulated in a directory."""

    def __init__(self, root: str, answer: Callable[[Question], Reply]) -> None:
        self._answer = answer
        self._path = _socket_path(root)
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._door.setblocking(False)
        self._path.unlink(missing_ok=True)  # of a guard that is gone: two are kept apart by a lock
        before = os.umask(0o177)
        try:
            self._door.bind(str(self._path))
        finally:
            os.umask(before)
        self._door.listen(16)

    @property
    def fd(self) -> int:
        """What the poller watches."""
        return self._door.fileno()

    def serve(self) -> None:
        """Answer who has come. Nobody is waited for: a question is there when its connection is."""
        while True:
            try:
                caller, _ = self._door.accept()
            except BlockingIOError:
                return
            with caller:
                self._serve(caller)

    def _serve(self, caller: socket.socket) -> None:
        """Who goes away in the middle is no matter; a guard that could not write down what it has decided ends."""
        caller.settimeout(0.2)
        try:
            data = caller.recv(_QUESTION_BYTES)
        except OSError:
            return
        reply = json.dumps(self._reply(data)).encode()
        with suppress(OSError):
            caller.send(reply)

    def _reply(self, data: bytes) -> Reply:
        try:
            question = read_json(data)
            if not isinstance(question, dict):
                raise Malformed("", "no mapping", "a mapping")
            return self._answer(question)
        except (Malformed, SalternError) as error:
            return {"error": str(error)}

    def close(self) -> None:
        """Nobody is answered any more."""
        self._door.close()
        self._path.unlink(missing_ok=True)


def _socket_path(root: str) -> Path:
    return Path(f"{root.rstrip('/')}{GUARD_SOCKET}")


def ask(root: str, question: Question, timeout_s: float) -> Reply:
    """The guard's answer; raises ``NoGuard`` when there is none in time."""
    try:
        found = read_json(LocalHost(root=root).ask(GUARD_SOCKET, json.dumps(dict(question)), timeout_s))
    except (OSError, Malformed) as error:
        raise NoGuard(str(error)) from error
    if not isinstance(found, dict):
        raise NoGuard("it answers with something else")
    return found
