"""The entries of operations on a node: begun by one, renewed while it is prepared, settled by whoever comes first."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import Final

from saltern.act import perform
from saltern.errors import ParseError, Refused, SalternError
from saltern.model.action import Action, EndOperation
from saltern.model.desired import DomainSpec
from saltern.model.observed import Xen
from saltern.model.operation import Entries, Entry, Half, Operation, OperationKind, Standing
from saltern.model.places import (
    MAINTENANCE,
    OPERATIONS,
    maintenance_file,
    operation_file,
    operation_lock,
    operation_log,
    placed_file,
    remake_file,
    stopped_file,
    withdrawn_file,
)
from saltern.observe import (
    note_of,
    read_operation,
    read_remade,
    read_remake,
    read_running,
    read_standing,
    read_version,
    read_xen,
)
from saltern.parse import operation as parse
from saltern.plan import operation as plan
from saltern.plan.step import Wait
from saltern.render import operation as entry
from saltern.run import Host

_MODE: Final = 0o600
_POLL_S: Final = 0.5
_SETTLE_S: Final = 60.0
_GIVEN_UP_S: Final = 5.0  # within which a start that waits sees that it is


def entries(host: Host, domains: Mapping[str, DomainSpec]) -> Entries:
    """What is being done with any domain here, also with one that is not, or no longer, among ``domains``, the node's share.

    An entry that cannot be read hides no other one.
    """
    entered: dict[str, Entry] = {}
    unreadable: dict[str, str] = {}
    notes: dict[str, dict[str, str]] = {"stopped": {}, "placed": {}, "strange": {}}
    for domain in _mentioned(host, domains):
        try:
            entry = _entry(host, domain)
            found = {"stopped": host.read_text(stopped_file(domain)), "placed": host.read_text(placed_file(domain))}
        except (SalternError, OSError) as error:
            unreadable[domain] = str(error)
            continue
        _sort(notes, domain, domains.get(domain), found)
        if entry is not None:
            entered[domain] = entry
    return Entries(entered=entered, unreadable=unreadable, maintenance=_maintenance(host), **notes)


def _sort(
    notes: Mapping[str, dict[str, str]], domain: str, spec: DomainSpec | None, found: Mapping[str, str | None]
) -> None:
    """Put what was found about a domain among the notes of its kind, or among the strange ones."""
    for kind, note in found.items():
        ours = None if spec is None else note_of(note, spec.uuid)
        if ours is not None:
            notes[kind][domain] = ours
        elif note is not None:
            notes["strange"][domain] = "; ".join(filter(None, (notes["strange"].get(domain), note.strip())))


def _maintenance(host: Host) -> dict[str, str]:
    nodes = [name for name in host.names(MAINTENANCE) if not name.startswith(".")]
    return {node: note.strip() for node in nodes if (note := host.read_text(maintenance_file(node))) is not None}


def begin_maintenance(host: Host, node: str, text: str) -> None:
    """Mark a node, this one or a partner of it, as in maintenance: what belongs there does not return by itself."""
    host.write_text(maintenance_file(node), f"{text}\n", 0o644)


def end_maintenance(host: Host, node: str) -> None:
    """Take the mark away."""
    host.remove(maintenance_file(node))


def _mentioned(host: Host, domains: Iterable[str]) -> list[str]:
    """These domains, and those that a file here is about."""
    files = [name for name in host.names(OPERATIONS) if not name.startswith(".")]  # so begins what is being written
    ends = tuple(path("").rpartition("/")[2] for path in (operation_file, remake_file, stopped_file, placed_file))
    named = [name.removesuffix(end) for name in files for end in ends if name.endswith(end)]
    return list(dict.fromkeys([*domains, *named]))


def _entry(host: Host, domain: str) -> Entry | None:
    """What is being done with a domain, as it is told: what is done within a remake stands for it."""
    found, remade = read_operation(host, domain), read_remake(host, domain)
    how_far = ""
    if remade is not None and not remade.remaking.over:
        how_far = f", {remade.remaking.reached} of {remade.remaking.steps} steps done"
        found = remade.standing
    if found is None:
        return None
    operation = found.operation
    return Entry(
        id=operation.id,
        kind=operation.kind,
        text=f"{operation}{how_far}",
        between=(operation.source, operation.target),
        alive=found.alive,
    )


def begin(host: Host, operation: Operation) -> None:
    """Enter an operation; raises ``Refused`` where there is another one for this domain. Told twice, it is entered once.

    What was withdrawn already is not entered: a message may come late, when whoever has sent it has given up and gone. While a
    domain is remade, only what has the id of its remake is entered.
    """
    text = entry.render(_renewed(host, operation))
    parse.parse(text)  # an entry that nobody could read again would be in the way for ever
    try:
        host.create_text(operation_file(operation.domain), text, _MODE)
    except FileExistsError as error:
        found = read_operation(host, operation.domain)
        if found is not None and found.operation.id == operation.id:
            return
        raise busy(found, operation.domain) from error
    if is_withdrawn(host, operation):
        withdraw(host, operation.domain, operation.id)
        raise Refused(f"domain {operation.domain}", f"the {operation} was taken back before it came here", "Begin anew")
    try:
        _refuse_within_another(host, operation)
    except BaseException:
        host.remove(operation_file(operation.domain))
        raise
    host.write_text(operation_log(operation.domain), f"{operation}\n", _MODE)


def _refuse_within_another(host: Host, operation: Operation) -> None:
    """After it was entered: of an operation and a remake that are entered at the same moment, at least one sees the other."""
    found = read_remake(host, operation.domain)
    if found is not None and not found.remaking.over and found.remaking.operation.id != operation.id:
        raise busy(found.standing, operation.domain)


def begin_all(host: Host, entries: Sequence[Operation]) -> None:
    """Enter several operations, or none; raises ``Refused`` as ``begin``."""
    entered: list[Operation] = []
    try:
        for each in entries:
            entered.append(each)
            begin(host, each)
    except BaseException:
        for each in entered:
            withdraw_all(host, [each.domain], each.id)
        raise


def renew(host: Host, domain: str, identifier: str) -> None:
    """Say that somebody still prepares it; raises ``Refused`` when it is over, left, or another one."""
    with suppress(BlockingIOError), host.hold(operation_lock(domain)):  # who holds it is alive
        found = require(host, domain, identifier)
        standing = plan.standing(found, held=False, now_s=host.now())
        if not standing.alive:
            raise busy(standing, domain)
        if not plan.has_process(found):  # else that has died: nobody is at it any more
            host.write_text(operation_file(domain), entry.render(_renewed(host, found)), _MODE)


def renew_all(host: Host, domains: Iterable[str], identifier: str) -> None:
    """Renew several; those that are over on this node are passed over. What ``renew`` raises of one comes at the end."""
    trouble: SalternError | None = None
    for domain in domains:
        try:
            found = read_operation(host, domain)
            if found is not None and found.operation.id == identifier:
                renew(host, domain, identifier)
        except SalternError as error:
            trouble = error
    if trouble is not None:
        raise trouble


def keep_prepared(host: Host, domains: Iterable[str], identifier: str | None) -> None:
    """Renew what whoever looks at these domains prepares, if anything: before the look, which tells what cannot be renewed."""
    if identifier is not None:
        with suppress(SalternError):
            renew_all(host, domains, identifier)


def wait(host: Host, domains: Iterable[str], identifier: str, at_most_s: float) -> bool:
    """Wait until the operation with that id is over here for one of these domains, but no longer than that; whether it is.

    Starts no process: it costs the node next to nothing, and whoever watches need not look to see the end. Raises
    ``ParseError`` for an entry that cannot be read.
    """
    watched, deadline_s = list(domains), host.now() + at_most_s
    while all(_is_entered(host, domain, identifier) for domain in watched):
        if host.now() >= deadline_s:
            return False
        host.sleep(_POLL_S)
    return True


def _is_entered(host: Host, domain: str, identifier: str) -> bool:
    text = host.read_text(operation_file(domain))
    return text is not None and parse.parse(text).id == identifier


def require(host: Host, domain: str, identifier: str) -> Operation:
    """The operation with that id; raises ``Refused`` when it is over, or another one."""
    found = read_operation(host, domain)
    if found is None or found.operation.id != identifier:
        instead = "nothing is" if found is None else f"but the {found.operation}"
        raise Refused(
            f"domain {domain}",
            f"the operation {identifier} is no longer entered on this node, {instead}",
            "Somebody has settled or released it; see `salt-run cluster.status` and begin anew",
        )
    return found.operation


@contextmanager
def taken_up(host: Host, domain: str, identifier: str, half: Half) -> Iterator[Operation]:
    """Hold an operation that was prepared, and work on it; raises ``Refused`` when it is not to be taken up now."""
    with held(host, domain):
        found = require(host, domain, identifier)
        if found.half is not half or found.taken or not plan.is_ready(found, host.now()):
            raise Refused(
                f"domain {domain}",
                f"the {found} has waited too long to be taken up, or not for this node as its {half}",
                f"Run `salt-run cluster.recover domain={domain}` and begin anew",
            )
        taken = replace(found, taken=True)
        host.write_text(operation_file(domain), entry.render(taken), _MODE)
        yield taken


@contextmanager
def held(host: Host, domain: str) -> Iterator[None]:
    """The lock of a domain; raises ``Refused`` when somebody has it, with whose it is."""
    with ExitStack() as stack:
        try:
            stack.enter_context(host.hold(operation_lock(domain)))
        except BlockingIOError:
            raise _busy_now(host, domain) from None
        yield


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
    if standing.operation.kind is OperationKind.REMAKE:
        return Refused(f"domain {domain}", f"left half-done: {standing.operation}", _take_up(domain))
    return Refused(
        f"domain {domain}", f"left half-done: {standing.operation}", f"Run `salt-run cluster.recover domain={domain}`"
    )


def _take_up(domain: str) -> str:
    return (
        "The same `salt-run state.orch remake` again takes it up, and nothing else does: what is between two topologies is "
        f"settled by no rule. `salt '*' operation.release {domain}` gives it up, and leaves all as it is"
    )


def _busy_now(host: Host, domain: str) -> Refused:
    try:
        found = read_operation(host, domain)
    except ParseError as error:
        return Refused(f"domain {domain}", f"somebody works on it, and its entry cannot be read: {error}", "Try again")
    return busy(None if found is None else replace(found, alive=True), domain)


def settle_left(host: Host, domain: str) -> str:
    """Settle this node's half of an operation that nobody works on; returns what was found and what was done, in words.

    Raises ``Refused`` while somebody works on it, for what no rule can settle, and for what does not go away in a minute.
    """
    found = read_standing(host, domain)
    if found is None:
        return _nothing_left(domain)
    if found.alive or found.operation.kind is OperationKind.REMAKE:
        raise busy(found, domain)
    with held(host, domain):
        # Somebody may have settled it before us, and begun another one since.
        left = require(host, domain, found.operation.id)
        return f"{left} was left half-done: {plan.told(settle_half(host, left, begun_here=False))}"


def settle_idle(host: Host, domain: str) -> str | None:
    """Settle the half of a node that has nothing to do, where nobody works on it and what became of the other one can be told.

    Returns what was found and done, in words, or ``None`` for nothing. It is what a guard does while the other node is in sight:
    a stop that no guest has obeyed would bar every takeover once that is lost. Raises what a read raises, and as ``held``.
    """
    found = read_standing(host, domain)
    if found is None or found.alive or found.other_at_work or not plan.follows(found.operation):
        return None
    with held(host, domain):
        left = require(host, domain, found.operation.id)
        xen, wanted = _look(host, found)
        if isinstance(wanted, Wait):
            return None
        for action in wanted:
            _settle(host, left, action, here=xen.by_uuid(left.uuid) is not None)
        return f"{left} was left half-done: {plan.told(wanted)}"


def make_way(host: Host, domain: str) -> None:
    """End what is entered of a domain that is to be started since its other node is proven dead.

    Raises ``Refused`` for what bars that, and for what does not end in time.
    """
    found = read_standing(host, domain)
    if found is None:
        return
    operation = found.operation
    if plan.bars_takeover(found):
        raise busy(found, domain)
    if found.held or not operation.taken:
        give_up(host, [domain], operation.id)
        deadline_s = host.now() + _GIVEN_UP_S
        while host.is_held(operation_lock(domain)) and host.now() < deadline_s:
            host.sleep(_POLL_S)
        if operation.taken and operation.kind is OperationKind.START:
            host.remove(stopped_file(domain))  # somebody wants it to run
    elif found.alive or plan.heeds_other(operation):  # which nobody can be asked about any more
        finish(host, domain, operation.id)
    else:
        settle_left(host, domain)


def settle_step(host: Host, operation: Operation, action: Action) -> None:
    """One action of settling an operation that was left, as it was decided upon without the lock, and what has to come before it.

    Raises ``Refused`` when somebody works on it now, or when it is not what is to be done any longer: somebody else may have
    settled it meanwhile, and begun another one.
    """
    with held(host, operation.domain):
        found = read_operation(host, operation.domain)
        if found is not None and found.operation == operation:
            xen, wanted = _look(host, replace(found, held=False))  # as it was decided upon; the lock is ours
            if not isinstance(wanted, Wait) and action in wanted:
                for each in wanted[: wanted.index(action) + 1]:
                    _settle(host, operation, each, here=xen.by_uuid(operation.uuid) is not None)
                return
        raise Refused(
            f"domain {operation.domain}", f"somebody else has settled the {operation} meanwhile", "Apply again"
        )


def settle_half(host: Host, operation: Operation, *, begun_here: bool = True) -> list[Action]:
    """Settle a half whose lock is held by the caller, with no other process of the operation on this node.

    ``begun_here`` says that whoever has begun it is still there, and ends it. Returns what was done.
    """
    done: list[Action] = []
    deadline_s = host.now() + _SETTLE_S
    while True:
        xen, wanted = _look(host, plan.standing(operation, held=begun_here, now_s=host.now()))
        if isinstance(wanted, Wait):
            if host.now() >= deadline_s:
                raise Refused(f"domain {operation.domain}", wanted.reason, wanted.remedy)
            host.sleep(_POLL_S)
            continue
        for action in wanted:
            _settle(host, operation, action, here=xen.by_uuid(operation.uuid) is not None)
            done.append(action)
            if isinstance(action, EndOperation):
                return done


def _look(host: Host, left: Standing) -> tuple[Xen, tuple[Action, ...] | Wait]:
    """What Xen has, and what settles this half; DRBD is asked only where what became of the other one tells that."""
    xen = read_xen(host)
    asks = plan.heeds_other(left.operation) and xen.by_uuid(left.operation.uuid) is None
    running = read_running(host, read_version(host)) if asks else {}
    return xen, plan.settle(left, xen, running)


def _settle(host: Host, operation: Operation, action: Action, *, here: bool) -> None:
    """One action; before the entry goes, it is noted who has put the domain here. A half that was never begun notes nothing."""
    if isinstance(action, EndOperation) and operation.taken:
        _note_place(host, operation, here=here)
    perform(host, action)


def _note_place(host: Host, operation: Operation, *, here: bool) -> None:
    """Who has put a domain on this node, from its arrival until it leaves."""
    if not here or (operation.half is Half.TARGET and not operation.stays):
        host.remove(placed_file(operation.domain))
    elif operation.half is Half.TARGET:
        note = f"{operation.uuid} put there by {operation.owner} at {operation.since}\n"
        host.write_text(placed_file(operation.domain), note, _MODE)


def expect(host: Host, domain: str, identifier: str) -> None:
    """Mark a half that has nothing to do, but to know, as begun: from now on the other one may be at work.

    Raises ``Refused`` as ``require``: where it does not know, the other one is not to begin.
    """
    with held(host, domain):
        found = require(host, domain, identifier)
        host.write_text(operation_file(domain), entry.render(replace(found, taken=True)), _MODE)


def hand_over(host: Host, operation: Operation) -> None:
    """End this node's part while the other node has its own before it; the entry stays, until the other one is done or left."""
    host.write_text(operation_file(operation.domain), entry.render(_renewed(host, operation)), _MODE)


