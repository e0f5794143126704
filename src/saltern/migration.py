"""Moving a running domain to the partner: a process on either node.

Both hold their half of the operation while they work on it, and settle it afterwards.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final, Protocol

from saltern import operations
from saltern.argv import drbdsetup, xen
from saltern.errors import CommandFailed, SalternError
from saltern.model.operation import Half, Operation
from saltern.model.places import OPERATION_SCRIPT, operation_log
from saltern.parse import drbdsetup_events2
from saltern.plan import attach
from saltern.run import Host

CONNECT: Final = f"{OPERATION_SCRIPT} connect"  # a line of shell, for xl: nothing of any pillar is in it
# A large guest takes its time; what hangs for longer than the network may be silent is ended by both ends.
_TRANSFER_S: Final = 24 * 3600.0
_SILENT_S: Final = 30.0
_POLL_S: Final = 1.0
_LOOK_S: Final = 5.0  # a program of DRBD's each time, beside a migration that needs the processors


class Receiver(Protocol):
    """``xl migrate-receive``, at work."""

    def ended(self) -> bool:
        """Whether it has ended."""
        ...

    def kill(self) -> None:
        """End it at once."""
        ...


def send(host: Host, domain: str, identifier: str) -> None:
    """Move a domain that was made ready for it, then settle this half; what xl says stands in the log of the operation."""
    with operations.taken_up(host, domain, identifier, Half.SOURCE) as operation:
        said = _migrate(host, domain)
        with suppress(OSError):  # what cannot be written down keeps nothing from its end
            host.append_text(operation_log(domain), said)
        operations.settle_half(host, operation)


def _migrate(host: Host, domain: str) -> str:
    """Let xl do it; returns what it said, whatever came of it."""
    try:
        return host.run(xen.migrate(domain, CONNECT), timeout_s=_TRANSFER_S).stderr
    except CommandFailed as error:
        return f"{error.stdout}{error.stderr}"
    except (SalternError, OSError) as error:
        return f"{error}\n"


def receiving(host: Host, domain: str, identifier: str, start: Callable[[], Receiver]) -> Iterator[float]:
    """Take a domain in that was made ready for, then settle this half; yields how long there is nothing to do.

    ``start`` is called when the operation is held, and not before. A receiver whose sender has lost its power is told by nobody:
    it is ended when the partner is out of sight for too long.
    """
    with operations.taken_up(host, domain, identifier, Half.TARGET) as operation:
        receiver, seen_s, looked_s = start(), host.now(), host.now()
        while not receiver.ended():
            if host.now() - looked_s >= _LOOK_S:
                looked_s = host.now()
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
