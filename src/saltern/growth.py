"""The growth of a disk, as the master sees it: whether it can be done, and whether it is done. `state.apply` does it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from saltern.controller import Fleet, look
from saltern.errors import Refused
from saltern.model.desired import DomainSpec, Resource
from saltern.plan import migrate
from saltern.plan.selection import spec_of
from saltern.units import format_size, parse_size


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """A disk, what it has on each node (bytes; ``None`` where the resource is not up), and what the topology gives it."""

    domain: str
    device: str
    resource: str
    has_bytes: Mapping[str, int | None]
    size_bytes: int

    @property
    def is_done(self) -> bool:
        """Whether both sides have what the topology gives."""
        return all(has is not None and has >= self.size_bytes for has in self.has_bytes.values())

    def __str__(self) -> str:
        has = ", ".join(
            f"{format_size(size) if size is not None else 'unknown'} on {node}" for node, size in self.has_bytes.items()
        )
        return f"{self.domain}/{self.device}: {has}; the topology gives it {format_size(self.size_bytes)}"


def decide(fleet: Fleet, domain: str, device: str, size: str | None = None) -> Growth:
    """What there is to do. Raises ``Refused`` where the topology gives another size than ``size``, and for what is in the way."""
    spec = spec_of(domain, fleet.shares)
    resource = _resource(fleet, spec, device)
    if size is not None and parse_size(size) != resource.size_bytes:
        raise _other_size(seen(fleet, domain, device), size)
    surveys = look(fleet, {domain: spec})[domain]
    found = seen(fleet, domain, device)
    reasons = list(migrate.others(*surveys.values()))
    side = surveys[resource.home].sides[resource.name]
    if side.connection != "Connected":
        reasons.append(f"{resource.name} is not connected ({side.connection}): both sides grow together")
    if any(has is not None and has > resource.size_bytes for has in found.has_bytes.values()):
        reasons.append(f"{found}; a disk is never made smaller")
    if reasons:
        raise Refused(f"disk {domain}/{device}", f"it cannot grow: {'; '.join(reasons)}", "See to that first")
    return found


def _other_size(found: Growth, size: str) -> Refused:
    """Why a size is not taken that the topology does not give."""
    subject, asked = f"disk {found.domain}/{found.device}", f"{format_size(parse_size(size))} were asked for"
    if any(has is not None and has > parse_size(size) for has in found.has_bytes.values()):
        return Refused(
            subject, f"a disk is never made smaller: {found}, and {asked}", "Ask for a size above what it has"
        )
    return Refused(
        subject,
        f"the topology gives it {format_size(found.size_bytes)}, and {asked}",
        f"Write `size: {size}` at saltern:domains:{found.domain}:disks:{found.device}; that is what the nodes are made of",
    )


def seen(fleet: Fleet, domain: str, device: str) -> Growth:
    """What both sides have now."""
    spec = spec_of(domain, fleet.shares)
    resource = _resource(fleet, spec, device)
    nodes = [host.node for host in resource.hosts]
    said = fleet.ask(nodes, "drbd.status")
    return Growth(
        domain=domain,
        device=device,
        resource=resource.name,
        has_bytes={node: _size_bytes(said[node].get(resource.name)) for node in nodes},
        size_bytes=resource.size_bytes,
    )


def _resource(fleet: Fleet, spec: DomainSpec, device: str) -> Resource:
    names = {disk.device: disk.resource for disk in spec.disks}
    if device not in names:
        raise Refused(f"domain {spec.name}", f"it has no disk {device}", f"It has {', '.join(names)}")
    return fleet.shares[spec.home].resources[names[device]]


def _size_bytes(found: Mapping[str, Any] | None) -> int | None:
    devices = found["devices"] if found is not None else {}
    size_bytes = next((device["size_bytes"] for device in devices.values()), None)
    return None if not size_bytes else int(size_bytes)
