"""A remake as text for people, and as plain data for programs."""

from collections.abc import Iterator
from typing import Any

from saltern.desired import domain_to_pillar, resource_to_pillar
from saltern.model.desired import Volume
from saltern.model.remake import Kind, Refusal, Remake, Span, Step
from saltern.secrets import masked
from saltern.topology.remake.texts import TEXTS


def text_of(found: Remake) -> str:
    """The steps, numbered, each with what there is to know of it; what is refused instead; and a summary."""
    return "\n".join(_refused(found.refusals) if found.refusals else _planned(found))


def _refused(refusals: tuple[Refusal, ...]) -> Iterator[str]:
    count = len(refusals)
    yield f"refused: {count} {'reason' if count == 1 else 'reasons'}; nothing is planned"
    yield from map(str, refusals)


def _planned(found: Remake) -> Iterator[str]:
    for number, step in enumerate(found.steps, 1):
        title = f"{step.domain}: " if step.domain is not None else ""
        yield f"{number:>3}. {title}{step.words}"
        yield from (f"       {line}" for line in _told(step))
    for left in found.leftovers:
        yield f"left on {left.node}: {left.path}, which {left.reason}"
    yield summary(found)


def _told(step: Step) -> Iterator[str]:
    if step.stops_domain is not Span.NO:
        yield f"stops:  {step.stops_domain}"
    if step.single_copy is not Span.NO:
        yield f"one up-to-date copy: {step.single_copy}"
    if step.destroys:
        yield f"destroys what was named: {', '.join(step.destroys)}"
    yield f"risk:   {step.risk}"
    yield f"undo:   {step.undo}"
    yield f"today:  {TEXTS[step.kind].today}"


def summary(found: Remake) -> str:
    """How many steps, what stops, what is destroyed."""
    if not found.steps:
        return "nothing is to be done on the nodes"
    stopping = {step.domain for step in found.steps if step.kind is Kind.STOP}
    moving = {step.domain for step in found.steps if step.kind is Kind.MIGRATE} - stopping
    destroyed = sorted({name for step in found.steps for name in step.destroys})
    parts = [_count(len(found.steps), "step", "steps")]
    parts.append(_count(len(stopping), "domain stops", "domains stop"))
    if moving:
        parts.append(_count(len(moving), "moves while it runs", "move while they run"))
    what = " and ".join(destroyed) or "nothing"
    return f"{', '.join(parts)}, {what} {'are' if len(destroyed) > 1 else 'is'} destroyed"


def _count(number: int, one: str, many: str) -> str:
    return f"{number or 'no'} {one if number in (0, 1) else many}"


def data_of(found: Remake) -> dict[str, Any]:
    """The same with everything that a program needs to carry a step out; secrets are hidden."""
    return {
        "possible": not found.refusals,
        "steps": [_step_data(step) for step in found.steps],
        "refusals": [
            {
                "place": each.place,
                "found": each.found,
                "allowed": each.allowed,
                "remedy": each.remedy,
                "name": each.name,
            }
            for each in found.refusals
        ],
        "leftovers": [{"node": each.node, "path": each.path, "reason": each.reason} for each in found.leftovers],
    }


def _step_data(step: Step) -> dict[str, Any]:
    parts: dict[str, Any] = {
        "kind": step.kind.value,
        "words": step.words,
        "domain": step.domain,
        "disk": step.disk,
        "nodes": list(step.nodes),
        "stops_domain": step.stops_domain.name.lower(),
        "single_copy": step.single_copy.name.lower(),
        "risk": step.risk,
        "undo": step.undo,
        "destroys": list(step.destroys),
    }
    if step.volumes:
        parts["volumes"] = [_volume_data(volume) for volume in step.volumes]
    if step.former:
        parts["former"] = [_volume_data(volume) for volume in step.former]
    for key, resource in (("was", step.was), ("resource", step.resource)):
        if resource is not None:
            parts[key] = {"name": resource.name, **masked(resource_to_pillar(resource))}
    if step.spec is not None:
        parts["spec"] = masked(domain_to_pillar(step.spec))
    return parts


def _volume_data(volume: Volume) -> dict[str, Any]:
    return {"path": volume.path, "size_bytes": volume.size_bytes, "purpose": volume.purpose.value}
