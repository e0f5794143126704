"""What DRBD runs when a Primary has lost its partner, and when a Secondary shall become Primary without it: its ``fence-peer``.

Until this ends the I/O of the resource is suspended. The kernel knows five exit codes (conn_try_outdate_peer in drbd_nl.c): after
3, 4 and 7 the partner's copy counts as worse than this one. So it does after 5, "unreachable", which is no proof of anything and
is never said here; 6 would outdate the copy here. After anything else the I/O stays suspended.
"""

import sys
import time
from collections.abc import Mapping
from typing import Final

from saltern.guarding.local import NoGuard, Reply, ask

OUTDATED: Final = 4
FENCED: Final = 7
UNKNOWN: Final = 1
_CODES: Final = {"alone": OUTDATED, "dead": FENCED}
_PAUSE_S: Final = 0.5
_ANSWER_S: Final = 5.0


def run(environ: Mapping[str, str], root: str, patience_s: float) -> int:
    """Ask the guard of this node until it knows, for ``patience_s`` at most; returns the exit code."""
    resource = environ.get("DRBD_RESOURCE")
    if not resource:
        print("DRBD_RESOURCE is not set: this is run by drbdadm, for the handler fence-peer", file=sys.stderr)
        return UNKNOWN
    deadline_s = time.monotonic() + patience_s
    question = "lost"  # what was granted for a loss before is of no use now
    while True:
        reply = _asked(root, question, resource)
        if reply.get("answer") != "no guard":
            question = "go on"
        print(f"{resource}: {reply.get('why', reply)}", file=sys.stderr)
        code = _CODES.get(str(reply.get("answer")))
        if code is not None:
            return code
        if reply.get("answer") == "no" or time.monotonic() >= deadline_s:
            return UNKNOWN
        time.sleep(_PAUSE_S)


def _asked(root: str, question: str, resource: str) -> Reply:
    """What the guard says; one that is being started again answers in a moment."""
    try:
        return ask(root, {"ask": question, "resource": resource}, _ANSWER_S)
    except NoGuard as error:
        return {"answer": "no guard", "why": str(error)}
