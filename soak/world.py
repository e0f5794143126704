"""A cluster as a guard has to do with it: nodes that are lost, freeze and come back; links; replicated data; domains that write.

One seed is one schedule. Every rule is checked whenever something has changed; what breaks one raises ``Violation``.
"""

import heapq
import itertools
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from saltern.guard.acts import Disarm, Fence, Keep, Outdate, Promote, Refuse, ResumeIo, Send, Start, Stop, WindUp
from saltern.guard.facts import Facts, Proof, Seen
from saltern.guard.guard import Guard
from saltern.guard.knowledge import WITNESS
from saltern.guard.messages import Beat, Deny, End, Ended, GoOn
from saltern.guard.orphans import Found, Ward, objection
from saltern.guard.times import Times
from saltern.guard.witness import Promises, Witness
from soak.agents import Agents
from soak.fencing import Fencing
from soak.moves import Moves
from soak.orders import Orders
from soak.violation import Violation

_DETECT_S: Final = (2.0, 6.0)  # until DRBD notices that its partner is gone
STEP_S: Final = 0.5
# After these everything is as it was before, or they say that it is not.
_TELL_THEMSELVES: Final = frozenset({"_tick", "_arrive", "_replicate", "_bite"})


# What may happen to a message beside its delay, and to a clock; a world leaves out those that it is told to. In a storm
# that happens to many more.
NOISE: Final = ("lost", "late", "doubled", "drift")
_FATES: Final = (("lost", 0.02), ("late", 0.03), ("doubled", 0.04))


_OF_ORDERS: Final = (End, Ended)
# Whether there is a lease, and whether there are fence agents. Seldom neither: then people say what is dead.
_PROOFS: Final = (*((True, False), (True, True), (False, True)) * 3, (False, False))
_MIRRORS: Final = ("UpToDate", "Inconsistent")
_PARTIAL: Final = ("Diskless", "Inconsistent")
EVERYWHERE: Final = frozenset({"router"})  # it runs on all nodes at once, and is none of the guards'


