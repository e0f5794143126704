"""What an administrator asks the kernel for; each function does it or raises ``Failure`` with nothing changed.

After drbd_nl.c and drbd_state.c of DRBD 8.4.11.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from saltern.sim.drbd import fencing, metadata, quorum, resync, store, ties, wire
from saltern.sim.drbd.failure import Code, Failure
from saltern.sim.drbd.kernel import (
    CONNECTING,
    PRIMARY,
    SECONDARY,
    STANDALONE,
    UNCONNECTED,
    Connection,
    Device,
    Disk,
    Resource,
)
from saltern.sim.drbd.metadata import BLOCK_SECTORS, INTERNAL, JUST_CREATED, Metadata
from saltern.sim.drbd.options import SECTIONS

if TYPE_CHECKING:
    from saltern.sim.model import BlockDevice
    from saltern.sim.world import SimNode, World

_TRIES = 4  # of a promotion (max_tries in drbd_set_role)
_FAILING_S = 0.5  # until what a disk was doing has ended
NOT_ON_DISK_BLOCKS = 64  # the last word of a bitmap that grows from nothing stays clear (transcripts 051, 263)


# --- Finding -----------------------------------------------------------------------------------------------------------
def device_of(node: "SimNode", minor: int) -> tuple[Resource, Device]:
    """The device with a minor number."""
    found = node.drbd.by_minor(minor)
    if found is None:
        raise Failure(Code.MINOR_INVALID, "unknown minor")
    return found


def resource_of(node: "SimNode", name: str) -> Resource:
    """The resource with a name."""
    found = node.drbd.resources.get(name)
    if found is None:
        raise Failure(Code.RES_NOT_KNOWN)
    return found


# --- Making and unmaking -----------------------------------------------------------------------------------------------
def new_resource(node: "SimNode", name: str, node_id: int, options: Mapping[str, str]) -> None:
    """Make a resource; one that is there already stays as it is."""
    if name in node.drbd.resources:
        return
    connection = Connection() if node.drbd_version == "8.4" else None
    made = Resource(name, node_id=node_id, options=dict(options), connection=connection)
    made.quorum = not quorum.is_asked(made)
    node.drbd.resources[name] = made


def new_minor(node: "SimNode", name: str, minor: int, volume: int, *, client: bool = False) -> None:
    """Make a device without a disk; a ``client`` is to stay so."""
    resource = resource_of(node, name)
    if minor > 0xFFFFF:
        raise Failure(Code.INVALID_REQUEST, "requested minor out of range")
    found = node.drbd.by_minor(minor)
    if found is not None and (found[0] is not resource or found[1].volume != volume):
        raise Failure(Code.MINOR_OR_VOLUME_EXISTS)
    resource.devices.setdefault(volume, Device(minor, volume, client=client))


def down(world: "World", node: "SimNode", name: str) -> None:
    """Demote, disconnect, detach and forget a resource; one that is not there is down already (transcript 255)."""
    resource = node.drbd.resources.get(name)
    if resource is None:
        return
    if resource.primary and resource.in_use:
        raise Failure(Code.DEVICE_IN_USE, "failed to demote")
    if resource.primary:
        secondary(world, node, resource)
    for tie in resource.ties.values():
        untie(world, node, resource, tie)
    if resource.connection is not None and resource.connection.state != STANDALONE:
        disconnect(world, node, resource)
    for device in resource.devices.values():
        if device.disk != Disk.DISKLESS:
            detach(world, node, resource, device)
    del node.drbd.resources[name]


# --- Disks -------------------------------------------------------------------------------------------------------------
def attach(
    world: "World",
    node: "SimNode",
    minor: int,
    data_path: str,
    meta_path: str,
    slot: int,
    options: Mapping[str, str],
) -> None:
    """Give a device its disk, in the state that the metadata tell (drbd_adm_attach)."""
    resource, device = device_of(node, minor)
    if device.disk != Disk.DISKLESS:
        raise Failure(Code.DISK_CONFIGURED)
    fencing.check_protocol({} if resource.connection is None else resource.connection.options, [options])
    data, meta_device = _open(node, device, data_path, meta_path, slot)
    remembered = metadata.read(meta_device, slot)
    if remembered is None or remembered.version != _metadata_version(node) or not metadata.slot_fits(meta_device, slot):
        raise Failure(Code.MD_INVALID)
    if not remembered.clean:
        raise Failure(Code.MD_UNCLEAN)
    if remembered.node_id not in (-1, resource.node_id):
        info = f"ambiguous node id: meta-data: {remembered.node_id}, config: {resource.node_id}\n"
        raise Failure(Code.MD_INVALID, info)
    if resource.primary and not resource.connected and not device.has_exposed(remembered.current):
        raise Failure(Code.DATA_NOT_CURRENT)
    room = metadata.capacity_sectors(data, meta_device, slot, remembered.max_peers)
    if remembered.consistent and room < remembered.agreed_sectors:
        raise Failure(Code.DISK_TOO_SMALL)
    data.holders.append(device.holder)
    if meta_device is not data:
        meta_device.holders.append(device.holder)
    device.backing, device.meta, device.slot, device.options = data_path, meta_path, slot, dict(options)
    _take_over(node, resource, device, remembered, room)
    quorum.recount(world, node, resource)
    wire.tell(world, node, resource)
    if not wire.disk_appeared(world, node, resource, device):
        detach(world, node, resource, device)


def _open(
    node: "SimNode", device: Device, data_path: str, meta_path: str, slot: int
) -> tuple["BlockDevice", "BlockDevice"]:
    """Both block devices, opened exclusively; slots of one meta-disk may be held by several (transcripts 217, 218)."""
    data, meta_device = node.device(data_path), node.device(meta_path)
    if data is None or data.holders:
        raise Failure(Code.OPEN_DISK)
    if (data is meta_device) != (slot == INTERNAL):
        raise Failure(Code.MD_INDEX_INVALID)
    shared = slot >= 0
    if meta_device is None or any(not (shared and holder.startswith("drbd")) for holder in meta_device.holders):
        raise Failure(Code.OPEN_MD_DISK)
    return data, meta_device


def _metadata_version(node: "SimNode") -> str:
    return "v08" if node.drbd_version == "8.4" else "v09"


def _take_over(node: "SimNode", resource: Resource, device: Device, remembered: Metadata, room: int) -> None:
    if remembered.version == "v09":
        remembered.node_id = resource.node_id
    device.crashed_primary = remembered.crashed_primary or remembered.primary
    old = remembered.agreed_sectors
    device.size_sectors = remembered.agreed_sectors = min(room, old) if old else room
    if not old:
        blocks = device.size_sectors // BLOCK_SECTORS
        remembered.out_of_sync.add(0, blocks - NOT_ON_DISK_BLOCKS if blocks > NOT_ON_DISK_BLOCKS else blocks)
    remembered.clean = False
    if remembered.peer_outdated:
        device.peer_disk = Disk.OUTDATED
    if not remembered.consistent:
        device.disk = Disk.INCONSISTENT
    elif not remembered.was_up_to_date:
        device.disk = Disk.OUTDATED
    elif device.peer_disk == Disk.OUTDATED or not fencing.is_on(resource, device):
        device.disk = Disk.UP_TO_DATE
    else:
        device.disk = Disk.CONSISTENT
    device.counters.al_writes += 8
    store.write_flags(node, resource, device)


def detach(world: "World", node: "SimNode", resource: Resource, device: Device, *, force: bool = False) -> None:
    """Take the disk from a device. A Primary needs the peer's data then, unless it is done by ``force`` (transcript 483)."""
    if device.disk in (Disk.DISKLESS, Disk.FAILED):
        return
    if force:
        device.disk, device.failed_s = Disk.FAILED, world.time_s
        wire.tell(world, node, resource)
        return
    _check_detach(resource, device)
    _let_go(world, node, resource, device)


