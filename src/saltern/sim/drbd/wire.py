"""What happens between two kernels: they meet, compare, tell each other what changes, and lose each other."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from saltern.sim.drbd import fencing, quorum, resync, store
from saltern.sim.drbd.handshake import Decision, Outcome, Side, decide
from saltern.sim.drbd.kernel import (
    CONNECTED,
    CONNECTING,
    ESTABLISHED,
    NETWORK_FAILURE,
    OFF,
    PRIMARY,
    STANDALONE,
    UNCONNECTED,
    UNKNOWN,
    Connection,
    Device,
    Disk,
    DrbdNode,
    Resource,
)
from saltern.sim.drbd.metadata import BLOCK_SECTORS

if TYPE_CHECKING:
    from saltern.sim.world import SimNode, World

HANDSHAKE_S: Final = 0.3  # from looking for the peer to being connected
PING_S: Final = 1.0  # how long a silent peer goes unnoticed; the real defaults add up to 10.5 s
RETRY_S: Final = 0.6  # from losing a peer to looking for it again (transcript 173)

_KEPT: Final = (Disk.INCONSISTENT, Disk.OUTDATED)  # what is still known of a peer's disk when the peer is gone

AGREED: Final = {  # options on which both sides must agree, with their defaults
    "protocol": "C",
    "after-sb-0pri": "disconnect",
    "after-sb-1pri": "disconnect",
    "after-sb-2pri": "disconnect",
    "allow-two-primaries": "no",
}

End = tuple["SimNode", Resource]


def advance(world: "World") -> None:
    """Bring every connection between two copies, and every synchronisation, up to ``world.time_s``."""
    seeking: dict[tuple[str, str], End] = {}
    for node in world.nodes.values():
        for resource in node.drbd.resources.values():
            connection = resource.connection
            if connection is None or connection.state == STANDALONE:
                continue
            if connection.up:
                _check_alive(world, node, resource, connection)
                resync.advance(world, node, resource)
            if not connection.up and connection.state != CONNECTING:
                seek_again(world, connection)
            if connection.state == CONNECTING and node.powered:
                seeking[connection.local, connection.remote] = (node, resource)
    for (local, remote), end in seeking.items():
        other = seeking.get((remote, local))
        if other is not None and local < remote:
            _meet(world, end, other)


def enter(world: "World", connection: Connection, state: str, since_s: float | None = None) -> None:
    """Put a connection into a state, now or since an earlier moment."""
    connection.state = state
    connection.since_s = world.time_s if since_s is None else since_s
    connection.silent_since_s = None
    connection.unsent = None


def seek_again(world: "World", connection: Connection) -> None:
    """From the loss of a peer to looking for it."""
    again_s = connection.since_s + RETRY_S
    if world.time_s >= again_s:
        enter(world, connection, CONNECTING, again_s)


def counterpart(world: "World", resource: Resource) -> End | None:
    """The other end of a connection that stands."""
    connection = resource.connection
    if connection is None or not connection.up:
        return None
    node = world.nodes[connection.peer]
    other = node.drbd.resources.get(connection.peer_resource)
    if other is None or other.connection is None or other.connection.session != connection.session:
        return None
    return node, other


def reachable(world: "World", node: "SimNode", resource: Resource) -> End | None:
    """The other end, if it answers."""
    end = counterpart(world, resource)
    return end if end is not None and world.linked(node.name, end[0].name) else None


def notice_silence(world: "World", node: "SimNode", resource: Resource) -> End | None:
    """The other end, if it answers: what waits for that finds out that it is gone."""
    end = reachable(world, node, resource)
    if end is None and resource.connected:
        lose(world, node, resource, NETWORK_FAILURE)
    return end


def pairs(resource: Resource, other: Resource) -> Iterator[tuple[Device, Device]]:
    """The volumes that both sides have."""
    for number, device in resource.devices.items():
        peer_device = other.devices.get(number)
        if peer_device is not None:
            yield device, peer_device


def tell(world: "World", node: "SimNode", resource: Resource) -> None:
    """Write down the state of a resource, and tell the peer."""
    end = counterpart(world, resource)
    if end is not None:
        peer_node, other = end
        assert resource.connection is not None and other.connection is not None  # noqa: S101
        resource.connection.peer_role = other.role
        other.connection.peer_role = resource.role
        for device, peer_device in pairs(resource, other):
            see_peer_disk(world, node, resource, device, peer_device.disk)
            see_peer_disk(world, peer_node, other, peer_device, device.disk)
            device.peer_paused, peer_device.peer_paused = peer_device.paused, device.paused
            store.write_flags(peer_node, other, peer_device)
            _expose(resource, device, peer_node, peer_device)
            _expose(other, peer_device, node, device)
    for device in resource.devices.values():
        store.write_flags(node, resource, device)


def _uses(resource: Resource, device: Device, far: Device) -> bool:
    """Whether what a Primary uses is the peer's copy, since it has none."""
    return resource.primary and not store.attached(device) and store.attached(far)


