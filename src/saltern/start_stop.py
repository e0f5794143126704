"""Starting a domain, and shutting it down: a process on the node that does it, which holds its half of the operation."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from saltern import operations
from saltern.act import perform
from saltern.argv import xen
from saltern.errors import SalternError
from saltern.model.action import Action, ForgetStop
from saltern.model.operation import Half, Operation, OperationKind
from saltern.model.places import operation_log
from saltern.observe import read_running, read_version, read_xen
from saltern.plan import operation as plan
from saltern.plan.step import Wait
from saltern.run import Host

# A guest ends its services, and may not answer at all. It then goes on as if nobody had asked.
SHUTDOWN_S: Final = 600.0
# A start waits for the disks to be free and connected; that of an offline migration for the shutdown before it as well.
START_S: Final = 60.0
_POLL_S: Final = 1.0


def stopping(host: Host, domain: str, identifier: str) -> Iterator[float]:
    """Shut a domain down, then settle this half; yields how long there is nothing to do."""
    with operations.taken_up(host, domain, identifier, Half.SOURCE) as operation:
        try:
            yield from _shut_down(host, operation)
        except SalternError as error:
            _log(host, operation, f"{error}\n")
        if operation.kind is OperationKind.STOP and read_xen(host).by_uuid(operation.uuid) is not None:
            perform(host, ForgetStop(domain=domain))
        operations.settle_half(host, operation)


def starting(host: Host, domain: str, identifier: str) -> Iterator[float]:
    """Start a domain as soon as its disks are free, then settle this half; yields how long there is nothing to do."""
    with operations.taken_up(host, domain, identifier, Half.TARGET) as operation:
        try:
            yield from _start(host, operation)
        except SalternError as error:
            _log(host, operation, f"{error}\n")
        operations.settle_half(host, operation)


def _shut_down(host: Host, operation: Operation) -> Iterator[float]:
    if read_xen(host).by_uuid(operation.uuid) is None:
        return
    host.run(xen.shutdown(operation.domain))
    deadline_s = host.now() + SHUTDOWN_S
    while host.now() < deadline_s:
        yield _POLL_S
        with suppress(SalternError):  # what cannot be seen now is looked at again
            if read_xen(host).by_uuid(operation.uuid) is None:
                return
    _log(host, operation, f"{operation.domain} has not shut down within {SHUTDOWN_S:.0f} s, and goes on\n")


def _start(host: Host, operation: Operation) -> Iterator[float]:
    offline = operation.kind is OperationKind.OFFLINE
    deadline_s = host.now() + START_S + (SHUTDOWN_S if offline else 0.0)
    while True:
        wanted = _seen(host, operation)
        if not isinstance(wanted, Wait):
            for action in wanted:
                perform(host, action)
            return
        if host.now() >= deadline_s:
            _log(host, operation, f"{operation.domain} was not started: {wanted.reason}\n")
            return
        yield _POLL_S


def _seen(host: Host, operation: Operation) -> tuple[Action, ...] | Wait:
    """What starts it; what cannot be seen now is looked at again."""
    try:
        return plan.start(operation, read_xen(host), read_running(host, read_version(host)))
    except SalternError as error:
        return Wait(reason=str(error), remedy="See to that")


def _log(host: Host, operation: Operation, text: str) -> None:
    host.append_text(operation_log(operation.domain), text)
