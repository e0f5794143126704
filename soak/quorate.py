"""A cluster whose resources have quorum by a tie-breaker, in the place of a witness and of agents.

Guards look for a while, and act on what they have seen at the beginning; DRBD is ``soak/quorum.py``.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from saltern.guard.acts import Demote, Promote
from saltern.guard.facts import Proof, Seen
from saltern.guard.guard import Guard
from saltern.guard.times import Times
from soak.quorum import TIE_BREAKER, UNANSWERED, Drbd, Resource
from soak.violation import Violation
from soak.world import STEP_S, Copies, Machine, Noise, World

BY_QUORUM: Final = Proof(lease=False, quorum=True)
# Two beats until a node counts as lost, as in ``soak/trial.py``; and DRBD notices a loss in a few seconds.
TIMES: Final = Times(beat_s=2.0, detect_s=10.0, takeover_s=29.0)
_AS_IT_IS: Final = Drbd()
_LOOKS_S: Final = 1.5
_LOOKS_LONG_S: Final = 20.0  # seldom, and in some clusters: a lease goes on only by looks, so that domains end then
_PROMOTES_S: Final = (0.1, 2.0)
_UNANSWERED: Final = 10  # so often a promotion is tried that somebody does not answer
_SUSPENDED_DIES: Final = 0.7  # seldom `xl destroy` hangs where the disks wait


class QuorumWorld(World):
    """Its nodes, and one more that holds no copy and runs no guard. ``drbd`` is how their DRBD behaves."""

    def __init__(self, seed: int, nodes: int = 2, times: Times = TIMES, drbd: Drbd = _AS_IT_IS, **parts: Any) -> None:
        self._quick = 0.97 if Noise(seed)["looks",].random() < 0.2 else 1.0
        self._looks: dict[str, Seen] = {}  # the last one that has ended, by node
        super().__init__(seed, nodes, times, **({"proof": BY_QUORUM} | parts))
        self.machines[TIE_BREAKER] = self._machine(TIE_BREAKER)
        self._copies_of[TIE_BREAKER] = []
        self.resources: Mapping[str, Resource] = {
            domain: Resource(self, domain, drbd, times.detect_s) for domain in self.homes
        }

    # --- Guards ----------------------------------------------------------------------------------------------------
    def _begin(self, machine: Machine) -> None:
        if machine.name != TIE_BREAKER:
            super()._begin(machine)

    def _tick(self, machine: Machine, guard: Guard) -> None:
        """The guard acts on the last look that has ended; what that has found is as old as its beginning."""
        if machine.part is guard and machine.name not in self._looks:
            self._looks[machine.name] = self._see(machine)
            self.at(0, self._look_again, machine, guard)
        super()._tick(machine, guard)

    def _look_again(self, machine: Machine, guard: Guard) -> None:
        if machine.part is not guard:
            return
        noise = self.noise["look", machine.name]
        if machine.frozen:
            self.at(noise.uniform(0.01, 0.3), self._look_again, machine, guard)
            return
        takes_s = noise.uniform(0, _LOOKS_S if noise.random() < self._quick else _LOOKS_LONG_S)
        self.at(takes_s, self._have_looked, machine, guard, self._see(machine))

    def _have_looked(self, machine: Machine, guard: Guard, seen: Seen) -> None:
        if machine.part is not guard:
            return
        if not machine.frozen:
            self._looks[machine.name] = seen
            self._act(machine, guard.act(seen, self.clock(machine)))
            self._look_again(machine, guard)
        else:
            self.at(0.1, self._have_looked, machine, guard, seen)

    def _see(self, machine: Machine) -> Seen:
        seen = self._look(machine)
        machine.met.clear()
        machine.away.clear()
        return seen

    def _seen(self, machine: Machine) -> Seen:
        return self._looks[machine.name]

    def _look(self, machine: Machine) -> Seen:
        name, mine = machine.name, [each.domain for each in self._copies_of[machine.name]]
        return replace(
            super()._look(machine),
            began_s=self.clock(machine),
            quorate=frozenset(domain for domain in mine if self.resources[domain].ends[name].quorum),
            primary=frozenset(domain for domain in mine if name in self.resources[domain].primaries()),
            # DRBD demands quorum of all of them, and there is no handler that asks whether to go on.
            unfenced=frozenset(),
            lost=frozenset(),
            waiting=frozenset(),
            unasked=frozenset(),
        )

    def _do_more(self, machine: Machine, act: Any) -> None:
        delay_s = self.noise["promote", machine.name].uniform(*_PROMOTES_S)
        match act:
            case Promote():
                self._check_promotion(machine, act.domain)
                self.at(delay_s, self._promote, machine, machine.part, machine.boots, act.domain, _UNANSWERED)
            case Demote():
                self.at(delay_s, self._demote, machine, machine.boots, act.domain)
            case _:
                super()._do_more(machine, act)

    def _promote(self, machine: Machine, guard: Guard, boots: int, domain: str, attempts: int) -> None:
        """What a guard has begun goes on without it, and nobody tells it then."""
        if not machine.powered or machine.boots != boots:
            return
        if machine.frozen:
            self.at(1.0, self._promote, machine, guard, boots, domain, attempts)
            return
        refused = self.resources[domain].promote(machine.name)
        if refused == UNANSWERED and attempts:
            self.at(STEP_S, self._promote, machine, guard, boots, domain, attempts - 1)
            return
        self.note(
            f"{machine.name} is {'not ' if refused else ''}Primary for {domain}" + (f": {refused}" if refused else "")
        )
        delay_s = self.noise["promote", machine.name].uniform(*_PROMOTES_S)
        self.at(delay_s, self._is_promoted, machine, guard, domain, refused)

    def _is_promoted(self, machine: Machine, guard: Guard, domain: str, refused: str | None) -> None:
        if machine.part is not guard or not machine.powered:
            return
        if machine.frozen:
            self.at(0.5, self._is_promoted, machine, guard, domain, refused)
            return
        guard.promoted(domain, refused, self.clock(machine))

    def _demote(self, machine: Machine, boots: int, domain: str) -> None:
        if not machine.powered or machine.boots != boots:
            return
        if machine.frozen:
            self.at(1.0, self._demote, machine, boots, domain)
            return
        if domain in machine.running | self.moves.receives(machine.name):
            return  # its disks are in use
        self.note(f"{machine.name} is Secondary for {domain}")
        self.resources[domain].held.discard(machine.name)

    def _check_promotion(self, machine: Machine, domain: str) -> None:
        """Not even Primary: what a person has stopped, what is on its way, and copies that are not good."""
        against = self._looks[machine.name].against.get(domain)
        if against is not None:
            raise Violation("what is not to be started is not promoted", f"{machine.name} promotes {domain}: {against}")

    def _let_go_on(self, machine: Machine, guard: Guard) -> None:
        """DRBD asks no guard who goes on: quorum says it."""

    # --- Domains and data ------------------------------------------------------------------------------------------
    def _primaries(self, node: str) -> frozenset[str]:
        return super()._primaries(node) | {domain for domain, each in self.resources.items() if node in each.held}

    def _take_over(self, machine: Machine, domain: str, boots: int) -> None:
        """It is looked once more whether a person has stopped it; and the block script lets a disk be attached, or not."""
        if domain in machine.starting and machine.powered and not machine.frozen and machine.boots == boots:
            refused = "it stays stopped" if domain in machine.stopped else self._against_attaching(machine, domain)
            if refused:
                machine.starting.discard(domain)
                self.note(f"{machine.name} cannot start {domain}: {refused}")
                if machine.part is not None:
                    machine.part.failed(domain, refused, self.clock(machine))
                return
        super()._take_over(machine, domain, boots)

    def _against_attaching(self, machine: Machine, domain: str) -> str | None:
        """The block script takes a disk that has quorum and is Primary, or can be."""
        resource = self.resources[domain]
        return resource.promote(machine.name) or (None if resource.ends[machine.name].quorum else "no quorum")

    def live(self, machine: Machine, domain: str) -> None:
        """From now on it runs there, is Primary for as long, and reads what is there: of a copy that is not good, nothing."""
        side = self.sides[domain, machine.name]
        if side.disk == "UpToDate" and side.version < self.acknowledged[domain]:
            read = f"{domain} reads {side.version} on {machine.name}; {self.acknowledged[domain]} was acknowledged"
            raise Violation("old data are never read", read)
        self.resources[domain].held.discard(machine.name)
        super().live(machine, domain)

    def dies(self, machine: Machine, domain: str) -> bool:
        """Seldom it does not where its disks wait."""
        hangs = (
            self.sides[domain, machine.name].suspended and self.noise["stop", machine.name].random() > _SUSPENDED_DIES
        )
        return super().dies(machine, domain) and not hangs

    def _end(self, machine: Machine, domain: str, boots: int) -> None:
        if domain not in machine.running or self.dies(machine, domain):
            super()._end(machine, domain, boots)

    def allow_two_primaries(self, domain: str, target: str) -> bool:
        """For the time of the migration, in which the target is Primary as well."""
        resource = self.resources[domain]
        resource.two_primaries = True
        if (refused := resource.promote(target)) is None:
            return True
        self.note(f"{domain} does not move to {target}: {refused}")
        resource.two_primaries = False
        return False

    def allow_one_primary(self, domain: str, target: str) -> None:
        """On each of both nodes: where one of them cannot be reached, two are still allowed there."""
        resource, machine = self.resources[domain], self.machines[target]
        if machine.powered and not machine.frozen:
            resource.held.discard(target)
        if self.reachable(*self.homes[domain]):
            resource.two_primaries = False

    def apply(self, domain: str) -> None:
        """As ever, and only where the home can be promoted."""
        home, _ = self.homes[domain]
        resource = self.resources[domain]
        if resource.primaries() or not resource.ends[home].quorum or resource.reached(home) is None:
            return
        super().apply(domain)

    def _exchange(self, copies: Copies) -> None:
        self.resources[copies.domain].step(STEP_S)

    def _has_just_thawed(self, machine: Machine) -> bool:
        if machine.thawed_s is None:
            return False
        times = self.times
        within_s = (times.detect_s + times.lease_s + times.watchdog_s) / machine.rate + 2
        return self.time_s - machine.thawed_s <= within_s

    # --- Events ----------------------------------------------------------------------------------------------------
    def start(self, domain: str, name: str) -> None:
        """A person has a domain started there: makes its disks Primary, and some seconds later has Xen create it."""
        machine = self.machines[name]
        if not machine.powered or machine.frozen or domain in self._held_here(machine):
            return
        refused = self.resources[domain].promote(name)
        self.note(f"a person makes {domain} Primary on {name}" + (f": {refused}" if refused else ""))
        if refused is None:
            self.at(self.noise["person", name].uniform(0.5, 5), self._create, machine, domain, machine.boots)

    def _create(self, machine: Machine, domain: str, boots: int) -> None:
        """What was made Primary stays so where the domain is not started, until the guard finds it."""
        if not machine.powered or machine.frozen or machine.boots != boots or domain in self._held_here(machine):
            return
        against = self._against_creating(machine, domain)
        if against is None:
            self._start(machine, domain, "starts for a person")
        else:
            self.note(f"{machine.name} does not start {domain} for a person: {against}")

    def _against_creating(self, machine: Machine, domain: str) -> str | None:
        """The block script looks at the disk, and asks the guard, whom it tells whether it sees the other copy."""
        side, guard = self.sides[domain, machine.name], machine.part
        if side.disk != "UpToDate" or self.free(machine) < 1:
            return f"its disk is {side.disk}, and there is memory for {self.free(machine)}"
        if side.connected and self._other(domain, machine.name) in self.resources[domain].primaries():
            return "it is Primary over there"
        if guard is None:
            return "no guard answers"
        asked = guard.against_start(domain, self.clock(machine))
        apart = None if side.connected else guard.against_apart(domain)
        return asked or apart or self._against_attaching(machine, domain)

    def _held_here(self, machine: Machine) -> frozenset[str]:
        return frozenset(machine.running | machine.starting) | self.moves.receives(machine.name)

    def confirm(self, name: str) -> None:
        """Nobody's word takes the place of quorum."""
        super().confirm(name)
        believing = [each.name for each in self.machines.values() if each.facts.declared]
        if believing:
            raise Violation("no proof comes from a person's word", f"{believing} about {name}")

    def kill(self, name: str) -> None:
        """Its guard is killed, with what it has seen."""
        super().kill(name)
        if self.machines[name].part is None:
            self._looks.pop(name, None)

    def replace_disk(self, name: str, domain: str) -> None:
        """The disk of a domain is replaced on a node, where it may be running: it is synchronised from the other one."""
        self.resources[domain].replace_disk(name)

    def rest(self, domain: str) -> None:
        """Its guest writes nothing any more."""
        self.note(f"{domain} writes nothing any more")
        self.resources[domain].idle = True

    def allow(self, domain: str) -> None:
        """A migration that was broken off has left two Primaries allowed."""
        self.note(f"two Primaries are allowed of {domain}")
        self.resources[domain].two_primaries = True

    def power_off(self, name: str) -> None:
        """It loses its power."""
        was_on = self.machines[name].powered
        self._looks.pop(name, None)
        super().power_off(name)
        if was_on:
            for resource in self.resources.values():
                if name in resource.nodes:
                    resource.lost(name)

    def power_on(self, name: str) -> None:
        """It boots. Without a fencing policy DRBD calls a copy UpToDate that was so before, whatever became of the other one."""
        super().power_on(name)
        for _, _, _, side, _ in self._copies_of[name]:
            if side.disk == "Consistent":
                side.disk = "UpToDate"
