"""What is so on this node, looked at again whenever DRBD says that something has happened, and once a beat.

A thread of its own, for a tool that hangs must hold up nothing else. What could not be seen is unknown: then nothing is started,
and nothing counts as stopped.
"""

import math
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from queue import SimpleQueue
from typing import Final, NamedTuple

from saltern.argv import drbd as drbd_argv
from saltern.errors import ParseError, SalternError
from saltern.guard.facts import Seen
from saltern.guarding.journal import Say
from saltern.guarding.queues import drained
from saltern.guarding.quorumless import Quorumless
from saltern.guarding.settings import GuardedDomain
from saltern.guarding.unfenced import Unfenced
from saltern.model.observed import Xen
from saltern.model.operation import OperationKind, Standing
from saltern.model.places import stopped_file
from saltern.model.running import ConnectionState, DiskState, Role, RunningResource
from saltern.observe import note_of, read_free_memory_bytes, read_running, read_standing, read_version, read_xen
from saltern.parse.drbdsetup_events2 import Event as DrbdEvent
from saltern.parse.drbdsetup_events2 import Happening, Kind, parse_line
from saltern.plan.operation import bars_takeover
from saltern.run import Host, LocalHost

_GAP_S: Final = 0.2  # between two looks, however much happens
_STREAM_AGAIN_S: Final = 5.0
# Consistent is what DRBD calls a copy whose partner it has not seen since the boot; with proof of death it becomes UpToDate. It
# is good only where a witness knows whether the other node went on alone.
_SETTLED: Final = (DiskState.UP_TO_DATE, DiskState.INCONSISTENT)
_ATTACHED: Final = (*_SETTLED, DiskState.CONSISTENT, DiskState.OUTDATED)
_GOOD: Final = {True: (DiskState.UP_TO_DATE, DiskState.CONSISTENT), False: (DiskState.UP_TO_DATE,)}


class Look(NamedTuple):
    """What was seen, and when the look began. ``reasons`` tells of each domain that is not startable why it is not."""

    begun_s: float
    seen: Seen
    reasons: Mapping[str, str]


def judge(
    domains: Sequence[GuardedDomain],
    xen: Xen,
    running: Mapping[str, RunningResource],
    held_up: Mapping[str, str],
    begun_s: float,
    free_bytes: int | None = None,
    *,
    witnessed: bool,
    unfenced: frozenset[str] | None = None,
) -> Look:
    """What that means for the domains; ``held_up`` has the reasons of those that are not to be started for what is noted here.

    Of the resources that are ``unfenced`` DRBD asks for nothing before it goes on alone with them, neither this guard nor quorum;
    ``None`` where that was not read: then nothing counts as having quorum.
    """
    good = _GOOD[witnessed]
    here = frozenset(each.name for each in domains if xen.by_uuid(each.uuid) is not None)
    # Of the two halves of a migration only that which has the name may go on by itself.
    named = frozenset(
        each.name
        for each in domains
        if any((found.uuid, found.name) == (each.uuid, each.name) for found in xen.domains)
    )
    sides = {each.name: [running.get(name) for name in each.resources] for each in domains}
    reasons = {}
    for each in domains:
        obstacle = held_up.get(each.name) or next(_obstacles(each, running, good), None)
        reason = "it is here" if each.name in here else obstacle
        if reason is not None:
            reasons[each.name] = reason
    connected = frozenset(name for name, found in sides.items() if all(map(_connected, found)))
    unbound = None if unfenced is None else _of_domains(unfenced, domains)
    with_quorum = frozenset(name for name, found in sides.items() if all(map(_has_quorum, found)))
    primary = frozenset(name for name, found in sides.items() if all(map(_is_primary, found)))
    seen = Seen(
        running=here,
        startable=frozenset(sides) - reasons.keys(),
        against={name: reason for name, reason in reasons.items() if name not in here},
        lost=(named - connected) & frozenset(name for name, found in sides.items() if all(map(_is_whole, found))),
        waiting=named & frozenset(name for name, found in sides.items() if any(map(awaits_handler, found))),
        connected=connected,
        replicating=frozenset(name for name, found in sides.items() if any(map(_connected, found))),
        settled=frozenset(name for name, found in sides.items() if all(map(_settled, found))),
        free_bytes=free_bytes,
        unfenced=unbound,
        unasked=here & frozenset(name for name, found in sides.items() if any(map(_is_written_alone, found))),
        mirrored=frozenset(name for name, found in sides.items() if all(map(_mirrored, found))),
        away=frozenset(name for name, found in sides.items() if any(map(_is_away, found))),
        consistent=frozenset(name for name, found in sides.items() if any(map(_is_consistent, found))),
        quorate=frozenset() if unbound is None else with_quorum - unbound,
        primary=primary,
        partly_primary=frozenset(name for name, found in sides.items() if any(map(_is_primary, found))) - primary,
        began_s=begun_s,
    )
    return Look(begun_s, seen, reasons)


