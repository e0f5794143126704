"""What a node is given of the topology, as a table for people."""

from collections.abc import Iterator, Sequence

from saltern.model.desired import DomainSpec, NodeSlice, Resource
from saltern.units import format_size


def text_of(node_slice: NodeSlice) -> str:
    """Volumes, resources and domains of one node, one line each."""
    return "\n".join(_lines(node_slice))


def _lines(node_slice: NodeSlice) -> Iterator[str]:
    yield f"{node_slice.node} ({node_slice.cluster})"
    volumes = [(each.path, format_size(each.size_bytes), str(each.purpose)) for each in node_slice.volumes]
    yield from _table("VOLUME SIZE PURPOSE", volumes)
    resources = [_resource(each, node_slice.node) for each in node_slice.resources.values()]
    yield from _table("RESOURCE DEVICE ADDRESS PARTNER DISK META-DISK PROTOCOL", resources)
    ties = [
        (name, " and ".join(host.node for host in each.hosts), f"/dev/drbd{each.minor_on(node_slice.node)}")
        for name, each in node_slice.tie_breaks.items()
    ]
    yield from _table("TIE-BREAKER-OF BETWEEN DEVICE", ties)
    domains = [_domain(each, node_slice.node) for each in node_slice.domains.values()]
    yield from _table("DOMAIN HERE MEMORY VCPUS DISKS UUID", domains)


def _resource(resource: Resource, node: str) -> tuple[str, ...]:
    here, there = resource.on(node), resource.peer_of(node)
    slot = "" if here.meta_index is None else f"[{here.meta_index}]"
    return (
        resource.name,
        here.device,
        f"{here.address}:{here.port}",
        f"{there.address}:{there.port}",
        here.disk,
        f"{here.meta_device}{slot}",
        resource.protocol,
    )


def _domain(domain: DomainSpec, node: str) -> tuple[str, ...]:
    return (
        domain.name,
        "home" if domain.home == node else "replica",
        format_size(domain.memory_bytes),
        str(domain.vcpus),
        ", ".join(f"{disk.device}={disk.resource}" for disk in domain.disks),
        domain.uuid,
    )


def _table(heading: str, rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if not rows:
        return
    table = [heading.split(), *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    yield ""
    for row in table:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
