"""The smallest cluster through everything that can happen to it: two nodes, a witness, one domain; each state once.

It is the world of the schedules, with the same guards and the same witness, and every rule is checked in it. What is bounded:

- Everything takes the same time always: time goes in beats, and all clocks run at the same speed.
- Once in a beat one thing may befall the cluster (``FAULTS``), or end, or an administrator runs `state.apply`; each message may
  be lost, come two beats late, or twice. What befalls it and what becomes of a message count; on one way there are at most as
  many as was asked for. What ends does not count.
- A node that is frozen keeps the last two messages of each sender.

A state is told by ``soak/shape.py``; with more faults left it is another one.
"""

import argparse
import heapq
import math
import pickle
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final, NamedTuple

from saltern.guard.guard import Guard
from saltern.guard.knowledge import WITNESS
from saltern.guard.times import Times
from saltern.progress import Progress
from soak.shape import BOOTS, CLOCKS_S, shape
from soak.violation import Violation
from soak.world import Machine, Noise, World

ONE, OTHER, DOMAIN = "node1", "node2", "dns"
# As short as they can be in beats: everything that is waited for is waited for, in as few states as possible.
TIMES: Final = Times(beat_s=1.0, dead_s=1.5, lease_s=4.0, watchdog_s=2.0, takeover_s=7.0, margin_s=1.0, drift=0.0)
_LATE_S: Final = 2.0
FATES: Final = ("lost", "late", "doubled")

Done = tuple[tuple[str, tuple[str, ...]], ...]


def _all_ways(*pairs: tuple[str, str]) -> Done:
    return tuple(("cut", way) for one, other in pairs for way in ((one, other), (other, one)))


_REPLICATION: Final[Done] = (("part", (ONE, OTHER)),)
FAULTS: Final[dict[str, Done]] = {
    **{f"{name} is off": (("power_off", (name,)),) for name in (ONE, OTHER, WITNESS)},
    **{f"{name} is frozen": (("freeze", (name,)),) for name in (ONE, OTHER)},
    **{f"the guard of {name} is dead": (("kill", (name,)),) for name in (ONE, OTHER, WITNESS)},
    **{f"the domain of {name} does not die": (("stick", (name,)),) for name in (ONE, OTHER)},
    "node1 is isolated": _all_ways((ONE, OTHER), (ONE, WITNESS)) + _REPLICATION,
    "node2 is isolated": _all_ways((ONE, OTHER), (OTHER, WITNESS)) + _REPLICATION,
    "the witness is isolated": _all_ways((ONE, WITNESS), (OTHER, WITNESS)),
    "the nodes are separated": _all_ways((ONE, OTHER)) + _REPLICATION,
    "replication is cut": _REPLICATION,
    **{f"the guard of {name} is stopped": (("leave", (name,)),) for name in (ONE, OTHER)},
    **{f"{name} is paused": (("pause", (name,)),) for name in (ONE, OTHER)},
    "the domain is shut down": (("shut", (DOMAIN,)),),
    "the domain moves": (("move", (DOMAIN,)),),
    **{
        f"nothing gets from {sender} to {to}": (("cut", (sender, to)),)
        for sender in (ONE, OTHER, WITNESS)
        for to in (ONE, OTHER, WITNESS)
        if sender != to
    },
}

EVERYTHING: Final = frozenset({*FAULTS, *FATES})

# --- Time ----------------------------------------------------------------------------------------------------------
# How long things take, by the purpose of the random number that a schedule would draw.
_TAKES_S: Final = {
    "clock": 0.0,
    "tick": 1.0,
    "message": 0.1,
    "stop": 0.2,
    "link": 1.0,
    "home": 0.0,
    "boot": 1.0,
    "thaw": 0.1,
    "proof": 0.0,
    "weather": 0.0,
    "start": 0.2,
    "outdate": 0.1,
    "agent": 0.5,
    "move": 1.0,
    "order": 0.2,
}
_BEAT_S: Final = 1.0
_BEGIN_S: Final = 1.45  # between two beats: what was sent with the last one has arrived


class _Fixed:
    """In the place of a generator: it always takes the same time, and what happens seldom does not happen."""

    def __init__(self, takes_s: float) -> None:
        self._takes_s = takes_s

    def uniform(self, _low: float, _high: float) -> float:
        return self._takes_s

    def expovariate(self, _rate: float) -> float:
        return self._takes_s

    def random(self) -> float:
        return 0.5

    def choice(self, several: Sequence[Any]) -> Any:
        return several[0]

    def sample(self, several: Sequence[Any], _many: int) -> Sequence[Any]:
        return several


def fixed(takes_s: float) -> Any:
    """In the place of a generator: what always takes so long."""
    return _Fixed(takes_s)


class Calm(Noise):
    """Everything takes its time, and the same one always."""

    def __getitem__(self, purpose: tuple[str, ...]) -> Any:
        return fixed(_TAKES_S[purpose[0]])


