"""What a node would be after an action, for dry runs: the effect of each action on the view, foreseen.

Where the outcome depends on the partner, the projection assumes that the partner is applied at the same time.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import singledispatch
from typing import TypeVar

from saltern.errors import CommandFailed
from saltern.model.action import (
    Action,
    AdjustResource,
    CreateMetadata,
    CreateVolume,
    Demote,
    Disconnect,
    EndDomain,
    EndOperation,
    ExtendVolume,
    ForgetPeer,
    ForgetStop,
    LoadDrbd,
    MakeMigrationKey,
    MarkOutdated,
    MarkVolume,
    Promote,
    RemoveFile,
    RemoveVolume,
    RenameVolume,
    ResizeResource,
    StartDomain,
    StartFirstSync,
    TakeDown,
    UnpauseDomain,
    WipeMetadata,
    WriteFile,
)
from saltern.model.desired import TIE_BREAKER_NODE_ID, NodeSlice, Resource, TieBreaker, resource_file, volume_key
from saltern.model.observed import (
    JUST_CREATED,
    NO_DISK,
    ConfiguredHost,
    ConfiguredResource,
    ConfiguredVolume,
    LogicalVolume,
    Lvm,
    Metadata,
    MetadataState,
    Xen,
    XenDomain,
)
from saltern.model.places import MIGRATION_KEY, stopped_file
from saltern.model.running import (
    Connection,
    ConnectionState,
    Device,
    DiskState,
    PeerDevice,
    ReplicationState,
    Role,
    RunningResource,
)
from saltern.plan.view import View

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a view: its name, and the key within it for files, their modes and metadata."""

    name: str
    key: str | None = None


LVM = Part("lvm")
VERSION = Part("version")
RUNNING = Part("running")
CONFIGURED = Part("configured")
ADJUSTMENTS = Part("adjustments")
XEN = Part("xen")
MEMORY = Part("free_memory_bytes")
SHADOW_PAGING = Part("shadow_paging")


def metadata_of(resource: str) -> Part:
    """The part that holds the metadata of one resource."""
    return Part("metadata", resource)


def operation_on(domain: str) -> Part:
    """The part that holds what is being done with one domain."""
    return Part("operation", domain)


def remake_of(domain: str) -> Part:
    """The part that holds the remake that one domain is in."""
    return Part("remake", domain)


def start_of(domain: str) -> Part:
    """The part that holds what the guard has against a start of one domain."""
    return Part("start", domain)


def keys_of(node: str) -> Part:
    """The part that holds what a partner tells of its keys."""
    return Part("keys", node)


def file_at(path: str) -> Part:
    """The part that holds one file."""
    return Part("file", path)


def mode_at(path: str) -> Part:
    """The part that holds the mode of one file."""
    return Part("mode", path)


_TOUCHED: dict[type[Action], frozenset[Part]] = {
    LoadDrbd: frozenset({VERSION, RUNNING, ADJUSTMENTS}),
    **dict.fromkeys((CreateVolume, ExtendVolume, MarkVolume, RenameVolume, RemoveVolume), frozenset({LVM})),
    **dict.fromkeys((TakeDown, Disconnect, ForgetPeer), frozenset({RUNNING, ADJUSTMENTS})),
    **dict.fromkeys((Promote, Demote, ResizeResource), frozenset({RUNNING})),
    # The block script changes the roles of its disks.
    **dict.fromkeys((StartDomain, EndDomain, UnpauseDomain), frozenset({XEN, MEMORY, RUNNING})),
}


def touched(action: Action) -> frozenset[Part]:
    """The parts that an action can change: to be read again after it."""
    match action:
        case WriteFile():
            return frozenset({file_at(action.path), mode_at(action.path), CONFIGURED, ADJUSTMENTS})
        case RemoveFile():
            return frozenset({file_at(action.path), mode_at(action.path), CONFIGURED, ADJUSTMENTS})
        case CreateMetadata() | WipeMetadata() | MarkOutdated():
            return frozenset({metadata_of(action.resource)})
        case AdjustResource():
            return frozenset({RUNNING, ADJUSTMENTS, metadata_of(action.resource)})
        case StartFirstSync():
            return frozenset({RUNNING, metadata_of(action.resource)})
        case MakeMigrationKey():
            return frozenset({file_at(f"{MIGRATION_KEY}.pub"), mode_at(MIGRATION_KEY)})
        case ForgetStop():
            return frozenset({file_at(stopped_file(action.domain))})
        case EndOperation():
            return frozenset({operation_on(action.domain)})
        case _:
            return _TOUCHED[type(action)]


