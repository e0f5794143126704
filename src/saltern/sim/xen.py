"""The hypervisor and libxl: domains come, run, write to their disks, and go.

Failures are told in libxl's words (transcripts 111, 117, 167, 170, 171, 260).
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from saltern.sim import block, hotplug, processes, xenstore
from saltern.sim.model import DomainDisk, SimDomain, SimNode

if TYPE_CHECKING:
    from saltern.sim.host import SimHost
    from saltern.sim.world import World

GUEST_STOPS_S = 2.0  # from the request to the last instruction of the guest
CLEANED_UP_S = 1.0  # from there until the toolstack has removed what is left
CPU_SHARE = 0.02
BLOCKS = 16  # of each disk that a guest writes to, one after the other


class XenError(Exception):
    """A domain that could not be made: the lines of libxl."""

    def __init__(self, *lines: str) -> None:
        super().__init__(*lines)
        self.lines = list(lines)


# --- Time ------------------------------------------------------------------------------------------------------------
def advance(world: "World") -> None:
    """Let every domain live up to ``world.time_s``."""
    for node in world.nodes.values():
        for domain in list(node.domains):
            if domain.running:
                _run(world, node, domain)
            elif domain.zombie and not node.pins_pages:
                _let_die(world, node, domain)
            elif domain.shutdown and not domain.ending and _is_due(world, domain):
                domain.ending = True
                processes.start(world, node, (processes.REAPER, str(domain.domid)))


def _run(world: "World", node: SimNode, domain: SimDomain) -> None:
    if domain.stops_at_s is not None and world.time_s >= domain.stops_at_s and not hangs(domain):
        domain.shutdown = True
        return
    if int(world.time_s) > int(domain.lived_until_s):
        domain.cpu_time_s += CPU_SHARE * (world.time_s - domain.lived_until_s)
        domain.lived_until_s = world.time_s
        for disk in domain.disks:
            _write(world, node, domain, disk)


def _let_die(world: "World", node: SimNode, domain: SimDomain) -> None:
    """A domain is gone when every disk has answered what it has written last."""
    for disk in domain.disks:
        if disk.usable and not block.holds_back(world, node.name, disk.path):
            block.close_device(world, node.name, disk.path, _holder(domain))
            disk.usable = False
    if not any(disk.usable for disk in domain.disks):
        forget(node, domain)


def _is_due(world: "World", domain: SimDomain) -> bool:
    return domain.stops_at_s is not None and world.time_s >= domain.stops_at_s + CLEANED_UP_S


def _write(world: "World", node: SimNode, domain: SimDomain, disk: DomainDisk) -> None:
    if not disk.usable or disk.mode == "r":
        return
    world.writes += 1
    number = int(world.time_s) % BLOCKS
    if block.write_block(world, node.name, disk.path, number, world.writes, writer=domain.name):
        disk.acknowledged[number] = world.writes


def reap(host: "SimHost", domid: int) -> None:
    """What xl's own process does when a guest has stopped: destroy what is left, and start it again for a reboot."""
    world, node = host.world, host.world.nodes[host.name]
    for domain in [domain for domain in node.domains if domain.domid == domid]:
        remove(host, domain)
        if domain.restarts:
            again = new_domain(world, node, domain.name, domain.uuid, domain.config, domain)
            with suppress(XenError):
                bring_up(host, again)
                again.paused = False


def hangs(domain: SimDomain) -> bool:
    """Whether a guest waits for a disk that will never answer."""
    return any(not disk.usable for disk in domain.disks)


def ask_to_stop(world: "World", domain: SimDomain, *, restart: bool) -> None:
    """Tell a guest to shut down or to reboot; it takes its time."""
    domain.stops_at_s = world.time_s + GUEST_STOPS_S
    domain.restarts = restart


# --- Making and removing ---------------------------------------------------------------------------------------------
def free_memory_bytes(node: SimNode) -> int:
    """What is left for further domains."""
    return node.memory_bytes - sum(domain.memory_bytes for domain in node.domains)


def new_domain(
    world: "World", node: SimNode, name: str, uuid: str, config: dict[str, object], like: SimDomain
) -> SimDomain:
    """A domain with the next number, with the memory, processors and disks of ``like``, not yet on its node."""
    domid = node.next_domid
    node.next_domid += 1
    disks = [
        DomainDisk(disk.vdev, "" if disk.script else disk.path, disk.target, disk.script, disk.mode)
        for disk in like.disks
    ]
    return SimDomain(
        domid=domid,
        name=name,
        uuid=uuid,
        memory_bytes=like.memory_bytes,
        vcpus=like.vcpus,
        config=config,
        disks=disks,
        created_s=world.time_s,
        lived_until_s=world.time_s,
    )


def check_name(node: SimNode, domain: SimDomain) -> None:
    """Refuse a name that another domain of this node has."""
    if any(other.name == domain.name for other in node.domains if other is not domain):
        raise XenError(
            f"libxl: error: libxl_domain.c:81:libxl__domain_rename: Domain {domain.domid}:"
            f'Domain with name "{domain.name}" already exists.'
        )