class SmallWorld(World):
    """A state between two beats, with so many faults ``left`` of those that there are ``only``.

    ``stops``: the clock of a node that is frozen does.
    """

    faults: ClassVar[Mapping[str, Done]] = FAULTS

    def __init__(self, left: int, stops: bool, only: frozenset[str], **parts: Any) -> None:
        self.left = left
        self.only = only
        usual: dict[str, Any] = {"times": TIMES, "noise": Calm}
        super().__init__(0, 2, placed={DOMAIN: (ONE, OTHER)}, **(usual | parts))
        for number, machine in enumerate(self.machines.values(), 1):
            machine.stops = stops
            machine.boots = BOOTS * number
            machine.facts = machine.facts._replace(boot=machine.boots)
            machine.promises = machine.promises._replace(refusals=BOOTS * 4)
            machine.part = None
            self._begin(machine)

    def clock(self, machine: Machine) -> float:
        """In a range of its own, and standing still where it does."""
        stands = machine.frozen and machine.stops
        now_s = machine.frozen_since_s if stands else self.time_s
        return now_s - machine.zero_s + CLOCKS_S * (1 + list(self.machines).index(machine.name))

    def at(self, delay_s: float, do: Callable[..., None], *args: Any) -> None:
        """Guards act at whole seconds."""
        if do.__name__ == "_tick":
            delay_s = math.floor(self.time_s) + 1 - self.time_s
        super().at(delay_s, do, *args)

    # --- What can happen -------------------------------------------------------------------------------------------
    def options(self) -> Iterator[tuple[int, Done]]:
        """What may be done now, and how many faults that is."""
        yield 0, ()
        yield from ((0, done) for done in self._ends())
        if self.left:
            yield from ((1, done) for name, done in self.faults.items() if name in self.only)

    def _ends(self) -> Iterator[Done]:
        for name, machine in self.machines.items():
            if not machine.powered:
                yield (("power_on", (name,)),)
            elif machine.frozen:
                yield (("thaw", (name,)),)
            elif machine.part is None:
                yield (("revive", (name,)),)
        mended = tuple(("mend", way) for way in sorted(self._cut))
        joined = tuple(("join", tuple(sorted(pair))) for pair in self._replication_cut)
        if mended or joined:
            yield mended + joined
        if not any(DOMAIN in machine.running for machine in self.machines.values()):
            yield (("apply", (DOMAIN,)),)

    def befall(self, faults: int, done: Done) -> None:
        """Do it."""
        self.left -= faults
        for what, who in done:
            getattr(self, what)(*who)
        self.changed()

    def is_message(self) -> bool:
        """Whether what comes next is a message."""
        return self._events[0][2] == self._arrive

    def suffer(self, fate: str) -> None:
        """That message is lost, or comes late, or twice."""
        self.left -= 1
        at_s, _, do, (sender, to, message) = self._events[0]
        self.note(f"from {sender} to {to}, {fate}: {message}")
        if fate == "doubled":
            self.step()
        else:
            heapq.heappop(self._events)
        if fate != "lost":
            self.at(at_s - self.time_s + _LATE_S, do, sender, to, message)

    # --- The state -------------------------------------------------------------------------------------------------
    def key(self) -> int:
        """See ``soak/shape.py``."""
        clocks_s = {number: self.clock(machine) for number, machine in enumerate(self.machines.values(), 1)}
        return shape(self, clocks_s, [(at_s, do.__name__, args) for at_s, _, do, args in self._events])

    def tidy(self) -> None:
        """Forget what can have no effect any more, and what can be worked out again."""
        self.changed()
        self._events = sorted(event for event in self._events if not _is_void(event[2].__name__, event[3]))
        for side in self.sides.values():
            if not side.suspended:
                side.handler = None
        for machine in self.machines.values():
            machine.queue = _last_two(machine.queue)
            machine.watched = False
            if not self._has_just_thawed(machine):
                machine.thawed_s = None
            if not machine.frozen:
                self._watch(machine)
        in_flight = {args[2].number for _, _, do, args in self._events if do == self._arrive}
        in_flight |= {message.number for machine in self.machines.values() for _, message in machine.queue}
        for machine in self.machines.values():
            if isinstance(machine.part, Guard):
                for peer in machine.part._peers.values():
                    peer.sent = {number: sent for number, sent in peer.sent.items() if number in in_flight}


def _is_void(what: str, args: tuple[Any, ...]) -> bool:
    """What is due to a guard that is no more, or to a boot that has ended; and all looks at watchdogs, which are put anew."""
    match what:
        case "_tick" | "_look_again" | "_have_looked" | "_is_promoted":
            return args[0].part is not args[1]
        case "_bite":
            return True
        case "_end" | "_take_over" | "_demote":
            return bool(args[0].boots != args[-2 if what == "_demote" else 2])
    return False


