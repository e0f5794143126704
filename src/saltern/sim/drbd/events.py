"""``drbdsetup events2``: everything that the kernel holds, one line for each thing (transcripts 054, 061, 192).

DRBD 9 prints the fields of drbd-utils 9.22 (print_notifications in drbdsetup.c).
"""

from typing import TYPE_CHECKING

from saltern.sim.drbd import store
from saltern.sim.drbd.kernel import ESTABLISHED, OFF, PRIMARY, STANDALONE, Connection, Device, Disk, Resource

if TYPE_CHECKING:
    from saltern.sim.world import SimNode


def events2_now(node: "SimNode", wanted: str | None, *, statistics: bool) -> str:
    """What ``events2 --now`` prints about all resources, or about one."""
    lines = []
    for name, resource in node.drbd.resources.items():
        if wanted in (None, "all", name):
            lines += _resource_lines(node, resource, statistics=statistics)
    return "".join(f"exists {line}\n" for line in [*lines, "-"])


def _resource_lines(node: "SimNode", resource: Resource, *, statistics: bool) -> list[str]:
    nine = node.drbd_version == "9"
    head = f"resource name:{resource.name} role:{resource.role} suspended:{suspension(resource)}"
    head += " force-io-failures:no" if nine else ""
    head += " write-ordering:flush" if statistics else ""
    if nine:
        may, score = promotion(resource)
        head += f" may_promote:{may} promotion_score:{score}"
    lines = [head]
    lines += [_connection_line(resource, link, nine=nine, statistics=statistics) for link in resource.links]
    for device in resource.devices.values():
        lines.append(_device_line(node, resource, device, nine=nine, statistics=statistics))
    for link in resource.links:
        for device in resource.devices.values():
            if link is resource.connection:
                lines.append(_peer_device_line(node, resource, link, device, nine=nine, statistics=statistics))
            else:
                lines.append(_tied_device_line(resource, link, device))
        if nine and link.local:
            lines.append(_path_line(resource, link))
    return lines


def promotion(resource: Resource) -> tuple[str, int]:
    """``may_promote`` and ``promotion_score`` of DRBD 9 (compute_promotion_info in drbdsetup_events2.c)."""
    devices = resource.devices.values()
    replicas = min(
        ((device.disk == Disk.UP_TO_DATE) + (device.peer_disk == Disk.UP_TO_DATE) for device in devices), default=0
    )
    if not replicas:
        return "no", 0
    have_disk = all(device.disk in (Disk.UP_TO_DATE, Disk.CONSISTENT, Disk.INCONSISTENT) for device in devices)
    local = sum(device.disk == Disk.UP_TO_DATE for device in devices)
    may = not resource.primary and resource.quorum and all(link.peer_role != PRIMARY for link in resource.links)
    return ("yes" if may else "no"), have_disk * 10000 + local * 100 + replicas


def _peer_words(resource: Resource, connection: Connection, *, nine: bool) -> str:
    """8.4 calls every peer 0 and "peer", and has no name for it at all when nothing is configured (transcript 192)."""
    text = f"name:{resource.name} peer-node-id:{connection.peer_node_id}"
    if nine:
        return f"{text} conn-name:{connection.peer_name}"
    return text if connection.state == STANDALONE else f"{text} conn-name:peer"


def _connection_line(resource: Resource, connection: Connection, *, nine: bool, statistics: bool) -> str:
    peer = _peer_words(resource, connection, nine=nine)
    text = f"connection {peer} connection:{connection.state} role:{connection.peer_role}"
    if not statistics:
        return text
    return f"{text} congested:no ap-in-flight:0 rs-in-flight:0" if nine else f"{text} congested:no"


def _device_line(node: "SimNode", resource: Resource, device: Device, *, nine: bool, statistics: bool) -> str:
    text = f"device name:{resource.name} volume:{device.volume} minor:{device.minor}"
    if nine:
        text += f" backing_dev:{device.backing or 'none'} disk:{device.disk.word} client:{_yes(device.client)}"
        text += f" quorum:{_yes(resource.quorum)}"
    else:
        text += f" disk:{device.disk.word}"
    return f"{text} {' '.join(device_statistics(resource, device))}" if statistics else text


def suspension(resource: Resource) -> str:
    """Who suspended the I/O of a resource."""
    why = (("user", resource.suspended), ("fencing", resource.unfenced), ("quorum", resource.starved))
    return ",".join(who for who, on in why if on) or "no"


def _yes(on: bool) -> str:
    return "yes" if on else "no"


def blocked(resource: Resource) -> str:
    """Where the I/O of a device is held up."""
    return "upper" if resource.frozen else "no"


def device_statistics(resource: Resource, device: Device) -> list[str]:
    """The counters of a device; sizes in KiB."""
    counters = device.counters
    words = [f"size:{device.size_sectors // 2}", f"read:{counters.read}", f"written:{counters.written}"]
    words += [f"al-writes:{counters.al_writes}", f"bm-writes:{counters.bm_writes}", "upper-pending:0"]
    return [*words, "lower-pending:0", f"al-suspended:{_yes(device.al_suspended)}", f"blocked:{blocked(resource)}"]


def _peer_device_line(
    node: "SimNode", resource: Resource, connection: Connection, device: Device, *, nine: bool, statistics: bool
) -> str:
    peer = _peer_words(resource, connection, nine=nine)
    text = f"peer-device {peer} volume:{device.volume} replication:{device.replication_word}"
    text += f" peer-disk:{device.peer_disk.word}{' peer-client:no' if nine else ''} resync-suspended:{device.pausers}"
    if nine and device.syncing:
        text += f" done:{percent_done(node, device):.2f}"
    return f"{text} {' '.join(peer_statistics(node, device))}" if statistics else text


def _tied_device_line(resource: Resource, tie: Connection, device: Device) -> str:
    """Of a peer without a disk on purpose, or as such a one sees a copy."""
    state = f"replication:{ESTABLISHED if tie.up else OFF} peer-disk:{tied_disk(tie).word} peer-client:{_yes(not tie.bitmap)}"
    return f"peer-device {_peer_words(resource, tie, nine=True)} volume:{device.volume} {state} resync-suspended:no"


def tied_disk(tie: Connection) -> Disk:
    """What is known of the disk at the other end of a tie."""
    return tie.peer_disk if tie.up else Disk.UNKNOWN


def peer_statistics(node: "SimNode", device: Device) -> list[str]:
    """The counters towards the peer, in KiB."""
    counters = device.counters
    words = [f"received:{counters.received}", f"sent:{counters.sent}", f"out-of-sync:{out_of_sync_kib(node, device)}"]
    return [*words, "pending:0", "unacked:0"]


def out_of_sync_kib(node: "SimNode", device: Device) -> int:
    """How much is known to be different from the peer."""
    return store.meta(node, device).out_of_sync.count * 4 if store.attached(device) else 0


def percent_done(node: "SimNode", device: Device) -> float:
    """How far a synchronisation is, from 0 to 100, relative to the size of the device as the tools have it."""
    size_kib = max(1, device.size_sectors // 2)
    return 100 * (1 - out_of_sync_kib(node, device) / size_kib)


def _path_line(resource: Resource, connection: Connection) -> str:
    ends = f"local:{connection.local} peer:{connection.remote}"
    return (
        f"path name:{resource.name} peer-node-id:{connection.peer_node_id} conn-name:{connection.peer_name}"
        f" {ends} established:{'yes' if connection.up else 'no'}"
    )
