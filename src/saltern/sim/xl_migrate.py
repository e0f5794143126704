"""``xl migrate``: a live migration over ssh, told by both ends (transcripts 126, 163-170, 229-246, 260, 261).

Who waits for whom, and what is left when one of them goes away, follows xl_migrate.c.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from saltern.model.operation import Half, Operation
from saltern.model.places import OPERATION_SCRIPT, operation_file, operation_lock
from saltern.parse import operation
from saltern.sim import processes, ssh_keygen, xen, xl_show
from saltern.sim.host import Killed
from saltern.sim.model import Process, SimDomain, SimNode
from saltern.sim.options import Options
from saltern.sim.tools import Result

if TYPE_CHECKING:
    from saltern.sim.host import SimHost
    from saltern.sim.world import World

TRANSFER_S = 18.0
_NO_ROUTE_S = 3.0
_PATIENCE_S = 924.0  # of TCP, until it gives a silent peer up (tcp_retries2)

_LIBXL = "libxl: error: libxl_utils.c:505:libxl_read_exactly: file/stream truncated reading"
_TRANSPORT = "libxl: info: libxl_exec.c:117:libxl_report_child_exitstatus: migration transport process"
_UNDEFINED = (
    "** Migration failed during final handshake **",
    "Domain state is now undefined !",
    "Please CHECK AT BOTH ENDS for running instances, before renaming and",
    " resuming at most one instance.  Two simultaneous instances of the domain",
    " would probably result in SEVERE DATA LOSS and it is now your",
    " responsibility to avoid that.  Sorry.",
)


class _Failed(Exception):
    """A migration that ends with exit code 1 and these last lines."""

    def __init__(self, *lines: str) -> None:
        super().__init__(*lines)
        self.lines = list(lines)


class _Lost(Exception):
    """The sender hears no more of the receiver."""


@dataclass
class _Migration:
    """A migration on its way: both ends, and what both have said to the one terminal that they share."""

    here: "SimHost"
    node: SimNode
    domain: SimDomain
    there: "SimHost"
    target: SimNode
    arriving: SimDomain
    power_cuts: int  # of the receiver when it was called
    receiver: "Receiver"
    go: bool = False  # the sender has given its permission, and does not know what came of it
    said: list[str] = field(default_factory=list)

    def across(self) -> None:
        """A message between the two; while the link is cut it waits, and so does everybody (transcripts 229-232, 244)."""
        ends_s = self.here.now() + _PATIENCE_S
        world = self.here.world
        while not world.reachable(self.node.name, self.target.name):
            if self.here.now() >= ends_s:
                raise _Lost
            self.here.sleep(1.0)
        if self.here.dead:
            raise Killed(f"xl on {self.node.name} was killed")
        if self.target.power_cuts != self.power_cuts or self.receiver.killed:
            raise _Lost


class Receiver:
    """``xl migrate-receive``, a child of Saltern's receiver where that is the way in."""

    def __init__(self) -> None:
        self._ended = False
        self._killed = False
        self._node: SimNode | None = None
        self._parent: Process | None = None

    def serve(self, world: "World", node: SimNode, domain: str, identifier: str) -> None:
        """Run under Saltern's receiver, and die with it."""
        self._node = node
        self._parent = processes.start(world, node, (OPERATION_SCRIPT, "receive", domain, identifier), self)

    @property
    def killed(self) -> bool:
        """Whether it was killed, or what it is a child of."""
        parent, node = self._parent, self._node
        if parent is not None and node is not None and not self._ended:
            self._killed |= not parent.scheduled and all(each is not parent for each in node.processes)
        return self._killed

    def ended(self) -> bool:
        """Whether it has ended."""
        return self._ended or self._killed

    def end(self) -> None:
        """It has done its work, or given it up."""
        self._ended = True

    def kill(self) -> None:
        """End it at once."""
        self._killed = not self._ended


def migrate(host: "SimHost", node: SimNode, domain: SimDomain, options: Options) -> Result:
    """Move a running domain to another node, or leave it as it was."""
    try:
        address, identifier = _entered(node, domain) if _by_saltern(options) else (options.operands[1], "")
        target = _connect(host, node, address)
        receiver = Receiver()
        if identifier:
            _log_in(host, node, target, domain, identifier)
            receiver.serve(host.world, target, domain.name, identifier)
            _wait_for_banner(host, target, receiver, domain.name)
        there = host.elsewhere(target.name)
        arriving = xen.new_domain(host.world, target, f"{domain.name}--incoming", domain.uuid, domain.config, domain)
        arriving.paused = True
        migration = _Migration(
            host, node, domain, there, target, arriving, target.power_cuts, receiver, said=_preamble(domain)
        )
    except _Failed as failed:
        return Result(1, "", "".join(f"{line}\n" for line in failed.lines))
    returncode = _run(migration)
    return Result(returncode, "", "".join(f"{line}\n" for line in migration.said))


