"""Starting and stopping domains for the guard, and outdating copies: as everything else does it, each in a thread of its own.

Beats and the watchdog wait for none of them. Whatever was asked for is asked for again as long as it is not seen to be done.
"""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from queue import SimpleQueue
from typing import NamedTuple

from saltern import operations
from saltern.act import perform
from saltern.argv import drbd as drbd_argv
from saltern.argv import drbdsetup
from saltern.errors import ParseError, Refused, SalternError
from saltern.guard.facts import Seen
from saltern.guarding import preference
from saltern.guarding.events import Event
from saltern.guarding.journal import Journal
from saltern.guarding.looking import awaits_handler, look
from saltern.guarding.queues import drained
from saltern.guarding.quorumless import Quorumless
from saltern.guarding.settings import GuardedDomain
from saltern.guarding.stopping import stop, take_up
from saltern.model.action import Demote, Promote, StartDomain
from saltern.model.operation import Half, OperationKind
from saltern.model.places import operation_lock, operation_log
from saltern.model.running import DiskState
from saltern.observe import read_running, read_standing, read_version
from saltern.run import Host

_NOT_GOOD = (DiskState.OUTDATED, DiskState.INCONSISTENT)
# How long the side that does not write may believe in a lost connection: DRBD's ping-int and ping-timeout, and a bit more.
_UNNOTICED_S = 12
_SETTLE_AGAIN_S = 60.0


class Ended(NamedTuple):
    """What has come to its end: a ``start``, ``stop``, ``outdate``, ``promote`` or ``demote``; and, in words, why it has not
    succeeded.
    """

    what: str
    domain: str
    reason: str | None


def start(
    host: Host, domain: GuardedDomain, may_start: Callable[[], bool], *, witnessed: bool, quorum: bool = False
) -> str:
    """Start a domain whose other node is proven dead; returns what was done, in words.

    What is entered of it is ended first. ``may_start`` is asked again before each command. Where the proof is ``quorum``,
    its resources are Primary already, or nothing is proven: none is promoted now. Raises ``Refused``, and what the tools end
    with.
    """
    operations.make_way(host, domain.name)
    with operations.held(host, domain.name):
        # What this was decided on may be some seconds old.
        found = look(host, [domain], 0.0, Quorumless(host) if quorum else None, witnessed=witnessed)
        reason = found.reasons.get(domain.name) or (_not_held(domain.name, found.seen) if quorum else None)
        if reason is not None:
            raise Refused(f"domain {domain.name}", reason, "It is looked at again, and told when that changes")
        for name in () if quorum else domain.resources:
            _require(may_start, domain)
            perform(host, Promote(resource=name))
        _require(may_start, domain)
        perform(host, StartDomain(domain=domain.name))
        _write_down(host, domain)
    return "started"


def _write_down(host: Host, domain: GuardedDomain) -> None:
    """Where the log of an operation stands: this was the last one. What cannot be written down keeps nothing from running."""
    at = time.strftime("%Y-%m-%d %H:%M:%S")
    with suppress(OSError):
        told = f"start of {domain.name}, begun by the guard at {at}, since {domain.partner} was lost\n"
        host.write_text(operation_log(domain.name), told, 0o600)


def _not_held(domain: str, seen: Seen) -> str | None:
    if domain not in seen.primary & seen.quorate:
        return "its resources are not all Primary here, with quorum"
    if seen.replicating is None or domain in seen.replicating:
        return "its other node is connected again"
    return None


def _require(may_start: Callable[[], bool], domain: GuardedDomain) -> None:
    if not may_start():
        raise Refused(f"domain {domain.name}", "what allowed its start is no longer so", "Nothing is to be done")


def outdate(host: Host, domain: GuardedDomain) -> str:
    """Have the copy here count as older than the other one; returns what was done, in words.

    The partner, which writes, knows some seconds before this side that they are out of sight of each other; on a side that is
    connected DRBD marks nothing, and says nothing. Raises ``Refused`` where it stays so, and what the tools end with: a Primary
    is refused.
    """
    good = _good(host, domain)
    for _ in range(_UNNOTICED_S):
        for name in good:
            host.run(drbd_argv.outdate(name))
        good = _good(host, domain)
        if not good:
            break
        host.sleep(1)
    for name, disk in good.items():
        raise Refused(f"resource {name}", f"its disk is {disk} after `drbdadm outdate`", "Nothing is to be done")
    return "counts as outdated"


def promote(host: Host, domain: GuardedDomain) -> str:
    """Make all resources of a domain Primary, never by force; returns what was done, in words.

    Raises what the tools end with; then none of them is Primary for it.
    """
    done: list[str] = []
    try:
        for name in domain.resources:
            perform(host, Promote(resource=name))
            done.append(name)
    except (SalternError, OSError):
        for name in done:
            perform(host, Demote(resource=name))
        raise
    return "are Primary here"


