"""``xl migrate``: a live migration over ssh, told by both ends (transcripts 126, 163-170, 260, 261)."""

from typing import TYPE_CHECKING

from saltern.sim import xen, xl_show
from saltern.sim.model import SimDomain, SimNode
from saltern.sim.options import Options
from saltern.sim.tools import Result

if TYPE_CHECKING:
    from saltern.sim.world import World

TRANSFER_S = 18.0
_NO_ROUTE_S = 3.0

_LIBXL = "libxl: error: libxl_utils.c:505:libxl_read_exactly: file/stream truncated reading"
_TRANSPORT = "libxl: info: libxl_exec.c:117:libxl_report_child_exitstatus: migration transport process"


class _Failed(Exception):
    """A migration that ends with exit code 1 and these last lines."""

    def __init__(self, *lines: str) -> None:
        super().__init__(*lines)
        self.lines = list(lines)


def migrate(world: "World", node: SimNode, domain: SimDomain, options: Options) -> Result:
    """Move a running domain to another node, or leave it as it was."""
    said: list[str] = []
    try:
        target = _connect(world, node, options.operands[1])
        said += _preamble(domain)
        arriving = _receive(world, target, domain)
        world.advance(TRANSFER_S)
        _check_suspends(node, domain, target, arriving)
        said += _transferred()
        _switch(world, node, domain, target, arriving, said)
    except _Failed as failed:
        return Result(1, "", "".join(f"{line}\n" for line in said + failed.lines))
    return Result(0, "", "".join(f"{line}\n" for line in said))


def _connect(world: "World", node: SimNode, host: str) -> SimNode:
    target = world.node_at(host)
    if target is None and not _is_address(host):
        reason = f"ssh: Could not resolve hostname {host}: Temporary failure in name resolution"
    elif target is None or not world.linked(node.name, target.name):
        world.advance(_NO_ROUTE_S)
        reason = f"ssh: connect to host {host} port 22: No route to host"
    else:
        return target
    raise _Failed(
        reason,
        f"{_LIBXL} banner from migration receiver stream",
        f"{_TRANSPORT} [1002] exited with error status 255",
    )


def _is_address(host: str) -> bool:
    return ":" in host or not host.strip("0123456789.")


def _preamble(domain: SimDomain) -> list[str]:
    machine = "x86 PV" if xl_show.kind(domain) == "pv" else "x86 HVM"
    return [
        "migration target: Ready to receive domain.",
        "Saving to migration stream new xl format (info 0x3/0x0/1322)",
        "Loading new save file <incoming migration stream> (new xl fmt info 0x3/0x0/1322)",
        " Savefile contains xl domain config in JSON format",
        "Parsing config from <saved>",
        f"xc: info: Saving domain {domain.domid}, type {machine}",
        f"xc: info: Found {machine} domain from Xen 4.17",
        "xc: info: Restoring domain",
    ]


def _receive(world: "World", target: SimNode, domain: SimDomain) -> SimDomain:
    """The paused, empty domain that waits for its memory; refused where its disks or its memory are missing."""
    arriving = xen.new_domain(world, target, f"{domain.name}--incoming", domain.uuid, domain.config, domain)
    arriving.paused = True
    try:
        xen.check_disks(world, target, arriving)
        if domain.memory_bytes > xen.free_memory_bytes(target):
            raise xen.XenError(
                "xc: error: Failed to populate physmap (16 = Device or resource busy): Internal error",
                "xc: error: Failed to populate pfns for batch of 1024 pages: Internal error",
                "xc: error: Restore failed (16 = Device or resource busy): Internal error",
                "libxl: error: libxl_stream_read.c:850:libxl__xc_domain_restore_done: restoring domain: "
                "Device or resource busy",
                f"libxl: error: libxl_create.c:1640:domcreate_rebuild_done: Domain {arriving.domid}:"
                "cannot (re-)build domain: -3",
            )
    except xen.XenError as error:
        raise _Failed(
            *error.lines,
            *xen.gone(arriving),
            "migration target: Domain creation failed (code -3).",
            f"{_LIBXL} ipc msg header from domain {domain.domid} save/restore helper stdout pipe",
            f"libxl: error: libxl_exec.c:127:libxl_report_child_exitstatus: domain {domain.domid} save/restore helper "
            "[1213] died due to fatal signal Broken pipe",
            "migration sender: libxl_domain_suspend failed (rc=-3)",
            f"{_TRANSPORT} [1212] exited with error status 1",
            "Migration failed, resuming at sender.",
            f"xc: error: Dom {domain.domid} not suspended: (shutdown 0, reason 255): Internal error",
            f"libxl: error: libxl_dom_suspend.c:666:domain_resume_done: Domain {domain.domid}:"
            "xc_domain_resume failed: Invalid argument",
        ) from error
    target.domains.append(arriving)
    return arriving


