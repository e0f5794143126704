"""Who may write: quorum as DRBD 9 counts it, and the agreement over all nodes that are connected, also by way of others.

After calc_quorum(), change_cluster_wide_state(), check_primaries_distances(), do_twopc_after_lost_peer() and update_members() in
drbd_state.c of DRBD 9.2. A resource of 8.4, or one without the option, always has quorum.
"""

from typing import TYPE_CHECKING, Final

from saltern.sim.drbd import fencing, store
from saltern.sim.drbd.failure import Code, Failure
from saltern.sim.drbd.kernel import Connection, Disk, Resource

if TYPE_CHECKING:
    from saltern.sim.world import SimNode, World

_KNOWN_OLD: Final = (Disk.INCONSISTENT, Disk.OUTDATED)

Reached = dict[str, tuple["SimNode", Resource]]


def is_asked(resource: Resource) -> bool:
    """Whether this resource needs quorum."""
    return resource.options.get("quorum", "off") != "off"


def recount(world: "World", node: "SimNode", resource: Resource) -> None:
    """Count anew; what waited for quorum goes on when it is back."""
    waited = resource.starved
    resource.quorum = not is_asked(resource) or _has_quorum(node, resource)
    if waited and not resource.frozen:
        fencing.go_on(world, node, resource)


def _has_quorum(node: "SimNode", resource: Resource) -> bool:
    """A vote has who holds a copy, and is there; a tie is broken on a side that had quorum until now.

    A copy that is missing has none where it is known to be old, or cannot have quorum since nobody reaches it, or was never
    seen.
    """
    ties = [tie for tie in resource.ties.values() if tie.up]
    if resource.client:
        return len(ties) == len(resource.ties) or (bool(ties) and resource.quorum)
    other = resource.connection
    if other is None or other.up or _is_new(node, resource):
        return True
    if all(device.peer_disk in _KNOWN_OLD for device in resource.devices.values()):
        return True
    if not resource.quorum:
        return False
    return other.peer_node_id in resource.unreached or 2 * len(ties) > len(resource.ties)


def _is_new(node: "SimNode", resource: Resource) -> bool:
    """Whether its disks have never seen another copy."""
    disks = [device for device in resource.devices.values() if store.attached(device)]
    return bool(disks) and not any(store.meta(node, device).peer_seen for device in disks)


# --- Agreement -------------------------------------------------------------------------------------------------------
def far_end(world: "World", connection: Connection) -> tuple["SimNode", Resource, Connection] | None:
    """The other end of a connection that is believed to stand, if it believes so too."""
    other = world.nodes[connection.peer].drbd.resources.get(connection.peer_resource) if connection.up else None
    if other is None:
        return None
    link = next((each for each in other.links if each.session == connection.session), None)
    return None if link is None else (world.nodes[connection.peer], other, link)


def reached(world: "World", *begin: tuple["SimNode", Resource]) -> Reached | None:
    """All that an agreement reaches, by node; ``None`` while somebody who is believed to be connected does not answer.

    Who believes that it is connected to who has begun it, and hears of it by way of another one, asks that one first.
    """
    found = {node.name: (node, resource) for node, resource in begin}
    todo = list(begin)
    while todo:
        node, resource = todo.pop()
        for link in [each for each in resource.links if each.up]:
            end = far_end(world, link)
            if end is not None and world.linked(node.name, end[0].name):
                if end[0].name not in found:
                    found[end[0].name] = end[:2]
                    todo.append(end[:2])
            elif link.peer == begin[0][0].name and resource is not begin[0][1]:
                _lose(world, node, resource, link)
            else:
                return None
    return found


def settle(world: "World", node: "SimNode", resource: Resource) -> None:
    """After a loss: find out who is still there, as soon as all have answered. Who sees a Primary from afar only is outdated."""
    found = reached(world, (node, resource)) if resource.due else None
    if found is not None:
        resource.due = False
        agreed(world, node, resource, found)


def agreed(world: "World", node: "SimNode", resource: Resource, found: Reached) -> None:
    """What comes of an agreement that this side has begun."""
    ids = {other.node_id for _, other in found.values()}
    resource.unreached = [link.peer_node_id for link in resource.links if link.peer_node_id not in ids]
    for other_node, other in found.values():
        if any(_is_far(other, primary) for _, primary in found.values()):
            _outdate(other_node, other)
        recount(world, other_node, other)


def _is_far(resource: Resource, primary: Resource) -> bool:
    """Whether a Primary with good data and quorum is reached from there by way of others only."""
    if resource is primary or resource.client or not (primary.primary and primary.quorum):
        return False
    good = all(device.disk == Disk.UP_TO_DATE for device in primary.devices.values())
    return good and not any(link.up and link.peer_node_id == primary.node_id for link in resource.links)


def _outdate(node: "SimNode", resource: Resource) -> None:
    for device in resource.devices.values():
        if device.disk > Disk.OUTDATED:
            device.disk = Disk.OUTDATED
            store.write_flags(node, resource, device)


def promote(world: "World", node: "SimNode", resource: Resource) -> None:
    """All agree that this side becomes Primary; raises ``Failure`` where somebody does not, or does not answer."""
    if not is_asked(resource) and not resource.ties:
        return
    if not resource.quorum:
        raise Failure(Code.NO_QUORUM, "1 of 2 nodes visible, need 2 for quorum")
    found = reached(world, (node, resource))
    if found is None:
        raise Failure(Code.TIMEOUT)
    if any(other.primary and not _is_direct(resource, other) for _, other in found.values()):
        raise Failure(Code.WEAKLY_CONNECTED)
    for other_node, other in found.values():
        if other is not resource and not other.client and not _is_direct(resource, other):
            _outdate(other_node, other)
            for device in resource.devices.values():
                device.peer_disk = min(device.peer_disk, Disk.OUTDATED)
    resource.due = False
    agreed(world, node, resource, found)


def _is_direct(resource: Resource, other: Resource) -> bool:
    return (
        resource.connection is not None and resource.connection.up and resource.connection.peer_node_id == other.node_id
    )


def may_meet(world: "World", end: tuple["SimNode", Resource], other: tuple["SimNode", Resource], *, tie: bool) -> bool:
    """Whether all that both reach agree that these two are connected: no two Primaries that see each other from afar."""
    found = reached(world, end, other)
    if found is None:
        return False
    primaries = [resource for _, resource in found.values() if resource.primary]
    return not tie or len(primaries) < 2 or any(_is_direct(primaries[0], each) for each in primaries[1:])


def met(world: "World", begun_by: tuple["SimNode", Resource], other: tuple["SimNode", Resource]) -> None:
    """Two ends are connected."""
    for (_, resource), (_, far) in ((begun_by, other), (other, begun_by)):
        resource.unreached = [each for each in resource.unreached if each != far.node_id]
    found = reached(world, begun_by)
    if found is not None:
        agreed(world, *begun_by, found)


def _lose(world: "World", node: "SimNode", resource: Resource, link: Connection) -> None:
    from saltern.sim.drbd import ties, wire
    from saltern.sim.drbd.kernel import NETWORK_FAILURE

    if link is resource.connection:
        wire.lose(world, node, resource, NETWORK_FAILURE)
    else:
        ties.lose(world, node, resource, link, NETWORK_FAILURE)
