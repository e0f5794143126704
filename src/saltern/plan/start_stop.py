"""Whether a domain can be started or stopped now: decided on the master, from what both nodes told."""

from collections.abc import Iterator, Mapping

from saltern.errors import Refused
from saltern.model.desired import DomainSpec
from saltern.model.operation import OperationKind, Planned
from saltern.model.survey import DiskSide, Survey
from saltern.plan import migrate


def decide_start(domain: DomainSpec, surveys: Mapping[str, Survey], *, target: str | None = None) -> Planned | None:
    """The start of a domain on ``target``, its home by default; ``None`` when it runs, and ``target`` does not say elsewhere.

    Raises ``Refused`` with every reason at once for what time will not heal.
    """
    where = target or domain.home
    if any(survey.condition is not None for survey in surveys.values()):
        found = migrate.runs_on(domain, surveys)
        if target in (None, found):
            return _forget(domain, surveys, found)
        raise Refused(
            f"domain {domain.name}", f"it runs on {found}", f"`salt-run state.orch migrate` brings it to {target}"
        )
    if where not in surveys:
        raise Refused(
            f"domain {domain.name}", f"{where} has no replica of it; {' and '.join(surveys)} have", "Name one of these"
        )
    other = next(node for node in surveys if node != where)
    reasons = list(migrate.others(*surveys.values())) + list(migrate.unfit(surveys[where], domain.memory_bytes))
    for name, side in surveys[where].sides.items():
        reasons += _disk_reasons(name, side, where, other)
    if reasons:
        raise Refused(f"domain {domain.name}", f"it cannot start on {where}: {'; '.join(reasons)}", "See to that first")
    waits_for = tuple(migrate.waits(surveys[where]))
    return Planned(kind=OperationKind.START, domain=domain.name, source=other, target=where, waits_for=waits_for)


def _forget(domain: DomainSpec, surveys: Mapping[str, Survey], node: str) -> Planned | None:
    """It runs; where it is noted as stopped all the same, nobody has started it by Saltern, and that is made good."""
    if all(survey.stopped is None for survey in surveys.values()):
        return None
    other = next(each for each in surveys if each != node)
    return Planned(kind=OperationKind.START, domain=domain.name, source=other, target=node)


def decide_stop(domain: DomainSpec, surveys: Mapping[str, Survey]) -> Planned | None:
    """The stop of a domain; ``None`` when it is stopped, and is to stay so. Raises ``Refused`` with every reason at once."""
    away = all(survey.condition is None for survey in surveys.values())
    if away and all(survey.stopped for survey in surveys.values()):
        return None
    source = domain.home if away else migrate.runs_on(domain, surveys)
    other = next(node for node in surveys if node != source)
    reasons = list(migrate.others(*surveys.values()))
    if reasons:
        raise Refused(f"domain {domain.name}", f"it cannot be stopped: {'; '.join(reasons)}", "See to that first")
    return Planned(kind=OperationKind.STOP, domain=domain.name, source=source, target=other)


def ended(surveys: Mapping[str, Survey]) -> list[str]:
    """What is not yet, or not, as it should be of a domain that was stopped; empty when all is."""
    wrong = [f"it is {each.condition} on {node}" for node, each in surveys.items() if each.condition]
    return wrong + [f"the operation is not over on {node}" for node, each in surveys.items() if each.standing]


def _disk_reasons(name: str, side: DiskSide, node: str, other: str) -> Iterator[str]:
    if side.connection == "StandAlone":
        yield f"{name} does not connect (StandAlone): the sides may have diverged"
    elif side.connection == "Connected":
        if side.partner_role != "Secondary":
            yield f"{name} is {side.partner_role} on {other}"
        if side.partner_disk in ("Diskless", "Failed"):
            yield f"{name} has no disk on {other}, which may have written it alone: what is on {node} may be older"
        if side.disk != "UpToDate" and side.synchronised_percent is None:
            yield f"{name} is {side.disk} on {node}, and no synchronisation is going on"