def keep_stopped(host: Host, operation: Operation) -> None:
    """Note that a domain is to stay stopped, and who wants that."""
    perform(host, plan.keep_stopped(operation))


def release(host: Host, domain: str, own: Callable[[], DomainSpec | None]) -> str:
    """Take an entry away, also one that cannot be read, without settling anything; raises ``Refused`` while it is worked on.

    So is a note that does not belong to the domain of this name in the node's share of the topology, which ``own`` tells. Returns
    what was taken away, in words.
    """
    gone = _release_entry(host, domain)
    notes = {path: host.read_text(path) for path in (stopped_file(domain), placed_file(domain))}
    spec = own() if any(notes.values()) else None
    for path, note in notes.items():
        if note is not None and (spec is None or note_of(note, spec.uuid) is None):
            host.remove(path)
            gone.append(path)
    return f"taken away: {', '.join(gone)}" if gone else _nothing_left(domain)


def _release_entry(host: Host, domain: str) -> list[str]:
    files = operation_file(domain), remake_file(domain)
    seen = {path: host.read_text(path) for path in files}
    for read in (read_operation, read_remade):
        with suppress(ParseError):
            found = read(host, domain)
            if found is not None and found.alive:
                raise busy(found, domain)
    with held(host, domain):
        if {path: host.read_text(path) for path in files} != seen:
            raise Refused(f"domain {domain}", "its entry has changed in this moment", "Look at it again")
        gone = [path for path, text in seen.items() if text is not None]  # also the note of a remake that is over
        for path in gone:
            host.remove(path)
    return gone


