"""Domains that return by themselves: one after the other, when their home is back, their disks are UpToDate and nobody objects.

Nothing is believed of whoever calls for it: a call may be late, doubled, or about a node that was never gone. Each domain is
looked at before it is entered, and once more when nobody else can do anything with it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from saltern import controller
from saltern.controller import Fleet, look
from saltern.errors import Refused, SalternError
from saltern.model.desired import DomainSpec
from saltern.model.operation import OperationKind, Planned
from saltern.model.survey import Survey
from saltern.plan import homecoming, migrate
from saltern.plan.selection import Selection, without

_POLL_S: Final = 10.0
# What was UpToDate a moment ago is so, or the return waits for its next turn.
_SYNCHRONISE_S: Final = 60.0
_CARRY_OUT_S: Final = 3600.0


def foreseen(fleet: Fleet, node: str) -> dict[str, str]:
    """What would become now of each domain that returns by itself to a node and is away, in words; nothing is changed."""
    specs = homecoming.returning(node, fleet.shares)
    surveys = look(fleet, specs)
    told = {name: homecoming.stays(spec, surveys[name]) for name, spec in specs.items()}
    return {
        name: f"{name} comes home to {node}" if why is None else f"{name} stays on {specs[name].partner}: {why}"
        for name, why in told.items()
        if homecoming.is_away(specs[name], surveys[name])
    }


def bring_home(
    fleet: Fleet, node: str, *, identifiers: Iterator[str], owner: str, since: str, timeout_s: float
) -> tuple[Planned, ...]:
    """Move the domains home that return to a node by themselves; waits for them up to ``timeout_s``.

    ``identifiers`` gives the id of each attempt. Raises ``Refused`` at the end, with what did not come home and why; what was not
    to return is only told.
    """
    work = _Homecoming(fleet, identifiers, owner, since, homecoming.returning(node, fleet.shares))
    deadline_s = fleet.now() + timeout_s
    while True:
        work.go_on()
        if not work.waiting:
            break
        if fleet.now() >= deadline_s:
            work.failed += [f"{name}: after {timeout_s:g} s still: {work.waits[name]}" for name in work.waiting]
            break
        fleet.show("; ".join(f"{name} does not return yet: {work.waits[name]}" for name in work.waiting))
        fleet.sleep(_POLL_S)
    if work.failed:
        raise Refused(
            f"what returns to {node}",
            "; ".join(work.failed),
            "See to that, then `salt-run state.orch return` brings it home",
        )
    return tuple(work.done)


@dataclass
class _Homecoming:
    """Domains that wait to return, each with what it ``waits`` for in words, and what became of the others."""

    fleet: Fleet
    identifiers: Iterator[str]
    owner: str
    since: str
    waiting: dict[str, DomainSpec]
    waits: dict[str, str] = field(default_factory=dict)
    done: list[Planned] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def go_on(self) -> None:
        """Look at all that wait, and move those that can return now."""
        for name, surveys in self._look().items():
            spec = self.waiting[name]
            try:
                if self._stays(spec, surveys):
                    del self.waiting[name]
                    continue
                selection, identifier = self._enter(spec, surveys)
            except SalternError as error:  # time may heal it
                self.waits[name] = str(error)
                continue
            del self.waiting[name]
            if selection is not None:
                self._carry_out(selection, identifier)

    def _look(self) -> dict[str, dict[str, Survey]]:
        """Of each partner alone: one that is gone does not keep the domains of the others away."""
        found: dict[str, dict[str, Survey]] = {}
        for partner in dict.fromkeys(spec.partner for spec in self.waiting.values()):
            specs = {name: spec for name, spec in self.waiting.items() if spec.partner == partner}
            try:
                found |= look(self.fleet, specs)
            except SalternError as error:
                self.waits |= dict.fromkeys(specs, str(error))
        return found

    def _stays(self, spec: DomainSpec, surveys: Mapping[str, Survey]) -> bool:
        why = homecoming.stays(spec, surveys)
        if why is not None and homecoming.is_away(spec, surveys):
            self.fleet.tell(f"{spec.name} stays on {spec.partner}: {why}")
        return why is not None

    def _enter(self, spec: DomainSpec, surveys: Mapping[str, Survey]) -> tuple[Selection | None, str]:
        """Enter its return, when it can be now, with the id; no selection when it is not to be any longer.

        Raises ``SalternError`` for what is in the way, with nothing entered.
        """
        move = migrate.decide(spec, surveys, target=spec.home)
        if move is not None and move.waits_for:
            raise Refused(f"domain {spec.name}", "; ".join(move.waits_for), "It returns after that")
        selection = Selection(kind=OperationKind.MIGRATE, domain=spec.name, target=spec.home)
        identifier = next(self.identifiers)
        controller.begin(self.fleet, selection, identifier=identifier, owner=self.owner, since=self.since)
        try:
            found = without(look(self.fleet, {spec.name: spec}), identifier)[spec.name]
        except SalternError:
            controller.withdraw(self.fleet, {spec.name: spec}, identifier)
            raise
        if self._stays(spec, found):
            controller.withdraw(self.fleet, {spec.name: spec}, identifier)
            return None, identifier
        controller.synchronise(self.fleet, selection, identifier=identifier, timeout_s=_SYNCHRONISE_S)
        return selection, identifier

    def _carry_out(self, selection: Selection, identifier: str) -> None:
        try:
            self.done += controller.carry_out(
                self.fleet, selection, identifier=identifier, parallel=1, timeout_s=_CARRY_OUT_S
            )
        except SalternError as error:  # once is enough: a guest that does not move is left to a person
            self.failed.append(str(error))
