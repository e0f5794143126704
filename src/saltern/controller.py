"""The master's side of operations: it asks the nodes, decides, has them enter what is planned, and watches them carry it out.

Nothing is kept between two steps but the id of the operations, which the nodes have. What the master does not live to see goes
on by itself, or is settled by each node alone.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from saltern.bridge import plain
from saltern.desired import part, slice_to_pillar
from saltern.errors import Refused, SalternError
from saltern.model.desired import DomainSpec, NodeSlice
from saltern.model.operation import OperationKind, Planned
from saltern.model.survey import Survey
from saltern.plan import migrate
from saltern.plan import selection as plan
from saltern.plan.selection import Selection
from saltern.secrets import masked
from saltern.survey import from_plain

_POLL_S: Final = 1.0
_RENEW_S: Final = 30.0
# When a domain is there, its disks should be in order at once, and its halves over.
_AFTERWARDS_S: Final = 60.0
# How long a process of a node takes at most until it holds its half.
_UNDER_WAY_S: Final = 20.0
# The block script looks every second whether it can close the window.
_WINDOWS_S: Final = 10.0


SILENT: Final = "the minion does not answer"


@dataclass(eq=False)
class Unanswered(SalternError):
    """Nodes that did not answer, or failed; ``trouble`` tells why, by node."""

    trouble: Mapping[str, str]

    def __str__(self) -> str:
        return "; ".join(f"{node}: {why}" for node, why in self.trouble.items())


def answers(nodes: Sequence[str], said: Mapping[str, Any]) -> dict[str, Any]:
    """What the nodes have answered, of what Salt's client returns for them (``full_return``); raises ``Unanswered``."""
    trouble = {}
    for node in nodes:
        answer = said.get(node)
        if not answer:
            trouble[node] = SILENT
        elif answer.get("retcode"):
            trouble[node] = str(answer["ret"]).removeprefix("ERROR: ")
    if trouble:
        raise Unanswered(trouble)
    return {node: said[node]["ret"] for node in nodes}