def _expose(resource: Resource, device: Device, far_node: "SimNode", far: Device) -> None:
    """A Primary hears of which generation the copy is that it uses (receive_uuids)."""
    if _uses(resource, device, far):
        device.exposed = store.meta(far_node, far).current


def see_peer_disk(world: "World", node: "SimNode", resource: Resource, device: Device, disk: Disk) -> None:
    """Learn the state of the peer's disk; a Primary that loses the peer's data begins a new generation."""
    before = device.peer_disk
    device.peer_disk = disk
    had = before >= Disk.INCONSISTENT and before not in (Disk.UNKNOWN, Disk.OUTDATED)
    has = disk >= Disk.INCONSISTENT and disk not in (Disk.UNKNOWN, Disk.OUTDATED)
    peer_primary = resource.connection is not None and resource.connection.peer_role == PRIMARY
    if had and not has and (resource.primary or peer_primary) and device.disk >= Disk.UP_TO_DATE:
        remembered = store.meta(node, device)
        if remembered.bitmap_uuid == 0 and resource.frozen:
            device.new_generation = True
        elif remembered.bitmap_uuid == 0:
            remembered.new_current((world.random64() & ~1) | resource.primary)


def lose(world: "World", node: "SimNode", resource: Resource, state: str, since_s: float | None = None) -> None:
    """A connection is gone on this side and enters ``state``, now or since an earlier moment."""
    connection = resource.connection
    assert connection is not None  # noqa: S101
    was_up = connection.up
    enter(world, connection, state, since_s)
    connection.peer_role = UNKNOWN
    connection.peer = connection.peer_resource = ""
    connection.session = 0
    if was_up:
        resource.due = bool(resource.ties)
        quorum.recount(world, node, resource)
    if was_up and any(device.peer_disk not in _KEPT for device in resource.devices.values()):
        fencing.hold_back(resource)
    for device in resource.devices.values():
        device.replication = OFF
        device.peer_paused = False
        device.sync_blocks = 0
        if was_up:
            kept = device.peer_disk in _KEPT
            see_peer_disk(world, node, resource, device, device.peer_disk if kept else Disk.UNKNOWN)
        store.write_flags(node, resource, device)
    if was_up:
        fencing.peer_lost(world, node, resource)


def deliver(world: "World", node: "SimNode", resource: Resource) -> None:
    """The peer takes over the options on which both must agree, as soon as it hears of them (P_PROTOCOL_UPDATE)."""
    mine = resource.connection
    if mine is None or mine.unsent is None:
        return
    end = reachable(world, node, resource)
    theirs = None if end is None else end[1].connection
    if theirs is not None:
        kept = {name: value for name, value in theirs.options.items() if name not in AGREED}
        theirs.options, mine.unsent = kept | mine.unsent, None


def _check_alive(world: "World", node: "SimNode", resource: Resource, connection: Connection) -> None:
    linked = world.linked(node.name, connection.peer)
    if linked and counterpart(world, resource) is not None:
        connection.silent_since_s = None
        deliver(world, node, resource)
    elif linked:  # the peer closed the connection, or does not know it any more
        lose(world, node, resource, UNCONNECTED)
    elif connection.silent_since_s is None:
        connection.silent_since_s = world.time_s
    elif world.time_s >= connection.silent_since_s + PING_S:
        lose(world, node, resource, NETWORK_FAILURE, connection.silent_since_s + PING_S)