def _nothing_left(domain: str) -> str:
    return f"nothing is left of an operation on {domain}"


def withdraw(host: Host, domain: str, identifier: str) -> None:
    """Take back what was entered and came to nothing, or has yet to come; raises ``Refused`` while somebody carries it out.

    A half whose process has died is settled: without its entry nobody would know what that has left.
    """
    if _take_away(host, domain, identifier):
        return
    # It has not come yet, or is over. What comes from now on sees that it is withdrawn; what came in this moment is seen here.
    host.write_text(withdrawn_file(domain), identifier, _MODE)
    _take_away(host, domain, identifier)


def _take_away(host: Host, domain: str, identifier: str) -> bool:
    """Whether the entry was there; it no longer is."""
    with _entered(host, domain, identifier) as found:
        if found is not None and _has_work(found):
            settle_half(host, found)
        elif found is not None:
            host.remove(operation_file(domain))
    return found is not None


def _has_work(operation: Operation) -> bool:
    """Whether a process has begun this half, so that there may be something of it on this node."""
    return operation.taken and not plan.follows(operation)


def withdraw_all(host: Host, domains: Iterable[str], identifier: str) -> list[str]:
    """Withdraw several, as far as it can be done; returns those that stay: what somebody carries out, and what cannot be read."""
    stay = []
    for domain in domains:
        try:
            withdraw(host, domain, identifier)
        except SalternError:
            stay.append(domain)
    return stay