class Ask(Protocol):
    """What every one of ``nodes`` answers to a function of its execution modules; raises ``Unanswered``."""

    def __call__(self, nodes: Sequence[str], function: str, *args: object) -> Mapping[str, Any]:
        """The answers by node."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """The nodes as the master reaches them. ``tell`` is given what has happened, ``show`` how far it is (see ``Progress``)."""

    shares: Mapping[str, NodeSlice]
    ask: Ask
    tell: Callable[[str], None]
    show: Callable[[str], None]
    now: Callable[[], float]
    sleep: Callable[[float], None]


def look(fleet: Fleet, specs: Mapping[str, DomainSpec]) -> dict[str, dict[str, Survey]]:
    """What both nodes of each domain have of it, by domain and node.

    They are told what they should know of it, without secrets: what a minion keeps of its pillar is that of its last refresh.
    """
    found: dict[str, dict[str, Survey]] = {name: {} for name in specs}
    for node, domains in _by_node(specs).items():
        share = masked(slice_to_pillar(part(fleet.shares[node], domains)))
        for name, told in fleet.ask([node], "operation.look", domains, share)[node].items():
            found[name][node] = from_plain(told)
    return found


def decide(fleet: Fleet, selection: Selection) -> tuple[Planned, ...]:
    """What is to be done now; raises ``Refused`` where it cannot. Nothing is changed."""
    specs = plan.concerned(selection, fleet.shares)
    return plan.decide(selection, specs, look(fleet, specs))


def begin(fleet: Fleet, selection: Selection, *, identifier: str, owner: str, since: str) -> tuple[Planned, ...]:
    """Have the nodes enter what is to be done, so that nothing else is done with these domains: all of it, or nothing.

    What earlier operations have left half-done is settled first.
    """
    specs = plan.concerned(selection, fleet.shares)
    surveys = look(fleet, specs)
    if _settle_left(fleet, surveys):
        surveys = look(fleet, specs)
    planned = plan.decide(selection, specs, surveys)
    entries: dict[str, list[object]] = {}
    for each in planned:
        spec = specs[each.domain]
        target = fleet.shares[each.target]
        halves = plan.halves(each, spec, target, identifier=identifier, owner=owner, since=since)
        for node, entry in halves.items():
            entries.setdefault(node, []).append(plain(entry))
    try:
        for node, these in entries.items():
            fleet.ask([node], "operation.begin", these)
    except SalternError:
        # From all of them: one that has not answered may have entered it all the same.
        _withdraw(fleet, specs, identifier)
        raise
    return planned


def synchronise(fleet: Fleet, selection: Selection, *, identifier: str, timeout_s: float) -> tuple[Planned, ...]:
    """Wait until the disks of all of them are connected and UpToDate. When that takes too long, everything is taken back."""
    deadline_s, renewed_s = fleet.now() + timeout_s, fleet.now()
    try:
        while True:
            try:
                planned = _ours(fleet, selection, identifier)
                waits = "; ".join(f"{each.domain}: {', '.join(each.waits_for)}" for each in planned if each.waits_for)
                if not waits or fleet.now() - renewed_s >= _RENEW_S:
                    _renew(fleet, planned, identifier)
                    renewed_s = fleet.now()
                if not waits:
                    return planned
            except Unanswered as error:  # it is asked again
                waits = str(error)
            if fleet.now() >= deadline_s:
                raise Refused(
                    str(selection), f"after {timeout_s:g} s still: {waits}", "Nothing was done; begin again later"
                )
            fleet.show(waits)
            fleet.sleep(_POLL_S)
    except SalternError:
        _withdraw(fleet, plan.concerned(selection, fleet.shares), identifier)
        raise


def carry_out(
    fleet: Fleet, selection: Selection, *, identifier: str, parallel: int, timeout_s: float
) -> tuple[Planned, ...]:
    """Have the nodes do what they have entered, ``parallel`` domains at a time, and wait for the end of it.

    One that fails does not hold the others up; all that failed are told together at the end, by ``Refused``.
    """
    try:
        planned = _ours(fleet, selection, identifier)
    except SalternError:
        _withdraw(fleet, plan.concerned(selection, fleet.shares), identifier)
        raise
    work = _Work(fleet, identifier, planned, max(1, parallel), timeout_s)
    try:
        while work.waiting or work.going:
            work.start()
            work.watch()
            work.renew()
            if work.going:
                fleet.sleep(_POLL_S)
    finally:
        _withdraw(fleet, {each.domain: _spec(fleet, each.domain) for each in work.waiting}, identifier)
    if selection.evacuate:
        _tell_strangers(fleet, selection.evacuate)
    if selection.kind is OperationKind.MIGRATE:
        _tell_windows(fleet, [each for each in planned if each.domain in work.done])
    if work.failed:
        raise Refused(
            str(selection),
            "; ".join(work.failed),
            f"{len(work.done)} of {len(planned)} are done; see `salt-run cluster.status`",
        )
    return planned


def _tell_windows(fleet: Fleet, moved: Sequence[Planned]) -> None:
    """Tell for how long both sides of the disks could be Primary; the block script of the target measures it."""
    deadline_s = fleet.now() + _WINDOWS_S
    while moved:
        lasted: dict[str, float | None] = {}
        for node in {each.target for each in moved}:
            domains = {each.domain for each in moved if each.target == node}
            resources = [name for name, each in fleet.shares[node].resources.items() if each.domain in domains]
            try:
                lasted |= fleet.ask([node], "operation.two_primaries", resources)[node]
            except Unanswered as error:
                fleet.tell(str(error))
                return
        open_still = [name for name, seconds in lasted.items() if seconds is None]
        if not open_still or fleet.now() >= deadline_s:
            known = ", ".join(f"{name} for {seconds:.1f} s" for name, seconds in lasted.items() if seconds is not None)
            unknown = f"; not known of {', '.join(open_still)}" if open_still else ""
            fleet.tell(f"two Primaries were allowed: {known or 'no time is known'}{unknown}")
            return
        fleet.sleep(_POLL_S)


def ready(fleet: Fleet, node: str, *, timeout_s: float) -> None:
    """Wait until a node answers, and every disk of its domains is connected and UpToDate on both sides.

    Raises ``Refused`` with what is still missing when that takes too long.
    """
    specs = plan.concerned(Selection(kind=OperationKind.MIGRATE, evacuate=node), fleet.shares)
    deadline_s = fleet.now() + timeout_s
    while True:
        try:
            missing = plan.not_ready(node, look(fleet, specs))
        except Unanswered as error:
            missing = [str(error)]
        if not missing:
            return
        if fleet.now() >= deadline_s:
            raise Refused(f"node {node}", f"after {timeout_s:g} s still: {'; '.join(missing)}", "See to that first")
        fleet.show(f"{node} is not ready: {'; '.join(missing)}")
        fleet.sleep(_POLL_S)


def _tell_strangers(fleet: Fleet, node: str) -> None:
    """The domains on a node that are in no topology, or there under another UUID: nothing of ours moves them."""
    known = {spec.uuid for spec in fleet.shares[node].domains.values()}
    try:
        left = [str(each["name"] or each["uuid"]) for each in _domains(fleet, node) if each["uuid"] not in known]
    except Unanswered as error:
        fleet.tell(f"what else is on {node} is unknown: {error}")
        return
    if left:
        fleet.tell(f"left on {node}, and in no topology: {', '.join(left)}")


def require_empty(fleet: Fleet, node: str) -> None:
    """Raises ``Refused`` while any domain is on a node."""
    plan.concerned(Selection(kind=OperationKind.MIGRATE, evacuate=node), fleet.shares)
    found = [str(each["name"] or each["uuid"]) for each in _domains(fleet, node)]
    if found:
        raise Refused(f"node {node}", f"on it are {', '.join(found)}", "Move them, or shut them down")


def _domains(fleet: Fleet, node: str) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = fleet.ask([node], "xen.domains")[node]
    return found


@dataclass
class _Work:
    """What is being carried out: domains that wait, those that are on their way with the time of their start, and what became
    of the others.
    """

    fleet: Fleet
    identifier: str
    planned: tuple[Planned, ...]
    parallel: int
    timeout_s: float
    waiting: list[Planned] = field(default_factory=list)
    going: dict[str, tuple[Planned, float]] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    renewed_s: float = 0.0

    def __post_init__(self) -> None:
        self.waiting = list(self.planned)
        self.renewed_s = self.fleet.now()

    def start(self) -> None:
        """As many as may be on their way at a time."""
        while self.waiting and len(self.going) < self.parallel:
            each = self.waiting.pop(0)
            try:
                self._start(each)
            except SalternError as error:
                self._fail(each, str(error))
                # What has begun ends by itself.
                _withdraw(self.fleet, {each.domain: _spec(self.fleet, each.domain)}, self.identifier)
            else:
                self.going[each.domain] = (each, self.fleet.now())

    def _start(self, each: Planned) -> None:
        """Much may have happened since it was entered: the last look is now, and the target is at work before its source."""
        survey = self._look(each)
        plan.require_entered(each, survey, self.identifier)
        if each.kind is not OperationKind.STOP:
            start = each.kind is OperationKind.START
            waits = list(migrate.waits_to_start(survey[each.target]) if start else migrate.waits(survey[each.source]))
            if waits:
                raise Refused(each.domain, "; ".join(waits), "Begin again when that has ended")
        self.fleet.ask([each.target], "operation.carry_out", each.domain, self.identifier)
        if each.kind is OperationKind.OFFLINE:
            self._wait_until_held(each)
        self.fleet.ask([each.source], "operation.carry_out", each.domain, self.identifier)

    def _wait_until_held(self, each: Planned) -> None:
        """A domain is not shut down here before somebody waits for it over there."""
        deadline_s = self.fleet.now() + _UNDER_WAY_S
        while True:
            standing = self._look(each)[each.target].standing
            if standing is not None and standing.held:
                return
            if standing is None or self.fleet.now() >= deadline_s:
                raise Refused(
                    each.domain,
                    f"{each.target} does not begin to take it: {self._log(each) or 'it says nothing'}",
                    "Nothing was shut down",
                )
            self.fleet.sleep(_POLL_S)

    def _look(self, each: Planned) -> dict[str, Survey]:
        return look(self.fleet, {each.domain: _spec(self.fleet, each.domain)})[each.domain]

    def renew(self) -> None:
        """What waits, and the halves that wait for the other one, are alive. One missed answer is no harm: it is done again."""
        if self.fleet.now() - self.renewed_s >= _RENEW_S:
            going = [each for each, _ in self.going.values()]
            with suppress(SalternError):
                _renew(self.fleet, [*self.waiting, *going], self.identifier)
                self.renewed_s = self.fleet.now()

    def watch(self) -> None:
        """See how far they are. A node that does not answer now is asked again: what is going on there does."""
        specs = {name: _spec(self.fleet, name) for name in self.going}
        try:
            surveys = look(self.fleet, specs)
        except SalternError as error:
            self.fleet.show(str(error))
            surveys = {}
        for each, begun_s in list(self.going.values()):
            took_s = self.fleet.now() - begun_s
            if each.domain in surveys:
                self._judge(each, surveys[each.domain], took_s)
            elif took_s >= self.timeout_s:
                self._fail(each, f"its nodes do not answer after {self.timeout_s:g} s")
        if surveys:
            how_far = (plan.progress(each, specs[name], surveys[name]) for name, (each, _) in self.going.items())
            self.fleet.show("; ".join(filter(None, how_far)))

    def _judge(self, each: Planned, surveys: Mapping[str, Survey], took_s: float) -> None:
        with suppress(SalternError):  # it is tried again at the next look
            self._end_what_is_left_over(each, surveys, took_s)
        missing = plan.missing(each, surveys)
        over = all(survey.standing is None for survey in surveys.values())
        if not missing:
            del self.going[each.domain]
            self.done.append(each.domain)
            self.fleet.tell(f"{_after(each)}, {took_s:.0f} s after its {each.kind} began{self._count()}")
        elif over and (not plan.is_there(each, surveys) or took_s >= _AFTERWARDS_S):
            self._fail(each, _became(each, surveys, missing, self._log(each)))
        elif took_s >= self.timeout_s:
            self._fail(each, f"after {self.timeout_s:g} s: {'; '.join(missing)}: {self._log(each)}")

    def _end_what_is_left_over(self, each: Planned, surveys: Mapping[str, Survey], took_s: float) -> None:
        """End the half that has nothing to do, or nobody to do it, when the one that works is over or has never begun."""
        standing = {node: survey.standing for node, survey in surveys.items() if survey.standing is not None}
        held = any(each.held for each in standing.values())
        worker = plan.worker(each)
        if held or not standing or (worker in standing and took_s < _UNDER_WAY_S):
            return
        verb = "operation.finish" if plan.is_there(each, surveys) else "operation.withdraw"
        for node in standing:
            self.fleet.ask([node], verb, [each.domain], self.identifier)

    def _fail(self, each: Planned, why: str) -> None:
        self.going.pop(each.domain, None)
        self.failed.append(f"{each.domain}: {why}")
        self.fleet.tell(f"{each.domain}: {why}{self._count()}")

    def _log(self, each: Planned) -> str:
        said = []
        for node in (each.source, each.target):
            try:
                lines = str(self.fleet.ask([node], "operation.log", each.domain)[node]).strip().splitlines()
            except SalternError as error:
                lines = [str(error)]
            said += lines[-6:]
        return " / ".join(said)

    def _count(self) -> str:
        over = len(self.done) + len(self.failed)
        return f" ({over} of {len(self.planned)})" if len(self.planned) > 1 else ""


def _ours(fleet: Fleet, selection: Selection, identifier: str) -> tuple[Planned, ...]:
    """What is to be done, all of it entered under this id; raises ``Refused`` where something is not, or not any longer."""
    specs = plan.concerned(selection, fleet.shares)
    surveys = look(fleet, specs)
    planned = plan.decide(selection, specs, plan.without(surveys, identifier))
    decided = {each.domain for each in planned}
    # What has come about by itself since is carried out as well: there is nothing to do, and its entries end.
    planned += tuple(each for each in plan.entered(surveys, identifier) if each.domain not in decided)
    for each in planned:
        plan.require_entered(each, surveys[each.domain], identifier)
    return planned


def _settle_left(fleet: Fleet, surveys: Mapping[str, Mapping[str, Survey]]) -> bool:
    left = [
        (node, domain)
        for domain, sides in surveys.items()
        for node, each in sides.items()
        if each.standing is not None and not each.standing.alive
    ]
    for node, domain in left:
        fleet.ask([node], "operation.settle", domain)
    return bool(left)


def _renew(fleet: Fleet, planned: Sequence[Planned], identifier: str) -> None:
    """Entries that are over already are passed over by their nodes."""
    for node, domains in _nodes(planned).items():
        fleet.ask([node], "operation.renew", domains, identifier)


def _withdraw(fleet: Fleet, specs: Mapping[str, DomainSpec], identifier: str) -> None:
    """As far as it can be done: what stays is left two minutes later, and settled by whoever comes."""
    for node, domains in _by_node(specs).items():
        with suppress(SalternError):
            fleet.ask([node], "operation.withdraw", domains, identifier)


def _nodes(planned: Sequence[Planned]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in planned:
        for node in (each.target, each.source):
            found.setdefault(node, []).append(each.domain)
    return found


def _by_node(specs: Mapping[str, DomainSpec]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, spec in specs.items():
        for node in (spec.home, spec.partner):
            found.setdefault(node, []).append(name)
    return found


def _spec(fleet: Fleet, domain: str) -> DomainSpec:
    return next(share.domains[domain] for share in fleet.shares.values() if domain in share.domains)


def _after(each: Planned) -> str:
    if each.kind is OperationKind.STOP:
        return f"{each.domain} is stopped, and stays so"
    return f"{each.domain} runs on {each.target}"


def _became(each: Planned, surveys: Mapping[str, Survey], missing: Sequence[str], log: str) -> str:
    """Why an operation that is over has not done what it was to do."""
    running = [node for node, survey in surveys.items() if survey.condition == "running"]
    if not running:
        where = "runs nowhere now; `salt '*' state.apply` starts it at home"
    elif plan.is_there(each, surveys):
        where = "; ".join(missing)
    else:
        where = f"stays on {running[0]}"
    return f"{where}: {log or 'the tools said nothing'}"