def demote(host: Host, domain: GuardedDomain) -> str:
    """Make all of them Secondary, each that can be; returns what was done, in words.

    Raises what the tools end with, as for one that is in use.
    """
    troubles: list[Exception] = []
    for name in domain.resources:
        try:
            perform(host, Demote(resource=name))
        except (SalternError, OSError) as error:
            troubles.append(error)
    for trouble in troubles:
        raise trouble
    return "are Secondary here"


def resume_io(host: Host, domain: GuardedDomain) -> bool:
    """Have DRBD go on with what waits for its handler; returns whether anything does. Raises what the tools end with."""
    running = read_running(host, read_version(host))
    waiting = [running[name] for name in domain.resources if awaits_handler(running.get(name))]
    for side in waiting:
        host.run(drbdsetup.resume_io(side.devices[0].minor))
    return bool(waiting)


def _good(host: Host, domain: GuardedDomain) -> dict[str, DiskState | None]:
    """The disks of a domain that do not count as worse than their other copies; ``None`` for one that is not up here."""
    running = read_running(host, read_version(host))
    sides = {name: running.get(name) for name in domain.resources}
    disks = {name: side.devices[0].disk if side and 0 in side.devices else None for name, side in sides.items()}
    return {name: disk for name, disk in disks.items() if disk not in _NOT_GOOD}


def _is_brought(host: Host, domain: str) -> bool:
    """Whether an operation starts a domain here, or takes it in; one that only waits is given up. Raises ``OSError``."""
    try:
        found = read_standing(host, domain)
    except ParseError:
        return host.is_held(operation_lock(domain))  # nobody knows what it is
    if found is None or not found.held:
        return False
    if found.operation.half is not Half.TARGET or found.operation.kind is OperationKind.STOP:
        return False
    operations.give_up(host, [domain], found.operation.id)
    return True


