"""Looking at one domain on one node, and the way what was seen travels to the master."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from saltern.errors import Refused, SalternError
from saltern.model.desired import DomainSpec, NodeSlice
from saltern.model.observed import XenDomain
from saltern.model.operation import Half, Operation, OperationKind, Standing
from saltern.model.places import maintenance_file
from saltern.model.running import Connection, RunningResource
from saltern.model.survey import DiskSide, Survey
from saltern.plan import settled
from saltern.plan.view import View

Tree = Mapping[str, Any]
_CONDITIONS = ("dying", "crashed", "suspended", "shut_down", "paused")


def look(domains: Iterable[str], node_slice: NodeSlice, view: View) -> dict[str, Survey]:
    """What this node has of each domain; raises ``Refused`` for one that it has no share in, and what a read raises.

    The operations first: where one is over, all that is seen afterwards is what the domain has become.
    """
    names = list(domains)
    for name in names:
        view.operation(name)
    return {name: _look(name, node_slice, view) for name in names}


def _look(domain: str, node_slice: NodeSlice, view: View) -> Survey:
    spec = node_slice.domains.get(domain)
    if spec is None:
        raise Refused(f"domain {domain}", f"it has nothing to do with {node_slice.node}", "Correct the name")
    found = view.xen.by_uuid(spec.uuid)
    return Survey(
        node=node_slice.node,
        condition=None if found is None else _condition(found, domain),
        memory_bytes=None if found is None else found.memory_bytes,
        sides={disk.resource: _side(view.running.get(disk.resource), node_slice, disk.resource) for disk in spec.disks},
        obstacles=tuple(_obstacles(spec, node_slice, view)),
        free_memory_bytes=view.free_memory_bytes,
        standing=view.operation(domain),
        stopped=view.stopped(domain, spec.uuid),
        placed=view.placed(domain, spec.uuid),
        maintenance={
            node: note.strip() for node in (spec.home, spec.partner) if (note := view.file(maintenance_file(node)))
        },
        against_start=view.against_start(domain),
        against_live=None if found is None else _against_live(spec, view),
    )


def _against_live(spec: DomainSpec, view: View) -> str | None:
    """PV is what xl makes of a domain that says nothing else."""
    kind = spec.xl.get("type") or spec.xl.get("builder", "pv")
    if kind not in ("pv", "generic") or view.shadow_paging:
        return None
    return "it is a PV domain, and Xen was built without shadow paging (`xl info`: virt_caps)"


def _condition(found: XenDomain, domain: str) -> str:
    if found.name != domain:
        return "remains" if found.name is None else found.name.removeprefix(f"{domain}--")
    return next((condition.replace("_", " ") for condition in _CONDITIONS if getattr(found, condition)), "running")


def _side(side: RunningResource | None, node_slice: NodeSlice, resource: str) -> DiskSide:
    if side is None:
        words = dict.fromkeys(("role", "disk", "connection", "partner_role", "partner_disk"), "down")
        return DiskSide(**words, protocol=node_slice.resources[resource].protocol, synchronised_percent=None)
    connection = side.connections[0] if side.connections else None
    peer = connection.volumes.get(0) if connection is not None else None
    return DiskSide(
        role=side.role,
        disk=side.devices[0].disk if 0 in side.devices else "Diskless",
        connection="StandAlone" if connection is None else connection.state,
        partner_role="Unknown" if connection is None else connection.role,
        partner_disk="DUnknown" if peer is None else peer.disk,
        protocol=node_slice.resources[resource].protocol,
        synchronised_percent=_percent(connection, node_slice.resources[resource].size_bytes),
    )


def _percent(connection: Connection | None, size_bytes: int) -> float | None:
    peer = connection.volumes.get(0) if connection is not None else None
    if peer is None or "Sync" not in peer.replication or peer.out_of_sync_bytes is None:
        return None
    return round(100 * (1 - min(1.0, peer.out_of_sync_bytes / size_bytes)), 1)


def _obstacles(spec: DomainSpec, node_slice: NodeSlice, view: View) -> Iterator[str]:
    resources = [node_slice.resources[disk.resource] for disk in spec.disks]
    checks: list[Callable[[], object]] = [
        partial(settled.require_scripts, view),
        partial(settled.require_domain_configured, spec, view),
        *(partial(settled.require_running, resource, node_slice, view) for resource in resources),
    ]
    for check in checks:
        try:
            check()
        except Refused as refused:
            yield str(refused)
        except SalternError as error:
            yield f"it could not be seen: {error}"


# --- To the master -----------------------------------------------------------------------------------------------
def from_plain(told: Tree) -> Survey:
    """What ``saltern.bridge.plain`` made of a survey."""
    standing = told["standing"]
    return Survey(
        **{
            **told,
            "sides": {name: DiskSide(**side) for name, side in told["sides"].items()},
            "obstacles": tuple(told["obstacles"]),
            "standing": None
            if standing is None
            else Standing(**{**standing, "operation": operation_from_plain(standing["operation"])}),
        }
    )


def operation_from_plain(told: Tree) -> Operation:
    """An operation from plain data."""
    words = {"kind": OperationKind(told["kind"]), "half": Half(told["half"]), "resources": tuple(told["resources"])}
    return Operation(**{**told, **words})