def let_failed_go(world: "World") -> None:
    """What the disks that have failed were doing has ended: none of their devices has one any more."""
    for node in world.nodes.values():
        for resource, device in node.drbd.devices():
            if device.disk == Disk.FAILED and world.time_s >= device.failed_s + _FAILING_S:
                _let_go(world, node, resource, device)


def _let_go(world: "World", node: "SimNode", resource: Resource, device: Device) -> None:
    remembered = store.meta(node, device)
    if not resource.primary:  # the activity log of a Primary is to be applied (transcript 461)
        remembered.clean = True
        remembered.active_extents = []
    device.exposed = remembered.current if resource.primary else 0
    remembered.current &= ~1
    for below in {device.backing, device.meta}:
        held = node.device(below)
        if held is not None and device.holder in held.holders:
            held.holders.remove(device.holder)
    wire.stop_sync(world, resource, device)
    device.disk = Disk.DISKLESS
    device.backing = device.meta = ""
    wire.tell(world, node, resource)


def _check_detach(resource: Resource, device: Device) -> None:
    if resource.primary and not (resource.connected and device.peer_disk == Disk.UP_TO_DATE):
        raise Failure(Code.NO_UP_TO_DATE_DISK)
    peer_primary = resource.connection is not None and resource.connection.peer_role == PRIMARY
    if peer_primary and resource.connected and device.peer_disk <= Disk.INCONSISTENT:
        raise Failure(Code.REFUSED_BY_PEER)


