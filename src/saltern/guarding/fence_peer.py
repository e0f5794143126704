"""What DRBD runs when a Primary has lost its partner, and when a Secondary shall become Primary without it: its ``fence-peer``.

Until this ends the I/O of the resource is suspended. The kernel knows five exit codes (conn_try_outdate_peer in drbd_nl.c): after
3, 4 and 7 the partner's copy counts as worse than this one. So it does after 5, "unreachable", which is no proof of anything and
is never said here; 6 would outdate the copy here. After anything else the I/O stays suspended, or the promotion, which is
tried four times, is refused.
"""

import sys
import time
from collections.abc import Mapping
from typing import Final

from saltern.argv import drbdsetup
from saltern.errors import SalternError
from saltern.guarding.local import NoGuard, Reply, ask
from saltern.model.running import Role
from saltern.parse import drbdsetup_events2
from saltern.run import LocalHost

OUTDATED: Final = 4
FENCED: Final = 7
UNKNOWN: Final = 1
# drbdadm gives a handler up after 600 s (cmd-timeout-long in drbd.conf(5)), and then the I/O stays suspended.
PATIENCE_S: Final = 590.0
_PROMOTION_S: Final = 10.0  # four times: less than what a command has (saltern.run)
_CODES: Final = {"alone": OUTDATED, "dead": FENCED}
_NO_GUARD: Final = "no guard"
_PAUSE_S: Final = 0.5
_ANSWER_S: Final = 5.0


def run(environ: Mapping[str, str], root: str, patience_s: float) -> int:
    """Ask the guard of this node until it knows, for ``patience_s`` at most; returns the exit code.

    Where there is no guard, a Primary waits for one, and what shall become Primary does not: nothing of it is lost.
    """
    resource = environ.get("DRBD_RESOURCE")
    if not resource:
        print("DRBD_RESOURCE is not set: this is run by drbdadm, for the handler fence-peer", file=sys.stderr)
        return UNKNOWN
    begun_s = time.monotonic()
    question = "lost"  # what was granted for a loss before is of no use now
    while True:
        reply = _asked(root, question, resource)
        if reply.get("answer") != _NO_GUARD:
            question = "go on"
        print(f"{resource}: {reply.get('why', reply)}", file=sys.stderr)
        code = _CODES.get(str(reply.get("answer")))
        if code is not None:
            return code
        waited_s = time.monotonic() - begun_s
        if reply.get("answer") == "no" or waited_s >= patience_s:
            return UNKNOWN
        if reply.get("answer") == _NO_GUARD and waited_s >= _PROMOTION_S and not _may_be_primary(root, resource):
            return UNKNOWN
        time.sleep(_PAUSE_S)


def _asked(root: str, question: str, resource: str) -> Reply:
    """What the guard says; one that is being started again answers in a moment."""
    try:
        return ask(root, {"ask": question, "resource": resource}, _ANSWER_S)
    except NoGuard as error:
        return {"answer": _NO_GUARD, "why": str(error)}


def _may_be_primary(root: str, resource: str) -> bool:
    """Whether this is about a Primary that has lost its partner, or that cannot be seen."""
    try:
        found = drbdsetup_events2.parse(LocalHost(root=root).run(drbdsetup.events2(resource)).stdout)
    except (SalternError, OSError):
        return True
    return resource in found and found[resource].role is Role.PRIMARY