def give_up(host: Host, domains: Iterable[str], identifier: str) -> None:
    """Withdraw several, also where a process has begun and only waits: it looks for that, and ends by itself."""
    for domain in domains:
        host.write_text(withdrawn_file(domain), identifier, _MODE)
        withdraw_all(host, [domain], identifier)


def is_withdrawn(host: Host, operation: Operation) -> bool:
    """Whether this operation was taken back."""
    return host.read_text(withdrawn_file(operation.domain)) == operation.id


def finish(host: Host, domain: str, identifier: str) -> None:
    """End a half when the other one is done, or nobody works on either; raises ``Refused`` as ``withdraw``.

    What was stopped over there is to stay so here too, which is noted before the entry goes; what was started there is not.
    """
    with _entered(host, domain, identifier) as found:
        if found is None:
            return
        if found.kind is OperationKind.STOP:
            keep_stopped(host, found)
        else:
            host.remove(stopped_file(domain))
        if _has_work(found):
            settle_half(host, found)
        else:
            _note_place(host, found, here=found.half is Half.TARGET and found.kind is not OperationKind.STOP)
            host.remove(operation_file(domain))


@contextmanager
def _entered(host: Host, domain: str, identifier: str) -> Iterator[Operation | None]:
    """The operation of that id, held so that nobody takes it up in this moment; ``None`` when it is over, or another one."""
    if host.read_text(operation_file(domain)) is None:
        yield None
        return
    with held(host, domain):
        found = read_operation(host, domain)
        yield found.operation if found is not None and found.operation.id == identifier else None


def _renewed(host: Host, operation: Operation) -> Operation:
    return replace(operation, renewed_s=host.now())