def _of_domains(resources: frozenset[str], domains: Sequence[GuardedDomain]) -> frozenset[str]:
    return frozenset(each.name for each in domains if not resources.isdisjoint(each.resources))


def _obstacles(
    domain: GuardedDomain, running: Mapping[str, RunningResource], good: Collection[DiskState]
) -> Iterator[str]:
    for name in domain.resources:
        side = running.get(name)
        if side is None or side.devices.keys() != {0}:
            yield f"{name} is not up here"
        elif side.devices[0].disk not in good:
            yield f"{name} is {side.devices[0].disk} here"
        elif not side.connections or any(each.state is ConnectionState.STANDALONE for each in side.connections):
            yield f"{name} does not connect (StandAlone), so that the sides may have diverged"
        elif strange := [each.peer for each in side.connections if each.peer not in (None, domain.partner)]:
            yield f"the other copy of {name} is on {strange[0]}, of which this guard was not told: apply this node"
        elif any(each.role is Role.PRIMARY for each in side.connections if each.state is ConnectionState.CONNECTED):
            yield f"{name} is Primary on {domain.partner}, and connected"


def _was_started(standing: Standing | None) -> bool:
    """Whether somebody wants it to run, and has begun that: a note from before counts no longer."""
    return standing is not None and standing.operation.kind is OperationKind.START and standing.operation.taken


def _connected(side: RunningResource | None) -> bool:
    return side is not None and any(each.state is ConnectionState.CONNECTED for each in side.connections)


def _is_whole(side: RunningResource | None) -> bool:
    """Whether the copy here could be the last good one. For one that is not, DRBD has nobody outdated: the good one is over there
    ("Not fencing peer, I'm not even Consistent myself", conn_try_outdate_peer).
    """
    return side is not None and all(device.disk in _GOOD[True] for device in side.devices.values())


def _has_quorum(side: RunningResource | None) -> bool:
    """Each of its devices; 8.4 has none, and says nothing of it."""
    return side is not None and bool(side.devices) and all(each.quorum is True for each in side.devices.values())


def _is_primary(side: RunningResource | None) -> bool:
    return side is not None and side.role is Role.PRIMARY


def awaits_handler(side: RunningResource | None) -> bool:
    """Whether DRBD has suspended its I/O until the handler ends well, with the other copy out of sight."""
    return side is not None and side.role is Role.PRIMARY and side.awaits_handler and not _connected(side)


def _is_written_alone(side: RunningResource | None) -> bool:
    """Also while the other node is connected: without its disk it takes nothing, nobody asks, and its copy does not say so."""
    if side is None or side.role is not Role.PRIMARY or side.suspended or _mirrored(side):
        return False
    return any(device.disk is not DiskState.DISKLESS for device in side.devices.values())


def _mirrored(side: RunningResource | None) -> bool:
    """The other copy is in sight, and is UpToDate, or is Inconsistent: DRBD has that on the disk there.

    Which it has before this node sees it so: a target of a synchronisation is at most Outdated from the handshake on.
    """
    return (
        side is not None
        and _connected(side)
        and all(each.disk in _SETTLED for way in side.connections for each in way.volumes.values())
    )


