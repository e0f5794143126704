"""Running domains: started at home, once, on good data, and never because the partner is out of sight."""

from collections.abc import Iterator
from dataclasses import replace

from saltern.errors import Refused
from saltern.model.action import ForgetStop, StartDomain
from saltern.model.desired import DomainSpec, NodeSlice, domain_file
from saltern.model.observed import XenDomain
from saltern.model.running import Connection, ConnectionState, DiskState, ReplicationState, Role, RunningResource
from saltern.plan import attach, settled
from saltern.plan.step import Step, Wait
from saltern.plan.view import View
from saltern.units import format_size


def step(domain: DomainSpec, node_slice: NodeSlice, view: View) -> Step | Wait:
    """Start a domain on its home, when it provably runs nowhere else and its disks are UpToDate here.

    The proof is DRBD's: a connected partner that is Secondary on every disk cannot be running the domain. It is made here so
    that the reason is told before anything is attempted; the promotion itself, which only one side can have, is that of the
    block script at the moment of the start. Raises ``Refused`` for what time will not heal, returns ``Wait`` for what it may.
    """
    standing = view.operation(domain.name)
    if standing is not None and standing.alive:
        return Step(comment=f"{domain.name} is left alone: {standing.operation}")
    if standing is not None:
        raise Refused(
            f"domain {domain.name}",
            f"the {standing.operation} was left half-done, and is not settled on this node",
            "See what the state about the operation says",
        )
    found = view.xen.by_uuid(domain.uuid)
    stopped = view.stopped(domain.name, domain.uuid)
    if found is not None:
        return _no_longer_stopped(domain, stopped, _present(domain, node_slice, found, view))
    _refuse_taken_name(domain, view)
    if node_slice.node != domain.home:
        return Step(comment=f"{domain.name} belongs to {domain.home}")
    sides = [settled.require_running(node_slice.resources[disk.resource], node_slice, view) for disk in domain.disks]
    away = _runs_on_partner(domain, sides)
    if away is not None:
        return away
    if stopped is not None:
        return Step(comment=f"{domain.name} stays stopped: {stopped}; `salt-run state.orch start` starts it")
    for wait in _obstacles(domain, sides):
        return wait
    settled.require_block_script(view)
    settled.require_domain_configured(domain, view)
    _require_memory(domain, view)
    against = view.against_start(domain.name)
    if against is not None:
        return Wait(
            reason=f"{domain.name} is not started: {against}",
            remedy="See `guard.status` of this node, and whether its partner and the witness are there; then apply again",
        )
    return Step(
        comment=f"{domain.name} is started",
        actions=(StartDomain(domain=domain.name),),
        changes={f"domain {domain.name}": {"old": None, "new": "running"}},
    )


def _no_longer_stopped(domain: DomainSpec, stopped: str | None, step: Step | Wait) -> Step | Wait:
    """What runs here was started since, by whomever: a note that it is to stay stopped would come to light at its next end.

    That a disk is Primary on the partner tells nothing of the kind: somebody may be repairing what is on it.
    """
    if stopped is None or isinstance(step, Wait):
        return step
    return replace(
        step,
        actions=(ForgetStop(domain=domain.name),),
        changes={f"stop of {domain.name}": {"old": stopped, "new": None}},
    )


def _present(domain: DomainSpec, node_slice: NodeSlice, found: XenDomain, view: View) -> Step | Wait:
    subject = f"domain {domain.name}"
    if found.name == f"{domain.name}--migratedaway" and found.shut_down and not found.dying:
        return _sent(domain, node_slice, found)
    if found.suspended and not found.dying:
        return Wait(
            reason=f"{subject} (domid {found.domid}) is suspended: a migration is going on, or was interrupted",
            remedy="Wait for its end; after an interruption, look at both nodes with `xl list`: what is suspended does not go "
            f"on by itself, `xl destroy {found.domid}` ends it",
        )
    if found.shut_down or found.dying:
        return Wait(
            reason=f"{subject} (domid {found.domid}) is being shut down",
            remedy="Apply again when `xl list` no longer shows it",
        )
    if found.crashed:
        raise Refused(
            subject,
            "it has crashed and is kept as it is",
            f"Look at it, run `xl destroy {found.domid}`, and apply again",
        )
    if found.name != domain.name:
        raise Refused(
            subject,
            f"it is here as {found.name}: a migration is going on, or was interrupted",
            "Wait for its end; after an interruption, look at both nodes with `xl list` before ending either side",
        )
    if found.paused:
        raise Refused(
            subject,
            "it is paused",
            f"When no migration is going on, run `xl unpause {domain.name}` or `xl destroy {domain.name}`",
        )
    _refuse_dead_disk(domain, view)
    where = "at home" if node_slice.node == domain.home else f"here, away from its home {domain.home}"
    return Step(comment=f"{domain.name} runs {where}")


def _sent(domain: DomainSpec, node_slice: NodeSlice, found: XenDomain) -> Wait:
    """What xl keeps of a guest that it has sent, until it hears from the receiver (xl_migrate.c); it never goes on here."""
    other = domain.partner if node_slice.node == domain.home else domain.home
    return Wait(
        reason=f"domain {domain.name} (domid {found.domid}) is suspended: a migration is going on, or was interrupted; it is "
        f"here as {found.name}, the sender's half of a migration, so that it may be running on {other}",
        remedy=f"Wait for its end; after an interruption, look at `xl list` on {other}: there the guest goes on, or is to be "
        f"ended as {domain.name}--incoming. This half does not go on by itself, `xl destroy {found.domid}` ends it",
    )


