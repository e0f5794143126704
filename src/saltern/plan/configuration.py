"""Files of resources and domains, and the script between them: written whole, never over somebody else's."""

import difflib
from collections.abc import Iterable, Iterator

from saltern.errors import CommandFailed, Refused
from saltern.model.action import WriteFile
from saltern.model.desired import (
    DomainSpec,
    NodeSlice,
    Resource,
    ResourceHost,
    TieBreaker,
    domain_file,
    resource_file,
)
from saltern.model.observed import NO_DISK, ConfiguredResource
from saltern.model.places import BLOCK_SCRIPT, GUARD_SCRIPT, OPERATION_SCRIPT
from saltern.plan import metadata, settled
from saltern.plan.project import configuration
from saltern.plan.step import Change, Step
from saltern.plan.view import View
from saltern.render import block_script, drbd_resource, guard_script, operation_script, xl_config
from saltern.render.header import is_ours
from saltern.secrets import redact

# Configurations can hold secrets (shared-secret, vncpasswd): for root alone, and never told in changes.
_MODE = 0o600

# What each script is to say, and its mode.
SCRIPTS = {
    BLOCK_SCRIPT: (block_script.render(), block_script.MODE),
    OPERATION_SCRIPT: (operation_script.render(), operation_script.MODE),
}


# Beside them, where a node is guarded.
GUARD_SCRIPT_FILE = (GUARD_SCRIPT, guard_script.render(), guard_script.MODE)


def resource_step(resource: Resource, node_slice: NodeSlice, view: View) -> Step:
    """Write the configuration of a resource for the DRBD generation of this node; whether DRBD asks the guard stays as it is.

    Raises ``Refused`` when the file is somebody else's, when metadata and volumes of this side do not belong together, when
    a number is in use here by anything else, when the resource would change its nodes, minors, disks or metadata, and when
    it is up and would have to be taken apart. This node is one of its sides, or its tie-breaker.
    """
    found = view.file(resource_file(resource.name))
    return _resource_step(resource, node_slice, view, guarded=drbd_resource.asks_guard(found or ""))


def guarded_step(resource: Resource, node_slice: NodeSlice, view: View) -> Step:
    """Write the configuration of a resource about which DRBD asks the guard of this node; raises as ``resource_step``."""
    return _resource_step(resource, node_slice, view, guarded=True)


def _resource_step(resource: Resource, node_slice: NodeSlice, view: View, *, guarded: bool) -> Step:
    path = resource_file(resource.name)
    text = drbd_resource.render(resource, view.generation, guarded=guarded)
    found = view.file(path)
    if found == text:
        return Step(comment=f"{path} is as it should be")
    _refuse_foreign_file(path, found)
    settled.require_own_minor(resource, node_slice, view)
    configured = _configured(view, found)
    _refuse_moving(resource, configured.get(resource.name))
    for conflict in _conflicts(resource, node_slice, configured, view):
        raise Refused(
            f"resource {resource.name}",
            conflict,
            "Free the number on this node, or give the resource another one in the topology; nothing was written, "
            "because one conflict blocks every drbdadm command for every resource",
        )
    if found is None and resource.name in node_slice.resources:
        # Whatever starts at boot brings up what is configured: not a volume under metadata that are not its own.
        metadata.decide(resource, node_slice, view)
    if resource.name in view.running:
        refuse_severing(resource, view.adjustments_with(resource, text))
    return _write(path, found, text)


def domain_step(domain: DomainSpec, node_slice: NodeSlice, view: View) -> Step:
    """Write the configuration of a domain. A running domain takes it up at its next start.

    Raises ``Refused`` while the devices that it would name are not those of its own resources.
    """
    path = domain_file(domain.name)
    text = xl_config.render(domain)
    found = view.file(path)
    if found == text:
        return Step(comment=f"{path} is as it should be")
    _refuse_foreign_file(path, found)
    for disk in domain.disks:
        resource = node_slice.resources[disk.resource]
        settled.require_configured(resource, view)
        settled.require_own_minor(resource, node_slice, view)
    return _write(path, found, text)


def script_step(path: str, view: View) -> Step:
    """Write a script of ours: the one by which Xen attaches disks, or the one that sends and receives domains.

    Raises ``Refused`` when it is somebody else's.
    """
    return file_step(path, *SCRIPTS[path], view)


def file_step(path: str, text: str, mode: int, view: View) -> Step:
    """Write a file of ours as a whole, with its mode. Raises ``Refused`` when it is somebody else's."""
    found = view.file(path)
    if found != text:
        _refuse_foreign_file(path, found)
        return _write(path, found, text, mode=mode)
    if view.mode(path) != mode:
        return _with_its_mode(path, text, view.mode(path), mode)
    return Step(comment=f"{path} is as it should be")


# What drbdadm adjust does to a running resource when an address or a disk has changed.
_SEVERING = frozenset(
    {"disconnect", "detach", "down", "del-minor", "del-peer", "del-path", "del-resource", "forget-peer"}
)