def _settled(side: RunningResource | None) -> bool:
    """The copy here is UpToDate, and mirrored."""
    return (
        side is not None
        and _mirrored(side)
        and all(each.disk is DiskState.UP_TO_DATE for each in side.devices.values())
    )


def _is_away(side: RunningResource | None) -> bool:
    """The copy here has no disk, while the other node, which is connected, is asked for nothing when it writes on."""
    return _connected(side) and side is not None and any(each.disk not in _ATTACHED for each in side.devices.values())


def _is_consistent(side: RunningResource | None) -> bool:
    return side is not None and any(each.disk is DiskState.CONSISTENT for each in side.devices.values())


def look(
    host: Host,
    domains: Sequence[GuardedDomain],
    begun_s: float,
    fencing: Unfenced | Quorumless | None = None,
    *,
    witnessed: bool,
    memory: bool = False,
) -> Look:
    """Look at the node: two processes, with its ``memory`` three, and the notes about domains. Raises what a read raises.

    It is ``witnessed`` where there are leases. What ``fencing`` does not know yet takes a process for each resource; one for all
    where it is about quorum.
    """
    running = read_running(host, read_version(host))
    names = [name for each in domains for name in each.resources]
    unfenced = None if fencing is None else fencing.of(names, running)
    free_bytes = read_free_memory_bytes(host) if memory else None
    held_up = dict(_held_up(host, domains))
    xen = read_xen(host)
    return judge(domains, xen, running, held_up, begun_s, free_bytes, witnessed=witnessed, unfenced=unfenced)


def _held_up(host: Host, domains: Sequence[GuardedDomain]) -> Iterator[tuple[str, str]]:
    for each in domains:
        try:
            standing = read_standing(host, each.name)
            stopped = note_of(host.read_text(stopped_file(each.name)), each.uuid)
        except (ParseError, OSError) as error:  # of one domain, and no reason to leave the others
            yield each.name, f"what is being done with it cannot be read: {error}"
            continue
        if standing is not None and bars_takeover(standing):
            yield (
                each.name,
                f"it is busy: {standing.operation}" if standing.alive else f"left half-done: {standing.operation}",
            )
        elif stopped is not None and not _was_started(standing):
            yield each.name, f"it stays stopped: {stopped}"
        elif standing is not None and standing.operation.kind is OperationKind.STOP and standing.operation.taken:
            yield each.name, f"it was to be stopped, and to stay so: {standing.operation}"


class Happened(NamedTuple):
    """What an event says of resources; ``None`` stands for any of them. ``met``: it is connected. ``away``: the disk of a copy
    here went away while it was.
    """

    met: tuple[str | None, ...] = ()
    away: tuple[str | None, ...] = ()


ANYTHING: Final = Happened((None,), (None,))


class Stream:
    """DRBD's events, from the begin of a stream on: nothing else of them is believed, and it may be over when it is looked at."""

    def __init__(self) -> None:
        self._connected: set[tuple[str | None, str | None]] = set()  # resources, with the other node
        self._detached: set[tuple[str | None, str | None]] = set()  # resources, with the volume

    def heard(self, line: str) -> Happened:
        """What a line says. One that is not understood may say anything."""
        try:
            event = parse_line(line)
        except ParseError:
            return ANYTHING
        name = event.fields.get("name")
        if event.kind is Kind.CONNECTION:
            return self._of_connection(name, event)
        if event.kind is Kind.DEVICE:
            self._note_disk((name, event.fields.get("volume")), event)
            return Happened(away=self._away(name))
        return Happened()

    def _note_disk(self, device: tuple[str | None, str | None], event: DrbdEvent) -> None:
        disk = event.fields.get("disk")
        if event.happening is Happening.DESTROY or disk in _ATTACHED:
            self._detached.discard(device)
        elif disk is not None:
            self._detached.add(device)

    def _away(self, name: str | None) -> tuple[str | None, ...]:
        connected, detached = ({each for each, _ in ways} for ways in (self._connected, self._detached))
        return (name,) if name in connected & detached else ()

    def _of_connection(self, name: str | None, event: DrbdEvent) -> Happened:
        way, state = (name, event.fields.get("peer-node-id")), event.fields.get("connection")
        if state == ConnectionState.CONNECTED:
            self._connected.add(way)
            return Happened(met=(name,), away=self._away(name))
        if state is not None or event.happening is Happening.DESTROY:
            self._connected.discard(way)
        return Happened()


