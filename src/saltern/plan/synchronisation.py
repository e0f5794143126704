"""The first synchronisation, and the growth of a replicated device."""

from saltern.errors import Refused
from saltern.model.action import Demote, MarkVolume, Promote, ResizeResource, StartFirstSync
from saltern.model.desired import NodeSlice, Resource
from saltern.model.observed import LogicalVolume
from saltern.model.running import (
    Connection,
    ConnectionState,
    DiskState,
    PeerDevice,
    ReplicationState,
    Role,
    RunningResource,
)
from saltern.plan import settled
from saltern.plan.step import Step, Wait
from saltern.plan.view import View
from saltern.plan.volume import NEW_TAG, existing
from saltern.units import format_size

_HAVE_DATA = frozenset({DiskState.UP_TO_DATE, DiskState.CONSISTENT, DiskState.OUTDATED})


def first_step(resource: Resource, node_slice: NodeSlice, view: View) -> Step | Wait:
    """Start the first synchronisation, on the home node, when both sides are provably new; the partner waits for it.

    The proof: this side's volume is marked as new and its metadata are just created, and the sides are connected with
    both disks Inconsistent. DRBD's handshake drops the connection when only one of two Inconsistent sides is new
    (drbd_sync_handshake, drbd_receiver.c), and a side that has new metadata without the mark is never connected by
    Saltern (``plan.metadata``).
    """
    running = settled.require_running(resource, node_slice, view)
    data = existing(resource.on(node_slice.node).disk, resource, view)
    peer = _peer_device(running)
    disk = running.devices[0].disk
    if disk in _HAVE_DATA or (peer is not None and _is_synchronising(peer)):
        return _end_of_new(resource, data)
    if disk is not DiskState.INCONSISTENT:
        return Wait(reason=f"the disk of {resource.name} is {disk}", remedy="Apply again when that has ended")
    if NEW_TAG not in data.tags and (peer is None or peer.disk is not DiskState.INCONSISTENT):
        return Step(comment=f"{resource.name} is Inconsistent until it is synchronised from its partner")
    if peer is None:
        return _wait_for_partner(
            resource, node_slice.node, "its first synchronisation starts when both sides are there"
        )
    if node_slice.node != resource.home or peer.disk is not DiskState.INCONSISTENT:
        return Wait(
            reason=f"the first synchronisation of {resource.name} has not started",
            remedy=f"Apply {resource.peer_of(node_slice.node).node} too; when it fails there, see the reason it gives",
        )
    if NEW_TAG not in data.tags or not view.metadata(resource).just_created:
        raise Refused(
            f"resource {resource.name}",
            "both disks are Inconsistent, and this one is not provably new: neither side is known to have the whole data",
            "Decide which side to keep and say so by hand (`drbdadm primary --force` on that side), or restore a backup",
        )
    return Step(
        comment=f"the first synchronisation of {resource.name} starts from this node",
        actions=(StartFirstSync(resource=resource.name), Demote(resource=resource.name)),
        changes={f"data of {resource.name}": {"old": "Inconsistent", "new": "UpToDate"}},
    )


def _is_synchronising(peer: PeerDevice) -> bool:
    return peer.replication not in (ReplicationState.OFF, ReplicationState.ESTABLISHED)


def _end_of_new(resource: Resource, data: LogicalVolume) -> Step:
    if NEW_TAG not in data.tags:
        return Step(comment=f"{resource.name} has been synchronised, or is being so")
    return Step(
        comment=f"{resource.name} is no longer marked as new",
        actions=(MarkVolume(volume_group=data.volume_group, name=data.name, remove=NEW_TAG),),
        changes={f"mark {NEW_TAG} on {data.volume_group}/{data.name}": {"old": "set", "new": None}},
    )


def size_step(resource: Resource, node_slice: NodeSlice, view: View) -> Step | Wait:
    """Make DRBD use what both volumes have grown; the Primary does it, or the home node where there is none."""
    running = settled.require_running(resource, node_slice, view)
    device = running.devices[0]
    if device.size_bytes is None or device.size_bytes >= resource.size_bytes:
        # Promoted for the growth alone: whether its domain can be started is not known yet.
        demote = (Demote(resource=resource.name),) if resource.name in view.promoted else ()
        return Step(comment=f"{resource.name} has its size", actions=demote)
    data = existing(resource.on(node_slice.node).disk, resource, view)
    if data.size_bytes < resource.size_bytes:
        raise Refused(
            f"resource {resource.name}",
            f"its volume has {format_size(data.size_bytes)}, not {format_size(resource.size_bytes)} yet",
            "Apply the layer `lvm`; when that refuses to grow it, see the reason it gives",
        )
    connection = _connection(running)
    peer = _peer_device(running)
    if connection is None or peer is None:
        return _wait_for_partner(resource, node_slice.node, "it grows when both sides are there")
    if connection.role is Role.PRIMARY or (running.role is not Role.PRIMARY and node_slice.node != resource.home):
        return Step(comment=f"{resource.name} is grown by {resource.peer_of(node_slice.node).node}")
    if device.disk is not DiskState.UP_TO_DATE or peer.disk is not DiskState.UP_TO_DATE:
        return Wait(
            reason=f"{resource.name} grows when it is synchronised (here {device.disk}, there {peer.disk})",
            remedy="Apply again when the synchronisation has ended",
        )
    grown = format_size(resource.size_bytes)
    promoted = running.role is not Role.PRIMARY
    return Step(
        comment=f"{resource.name} grows to {grown}",
        # "Need one Primary node to resize" (transcript 205).
        actions=(Promote(resource=resource.name),) if promoted else (ResizeResource(resource=resource.name),),
        changes={} if promoted else {f"size of {resource.name}": {"old": format_size(device.size_bytes), "new": grown}},
        waits_for=f"the volume on {resource.peer_of(node_slice.node).node} has not grown yet",
    )


def _connection(running: RunningResource) -> Connection | None:
    connected = [each for each in running.connections if each.state is ConnectionState.CONNECTED]
    return connected[0] if connected else None


def _peer_device(running: RunningResource) -> PeerDevice | None:
    connection = _connection(running)
    return connection.volumes.get(0) if connection is not None else None


def _wait_for_partner(resource: Resource, node: str, consequence: str) -> Wait:
    partner = resource.peer_of(node).node
    return Wait(
        reason=f"{resource.name} is not connected to {partner}; {consequence}",
        remedy=f"Apply {partner} too, see that the replication network between the nodes works, then apply again",
    )
