"""A cluster as a guard has to do with it: nodes that are lost, freeze and come back; links; replicated data; domains that write.

One seed is one schedule. Every rule is checked whenever something has changed; what breaks one raises ``Violation``.
"""

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from saltern.guard.guard import WITNESS, Facts, Guard, Keep, Seen, Send, Start, Stop, WindUp
from saltern.guard.messages import Beat
from saltern.guard.times import Times
from saltern.guard.witness import Promises, Witness

_DETECT_S: Final = (2.0, 6.0)  # until DRBD notices that its partner is gone
_STEP_S: Final = 0.5


class Violation(AssertionError):
    """A safety rule was broken."""


@dataclass(slots=True)
class Side:
    """One copy of a domain's data. ``version`` counts its writes; ``wrote_alone``: some came while it was not connected."""

    version: int = 0
    disk: str = "UpToDate"
    connected: bool = True
    suspended: bool = False
    wrote_alone: bool = False
    synchronises_until_s: float | None = None


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
    part: Any = None  # its guard, or witness; None while that is dead
    facts: Facts = field(default_factory=lambda: Facts(boot=1))
    promises: Promises = field(default_factory=Promises)
    renewed: dict[str, float] = field(default_factory=dict)
    running: set[str] = field(default_factory=set)
    stuck: bool = False  # a domain of it does not die
    queue: list[tuple[str, Any]] = field(default_factory=list)


