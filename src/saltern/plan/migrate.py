"""Whether a domain can be moved to its partner now: decided on the master, from what both nodes told."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from saltern.errors import Refused
from saltern.model.desired import DomainSpec, NodeSlice
from saltern.model.operation import Half, Operation, OperationKind
from saltern.model.survey import DiskSide, Survey
from saltern.units import format_size


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A domain and its way; ``waits_for`` tells, in words, what time has to bring first."""

    domain: str
    source: str
    target: str
    waits_for: tuple[str, ...] = ()


def decide(domain: DomainSpec, surveys: Mapping[str, Survey], *, target: str | None = None) -> Move | None:
    """The move that brings a domain to ``target``, or away from where it runs; ``None`` when it runs there already.

    ``surveys`` are those of both its nodes. Raises ``Refused`` with every reason at once for what time will not heal.
    """
    source = _runs_on(domain, surveys)
    other = domain.partner if source == domain.home else domain.home
    if target == source:
        return None
    reasons = [] if target in (None, other) else [f"{target} has no replica of it; {other} has"]
    reasons += _reasons(domain, surveys[source], surveys[other])
    if reasons:
        raise Refused(
            f"domain {domain.name}",
            f"it cannot move from {source} to {other}: {'; '.join(reasons)}",
            "See to that first",
        )
    return Move(domain=domain.name, source=source, target=other, waits_for=tuple(_waits(surveys[source])))


def without(surveys: Mapping[str, Survey], identifier: str) -> dict[str, Survey]:
    """The same surveys, as whoever has entered that operation sees them. Raises ``Refused`` when a node has it no longer."""
    for node, each in surveys.items():
        if each.standing is None or each.standing.operation.id != identifier:
            raise Refused(
                f"node {node}",
                f"the operation {identifier} is no longer entered",
                "It was settled or released; begin anew",
            )
    return {node: replace(each, standing=None) for node, each in surveys.items()}


def halves(
    move: Move, domain: DomainSpec, share: NodeSlice, *, identifier: str, owner: str, since: str
) -> dict[str, Operation]:
    """The entries of the operation by node, target first: what is not expected there is not sent."""
    resources = tuple(disk.resource for disk in domain.disks)
    address = share.resources[resources[0]].on(move.target).address
    return {
        node: Operation(
            id=identifier,
            kind=OperationKind.MIGRATE,
            domain=domain.name,
            uuid=domain.uuid,
            half=half,
            source=move.source,
            target=move.target,
            address=address,
            resources=resources,
            owner=owner,
            since=since,
            renewed_s=0.0,
        )
        for node, half in ((move.target, Half.TARGET), (move.source, Half.SOURCE))
    }


def arrived(domain: DomainSpec, surveys: Mapping[str, Survey], target: str) -> list[str]:
    """What is not yet, or not, as it should be after a move to ``target``; empty when all is."""
    there = surveys[target]
    wrong = [] if there.condition == "running" else [f"it is {there.condition or 'not'} on {target}"]
    wrong += [
        f"it is {each.condition} on {node}" for node, each in surveys.items() if node != target and each.condition
    ]
    wrong += [f"the migration is not over on {node}" for node, each in surveys.items() if each.standing is not None]
    for name, side in there.sides.items():
        if (side.role, side.partner_role, side.connection) != ("Primary", "Secondary", "Connected"):
            wrong.append(f"{name} is {side.role}, {side.partner_role} on the other side, {side.connection}")
    return wrong


def _runs_on(domain: DomainSpec, surveys: Mapping[str, Survey]) -> str:
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
    raise Refused(f"domain {domain.name}", f"only what runs on one node can be moved; it is {found}", remedy)


def _reasons(domain: DomainSpec, source: Survey, target: Survey) -> Iterator[str]:
    for survey in (source, target):
        if survey.standing is not None:
            left = "somebody works on it" if survey.standing.alive else "it was left half-done"
            yield f"{survey.node} has the {survey.standing.operation} ({left})"
    yield from (f"{target.node}: {obstacle}" for obstacle in target.obstacles)
    if domain.memory_bytes > target.free_memory_bytes:
        yield (
            f"it needs {format_size(domain.memory_bytes)}, the hypervisor of {target.node} has "
            f"{format_size(target.free_memory_bytes)} free"
        )
    for name, side in source.sides.items():
        yield from _disk_reasons(name, side, source.node, target.node)


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


def _waits(source: Survey) -> Iterator[str]:
    for name, side in source.sides.items():
        if side.synchronised_percent is not None:
            yield f"{name} is being synchronised: {side.synchronised_percent} %"
        elif side.connection != "Connected":
            yield f"{name} is not connected ({side.connection})"
