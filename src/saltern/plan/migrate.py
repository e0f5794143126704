"""Whether a domain can be moved to its partner now: decided on the master, from what both nodes told."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from saltern.errors import Refused
from saltern.model.desired import DomainSpec
from saltern.model.operation import Operation, OperationKind, Planned
from saltern.model.survey import DiskSide, Survey
from saltern.units import format_size

_NOTHING: Final[Mapping[str, int]] = MappingProxyType({})


def decide(
    domain: DomainSpec,
    surveys: Mapping[str, Survey],
    *,
    target: str | None = None,
    kind: OperationKind = OperationKind.MIGRATE,
    promised_bytes: Mapping[str, int] = _NOTHING,
) -> Planned | None:
    """The migration of a domain to ``target``, or away from where it runs; ``None`` when it runs there already.

    ``surveys`` are those of both its nodes, ``promised_bytes`` is the memory by node that others need who go there before it.
    Raises ``Refused`` with every reason at once for what time will not heal.
    """
    source = runs_on(domain, surveys)
    other = domain.partner if source == domain.home else domain.home
    if target == source:
        return None
    reasons = [] if target in (None, other) else [f"{target} has no replica of it; {other} has"]
    reasons += others(surveys[source], surveys[other])
    reasons += unfit(surveys[other], needed_bytes(domain, surveys[source], kind), promised_bytes.get(other, 0))
    for name, side in surveys[source].sides.items():
        reasons += _disk_reasons(name, side, source, other)
    if kind is OperationKind.MIGRATE:
        reasons += _not_while_it_runs(surveys[source])
    if reasons:
        raise Refused(
            f"domain {domain.name}",
            f"it cannot move from {source} to {target or other}: {'; '.join(reasons)}",
            "See to that first",
        )
    waits_for = tuple(waits(surveys[source]))
    return Planned(kind=kind, domain=domain.name, source=source, target=other, waits_for=waits_for)


def arrived(surveys: Mapping[str, Survey], target: str) -> list[str]:
    """What is not yet, or not, as it should be of a domain that was moved to ``target``, or started there; empty when all is."""
    there = surveys[target]
    wrong = [] if there.condition == "running" else [f"it is {there.condition or 'not'} on {target}"]
    wrong += [
        f"it is {each.condition} on {node}" for node, each in surveys.items() if node != target and each.condition
    ]
    wrong += [f"the operation is not over on {node}" for node, each in surveys.items() if each.standing is not None]
    for name, side in there.sides.items():
        if (side.role, side.partner_role, side.connection) != ("Primary", "Secondary", "Connected"):
            wrong.append(f"{name} is {side.role}, {side.partner_role} on the other side, {side.connection}")
    return wrong


def runs_on(domain: DomainSpec, surveys: Mapping[str, Survey]) -> str:
    """The node where a domain runs; raises ``Refused`` unless it is there alone, and running."""
    here = {node: each.condition for node, each in surveys.items() if each.condition is not None}
    running = [node for node, condition in here.items() if condition == "running"]
    if len(here) == len(running) == 1:
        return running[0]
    found = " and ".join(f"{condition} on {node}" for node, condition in here.items()) or "nowhere"
    remedy = (
        "`salt '*' state.apply` starts it, or tells why not"
        if not here
        else "See what that is before anything is moved"
    )
    raise Refused(f"domain {domain.name}", f"only what runs on one node can be moved or stopped; it is {found}", remedy)


def needed_bytes(domain: DomainSpec, source: Survey, kind: OperationKind) -> int:
    """The memory that a move takes on its target: what the domain has, or what it is started there with."""
    if kind is OperationKind.MIGRATE and source.memory_bytes is not None:
        return source.memory_bytes
    return domain.memory_bytes


def _not_while_it_runs(source: Survey) -> Iterator[str]:
    """Two Primaries, which a running domain needs for a moment, are for DRBD a matter of protocol C."""
    if source.against_live is not None:
        yield f"{source.node}: {source.against_live}: with `offline: True` it can move, and as `type: pvh` it could as it runs"
    for name, side in source.sides.items():
        if side.protocol != "C":
            yield f"{name} has protocol {side.protocol}, and two Primaries need C: with `offline: True` it can move"


def others(*surveys: Survey) -> Iterator[str]:
    """What else is being done with the domain."""
    for survey in surveys:
        if survey.standing is not None:
            operation, alive = survey.standing.operation, survey.standing.alive
            yield f"{survey.node} has the {operation} ({'somebody works on it' if alive else _left(operation)})"


def _left(operation: Operation) -> str:
    again = "the same `salt-run state.orch remake` again takes it up"
    settles = f"`salt-run cluster.recover {operation.domain}` settles it"
    return f"it was left half-done: {again if operation.kind is OperationKind.REMAKE else settles}"


def unfit(target: Survey, needed_bytes: int, promised_bytes: int = 0) -> Iterator[str]:
    """Why a node cannot run a domain that needs so much memory there, apart from its disks."""
    yield from (f"{target.node}: {obstacle}" for obstacle in target.obstacles)
    yield from unguarded(target)
    if needed_bytes + promised_bytes > target.free_memory_bytes:
        before = f", {format_size(promised_bytes)} of that for what goes there before it" if promised_bytes else ""
        yield (
            f"it needs {format_size(needed_bytes)}, the hypervisor of {target.node} has "
            f"{format_size(target.free_memory_bytes)} free{before}"
        )


def unguarded(target: Survey) -> Iterator[str]:
    """Why a domain would be ended there at once, or could not be known to be there alone."""
    if target.against_start is not None:
        yield f"{target.node}: {target.against_start}"


def _disk_reasons(name: str, side: DiskSide, source: str, target: str) -> Iterator[str]:
    if side.role != "Primary":
        yield f"{name} is {side.role} on {source}, where the domain runs"
    if side.connection == "StandAlone":
        yield f"{name} does not connect (StandAlone): the sides may have diverged"
    elif side.connection == "Connected" and side.synchronised_percent is None:
        for node, disk in ((source, side.disk), (target, side.partner_disk)):
            if disk != "UpToDate":
                yield f"{name} is {disk} on {node}, and no synchronisation is going on"
        if side.partner_role != "Secondary":
            yield f"{name} is {side.partner_role} on {target}"


def waits_to_start(survey: Survey) -> Iterator[str]:
    """What time has to bring before a domain starts here: connected disks, complete on this side, and a lease."""
    yield from unguarded(survey)
    for name, side in survey.sides.items():
        if side.connection != "Connected":
            yield f"{name} is not connected ({side.connection})"
        elif side.disk != "UpToDate":
            yield f"{name} is {side.disk} on {survey.node}"


def waits(survey: Survey) -> Iterator[str]:
    """What time has to bring before both sides of every disk are connected and UpToDate."""
    for name, side in survey.sides.items():
        if side.synchronised_percent is not None:
            yield f"{name} is being synchronised: {side.synchronised_percent} %"
        elif side.connection != "Connected":
            yield f"{name} is not connected ({side.connection})"
