"""What a node does for an operation: processes of their own, which outlive whoever asked for them.

``send`` runs on the source of a migration: it starts xl, which calls ``connect``, which logs in to the target, where the key
allows nothing but ``receive``. ``stop`` and ``start`` are the halves of an offline migration, and what they say alone.

xl waits for ``connect``, and that needs little: what the others need is loaded by them alone.
"""

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Final

from saltern.argv.ssh import connect
from saltern.errors import Refused, SalternError
from saltern.model.operation import Half, Operation, OperationKind
from saltern.model.places import OPERATION_SCRIPT, operation_file, operation_log
from saltern.parse import operation as entry
from saltern.run import Host, LocalHost

_DOMAIN: Final = "SALTERN_DOMAIN"  # tells `connect`, which xl starts, for whom it is
_ASKED: Final = re.compile(r"receive ([A-Za-z0-9_.+-]+) ([0-9a-f-]+)")
# The half that starts nothing by itself: it is woken by the other one, or has nothing to do.
_DONE_BY: Final = {
    (OperationKind.MIGRATE, Half.SOURCE): "send",
    (OperationKind.OFFLINE, Half.SOURCE): "stop",
    (OperationKind.OFFLINE, Half.TARGET): "start",
    (OperationKind.START, Half.TARGET): "start",
    (OperationKind.STOP, Half.SOURCE): "stop",
}


def command(operation: Operation) -> list[str] | None:
    """The command that does this half, ``None`` for one that nobody has to begin."""
    verb = _DONE_BY.get((operation.kind, operation.half))
    return None if verb is None else [OPERATION_SCRIPT, verb, operation.domain, operation.id]


def begin(host: Host, domain: str, identifier: str) -> None:
    """Begin this node's half, which then goes on by itself; raises ``Refused`` when it is over, left, or another one.

    That of a start or a stop with nothing to do is begun by knowing that the other one is about to be.
    """
    from saltern import operations

    operations.renew(host, domain, identifier)  # whoever asks for it is there
    found = operations.require(host, domain, identifier)
    argv = command(found)
    if argv is not None:
        host.detach(argv)
    else:
        operations.expect(host, domain, identifier)


def main(argv: Sequence[str], environ: Mapping[str, str], root: str) -> int:
    """``send|start|stop DOMAIN ID`` for Saltern, ``connect`` for xl, ``receive`` for what logs in to the target."""
    try:
        match argv:
            case ["send" | "stop" | "start" as verb, domain, identifier]:
                _work(verb, domain, identifier, root)
            case ["connect"]:
                found = _entered(LocalHost(root=root), environ[_DOMAIN])
                os.execvp("ssh", connect(found))  # noqa: S606 - in the place of this process
            case ["receive"]:
                _receive(LocalHost(root=root, bound=True), environ.get("SSH_ORIGINAL_COMMAND", ""))
            case _:
                print(f"usage: {OPERATION_SCRIPT} send|start|stop DOMAIN ID | connect | receive", file=sys.stderr)
                return 2
    except (SalternError, OSError) as error:
        print(f"saltern: {error}", file=sys.stderr)
        return 1
    return 0


def _work(verb: str, domain: str, identifier: str, root: str) -> None:
    from saltern import migration, start_stop

    host = LocalHost(root=root, environment={_DOMAIN: domain}, bound=True)
    try:
        if verb == "send":
            migration.send(host, domain, identifier)
        else:
            steps = start_stop.stopping if verb == "stop" else start_stop.starting
            _to_its_end(host, steps(host, domain, identifier))
    except (SalternError, OSError) as error:
        # Nobody reads what a process says that has nobody: it is told where the master looks.
        with suppress(OSError):
            host.append_text(operation_log(domain), f"{error}\n")
        raise


def _to_its_end(host: Host, steps: Iterator[float]) -> None:
    for pause_s in steps:
        host.sleep(pause_s)


def _entered(host: Host, domain: str) -> Operation:
    text = host.read_text(operation_file(domain))
    if text is None:
        raise Refused(f"domain {domain}", "no operation is entered on this node", "Use `salt-run state.orch migrate`")
    return entry.parse(text)


def _receive(host: LocalHost, asked: str) -> None:
    from saltern import migration
    from saltern.argv import xen

    match = _ASKED.fullmatch(asked)
    if match is None:
        raise Refused(
            "migration", f"{asked[:100]!r} was asked for", "This key allows `receive DOMAIN ID`, and nothing else"
        )
    receiving = migration.receiving(host, match[1], match[2], lambda: host.serve(xen.migrate_receive()))
    _to_its_end(host, receiving)
