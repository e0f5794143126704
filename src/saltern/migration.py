"""Moving a domain to the partner: a process on either node, which outlives whoever asked for it.

``send`` runs on the source: it starts xl, which calls ``connect``, which logs in to the target, where the key allows nothing but
``receive``. Both ends hold their half of the operation while they work on it, and settle it afterwards.
"""

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Final, Protocol

from saltern import operations
from saltern.argv import drbdsetup, xen
from saltern.argv.ssh import connect
from saltern.errors import CommandFailed, Refused, SalternError
from saltern.model.operation import Half, Operation
from saltern.model.places import MIGRATION, operation_log
from saltern.observe import read_operation
from saltern.parse import drbdsetup_events2
from saltern.plan import attach
from saltern.run import Host, LocalHost

CONNECT: Final = f"{MIGRATION} connect"  # a line of shell, for xl: nothing of any pillar is in it
_DOMAIN: Final = "SALTERN_DOMAIN"
_ASKED: Final = re.compile(r"receive ([A-Za-z0-9_.+-]+) ([0-9a-f-]+)")
# A large guest takes its time; what hangs for longer than the network may be silent is ended by both ends.
_TRANSFER_S: Final = 24 * 3600.0
_SILENT_S: Final = 30.0
_POLL_S: Final = 1.0
_MODE: Final = 0o600


class Receiver(Protocol):
    """``xl migrate-receive``, at work."""

    def ended(self) -> bool:
        """Whether it has ended."""
        ...

    def kill(self) -> None:
        """End it at once."""
        ...


def main(argv: Sequence[str], environ: Mapping[str, str], root: str) -> int:
    """``migration send DOMAIN ID`` on the source, ``connect`` for xl, ``receive`` for what logs in to the target."""
    try:
        match argv:
            case ["send", domain, identifier]:
                send(LocalHost(root=root, environment={_DOMAIN: domain}, bound=True), domain, identifier)
                return 0
            case ["connect"]:
                domain = environ[_DOMAIN]
                os.execvp("ssh", connect(_entered(LocalHost(root=root), domain)))  # noqa: S606 - in the place of this process
            case ["receive"]:
                return _receive(LocalHost(root=root, bound=True), environ.get("SSH_ORIGINAL_COMMAND", ""))
    except (SalternError, OSError) as error:
        print(f"saltern: {error}", file=sys.stderr)
        return 1
    print(f"usage: {MIGRATION} send DOMAIN ID | connect | receive", file=sys.stderr)
    return 2


def send(host: Host, domain: str, identifier: str) -> None:
    """Move a domain that was made ready for it, then settle this half; what xl says stands in the log of the operation."""
    with operations.taken_up(host, domain, identifier, Half.SOURCE) as operation:
        try:
            done = host.run(xen.migrate(domain, CONNECT), timeout_s=_TRANSFER_S)
            said = done.stderr
        except CommandFailed as error:
            said = f"{error.stdout}{error.stderr}"
        host.write_text(operation_log(domain), said, _MODE)
        operations.settle_half(host, operation)


def receiving(host: Host, domain: str, identifier: str, start: Callable[[], Receiver]) -> Iterator[float]:
    """Take a domain in that was made ready for, then settle this half; yields how long there is nothing to do.

    ``start`` is called when the operation is held, and not before. A receiver whose sender has lost its power is told by nobody:
    it is ended when the partner is out of sight for too long.
    """
    with operations.taken_up(host, domain, identifier, Half.TARGET) as operation:
        receiver, seen_s = start(), host.now()
        while not receiver.ended():
            if _in_sight(host, operation):
                seen_s = host.now()
            elif host.now() - seen_s > _SILENT_S:
                receiver.kill()
            yield _POLL_S
        operations.settle_half(host, operation)


def _in_sight(host: Host, operation: Operation) -> bool:
    """Whether DRBD sees the partner, on any disk; what cannot be read tells nothing, and ends nothing."""
    with suppress(SalternError):
        for resource in operation.resources:
            side = drbdsetup_events2.parse(host.run(drbdsetup.events2(resource)).stdout).get(resource)
            if side is not None and attach.connected(side):
                return True
        return False
    return True


def _entered(host: Host, domain: str) -> Operation:
    found = read_operation(host, domain)
    if found is None:
        raise Refused(f"domain {domain}", "no operation is entered on this node", "Use `salt-run state.orch migrate`")
    return found.operation


def _receive(host: LocalHost, asked: str) -> int:
    match = _ASKED.fullmatch(asked)
    if match is None:
        raise Refused(
            "migration", f"{asked[:100]!r} was asked for", "This key allows `receive DOMAIN ID`, and nothing else"
        )
    for pause_s in receiving(host, match[1], match[2], lambda: host.serve(xen.migrate_receive())):
        host.sleep(pause_s)
    return 0