# --- The handshake ---------------------------------------------------------------------------------------------------
def _meet(world: "World", end: End, other: End) -> None:
    (node, resource), (peer_node, peer) = end, other
    mine, theirs = resource.connection, peer.connection
    assert mine is not None and theirs is not None  # noqa: S101
    ready_s = max(mine.since_s, theirs.since_s) + HANDSHAKE_S
    if not world.linked(node.name, peer_node.name) or world.time_s < ready_s:
        return
    if not _expected(end, other):
        _part(world, (end, False), (other, False))
        return
    if not _authentic(mine, theirs):
        _part(world, (end, _rejects(mine, theirs)), (other, _rejects(theirs, mine)))
        return
    if not _options_match(mine, theirs):
        _part(world, (end, True), (other, True))
        return
    if not quorum.may_meet(world, end, other, tie=False):
        return
    decisions = [(*volumes, *_decide(end, volumes[0], other, volumes[1])) for volumes in pairs(resource, peer)]
    dropped = any(decision.outcome is Outcome.DROP for _, _, decision, _ in decisions)
    peer_dropped = any(decision.outcome is Outcome.DROP for _, _, _, decision in decisions)
    if dropped or peer_dropped:
        _foreboding(decisions, dropped, peer_dropped)
        _part(world, (end, dropped), (other, peer_dropped))
        return
    session = world.random64()
    for connection, (far_node, far) in ((mine, other), (theirs, end)):
        enter(world, connection, CONNECTED)
        connection.peer, connection.peer_resource = far_node.name, far.name
        connection.session = session
        connection.discard_my_data = False
    for _, met in (end, other):
        fencing.met(met)
    for device, peer_device, decision, peer_decision in decisions:
        _establish(world, end, device, decision, other, peer_device, peer_decision)
    tell(world, node, resource)
    quorum.met(world, end, other)


def _foreboding(decisions: list[tuple[Device, Device, Decision, Decision]], dropped: bool, peer_dropped: bool) -> None:
    """A side that was going to be the target has called itself Outdated before the other one hung up (transcript 470)."""
    for device, peer_device, decision, peer_decision in decisions:
        for own, chosen, gave_up in ((device, decision, dropped), (peer_device, peer_decision, peer_dropped)):
            if chosen.outcome is Outcome.TARGET and not gave_up and own.disk == Disk.UP_TO_DATE:
                own.disk = Disk.OUTDATED


def _part(world: "World", *ends: tuple[End, bool]) -> None:
    """Two sides that do not get together: one that gives up stands alone, one that does not looks for the peer again."""
    for (node, resource), gives_up in ends:
        if resource.connection is not None:
            enter(world, resource.connection, STANDALONE if gives_up else UNCONNECTED)
        if gives_up:
            forget_addresses(node, resource)


def _expected(end: End, other: End) -> bool:
    """Whether both are the nodes that the other one expects, by their node-ids: only 9 has them (drbd_do_features)."""
    return all(
        far_node.drbd_version == "8.4" or resource.connection is None or resource.connection.peer_node_id == far.node_id
        for (_, resource), (far_node, far) in ((end, other), (other, end))
    )


def _authentic(mine: Connection, theirs: Connection) -> bool:
    """Whether both prove that they know the same secret; without an algorithm on both sides nobody asks."""
    algorithm = mine.options.get("cram-hmac-alg", "")
    if algorithm != theirs.options.get("cram-hmac-alg", ""):
        return False
    return not algorithm or mine.options.get("shared-secret", "") == theirs.options.get("shared-secret", "")


def _rejects(mine: Connection, theirs: Connection) -> bool:
    """Whether a side stands alone after a failed authentication (drbd_do_auth).

    A wrong answer and a peer that does not know the procedure are final. An answer of another length, by another
    algorithm, counts as a fault of the network, and a side that was not going to ask takes the challenge for one.
    """
    algorithm, other = (side.options.get("cram-hmac-alg", "") for side in (mine, theirs))
    return bool(algorithm) and other in ("", algorithm)