def outdate(world: "World", node: "SimNode", resource: Resource, device: Device) -> None:
    """Declare the disk of a side that is alone to be old."""
    if device.disk == Disk.DISKLESS:
        raise Failure(Code.IS_DISKLESS)
    if device.disk < Disk.OUTDATED:
        raise Failure(Code.LOWER_THAN_OUTDATED)
    if resource.connected:
        return  # a connected disk cannot be Outdated: the kernel corrects the state at once (transcripts 352, 375)
    if resource.primary:
        raise Failure(Code.NO_UP_TO_DATE_DISK)
    device.disk = Disk.OUTDATED
    wire.tell(world, node, resource)


def invalidate(world: "World", node: "SimNode", resource: Resource, device: Device) -> None:
    """Throw this side's data away and copy everything from the peer."""
    if device.disk == Disk.DISKLESS:
        raise Failure(Code.NO_DISK)
    end = wire.reachable(world, node, resource)
    if end is None:
        if resource.primary or (resource.connection is not None and resource.connection.state != STANDALONE):
            raise Failure(Code.NEED_CONNECTION)
        device.disk = Disk.INCONSISTENT
        store.meta(node, device).out_of_sync.add(0, store.blocks(device))
        wire.tell(world, node, resource)
        return
    good = end[1].devices.get(device.volume)
    if device.syncing:
        raise Failure(Code.RESYNC_RUNNING)
    if good is None or good.disk < Disk.UP_TO_DATE:
        raise Failure(Code.NO_UP_TO_DATE_DISK)
    resync.start(world, end, good, (node, resource), device, full=True)
    wire.tell(world, node, resource)


def invalidate_remote(world: "World", node: "SimNode", resource: Resource, device: Device) -> None:
    """Throw the peer's data away; a Primary that stands alone does it at once (transcript 471)."""
    end = wire.reachable(world, node, resource)
    if end is not None:
        invalidate(world, *end, end[1].devices[device.volume])
        return
    if not resource.primary or (resource.connection is not None and resource.connection.state != STANDALONE):
        raise Failure(Code.NEED_CONNECTION)
    device.peer_disk = Disk.INCONSISTENT
    device.al_suspended = True
    store.meta(node, device).out_of_sync.add(0, store.blocks(device))
    wire.tell(world, node, resource)