def _run(migration: _Migration) -> int:
    power_cuts = migration.node.power_cuts
    try:
        _move(migration)
    except _Failed as failed:
        migration.said += failed.lines
        _leave(migration)
        return 1
    except Killed:
        if migration.node.power_cuts == power_cuts:  # else nobody tells the receiver, and it goes on waiting
            _sender_is_gone(migration)
        raise
    migration.receiver.end()
    return 0


def _leave(migration: _Migration) -> None:
    """The sender has ended: so does a receiver that hears of it."""
    if migration.here.world.reachable(migration.node.name, migration.target.name):
        migration.receiver.end()


def _move(migration: _Migration) -> None:
    try:
        _receive(migration)
        _watch_memory(migration)
        migration.here.sleep(TRANSFER_S)
        migration.across()
        _suspend(migration)
        _attach(migration)
        migration.across()
    except (_Lost, Killed) as error:
        if migration.here.dead:
            raise
        raise _Failed(
            f"{_LIBXL} ready message from migration receiver stream",
            f"{_TRANSPORT} [1596] exited with error status 255",
            _resume(migration),
        ) from error
    name = _hand_over(migration)
    try:
        _start(migration, name)
    except (_Lost, Killed) as error:
        if migration.here.dead:
            raise
        raise _Failed(f"{_LIBXL} success/failure report message from migration receiver stream", *_UNDEFINED) from error
    migration.said.append("migration sender: Target reports successful startup.")
    migration.said += [*xen.remove(migration.here, migration.domain), "Migration successful."]


def _connect(host: "SimHost", node: SimNode, address: str) -> SimNode:
    target = host.world.node_at(address)
    if target is None and not _is_address(address):
        reason = f"ssh: Could not resolve hostname {address}: Temporary failure in name resolution"
    elif target is None or not host.world.reachable(node.name, target.name):
        host.sleep(_NO_ROUTE_S)
        reason = f"ssh: connect to host {address} port 22: No route to host"
    else:
        return target
    raise _Failed(
        reason,
        f"{_LIBXL} banner from migration receiver stream",
        f"{_TRANSPORT} [1002] exited with error status 255",
    )


def _by_saltern(options: Options) -> bool:
    return options.given.get("ssh") == [""] and options.operands[1] == f"{OPERATION_SCRIPT} connect"


def _entered(node: SimNode, domain: SimDomain) -> tuple[str, str]:
    """Where Saltern's way leads, and the id of the operation, by the entry on this node."""
    found = _operation(node, domain.name)
    if found is None:
        raise _Failed(f"saltern: domain {domain.name}: no operation is entered on this node")
    return found.address, found.id


def _log_in(host: "SimHost", node: SimNode, target: SimNode, domain: SimDomain, identifier: str) -> None:
    """Saltern's receiver takes in only what is expected."""
    denied = ssh_keygen.refusal(node, target)
    if denied:
        raise _Failed(
            denied,
            f"{_LIBXL} banner from migration receiver stream",
            f"{_TRANSPORT} [1002] exited with error status 255",
        )
    found = _operation(target, domain.name)
    taken = found is None or found.id != identifier or found.half is not Half.TARGET
    if taken or operation_lock(domain.name) in target.held:
        raise _Failed(
            f"saltern: domain {domain.name}: the operation {identifier} is not to be taken up on {target.name}",
            f"{_LIBXL} banner from migration receiver stream",
            f"{_TRANSPORT} [1002] exited with error status 1",
        )


def _wait_for_banner(host: "SimHost", target: SimNode, receiver: Receiver, domain: str) -> None:
    """Saltern starts the receiver when it has taken its half up, and not before."""
    power_cuts, ends_s = target.power_cuts, host.now() + _PATIENCE_S
    while True:
        found = _operation(target, domain)
        if found is not None and found.taken:
            return
        if found is None or receiver.killed or target.power_cuts != power_cuts or host.now() >= ends_s:
            raise _Failed(
                f"{_LIBXL} banner from migration receiver stream",
                f"{_TRANSPORT} [1002] exited with error status 1",
            )
        host.sleep(0.5)


def _operation(node: SimNode, domain: str) -> Operation | None:
    found = node.files.get(operation_file(domain))
    return None if found is None else operation.parse(found[0])


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


def _receive(migration: _Migration) -> None:
    """The paused, empty domain that waits for its memory; refused where its disks or its memory are missing."""
    target, domain, arriving = migration.target, migration.domain, migration.arriving
    try:
        xen.check_disks(migration.here.world, target, arriving)
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
    migration.there.step()