def forget_addresses(node: "SimNode", resource: Resource) -> None:
    """A StandAlone connection of 8.4 is configured no more (transcripts 181, 192, 194)."""
    if node.drbd_version == "8.4" and resource.connection is not None:
        resource.connection = Connection(since_s=resource.connection.since_s)


def _options_match(mine: Connection, theirs: Connection) -> bool:
    """Both sides must want the same (transcript 223), and not both discard their data."""
    if mine.discard_my_data and theirs.discard_my_data:
        return False
    return all(mine.options.get(name, default) == theirs.options.get(name, default) for name, default in AGREED.items())


def _decide(
    end: End, device: Device, other: End, peer_device: Device, *, attaching: bool = False
) -> tuple[Decision, Decision]:
    """What either side decides about one volume; ``attaching`` when only the disk of ``device`` is new."""
    connected = Decision(Outcome.CONNECTED, False, None)
    drop = Decision(Outcome.DROP, False, None)
    if not (store.attached(device) and store.attached(peer_device)):
        return (
            drop if _misses_its_data(end[1], device, other[0], peer_device) else connected,
            drop if _misses_its_data(other[1], peer_device, end[0], device) else connected,
        )
    me, peer = _side(end, device, other), _side(other, peer_device, end)
    me = replace(me, attaching=attaching)
    if me.primary and peer.primary and _options(end).get("allow-two-primaries") != "yes":
        return drop, drop
    room = min(store.capacity(end[0], device), store.capacity(other[0], peer_device))
    too_small = room < device.size_sectors and device.disk >= Disk.OUTDATED
    peer_too_small = room < peer_device.size_sectors and peer_device.disk >= Disk.OUTDATED
    return (
        drop if too_small else decide(me, peer, _options(end)),
        drop if peer_too_small else decide(peer, me, _options(other)),
    )


def _misses_its_data(resource: Resource, device: Device, far_node: "SimNode", far: Device) -> bool:
    """Whether a Primary would go on with data of somebody else ("Can only connect to data with current UUID", receive_uuids)."""
    return _uses(resource, device, far) and not device.has_exposed(store.meta(far_node, far).current)


def _options(end: End) -> dict[str, str]:
    connection = end[1].connection
    return {} if connection is None else connection.options


def _side(end: End, device: Device, other: End) -> Side:
    node, resource = end
    remembered = store.meta(node, device)
    connection = resource.connection
    return Side(
        current=remembered.current,
        bitmap=remembered.bitmap_uuid,
        history=(remembered.history[0], remembered.history[1]),
        primary=resource.primary,
        inconsistent=device.disk <= Disk.INCONSISTENT,
        crashed_primary=device.crashed_primary,
        discard_my_data=connection is not None and connection.discard_my_data,
        out_of_sync_blocks=remembered.out_of_sync.count,
        resolves_conflicts=node.name > other[0].name,
    )


def _establish(
    world: "World",
    end: End,
    device: Device,
    decision: Decision,
    other: End,
    peer_device: Device,
    peer_decision: Decision,
) -> None:
    """Both sides agreed to be connected: settle the size, start what must be copied."""
    device.replication = peer_device.replication = ESTABLISHED
    for own, (owner, _), far in ((device, other, peer_device), (peer_device, end, device)):
        if not store.attached(own) and store.attached(far):
            _establish_with_diskless(own, owner, far)
    if not (store.attached(device) and store.attached(peer_device)):
        return
    agree_on_size(end[0], device, other[0], peer_device)
    for (owner, _), own in ((end, device), (other, peer_device)):
        store.meta(owner, own).peer_seen = True
    for (node, _), own, other_node, far, chosen in (
        (end, device, other[0], peer_device, decision),
        (other, peer_device, end[0], device, peer_decision),
    ):
        if chosen.comparison is not None:
            _repair(node, own, other_node, far, chosen.comparison.repair)
    if decision.outcome is Outcome.SOURCE and peer_decision.outcome is Outcome.TARGET:
        resync.start(world, end, device, other, peer_device, full=decision.full or peer_decision.full)
    elif peer_decision.outcome is Outcome.SOURCE and decision.outcome is Outcome.TARGET:
        resync.start(world, other, peer_device, end, device, full=decision.full or peer_decision.full)
    else:
        for own in (device, peer_device):
            _forget_doubt(own)


