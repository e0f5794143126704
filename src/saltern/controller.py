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
from saltern.model.operation import Operation, OperationKind, Planned, Standing
from saltern.model.survey import Survey
from saltern.plan import migrate
from saltern.plan import selection as plan
from saltern.plan.selection import Selection
from saltern.secrets import masked
from saltern.survey import from_plain

# Nodes have other work: they spend a quarter of the time on answers where these take long.
_POLL_S: Final = 1.0
_POLL_AT_MOST_S: Final = 120.0
_REST: Final = 3.0
# Most of all in a migration, which competes with every look for the processors. Its end is waited for, and not looked for.
_REST_AT_WORK: Final = 19.0
_WAIT_AT_MOST_S: Final = 60.0
# When one half has ended well the other one ends in a moment; when it has failed, the other one may have nobody to end it.
_CLOSING_S: Final = 5.0
_RENEW_S: Final = 30.0
# What could not be renewed is tried again so soon.
_RETRY_S: Final = 10.0
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


class AskEach(Protocol):
    """What nodes answer to a function of their execution modules, each given its own arguments; raises ``Unanswered``.

    All are asked at the same time: a call takes as long as the slowest node, however many there are.
    """

    def __call__(self, function: str, args: Mapping[str, Sequence[object]]) -> Mapping[str, Any]:
        """The answers by node, to the arguments by node."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """The nodes as the master reaches them. ``tell`` is given what has happened, ``show`` how far it is (see ``Progress``)."""

    shares: Mapping[str, NodeSlice]
    ask_each: AskEach
    tell: Callable[[str], None]
    show: Callable[[str], None]
    now: Callable[[], float]
    sleep: Callable[[float], None]

    def ask(self, nodes: Sequence[str], function: str, *args: object) -> Mapping[str, Any]:
        """What several nodes answer to the same arguments; raises ``Unanswered``."""
        return self.ask_each(function, dict.fromkeys(nodes, args))


def look(
    fleet: Fleet, specs: Mapping[str, DomainSpec], *, preparing: str | None = None
) -> dict[str, dict[str, Survey]]:
    """What both nodes of each domain have of it, by domain and node.

    They are told what they should know of it, without secrets: what a minion keeps of its pillar is that of its last refresh.
    Whoever looks while ``preparing`` the operations of that id says by it that they are: these are renewed.
    """
    found: dict[str, dict[str, Survey]] = {name: {} for name in specs}
    asked: dict[str, list[object]] = {
        node: [domains, masked(slice_to_pillar(part(fleet.shares[node], domains)))]
        for node, domains in _by_node(specs).items()
    }
    if preparing is not None:
        asked = {node: [*these, preparing] for node, these in asked.items()}
    for node, domains in fleet.ask_each("operation.look", asked).items():
        for name, told in domains.items():
            found[name][node] = from_plain(told)
    return found


def decide(fleet: Fleet, selection: Selection) -> tuple[Planned, ...]:
    """What is to be done now; raises ``Refused`` where it cannot. Nothing is changed."""
    specs = plan.concerned(selection, fleet.shares)
    surveys = look(fleet, specs)
    return plan.decide(plan.repeated(selection, surveys), specs, surveys)


def destination(fleet: Fleet, selection: Selection) -> str | None:
    """The node where one domain is to move: the named one, or that of a migration of which an entry is still there.

    ``None`` without either: it then moves away from where it runs.
    """
    return plan.repeated(selection, look(fleet, plan.concerned(selection, fleet.shares))).target


def foresee(fleet: Fleet, selection: Selection) -> tuple[Planned, ...]:
    """The same as ``decide``; it is told as well, with all that ``begin`` would tell of it."""
    specs = plan.concerned(selection, fleet.shares)
    surveys = look(fleet, specs)
    selection = plan.repeated(selection, surveys)
    planned = plan.decide(selection, specs, surveys)
    _tell_planned(fleet, selection, planned, surveys)
    for each in planned:
        fleet.tell(f"would be done: {each}")
    return planned


def begin(fleet: Fleet, selection: Selection, *, identifier: str, owner: str, since: str) -> tuple[Planned, ...]:
    """Have the nodes enter what is to be done, so that nothing else is done with these domains: all of it, or nothing.

    What earlier operations have left half-done is settled first. A migration that is still entered and begun anew without a
    target has that of the entry. Where nothing is to be done, it is told why.
    """
    specs = plan.concerned(selection, fleet.shares)
    surveys = look(fleet, specs)
    selection = plan.repeated(selection, surveys)
    ended = _settle_left(fleet, surveys)
    if ended:
        surveys = look(fleet, specs)
    planned = plan.decide(selection, specs, surveys)
    _tell_planned(fleet, selection, planned, surveys, ended)
    entries: dict[str, list[object]] = {}
    for each in planned:
        spec = specs[each.domain]
        target = fleet.shares[each.target]
        stays = plan.is_placing(selection)
        halves = plan.halves(each, spec, target, identifier=identifier, owner=owner, since=since, stays=stays)
        for node, entry in halves.items():
            entries.setdefault(node, []).append(plain(entry))
    try:
        fleet.ask_each("operation.begin", {node: [these] for node, these in entries.items()})
    except SalternError:
        # From all of them: one that has not answered may have entered it all the same.
        withdraw(fleet, specs, identifier)
        raise
    return planned


def _tell_planned(
    fleet: Fleet,
    selection: Selection,
    planned: Sequence[Planned],
    surveys: plan.Surveys,
    ended: Sequence[Operation] = (),
) -> None:
    """Why nothing is to be done, and what speaks against the nodes where something goes, without being in its way."""
    if not planned:
        fleet.tell(plan.in_place(selection, ended))
    for line in plan.maintained(selection, planned, surveys):
        fleet.tell(line)


def synchronise(fleet: Fleet, selection: Selection, *, identifier: str, timeout_s: float) -> tuple[Planned, ...]:
    """Wait until the disks of all of them are connected and UpToDate. When that takes too long, everything is taken back."""
    deadline_s = fleet.now() + timeout_s
    try:
        while True:
            asked_s = fleet.now()
            try:
                planned, _ = _ours(fleet, selection, identifier)
                waits = "; ".join(f"{each.domain}: {', '.join(each.waits_for)}" for each in planned if each.waits_for)
                if not waits:
                    return planned
            except Unanswered as error:  # it is asked again
                waits = str(error)
            if fleet.now() >= deadline_s:
                raise Refused(
                    str(selection), f"after {timeout_s:g} s still: {waits}", "Nothing was done; begin again later"
                )
            fleet.show(f"waits, {timeout_s:g} s at most: {waits}")
            _rest(fleet, asked_s, at_most_s=_RENEW_S)
    except SalternError:
        withdraw(fleet, plan.concerned(selection, fleet.shares), identifier)
        raise


def carry_out(
    fleet: Fleet, selection: Selection, *, identifier: str, parallel: int, timeout_s: float, mark: str = "evacuated"
) -> tuple[Planned, ...]:
    """Have the nodes do what they have entered, ``parallel`` domains at a time, and wait for the end of it.

    One that fails does not hold the others up; all that failed are told together at the end, by ``Refused``. A node that is
    evacuated gets the mark of maintenance, with the text ``mark``, before anything moves; one that its domains come home to
    loses it.
    """
    try:
        if selection.evacuate or selection.home:
            _ours(fleet, selection, identifier)  # nobody is marked for what is not entered any more
            _mark(fleet, selection, mark)
        asked_s = fleet.now()
        planned, surveys = _ours(fleet, selection, identifier)
        took_s = fleet.now() - asked_s
    except SalternError:
        withdraw(fleet, plan.concerned(selection, fleet.shares), identifier)
        raise
    work = _Work(fleet, identifier, planned, parallel, timeout_s, seen=surveys, look_s=took_s, renewed_s=asked_s)
    try:
        while work.waiting or work.going:
            work.start()
            if work.going:
                work.rest()
                work.watch()
            work.renew()
    finally:
        withdraw(fleet, {each.domain: plan.spec_of(each.domain, fleet.shares) for each in work.waiting}, identifier)
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


def _mark(fleet: Fleet, selection: Selection, text: str) -> None:
    """Put a node that is evacuated into maintenance, and end that of those that their domains come home to.

    The node itself has to take it, its partners are told as far as they answer: any one that has the mark keeps the domains from
    returning by themselves, so that one too many is no harm. All are told at once, but for who has several partners.
    """
    if selection.evacuate:
        function, nodes, more = "operation.begin_maintenance", [selection.evacuate], [text]
    else:
        function, more = "operation.end_maintenance", []
        nodes = list(fleet.shares) if selection.home == "*" else [str(selection.home)]
    fleet.ask_each(function, {node: [node, *more] for node in nodes})
    left = [(partner, node) for node in nodes for partner in _partners(fleet, node)]
    while left:
        told = dict(reversed(left))  # the first one of each partner
        left = [each for each in left if told[each[0]] != each[1]]
        try:
            fleet.ask_each(function, {partner: [node, *more] for partner, node in told.items()})
        except Unanswered as error:
            for partner, why in error.trouble.items():
                fleet.tell(f"{partner} could not be told about the maintenance of {told[partner]}: {why}")


def _partners(fleet: Fleet, node: str) -> list[str]:
    return sorted(
        {other for spec in fleet.shares[node].domains.values() for other in (spec.home, spec.partner)} - {node}
    )


def _tell_windows(fleet: Fleet, moved: Sequence[Planned]) -> None:
    """Tell for how long both sides of the disks could be Primary; the block script of the target measures it."""
    deadline_s = fleet.now() + _WINDOWS_S
    while moved:
        lasted: dict[str, float | None] = {}
        try:
            for found in fleet.ask_each("operation.two_primaries", _arrived_at(fleet, moved)).values():
                lasted |= found
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


def _arrived_at(fleet: Fleet, moved: Sequence[Planned]) -> dict[str, Sequence[object]]:
    """The resources of what was moved, by the node where it is now, as arguments."""
    found: dict[str, Sequence[object]] = {}
    for node in {each.target for each in moved}:
        domains = {each.domain for each in moved if each.target == node}
        found[node] = [[name for name, each in fleet.shares[node].resources.items() if each.domain in domains]]
    return found


def ready(fleet: Fleet, node: str, *, timeout_s: float) -> None:
    """Wait until a node answers, and every disk of its domains is connected and UpToDate on both sides.

    Raises ``Refused`` with what is still missing when that takes too long.
    """
    specs = plan.concerned(Selection(kind=OperationKind.MIGRATE, evacuate=node), fleet.shares)
    deadline_s = fleet.now() + timeout_s
    while True:
        asked_s = fleet.now()
        try:
            missing = plan.not_ready(node, look(fleet, specs))
        except Unanswered as error:
            missing = [str(error)]
        if not missing:
            return
        if fleet.now() >= deadline_s:
            raise Refused(f"node {node}", f"after {timeout_s:g} s still: {'; '.join(missing)}", "See to that first")
        fleet.show(f"{node} is not ready: {'; '.join(missing)}")
        _rest(fleet, asked_s)


def _rest(fleet: Fleet, asked_s: float, at_most_s: float = _POLL_AT_MOST_S) -> None:
    """Leave the nodes alone for a while, after answers to what was asked at ``asked_s``."""
    fleet.sleep(min(at_most_s, max(_POLL_S, _REST * (fleet.now() - asked_s))))


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


def require_partners(fleet: Fleet, node: str) -> None:
    """Raises ``Refused`` while a node that the domains of another one would go to is in maintenance."""
    specs = plan.concerned(Selection(kind=OperationKind.MIGRATE, evacuate=node), fleet.shares)
    seen = [survey.maintenance for sides in look(fleet, specs).values() for survey in sides.values()]
    notes = {other: note for each in seen for other, note in each.items() if other != node}
    if notes:
        raise Refused(
            f"node {node}",
            "; ".join(f"its partner {other} is in maintenance, {note}" for other, note in sorted(notes.items())),
            "Where nobody is at work there any more, its domains come home with "
            f"`salt-run state.orch return pillar='{{node: {min(notes)}}}'`, which ends that",
        )


def _domains(fleet: Fleet, node: str) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = fleet.ask([node], "xen.domains")[node]
    return found


@dataclass
class _Work:
    """What is being carried out: domains that wait, those that are on their way with the time of their start, and what became
    of the others. ``seen`` is what has just been seen: those that start at once need no second look. ``look_s`` is how long the
    last look took, ``renewed_s`` when what waits was renewed last.
    """

    fleet: Fleet
    identifier: str
    planned: tuple[Planned, ...]
    parallel: int
    timeout_s: float
    seen: Mapping[str, Mapping[str, Survey]]
    look_s: float
    renewed_s: float
    waiting: list[Planned] = field(default_factory=list)
    going: dict[str, tuple[Planned, float]] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)  # both halves have a process
    entered: set[tuple[str, str]] = field(default_factory=set)  # a domain, and a node that has its half of it still
    done: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.waiting = list(self.planned)

    def start(self) -> None:
        """As many as may be on their way at a time."""
        while self.waiting and len(self.going) < self.parallel:
            each = self.waiting.pop(0)
            try:
                self._start(each)
            except SalternError as error:
                self._fail(each, str(error))
                self._take_back(each)
            else:
                self.going[each.domain] = (each, self.fleet.now())
                self.entered |= {(each.domain, node) for node in (each.source, each.target)}
            self.renew()
        self.seen = {}

    def _start(self, each: Planned) -> None:
        """Much may have happened since it was entered: the last look is now, and the target is at work before its source."""
        just_seen = self.seen if self.fleet.now() - self.renewed_s < _RENEW_S else {}
        survey = just_seen.get(each.domain) or self._look(each, preparing=self.identifier)
        plan.require_entered(each, survey, self.identifier)
        if each.kind is not OperationKind.STOP:
            target = survey[each.target]
            start = each.kind is OperationKind.START
            moves = (*migrate.waits(survey[each.source]), *migrate.unguarded(target))
            waits = list(migrate.waits_to_start(target) if start else moves)
            if waits:
                raise Refused(each.domain, "; ".join(waits), "Begin again when that has ended")
        for node in plan.workers(each):
            self.fleet.ask([node], "operation.carry_out", each.domain, self.identifier)
            if each.kind is OperationKind.OFFLINE and node == each.target:
                self._wait_until_held(each)

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

    def _look(self, each: Planned, preparing: str | None = None) -> dict[str, Survey]:
        specs = {each.domain: plan.spec_of(each.domain, self.fleet.shares)}
        return look(self.fleet, specs, preparing=preparing)[each.domain]

    def rest(self) -> None:
        """Leave the nodes alone for a while; but no longer than until the first of what they work on is over."""
        left_s = _RENEW_S - (self.fleet.now() - self.renewed_s) if self.to_renew else _WAIT_AT_MOST_S
        at_most_s = max(_RETRY_S, left_s)
        awaited = self._awaited()
        if not awaited:
            _rest(self.fleet, self.fleet.now() - self.look_s, at_most_s=at_most_s)
            return
        most_s = min(at_most_s, max(_POLL_S, _REST_AT_WORK * self.look_s))
        over = self._wait(awaited, most_s)
        if over:
            self._wait(self._closing(awaited, over), _CLOSING_S)

    def _wait(self, awaited: Mapping[str, Sequence[str]], at_most_s: float) -> list[str]:
        """The nodes where the first of these domains is over; where one does not answer it takes no less time."""
        until_s = self.fleet.now() + at_most_s
        asked = {node: [domains, self.identifier, at_most_s] for node, domains in awaited.items()}
        try:
            return [node for node, over in self.fleet.ask_each("operation.wait", asked).items() if over]
        except Unanswered as error:
            self.fleet.show(str(error))
            self.fleet.sleep(max(0.0, until_s - self.fleet.now()))
            return []

    def _closing(self, awaited: Mapping[str, Sequence[str]], over: Sequence[str]) -> dict[str, list[str]]:
        """The other halves of what may be over there, by node: they end in a moment, and one look then sees the whole."""
        found: dict[str, list[str]] = {}
        for each, _ in self.going.values():
            if any(each.domain in awaited[node] for node in over):
                for node in plan.enders(each):
                    if node not in over and (each.domain, node) in self.entered:
                        found.setdefault(node, []).append(each.domain)
        return found

    def _awaited(self) -> dict[str, list[str]]:
        """The domains whose end is to be waited for, by node: one half of each, for all nodes answer when the slowest one does.

        Nothing where nothing is known to be entered: a wait for what is over already would be none. Where a half is over the
        other one ends in a moment, so that nothing else is waited for.
        """
        working: dict[str, list[str]] = {}
        closing: dict[str, list[str]] = {}
        for each, _ in self.going.values():
            for node in [node for node in plan.enders(each) if (each.domain, node) in self.entered][:1]:
                at = working if node == plan.worker(each) else closing
                at.setdefault(node, []).append(each.domain)
        return closing or working

    def renew(self) -> None:
        """What waits, and the halves that wait for the other one, are alive. One missed answer is no harm: it is done again."""
        if self.to_renew and self.fleet.now() - self.renewed_s >= _RENEW_S:
            asked_s = self.fleet.now()
            with suppress(SalternError):
                _renew(self.fleet, self.to_renew, self.identifier)
                self.renewed_s = asked_s

    @property
    def to_renew(self) -> list[Planned]:
        """Those of which a half has no process yet, which would be a sign of life by itself."""
        return [*self.waiting, *(each for each, _ in self.going.values() if each.domain not in self.held)]

    def watch(self) -> None:
        """See how far they are. A node that does not answer now is asked again: what is going on there does."""
        specs = {name: plan.spec_of(name, self.fleet.shares) for name in self.going}
        asked_s = self.fleet.now()  # what they answer is no older than that
        try:
            surveys = look(self.fleet, specs)
        except SalternError as error:
            self.fleet.show(str(error))
            surveys = {}
        self.look_s = self.fleet.now() - asked_s
        self.held = {name for name, sides in surveys.items() if _are_held(sides)}
        self.entered = {
            (name, node) for name, sides in surveys.items() for node, survey in sides.items() if self._is_ours(survey)
        }
        for each, begun_s in list(self.going.values()):
            took_s = asked_s - begun_s
            if each.domain in surveys:
                self._judge(each, surveys[each.domain], took_s)
            elif took_s >= self.timeout_s:
                self._fail(each, f"its nodes do not answer after {self.timeout_s:g} s")
        if surveys:
            how_far = (plan.progress(each, specs[name], surveys[name]) for name, (each, _) in self.going.items())
            self.fleet.show("; ".join(filter(None, how_far)))

    def _is_ours(self, survey: Survey) -> bool:
        return survey.standing is not None and survey.standing.operation.id == self.identifier

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
        if plan.stays_up(each, surveys, begun=took_s >= _UNDER_WAY_S):
            for node in standing:
                self.fleet.ask([node], "operation.give_up", [each.domain], self.identifier)
            return
        held = any(each.held for each in standing.values())
        worker = plan.worker(each)
        if held or not standing or (worker in standing and took_s < _UNDER_WAY_S):
            return
        if plan.is_there(each, surveys):
            self.fleet.ask(list(standing), "operation.finish", [each.domain], self.identifier)
        else:
            self._take_back(each)

    def _take_back(self, each: Planned) -> None:
        """Take back what nobody has begun. What has begun ends by itself, and so long the other node has to know of it.

        The one that was, or would be, asked last is the one that does it: it may be slow, and begin in this moment.
        """
        *_, last = plan.workers(each)
        others = [node for node in (each.target, each.source) if node != last]
        with suppress(SalternError):
            stays = self.fleet.ask([last], "operation.withdraw", [each.domain], self.identifier)[last]
            if not stays:
                self.fleet.ask(others, "operation.give_up", [each.domain], self.identifier)

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


def _ours(
    fleet: Fleet, selection: Selection, identifier: str
) -> tuple[tuple[Planned, ...], dict[str, dict[str, Survey]]]:
    """What is to be done, all of it entered under this id and renewed, and what was seen; raises ``Refused`` where something is
    not entered, or not any longer.
    """
    specs = plan.concerned(selection, fleet.shares)
    surveys = look(fleet, specs, preparing=identifier)
    planned = plan.decide(selection, specs, plan.without(surveys, identifier))
    decided = {each.domain for each in planned}
    # What has come about by itself since is carried out as well: there is nothing to do, and its entries end.
    planned += tuple(each for each in plan.entered(surveys, identifier) if each.domain not in decided)
    for each in planned:
        plan.require_entered(each, surveys[each.domain], identifier)
    return planned, surveys


def _settle_left(fleet: Fleet, surveys: Mapping[str, Mapping[str, Survey]]) -> list[Operation]:
    """End what was left half-done, and the entries of what is done; returns the operations that had them."""
    ended = []
    for sides in surveys.values():
        for node, each in sides.items():
            standing = each.standing
            if standing is not None and (not standing.alive or plan.is_done(standing.operation, sides)):
                _end(fleet, node, standing, sides)
                ended.append(standing.operation)
    return ended


def _end(fleet: Fleet, node: str, standing: Standing, sides: Mapping[str, Survey]) -> None:
    operation = standing.operation
    verb = "operation.finish" if standing.alive else _seen_over(node, operation, sides)
    if verb is None:
        fleet.ask([node], "operation.settle", operation.domain)
    else:
        fleet.ask([node], verb, [operation.domain], operation.id)


def _seen_over(node: str, operation: Operation, sides: Mapping[str, Survey]) -> str | None:
    """What ends the half of a node that has nothing to do, where nobody is at the other one: that node alone could not know.

    ``None`` where it is settled as any other: also a domain that was to be stopped, and is not where it was.
    """
    worker = {OperationKind.STOP: operation.source, OperationKind.START: operation.target}.get(operation.kind, node)
    side = sides.get(worker)
    if worker == node or side is None or (side.standing is not None and side.standing.alive):
        return None
    if operation.kind is OperationKind.START:
        return {"running": "operation.finish", None: "operation.withdraw"}.get(side.condition)
    return None if side.condition is None else "operation.withdraw"


def _renew(fleet: Fleet, planned: Sequence[Planned], identifier: str) -> None:
    """Entries that are over already are passed over by their nodes."""
    fleet.ask_each("operation.renew", {node: [domains, identifier] for node, domains in _nodes(planned).items()})


def withdraw(fleet: Fleet, specs: Mapping[str, DomainSpec], identifier: str) -> None:
    """Take back what was entered and not begun, on all their nodes, as far as it can be done.

    What stays is left two minutes later, and settled by whoever comes.
    """
    with suppress(SalternError):
        fleet.ask_each("operation.withdraw", {node: [domains, identifier] for node, domains in _by_node(specs).items()})


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


def _are_held(sides: Mapping[str, Survey]) -> bool:
    return all(each.standing is None or each.standing.held for each in sides.values())


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
