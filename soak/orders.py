"""Orders of people to end a domain on a node: given to the guard there, or to that of its other node, which passes it on."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from saltern.guard.messages import Beat, End, Ended
from saltern.guarding.ending import PATIENCE_S
from soak.violation import Violation

if TYPE_CHECKING:
    from soak.world import Machine, World

_OFTEN: Final = 10.0  # there are few orders: each has much bad weather
_ROUNDED_S: Final = 1e-6
_OLD: Final = "an old order ends nothing"


@dataclass(slots=True)
class Given:
    """An order on its way: when it was given, and to which guard. It is ``overtaken`` when that has heard something later."""

    given_s: float
    guard: Any
    overtaken: bool = False
    taken: bool = False


@dataclass(frozen=True, slots=True)
class Ending:
    """A domain that a guard ends in that boot of its node, trying until so late by its clock; ``order`` is the other node's."""

    domain: str
    node: str
    guard: Any
    boots: int
    until_s: float
    order: End | None


class Orders:
    """The orders of a world. ``given`` has those that were passed on, by who has done so, in which boot, and their number."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.given: dict[tuple[str, int, int], Given] = {}

    def give(self, domain: str, node: str, by: str) -> None:
        """A person orders the end of a domain on a node, from the guard of ``by``, which is that node or its other one."""
        world, giver = self._world, self._world.machines[by]
        if giver.part is None or giver.frozen:
            return
        world.note(f"{by} is told to end {domain} on {node}")
        if by == node:
            self._begin(giver, domain, None)
            return
        with self._changes_nothing_else(giver, domain):
            order = giver.part.order_end(domain)
        if order is None:
            world.note(f"{by} has not heard {node}")
            return
        self.given[by, order.boot, order.number] = Given(world.time_s, world.machines[node].part)
        world.send(by, node, order, _OFTEN)

    def heard(self, machine: "Machine", beat: Beat) -> None:
        """A guard hears the other one: what that had ordered before is an old order from now on."""
        for (by, boot, number), given in self.given.items():
            if given.guard is machine.part and by == beat.node and (beat.boot, beat.number) > (boot, number):
                given.overtaken = True

    def hear(self, machine: "Machine", by: str, content: End | Ended) -> None:
        """An order has come to a guard, or what has come of one."""
        if isinstance(content, End):
            self._obey(machine, content)
        else:
            self._is_told(machine, by, content)

    def _obey(self, machine: "Machine", order: End) -> None:
        with self._changes_nothing_else(machine, order.domain):
            against = machine.part.against_order(order, self._world.clock(machine))
        if against is None:
            self._check(machine, order)
            self._world.note(f"{machine.name} is to end {order.domain}, as {order.by} says")
            self._begin(machine, order.domain, order)
        else:
            self._world.note(f"{machine.name} is not to end {order.domain}: {against}")
            self._answer(machine, order.domain, order, against)

    def _is_told(self, machine: "Machine", by: str, ended: Ended) -> None:
        """A guard makes nothing of it but to tell the person."""
        with self._changes_nothing_else(machine, ended.domain):
            acts = machine.part.answered(by, ended, self._world.clock(machine))
        if acts:
            raise Violation("no proof comes from an order", f"{machine.name} does {acts}")
        self._world.note(f"{machine.name} hears of {ended.domain} on {by}: {ended.reason or 'gone'}")

    # --- The rules -------------------------------------------------------------------------------------------------
    def _check(self, machine: "Machine", order: End) -> None:
        given = self.given[order.by, order.boot, order.number]
        what = f"{machine.name} ends {order.domain}"
        if given.taken:
            raise Violation("an order is carried out once", f"{what} again")
        given.taken = True
        if given.guard is not machine.part:
            raise Violation(_OLD, f"{what}, and was started since that was ordered")
        if given.overtaken:
            raise Violation(_OLD, f"{what}, and has heard {order.by} since that was ordered")
        # Whoever stood still with its clock cannot know for how long.
        stood = machine.stops and machine.thawed_s is not None and machine.thawed_s >= given.given_s
        old_s = (self._world.time_s - given.given_s) * machine.rate
        if not stood and old_s > self._world.times.dead_s + _ROUNDED_S:
            raise Violation(_OLD, f"{what} {old_s:.1f} s after that was ordered")

    @contextmanager
    def _changes_nothing_else(self, machine: "Machine", domain: str) -> Iterator[None]:
        """A guard that has to do with an order proves nothing by it, and lets that domain start as it did before."""
        guard, now_s = machine.part, self._world.clock(machine)
        declared, against = guard.facts.declared, guard.against_start(domain, now_s)
        yield
        if guard.facts.declared != declared:
            raise Violation("no proof comes from an order", f"{machine.name}, about {domain}")
        if guard.against_start(domain, now_s) != against:
            raise Violation("what was ended by order may be started again", f"{domain} on {machine.name}")

    # --- The end of a domain ---------------------------------------------------------------------------------------
    def _begin(self, machine: "Machine", domain: str, order: End | None) -> None:
        """A start of it goes no further from now on."""
        machine.starting.discard(domain)
        self._world.changed()
        until_s = self._world.clock(machine) + PATIENCE_S
        self._try(Ending(domain, machine.name, machine.part, machine.boots, until_s, order))

    def _try(self, ending: Ending) -> None:
        self._world.at(self._world.noise["order", ending.node].expovariate(2), self._destroy, ending)

    def _destroy(self, ending: Ending) -> None:
        """What a guard has begun goes on without it; but nobody tells then, nor tries again."""
        world, machine = self._world, self._world.machines[ending.node]
        if not machine.powered or machine.boots != ending.boots:
            return
        if machine.frozen:
            world.at(1.0, self._destroy, ending)
            return
        self._end(machine, ending.domain)
        if machine.part is not ending.guard:
            return
        if ending.domain not in machine.running:
            self._answer(machine, ending.domain, ending.order, None)
        elif world.clock(machine) >= ending.until_s:
            self._answer(machine, ending.domain, ending.order, "still here")
        else:
            self._try(ending)

    def _end(self, machine: "Machine", domain: str) -> None:
        self._world.moves.cancel(domain, machine.name)
        machine.starting.discard(domain)
        if domain in machine.running and self._world.dies(machine, domain):
            self._world.note(f"{machine.name} has stopped {domain}, as was ordered")
            machine.running.discard(domain)
            self._world.sides[domain, machine.name].suspended = False

    def _answer(self, machine: "Machine", domain: str, order: End | None, reason: str | None) -> None:
        if order is not None:
            self._world.send(machine.name, order.by, Ended(order.number, domain, reason))
        else:
            self._world.note(f"{machine.name} tells of {domain}: {reason or 'gone'}")