def _establish_with_diskless(own: Device, owner: "SimNode", far: Device) -> None:
    """One without a disk takes what the other one says (receive_sizes). Of 8.4 that one does not doubt its data any more."""
    own.size_sectors = far.size_sectors
    if owner.drbd_version == "8.4":
        _forget_doubt(far)


def _forget_doubt(own: Device) -> None:
    """Consistent and Outdated vanish when the sides are connected (sanitize_state)."""
    own.disk = Disk.UP_TO_DATE if own.disk > Disk.INCONSISTENT else own.disk


def agree_on_size(node: "SimNode", device: Device, peer_node: "SimNode", peer_device: Device) -> bool:
    """Both sides take what both disks can offer (drbd_determine_dev_size); returns whether the device grew.

    Blocks that are new are out of sync.
    """
    room = min(store.capacity(node, device), store.capacity(peer_node, peer_device))
    device.peer_sectors = store.capacity(peer_node, peer_device)
    peer_device.peer_sectors = store.capacity(node, device)
    grew = False
    for owner, own in ((node, device), (peer_node, peer_device)):
        remembered = store.meta(owner, own)
        old = own.size_sectors
        own.size_sectors = remembered.agreed_sectors = room
        if room > old:
            remembered.out_of_sync.add(old // BLOCK_SECTORS, room // BLOCK_SECTORS)
            grew = True
        else:
            remembered.out_of_sync.remove(room // BLOCK_SECTORS, old // BLOCK_SECTORS + 1)
    return grew


def _repair(node: "SimNode", device: Device, peer_node: "SimNode", peer_device: Device, what: str) -> None:
    """Correct UUIDs after a lost packet, as rules 34, 35, 51 and 71 do."""
    if what == "mine finished":
        store.meta(node, device).close_bitmap()
    elif what == "mine started":
        remembered = store.meta(node, device)
        remembered.bitmap_uuid = remembered.history[0]
        remembered.history = [remembered.history[1], 0]


def reconsider(world: "World", node: "SimNode", resource: Resource) -> None:
    """One of two connected Inconsistent sides was declared good by force: compare again and synchronise."""
    end = counterpart(world, resource)
    if end is None:
        return
    for device, peer_device in pairs(resource, end[1]):
        if store.attached(device) and store.attached(peer_device) and not device.syncing:
            me, peer = _side((node, resource), device, end), _side(end, peer_device, (node, resource))
            decision = decide(me, peer, _options((node, resource)))
            if decision.outcome is Outcome.SOURCE:
                resync.start(world, (node, resource), device, end, peer_device, full=decision.full)
    tell(world, node, resource)


def disk_appeared(world: "World", node: "SimNode", resource: Resource, device: Device) -> bool:
    """A disk was attached to a connected device: the sides compare as if they had just met; false where they refuse."""
    end = counterpart(world, resource)
    far = end[1].devices.get(device.volume) if end is not None else None
    if end is None or far is None or not store.attached(far):
        return True
    decision, peer_decision = _decide((node, resource), device, end, far, attaching=True)
    if Outcome.DROP in (decision.outcome, peer_decision.outcome):
        return False
    _establish(world, (node, resource), device, decision, end, far, peer_decision)
    tell(world, node, resource)
    return True


def stop_sync(world: "World", resource: Resource, device: Device) -> None:
    """A disk goes away: what was being copied stops, on both sides."""
    end = counterpart(world, resource)
    far = end[1].devices.get(device.volume) if end is not None else None
    for own in (device, far):
        if own is not None:
            own.replication = ESTABLISHED if own.replication != OFF else OFF
            own.sync_blocks = 0


def power_cut(world: "World", name: str) -> None:
    """A node loses its kernel state. Its metadata stay as they were last written: unclean, and without the Primary bit."""
    node = world.nodes[name]
    for _, device in node.drbd.devices():
        if store.attached(device):
            store.meta(node, device).current &= ~1
    node.drbd = DrbdNode()
