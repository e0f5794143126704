"""The administrator's command, run by the guard for each event: with a dead master too, and beside everything else."""

import json
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from queue import Full, Queue
from typing import Any, Final

from saltern.guarding import preference
from saltern.guarding.journal import Journal
from saltern.run import Host

TIMEOUT_S: Final = 30.0
_WAITING_AT_MOST: Final = 100
_LAST_S: Final = 5.0


class Notifying:
    """Runs ``command`` for each event of a journal, one after the other; standard input is the line as JSON, with ``about``.

    Nothing waits for it. What goes wrong with it is told in the journal, and keeps nothing from being done.
    """

    def __init__(self, host: Host, command: Sequence[str], about: Mapping[str, str], journal: Journal) -> None:
        self._host, self._command, self._about, self._journal = host, command, about, journal
        self._waiting: Queue[Mapping[str, Any] | None] = Queue(_WAITING_AT_MOST)
        self._thread = threading.Thread(target=self._work, daemon=True)

    def start(self) -> None:
        """From now on."""
        self._journal.listener = self._take
        self._thread.start()

    def end(self) -> None:
        """The last ones have a moment; what is running then goes on by itself."""
        with suppress(Full):
            self._waiting.put(None, timeout=_LAST_S)
            self._thread.join(_LAST_S)

    def _take(self, line: Mapping[str, Any]) -> None:
        try:
            self._waiting.put_nowait(line)
        except Full:
            self._journal.say("notification", f"{_WAITING_AT_MOST} events wait for the command: this one is left out")

    def _work(self) -> None:
        preference.give_up()
        while (line := self._waiting.get()) is not None:
            try:
                self._host.run(self._command, stdin=json.dumps({**self._about, **line}) + "\n", timeout_s=TIMEOUT_S)
            except Exception as error:  # of whatever kind: the guard would end with this thread
                self._journal.tell("notification", f"of {line['event']} has failed: {error}")