def check_disks(world: "World", node: SimNode, domain: SimDomain) -> None:
    """Refuse disks whose device is not there. A device that cannot be opened is not noticed."""
    for index, disk in enumerate(domain.disks):
        if not disk.script and not block.exists(world, node.name, disk.path):
            raise XenError(
                f"libxl: error: libxl_device.c:455:libxl__device_disk_set_backend: Disk vdev={disk.vdev} "
                f"failed to stat: {disk.path}: No such file or directory",
                f"libxl: error: libxl_create.c:1318:initiate_domain_create: Domain {domain.domid}:"
                f"Unable to set disk defaults for disk {index}",
            )


def check_memory(node: SimNode, domain: SimDomain) -> None:
    """Refuse a domain that needs more memory than there is."""
    if domain.memory_bytes > free_memory_bytes(node):
        raise XenError(
            "xc: error: panic: xg_dom_boot.c:119: xc_dom_boot_mem_init: can't allocate low memory for domain: "
            "Out of memory",
            "libxl: error: libxl_dom.c:586:libxl__build_dom: xc_dom_boot_mem_init failed: Cannot allocate memory",
            f"libxl: error: libxl_create.c:1640:domcreate_rebuild_done: Domain {domain.domid}:"
            "cannot (re-)build domain: -3",
        )


def gone(domain: SimDomain) -> list[str]:
    """What libxl says when it clears away a domain that did not come to life."""
    return [
        f"libxl: error: libxl_domain.c:1183:libxl__destroy_domid: Domain {domain.domid}:Non-existant domain",
        f"libxl: error: libxl_domain.c:1137:domain_destroy_callback: Domain {domain.domid}:Unable to destroy guest",
        f"libxl: error: libxl_domain.c:1064:domain_destroy_cb: Domain {domain.domid}:Destruction of domain failed",
    ]


def bring_up(host: "SimHost", domain: SimDomain) -> None:
    """Put a domain on its node, paused, with its disks; it is gone again where one of them is refused."""
    node = host.world.nodes[host.name]
    domain.paused = True
    node.domains.append(domain)
    try:
        attach_disks(host, domain)
    except XenError:
        forget(node, domain)
        raise


def attach_disks(host: "SimHost", domain: SimDomain) -> None:
    """Run the block scripts and let the backend open each device; all are taken away again where one script fails.

    Nobody tells when a device cannot be opened (transcripts 112, 114).
    """
    node = host.world.nodes[host.name]
    for tried, disk in enumerate(domain.disks, 1):
        complaints = hotplug.add(host, domain, disk)
        if complaints or domain.ending:
            failed = f"libxl: error: libxl_create.c:1672:domcreate_launch_dm: Domain {domain.domid}:"
            said = detach_disks(host, domain, domain.disks[:tried])
            raise XenError(*complaints, f"{failed}unable to add disk devices", *said)
        write = disk.mode == "w"
        disk.usable = block.open_device(host.world, node.name, disk.path, _holder(domain), write=write)


def detach_disks(host: "SimHost", domain: SimDomain, disks: Sequence[DomainDisk]) -> list[str]:
    """Close devices of a domain and tell their scripts, whose complaints are returned."""
    said = []
    for disk in disks:
        if disk.usable:
            block.close_device(host.world, host.name, disk.path, _holder(domain))
            disk.usable = False
        said += hotplug.remove(host, domain, disk)
    return said


def _holder(domain: SimDomain) -> str:
    return f"xen-{domain.domid}"


def remove(host: "SimHost", domain: SimDomain) -> list[str]:
    """End a domain at once: it never runs again, its disks are given back, then it is gone. Returns libxl's complaints."""
    domain.ending = True
    node = host.world.nodes[host.name]
    if node.pins_pages and any(disk.usable for disk in domain.disks):
        return _bury(node, domain)
    held = [disk for disk in domain.disks if disk.usable and block.holds_back(host.world, node.name, disk.path)]
    if held and not domain.zombie:
        _lose_name(domain)
        for disk in domain.disks:
            if disk in held:
                hotplug.remove(host, domain, disk)  # the device stays open
            else:
                detach_disks(host, domain, [disk])
    elif not held:
        detach_disks(host, domain, domain.disks)
        forget(node, domain)
    return []


def _lose_name(domain: SimDomain) -> None:
    domain.zombie, domain.name, domain.memory_bytes = True, "(null)", 0


def _bury(node: SimNode, domain: SimDomain) -> list[str]:
    """What cannot be taken apart stays as it is, nameless; no script is told (transcripts 229-235)."""
    if domain.zombie:
        return []
    _lose_name(domain)
    subject = f"Domain {domain.domid}:"
    said = []
    for path in (xenstore.absolute(xenstore.backend(domain, disk)) for disk in domain.disks):
        xenstore.remove(node, path)
        unable = f"{subject}unable to remove device with path {path}"
        said.append(f"libxl: error: libxl_device.c:1181:device_backend_callback: {unable}")
    return [*said, f"libxl: error: libxl_domain.c:1530:devices_destroy_cb: {subject}libxl__devices_destroy failed"]


def forget(node: SimNode, domain: SimDomain) -> None:
    """Take a domain off its node, and what xenstore has of it (``libxl__destroy_domid``)."""
    xenstore.remove(node, f"/local/domain/{domain.domid}")
    node.domains = [other for other in node.domains if other is not domain]
