"""What a guard, or a witness, has decided and why: a line of JSON for each, kept for weeks; the words for journald as well."""

import json
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

from saltern.guarding.events import Event
from saltern.model.places import GUARD_LOGS
from saltern.run import LocalHost

_DAYS: Final = 60
Say = Callable[..., object]


class Journal:
    """The log of one service: a file for each day. What is said of a subject is written when it is another thing than before."""

    def __init__(self, host: LocalHost, service: str) -> None:
        self._host, self._service = host, service
        self._day = ""
        self._said: dict[str, str] = {}
        self.listener: Callable[[Mapping[str, Any]], None] = lambda line: None  # is given what is an event

    def say(self, subject: str, words: str, event: Event | None = None) -> bool:
        """Write down what is so of a subject from now on; returns whether that is another thing than before.

        A log that cannot be written keeps nothing from being done.
        """
        if self._said.get(subject) == words:
            return False
        self.tell(subject, words, event)
        return True

    def tell(self, subject: str, words: str, event: Event | None = None) -> None:
        """Write down what has happened to a subject, also when it is the same as before."""
        self._said[subject] = words
        now = datetime.now().astimezone()
        line = {"at": now.isoformat(timespec="milliseconds"), "subject": subject, "words": words}
        if event is not None:
            line["event"] = event
        with suppress(OSError, ValueError):
            print(f"{subject}: {words}", file=sys.stderr, flush=True)
        file = self._file(now.date().isoformat())
        with suppress(OSError):
            self._host.append_text(file, json.dumps(line) + "\n")
        if event is not None:
            # What comes before a reset is to be read after it; nobody waits for a disk that is slow.
            threading.Thread(target=self._keep, args=(file,), daemon=True).start()
            self.listener(line)

    def _keep(self, file: str) -> None:
        with suppress(OSError):
            self._host.sync(file)

    def _file(self, day: str) -> str:
        if day != self._day:
            self._day = day
            self._forget_old()
        return f"{GUARD_LOGS}/{self._service}-{day}.jsonl"

    def _forget_old(self) -> None:
        first = time.strftime("%Y-%m-%d", time.localtime(time.time() - _DAYS * 86400))
        prefix = f"{self._service}-"
        for name in self._host.names(GUARD_LOGS):
            if name.startswith(prefix) and name.endswith(".jsonl") and name[len(prefix) :] < first:
                self._host.remove(f"{GUARD_LOGS}/{name}")
