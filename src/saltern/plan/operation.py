"""An operation on a domain that nobody works on any more: each node settles its own half, from what it sees of itself.

That the halves cannot contradict each other follows from the order in which xl does things (xl_migrate.c): the sender
suspends the guest, gives its name away, and only then allows the receiver to start it. From there on the sender's half
goes on only for a receiver that has destroyed its own.
"""

from collections.abc import Mapping, Sequence, Set
from typing import Final

from saltern.errors import Refused
from saltern.model.action import Action, EndDomain, EndOperation, ForgetStop, StartDomain, UnpauseDomain, WriteFile
from saltern.model.desired import DomainSpec
from saltern.model.observed import Xen, XenDomain
from saltern.model.operation import Half, Operation, OperationKind, Standing
from saltern.model.places import stopped_file
from saltern.model.running import ConnectionState, DiskState, Role, RunningResource
from saltern.plan.step import Step, Wait
from saltern.plan.view import View

# The longest time between two signs of life of whoever prepares an operation, before anybody holds its lock. One that is
# older is left. It can be taken up for half as long only, so that nobody begins to settle it in the moment in which it is.
LEFT_AFTER_S: Final = 120.0
TAKEN_UP_WITHIN_S: Final = LEFT_AFTER_S / 2
# A guest ends its services, and may not answer at all. It then goes on as if nobody had asked.
SHUTDOWN_S: Final = 600.0
# A start waits for its disks to be free and connected. xl then gives a large guest its memory before it returns.
START_S: Final = 60.0
CREATE_S: Final = 900.0
_WORK_S: Final = {OperationKind.STOP: SHUTDOWN_S, OperationKind.START: START_S + CREATE_S}


def standing(operation: Operation, *, held: bool, now_s: float) -> Standing:
    """Whether somebody works on it: a process holds its lock, or it was begun or renewed a moment ago.

    ``now_s`` is the clock of the node; what comes from before its last boot may seem to lie in the future, and is then only
    known to be older than that.
    """
    silent_s = now_s - operation.renewed_s
    age_s = silent_s if silent_s >= 0 else now_s
    return Standing(
        operation=operation,
        held=held,
        alive=held or 0 <= silent_s < LEFT_AFTER_S,
        other_at_work=age_s < over_after_s(operation.kind),
    )


def over_after_s(kind: OperationKind) -> float:
    """How long after the last sign of life the node that starts or shuts a domain down is certainly no longer at it."""
    return LEFT_AFTER_S + TAKEN_UP_WITHIN_S + _WORK_S.get(kind, 0.0)


def is_ready(operation: Operation, now_s: float) -> bool:
    """Whether it may be taken up now."""
    return 0 <= now_s - operation.renewed_s < TAKEN_UP_WITHIN_S


def step(domain: DomainSpec, view: View) -> Step | Wait:
    """Settle this node's half of an operation that was left; one that somebody works on is left alone."""
    found = view.operation(domain.name)
    if found is None:
        return Step(comment=f"nothing is being done with {domain.name}")
    if found.alive or found.operation.kind is OperationKind.REMAKE:
        return left_alone(found)
    settled = settle(found, view.xen, view.running if heeds_other(found.operation) else {})
    if isinstance(settled, Wait):
        return settled
    return Step(
        comment=f"{found.operation.kind} of {domain.name} was left by {found.operation.owner}: {told(settled)}",
        actions=settled,
        changes={f"{found.operation.kind} of {domain.name}": {"old": "left half-done", "new": told(settled)}},
    )


def left_alone(found: Standing) -> Step:
    """Nothing is done with what somebody works on, nor with what only the same remake can go on with."""
    if found.alive:
        return Step(comment=f"left alone: {found.operation}")
    left = f"left half-done: {found.operation}; the same `salt-run state.orch remake` again takes it up"
    return Step(comment=left, warning=left)


def settle(left: Standing, xen: Xen, running: Mapping[str, RunningResource]) -> tuple[Action, ...] | Wait:
    """What makes this half whole, one action at a time; the last one ends the operation here.

    Only to be asked while no process of the operation is left on this node. A half that was never begun has left nothing:
    whatever is to be seen is somebody else's. ``running`` is what DRBD tells, for a half that ``heeds_other``.
    Raises ``Refused`` for what it does not leave.
    """
    operation = left.operation
    found = xen.by_uuid(operation.uuid)
    if not operation.taken:
        return (EndOperation(domain=operation.domain),)
    if found is None:
        return _gone(left, running)
    if found.name is None or found.dying:
        return Wait(
            reason=f"what is left of {operation.domain} (domid {found.domid}) is going away",
            remedy=f"Apply again when `xl list` no longer shows it; while it stays, {operation.domain} cannot be started here",
        )
    if operation.kind is not OperationKind.MIGRATE:
        return _apart(operation, found, found.name)
    if operation.half is Half.SOURCE:
        return _sender(operation, found, found.name)
    return _receiver(operation, found, found.name)