def resize(world: "World", node: "SimNode", minor: int, *, assume_clean: bool, assume_peer_has_space: bool) -> None:
    """Use what both disks have grown (drbd_adm_resize; transcripts 205-216)."""
    resource, device = device_of(node, minor)
    if not store.attached(device):
        raise Failure(Code.NO_DISK)
    if device.syncing or device.verifying:
        raise Failure(Code.RESIZE_RESYNC)
    peer_role = SECONDARY if resource.connection is None else resource.connection.peer_role
    if not resource.primary and peer_role == SECONDARY:
        raise Failure(Code.NO_PRIMARY)
    end = wire.reachable(world, node, resource)
    far = end[1].devices.get(device.volume) if end is not None else None
    if end is None or far is None or not store.attached(far):
        _grow_alone(node, device, assume_peer_has_space=assume_peer_has_space)
        return
    before = device.size_sectors
    grew = wire.agree_on_size(node, device, end[0], far)
    if grew and assume_clean:
        for owner, own in ((node, device), (end[0], far)):
            store.meta(owner, own).out_of_sync.remove(before // BLOCK_SECTORS, store.blocks(own))
    elif grew:
        here, there = (node, resource), end
        if resource.primary or not end[1].primary:
            resync.start(world, here, device, there, far, full=False)
        else:
            resync.start(world, there, far, here, device, full=False)
    wire.tell(world, node, resource)


def _grow_alone(node: "SimNode", device: Device, *, assume_peer_has_space: bool) -> None:
    """Without the peer, its disk is taken to be what it was when it last told, if it ever did (transcripts 467-469)."""
    remembered = store.meta(node, device)
    room = store.capacity(node, device)
    if not assume_peer_has_space:
        room = min(room, device.peer_sectors)
    if room > device.size_sectors:
        remembered.out_of_sync.add(device.size_sectors // BLOCK_SECTORS, room // BLOCK_SECTORS)
        device.size_sectors = remembered.agreed_sectors = room


def new_current_uuid(world: "World", node: "SimNode", minor: int, *, clear_bitmap: bool) -> None:
    """Begin a new generation; ``clear_bitmap`` between two new disks skips their first synchronisation."""
    resource, device = device_of(node, minor)
    if not store.attached(device):
        raise Failure(Code.NO_DISK)
    remembered = store.meta(node, device)
    end = wire.reachable(world, node, resource)
    skip = end is not None and clear_bitmap and remembered.current & ~1 == JUST_CREATED
    state = STANDALONE if resource.connection is None else resource.connection.state
    if not skip and state != STANDALONE:
        raise Failure(Code.CONNECTED)
    remembered.close_bitmap()
    remembered.new_current((world.random64() & ~1) | resource.primary)
    if clear_bitmap:
        remembered.out_of_sync.clear()
    if skip and end is not None:
        far = end[1].devices[device.volume]
        theirs = store.meta(end[0], far)
        remembered.bitmap_uuid = theirs.bitmap_uuid = 0
        theirs.current = (remembered.current & ~1) | end[1].primary
        theirs.out_of_sync.clear()
        device.disk = far.disk = Disk.UP_TO_DATE
    wire.tell(world, node, resource)


# --- Roles -------------------------------------------------------------------------------------------------------------
def primary(world: "World", node: "SimNode", resource: Resource, *, force: bool = False) -> None:
    """Promote (drbd_set_role). ``force`` declares the disk good that is there."""
    if resource.primary:
        return
    wire.notice_silence(world, node, resource)
    quorum.promote(world, node, resource)
    forced = _may_be_primary(world, node, resource, force=force)
    for device in resource.devices.values():
        if forced and Disk.INCONSISTENT <= device.disk < Disk.UP_TO_DATE:
            device.disk = Disk.UP_TO_DATE
    resource.role = PRIMARY
    if resource.connection is not None:
        resource.connection.discard_my_data = False
    for device in resource.devices.values():
        if store.attached(device):
            _begin_as_primary(world, node, resource, device, forced=forced)
    wire.tell(world, node, resource)
    if forced:
        wire.reconsider(world, node, resource)


def _may_be_primary(world: "World", node: "SimNode", resource: Resource, *, force: bool) -> bool:
    """Have the peer fenced where that is asked for; whether the disk has to be declared good by force.

    A peer that cannot be fenced is given some more tries, and then counts as old where ``force`` says so.
    """
    refusal, forced = _refusal_to_promote(resource, force=False), False
    for _ in range(_TRIES):
        if refusal is Code.NO_UP_TO_DATE_DISK and force and not forced:
            forced = True
        elif refusal is Code.PRIMARY_NOP or _only_consistent(resource, refusal):
            if not fencing.fence_peer(world, node, resource) and refusal is Code.PRIMARY_NOP and force:
                for device in resource.devices.values():
                    device.peer_disk = Disk.OUTDATED
        else:
            break
        refusal = _refusal_to_promote(resource, force=forced)
    if refusal is not None:
        raise Failure(refusal)
    return forced


def _only_consistent(resource: Resource, refusal: Code | None) -> bool:
    """Whether nothing but the doubt about the peer's data keeps a disk from being UpToDate."""
    disks = [device.disk for device in resource.devices.values()]
    return refusal is Code.NO_UP_TO_DATE_DISK and not resource.connected and min(disks, default=None) == Disk.CONSISTENT


def _refusal_to_promote(resource: Resource, *, force: bool) -> Code | None:
    connection = resource.connection
    if (
        connection is not None
        and connection.peer_role == PRIMARY
        and connection.options.get("allow-two-primaries") != "yes"
    ):
        return Code.TWO_PRIMARIES
    for device in resource.devices.values():
        disk = Disk.UP_TO_DATE if force and device.disk >= Disk.INCONSISTENT else device.disk
        if not resource.connected and disk < Disk.UP_TO_DATE:
            return Code.NO_UP_TO_DATE_DISK
        if not resource.connected and device.peer_disk >= Disk.UNKNOWN and fencing.is_on(resource, device):
            return Code.PRIMARY_NOP
        if disk <= Disk.INCONSISTENT and device.peer_disk <= Disk.INCONSISTENT:
            return Code.NO_UP_TO_DATE_DISK
    return None


def _begin_as_primary(world: "World", node: "SimNode", resource: Resource, device: Device, *, forced: bool) -> None:
    remembered = store.meta(node, device)
    alone = not resource.connected or device.peer_disk <= Disk.FAILED
    if forced or (alone and remembered.bitmap_uuid == 0):
        remembered.new_current(world.random64())
    remembered.current |= 1


def secondary(world: "World", node: "SimNode", resource: Resource) -> None:
    """Demote; a device that somebody holds open stays Primary."""
    if not resource.primary:
        return
    if resource.in_use:
        raise Failure(Code.DEVICE_IN_USE)
    resource.role = SECONDARY
    resource.auto_promoted = False
    wire.tell(world, node, resource)


# --- Connections -------------------------------------------------------------------------------------------------------
def connect(
    world: "World",
    node: "SimNode",
    name: str,
    local: str,
    remote: str,
    options: Mapping[str, str],
    *,
    discard_my_data: bool,
) -> None:
    """Configure a connection of 8.4 and begin to look for the peer."""
    resource = resource_of(node, name)
    for other in node.drbd.resources.values():
        if other.connection is not None and other.connection.local == local:
            raise Failure(Code.LOCAL_ADDRESS)
    if discard_my_data and resource.primary:
        raise Failure(Code.DISCARD_IMPOSSIBLE)
    _check_texts(options)
    fencing.check_protocol(options, [device.options for device in resource.devices.values()])
    connection = resource.connection
    assert connection is not None  # noqa: S101 - 8.4 has one from the beginning
    connection.local, connection.remote, connection.options = local, remote, dict(options)
    connection.discard_my_data = discard_my_data
    wire.enter(world, connection, CONNECTING)


def reconnect(
    world: "World", node: "SimNode", resource: Resource, connection: Connection, *, discard_my_data: bool
) -> None:
    """Begin to look for the peer of a connection of 9."""
    _require_address(connection)
    if discard_my_data and resource.primary:
        raise Failure(Code.DISCARD_IMPOSSIBLE)
    if connection.state != STANDALONE:
        raise Failure(Code.NET_CONFIGURED)
    connection.discard_my_data = discard_my_data
    wire.enter(world, connection, CONNECTING)


def disconnect(world: "World", node: "SimNode", resource: Resource) -> None:
    """Close a connection. Where fencing is on, the Secondary that a Primary is parted from outdates itself."""
    _known(resource)
    end = wire.reachable(world, node, resource)
    if end is not None and end[1].primary != resource.primary:
        left_behind = resource if end[1].primary else end[1]
        for device in left_behind.devices.values():
            if device.disk > Disk.OUTDATED and fencing.is_on(left_behind, device):
                device.disk = Disk.OUTDATED
        wire.tell(world, node, resource)
    wire.lose(world, node, resource, STANDALONE)
    if end is not None:
        wire.lose(world, end[0], end[1], UNCONNECTED)
    wire.forget_addresses(node, resource)


def untie(world: "World", node: "SimNode", resource: Resource, tie: Connection) -> None:
    """Close a tie."""
    end = quorum.far_end(world, tie)
    ties.lose(world, node, resource, tie, STANDALONE)
    if end is not None and world.linked(node.name, end[0].name):
        ties.lose(world, *end, UNCONNECTED)


def _known(resource: Resource) -> Connection:
    if resource.connection is None:
        raise Failure(Code.INVALID_REQUEST, "unknown connection")
    _require_address(resource.connection)
    return resource.connection


def _require_address(connection: Connection) -> None:
    if not connection.local:
        raise Failure(Code.INVALID_REQUEST, "unknown connection")


def connection_of(node: "SimNode", local: str, remote: str) -> Resource:
    """The resource of 8.4 whose connection has these addresses."""
    for resource in node.drbd.resources.values():
        connection = resource.connection
        if connection is not None and (connection.local, connection.remote) == (local, remote):
            return resource
    raise Failure(Code.INVALID_REQUEST, "unknown connection")


def net_options(
    world: "World", node: "SimNode", resource: Resource, options: Mapping[str, str], *, set_defaults: bool
) -> None:
    """Change the options of a connection (drbd_adm_net_opts); the peer is not authenticated again.

    A connected peer takes over those that both sides must agree on (P_PROTOCOL_UPDATE), without being asked.
    """
    connection = _known(resource)
    _check_texts(options)
    changed = dict(options) if set_defaults else {**connection.options, **options}
    _check_two_primaries(resource, connection, changed)
    fencing.check_protocol(changed, [changed, *(device.options for device in resource.devices.values())])
    connection.options = changed
    if connection.up:
        connection.unsent = {name: changed[name] for name in wire.AGREED if name in changed}
        wire.deliver(world, node, resource)


def _check_two_primaries(resource: Resource, connection: Connection, options: Mapping[str, str]) -> None:
    allowed = options.get("allow-two-primaries", "no") == "yes"
    if not allowed and resource.primary and connection.peer_role == PRIMARY:
        raise Failure(Code.NEED_ALLOW_TWO_PRIMARIES)
    if allowed and options.get("protocol", "C") != "C":
        raise Failure(Code.NOT_PROTOCOL_C)


def _check_texts(options: Mapping[str, str]) -> None:
    """The kernel has room for so many characters; drbdadm-84 lets longer texts through."""
    known = SECTIONS["9"]["net"]
    if any(name in known and known[name].too_long(value) for name, value in options.items()):
        raise Failure(Code.MANDATORY_TAG, "invalid attribute value")


def new_peer(resource: Resource, peer_node_id: int, name: str, options: Mapping[str, str]) -> None:
    """Make a connection of 9, which needs a path before it can be established. The first one is to another copy, so far as is
    known, unless there is none on this side.
    """
    if any(each.peer_node_id == peer_node_id for each in resource.links):
        raise Failure(Code.INVALID_REQUEST, "peer node id already exists")
    fencing.check_protocol(options, [options])
    made = Connection(peer_node_id=peer_node_id, peer_name=name, options=dict(options))
    if resource.connection is None and not resource.client:
        resource.connection = made
    else:
        resource.ties[peer_node_id] = made


def no_bitmap(resource: Resource, peer_node_id: int) -> None:
    """The peer holds no copy on purpose. Where it was taken for the other copy, that is the one that was made after it."""
    made = next((each for each in resource.links if each.peer_node_id == peer_node_id), None)
    if made is None:
        raise Failure(Code.INVALID_REQUEST, "unknown connection")
    made.bitmap = False
    if made is resource.connection:
        copy = next(iter(resource.ties), None)
        resource.connection = None if copy is None else resource.ties.pop(copy)
        resource.ties[peer_node_id] = made


def new_path(node: "SimNode", connection: Connection, local: str, remote: str) -> None:
    """Give a connection of 9 its addresses. Those of one resource may begin at the same one."""
    for other in node.drbd.resources.values():
        if connection not in other.links and any(each.local == local for each in other.links):
            raise Failure(Code.LOCAL_ADDRESS)
    connection.local, connection.remote = local, remote


def del_path(connection: Connection) -> None:
    """Take the addresses from a connection of 9 that is not in use."""
    _require_address(connection)
    if connection.state != STANDALONE:
        raise Failure(Code.INVALID_REQUEST, "path is in use")
    connection.local = connection.remote = ""


def verify(world: "World", node: "SimNode", minor: int) -> None:
    """Begin to compare both sides; blocks that differ will be out of sync, and stay so until the next synchronisation."""
    resource, device = device_of(node, minor)
    end = wire.reachable(world, node, resource)
    if end is None or resource.connection is None:
        raise Failure(Code.NEED_CONNECTION)
    if not resource.connection.options.get("verify-alg"):
        raise Failure(Code.NO_VERIFY_ALG)
    if device.syncing:
        raise Failure(Code.RESYNC_RUNNING)
    resync.start_verify(world, device, end[1].devices[device.volume])


def pause(world: "World", node: "SimNode", minor: int, *, on: bool) -> None:
    """Hold synchronisations of a device back, or let them go on again."""
    resource, device = device_of(node, minor)
    if device.paused == on:
        raise Failure(Code.PAUSE_IS_SET if on else Code.PAUSE_IS_CLEAR)
    device.paused = on
    wire.tell(world, node, resource)


def suspend_io(world: "World", node: "SimNode", minor: int, *, on: bool) -> None:
    """Hold back whatever the users of a resource write, or let it go on again, for whatever reason it waits."""
    resource, _ = device_of(node, minor)
    resource.suspended = on
    if not on:
        fencing.go_on(world, node, resource)
