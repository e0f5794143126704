"""The entries of remakes on a node: what keeps everything else off a domain between two topologies, and how far it is.

An entry that nobody works on any more is settled by nobody: the same remake takes it up, or a person gives it up.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from saltern import operations
from saltern.bridge import plain
from saltern.errors import Refused
from saltern.model.operation import Operation, Standing
from saltern.model.places import remake_file, stopped_file, withdrawn_remake_file
from saltern.model.remake import Remaking, Underway
from saltern.observe import read_operation, read_remake
from saltern.plan import operation as plan
from saltern.render import remaking as entry
from saltern.run import Host
from saltern.survey import operation_from_plain

_MODE: Final = 0o600


def found(host: Host, domains: Iterable[str]) -> dict[str, Underway]:
    """The remakes of these domains, also those that are over."""
    seen = {domain: read_remake(host, domain) for domain in domains}
    return {domain: each for domain, each in seen.items() if each is not None}


def enter_all(host: Host, entries: Sequence[Remaking]) -> None:
    """Enter the remakes of several domains; raises ``Refused`` at the first that cannot be: what was entered stays."""
    for each in entries:
        enter(host, each)


def enter(host: Host, remaking: Remaking) -> None:
    """Enter the remake of a domain, or take up the one of the same plan that nobody works on any more.

    Raises ``Refused`` where anything else is being done with the domain, or was left. Told late, or once more, it takes nothing
    back: steps that are counted stay so, and what was withdrawn or is over is not entered again.
    """
    domain = remaking.operation.domain
    with operations.held(host, domain):
        before = read_remake(host, domain)
        _refuse_late(host, remaking, before)
        # The lock is ours: whether somebody works on it is a question of its last sign of life alone.
        standing = None if before is None else _standing(before.remaking.operation, host.now())
        if before is not None and standing is not None and not _may_follow(remaking, before.remaking, standing.alive):
            raise operations.busy(standing, domain)
        _write(host, _counted(remaking, before))
        other = read_operation(host, domain)
        if other is not None and not other.operation.id.startswith(f"{remaking.plan}-"):
            _put_back(host, domain, before)
            raise operations.busy(other, domain)


def _refuse_late(host: Host, remaking: Remaking, before: Underway | None) -> None:
    operation = remaking.operation
    ended = before is not None and before.remaking.over and before.remaking.operation.id == operation.id
    if ended or host.read_text(withdrawn_remake_file(operation.domain)) == operation.id:
        words = "is over" if ended else "was taken back before it came here"
        raise Refused(f"domain {operation.domain}", f"the {operation} {words}", "Begin anew")


def _counted(remaking: Remaking, before: Underway | None) -> Remaking:
    if before is None or before.remaking.over or before.remaking.plan != remaking.plan:
        return remaking
    return replace(remaking, reached=max(remaking.reached, before.remaking.reached))


def _standing(operation: Operation, now_s: float) -> Standing:
    return plan.standing(operation, held=False, now_s=now_s)


def _may_follow(remaking: Remaking, before: Remaking, alive: bool) -> bool:
    if before.over or before.operation.id == remaking.operation.id:
        return True
    return before.plan == remaking.plan and not alive


def _put_back(host: Host, domain: str, before: Underway | None) -> None:
    if before is None:
        host.remove(remake_file(domain))
    else:
        host.write_text(remake_file(domain), entry.render(before.remaking), _MODE)


def _write(host: Host, remaking: Remaking) -> None:
    renewed = replace(remaking, operation=replace(remaking.operation, renewed_s=host.now()))
    host.write_text(remake_file(remaking.operation.domain), entry.render(renewed), _MODE)


def require(host: Host, domain: str, identifier: str) -> Remaking:
    """The remake of that id; raises ``Refused`` when it is over, was given up, or taken up by another run."""
    seen = read_remake(host, domain)
    if seen is None or seen.remaking.over or seen.remaking.operation.id != identifier:
        raise Refused(
            f"domain {domain}",
            "its remake is no longer entered on this node for this run",
            "Somebody has released it, or taken it up elsewhere; see `salt-run cluster.status`",
        )
    return seen.remaking


def note(host: Host, domains: Iterable[str], identifier: str, reached: int) -> None:
    """Note that so many steps are done, on all nodes, and that somebody is at work; nothing is ever taken back."""
    for domain in domains:
        seen = require(host, domain, identifier)
        _write(host, replace(seen, reached=max(seen.reached, reached)))


def end(host: Host, domains: Iterable[str], identifier: str, gone: Collection[str]) -> None:
    """Note that it is over. Told twice, it is so once. The stop of a domain that no longer has this name is forgotten."""
    for domain in domains:
        seen = read_remake(host, domain)
        if seen is None or not seen.remaking.over or seen.remaking.operation.id != identifier:
            found = require(host, domain, identifier)
            if domain in gone:
                host.remove(stopped_file(domain))
            _write(host, replace(found, over=True))


def withdraw(host: Host, domains: Iterable[str], identifier: str) -> None:
    """Take back what was entered, or has yet to come, where no step of it was done."""
    for domain in domains:
        host.write_text(withdrawn_remake_file(domain), identifier, _MODE)
        with operations.held(host, domain):
            seen = read_remake(host, domain)
            if seen is not None and seen.remaking.operation.id == identifier and not seen.remaking.reached:
                host.remove(remake_file(domain))


@contextmanager
def at_work(host: Host, domain: str, identifier: str) -> Iterator[Remaking]:
    """Hold a domain for a step: no other run takes it up meanwhile, and no process of an operation works on it."""
    with operations.held(host, domain):
        yield require(host, domain, identifier)


# --- To the master and back --------------------------------------------------------------------------------------
def from_plain(told: Mapping[str, Any]) -> Remaking:
    """What ``saltern.bridge.plain`` made of one."""
    return Remaking(**{**told, "operation": operation_from_plain(told["operation"])})


def to_plain(remaking: Remaking) -> dict[str, Any]:
    """As plain data."""
    told: dict[str, Any] = plain(remaking)
    return told