def _all_of(several: Sequence[Happened]) -> Happened:
    return Happened(
        tuple({name for each in several for name in each.met}), tuple({name for each in several for name in each.away})
    )


class Looking:
    """Looks again and again, and keeps the ``latest`` look, ``None`` while there is none. ``wake`` is called after each.

    How much memory is free is looked at only while ``orphaned`` says that something may have to be started.
    Where the proof is ``quorum``, it is looked at whether that is demanded, and not whether DRBD asks.
    """

    def __init__(
        self,
        host: LocalHost,
        domains: Sequence[GuardedDomain],
        period_s: float,
        clock: Callable[[], float],
        wake: Callable[[], None],
        say: Say,
        orphaned: Callable[[], bool],
        *,
        witnessed: bool,
        quorum: bool = False,
    ) -> None:
        self._host, self._domains, self._period_s, self._witnessed = host, domains, period_s, witnessed
        self._clock, self._wake, self._say, self._orphaned = clock, wake, say, orphaned
        self._fencing = Quorumless(host) if quorum else Unfenced(host, clock)
        self._again = threading.Event()
        self._happened: SimpleQueue[Happened] = SimpleQueue()  # since the last look
        self._unfenced = frozenset(each.name for each in domains)  # in the last look
        self.latest: Look | None = None
        self._acted_on_s = -math.inf  # when the last look began that the guard has acted on

    def start(self) -> None:
        """Begin."""
        for work in (self._look, self._listen):
            threading.Thread(target=work, daemon=True).start()

    def again(self) -> None:
        """Something has happened."""
        self._again.set()

    def acted_on(self, found: Look) -> None:
        """The guard knows what that look has found."""
        self._acted_on_s = found.begun_s

    def _keep(self, found: Look, happened: Happened) -> None:
        """What has happened since the look before is still to be told where the guard has not acted on that one.

        What was connected when this look read that was so since DRBD asks where the look before has seen that it does.
        """
        before, seen = self.latest, found.seen
        met, away = self._domains_of(happened.met), seen.away | self._domains_of(happened.away)
        if before is not None and before.begun_s > self._acted_on_s:
            met, away = met | before.seen.met, away | before.seen.away
        self.latest = found._replace(seen=replace(seen, met=met, away=away, mirrored=seen.mirrored - self._unfenced))
        if seen.unfenced is not None:
            self._unfenced = seen.unfenced

    def _look(self) -> None:
        pause = threading.Event()
        happened = Happened()
        while True:
            self._again.clear()  # what happens from here on is looked at once more
            happened = _all_of([happened, *drained(self._happened)])
            try:
                begun_s, memory = self._clock(), self._orphaned()
                found = look(
                    self._host, self._domains, begun_s, self._fencing, witnessed=self._witnessed, memory=memory
                )
                self._keep(found, happened)
                happened = Happened()
                self._say("the node", "it can be seen")
            except (SalternError, OSError) as error:
                self._say("the node", f"it cannot be seen, so nothing is started: {error}")
            self._wake()
            pause.wait(_GAP_S)
            self._again.wait(self._period_s)

    def _domains_of(self, names: Collection[str | None]) -> frozenset[str]:
        anything = None in names
        return frozenset(each.name for each in self._domains if anything or not set(names).isdisjoint(each.resources))

    def _listen(self) -> None:
        """DRBD's events: each is a reason to look, and so is the end of the stream, after which anything may have been."""
        pause = threading.Event()
        while True:
            with suppress(SalternError, OSError):
                stream = Stream()
                for line in self._host.follow(drbd_argv.events()):
                    self._happened.put(stream.heard(line))
                    self.again()
            self._happened.put(ANYTHING)
            self.again()
            pause.wait(_STREAM_AGAIN_S)
