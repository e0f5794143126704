"""The scripts that libxl runs for the disks of a domain, and what it says when one fails (transcripts 170, 171, 260)."""

from typing import TYPE_CHECKING, Final

from saltern.sim import block, xenstore
from saltern.sim.model import DomainDisk, SimDomain, SimNode, executable

if TYPE_CHECKING:
    from saltern.sim.host import SimHost
    from saltern.sim.world import World

DRBD_SCRIPT: Final = f"{xenstore.SCRIPTS}/block-drbd"  # of drbd-utils, which newer releases ship no more
_STANDARD: Final = (f"{xenstore.SCRIPTS}/block", DRBD_SCRIPT)
_CANNOT_EXECUTE: Final = 255
_SCRIPT_SAYS: Final = "libxl: error: libxl_device.c:1337:device_hotplug_child_death_cb: script: "


def add(host: "SimHost", domain: SimDomain, disk: DomainDisk) -> list[str]:
    """Have a disk made ready for the backend; returns libxl's complaints, none when the script did its work."""
    complaints = _run(host, domain, disk, "add")
    disk.path = "" if complaints else _device(host.world.nodes[host.name], xenstore.backend(domain, disk))
    return complaints


def remove(host: "SimHost", domain: SimDomain, disk: DomainDisk) -> list[str]:
    """Tell the script that a disk is no longer used, and forget it; returns libxl's complaints."""
    complaints = _run(host, domain, disk, "remove")
    xenstore.remove(host.world.nodes[host.name], xenstore.backend(domain, disk))
    return complaints


def _run(host: "SimHost", domain: SimDomain, disk: DomainDisk, verb: str) -> list[str]:
    script, path = xenstore.script_of(disk), xenstore.backend(domain, disk)
    node = host.world.nodes[host.name]
    if script in _STANDARD:
        error = _standard(host.world, node, domain, disk, verb)
        return [_exited(script, verb, 1), f"{_SCRIPT_SAYS}{error}"] if error else []
    reason = _cannot_execute(node, script)
    if reason:
        return [f"libxl: cannot execute {script}: {reason}", _exited(script, verb, _CANNOT_EXECUTE)]
    from saltern import block_script  # not before it is needed: most commands are shims that run once

    status = {"add": block_script.add, "remove": block_script.remove}[verb](host, path)
    host.step()
    if not status:
        return []
    told = xenstore.read(node, f"{path}/hotplug-error")
    return [_exited(script, verb, status), *([] if told is None else [f"{_SCRIPT_SAYS}{told}"])]


def _cannot_execute(node: SimNode, script: str) -> str:
    """The reason, empty where there is none."""
    if script not in node.files:
        return "No such file or directory"
    return "" if executable(node.files[script]) else "Permission denied"


def _exited(script: str, verb: str, status: int) -> str:
    process = f"{script} {verb} [1497]"
    return f"libxl: error: libxl_exec.c:117:libxl_report_child_exitstatus: {process} exited with error status {status}"


def _device(node: SimNode, path: str) -> str:
    """The device that the backend opens."""
    number = xenstore.read(node, f"{path}/physical-device") or ""
    major, _, minor = number.partition(":")
    if major == f"{block.DRBD_MAJOR:x}":
        return f"/dev/drbd{int(minor, 16)}"
    return xenstore.read(node, f"{path}/physical-device-path") or "" if number else ""


# --- The scripts of Xen and of drbd-utils ----------------------------------------------------------------------------
def _standard(world: "World", node: SimNode, domain: SimDomain, disk: DomainDisk, verb: str) -> str:
    """What the scripts ``block`` and ``block-drbd`` do; returns their complaint."""
    if verb == "remove":
        return _demote(world, node, disk)
    path = disk.target
    if xenstore.script_of(disk) == DRBD_SCRIPT:
        path = _promote(world, node, disk)
        if not path:
            return f"{DRBD_SCRIPT} failed; error detected."
    xenstore.write(node, f"{xenstore.backend(domain, disk)}/physical-device-path", path)
    users = (other for each in node.domains for other in each.disks if other.usable and other is not disk)
    if disk.mode == "w" and any(other.path == path and other.mode == "w" for other in users):
        return f"Device {path} is mounted in a guest domain,\nand so cannot be mounted now."
    xenstore.write(node, f"{xenstore.backend(domain, disk)}/physical-device", block.number(node, path))
    xenstore.write(node, f"{xenstore.backend(domain, disk)}/hotplug-status", "connected")
    return ""


def _promote(world: "World", node: SimNode, disk: DomainDisk) -> str:
    """What block-drbd does for a resource: find its device, make it Primary; empty when that failed."""
    from saltern.sim import drbd

    device = drbd.run(world, node.name, ["drbdadm", "sh-dev", disk.target])
    if device.returncode or drbd.run(world, node.name, ["drbdadm", "primary", disk.target]).returncode:
        return ""
    return device.stdout.strip()


def _demote(world: "World", node: SimNode, disk: DomainDisk) -> str:
    from saltern.sim import drbd

    if xenstore.script_of(disk) != DRBD_SCRIPT:
        return ""
    demoted = drbd.run(world, node.name, ["drbdadm", "secondary", disk.target])
    return f"{DRBD_SCRIPT} failed; error detected." if demoted.returncode else ""
