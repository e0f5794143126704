"""Starting a domain, and shutting it down: a process on the node that does it, which holds its half of the operation."""

from collections.abc import Generator, Iterator
from contextlib import suppress
from typing import Final

from saltern import may_start, operations
from saltern.act import perform
from saltern.argv import xen, xenstore
from saltern.errors import SalternError
from saltern.model.action import Action, EndOperation, ForgetStop
from saltern.model.operation import Half, Operation, OperationKind
from saltern.model.places import operation_log, told_to_stop
from saltern.observe import read_running, read_version, read_xen
from saltern.plan import operation as plan
from saltern.plan.operation import SHUTDOWN_S, START_S
from saltern.plan.step import Wait
from saltern.run import Host

_POLL_S: Final = 1.0
# A guest that restarts itself is gone for as long as xl sleeps before it creates it anew (2 s, create_domain of xl_vmcontrol.c).
_REBOOT_S: Final = 5.0


def stopping(host: Host, domain: str, identifier: str) -> Iterator[float]:
    """Shut a domain down, then settle this half; yields how long there is nothing to do."""
    with operations.taken_up(host, domain, identifier, Half.SOURCE) as operation:
        gone = False
        try:
            gone = yield from _shut_down(host, operation)
        except (SalternError, OSError) as error:
            _log(host, operation, str(error))
        if gone and operation.kind is OperationKind.OFFLINE:
            operations.hand_over(host, operation)
        else:
            operations.settle_half(host, operation)


def starting(host: Host, domain: str, identifier: str) -> Iterator[float]:
    """Start a domain as soon as its disks are free, then settle this half; yields how long there is nothing to do."""
    with operations.taken_up(host, domain, identifier, Half.TARGET) as operation:
        ours = True
        try:
            ours = yield from _start(host, operation)
        except (SalternError, OSError) as error:
            _log(host, operation, str(error))
        if ours:
            operations.settle_half(host, operation)
        else:  # what is here already is somebody else's, also where it has not run yet
            perform(host, EndOperation(domain=domain))


def _shut_down(host: Host, operation: Operation) -> Generator[float, None, bool]:
    """Whether the domain is gone."""
    found = read_xen(host).by_uuid(operation.uuid)
    # Where it is started on the other node next, that one's start and a second one here exclude each other: nobody need wait.
    gone_s = _REBOOT_S if operation.kind is OperationKind.STOP else 0.0
    began_s = host.now()
    while found is None and host.now() - began_s < gone_s:
        yield _POLL_S
        found = read_xen(host).by_uuid(operation.uuid)
    if found is None:
        return True
    if operation.kind is OperationKind.STOP:
        host.run(xenstore.write({told_to_stop(found.domid): operation.id}))
    else:
        reason = plan.may_stop(operation, read_running(host, read_version(host)))
        if reason is not None:
            _log(host, operation, f"{operation.domain} was not shut down: {reason}")
            return False
    host.run(xen.shutdown(operation.domain))
    deadline_s, last_seen_s = host.now() + SHUTDOWN_S, host.now()
    while last_seen_s < deadline_s:
        yield _POLL_S
        if not _is_gone(host, operation):
            last_seen_s = host.now()
        elif host.now() - last_seen_s >= gone_s:
            return True
    _log(host, operation, f"{operation.domain} has not shut down within {SHUTDOWN_S:.0f} s, and goes on")
    return False


def _is_gone(host: Host, operation: Operation) -> bool:
    """What cannot be seen now is looked at again."""
    try:
        return read_xen(host).by_uuid(operation.uuid) is None
    except SalternError:
        return False


def _start(host: Host, operation: Operation) -> Generator[float, None, bool]:
    """Whether what is here of the domain now is of our making."""
    offline = operation.kind is OperationKind.OFFLINE  # its shutdown comes before
    deadline_s = host.now() + START_S + (SHUTDOWN_S if offline else 0.0)
    while True:
        if operations.is_withdrawn(host, operation):
            _log(host, operation, f"{operation.domain} was not started: that was taken back")
            return False
        wanted = _seen(host, operation)
        if not isinstance(wanted, Wait):
            for action in wanted:
                perform(host, action)
            perform(host, ForgetStop(domain=operation.domain))
            return bool(wanted)
        if host.now() >= deadline_s:
            _log(host, operation, f"{operation.domain} was not started: {wanted.reason}")
            return False
        yield _POLL_S


def _seen(host: Host, operation: Operation) -> tuple[Action, ...] | Wait:
    """What starts it; what cannot be seen now is looked at again, and so is what the guard does not allow."""
    try:
        wanted = plan.start(operation, read_xen(host), read_running(host, read_version(host)))
        against = None if isinstance(wanted, Wait) or not wanted else may_start.against_start(host, operation.domain)
        return wanted if against is None else Wait(reason=against, remedy="See `guard.status` of this node")
    except SalternError as error:
        return Wait(reason=str(error), remedy="See to that")


def _log(host: Host, operation: Operation, text: str) -> None:
    """What cannot be written down keeps nothing from its end."""
    with suppress(OSError):
        host.append_text(operation_log(operation.domain), f"{text}\n")