def follows(operation: Operation) -> bool:
    """Whether this half is made whole by what became of the other one: on the node that starts and shuts down nothing."""
    idle = {OperationKind.STOP: Half.TARGET, OperationKind.START: Half.SOURCE}
    return operation.taken and idle.get(operation.kind) is operation.half


def bars_takeover(found: Standing) -> bool:
    """Whether a guard whose partner is proven dead leaves a domain alone, since something of an operation may be going on here.

    What this node has yet to begin, or has left to the other one, comes to nothing now, whoever still renews it; and a start that
    waits for the other node can be given up. What is between two topologies is settled by no rule.
    """
    operation = found.operation
    if operation.kind is OperationKind.REMAKE:
        return True
    if found.held:
        waits = operation.kind in (OperationKind.OFFLINE, OperationKind.START)
        return not (waits and operation.half is Half.TARGET)
    return found.alive and has_process(operation)


def has_process(operation: Operation) -> bool:
    """Whether a process works on this half for as long as it is begun and not over.

    Not on one that only waits for the other node: one that ``follows`` it, or has shut the domain down for it.
    """
    handed_over = operation.kind is OperationKind.OFFLINE and operation.half is Half.SOURCE
    return operation.taken and not follows(operation) and not handed_over


def heeds_other(operation: Operation) -> bool:
    """Whether DRBD is asked what the other node is, to settle this half of a domain that is not here.

    A start is over when it runs, wherever: a node that was lost while it started it may find it on the other one.
    """
    return operation.taken and (follows(operation) or operation.kind is OperationKind.START)


def _gone(left: Standing, running: Mapping[str, RunningResource]) -> tuple[Action, ...] | Wait:
    """Of a domain that is not here. What was to be stopped, and is down, stays so, whoever has lived to see it."""
    operation = left.operation
    over = EndOperation(domain=operation.domain)
    if not heeds_other(operation):
        return (keep_stopped(operation), over) if operation.kind is OperationKind.STOP else (over,)
    roles = {role for name in operation.resources for role in _roles_elsewhere(running.get(name))}
    if operation.kind is OperationKind.STOP:
        return _stopped_there(left, roles, over)
    return _started_there(left, roles, over) if follows(operation) else _lost_while_starting(left, roles, over)


def _stopped_there(left: Standing, roles: Set[Role | None], over: EndOperation) -> tuple[Action, ...] | Wait:
    """A domain that runs has all its disks; with some of them it is going, or coming."""
    operation = left.operation
    if roles == {Role.SECONDARY}:
        return (keep_stopped(operation), over)
    if Role.PRIMARY not in roles:
        return Wait(
            reason=f"whether {operation.domain} was shut down on {operation.source} is unknown: not all of "
            f"{', '.join(operation.resources)} is connected",
            remedy=f"Bring {operation.source} back, or see to the replication network; then try again",
        )
    if Role.SECONDARY in roles or left.other_at_work:
        return _wait(operation, f"shutting down on {operation.source}")
    return (over,)


def _started_there(left: Standing, roles: Set[Role | None], over: EndOperation) -> tuple[Action, ...] | Wait:
    """It was to run: only what is seen not to have been started, and not to be about to, stays stopped."""
    if roles != {Role.SECONDARY}:
        return (ForgetStop(domain=left.operation.domain), over)
    if left.other_at_work:
        return _wait(left.operation, f"starting on {left.operation.target}")
    return (over,)


def _lost_while_starting(left: Standing, roles: Set[Role | None], over: EndOperation) -> tuple[Action, ...] | Wait:
    """On the node that was to start it. Whoever has begun that and ends it knows that nothing was started, here or there."""
    operation = left.operation
    if left.held or roles == {Role.SECONDARY}:
        return (over,)
    if Role.PRIMARY in roles:  # its guard has taken it over
        return (ForgetStop(domain=operation.domain), over)
    return Wait(
        reason=f"whether {operation.domain} was started on {operation.source} meanwhile is unknown: not all of "
        f"{', '.join(operation.resources)} is connected",
        remedy=f"Bring {operation.source} back, or see to the replication network; then try again. Or `salt-run cluster.release "
        f"{operation.domain}`, which keeps a note that it stays stopped",
    )