@singledispatch
def project(action: Action, node_slice: NodeSlice, view: View) -> Mapping[Part, object]:
    """The parts as they would be after ``action``: part to value, of the type that the view has there."""
    raise TypeError(action)  # pragma: no cover - every action has a projection; a test goes through them all


@project.register
def _(action: LoadDrbd, node_slice: NodeSlice, view: View) -> Mapping[Part, object]:
    return {VERSION: view.version._replace(loaded=True), RUNNING: {}}


@project.register
def _(action: CreateVolume, node_slice: NodeSlice, view: View) -> Mapping[Part, object]:
    volume = LogicalVolume(
        volume_group=action.volume_group,
        name=action.name,
        size_bytes=action.size_bytes,
        active=True,
        open=False,
        tags=frozenset() if action.tag is None else frozenset({action.tag}),
    )
    return {LVM: _with_volume(view.lvm, volume, action.size_bytes)}


@project.register
def _(action: ExtendVolume, node_slice: NodeSlice, view: View) -> Mapping[Part, object]:
    found = view.lvm.volumes[action.volume_group, action.name]
    grown = replace(found, size_bytes=action.size_bytes)
    return {LVM: _with_volume(view.lvm, grown, action.size_bytes - found.size_bytes)}


@project.register
def _(action: MarkVolume, node_slice: NodeSlice, view: View) -> Mapping[Part, object]:
    found = view.lvm.volumes[action.volume_group, action.name]
    tags = found.tags - {action.remove} | ({action.add} if action.add is not None else set())
    return {LVM: _with_volume(view.lvm, replace(found, tags=tags), 0)}


def _with_volume(lvm: Lvm, volume: LogicalVolume, used_bytes: int) -> Lvm:
    group = lvm.volume_groups[volume.volume_group]
    return Lvm(
        volume_groups={**lvm.volume_groups, group.name: replace(group, free_bytes=group.free_bytes - used_bytes)},
        volumes={**lvm.volumes, (volume.volume_group, volume.name): volume},
    )


@project.register
def _(action: WriteFile, node_slice: NodeSlice, view: View) -> Mapping[Part, object]:
    parts: dict[Part, object] = {file_at(action.path): action.text, mode_at(action.path): action.mode}
    for resource in (*node_slice.resources.values(), *node_slice.tie_breaks.values()):
        if resource_file(resource.name) == action.path:
            parts |= _configured(resource, action, view)
    return parts


def _configured(resource: Resource, action: WriteFile, view: View) -> dict[Part, object]:
    # Both are assumed together: what drbdadm says of the files as they are must not be asked for after this.
    configured = {**_known(lambda: view.configured), resource.name: configuration(resource)}
    adjustments = dict(_known(lambda: view.adjustments))
    if resource.name in view.running:
        adjustments[resource.name] = view.adjustments_with(resource, action.text)
    return {CONFIGURED: configured, ADJUSTMENTS: adjustments}


def _known(read: Callable[[], Mapping[str, T]]) -> Mapping[str, T]:
    """What was read; nothing where drbdadm cannot read the configuration that is about to be mended."""
    try:
        return read()
    except CommandFailed:
        return {}


def configuration(resource: Resource) -> ConfiguredResource:
    """A resource as drbdadm will read it."""
    return ConfiguredResource(
        name=resource.name,
        file=resource_file(resource.name),
        hosts=tuple(
            ConfiguredHost(
                node=host.node,
                address=host.address,
                port=host.port,
                volumes={
                    0: ConfiguredVolume(
                        minor=host.minor, disk=host.disk, meta_device=host.meta_device, meta_index=host.meta_index
                    )
                },
            )
            for host in resource.hosts
        )
        + _configured_tie_breaker(resource.tie_breaker),
    )


def _configured_tie_breaker(tie_breaker: TieBreaker | None) -> tuple[ConfiguredHost, ...]:
    if tie_breaker is None:
        return ()
    volume = ConfiguredVolume(minor=tie_breaker.minor, disk=NO_DISK, meta_device=NO_DISK, meta_index=None)
    return (
        ConfiguredHost(node=tie_breaker.node, address=tie_breaker.address, port=tie_breaker.port, volumes={0: volume}),
    )


@project.register
def _(action: CreateMetadata, node_slice: NodeSlice, view: View) -> Mapping[Part, object]:
    return {metadata_of(action.resource): Metadata(state=MetadataState.VALID, current=JUST_CREATED)}


@project.register
def _(action: WipeMetadata, node_slice: NodeSlice, view: View) -> Mapping[Part, object]:
    return {metadata_of(action.resource): Metadata(state=MetadataState.BLANK)}


