"""The way a step of a remake travels to a node: without secrets. What is written there has them from the node's own pillar."""

from collections.abc import Mapping
from typing import Any

from saltern.desired import (
    domain_to_pillar,
    resource_from_pillar,
    resource_to_pillar,
    volume_from_pillar,
    volume_to_pillar,
)
from saltern.errors import SliceError
from saltern.model.desired import Resource
from saltern.model.remake import Kind, Step
from saltern.secrets import masked


def step_to_plain(step: Step) -> dict[str, Any]:
    """What a node needs of a step, as plain data; secrets are hidden."""
    told: dict[str, Any] = {
        "kind": step.kind.value,
        "words": step.words,
        "nodes": list(step.nodes),
        "domain": step.domain,
        "disk": step.disk,
        "destroys": list(step.destroys),
        "volumes": [volume_to_pillar(volume) for volume in step.volumes],
        "former": [volume_to_pillar(volume) for volume in step.former],
        "was": _resource_to_plain(step.was),
        "resource": _resource_to_plain(step.resource),
        # Only to tell one plan from another: what a domain is given comes from the pillar.
        "spec": None if step.spec is None else domain_to_pillar(step.spec),
    }
    found: dict[str, Any] = masked(told)
    return found


def step_from_plain(told: Mapping[str, Any]) -> Step:
    """The step, without its domain as it is to be; raises ``SliceError`` for anything else than such a step."""
    try:
        return Step(
            kind=Kind(told["kind"]),
            words=told["words"],
            nodes=tuple(told["nodes"]),
            domain=told["domain"],
            disk=told["disk"],
            destroys=tuple(told["destroys"]),
            volumes=tuple(volume_from_pillar(each) for each in told["volumes"]),
            former=tuple(volume_from_pillar(each) for each in told["former"]),
            was=_resource_from_plain(told["was"]),
            resource=_resource_from_plain(told["resource"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise SliceError(
            f"this is no step of a remake ({type(error).__name__}: {error})",
            "Install the same version of Saltern on the master and on the node",
        ) from error


def _resource_to_plain(resource: Resource | None) -> dict[str, Any] | None:
    return None if resource is None else {"name": resource.name, **resource_to_pillar(resource)}


def _resource_from_plain(told: Mapping[str, Any] | None) -> Resource | None:
    return None if told is None else resource_from_pillar(told["name"], told)