def _wait(operation: Operation, doing: str) -> Wait:
    return Wait(
        reason=f"{operation.domain} may still be {doing}",
        remedy=f"Try again when that has ended, {over_after_s(operation.kind) / 60:.0f} minutes after it was begun at the latest",
    )


def _roles_elsewhere(side: RunningResource | None) -> set[Role | None]:
    """What the other node is; ``None`` where that is unknown."""
    connections = () if side is None else side.connections
    return {each.role if each.state is ConnectionState.CONNECTED else None for each in connections} or {None}


def keep_stopped(operation: Operation) -> WriteFile:
    """Note that a domain is to stay stopped, and who wants that."""
    note = f"{operation.uuid} stopped by {operation.owner} at {operation.since}\n"
    return WriteFile(path=stopped_file(operation.domain), text=note, mode=0o600)


def _sender(operation: Operation, found: XenDomain, name: str) -> tuple[Action, ...]:
    if name == f"{operation.domain}--migratedaway" or (name == operation.domain and found.suspended):
        return (EndDomain(domain=name),)
    if name == operation.domain:
        return (EndOperation(domain=operation.domain),)
    raise _strange(operation, name)


def _receiver(operation: Operation, found: XenDomain, name: str) -> tuple[Action, ...]:
    if name == f"{operation.domain}--incoming":
        return (EndDomain(domain=name),)
    if name == operation.domain and found.paused:
        return (UnpauseDomain(domain=name),)
    if name == operation.domain:
        return (EndOperation(domain=operation.domain),)
    raise _strange(operation, name)


def _apart(operation: Operation, found: XenDomain, name: str) -> tuple[Action, ...] | Wait:
    """Of a start or a stop, which one node does alone: what was created and has never run is not whole, and has lost nothing."""
    if name != operation.domain:
        raise _strange(operation, name)
    if found.shut_down:
        return Wait(
            reason=f"{name} (domid {found.domid}) is being shut down",
            remedy="Apply again when `xl list` no longer shows it",
        )
    starts = operation.half is Half.TARGET and operation.kind is not OperationKind.STOP
    if starts and found.paused and found.cpu_time_s == 0:
        return (EndDomain(domain=name),)
    return (EndOperation(domain=operation.domain),)


def start(operation: Operation, xen: Xen, running: Mapping[str, RunningResource]) -> tuple[Action, ...] | Wait:
    """What starts the domain of an operation on this node, its target: nothing, when it is here already.

    That it runs nowhere else is proven as ever: the partner of every disk is connected, and Secondary. Who planned the
    operation has seen to all that does not change by itself, and the block script looks again.
    """
    if xen.by_uuid(operation.uuid) is not None:
        return ()
    for name in operation.resources:
        reason = _not_startable(name, running.get(name))
        if reason:
            return Wait(reason=reason, remedy="See `drbdsetup status` on both nodes")
    return (StartDomain(domain=operation.domain),)


def may_stop(operation: Operation, running: Mapping[str, RunningResource]) -> str | None:
    """Why a domain is not shut down now to be started on the other node, which could not start it; ``None`` when it may be."""
    for name in operation.resources:
        side = running.get(name)
        connection = side.connections[0] if side is not None and side.connections else None
        if connection is None or connection.state is not ConnectionState.CONNECTED:
            return f"{name} is not connected"
        if 0 not in connection.volumes or connection.volumes[0].disk is not DiskState.UP_TO_DATE:
            return f"{name} is not UpToDate on {operation.target}"
    return None


def _not_startable(name: str, side: RunningResource | None) -> str | None:
    if side is None or not side.connections:
        return f"{name} has no connection"
    connection = side.connections[0]
    if connection.state is not ConnectionState.CONNECTED:
        return f"{name} is not connected ({connection.state}): unknown is not down"
    if connection.role is not Role.SECONDARY:
        return f"{name} is {connection.role} on the other node"
    if 0 not in side.devices or side.devices[0].disk is not DiskState.UP_TO_DATE:
        return f"{name} is not UpToDate here"
    return None


def _strange(operation: Operation, name: str) -> Refused:
    return Refused(
        f"domain {operation.domain}",
        f"it is here as {name}, which the {operation.kind} does not leave on its {operation.half}",
        "Look at `xl list` on both nodes and end what does not belong there; then `salt-run cluster.release "
        f"{operation.domain}`",
    )


def told(actions: Sequence[Action]) -> str:
    """What settling comes to, in words."""
    words = {
        EndDomain: "its remains are ended",
        UnpauseDomain: "it goes on here",
        WriteFile: "it stays stopped",
        ForgetStop: "it no longer is to stay stopped",
        EndOperation: "it is over on this node",
    }
    return ", ".join(words[type(action)] for action in actions)