def refuse_severing(resource: Resource, adjustments: Iterable[str]) -> None:
    """A resource in use is never taken apart: not its connection, which tells where the domain runs, and not its disk."""
    for line in adjustments:
        if line.split()[1] in _SEVERING:
            raise Refused(
                f"resource {resource.name}",
                f"it is up, and to follow the topology it would have to be taken apart ({line})",
                "Undo the change of its addresses or disks in the topology; addresses can be changed by hand while the "
                f"domain is shut down and the resource is down on both nodes (`drbdadm down {resource.name}`)",
            )


def _write(path: str, found: str | None, text: str, mode: int = _MODE) -> Step:
    return Step(
        comment=f"{path} is {'written' if found is None else 'rewritten'}",
        actions=(WriteFile(path=path, text=text, mode=mode),),
        changes={f"file {path}": _difference(found, text)},
    )


def _with_its_mode(path: str, text: str, found: int | None, mode: int) -> Step:
    old = None if found is None else f"mode {found:04o}"
    return Step(
        comment=f"{path} has its mode again",
        actions=(WriteFile(path=path, text=text, mode=mode),),
        changes={f"file {path}": {"old": old, "new": f"mode {mode:04o}"}},
    )


def _difference(found: str | None, text: str) -> Change:
    if found is None:
        return {"old": None, "new": "written"}
    lines = difflib.unified_diff(found.splitlines(), text.splitlines(), "now", "then", lineterm="", n=1)
    shown = redact("\n".join(lines))
    # Salt cannot send what is no text: bytes that somebody wrote into the file are shown as escapes.
    return {"old": "different", "new": shown.encode("utf-8", "backslashreplace").decode("utf-8")}


def _refuse_foreign_file(path: str, found: str | None) -> None:
    if found is not None and not is_ours(found):
        raise Refused(
            f"file {path}",
            "it exists and was not written by Saltern",
            "Compare it with the topology and move it away; then apply again",
        )


def _refuse_moving(resource: Resource, configured: ConfiguredResource | None) -> None:
    """A side that changes its partner leaves the former one alone with the domain; with another disk it is another one."""
    if configured is None or configured.file != resource_file(resource.name):
        return
    found, wanted = _places(configured), _places(configuration(resource))
    if found != wanted:
        raise Refused(
            f"resource {resource.name}",
            f"its file says {_told(found - wanted)}, the topology says {_told(wanted - found)}; its data are where it was "
            "made, and its domain may be running there",
            f"Put the topology back; when somebody edited {resource_file(resource.name)}, put that back",
        )


def _places(resource: ConfiguredResource) -> set[tuple[str, int, str, str]]:
    """Node, minor, disk and meta-disk of every side. A tie-breaker has none: it may come, or change, without a copy moving."""
    return {
        (
            host.node,
            volume.minor,
            volume.disk,
            volume.meta_device if volume.meta_index is None else f"{volume.meta_device}[{volume.meta_index}]",
        )
        for host in resource.hosts
        for volume in host.volumes.values()
        if volume.disk != NO_DISK
    }


def _told(places: set[tuple[str, int, str, str]]) -> str:
    told = (f"minor {minor} with {disk} and {meta} on {node}" for node, minor, disk, meta in sorted(places))
    return ", ".join(told) or "nothing more"


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
    """What the resource would clash with: everything else here as it is now, also what this slice will change."""
    path = resource_file(resource.name)
    same_name = configured.get(resource.name)
    if same_name is not None and same_name.file != path:
        yield f"{same_name.file} defines a resource of the same name"
    strangers = [other for name, other in configured.items() if name != resource.name]
    for end in resource.ends:
        taken = _taken(end.node, strangers)
        for claim, what in _claims(end):
            if claim in taken:
                yield f"{what} on {end.node} belongs to resource {taken[claim]}"
    minor = resource.minor_on(node_slice.node)
    for other in view.running.values():
        if other.name != resource.name and any(device.minor == minor for device in other.devices.values()):
            yield f"minor {minor} is in use here by the running resource {other.name}"


def _claims(end: ResourceHost | TieBreaker) -> Iterator[tuple[tuple[object, ...], str]]:
    yield ("minor", end.minor), f"minor {end.minor}"
    yield ("address", end.address, end.port), f"address {end.address} port {end.port}"
    if isinstance(end, ResourceHost):
        yield ("device", end.disk, None), f"disk {end.disk}"
        slot = "" if end.meta_index is None else f"[{end.meta_index}]"
        yield ("device", end.meta_device, end.meta_index), f"meta-disk {end.meta_device}{slot}"


def _taken(node: str, strangers: list[ConfiguredResource]) -> dict[tuple[object, ...], str]:
    """Claim to owner, for what others hold on ``node``."""
    taken: dict[tuple[object, ...], str] = {}
    for other in strangers:
        for side in other.hosts:
            if side.node != node:
                continue
            taken["address", side.address, side.port] = other.name
            for volume in side.volumes.values():
                taken["minor", volume.minor] = other.name
                taken["device", volume.disk, None] = other.name
                taken["device", volume.meta_device, volume.meta_index] = other.name
    return taken
