"""The entries of operations on a node: begun by one, renewed while it is prepared, settled by whoever comes first."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from saltern.act import perform
from saltern.errors import Refused, SalternError
from saltern.model.action import EndOperation
from saltern.model.operation import Entries, Entry, Half, Operation, OperationKind, Standing
from saltern.model.places import operation_file, operation_lock, operation_log, stopped_file
from saltern.observe import read_operation, read_xen
from saltern.plan.operation import is_ready, settle
from saltern.plan.step import Wait
from saltern.render import operation as entry
from saltern.run import Host

_MODE: Final = 0o600
_POLL_S: Final = 0.5
_SETTLE_S: Final = 60.0


def entries(host: Host, domains: Iterable[str]) -> Entries:
    """What is being done with any of these domains; an entry that cannot be read hides no other one."""
    entered: dict[str, Entry] = {}
    unreadable: dict[str, str] = {}
    stopped: dict[str, str] = {}
    for domain in domains:
        try:
            found = read_operation(host, domain)
            note = host.read_text(stopped_file(domain))
        except (SalternError, OSError) as error:
            unreadable[domain] = str(error)
            continue
        if note is not None:
            stopped[domain] = note.strip()
        if found is not None:
            operation = found.operation
            entered[domain] = Entry(id=operation.id, kind=operation.kind, text=str(operation), alive=found.alive)
    return Entries(entered=entered, unreadable=unreadable, stopped=stopped)


def begin(host: Host, operation: Operation) -> None:
    """Enter an operation; raises ``Refused`` where there is another one for this domain.

    What is stopped is to stay so, whatever happens next; and what is started, or moved, is not.
    """
    try:
        host.create_text(operation_file(operation.domain), entry.render(_renewed(host, operation)), _MODE)
    except FileExistsError as error:
        raise busy(read_operation(host, operation.domain), operation.domain) from error
    host.write_text(operation_log(operation.domain), f"{operation}\n", _MODE)
    if operation.kind is OperationKind.STOP:
        host.write_text(stopped_file(operation.domain), f"stopped by {operation.owner} at {operation.since}\n", _MODE)
    else:
        host.remove(stopped_file(operation.domain))


def begin_all(host: Host, entries: Sequence[Operation]) -> None:
    """Enter several operations, or none; raises ``Refused`` as ``begin``."""
    entered: list[Operation] = []
    try:
        for each in entries:
            begin(host, each)
            entered.append(each)
    except BaseException:
        for each in entered:
            withdraw(host, each.domain, each.id)
        raise


def renew(host: Host, domain: str, identifier: str) -> None:
    """Say that somebody still prepares it; raises ``Refused`` when it is over, or another one."""
    found = require(host, domain, identifier)
    host.write_text(operation_file(domain), entry.render(_renewed(host, found)), _MODE)


def require(host: Host, domain: str, identifier: str) -> Operation:
    """The operation with that id; raises ``Refused`` when it is over, or another one."""
    found = read_operation(host, domain)
    if found is None or found.operation.id != identifier:
        raise Refused(
            f"domain {domain}",
            f"the operation {identifier} is no longer entered on this node",
            "Somebody has settled or released it; see `salt-run cluster.status` and begin anew",
        )
    return found.operation


@contextmanager
def taken_up(host: Host, domain: str, identifier: str, half: Half) -> Iterator[Operation]:
    """Hold an operation that was prepared, and work on it; raises ``Refused`` when it is not to be taken up now."""
    try:
        with host.hold(operation_lock(domain)):
            found = require(host, domain, identifier)
            if found.half is not half or not is_ready(found, host.now()):
                raise Refused(
                    f"domain {domain}",
                    f"the {found} has waited too long to be taken up, or not for this node as its {half}",
                    f"Run `salt-run cluster.recover domain={domain}` and begin anew",
                )
            yield found
    except BlockingIOError:
        raise busy(read_operation(host, domain), domain) from None


def busy(standing: Standing | None, domain: str) -> Refused:
    """Why a second operation is not begun."""
    if standing is None:
        return Refused(f"domain {domain}", "another operation has just ended", "Try again")
    if standing.alive:
        return Refused(
            f"domain {domain}",
            f"it is busy: {standing.operation}",
            "Wait for its end; `salt-run cluster.status` shows it",
        )
    return Refused(
        f"domain {domain}", f"left half-done: {standing.operation}", f"Run `salt-run cluster.recover domain={domain}`"
    )


def settle_left(host: Host, domain: str) -> str:
    """Settle this node's half of an operation that nobody works on; returns what was done, in words.

    Raises ``Refused`` while somebody works on it, for what no rule can settle, and for what does not go away in a minute.
    """
    found = read_operation(host, domain)
    if found is None:
        return f"nothing is left of an operation on {domain}"
    if found.alive:
        raise busy(found, domain)
    try:
        with host.hold(operation_lock(domain)):
            # Somebody may have settled it before us, and begun another one since.
            return settle_half(host, require(host, domain, found.operation.id))
    except BlockingIOError:
        raise busy(replace(found, alive=True), domain) from None


def settle_half(host: Host, operation: Operation) -> str:
    """Settle a half whose lock is held by the caller, with no other process of the operation on this node."""
    done: list[str] = []
    deadline_s = host.now() + _SETTLE_S
    while True:
        wanted = settle(operation, read_xen(host))
        if isinstance(wanted, Wait):
            if host.now() >= deadline_s:
                raise Refused(f"domain {operation.domain}", wanted.reason, wanted.remedy)
            host.sleep(_POLL_S)
            continue
        for action in wanted:
            perform(host, action)
            done.append(type(action).__name__)
            if isinstance(action, EndOperation):
                return ", ".join(done)


def release(host: Host, domain: str) -> None:
    """Take an entry away without settling anything; raises ``Refused`` while somebody works on it."""
    found = read_operation(host, domain)
    if found is None:
        return
    if found.alive:
        raise busy(found, domain)
    _remove(host, found.operation)


def withdraw(host: Host, domain: str, identifier: str) -> None:
    """Take back what was entered and came to nothing; raises ``Refused`` while somebody carries it out."""
    found = read_operation(host, domain)
    if found is not None and found.operation.id == identifier:
        _remove(host, found.operation)
        if found.operation.kind is OperationKind.STOP:
            host.remove(stopped_file(domain))


def finish(host: Host, domain: str, identifier: str) -> None:
    """Take the entry of a half away that had nothing to do, when the other one is done; raises ``Refused`` as ``withdraw``."""
    found = read_operation(host, domain)
    if found is not None and found.operation.id == identifier:
        _remove(host, found.operation)


def _remove(host: Host, operation: Operation) -> None:
    """While holding it, so that nobody takes it up in this moment."""
    try:
        with host.hold(operation_lock(operation.domain)):
            host.remove(operation_file(operation.domain))
    except BlockingIOError:
        raise busy(Standing(operation=operation, alive=True), operation.domain) from None


def _renewed(host: Host, operation: Operation) -> Operation:
    return replace(operation, renewed_s=host.now())