@project.register
def _(action: AdjustResource, node_slice: NodeSlice, view: View) -> Mapping[Part, object]:
    third = node_slice.tie_breaks.get(action.resource)
    running = (
        _attached(node_slice.resources[action.resource], node_slice, view)
        if third is None
        else _diskless(third, node_slice)
    )
    adjustments = {name: lines for name, lines in view.adjustments.items() if name != action.resource}
    return {RUNNING: {**view.running, action.resource: running}, ADJUSTMENTS: adjustments}


def _attached(resource: Resource, node_slice: NodeSlice, view: View) -> RunningResource:
    host = resource.on(node_slice.node)
    found = view.running.get(resource.name)
    device = found.devices.get(0) if found is not None else None
    if device is None or device.disk is DiskState.DISKLESS:
        new = view.metadata(resource).just_created
        disk = DiskState.INCONSISTENT if new else DiskState.UP_TO_DATE
        device = Device(minor=host.minor, disk=disk, size_bytes=_size_bytes(host.disk, view))
    connected = found is not None and any(each.state is ConnectionState.CONNECTED for each in found.connections)
    return RunningResource(
        name=resource.name,
        role=found.role if found is not None else Role.SECONDARY,
        suspended=False,
        devices={0: device},
        connections=found.connections if found is not None and connected else (_partner(resource, node_slice, device),),
        tie_breakers=() if resource.tie_breaker is None else (_connected(TIE_BREAKER_NODE_ID, DiskState.DISKLESS),),
    )


def _diskless(resource: Resource, node_slice: NodeSlice) -> RunningResource:
    """The tie-breaker, which both sides connect with when they are applied at the same time."""
    return RunningResource(
        name=resource.name,
        role=Role.SECONDARY,
        suspended=False,
        devices={0: Device(minor=resource.minor_on(node_slice.node), disk=DiskState.DISKLESS, size_bytes=0)},
        connections=tuple(_connected(host.node_id, DiskState.UP_TO_DATE) for host in resource.hosts),
    )


def _connected(peer_node_id: int, disk: DiskState) -> Connection:
    return Connection(
        peer_node_id=peer_node_id,
        peer=None,
        state=ConnectionState.CONNECTED,
        role=Role.SECONDARY,
        volumes={0: PeerDevice(replication=ReplicationState.ESTABLISHED, disk=disk)},
    )


def _partner(resource: Resource, node_slice: NodeSlice, device: Device) -> Connection:
    peer = resource.peer_of(node_slice.node)
    seen = PeerDevice(replication=ReplicationState.ESTABLISHED, disk=device.disk)
    if device.disk is DiskState.INCONSISTENT and node_slice.node != resource.home:
        # The home node starts the first synchronisation as soon as both sides are there.
        seen = PeerDevice(replication=ReplicationState.SYNC_TARGET, disk=DiskState.UP_TO_DATE)
    return Connection(
        peer_node_id=peer.node_id,
        peer=None,
        state=ConnectionState.CONNECTED,
        role=Role.SECONDARY,
        volumes={0: seen},
    )


def _size_bytes(path: str, view: View) -> int:
    return view.lvm.volumes[volume_key(path)].size_bytes


@project.register
def _(action: StartFirstSync, node_slice: NodeSlice, view: View) -> Mapping[Part, object]:
    found = view.running[action.resource]
    source = found._replace(
        role=Role.PRIMARY,
        devices={0: found.devices[0]._replace(disk=DiskState.UP_TO_DATE)},
        connections=tuple(_synchronising(found.connections)),
    )
    return {RUNNING: {**view.running, action.resource: source}}


def _synchronising(connections: Iterable[Connection]) -> Iterable[Connection]:
    for connection in connections:
        yield connection._replace(
            volumes={0: PeerDevice(replication=ReplicationState.SYNC_SOURCE, disk=DiskState.INCONSISTENT)},
        )


@project.register
def _(action: Promote, node_slice: NodeSlice, view: View) -> Mapping[Part, object]:
    return _with_role(action.resource, Role.PRIMARY, view)


@project.register
def _(action: Demote, node_slice: NodeSlice, view: View) -> Mapping[Part, object]:
    return _with_role(action.resource, Role.SECONDARY, view)


def _with_role(resource: str, role: Role, view: View) -> Mapping[Part, object]:
    return {RUNNING: {**view.running, resource: view.running[resource]._replace(role=role)}}


@project.register
def _(action: ResizeResource, node_slice: NodeSlice, view: View) -> Mapping[Part, object]:
    found = view.running[action.resource]
    size_bytes = node_slice.resources[action.resource].size_bytes
    grown = found._replace(devices={0: found.devices[0]._replace(size_bytes=size_bytes)})
    return {RUNNING: {**view.running, action.resource: grown}}


