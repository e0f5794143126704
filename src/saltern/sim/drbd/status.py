"""``drbdsetup status`` for people, and as JSON on DRBD 9 (transcripts 043-067, 192)."""

import json
from typing import TYPE_CHECKING

from saltern.sim.drbd import events
from saltern.sim.drbd.kernel import CONNECTED, ESTABLISHED, OFF, Connection, Device, Resource

if TYPE_CHECKING:
    from saltern.sim.world import SimNode

_WIDTH = 80


def status_text(node: "SimNode", resource: Resource, *, verbose: bool, statistics: bool) -> str:
    """The block of one resource, with the empty line that ends it. A StandAlone connection of 8.4 is not shown."""
    suspended = f" suspended:{events.suspension(resource)}" if verbose or resource.frozen else ""
    lines = [f"{resource.name} role:{resource.role}{suspended}"]
    if statistics:
        lines.append("    write-ordering:flush")
    several = verbose or len(resource.devices) > 1
    for device in resource.devices.values():
        lines += _device(node, resource, device, several=several, verbose=verbose, statistics=statistics)
    for link in resource.links:
        if node.drbd_version == "9" or link.state != "StandAlone":
            lines += _connection(node, resource, link, several=several, verbose=verbose, statistics=statistics)
    return "\n".join(lines) + "\n\n"


def _wrap(indent: int, further: int, words: list[str]) -> list[str]:
    """Words on lines of at most 80 characters; the later lines are indented by ``further``."""
    lines = [" " * indent + words[0]]
    for word in words[1:]:
        if len(lines[-1]) + 1 + len(word) >= _WIDTH:
            lines.append(" " * further + word)
        else:
            lines[-1] += f" {word}"
    return lines


def _device(
    node: "SimNode", resource: Resource, device: Device, *, several: bool, verbose: bool, statistics: bool
) -> list[str]:
    words = [f"volume:{device.volume}"] if several else []
    if verbose:
        words.append(f"minor:{device.minor}")
    words.append(f"disk:{device.disk.word}")
    if node.drbd_version == "9" and verbose:
        words += [f"backing_dev:{device.backing or 'none'}", f"quorum:{'yes' if resource.quorum else 'no'}"]
    if not statistics:
        blocked = [f"blocked:{events.blocked(resource)}"] if verbose or resource.frozen else []
        return _wrap(2, 6, words + blocked)
    return [*_wrap(2, 6, words), *_wrap(6, 6, events.device_statistics(resource, device))]


def _connection(
    node: "SimNode", resource: Resource, connection: Connection, *, several: bool, verbose: bool, statistics: bool
) -> list[str]:
    words = [connection.peer_name if node.drbd_version == "9" else "peer"]
    if node.drbd_version == "9" and verbose:
        words.append(f"node-id:{connection.peer_node_id}")
    if verbose or connection.state != CONNECTED:
        words.append(f"connection:{connection.state}")
    if verbose or connection.state == CONNECTED:
        words.append(f"role:{connection.peer_role}")
    if verbose:
        words.append("congested:no")
    lines = _wrap(2, 6, words)
    if connection is not resource.connection and (verbose or connection.state == CONNECTED):
        lines += _wrap(4, 8, [f"peer-disk:{events.tied_disk(connection).word}"])
    elif verbose or connection.state == CONNECTED:
        for device in resource.devices.values():
            lines += _peer_device(node, device, several=several, verbose=verbose, statistics=statistics)
    return lines


def _peer_device(node: "SimNode", device: Device, *, several: bool, verbose: bool, statistics: bool) -> list[str]:
    words = [f"volume:{device.volume}"] if several else []
    plain = node.drbd_version == "9" and device.replication == ESTABLISHED and not verbose
    if not plain:
        words.append(f"replication:{device.replication_word}")
    words.append(f"peer-disk:{device.peer_disk.word}")
    if device.syncing or device.verifying:
        words.append(f"done:{events.percent_done(node, device):.2f}")
    if verbose or device.pausers != "no":
        words.append(f"resync-suspended:{device.pausers}")
    lines = _wrap(4, 8, words)
    if statistics:
        lines += _wrap(8, 8, events.peer_statistics(node, device))
    return lines


def status_json(node: "SimNode", resources: list[Resource]) -> str:
    """``status --json`` of DRBD 9: a list with one object for each resource."""
    return json.dumps([_resource_object(node, resource) for resource in resources], indent=2) + "\n"


def _resource_object(node: "SimNode", resource: Resource) -> dict[str, object]:
    return {
        "name": resource.name,
        "node-id": resource.node_id,
        "role": resource.role,
        "suspended": resource.frozen,
        "suspended-user": resource.suspended,
        "suspended-no-data": False,
        "suspended-fencing": resource.unfenced,
        "suspended-quorum": resource.starved,
        "force-io-failures": False,
        "write-ordering": "flush",
        "devices": [_device_object(resource, device) for device in resource.devices.values()],
        "connections": [_connection_object(node, resource, link) for link in resource.links],
    }


def _device_object(resource: Resource, device: Device) -> dict[str, object]:
    counters = device.counters
    return {
        "volume": device.volume,
        "minor": device.minor,
        "disk-state": device.disk.word,
        "client": device.client,
        "quorum": resource.quorum,
        "size": device.size_sectors // 2,
        "read": counters.read,
        "written": counters.written,
        "al-writes": counters.al_writes,
        "bm-writes": counters.bm_writes,
        "upper-pending": 0,
        "lower-pending": 0,
    }


def _connection_object(node: "SimNode", resource: Resource, connection: Connection) -> dict[str, object]:
    return {
        "peer-node-id": connection.peer_node_id,
        "name": connection.peer_name,
        "connection-state": connection.state,
        "congested": False,
        "peer-role": connection.peer_role,
        "ap-in-flight": 0,
        "rs-in-flight": 0,
        "peer_devices": [
            _peer_device_object(node, device)
            if connection is resource.connection
            else _tied_device_object(connection, device)
            for device in resource.devices.values()
        ],
    }


def _tied_device_object(tie: Connection, device: Device) -> dict[str, object]:
    return {
        "volume": device.volume,
        "replication-state": ESTABLISHED if tie.up else OFF,
        "peer-disk-state": events.tied_disk(tie).word,
        "peer-client": not tie.bitmap,
        "resync-suspended": "no",
    }


def _peer_device_object(node: "SimNode", device: Device) -> dict[str, object]:
    return {
        "volume": device.volume,
        "replication-state": device.replication_word,
        "peer-disk-state": device.peer_disk.word,
        "peer-client": False,
        "resync-suspended": device.pausers,
        "received": device.counters.received,
        "sent": device.counters.sent,
        "out-of-sync": events.out_of_sync_kib(node, device),
        "pending": 0,
        "unacked": 0,
        "has-sync-details": device.syncing,
        "has-online-verify-details": device.verifying,
        "percent-in-sync": round(events.percent_done(node, device), 2),
    }
