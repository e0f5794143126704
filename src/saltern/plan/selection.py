"""What the master is asked to do, with which domains, and whether it can be done with all of them together."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from saltern.errors import Refused
from saltern.model.desired import DomainSpec, NodeSlice
from saltern.model.operation import Half, Operation, OperationKind, Planned
from saltern.model.survey import Survey
from saltern.plan import migrate, start_stop

Specs = Mapping[str, DomainSpec]  # by name, in the order in which domains start
Surveys = Mapping[str, Mapping[str, Survey]]  # by domain, then by node
_MOVES: Final = (OperationKind.MIGRATE, OperationKind.OFFLINE)
_NAMES: Final = ("domain", "target", "evacuate", "home")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """One domain, or all that run on the node ``evacuate``, or all that are away from the node ``home`` (``*``: any node).

    ``target`` is where one domain goes, or is started.
    """

    kind: OperationKind
    domain: str | None = None
    target: str | None = None
    evacuate: str | None = None
    home: str | None = None

    def __post_init__(self) -> None:
        moves = self.kind in _MOVES
        if self.kind is OperationKind.REMAKE:
            raise Refused("operation remake", "it is no single operation", "Use `salt-run state.orch remake`")
        given = {key: value for key in _NAMES if (value := getattr(self, key)) is not None}
        for key, value in given.items():
            if not isinstance(value, str) or not value:
                raise Refused(f"operation {self.kind}", f"{key} is {value!r}", "Give it a name, or leave it out")
        one = len(given.keys() - {"target"}) == 1
        if not one or (self.domain is None and (self.target is not None or not moves)):
            told = ", ".join(f"{key} {value}" for key, value in given.items())
            raise Refused(
                f"operation {self.kind}",
                f"it was asked for with {told or 'nothing'}",
                "Name `domain` (with or without `target`); or, to move several, `evacuate` or `home`, with a node",
            )

    def __str__(self) -> str:
        if self.domain is not None:
            return f"domain {self.domain}"
        return f"what runs on {self.evacuate}" if self.evacuate else f"what belongs to {self.home}"


def is_placing(selection: Selection) -> bool:
    """Whether a person has named the domain, and with it the node where it goes: that is where it is wanted."""
    moves = selection.kind in _MOVES
    starts_there = selection.kind is OperationKind.START and selection.target is not None
    return selection.domain is not None and (moves or starts_there)


def repeated(selection: Selection, surveys: Surveys) -> Selection:
    """The same with the target of the migration whose entry is still there, where one domain is to move and no node is named.

    Whoever repeats an interrupted command gets its end, and not the way back. Raises ``Refused`` where two entries lead to
    different nodes.
    """
    if selection.domain is None or selection.target is not None or selection.kind not in _MOVES:
        return selection
    standings = [each.standing for each in surveys[selection.domain].values() if each.standing is not None]
    targets = {each.operation.target for each in standings if each.operation.kind in _MOVES}
    if len(targets) > 1:
        found = ", ".join(str(each.operation) for each in standings)
        raise Refused(f"domain {selection.domain}", f"its nodes have the {found}", "Name the `target`")
    return replace(selection, target=next(iter(targets), None))


def is_done(operation: Operation, sides: Mapping[str, Survey]) -> bool:
    """Whether a migration was carried out and nobody is at it: what is left is the entry of a node with nothing more to do."""
    if operation.kind not in _MOVES or not operation.taken or not {operation.source, operation.target} <= sides.keys():
        return False
    moved = sides[operation.target].condition == "running" and sides[operation.source].condition is None
    held = any(each.standing is not None and each.standing.held for each in sides.values())
    return moved and not held and sides[worker(operation)].standing is None


def in_place(selection: Selection, ended: Iterable[Operation] = ()) -> str:
    """Why nothing is to be done, in words; ``ended`` are the earlier operations that were just settled."""
    for each in ended:
        if each.kind in _MOVES and (each.domain, each.target) == (selection.domain, selection.target):
            return f"{each.domain} runs on {each.target}: the {each}, is done"
    if selection.evacuate is not None:
        return f"nothing is to be done: no domain of the topology is on {selection.evacuate}"
    if selection.domain is None:
        return "nothing is to be done: everything is in its place"
    if selection.kind is OperationKind.STOP:
        return f"{selection.domain} is stopped already, and stays so"
    where = f" on {selection.target}" if selection.target else ""
    return f"{selection.domain} runs{where} already"


def concerned(selection: Selection, shares: Mapping[str, NodeSlice]) -> dict[str, DomainSpec]:
    """The domains to look at, in start order; raises ``Refused`` for a domain, or a node, that the topology does not have."""
    if selection.domain is not None:
        return {selection.domain: spec_of(selection.domain, shares)}
    if selection.home == "*":
        return _every(shares)
    node = selection.evacuate or selection.home or ""
    if node not in shares:
        raise Refused(f"node {node}", "the topology has no such node", f"It has {', '.join(sorted(shares))}")
    found = shares[node].domains
    return {name: spec for name, spec in found.items() if selection.evacuate or spec.home == node}


def spec_of(domain: str, shares: Mapping[str, NodeSlice]) -> DomainSpec:
    """One domain of the topology; raises ``Refused`` for one that it does not have."""
    specs = _every(shares)
    if domain not in specs:
        names = ", ".join(sorted(specs)) or "none"
        raise Refused(f"domain {domain}", "the topology has no such domain", f"It has {names}")
    return specs[domain]


def _every(shares: Mapping[str, NodeSlice]) -> dict[str, DomainSpec]:
    return {name: spec for share in shares.values() for name, spec in share.domains.items()}


def decide(selection: Selection, specs: Specs, surveys: Surveys) -> tuple[Planned, ...]:
    """What to do, in start order; nothing for what is in its place. Raises ``Refused`` with everything against any of it.

    Each move leaves its target less memory for those after it. ``specs`` and ``surveys`` are of those concerned.
    """
    planned: list[Planned] = []
    against: list[Refused] = []
    promised_bytes: dict[str, int] = {}
    for name, spec in specs.items():
        if not _selected(selection, spec, surveys[name]):
            continue
        try:
            found = _decide_one(selection, spec, surveys[name], promised_bytes)
        except Refused as refused:
            against.append(refused)
            continue
        if found is not None:
            planned.append(found)
            needed_bytes = migrate.needed_bytes(spec, surveys[name][found.source], selection.kind)
            promised_bytes[found.target] = promised_bytes.get(found.target, 0) + needed_bytes
    if against:
        raise _refusal(selection, against)
    return tuple(planned)


def without(surveys: Surveys, identifier: str) -> dict[str, dict[str, Survey]]:
    """The same surveys, as whoever has entered the operations of that id sees them."""
    return {
        domain: {node: _without(each, identifier) for node, each in sides.items()} for domain, sides in surveys.items()
    }


def entered(surveys: Surveys, identifier: str) -> tuple[Planned, ...]:
    """The operations of that id, as their source has them."""
    found = [
        each.standing.operation
        for sides in surveys.values()
        for node, each in sides.items()
        if each.standing is not None and each.standing.operation.half is Half.SOURCE
    ]
    return tuple(
        Planned(kind=each.kind, domain=each.domain, source=each.source, target=each.target)
        for each in found
        if each.id == identifier
    )


def require_entered(planned: Planned, surveys: Mapping[str, Survey], identifier: str) -> None:
    """Raises ``Refused`` unless both nodes have the operation of that id, of the same kind and for the same way, not left yet."""
    wanted = (identifier, planned.kind, planned.source, planned.target)
    for node, each in surveys.items():
        found = each.standing.operation if each.standing is not None and each.standing.alive else None
        if found is None or (found.id, found.kind, found.source, found.target) != wanted:
            raise Refused(
                f"node {node}",
                f"the {planned.kind} of {planned.domain} is not entered, or no longer",
                "It was settled or released, or waited too long, or the domain came here meanwhile; begin anew",
            )


def halves(
    planned: Planned,
    spec: DomainSpec,
    target: NodeSlice,
    *,
    identifier: str,
    owner: str,
    since: str,
    stays: bool = False,
) -> dict[str, Operation]:
    """The entries of an operation by node, target first: what is not expected there is not sent.

    ``stays`` says that somebody wants the domain where it goes.
    """
    resources = tuple(disk.resource for disk in spec.disks)
    return {
        node: Operation(
            id=identifier,
            kind=planned.kind,
            domain=spec.name,
            uuid=spec.uuid,
            half=half,
            source=planned.source,
            target=planned.target,
            address=target.migration_address,
            resources=resources,
            owner=owner,
            since=since,
            renewed_s=0.0,
            taken=False,
            stays=stays and planned.target != spec.home,
        )
        for node, half in ((planned.target, Half.TARGET), (planned.source, Half.SOURCE))
    }


def maintained(selection: Selection, planned: Iterable[Planned], surveys: Surveys) -> Iterator[str]:
    """The targets that are in maintenance, in words: whoever has begun that may be about to take their power away.

    A node that its domains come home to is in maintenance no longer.
    """
    targets = {} if selection.home else {each.target: surveys[each.domain] for each in planned}
    for node, sides in targets.items():
        note = next((each.maintenance[node] for each in sides.values() if node in each.maintenance), None)
        if note is not None:
            yield f"{node} is in maintenance, {note}: what goes there now may go down with it"


def missing(planned: Planned, surveys: Mapping[str, Survey]) -> list[str]:
    """What is not yet, or not, as it should be after it, in words; empty when all is."""
    if planned.kind is OperationKind.STOP:
        return start_stop.ended(surveys)
    return migrate.arrived(surveys, planned.target)


def worker(operation: Planned | Operation) -> str:
    """The node whose half ends the operation: the other one then has nothing more to do."""
    return operation.source if operation.kind in (OperationKind.MIGRATE, OperationKind.STOP) else operation.target


def workers(planned: Planned) -> tuple[str, ...]:
    """The nodes whose half somebody has to begin, in that order; the half of another one is woken, or has nothing to do.

    What is to stay stopped is known on both nodes before it is shut down, and what is no longer to before it is started.
    """
    match planned.kind:
        case OperationKind.MIGRATE:
            return (planned.source,)
        case OperationKind.START:
            return (planned.source, planned.target)
        case _:
            return (planned.target, planned.source)


def enders(planned: Planned) -> tuple[str, ...]:
    """The nodes where a process ends its half by itself; what has nothing to do is ended when the other one is done."""
    both = planned.kind is OperationKind.MIGRATE
    return (planned.source, planned.target) if both else (worker(planned),)


def is_there(planned: Planned, surveys: Mapping[str, Survey]) -> bool:
    """Whether the domain is where it was to be, whatever else is missing."""
    if planned.kind is OperationKind.STOP:
        return all(each.condition is None for each in surveys.values())
    return surveys[planned.target].condition == "running"


def stays_up(planned: Planned, surveys: Mapping[str, Survey], *, begun: bool) -> bool:
    """Whether nobody shuts a domain down that the target waits for: the source has given up, or has not ``begun`` in its time."""
    source = surveys[planned.source]
    idle = source.standing is None or (begun and not source.standing.held)
    return planned.kind is OperationKind.OFFLINE and idle and source.condition is not None


def not_ready(node: str, surveys: Surveys) -> list[str]:
    """What a node still needs before domains can go there: their disks, and a lease."""
    found = []
    for domain, sides in surveys.items():
        found += [f"{domain}: {each}" for each in (*migrate.waits(sides[node]), *migrate.unguarded(sides[node]))]
        for name, side in sides[node].sides.items():
            if side.connection == "Connected" and side.synchronised_percent is None:
                disks = (f"{name} is {word}" for word in {side.disk, side.partner_disk} if word != "UpToDate")
                found += [f"{domain}: {each}" for each in disks]
    return found


def progress(planned: Planned, spec: DomainSpec, surveys: Mapping[str, Survey]) -> str:
    """How far it is, in words."""
    source, target = surveys[planned.source], surveys[planned.target]
    if planned.kind is OperationKind.MIGRATE:
        if target.condition == "incoming":
            percent = min(100, 100 * (target.memory_bytes or 0) // spec.memory_bytes)
            return f"{spec.name}: {percent} % of its memory is on {target.node}"
        return f"{spec.name}: not yet on {target.node}" if target.condition is None else ""
    if source.condition is not None:
        return f"{spec.name}: shutting down on {source.node}"
    return f"{spec.name}: starting on {target.node}" if planned.kind is not OperationKind.STOP else ""


def _decide_one(
    selection: Selection, spec: DomainSpec, surveys: Mapping[str, Survey], promised_bytes: Mapping[str, int]
) -> Planned | None:
    match selection.kind:
        case OperationKind.START:
            return start_stop.decide_start(spec, surveys, target=selection.target)
        case OperationKind.STOP:
            return start_stop.decide_stop(spec, surveys)
        case kind:
            target = spec.home if selection.home else selection.target
            return migrate.decide(spec, surveys, target=target, kind=kind, promised_bytes=promised_bytes)


def _without(survey: Survey, identifier: str) -> Survey:
    ours = survey.standing is not None and survey.standing.operation.id == identifier
    return replace(survey, standing=None) if ours else survey


def _selected(selection: Selection, spec: DomainSpec, surveys: Mapping[str, Survey]) -> bool:
    """Of a node that is evacuated, what is there in whatever condition: what cannot be moved has to be told."""
    if selection.evacuate:
        return surveys[selection.evacuate].condition is not None
    if selection.home:
        return surveys[spec.partner].condition is not None
    return True


def _refusal(selection: Selection, against: list[Refused]) -> Refused:
    if selection.domain is not None:
        return against[0]
    return Refused(
        str(selection),
        f"{_counted(against)} would be left: " + "; ".join(_told(against)),
        "See to that first, or move the others one by one; nothing was moved",
    )


def _counted(against: list[Refused]) -> str:
    return "one domain" if len(against) == 1 else f"{len(against)} domains"


def _told(against: list[Refused]) -> Iterator[str]:
    return (f"{refused.subject}: {refused.reason}" for refused in against)