@project.register
def _(action: StartDomain, node_slice: NodeSlice, view: View) -> Mapping[Part, object]:
    domain = node_slice.domains[action.domain]
    started = XenDomain(
        domid=1 + max((found.domid for found in view.xen.domains), default=0),
        name=domain.name,
        uuid=domain.uuid,
        memory_bytes=domain.memory_bytes,
        vcpus=domain.vcpus,
        cpu_time_s=0.0,
        running=True,
        blocked=False,
        paused=False,
        shut_down=False,
        suspended=False,
        crashed=False,
        dying=False,
    )
    primaries = {disk.resource: view.running[disk.resource]._replace(role=Role.PRIMARY) for disk in domain.disks}
    return {
        RUNNING: {**view.running, **primaries},
        XEN: Xen(domains=(*view.xen.domains, started)),
        MEMORY: view.free_memory_bytes - domain.memory_bytes,
    }


@project.register
def _(action: EndDomain, node_slice: NodeSlice, view: View) -> Mapping[Part, object]:
    ended = [found for found in view.xen.domains if found.name == action.domain]
    uuids = {found.uuid for found in ended}
    disks = [disk.resource for domain in node_slice.domains.values() if domain.uuid in uuids for disk in domain.disks]
    # The block script makes its disks Secondary.
    secondaries = {name: view.running[name]._replace(role=Role.SECONDARY) for name in disks if name in view.running}
    return {
        RUNNING: {**view.running, **secondaries},
        XEN: Xen(domains=tuple(found for found in view.xen.domains if found not in ended)),
        MEMORY: view.free_memory_bytes + sum(found.memory_bytes for found in ended),
    }


@project.register
def _(action: UnpauseDomain, node_slice: NodeSlice, view: View) -> Mapping[Part, object]:
    def after(found: XenDomain) -> XenDomain:
        return replace(found, paused=False, running=True) if found.name == action.domain else found

    return {XEN: Xen(domains=tuple(after(found) for found in view.xen.domains))}


@project.register
def _(action: MakeMigrationKey, node_slice: NodeSlice, view: View) -> Mapping[Part, object]:
    return {file_at(f"{MIGRATION_KEY}.pub"): "", mode_at(MIGRATION_KEY): 0o600}


@project.register
def _(action: EndOperation, node_slice: NodeSlice, view: View) -> Mapping[Part, object]:
    return {operation_on(action.domain): None}


@project.register
def _(action: ForgetStop, node_slice: NodeSlice, view: View) -> Mapping[Part, object]:
    return {file_at(stopped_file(action.domain)): None}


# --- What only a remake does ---------------------------------------------------------------------------------------
@project.register
def _(action: RenameVolume, node_slice: NodeSlice, view: View) -> Mapping[Part, object]:
    volumes = dict(view.lvm.volumes)
    found = volumes.pop((action.volume_group, action.name))
    volumes[action.volume_group, action.new_name] = replace(found, name=action.new_name)
    return {LVM: Lvm(volume_groups=view.lvm.volume_groups, volumes=volumes)}


@project.register
def _(action: RemoveVolume, node_slice: NodeSlice, view: View) -> Mapping[Part, object]:
    found = view.lvm.volumes[action.volume_group, action.name]
    less = _with_volume(view.lvm, found, -found.size_bytes)
    volumes = {key: volume for key, volume in less.volumes.items() if volume is not found}
    return {LVM: Lvm(volume_groups=less.volume_groups, volumes=volumes)}


@project.register
def _(action: RemoveFile, node_slice: NodeSlice, view: View) -> Mapping[Part, object]:
    configured = {name: each for name, each in _known(lambda: view.configured).items() if each.file != action.path}
    return {file_at(action.path): None, mode_at(action.path): None, CONFIGURED: configured}


@project.register
def _(action: TakeDown, node_slice: NodeSlice, view: View) -> Mapping[Part, object]:
    return {RUNNING: {name: each for name, each in view.running.items() if name != action.resource}}


@project.register
def _(action: MarkOutdated, node_slice: NodeSlice, view: View) -> Mapping[Part, object]:
    return {}  # the generation of the data stays what it is


@project.register
def _(action: Disconnect, node_slice: NodeSlice, view: View) -> Mapping[Part, object]:
    return _without_connection(action.resource, view)


@project.register
def _(action: ForgetPeer, node_slice: NodeSlice, view: View) -> Mapping[Part, object]:
    return _without_connection(action.resource, view)


def _without_connection(resource: str, view: View) -> Mapping[Part, object]:
    return {RUNNING: {**view.running, resource: view.running[resource]._replace(connections=())}}