def _watch_memory(migration: _Migration) -> None:
    """Xen notes which pages are written meanwhile; those of a PV domain by shadow paging (paging_log_dirty_enable)."""
    if xl_show.kind(migration.domain) == "pv" and not migration.node.shadow_paging:
        raise _not_sent(
            migration,
            "xc: error: Failed to enable logdirty: 95,22,0 (22 = Invalid argument): Internal error",
            "xc: error: Save failed (22 = Invalid argument): Internal error",
        )


def _suspend(migration: _Migration) -> None:
    """The guest stands still; one that has stopped or is paused does not answer when it is asked to (transcript 119)."""
    domain = migration.domain
    if not (domain in migration.node.domains and domain.running):
        raise _not_sent(migration)
    domain.suspended = True
    migration.here.step()


def _not_sent(migration: _Migration, *why: str) -> _Failed:
    """The domain stays here, and its other half is given up (transcripts 119, 495)."""
    domain, arriving = migration.domain, migration.arriving
    xen.remove(migration.there, arriving)
    return _Failed(
        *why,
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


def _attach(migration: _Migration) -> None:
    """The disks on the other side, while the guest stands still on this one."""
    arriving = migration.arriving
    migration.said += [
        "xc: info: Restore successful",
        "xc: info: XenStore: mfn 0xfeffc, dom 0, evt 1",
        "xc: info: Console: mfn 0xfefff, dom 0, evt 2",
    ]
    try:
        xen.attach_disks(migration.there, arriving)
    except xen.XenError as error:
        xen.forget(migration.target, arriving)
        raise _Failed(
            *error.lines,
            *xen.gone(arriving),
            "migration target: Domain creation failed (code -3).",
            f"{_LIBXL} ready message from migration receiver stream",
            f"{_TRANSPORT} [1596] exited with error status 1",
            _resume(migration),
        ) from error


def _resume(migration: _Migration) -> str:
    """The guest goes on where it was."""
    migration.domain.suspended = False
    return "Migration failed, resuming at sender."


def _hand_over(migration: _Migration) -> str:
    """The sender gives its name away, and with it the right to go on; returns the name."""
    domain = migration.domain
    name, domain.name = domain.name, f"{domain.name}--migratedaway"
    migration.here.step()
    migration.go = True
    migration.said += [
        "migration sender: Target has acknowledged transfer.",
        "migration target: Transfer complete, requesting permission to start domain.",
        "migration sender: Giving target permission to start.",
    ]
    return name


def _start(migration: _Migration, name: str) -> None:
    """The guest goes on over there; where its name is taken it comes back."""
    migration.across()
    domain, arriving = migration.domain, migration.arriving
    if arriving.ending:  # somebody destroyed it
        raise _Lost
    migration.said.append("migration target: Got permission, starting domain.")
    before, arriving.name = arriving.name, name
    try:
        xen.check_name(migration.target, arriving)
    except xen.XenError as error:
        arriving.name = before
        xen.remove(migration.there, arriving)
        migration.across()
        domain.name, domain.suspended = name, False
        raise _Failed(
            *error.lines,
            "migration target: Failure, destroying our copy.",
            "migration sender: Target reports startup failure (status code 6).",
            "migration target: Cleanup OK, granting sender permission to resume.",
            "migration sender: Trying to resume at our end.",
            "migration sender: Resumed OK.",
            "Migration failed due to problems at target.",
        ) from error
    migration.there.step()
    _go_on(domain, arriving)
    migration.said.append("migration target: Domain started successsfully.")
    migration.there.step()
    migration.across()


def _go_on(domain: SimDomain, arriving: SimDomain) -> None:
    """The guest goes on with all that it remembers."""
    arriving.paused = False
    for old, new in zip(domain.disks, arriving.disks, strict=True):
        new.acknowledged = dict(old.acknowledged)
    arriving.stops_at_s, arriving.restarts = domain.stops_at_s, domain.restarts


def _sender_is_gone(migration: _Migration) -> None:
    """What the receiver does when its input ends: destroy its copy, or start it if it has the permission already."""
    arriving, world = migration.arriving, migration.here.world
    if not world.reachable(migration.node.name, migration.target.name):
        return
    if migration.receiver.killed:
        return
    migration.receiver.end()
    if arriving not in migration.target.domains:
        return
    if not migration.go:
        xen.remove(world.host(migration.target.name), arriving)
    elif arriving.paused:
        arriving.name = arriving.name.removesuffix("--incoming")
        _go_on(migration.domain, arriving)