def _check_suspends(node: SimNode, domain: SimDomain, target: SimNode, arriving: SimDomain) -> None:
    """A guest that has stopped or is paused does not answer when it is asked to stand still (transcript 119)."""
    if domain in node.domains and domain.running:
        return
    target.domains.remove(arriving)
    raise _Failed(
        "libxl: error: libxl_stream_write.c:347:libxl__xc_domain_save_done: "
        f"Domain {domain.domid}:saving domain: domain did not respond to suspend request: Invalid argument",
        "migration sender: libxl_domain_suspend failed (rc=-8)",
        "xc: error: Failed to read Record Header from stream (0 = Success): Internal error",
        "xc: error: Restore failed (0 = Success): Internal error",
        "libxl: error: libxl_stream_read.c:850:libxl__xc_domain_restore_done: restoring domain: Success",
        f"libxl: error: libxl_create.c:1640:domcreate_rebuild_done: Domain {arriving.domid}:"
        "cannot (re-)build domain: -3",
        *xen.gone(arriving),
        "migration target: Domain creation failed (code -3).",
        f"{_TRANSPORT} [1482] exited with error status 1",
        "Migration failed, failed to suspend at sender.",
    )


def _transferred() -> list[str]:
    return [
        "xc: info: Restore successful",
        "xc: info: XenStore: mfn 0xfeffc, dom 0, evt 1",
        "xc: info: Console: mfn 0xfefff, dom 0, evt 2",
    ]


def _switch(
    world: "World", node: SimNode, domain: SimDomain, target: SimNode, arriving: SimDomain, said: list[str]
) -> None:
    """The guest stands still here, and goes on there once its disks are there and its name is free."""
    domain.paused = True
    try:
        xen.attach_disks(world, target, arriving)
    except xen.XenError as error:
        target.domains.remove(arriving)
        domain.paused = False
        raise _Failed(
            *error.lines,
            *xen.gone(arriving),
            "migration target: Domain creation failed (code -3).",
            f"{_LIBXL} ready message from migration receiver stream",
            f"{_TRANSPORT} [1596] exited with error status 1",
            "Migration failed, resuming at sender.",
        ) from error
    said += [
        "migration sender: Target has acknowledged transfer.",
        "migration target: Transfer complete, requesting permission to start domain.",
        "migration sender: Giving target permission to start.",
        "migration target: Got permission, starting domain.",
    ]
    name, domain.name = domain.name, f"{domain.name}--migratedaway"
    arriving.name = name
    try:
        xen.check_name(target, arriving)
    except xen.XenError as error:
        xen.remove(world, target, arriving)
        domain.name, domain.paused = name, False
        raise _Failed(
            *error.lines,
            "migration target: Failure, destroying our copy.",
            "migration sender: Target reports startup failure (status code 6).",
            "migration target: Cleanup OK, granting sender permission to resume.",
            "migration sender: Trying to resume at our end.",
            "migration sender: Resumed OK.",
            "Migration failed due to problems at target.",
        ) from error
    _resume(domain, arriving)
    xen.remove(world, node, domain)
    said += [
        "migration target: Domain started successsfully.",
        "migration sender: Target reports successful startup.",
        "Migration successful.",
    ]


def _resume(domain: SimDomain, arriving: SimDomain) -> None:
    """The guest goes on with all that it remembers."""
    arriving.paused = False
    for old, new in zip(domain.disks, arriving.disks, strict=True):
        new.acknowledged = dict(old.acknowledged)
    arriving.stops_at_s, arriving.restarts = domain.stops_at_s, domain.restarts
