"""The witness as a service: it answers nodes, and has on its disk what it promises before it says so."""

from collections.abc import Callable

from saltern.guard.messages import Message
from saltern.guard.witness import Promises, Witness
from saltern.guarding.journal import Journal
from saltern.guarding.service import boottime_s
from saltern.guarding.settings import WitnessSettings
from saltern.guarding.store import WitnessStore
from saltern.guarding.transport import Heard, Transport, Wake


class WitnessService:
    """The witness of a cluster. It may be ended at any time: what it has promised is kept."""

    def __init__(
        self,
        settings: WitnessSettings,
        store: WitnessStore,
        transport: Transport,
        journal: Journal,
        clock: Callable[[], float] = boottime_s,
    ) -> None:
        self._store, self._transport, self._journal, self._clock = store, transport, journal, clock
        self._witness = Witness(settings.times, store.promises, clock())
        self._wake = Wake()
        self._unwritten = False
        self._ending = False

    def run(self) -> None:
        """Answer, until it shall end."""
        self._transport.poller.register(self._wake.fd)
        self._journal.say("witness", "begins")
        while not self._ending:
            ready = dict(self._transport.poller.poll())
            self._wake.heard()
            for heard in self._transport.receive(ready):
                self._hear(heard)
        self._transport.close()
        self._journal.say("witness", "has ended")

    def end(self) -> None:
        """It shall end."""
        self._ending = True
        self._wake()

    def _hear(self, heard: Heard) -> None:
        assert isinstance(heard.content, Message)  # noqa: S101 - it asks nobody, so nobody answers it
        answer = self._witness.answer(heard.content, self._clock())
        before = self._store.promises
        try:
            self._store.keep(self._witness.promises)
        except OSError as error:
            if self._store.read() != before:  # written, and not known to stay so: it begins anew with what is there
                raise
            # Nobody is told of it. Others, about whom nothing is to be written, live by the answers that go on.
            self._witness.promises = before
            self._journal.say("promises", f"cannot be written, so that no new one is given: {error.strerror}")
            self._unwritten = True
            return
        if self._unwritten and self._store.promises is not before:
            self._journal.say("promises", "are written again")
            self._unwritten = False
        self._tell(before, self._witness.promises)
        if answer is not None:
            self._transport.answer(heard, answer)

    def _tell(self, before: Promises, after: Promises) -> None:
        for node, by in sorted(after.denied.keys() - before.denied.keys()):
            self._journal.say(f"node {node}", f"is answered no more: {by} has given it up for lost")
        for node in sorted({node for node, _ in before.denied} - {node for node, _ in after.denied}):
            self._journal.say(f"node {node}", "is answered again")
        for domain in after.alone.keys() | before.alone.keys():
            owner = after.alone.get(domain)
            if owner != before.alone.get(domain):
                words = "are the same on both nodes" if owner is None else f"count as good on {owner} only"
                self._journal.say(f"data of {domain}", words)