def _last_two(queue: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    kept: list[tuple[str, Any]] = []
    for sender, message in reversed(queue):
        if sum(each == sender for each, _ in kept) < 2:
            kept.append((sender, message))
    return kept[::-1]


# --- The search ----------------------------------------------------------------------------------------------------
class Found(NamedTuple):
    """How many states were seen; and the rule that was broken, with the way there."""

    states: int
    violation: Violation | None
    story: tuple[str, ...]


class _Broken(Exception):
    def __init__(self, violation: Violation, notes: list[str]) -> None:
        super().__init__(str(violation))
        self.violation, self.notes = violation, tuple(notes)


# What was noted in the beats up to a state, the last one first.
_Way = tuple["_Way", tuple[str, ...]] | None


def explore(
    faults: int,
    stops: bool = False,
    only: frozenset[str] = EVERYTHING,
    told: Callable[[int, int], None] = lambda _seen, _left: None,
    kind: type[SmallWorld] = SmallWorld,
    **parts: Any,
) -> Found:
    """All states with so many faults at most, or up to the first one that breaks a rule.

    Those with more faults left come first: whatever can follow with fewer, follows with more as well. ``told`` hears how many
    were seen, and of how many it is not known yet what follows.
    """
    world = kind(faults, stops, only, **parts)
    world.run(_BEGIN_S)
    seen: dict[int, int] = {}  # with how many faults left
    todo: list[list[tuple[bytes, _Way]]] = [[] for _ in range(faults + 1)]  # by how many are left
    todo[faults].append((pickle.dumps(world), None))
    while any(todo):
        before, way = next(each for each in reversed(todo) if each).pop()
        try:
            for world in _beat(before):
                key = world.key()
                if seen.get(key, -1) < world.left:
                    seen[key] = world.left
                    notes, world.log = tuple(world.log), []
                    todo[world.left].append((pickle.dumps(world), (way, notes) if notes else way))
                    told(len(seen), sum(map(len, todo)))
        except _Broken as broken:
            return Found(len(seen), broken.violation, _story((way, broken.notes)))
    return Found(len(seen), None, ())


def _load(world: bytes) -> SmallWorld:
    loaded: SmallWorld = pickle.loads(world)  # noqa: S301 - this process has made it
    return loaded


def _beat(before: bytes) -> Iterator[SmallWorld]:
    first = _load(before)
    for number, (faults, done) in enumerate(list(first.options())):
        world = _load(before) if number else first
        until_s = world.time_s + _BEAT_S
        _do(world, world.befall, faults, done)
        for after in _until(world, until_s):
            after.tidy()
            yield after


def _until(world: SmallWorld, until_s: float) -> Iterator[SmallWorld]:
    """The worlds that can come of it: each message is one place where they part."""
    while world.next_s <= until_s:
        if world.left and world.is_message():
            now = pickle.dumps(world)
            for fate in (each for each in FATES if each in world.only):
                other = _load(now)
                _do(other, other.suffer, fate)
                yield from _until(other, until_s)
        _do(world, world.step)
    world.time_s = until_s
    yield world


def _do(world: SmallWorld, do: Callable[..., None], *args: Any) -> None:
    try:
        do(*args)
    except Violation as violation:
        raise _Broken(violation, world.log) from violation


def _story(way: _Way) -> tuple[str, ...]:
    pieces: list[tuple[str, ...]] = []
    while way is not None:
        way, notes = way
        pieces.append(notes)
    return tuple(note for notes in reversed(pieces) for note in notes)


def main(arguments: list[str] | None = None) -> int:
    """Exit code 1 when a rule was broken."""
    parser = argparse.ArgumentParser(prog="python -m soak.small", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--faults", type=int, default=2, help="how many there are on one way at most (default: 2)")
    parser.add_argument(
        "--only",
        choices=sorted(EVERYTHING),
        action="append",
        help="of all that can happen only this; may be given several times (default: everything)",
    )
    given = parser.parse_args(arguments)
    only = frozenset(given.only or EVERYTHING)
    progress = Progress(sys.stderr, lambda: shutil.get_terminal_size().columns, time.monotonic)
    for stops in (False, True):
        began_s = time.process_time()
        found = explore(given.faults, stops, only, told=lambda seen, left: progress.show(f"{seen} states, {left} left"))
        progress.end()
        what = "stops" if stops else "goes on"
        took_s = time.process_time() - began_s
        print(
            f"{found.states} states in {took_s:.0f} s of processor, where the clock of a frozen node {what}", flush=True
        )
        if found.violation is not None:
            print("\n".join(["", *found.story, f"         BROKEN: {found.violation.rule}: {found.violation}"]))
            return 1
    print("no rule was broken")
    return 0


if __name__ == "__main__":
    sys.exit(main())
