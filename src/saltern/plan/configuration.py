"""Configuration files of resources and domains: written whole, never over somebody else's."""

import difflib
from collections.abc import Iterator

from saltern.errors import CommandFailed, Refused
from saltern.model.action import WriteFile
from saltern.model.desired import DomainSpec, NodeSlice, Resource, ResourceHost, domain_file, resource_file
from saltern.model.observed import ConfiguredResource
from saltern.plan import metadata
from saltern.plan.step import Change, Step
from saltern.plan.view import View
from saltern.render import drbd_resource, xl_config
from saltern.render.header import is_ours
from saltern.secrets import redact

# Configurations can hold secrets (shared-secret, vncpasswd): for root alone, and never told in changes.
_MODE = 0o600


def resource_step(resource: Resource, node_slice: NodeSlice, view: View) -> Step:
    """Write the configuration of a resource for the DRBD generation of this node.

    Raises ``Refused`` when metadata and volumes of this side do not belong together, when the file is somebody else's,
    when a number is in use here by something that is not of this slice, and when a running resource would change its
    minor.
    """
    path = resource_file(resource.name)
    text = drbd_resource.render(resource, view.generation)
    found = view.file(path)
    if found == text:
        return Step(comment=f"{path} is as it should be")
    _refuse_foreign_file(path, found)
    _refuse_renumbering(resource, node_slice.node, view)
    configured = _configured(view, found)
    _refuse_moving(resource, configured.get(resource.name))
    for conflict in _conflicts(resource, node_slice, configured, view):
        raise Refused(
            f"resource {resource.name}",
            conflict,
            "Free the number on this node, or give the resource another one in the topology; nothing was written, "
            "because one conflict blocks every drbdadm command for every resource",
        )
    if found is None:
        # Whatever starts at boot brings up what is configured: not a volume under metadata that are not its own.
        metadata.decide(resource, node_slice, view)
    return _write(path, found, text)


def domain_step(domain: DomainSpec, node_slice: NodeSlice, view: View) -> Step:
    """Write the configuration of a domain. A running domain takes it up at its next start."""
    path = domain_file(domain.name)
    devices = {disk.resource: node_slice.resources[disk.resource].on(node_slice.node).device for disk in domain.disks}
    text = xl_config.render(domain, devices)
    found = view.file(path)
    if found == text:
        return Step(comment=f"{path} is as it should be")
    _refuse_foreign_file(path, found)
    return _write(path, found, text)


def _write(path: str, found: str | None, text: str) -> Step:
    return Step(
        comment=f"{path} is {'written' if found is None else 'rewritten'}",
        actions=(WriteFile(path=path, text=text, mode=_MODE),),
        changes={f"file {path}": _difference(found, text)},
    )


def _difference(found: str | None, text: str) -> Change:
    if found is None:
        return {"old": None, "new": "written"}
    lines = difflib.unified_diff(found.splitlines(), text.splitlines(), "now", "then", lineterm="", n=1)
    return {"old": "different", "new": redact("\n".join(lines))}


def _refuse_foreign_file(path: str, found: str | None) -> None:
    if found is not None and not is_ours(found):
        raise Refused(
            f"file {path}",
            "it exists and was not written by Saltern",
            "Compare it with the topology and move it away; then apply again",
        )


def _refuse_renumbering(resource: Resource, node: str, view: View) -> None:
    running = view.running.get(resource.name)
    device = running.devices.get(0) if running is not None else None
    wanted = resource.on(node).minor
    if device is not None and device.minor != wanted:
        raise Refused(
            f"resource {resource.name}",
            f"it runs with minor {device.minor}, the topology gives it minor {wanted}; a running resource keeps its minor",
            f"Write `minor: {device.minor}` in the topology, or stop the domain and run `drbdadm down {resource.name}` "
            "on both nodes first",
        )


def _refuse_moving(resource: Resource, configured: ConfiguredResource | None) -> None:
    """A side that changes its partner would leave the former one alone with the domain, and not know of it."""
    if configured is None or configured.file != resource_file(resource.name):
        return
    found, wanted = {host.node for host in configured.hosts}, {host.node for host in resource.hosts}
    if found != wanted:
        raise Refused(
            f"resource {resource.name}",
            f"it is configured between {' and '.join(sorted(found))}, the topology places it on "
            f"{' and '.join(sorted(wanted))}; the domain may be running on a node that it would lose",
            f"Put it back in the topology. To move a replica by hand, shut the domain down, run `drbdadm down {resource.name}` "
            f"on all these nodes, and move {resource_file(resource.name)} away where it is",
        )


def _configured(view: View, found: str | None) -> dict[str, ConfiguredResource]:
    try:
        return dict(view.configured)
    except CommandFailed:
        # drbdadm cannot read its configuration. Where the broken file may be this one, ours, rewriting it is the cure.
        if found is None:
            raise
        return {}


def _conflicts(
    resource: Resource, node_slice: NodeSlice, configured: dict[str, ConfiguredResource], view: View
) -> Iterator[str]:
    """What the resource would clash with: everything here that this slice does not describe."""
    path = resource_file(resource.name)
    same_name = configured.get(resource.name)
    if same_name is not None and same_name.file != path:
        yield f"{same_name.file} defines a resource of the same name"
    strangers = [other for name, other in configured.items() if name not in node_slice.resources]
    for host in resource.hosts:
        taken = _taken(host, strangers)
        for claim, what in _claims(host):
            if claim in taken:
                yield f"{what} on {host.node} belongs to resource {taken[claim]}"
    minor = resource.on(node_slice.node).minor
    for other in view.running.values():
        if other.name not in node_slice.resources and any(device.minor == minor for device in other.devices.values()):
            yield f"minor {minor} is in use here by the running resource {other.name}"


def _claims(host: ResourceHost) -> Iterator[tuple[tuple[object, ...], str]]:
    yield ("minor", host.minor), f"minor {host.minor}"
    yield ("address", host.address, host.port), f"address {host.address} port {host.port}"
    yield ("device", host.disk, None), f"disk {host.disk}"
    slot = "" if host.meta_index is None else f"[{host.meta_index}]"
    yield ("device", host.meta_device, host.meta_index), f"meta-disk {host.meta_device}{slot}"


def _taken(host: ResourceHost, strangers: list[ConfiguredResource]) -> dict[tuple[object, ...], str]:
    """Claim to owner, for what others hold on the node of ``host``."""
    taken: dict[tuple[object, ...], str] = {}
    for other in strangers:
        for side in other.hosts:
            if side.node != host.node:
                continue
            taken["address", side.address, side.port] = other.name
            for volume in side.volumes.values():
                taken["minor", volume.minor] = other.name
                taken["device", volume.disk, None] = other.name
                taken["device", volume.meta_device, volume.meta_index] = other.name
    return taken