class Noise(dict[tuple[str, ...], random.Random]):
    """Random numbers by purpose: what is left out of a schedule then changes nothing elsewhere."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._seed = seed

    def __missing__(self, purpose: tuple[str, ...]) -> random.Random:
        made = self[purpose] = random.Random(f"{self._seed} {purpose}")  # noqa: S311 - no secret
        return made


@dataclass(slots=True)
class Side:
    """One copy of a domain's data. ``version`` counts its writes; ``wrote_alone``: some came while it was not connected.

    Whose copy is not ``whole`` writes on that of the other side, in sight of it only; ``used`` counts what was written then.
    """

    version: int = 0
    disk: str = "UpToDate"
    connected: bool = True
    suspended: bool = False
    fenced: bool = True  # DRBD asks the guard before it goes on alone
    wrote_alone: bool = False
    attaches: str = "UpToDate"  # what a copy is by its metadata, while it is Diskless
    handler: Any = None  # the guard that the fence-peer handler has asked, since the other side was lost
    synchronises_until_s: float | None = None
    used: int = 0

    @property
    def whole(self) -> bool:
        """Whether it could be the last good one."""
        return self.disk not in _PARTIAL


@dataclass(slots=True)
class Machine:
    """A node, or the witness. Its clock runs at ``rate``, and stands still while it is frozen if ``stops``."""

    name: str
    rate: float
    stops: bool
    powered: bool = True
    frozen: bool = False
    boots: int = 1
    zero_s: float = 0.0  # when its clock was 0, by the world's clock
    frozen_since_s: float = 0.0
    thawed_s: float | None = None
    watchdog_s: float | None = None  # when it resets the node, by the world's clock
    watched: bool = False  # that moment is waited for
    part: Any = None  # its guard, or witness; None while that is dead
    facts: Facts = field(default_factory=lambda: Facts(boot=1))
    promises: Promises = field(default_factory=Promises)
    renewed: dict[str, float] = field(default_factory=dict)  # what a guard that was killed has left behind
    running: set[str] = field(default_factory=set)
    starting: set[str] = field(default_factory=set)
    stopped: set[str] = field(default_factory=set)  # by a person, and to stay so
    room: int = 100  # for so many domains
    met: set[str] = field(
        default_factory=set
    )  # domains that were connected at any moment since its guard has looked last
    away: set[str] = field(default_factory=set)  # the same of those whose disk went away
    guarded_boot: int = 0  # the last one in which a guard was there
    aside: set[str] | None = None  # the domains for which a guard has stepped aside, and one that begins has as well
    heard: set[str] = field(default_factory=set)  # the nodes that its guard has heard since the boot
    stuck: bool = False  # a domain of it does not die
    mute: bool = False  # DRBD's handler ends with an error, and tells DRBD nothing
    queue: list[tuple[str, Any]] = field(default_factory=list)


class Copies(NamedTuple):
    """A domain, and what is on its home and on its partner."""

    domain: str
    home: Machine
    partner: Machine
    mine: Side
    theirs: Side

    @property
    def are_settled(self) -> bool:
        """Whether the other one is the same, or says itself that it is not to be started."""
        return self.mine.disk == "UpToDate" and self.theirs.disk in _MIRRORS

    def from_partner(self) -> "Copies":
        """The same, from over there."""
        return Copies(self.domain, self.partner, self.home, self.theirs, self.mine)


def node_names(nodes: int) -> list[str]:
    """What so many nodes are called."""
    return [f"node{number}" for number in range(1, nodes + 1)]


def homes(nodes: int) -> dict[str, tuple[str, str]]:
    """Home and partner of each domain: neighbours share two, one of each."""
    found: dict[str, tuple[str, str]] = {}
    names = node_names(nodes)
    for number, (one, other) in enumerate(itertools.pairwise([*names, names[0]] if nodes > 2 else names)):
        found[f"a{number}"] = (one, other)
        found[f"b{number}"] = (other, one)
    return found


class World:
    """A cluster of ``nodes`` and a witness. ``guard`` and ``witness`` make their parts.

    ``proof`` is what proves death in it: that of its seed, or the given one. ``placed`` has home and partner of each domain,
    ``wards`` what else the topology says of it.
    ``noise`` makes the random numbers; ``without`` names the ``NOISE`` that is left out.
    """

    def __init__(
        self,
        seed: int,
        nodes: int = 2,
        times: Times | None = None,
        guard: type[Guard] = Guard,
        witness: type[Witness] = Witness,
        without: frozenset[str] = frozenset(),
        proof: Proof | None = None,
        placed: Mapping[str, tuple[str, str]] | None = None,
        wards: Mapping[str, Ward] | None = None,
        noise: Callable[[int], Noise] = Noise,
    ) -> None:
        self.noise = noise(seed)
        self._without = without
        self.times = times or Times()
        self._make = guard, witness
        self.time_s = 0.0
        self.taken_over = 0
        self.log: list[str] = []
        self.noted_s = 0.0
        self._awaited: dict[str, list[tuple[Callable[..., None], tuple[Any, ...]]]] = {}
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._numbers = itertools.count()
        self.homes = homes(nodes) if placed is None else placed
        names = sorted({name for pair in self.homes.values() for name in pair})
        self._often = self.noise["weather",].choice((1.0, 1.0, 5.0, 15.0))
        lease, agents = self.noise["proof",].choice(_PROOFS)
        self.proof = proof or Proof(lease, frozenset(names if agents else ()))
        self.agents = Agents(self)
        self.moves = Moves(self)
        self.fencing = Fencing(self)
        self.orders = Orders(self)
        self.machines = {name: self._machine(name) for name in [*names, WITNESS]}
        self.sides = {(domain, node): Side() for domain, pair in self.homes.items() for node in pair}
        self._copies = [
            Copies(
                domain,
                self.machines[home],
                self.machines[partner],
                self.sides[domain, home],
                self.sides[domain, partner],
            )
            for domain, (home, partner) in self.homes.items()
        ]
        both_ways = sorted(
            [*self._copies, *(each.from_partner() for each in self._copies)], key=lambda each: each.domain
        )
        self._copies_of = {
            name: [each for each in both_ways if each.home is machine] for name, machine in self.machines.items()
        }
        self._twice: set[str] = set()  # domains that may be running on both nodes
        self._calm: set[str] = (
            set()
        )  # domains whose copies are connected and the same, and stay so until something changes
        self._looked: dict[str, Seen] = {}  # what is seen of a node, until something changes
        self.acknowledged = dict.fromkeys(self.homes, 0)
        self._cut: set[tuple[str, str]] = set()  # one-way
        self._replication_cut: set[frozenset[str]] = set()
        self._arrives_s: dict[tuple[str, str], float] = {}
        self._out_of_sight_s: dict[str, float] = {}
        # One of two domains of a node needs the other.
        self.wards = wards or {
            domain: Ward(1, 100, (f"a{domain[1:]}",) if domain[0] == "b" else ()) for domain in self.homes
        }
        for domain, (home, partner) in self.homes.items():
            self.machines[home].running.add(domain)
            self._see_each_other(self.machines[home], self.machines[partner])
        for machine in self.machines.values():
            self._begin(machine)
        self.at(STEP_S, self._replicate)

    def _machine(self, name: str) -> Machine:
        noise = self.noise["clock", name]
        drift = noise.uniform(-self.times.drift, self.times.drift)
        machine = Machine(name, 1.0 if "drift" in self._without else 1 + drift, stops=noise.random() < 0.5)
        if noise.random() < 0.2:
            machine.room = 3
        return machine

    # --- Time ------------------------------------------------------------------------------------------------------
    def at(self, delay_s: float, do: Callable[..., None], *args: Any) -> None:
        """Have something done later."""
        heapq.heappush(self._events, (self.time_s + delay_s, next(self._numbers), do, args))

    def run(self, until_s: float) -> None:
        """Let time pass."""
        while self._events and self._events[0][0] <= until_s:
            self.step()
        self.time_s = until_s

    @property
    def next_s(self) -> float:
        """When something happens next."""
        return self._events[0][0] if self._events else math.inf

    def step(self) -> None:
        """What happens next."""
        self.time_s, _, do, args = heapq.heappop(self._events)
        do(*args)
        if do.__name__ not in _TELL_THEMSELVES:
            self.changed()
        if self._twice:
            self._check_instances()

    def changed(self) -> None:
        """Look at everything anew."""
        self._calm.clear()
        self._looked.clear()

    def clock(self, machine: Machine) -> float:
        """What its clock shows."""
        return (self.time_s - machine.zero_s) * machine.rate

    def note(self, text: str) -> None:
        """Add a line to the story."""
        self.noted_s = self.time_s
        self.log.append(f"{self.time_s:8.2f} {text}")
        for words in [each for each in self._awaited if each in text]:
            for do, args in self._awaited.pop(words):
                do(*args)

    def await_line(self, words: str, do: Callable[..., None], *args: Any) -> None:
        """Have something done at the first line of the story that has these words."""
        self._awaited.setdefault(words, []).append((do, args))

    # --- Guards and witness ----------------------------------------------------------------------------------------
    def _begin(self, machine: Machine) -> None:
        if not machine.powered or machine.part is not None:
            return
        make_guard, make_witness = self._make
        if machine.name == WITNESS:
            machine.part = make_witness(self.times, machine.promises, self.clock(machine))
            return
        partners = {
            domain: other if machine.name == home else home
            for domain, (home, other) in self.homes.items()
            if machine.name in (home, other)
        }
        machine.part = make_guard(
            machine.name,
            partners,
            self.times,
            machine.facts,
            self.clock(machine),
            machine.renewed,
            proof=self.proof,
            wards=self.wards,
            restarted=machine.guarded_boot == machine.boots,
        )
        machine.guarded_boot = machine.boots
        machine.renewed = {}
        machine.met.clear()
        machine.away.clear()
        if machine.aside is not None:
            machine.part.step_aside(machine.aside)
        self.at(self.noise["tick", machine.name].uniform(0, 0.5), self._tick, machine, machine.part)

    def _tick(self, machine: Machine, guard: Guard) -> None:
        if machine.part is not guard or not machine.powered:
            return
        if not machine.frozen:
            self._act(machine, guard.act(self._seen(machine), self.clock(machine)))
        self.at(self.noise["tick", machine.name].uniform(0.2, self.times.beat_s), self._tick, machine, guard)

    def _act(self, machine: Machine, acts: list[Any]) -> None:
        guard = machine.part
        for act in acts:
            if machine.part is guard and machine.powered:
                if machine.facts.paused:
                    _check_pause(machine, act)
                self._do(machine, act)
        if machine.part is guard and guard is not None:
            self._let_go_on(machine, guard)

    def _do(self, machine: Machine, act: Any) -> None:
        match act:
            case Send():
                self.send(machine.name, act.to, act.message)
            case WindUp():
                machine.watchdog_s = self.time_s + self.times.watchdog_s / machine.rate
                self._watch(machine)
            case Keep():
                machine.facts = act.facts
            case Stop():
                self._stop(machine, act.domain)
            case Start():
                self._begin_start(machine, act.domain)
            case Fence():
                self._check_fencing(machine, act.node)
                self.agents.fence(machine, act.node)
            case Outdate():
                delay_s = self.noise["outdate", machine.name].uniform(0.01, 1)
                self.at(delay_s, self._outdate, machine, machine.part, machine.boots, act.domain)
            case _:
                self._do_more(machine, act)

    def _do_more(self, machine: Machine, act: Refuse | ResumeIo | Disarm) -> None:
        match act:
            case Refuse():
                self.note(f"{machine.name} does not start {act.domain}: {act.reason}")
            case ResumeIo():
                delay_s = self.noise["resume", machine.name].uniform(0.01, 1)
                self.at(delay_s, self._resume_io, machine, machine.boots, act.domain)
            case Disarm():
                self.note(f"the guard of {machine.name} ends")
                machine.watchdog_s = machine.part = None

    def _let_go_on(self, machine: Machine, guard: Guard) -> None:
        """What the fence-peer handler does."""
        if machine.mute:
            return
        for domain, _, _, side, _ in self._copies_of[machine.name]:
            if not side.suspended or domain not in machine.running:
                continue
            if side.handler is not guard:
                guard.lost(domain)
                side.handler = guard
            if guard.may_go_on(domain):
                self.note(f"{machine.name} goes on alone with {domain}")
                side.suspended = False
                self.changed()

    def _resume_io(self, machine: Machine, boots: int, domain: str) -> None:
        """What the guard tells DRBD itself: nothing to one that does not wait."""
        if not machine.powered or machine.boots != boots:
            return
        if machine.frozen:
            self.at(1.0, self._resume_io, machine, boots, domain)
            return
        side = self.sides[domain, machine.name]
        if side.suspended and not side.connected and domain in machine.running:
            self.note(f"the guard of {machine.name} has DRBD go on alone with {domain}")
            side.suspended = False
            self.changed()

    def _seen(self, machine: Machine) -> Seen:
        if machine.met or machine.away:
            seen = self._look(machine)
            machine.met.clear()
            machine.away.clear()
            return seen
        if machine.name not in self._looked:
            self._looked[machine.name] = self._look(machine)
        return self._looked[machine.name]

    def _look(self, machine: Machine) -> Seen:
        copies = self._copies_of[machine.name]
        received = self.moves.receives(machine.name)
        against = {
            each.domain: objection(self._found(each), witnessed=self.proof.lease)
            for each in copies
            if each.domain not in machine.running and each.domain not in machine.starting
        }
        return Seen(
            running=EVERYWHERE.union(machine.running),
            starting=received.union(machine.starting),
            startable=frozenset([domain for domain, reason in against.items() if reason is None]),
            against={domain: reason for domain, reason in against.items() if reason is not None},
            lost=frozenset(
                [
                    domain
                    for domain, _, _, side, _ in copies
                    if domain in machine.running | machine.starting and not side.connected and side.whole
                ]
            ),
            unfenced=frozenset([domain for domain, _, _, side, _ in copies if not side.fenced]),
            unasked=frozenset(
                [
                    domain
                    for domain, _, _, side, there in copies
                    if domain in machine.running and side.whole and not side.suspended
                    if not side.connected or there.disk not in _MIRRORS
                ]
            ),
            mirrored=frozenset(
                [each.domain for each in copies if each.mine.connected and each.theirs.disk in _MIRRORS]
            ),
            away=frozenset(
                [each.domain for each in copies if each.mine.connected and each.mine.disk == "Diskless"]
            ).union(machine.away),
            consistent=frozenset([each.domain for each in copies if each.mine.disk == "Consistent"]),
            settled=frozenset([each.domain for each in copies if each.mine.connected and each.are_settled]),
            waiting=frozenset(
                [domain for domain, _, _, side, _ in copies if domain in machine.running and side.suspended]
            ),
            connected=frozenset([each.domain for each in copies if each.mine.connected]),
            met=frozenset(machine.met),
            free_bytes=self.free(machine) + len(machine.starting) + len(received),
        )

    def _found(self, copies: Copies) -> Found:
        domain, machine, there, side, _ = copies
        return Found(
            disks={domain: side.disk},
            primary_there=frozenset([domain]) if side.connected and domain in there.running else frozenset(),
            stopped="a person" if domain in machine.stopped else None,
            operation="it moves" if domain in self.moves.concern(machine.name) else None,
        )

    def free(self, machine: Machine) -> int:
        """For so many more domains there is memory."""
        return machine.room - len(machine.running | machine.starting | self.moves.receives(machine.name))

    def _other(self, domain: str, node: str) -> str:
        home, partner = self.homes[domain]
        return partner if node == home else home

    # --- Messages --------------------------------------------------------------------------------------------------
    def send(self, sender: str, to: str, message: Any, often: float | None = None) -> None:
        """Have a message or an answer come to somebody, unless it is lost: that often, or as the weather is."""
        noise = self.noise["message", sender, to]
        # As many numbers for each message, whatever becomes of it.
        chance = noise.random() / (often or self._often)
        delay_s, much_s = noise.uniform(0.001, 0.3), noise.uniform(0, 20)
        fate = self._fate(chance) if chance < _FATES[-1][1] else ""
        if fate == "lost" or (sender, to) in self._cut:
            return
        if fate == "late":  # and out of order
            delay_s = much_s
        else:
            delay_s = max(delay_s, self._arrives_s.get((sender, to), 0.0) - self.time_s)
            self._arrives_s[sender, to] = self.time_s + delay_s
        self.at(delay_s, self._arrive, sender, to, message)
        if fate == "doubled":
            self.at(delay_s + much_s, self._arrive, sender, to, message)

    def _fate(self, chance: float) -> str:
        fate = next(each for each, below in _FATES if chance < below)
        return "" if fate in self._without else fate

    def _arrive(self, sender: str, to: str, message: Any) -> None:
        machine = self.machines[to]
        if not machine.powered or machine.part is None:
            return
        if machine.frozen:
            machine.queue.append((sender, message))
            return
        now_s = self.clock(machine)
        if isinstance(message, Beat):
            machine.heard.add(sender)
            self.orders.heard(machine, message)
        if to == WITNESS:
            answer = machine.part.answer(message, now_s)
            machine.promises = machine.part.promises
            if answer is not None:
                self.send(to, sender, answer)
        elif isinstance(message, Beat):
            answer, acts = machine.part.beat(message, now_s)
            self._act(machine, acts)
            if answer is not None and machine.part is not None:
                self.send(to, sender, answer)
        elif isinstance(message, GoOn):
            self._act(machine, machine.part.asked(message, now_s))
        elif isinstance(message, _OF_ORDERS):
            self.orders.hear(machine, sender, message)
        else:
            self._act(machine, machine.part.answered(sender, message, now_s))

    # --- Domains and data ------------------------------------------------------------------------------------------
    def _begin_start(self, machine: Machine, domain: str) -> None:
        """What a guard has decided takes a while, and may find that things have changed."""
        if self._other(domain, machine.name) not in machine.heard:
            raise Violation(
                "rule 8: nothing starts after a boot before the partner was seen", f"{domain}, {machine.name}"
            )
        if domain not in machine.running | machine.starting:
            machine.starting.add(domain)
            self.changed()
            delay_s = self.noise["start", machine.name].uniform(0.1, 3)
            self.at(delay_s, self._take_over, machine, domain, machine.boots)

    def _take_over(self, machine: Machine, domain: str, boots: int) -> None:
        if not machine.powered or machine.boots != boots or domain not in machine.starting:
            return
        if machine.frozen:
            self.at(1.0, self._take_over, machine, domain, boots)
            return
        machine.starting.discard(domain)
        side = self.sides[domain, machine.name]
        there = side.connected and domain in self.machines[self._other(domain, machine.name)].running
        # The block script looks at the disk once more; that it is bad may be younger than the decision.
        if (
            there
            or side.synchronises_until_s is not None
            or side.disk == "Diskless"
            or self.free(machine) < 1
            or self.noise["start", machine.name].random() < 0.1
        ):
            self.note(f"{machine.name} cannot start {domain}")
            if machine.part is not None:
                machine.part.failed(domain, "xl says no", self.clock(machine))
            return
        self.taken_over += 1
        self._start(machine, domain, "takes over")

    def _start(self, machine: Machine, domain: str, why: str) -> None:
        side = self.sides[domain, machine.name]
        self.note(f"{machine.name} {why}: {domain}")
        if side.disk not in ("UpToDate", "Consistent"):
            raise Violation("rule 4: bad data are never promoted", f"{domain} is {side.disk} on {machine.name}")
        if side.version < self.acknowledged[domain]:
            raise Violation(
                "old data are never started",
                f"{machine.name} starts {domain} on {side.version}; {self.acknowledged[domain]} was acknowledged",
            )
        self.live(machine, domain)
        side.disk, side.handler, side.suspended = "UpToDate", None, side.fenced and not side.connected

    def live(self, machine: Machine, domain: str) -> None:
        """From now on it runs there."""
        machine.running.add(domain)
        self.changed()
        if domain in self.machines[self._other(domain, machine.name)].running:
            self._twice.add(domain)

    def allow_two_primaries(self, domain: str, target: str) -> bool:
        """It begins to move there: whether its disks are Primary on both nodes now, as here they are without a word."""
        return True

    def allow_one_primary(self, domain: str, target: str) -> None:
        """It moves no longer, wherever it runs now."""

    def dies(self, machine: Machine, domain: str) -> bool:
        """Whether `xl destroy` ends it."""
        return not machine.stuck

    def _stop(self, machine: Machine, domain: str) -> None:
        if domain in EVERYWHERE:
            raise Violation("what runs on several nodes goes on", f"{machine.name} stops {domain}")
        machine.starting.discard(domain)
        self.moves.cancel(domain, machine.name)
        self.changed()
        if not machine.stuck:
            self.at(self.noise["stop", machine.name].expovariate(2), self._end, machine, domain, machine.boots)

    def _end(self, machine: Machine, domain: str, boots: int) -> None:
        if machine.powered and machine.boots == boots:
            if machine.frozen:
                self.at(1.0, self._end, machine, domain, boots)
                return
            if domain in machine.running:
                self.note(f"{machine.name} has stopped {domain}")
            machine.running.discard(domain)
            self.sides[domain, machine.name].suspended = False

    def _outdate(self, machine: Machine, guard: Guard, boots: int, domain: str) -> None:
        """DRBD refuses it for a copy that is connected, or Primary."""
        if not machine.powered or machine.boots != boots:
            return
        if machine.frozen:
            self.at(1.0, self._outdate, machine, guard, boots, domain)
            return
        side = self.sides[domain, machine.name]
        done = not side.connected and side.disk != "Diskless" and domain not in self._primaries(machine.name)
        if done and side.disk in ("UpToDate", "Consistent"):
            self.note(f"{domain} is outdated on {machine.name}")
            side.disk = "Outdated"
        if machine.part is guard:
            self._act(machine, guard.outdated(domain, done))

    def _replicate(self) -> None:
        for copies in self._copies:
            if copies.domain not in self._calm:
                self._exchange(copies)
            if self.noise["home", copies.domain].random() < 0.02:
                self.apply(copies.domain)
        self.at(STEP_S, self._replicate)

    def _exchange(self, copies: Copies) -> None:
        """What gets from one copy to the other. If that changes nothing but counts, and waits for nothing, so does the next."""
        domain, home, partner, mine, theirs = copies
        before = self._state(copies)
        reached = self._reaches(home, partner)
        waits = self._reach(copies) if reached else self._lose(copies)
        if domain in home.running:
            self._write(domain, home, mine, theirs, reached)
        if domain in partner.running:
            self._write(domain, partner, theirs, mine, reached)
        if not waits and self._state(copies) == before:
            self._calm.add(domain)

    def _state(self, copies: Copies) -> tuple[object, ...]:
        """All that an exchange goes by; of the data, which are newer, and whether they are the last."""
        domain, _, _, mine, theirs = copies
        last, ahead = self.acknowledged[domain], mine.version - theirs.version
        return (
            ahead > 0,
            ahead < 0,
            mine.version == last,
            theirs.version == last,
            *(mine.connected, mine.disk, mine.suspended, mine.wrote_alone),
            *(theirs.connected, theirs.disk, theirs.suspended, theirs.wrote_alone),
        )

    def reachable(self, one: str, other: str) -> bool:
        """Whether replication gets from the one to the other."""
        return self._reaches(self.machines[one], self.machines[other])

    def _reaches(self, one: Machine, other: Machine) -> bool:
        up = one.powered and other.powered and not one.frozen and not other.frozen
        return up and not (self._replication_cut and frozenset((one.name, other.name)) in self._replication_cut)

    def _lose(self, copies: Copies) -> bool:
        """Whether it is still to come that they notice."""
        since_s = self._out_of_sight_s.get(copies.domain)
        if since_s is None:
            since_s = self.time_s + self.noise["link", copies.domain].uniform(*_DETECT_S)
            self._out_of_sight_s[copies.domain] = since_s
        if self.time_s < since_s:
            return True
        self._notice(copies)
        return False

    def _reach(self, copies: Copies) -> bool:
        """Whether something is on its way."""
        domain, _, _, mine, theirs = copies
        self._out_of_sight_s.pop(domain, None)
        if mine.connected != theirs.connected:  # one of them has not noticed yet that it was left
            self._notice(copies)
            return False
        if not mine.connected:
            self._meet(copies)
        for side, peer in ((mine, theirs), (theirs, mine)):
            if side.synchronises_until_s is not None and self.time_s >= side.synchronises_until_s:
                side.synchronises_until_s, side.disk, side.version = None, "UpToDate", peer.version
                self.changed()
        return mine.synchronises_until_s is not None or theirs.synchronises_until_s is not None

    def _notice(self, copies: Copies) -> None:
        """Those that live see that the connection is gone."""
        domain, home, partner, mine, theirs = copies
        for machine, side in ((home, mine), (partner, theirs)):
            if side.connected and machine.powered and not machine.frozen:
                side.connected, side.synchronises_until_s, side.handler = False, None, None
                side.suspended = side.fenced and side.whole and domain in self._primaries(machine.name)
                self.changed()

    def _meet(self, copies: Copies) -> None:
        domain, home, partner, mine, theirs = copies
        if domain in home.running and domain in partner.running:
            return  # StandAlone, until one of them has stopped
        if mine.wrote_alone and theirs.wrote_alone:
            raise Violation("no split-brain", f"split-brain of {domain}: both sides have written alone")
        old, new = (mine, theirs) if mine.version < theirs.version or theirs.wrote_alone else (theirs, mine)
        if old.version > new.version:
            raise Violation("no split-brain", f"{domain}: the side that did not write alone is the newer one")
        old_machine = home if old is mine else partner
        if old.version < new.version and domain in self._primaries(old_machine.name) and old.whole:
            return  # "I shall become SyncTarget, but I am primary!"
        if domain in old_machine.running and old.disk == "Diskless" and old.used != new.version:
            return  # "Can only connect to data with current UUID"
        for machine, side in ((home, mine), (partner, theirs)):
            side.connected, side.suspended, side.wrote_alone = True, False, False
            machine.met.add(domain)
        self._see_each_other(home, partner)
        self.changed()
        if "Diskless" in (old.disk, new.disk):  # what DRBD has doubted of the other one it doubts no more
            for side in (old, new):
                side.disk = "UpToDate" if side.disk in ("Consistent", "Outdated") else side.disk
            return
        self._synchronise(domain, old, new)

    def _synchronise(self, domain: str, old: Side, new: Side) -> None:
        """What DRBD makes of two copies that have met."""
        if old.version < new.version or old.disk != "UpToDate":
            if new.disk == "Consistent":
                new.disk = "UpToDate"
            old.disk, old.synchronises_until_s = (
                "Inconsistent",
                self.time_s + self.noise["link", domain].uniform(1, 20),
            )
        new.disk = "UpToDate"

    def _see_each_other(self, one: Machine, other: Machine) -> None:
        """Where there are no leases, a partner that replicates is seen."""
        if not self.proof.lease:
            one.heard.add(other.name)
            other.heard.add(one.name)

    def _primaries(self, node: str) -> frozenset[str]:
        machine = self.machines[node]
        return frozenset(machine.running | machine.starting) | self.moves.receives(node)

    def _write(self, domain: str, machine: Machine, side: Side, peer: Side, reached: bool) -> None:
        if machine.frozen or side.suspended:
            return
        if side.connected and not (peer.connected and reached):
            return  # it hangs: nothing is acknowledged
        if not side.whole:
            self._write_over_there(domain, machine, side, peer)
            return
        if side.version != self.acknowledged[domain]:
            raise Violation(
                "no acknowledged write is lost",
                f"{machine.name} writes {domain} on {side.version}; {self.acknowledged[domain]} was acknowledged",
            )
        side.version += 1
        if side.connected and peer.disk == "UpToDate":
            peer.version = side.version
        elif not side.connected:
            side.wrote_alone = True
        self.acknowledged[domain] = side.version

    def _write_over_there(self, domain: str, machine: Machine, side: Side, peer: Side) -> None:
        """Where no good copy is in sight its writes fail (recordings 498, 503): nothing is acknowledged."""
        if not side.connected or peer.disk != "UpToDate":
            return
        if side.used != self.acknowledged[domain] or peer.version != side.used:
            raise Violation(
                "no acknowledged write is lost",
                f"{machine.name} has written {domain} up to {side.used}, and goes on with {peer.version} of the other copy; "
                f"{self.acknowledged[domain]} was acknowledged",
            )
        self.acknowledged[domain] = peer.version = side.used = side.used + 1

    def _check_instances(self) -> None:
        """Rule 1: one live instance; beside it, for the time of a lease, one that was frozen and cannot know yet."""
        for domain in [each for each in self.homes if each in self._twice]:
            one, other = self.homes[domain]
            first, second = self.machines[one], self.machines[other]
            if domain not in first.running or domain not in second.running:
                self._twice.discard(domain)
                continue
            alive = all(machine.powered and not machine.frozen for machine in (first, second))
            if alive and not self._has_just_thawed(first) and not self._has_just_thawed(second):
                raise Violation("one live instance", f"{domain} lives on {one} and {other}")

    def _check_fencing(self, machine: Machine, node: str) -> None:
        """Where the agent is the proof, the guard's silence alone is no reason to take the power from a node that works."""
        if not self.proof.lease:
            for domain, pair in self.homes.items():
                if set(pair) == {machine.name, node} and self.sides[domain, machine.name].connected:
                    raise Violation("a node that replicates is not fenced", f"{node}, by {machine.name}")

    def _has_just_thawed(self, machine: Machine) -> bool:
        if machine.thawed_s is None or not self.proof.lease:
            return False
        return self.time_s - machine.thawed_s <= (self.times.lease_s + self.times.watchdog_s) / machine.rate + 2

    # --- Events: each can be done to any machine at any time, and does nothing when it is so already ----------------
    def power_off(self, name: str) -> None:
        """It loses its power."""
        machine = self.machines[name]
        if not machine.powered:
            return
        self.note(f"{name} loses its power")
        machine.powered, machine.frozen, machine.part, machine.watchdog_s = False, False, None, None
        for held in (machine.running, machine.starting, machine.queue, machine.met, machine.away, machine.heard):
            held.clear()
        machine.renewed, machine.aside = {}, None
        machine.thawed_s = None
        self.moves.lost(name)
        for _, _, _, side, _ in self._copies_of[name]:
            side.connected, side.suspended, side.synchronises_until_s = False, False, None

    def power_on(self, name: str) -> None:
        """It boots."""
        machine = self.machines[name]
        if machine.powered:
            return
        self.note(f"{name} boots")
        machine.powered, machine.zero_s, machine.stuck, machine.mute = True, self.time_s, False, False
        machine.boots += 1
        machine.facts = machine.facts.after_boot(machine.boots)
        for _, _, _, side, _ in self._copies_of[name]:
            if side.disk == "Diskless":
                side.disk = side.attaches
            if side.disk == "UpToDate":
                side.disk = "Consistent"
        self.at(self.noise["boot", name].uniform(1, 10), self._begin, machine)

    def freeze(self, name: str) -> None:
        """It stands still."""
        machine = self.machines[name]
        if machine.powered and not machine.frozen:
            self.note(f"{name} freezes")
            machine.frozen, machine.frozen_since_s = True, self.time_s

    def thaw(self, name: str) -> None:
        """It goes on, and finds what has come for it meanwhile."""
        machine = self.machines[name]
        if not machine.powered or not machine.frozen:
            return
        self.note(f"{name} thaws")
        machine.frozen, machine.thawed_s = False, self.time_s
        stood_s = self.time_s - machine.frozen_since_s
        if machine.stops:
            machine.zero_s += stood_s
        if machine.watchdog_s is not None:  # Xen stood still as well
            machine.watchdog_s += stood_s
            self._watch(machine)
        for sender, message in machine.queue:
            self.at(self.noise["thaw", name].uniform(0, 0.2), self._arrive, sender, name, message)
        machine.queue.clear()

    def kill(self, name: str) -> None:
        """Its guard, or witness, is killed."""
        machine = self.machines[name]
        if machine.part is not None and not machine.frozen:
            self.note(f"the guard of {name} is killed")
            machine.renewed = machine.part.renewed if name != WITNESS else {}
            machine.part = None

    def revive(self, name: str) -> None:
        """Its guard, or witness, is started again."""
        machine = self.machines[name]
        if machine.powered and machine.part is None:
            self.note(f"the guard of {name} is started")
            self._begin(machine)

    def apply(self, domain: str) -> None:
        """`state.apply`: a domain starts at home when its copies are connected and UpToDate, and nobody runs it."""
        home, partner = pair = self.homes[domain]
        sides = [self.sides[domain, node] for node in pair]
        machine = self.machines[home]
        good = all(side.connected and side.disk == "UpToDate" for side in sides)
        busy = domain in machine.stopped or domain in self._primaries(home) | self._primaries(partner)
        if machine.part is None or not good or busy or not self.reachable(home, partner):
            return
        if self.free(machine) > 0 and machine.part.against_start(domain, self.clock(machine)) is None:
            self._start(machine, domain, "starts at home")

    def leave(self, name: str) -> None:
        """Its guard is stopped on purpose, as for an upgrade."""
        machine = self.machines[name]
        if machine.part is not None and not machine.frozen:
            self.note(f"the guard of {name} is to end")
            machine.part.leave()

    def pause(self, name: str) -> None:
        """It takes nothing over."""
        machine = self.machines[name]
        if machine.part is not None and not machine.frozen:
            self.note(f"{name} is paused")
            self._act(machine, machine.part.pause())

    def resume(self, name: str) -> None:
        """It takes over again."""
        machine = self.machines[name]
        if machine.part is not None and not machine.frozen:
            self.note(f"{name} is resumed")
            self._act(machine, machine.part.resume())

    def confirm(self, name: str) -> None:
        """A person who sees that a node is off says so to the guards of its partners; of one that is on nobody says it."""
        if self.machines[name].powered:
            return
        partners = {other for pair in self.homes.values() if name in pair for other in pair} - {name}
        for machine in (self.machines[each] for each in sorted(partners)):
            if machine.part is None or not machine.powered or machine.frozen:
                continue
            against, acts = machine.part.confirm_dead(name, self.clock(machine))
            self.note(f"{machine.name} is told by a person that {name} is off" + (f": {against}" if against else ""))
            self._act(machine, acts)

    def shut(self, domain: str) -> None:
        """A person shuts a domain down, and it is to stay so."""
        pair = [self.machines[node] for node in self.homes[domain]]
        if domain not in self.moves.going and all(each.powered and not each.frozen for each in pair):
            self.note(f"{domain} is shut down")
            for machine in pair:
                machine.stopped.add(domain)
                self._end(machine, domain, machine.boots)

    def detach(self, name: str, domain: str) -> None:
        """The disk of a copy fails, and DRBD goes on without it, or a person detaches it; the last good one of a domain never."""
        machine, side = self.machines[name], self.sides[domain, name]
        if not machine.powered or machine.frozen or side.disk == "Diskless" or not self._can_do_without(name, domain):
            return
        self.note(f"the disk of {domain} on {name} is detached")
        side.used = side.version
        side.attaches, side.disk, side.synchronises_until_s = side.disk, "Diskless", None
        self.sides[domain, self._other(domain, name)].synchronises_until_s = None
        if side.connected:
            machine.away.add(domain)

    def _can_do_without(self, name: str, domain: str) -> bool:
        """Whether a domain does not write on the copy of that node, or goes on with the other one."""
        there = self._other(domain, name)
        side, peer = self.sides[domain, name], self.sides[domain, there]
        if domain in self.machines[there].running and not peer.whole:
            return False
        if domain not in self._primaries(name):
            return True
        good = side.connected and peer.connected and peer.disk == "UpToDate" and self.reachable(name, there)
        return good and side.whole and domain in self.machines[name].running and domain not in self.moves.going

    def attach(self, name: str, domain: str) -> None:
        """It is attached again: what it has missed DRBD knows where the other copy is in sight."""
        machine, side = self.machines[name], self.sides[domain, name]
        there = self._other(domain, name)
        peer = self.sides[domain, there]
        if not machine.powered or machine.frozen or side.disk != "Diskless":
            return
        if side.connected and not (peer.connected and self.reachable(name, there)):
            self.at(STEP_S, self.attach, name, domain)  # it waits for the other one's answer
            return
        if domain in machine.running and not side.connected:
            return  # "Can only attach to the data we lost last" (recording 499); these are left out here
        self.note(f"the disk of {domain} on {name} is attached")
        side.disk = "Consistent" if side.attaches == "UpToDate" else side.attaches
        if side.connected and peer.disk != "Diskless":
            old, new = (peer, side) if peer.version < side.version else (side, peer)
            self._synchronise(domain, old, new)

    def halt(self, domain: str) -> None:
        """The guest shuts itself down, wherever it runs."""
        self.note(f"{domain} shuts itself down")
        for node in self.homes[domain]:
            self._end(self.machines[node], domain, self.machines[node].boots)

    def adopt(self, name: str, domain: str) -> None:
        """At the very beginning: DRBD does not ask about a domain there yet."""
        self.fencing.adopt(name, domain)

    def less(self, name: str, domain: str) -> None:
        """`state.apply` is to have DRBD ask no more about a domain there."""
        self.fencing.less(name, domain)

    def more(self, name: str, domain: str) -> None:
        """`state.apply` has DRBD ask about a domain there."""
        self.fencing.more(name, domain)

    def move(self, domain: str) -> None:
        """A domain begins to move to its other node, if it can."""
        self.moves.begin(domain)

    def order(self, domain: str, node: str, by: str) -> None:
        """A person orders the end of a domain on a node, from the guard of that node or of its other one."""
        self.orders.give(domain, node, by)

    def agent(self, name: str, how: str) -> None:
        """Its fence agent does its work in another way."""
        self.agents.be(name, how)

    def stick(self, name: str) -> None:
        """None of its domains can be stopped any more, until it boots."""
        self.note(f"the domains of {name} do not die")
        self.machines[name].stuck = True

    def silence(self, name: str) -> None:
        """DRBD's handler ends with an error there, until it boots."""
        self.note(f"DRBD's handler fails on {name}")
        self.machines[name].mute = True

    def cut(self, sender: str, to: str) -> None:
        """No message gets from the one to the other."""
        self.note(f"cut: {sender} to {to}")
        self._cut.add((sender, to))

    def mend(self, sender: str, to: str) -> None:
        """Messages get there again."""
        self.note(f"mended: {sender} to {to}")
        self._cut.discard((sender, to))

    def part(self, one: str, other: str) -> None:
        """Replication between two nodes is cut."""
        self.note(f"replication cut: {one} and {other}")
        self._replication_cut.add(frozenset((one, other)))

    def join(self, one: str, other: str) -> None:
        """Replication between two nodes gets through again."""
        self.note(f"replication mended: {one} and {other}")
        self._replication_cut.discard(frozenset((one, other)))

    def _watch(self, machine: Machine) -> None:
        """One look is enough: it comes no later than when the watchdog bites, and then again if that was wound up since.

        It comes before all else that happens in that moment: whoever would wind it up then is too late.
        """
        if not machine.watched and machine.watchdog_s is not None:
            machine.watched = True
            heapq.heappush(self._events, (machine.watchdog_s, -next(self._numbers), self._bite, (machine,)))

    def _bite(self, machine: Machine) -> None:
        machine.watched = False
        if machine.watchdog_s is None or machine.frozen:
            return
        if machine.watchdog_s > self.time_s:
            self._watch(machine)
            return
        self.note(f"the watchdog resets {machine.name}")
        self.power_off(machine.name)
        self.changed()
        self.at(self.noise["boot", machine.name].uniform(5, 60), self.power_on, machine.name)


def _check_pause(machine: Machine, act: Any) -> None:
    if isinstance(act, Start | Promote | Fence) or (isinstance(act, Send) and isinstance(act.message, Deny)):
        raise Violation("a paused node takes nothing over", machine.name)