class World:
    """A cluster of ``nodes`` (pairs share domains) and a witness. ``guard`` and ``witness`` make their parts."""

    def __init__(
        self,
        seed: int,
        nodes: int = 2,
        times: Times | None = None,
        guard: type[Guard] = Guard,
        witness: type[Witness] = Witness,
    ) -> None:
        self.random = random.Random(seed)  # noqa: S311 - a schedule, no secret
        self.times = times or Times()
        self._make = guard, witness
        self.time_s = 0.0
        self.taken_over = 0
        self.log: list[str] = []
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._numbers = itertools.count()
        drift = self.times.drift
        names = [f"node{number}" for number in range(1, nodes + 1)]
        self.machines = {
            name: Machine(name, self.random.uniform(1 - drift, 1 + drift), self.random.random() < 0.5)
            for name in [*names, WITNESS]
        }
        self.homes: dict[str, tuple[str, str]] = {}
        for number, (one, other) in enumerate(itertools.pairwise([*names, names[0]] if nodes > 2 else names)):
            self.homes[f"a{number}"] = (one, other)
            self.homes[f"b{number}"] = (other, one)
        self.sides = {(domain, node): Side() for domain, pair in self.homes.items() for node in pair}
        self.acknowledged = dict.fromkeys(self.homes, 0)
        self.cut: set[tuple[str, str]] = set()  # one-way
        self.replication_cut: set[frozenset[str]] = set()
        self._arrives_s: dict[tuple[str, str], float] = {}
        self._out_of_sight_s: dict[str, float] = {}
        for domain, (home, _) in self.homes.items():
            self.machines[home].running.add(domain)
        for machine in self.machines.values():
            self._begin(machine)
        self.at(_STEP_S, self._replicate)

    # --- Time ------------------------------------------------------------------------------------------------------
    def at(self, delay_s: float, do: Callable[..., None], *args: Any) -> None:
        """Have something done later."""
        heapq.heappush(self._events, (self.time_s + delay_s, next(self._numbers), do, args))

    def run(self, until_s: float) -> None:
        """Let time pass."""
        while self._events and self._events[0][0] <= until_s:
            self.time_s, _, do, args = heapq.heappop(self._events)
            do(*args)
            self._check_instances()
        self.time_s = until_s

    def _clock(self, machine: Machine) -> float:
        return (self.time_s - machine.zero_s) * machine.rate

    def note(self, text: str) -> None:
        """Add a line to the story."""
        self.log.append(f"{self.time_s:8.2f} {text}")

    # --- Guards and witness ----------------------------------------------------------------------------------------
    def _begin(self, machine: Machine) -> None:
        if not machine.powered or machine.part is not None:
            return
        make_guard, make_witness = self._make
        if machine.name == WITNESS:
            machine.part = make_witness(self.times, machine.promises, self._clock(machine))
            return
        partners = {
            domain: other if machine.name == home else home
            for domain, (home, other) in self.homes.items()
            if machine.name in (home, other)
        }
        machine.part = make_guard(
            machine.name, partners, self.times, machine.facts, self._clock(machine), dict(machine.renewed)
        )
        self.at(self.random.uniform(0, 0.5), self._tick, machine, machine.part)

    def _tick(self, machine: Machine, guard: Guard) -> None:
        if machine.part is not guard or not machine.powered:
            return
        if not machine.frozen:
            self._act(machine, guard.act(self._seen(machine), self._clock(machine)))
        self.at(self.random.uniform(0.2, self.times.beat_s), self._tick, machine, guard)

    def _act(self, machine: Machine, acts: list[Any]) -> None:
        guard = machine.part
        for act in acts:
            if machine.part is guard and machine.powered:
                self._do(machine, act)
        if machine.part is guard:
            machine.renewed = guard.renewed
            self._let_go_on(machine, guard)

    def _do(self, machine: Machine, act: Any) -> None:
        match act:
            case Keep():
                machine.facts = act.facts
            case Send():
                self._send(machine.name, act.to, act.message)
            case WindUp():
                machine.watchdog_s = self.time_s + self.times.watchdog_s / machine.rate
                self.at(machine.watchdog_s - self.time_s, self._bite, machine, machine.watchdog_s)
            case Stop():
                if not machine.stuck:
                    self.at(self.random.expovariate(2), self._end, machine, act.domain, machine.boots)
            case Start():
                self._start(machine, act.domain, "takes over")

    def _let_go_on(self, machine: Machine, guard: Guard) -> None:
        """What the fence-peer handler does."""
        for domain in machine.running:
            side = self.sides[domain, machine.name]
            if side.suspended and guard.may_go_on(domain):
                self.note(f"{machine.name} goes on alone with {domain}")
                side.suspended = False

    def _seen(self, machine: Machine) -> Seen:
        sides = {domain: side for (domain, node), side in self.sides.items() if node == machine.name}
        other = {domain: self._other(domain, machine.name) for domain in sides}
        return Seen(
            running=frozenset(machine.running),
            startable=frozenset(
                domain
                for domain, side in sides.items()
                if domain not in machine.running
                and side.disk in ("UpToDate", "Consistent")
                and not (side.connected and domain in self.machines[other[domain]].running)
            ),
            lost=frozenset(domain for domain in machine.running if sides[domain].suspended),
            same=frozenset(
                domain
                for domain, side in sides.items()
                if side.connected and side.disk == self.sides[domain, other[domain]].disk == "UpToDate"
            ),
        )

    def _other(self, domain: str, node: str) -> str:
        home, partner = self.homes[domain]
        return partner if node == home else home

    # --- Messages --------------------------------------------------------------------------------------------------
    def _send(self, sender: str, to: str, message: Any) -> None:
        if (sender, to) in self.cut or self.random.random() < 0.02:
            return
        delay_s = self.random.uniform(0.001, 0.3)
        if self.random.random() < 0.01:  # late, and out of order
            delay_s = self.random.uniform(0, 20)
        else:
            delay_s = max(delay_s, self._arrives_s.get((sender, to), 0.0) - self.time_s)
            self._arrives_s[sender, to] = self.time_s + delay_s
        self.at(delay_s, self._arrive, sender, to, message)
        if self.random.random() < 0.01:  # doubled
            self.at(delay_s + self.random.uniform(0, 20), self._arrive, sender, to, message)

    def _arrive(self, sender: str, to: str, message: Any) -> None:
        machine = self.machines[to]
        if not machine.powered or machine.part is None:
            return
        if machine.frozen:
            machine.queue.append((sender, message))
            return
        now_s = self._clock(machine)
        if to == WITNESS:
            answer = machine.part.answer(message, now_s)
            machine.promises = machine.part.promises
            if answer is not None:
                self._send(to, sender, answer)
        elif isinstance(message, Beat):
            answer, acts = machine.part.beat(message, now_s)
            self._act(machine, acts)
            if answer is not None and machine.part is not None:
                self._send(to, sender, answer)
        else:
            self._act(machine, machine.part.answered(sender, message, now_s))

    # --- Domains and data ------------------------------------------------------------------------------------------
    def _start(self, machine: Machine, domain: str, why: str) -> None:
        side = self.sides[domain, machine.name]
        if domain in machine.running:
            return
        self.note(f"{machine.name} {why}: {domain}")
        if side.version < self.acknowledged[domain]:
            raise Violation(
                f"{machine.name} starts {domain} on {side.version}; {self.acknowledged[domain]} was acknowledged"
            )
        if why == "takes over":
            self.taken_over += 1
        machine.running.add(domain)
        side.disk = "UpToDate"
        side.suspended = False
        if not side.connected:
            side.suspended = not machine.part.may_go_on(domain)

    def _end(self, machine: Machine, domain: str, boots: int) -> None:
        if machine.powered and machine.boots == boots:
            if machine.frozen:
                self.at(1.0, self._end, machine, domain, boots)
                return
            if domain in machine.running:
                self.note(f"{machine.name} has stopped {domain}")
            machine.running.discard(domain)
            self.sides[domain, machine.name].suspended = False

    def _replicate(self) -> None:
        for domain, (home, partner) in self.homes.items():
            self._connect(domain, home, partner)
            for node, other in ((home, partner), (partner, home)):
                self._write(domain, node, other)
            self._come_home(domain, home, partner)
        self.at(_STEP_S, self._replicate)

    def _reachable(self, one: str, other: str) -> bool:
        up = all(self.machines[name].powered and not self.machines[name].frozen for name in (one, other))
        return up and frozenset((one, other)) not in self.replication_cut

    def _connect(self, domain: str, one: str, other: str) -> None:
        mine, theirs = self.sides[domain, one], self.sides[domain, other]
        if not self._reachable(one, other):
            since_s = self._out_of_sight_s.setdefault(domain, self.time_s + self.random.uniform(*_DETECT_S))
            if self.time_s >= since_s:
                self._notice(domain, one, other)
            return
        self._out_of_sight_s.pop(domain, None)
        if mine.connected != theirs.connected:  # one of them has not noticed yet that it was left
            self._notice(domain, one, other)
            return
        if not mine.connected:
            self._meet(domain, one, other)
        for side, peer in ((mine, theirs), (theirs, mine)):
            if side.synchronises_until_s is not None and self.time_s >= side.synchronises_until_s:
                side.synchronises_until_s, side.disk, side.version = None, "UpToDate", peer.version

    def _notice(self, domain: str, *nodes: str) -> None:
        """Those that live see that the connection is gone."""
        for node in nodes:
            machine, side = self.machines[node], self.sides[domain, node]
            if side.connected and machine.powered and not machine.frozen:
                self._disconnect(domain, node, side)

    def _disconnect(self, domain: str, node: str, side: Side) -> None:
        side.connected, side.synchronises_until_s = False, None
        side.suspended = domain in self.machines[node].running

    def _meet(self, domain: str, one: str, other: str) -> None:
        mine, theirs = self.sides[domain, one], self.sides[domain, other]
        if all(domain in self.machines[node].running for node in (one, other)):
            return  # StandAlone, until one of them has stopped
        if mine.wrote_alone and theirs.wrote_alone:
            raise Violation(f"split-brain of {domain}: both sides have written alone")
        old, new = (mine, theirs) if mine.version < theirs.version or theirs.wrote_alone else (theirs, mine)
        if old.version > new.version:
            raise Violation(f"{domain}: the side that did not write alone is the newer one")
        old_node = one if old is mine else other
        if old.version < new.version and domain in self.machines[old_node].running:
            return  # "I shall become SyncTarget, but I am primary!"
        for side in (mine, theirs):
            side.connected, side.suspended, side.wrote_alone = True, False, False
        if old.version < new.version or old.disk != "UpToDate":
            if new.disk == "Consistent":
                new.disk = "UpToDate"
            old.disk, old.synchronises_until_s = "Inconsistent", self.time_s + self.random.uniform(1, 20)
        new.disk = "UpToDate"

    def _write(self, domain: str, node: str, other: str) -> None:
        machine, side, peer = self.machines[node], self.sides[domain, node], self.sides[domain, other]
        if domain not in machine.running or machine.frozen or side.suspended:
            return
        if side.connected and not (peer.connected and self._reachable(node, other)):
            return  # it hangs: nothing is acknowledged
        if side.version != self.acknowledged[domain]:
            raise Violation(f"{node} writes {domain} on {side.version}; {self.acknowledged[domain]} was acknowledged")
        side.version += 1
        if side.connected and peer.disk == "UpToDate":
            peer.version = side.version
        elif not side.connected:
            side.wrote_alone = True
        self.acknowledged[domain] = side.version

    def _come_home(self, domain: str, home: str, partner: str) -> None:
        """What an administrator's `state.apply` does: both are connected, up to date, and nobody runs it."""
        sides = [self.sides[domain, node] for node in (home, partner)]
        nobody = not any(domain in self.machines[node].running for node in (home, partner))
        good = all(side.connected and side.disk == "UpToDate" for side in sides)
        if nobody and good and self._reachable(home, partner) and self.random.random() < 0.02:
            self._start(self.machines[home], domain, "starts at home")

    def _check_instances(self) -> None:
        """Rule 1: one live instance; beside it, for the time of a lease, one that was frozen and cannot know yet."""
        for domain, pair in self.homes.items():
            live = [
                self.machines[node]
                for node in pair
                if domain in self.machines[node].running
                and self.machines[node].powered
                and not self.machines[node].frozen
            ]
            if len(live) == 2 and not any(self._has_just_thawed(machine) for machine in live):
                raise Violation(f"{domain} lives on {live[0].name} and {live[1].name}")

    def _has_just_thawed(self, machine: Machine) -> bool:
        if machine.thawed_s is None:
            return False
        return self.time_s - machine.thawed_s <= (self.times.lease_s + self.times.watchdog_s) / machine.rate + 2

    # --- Faults ----------------------------------------------------------------------------------------------------
    def power_off(self, machine: Machine) -> None:
        """It loses its power."""
        if not machine.powered:
            return
        self.note(f"{machine.name} loses its power")
        machine.powered, machine.frozen, machine.part, machine.watchdog_s = False, False, None, None
        machine.running.clear()
        machine.queue.clear()
        machine.renewed = {}
        machine.thawed_s = None
        for (_, node), side in self.sides.items():
            if node == machine.name:
                side.connected, side.suspended, side.synchronises_until_s = False, False, None

    def power_on(self, machine: Machine) -> None:
        """It boots."""
        if machine.powered:
            return
        self.note(f"{machine.name} boots")
        machine.powered, machine.zero_s, machine.stuck = True, self.time_s, False
        machine.boots += 1
        machine.facts = machine.facts.after_boot(machine.boots)
        for (_, node), side in self.sides.items():
            if node == machine.name and side.disk == "UpToDate":
                side.disk = "Consistent"
        self.at(self.random.uniform(1, 10), self._begin, machine)

    def freeze(self, machine: Machine) -> None:
        """It stands still."""
        if machine.powered and not machine.frozen:
            self.note(f"{machine.name} freezes")
            machine.frozen, machine.frozen_since_s = True, self.time_s

    def thaw(self, machine: Machine) -> None:
        """It goes on, and finds what has come for it meanwhile."""
        if not machine.powered or not machine.frozen:
            return
        self.note(f"{machine.name} thaws")
        machine.frozen, machine.thawed_s = False, self.time_s
        stood_s = self.time_s - machine.frozen_since_s
        if machine.stops:
            machine.zero_s += stood_s
        if machine.watchdog_s is not None:  # Xen stood still as well
            machine.watchdog_s += stood_s
            self.at(machine.watchdog_s - self.time_s, self._bite, machine, machine.watchdog_s)
        for sender, message in machine.queue:
            self.at(self.random.uniform(0, 0.2), self._arrive, sender, machine.name, message)
        machine.queue.clear()

    def kill(self, machine: Machine) -> None:
        """Its guard, or witness, is killed, and comes back a while later."""
        if machine.part is not None and not machine.frozen:
            self.note(f"the guard of {machine.name} is killed")
            machine.part = None
            self.at(self.random.choice((0.2, 2, 15)), self._begin, machine)

    def _bite(self, machine: Machine, deadline_s: float) -> None:
        if machine.powered and not machine.frozen and machine.watchdog_s == deadline_s:
            self.note(f"the watchdog resets {machine.name}")
            self.power_off(machine)
            self.at(self.random.uniform(5, 60), self.power_on, machine)