def _refuse_dead_disk(domain: DomainSpec, view: View) -> None:
    """A guest whose disk is Secondary hangs on it, and nothing tells (transcripts 112, 114 and 169)."""
    for disk in domain.disks:
        side = view.running.get(disk.resource)
        if side is not None and side.role is Role.SECONDARY:
            raise Refused(
                f"domain {domain.name}",
                f"it is here, but its disk {disk.resource} is Secondary on this node: it cannot read or write",
                f"See where else it runs, then end this one (`xl destroy {domain.name}`) and apply again",
            )


def _refuse_taken_name(domain: DomainSpec, view: View) -> None:
    for other in view.xen.domains:
        if (
            other.name is not None
            and other.name.removesuffix("--incoming").removesuffix("--migratedaway") == domain.name
        ):
            raise Refused(
                f"domain {domain.name}",
                f"a domain called {other.name} with another UUID ({other.uuid}) is on this node",
                f"If it is the same machine, started by hand, write `uuid: {other.uuid}` in the topology or shut it down",
            )


def _connection(side: RunningResource) -> Connection | None:
    return side.connections[0] if side.connections else None


def _runs_on_partner(domain: DomainSpec, sides: list[RunningResource]) -> Step | None:
    roles = [connection.role if (connection := _connection(side)) is not None else Role.UNKNOWN for side in sides]
    if all(role is Role.PRIMARY for role in roles):
        return Step(comment=f"{domain.name} runs on {domain.partner}, or its disks are in use there")
    return None


def _obstacles(domain: DomainSpec, sides: list[RunningResource]) -> Iterator[Wait]:
    """Why the domain cannot be started now; raises ``Refused`` for what needs a person."""
    for side in sides:
        connection = _connection(side)
        if connection is None or connection.state is ConnectionState.STANDALONE:
            raise Refused(
                f"domain {domain.name}",
                f"{side.name} does not connect (StandAlone): the sides may have diverged",
                f"Look at `dmesg` on both nodes for a split-brain of {side.name} and decide which side to keep",
            )
        if connection.state is not ConnectionState.CONNECTED:
            yield Wait(
                reason=f"{side.name} is not connected to {domain.partner} ({connection.state}), so {domain.name} may be "
                "running there: unknown is not down",
                remedy=f"Bring {domain.partner} back, or see to the replication network, and apply again; only when it is "
                f"certainly down, take over by hand: `drbdadm primary {side.name}`, then `xl create`",
            )
        elif connection.role is not Role.SECONDARY:
            yield Wait(
                reason=f"{side.name} is {connection.role} on {domain.partner}, so {domain.name} may be running there",
                remedy=f"Look at {domain.name} on {domain.partner} with `xl list`",
            )
        yield from _disk_obstacles(domain, side, connection)
        yield from _partner_obstacles(domain, side, connection)


def _partner_obstacles(domain: DomainSpec, side: RunningResource, connection: Connection) -> Iterator[Wait]:
    """What a partner without its disk wrote alone is on that disk, and DRBD calls the copy here UpToDate by connecting."""
    if attach.is_without_disk(connection):
        raise Refused(
            f"domain {domain.name}",
            f"{side.name} has no disk on {domain.partner}, which may have written it alone: what is here may be older, though it "
            "is called UpToDate",
            f"Give {domain.partner} its disk back (`drbdadm attach {side.name}` there, or docs/howto/rebuild-a-replica.md), then "
            f"apply again; where it is known that nothing newer is on that disk, `xl create {domain_file(domain.name)}` here",
        )
    there = connection.volumes[0].disk if 0 in connection.volumes else DiskState.UNKNOWN
    if 0 not in connection.volumes or there in (DiskState.ATTACHING, DiskState.NEGOTIATING, DiskState.DETACHING):
        yield Wait(
            reason=f"the disk of {side.name} is {there} on {domain.partner}",
            remedy="Apply again when that is over",
        )


def _disk_obstacles(domain: DomainSpec, side: RunningResource, connection: Connection) -> Iterator[Wait]:
    disk = side.devices[0].disk
    if side.suspended:
        yield Wait(reason=f"I/O of {side.name} is suspended", remedy="See `drbdsetup status` for the reason")
    if side.fails_io:
        yield Wait(
            reason=f"{side.name} fails all its I/O: it was made Secondary by force while something had it open",
            remedy="End what has it open, then apply again",
        )
    if disk is DiskState.UP_TO_DATE:
        return
    replication = connection.volumes[0].replication if 0 in connection.volumes else ReplicationState.OFF
    if replication in (ReplicationState.OFF, ReplicationState.ESTABLISHED):
        raise Refused(
            f"domain {domain.name}",
            f"the disk of {side.name} is {disk} here, and no synchronisation is going on",
            "Only UpToDate data are started; synchronise it from the partner first",
        )
    yield Wait(
        reason=f"the disk of {side.name} is {disk} here and being synchronised ({replication})",
        remedy="Apply again when the synchronisation has ended",
    )


def _require_memory(domain: DomainSpec, view: View) -> None:
    if domain.memory_bytes > view.free_memory_bytes:
        raise Refused(
            f"domain {domain.name}",
            f"it needs {format_size(domain.memory_bytes)}, the hypervisor has {format_size(view.free_memory_bytes)} free",
            "Stop or move another domain, or give this one less memory in the topology",
        )
