"""The file /proc/drbd (drbd_proc.c)."""

from typing import TYPE_CHECKING

from saltern.sim.drbd import names, store
from saltern.sim.drbd.kernel import STANDALONE, SYNC_TARGET, Device, Resource

if TYPE_CHECKING:
    from saltern.sim.world import SimNode, World

_HEADS = {
    "8.4": "version: 8.4.11 (api:1/proto:86-101)\nsrcversion: F73C670A7EC572DB9CF3E5B \n",
    "9": "version: 9.2.12 (api:2/proto:118-122)\nTransports (api:21): tcp (9.2.12)\n",
}


def proc_drbd(world: "World", name: str) -> str:
    """The text of /proc/drbd on a node; 9 tells its version there and nothing else."""
    node = world.nodes[name]
    text = _HEADS[node.drbd_version]
    if node.drbd_version != "8.4":
        return text
    before = -1
    for resource, device in sorted(node.drbd.devices(), key=lambda found: found[1].minor):
        if device.minor != before + 1:
            text += "\n"
        before = device.minor
        text += _device(node, resource, device)
    return text


def _device(node: "SimNode", resource: Resource, device: Device) -> str:
    if names.unconfigured(resource, device):
        return f"{device.minor:2d}: cs:Unconfigured\n"
    connection = resource.connection
    configured = connection is not None and connection.state != STANDALONE
    protocol = connection.options.get("protocol", "C") if connection is not None and configured else " "
    out_of_sync = store.meta(node, device).out_of_sync.count * 4 if store.attached(device) else 0
    counters = device.counters
    text = (
        f"{device.minor:2d}: cs:{names.old_connection_state(resource, device)}"
        f" ro:{resource.role}/{names.peer_role(resource)} ds:{device.disk.word}/{device.peer_disk.word}"
        f" {protocol} {_flags(resource, device)}\n"
        f"    ns:{counters.sent} nr:{counters.received} dw:{counters.written} dr:{counters.read}"
        f" al:{counters.al_writes} bm:{counters.bm_writes} lo:0 pe:0 ua:0 ap:0 ep:1 wo:f oos:{out_of_sync}\n"
    )
    return text + _progress(device, out_of_sync) if device.syncing else text


def _flags(resource: Resource, device: Device) -> str:
    """Six letters: I/O suspended, synchronisation held back by dependency, peer and user, congestion, activity log."""
    return f"{'s' if resource.frozen else 'r'}-{'p' if device.peer_paused else '-'}{'u' if device.paused else '-'}--"


def _progress(device: Device, left_kib: int) -> str:
    total_kib = max(1, device.sync_blocks * 4)
    done = 1 - left_kib / total_kib
    speed_kib = int(device.sync_bytes_per_s / 1024)
    left_s = int(left_kib / speed_kib) if speed_kib else 0
    bar = "=" * int(done * 20) + ">" + "." * (20 - int(done * 20))
    want = f" want: {speed_kib:,}" if device.replication == SYNC_TARGET else ""
    return (
        f"\t[{bar}] sync'ed:{done * 100:5.1f}% ({left_kib}/{total_kib})K\n"
        f"\tfinish: {left_s // 3600}:{left_s // 60 % 60:02d}:{left_s % 60:02d}"
        f" speed: {speed_kib:,} ({speed_kib:,}){want} K/sec\n"
    )