class Doing:
    """What is being done with domains. ``wake`` is called when something has come to its end, which ``ended`` then tells."""

    def __init__(
        self,
        host: Host,
        domains: Mapping[str, GuardedDomain],
        clock: Callable[[], float],
        wake: Callable[[], None],
        journal: Journal,
        *,
        witnessed: bool,
        quorum: bool = False,
    ) -> None:
        self._host, self._domains, self._clock = host, domains, clock
        self._witnessed, self._quorum = witnessed, quorum
        self._wake, self._journal = wake, journal
        self._lock = threading.Lock()
        self._ended: SimpleQueue[Ended] = SimpleQueue()
        self._starting: set[str] = set()
        self._stopping: set[str] = set()
        self._cancelled: set[str] = set()
        self._started_s: dict[str, float] = {}
        self._outdating: set[str] = set()
        self._changing_roles: set[str] = set()
        self._resuming: set[str] = set()

    def begin(self) -> None:
        """Go on where a guard before this one was killed, and settle from then on what is left to this node."""
        for work in (self._take_up, self._settle_idle):
            threading.Thread(target=work, daemon=True).start()

    def start(self, domain: str) -> None:
        """Start a domain, unless that is going on."""
        with self._lock:
            if domain in self._starting or domain in self._stopping:
                return
            self._starting.add(domain)
            self._cancelled.discard(domain)
        threading.Thread(target=self._start, args=(domain,), daemon=True).start()

    def stop(self, domain: str) -> None:
        """Stop a domain, unless that is going on; a start of it goes no further."""
        with self._lock:
            self._cancelled.add(domain)
            if domain in self._stopping:
                return
            self._stopping.add(domain)
        threading.Thread(target=self._stop, args=(domain,), daemon=True).start()

    def outdate(self, domain: str) -> None:
        """Have the copy of a domain here count as outdated, unless that is going on."""
        with self._lock:
            if domain in self._outdating:
                return
            self._outdating.add(domain)
        threading.Thread(target=self._outdate, args=(domain,), daemon=True).start()

    def promote(self, domain: str) -> None:
        """Make its resources Primary, unless their role is being changed: then that is told, and nothing is done."""
        self._change_role("promote", promote, domain)

    def demote(self, domain: str) -> None:
        """Make its resources Secondary, unless their role is being changed."""
        self._change_role("demote", demote, domain)

    def _change_role(self, what: str, do: Callable[[Host, GuardedDomain], str], domain: str) -> None:
        with self._lock:
            busy = domain in self._changing_roles or domain in self._starting
            if not busy:
                self._changing_roles.add(domain)
        if busy:
            self._ended.put(Ended(what, domain, "its role is being changed"))
            self._wake()
        else:
            threading.Thread(target=self._role, args=(what, do, domain), daemon=True).start()

    def resume_io(self, domain: str) -> None:
        """Have DRBD go on with a domain that waits for its handler, unless that is going on."""
        with self._lock:
            if domain in self._resuming:
                return
            self._resuming.add(domain)
        threading.Thread(target=self._resume_io, args=(domain,), daemon=True).start()

    def ended(self) -> list[Ended]:
        """What has come to its end since this was asked last."""
        return drained(self._ended)

    @property
    def starting(self) -> frozenset[str]:
        """The domains that are being started."""
        with self._lock:
            return frozenset(self._starting)

    def here_since(self, seen_s: float) -> frozenset[str]:
        """What counts as running although a look that began then does not show it: it is being started, or was since."""
        with self._lock:
            return frozenset(self._starting) | {name for name, at_s in self._started_s.items() if at_s >= seen_s}

    @property
    def busy(self) -> dict[str, str]:
        """What is going on, by domain."""
        with self._lock:
            return {**dict.fromkeys(self._starting, "starting"), **dict.fromkeys(self._stopping, "stopping")}

    def _take_up(self) -> None:
        preference.give_up()
        try:
            for domain, words in take_up(self._host, list(self._domains.values())):
                self._journal.tell(f"domain {domain}", words)
        except (SalternError, OSError) as error:
            self._journal.say("domains", f"cannot be seen, in case one was left half ended: {error}")
        self._wake()

    def _settle_idle(self) -> None:
        """Half of an operation may be left to this node for good: whoever has begun it may be dead, and nobody apply."""
        preference.give_up()
        pause = threading.Event()
        while True:
            for domain in self._domains:
                try:
                    words = operations.settle_idle(self._host, domain)
                    if words is not None:
                        self._journal.tell(f"operation on {domain}", words)
                except (SalternError, OSError) as error:
                    self._journal.say(f"operation on {domain}", f"what was left of one stays: {error}")
            pause.wait(_SETTLE_AGAIN_S)

    def _start(self, domain: str) -> None:
        preference.give_up()
        reason = None
        try:
            may_start = lambda: domain not in self._cancelled  # noqa: E731
            words = start(self._host, self._domains[domain], may_start, witnessed=self._witnessed, quorum=self._quorum)
        except (SalternError, OSError) as error:
            reason = str(error)
            words = f"was not started: {reason}"
        event = Event.DOMAIN_STARTED if reason is None else Event.DOMAIN_START_FAILED
        self._journal.tell(f"domain {domain}", words, event)
        with self._lock:
            self._starting.discard(domain)
            # Also after a failure: what a tool has done before it ended is known by the next look.
            self._started_s[domain] = self._clock()
        self._ended.put(Ended("start", domain, reason))
        self._wake()

    def _outdate(self, domain: str) -> None:
        reason = None
        try:
            words = outdate(self._host, self._domains[domain])
        except (SalternError, OSError) as error:
            reason = str(error)
            words = f"could not be marked as outdated: {reason}"
        self._journal.say(f"copy of {domain}", words)
        with self._lock:
            self._outdating.discard(domain)
        self._ended.put(Ended("outdate", domain, reason))
        self._wake()

    def _role(self, what: str, do: Callable[[Host, GuardedDomain], str], domain: str) -> None:
        reason = None
        try:
            words = do(self._host, self._domains[domain])
        except (SalternError, OSError) as error:
            reason = str(error)
            words = f"did not {what}: {reason}"
        self._journal.say(f"resources of {domain}", words)
        with self._lock:
            self._changing_roles.discard(domain)
        self._ended.put(Ended(what, domain, reason))
        self._wake()

    def _resume_io(self, domain: str) -> None:
        subject = f"handler of {domain}"
        try:
            if resume_io(self._host, self._domains[domain]):
                words = "has not told DRBD what was promised: the guard has had it go on"
                self._journal.tell(subject, words, Event.HANDLER_FAILED)
        except (SalternError, OSError) as error:
            self._journal.say(subject, f"DRBD could not be told to go on: {error}", Event.HANDLER_FAILED)
        with self._lock:
            self._resuming.discard(domain)
        self._wake()

    def _stop(self, domain: str) -> None:
        reason, event = None, None
        with self._lock:
            starting = domain in self._starting  # none begins while it is being stopped
        try:
            words = stop(self._host, self._domains[domain])
            if starting or _is_brought(self._host, domain):  # what Xen does not list may be there in a moment
                raise Refused(f"domain {domain}", "a start of it was under way", "It is tried again")
        except (SalternError, OSError) as error:
            reason, event = str(error), Event.DOMAIN_NOT_ENDED
            words = f"could not be ended: {reason}"
        self._journal.say(f"domain {domain}", words, event)
        with self._lock:
            self._stopping.discard(domain)
        self._ended.put(Ended("stop", domain, reason))
        self._wake()
