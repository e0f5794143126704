"""Connections of which one end is without a disk on purpose: no data goes over them, but who is there, and in which role."""

from typing import TYPE_CHECKING

from saltern.sim.drbd import quorum, wire
from saltern.sim.drbd.kernel import (
    CONNECTED,
    CONNECTING,
    NETWORK_FAILURE,
    STANDALONE,
    UNCONNECTED,
    UNKNOWN,
    Connection,
    Disk,
    Resource,
)

if TYPE_CHECKING:
    from saltern.sim.world import SimNode, World

End = tuple["SimNode", Resource, Connection]


def advance(world: "World") -> None:
    """Bring all connections up to ``world.time_s``, those between copies first, and every agreement that is due."""
    wire.advance(world)
    seeking: dict[tuple[str, str], End] = {}
    for node in world.nodes.values():
        for resource in node.drbd.resources.values():
            for tie in resource.ties.values():
                _check(world, node, resource, tie)
                if tie.state == CONNECTING and node.powered:
                    seeking[tie.local, tie.remote] = (node, resource, tie)
            if node.powered:
                quorum.settle(world, node, resource)
    for (local, remote), end in seeking.items():
        other = seeking.get((remote, local))
        if other is not None and local < remote:
            _meet(world, end, other)


def lose(world: "World", node: "SimNode", resource: Resource, tie: Connection, state: str) -> None:
    """It is gone on this side and enters ``state``."""
    was_up = tie.up
    wire.enter(world, tie, state)
    tie.peer_role = UNKNOWN
    tie.peer = tie.peer_resource = ""
    tie.session = 0
    if was_up:
        resource.due = True
        quorum.recount(world, node, resource)


def _check(world: "World", node: "SimNode", resource: Resource, tie: Connection) -> None:
    if tie.up:
        end = quorum.far_end(world, tie)
        linked = world.linked(node.name, tie.peer)
        if linked and end is not None:
            tie.silent_since_s = None
            _see(tie, end[1])
        elif linked:
            lose(world, node, resource, tie, UNCONNECTED)
        elif tie.silent_since_s is None:
            tie.silent_since_s = world.time_s
        elif world.time_s >= tie.silent_since_s + wire.PING_S:
            lose(world, node, resource, tie, NETWORK_FAILURE)
    if not tie.up and tie.state not in (CONNECTING, STANDALONE):
        wire.seek_again(world, tie)


def _see(tie: Connection, far: Resource) -> None:
    tie.peer_role = far.role
    tie.peer_disk = min((device.disk for device in far.devices.values()), default=Disk.DISKLESS)


def _meet(world: "World", end: End, other: End) -> None:
    ready_s = max(end[2].since_s, other[2].since_s) + wire.HANDSHAKE_S
    if not world.linked(end[0].name, other[0].name) or world.time_s < ready_s:
        return
    if not quorum.may_meet(world, end[:2], other[:2], tie=True):
        return
    session = world.random64()
    for (_, _, tie), (far_node, far, _) in ((end, other), (other, end)):
        wire.enter(world, tie, CONNECTED)
        tie.peer, tie.peer_resource, tie.session = far_node.name, far.name, session
        _see(tie, far)
    quorum.met(world, end[:2], other[:2])
