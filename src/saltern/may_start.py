"""Whether the guard of a node lets a domain start there: everything that starts one asks, by a socket, without a process.

A node without a lease could not tell that its partner has taken over meanwhile. So where a guard belongs and none answers,
nothing starts. The guard's own starts ask as well, by way of the block script: their proof is looked at once more.
"""

from typing import Final

from saltern.model.places import GUARD_SETTINGS, GUARD_SOCKET
from saltern.run import Host

# It has nothing else to do but to write a file of its own; a disk that is busy takes its time.
_ANSWER_S: Final = 5.0


def against_start(host: Host, domain: str) -> str | None:
    """What speaks against a start of a domain now, in words; ``None`` for nothing, and where the node has no guard."""
    return _against(host, {"ask": "start", "domain": domain})


def against_attach(host: Host, resource: str, *, arrives: bool, apart: bool) -> str | None:
    """The same, for whoever is being given a disk: it is here already, and counts as running from now on.

    It ``arrives`` when it is on its way here from its other node. The disk is ``apart`` from its other copy.
    """
    return _against(host, {"ask": "attach", "resource": resource, "arrives": arrives, "apart": apart})


def _against(host: Host, question: dict[str, str | bool]) -> str | None:
    try:
        if host.mode(GUARD_SETTINGS) is None:
            return None
        import json  # not before it is needed: the block script runs on nodes without a guard too

        reply = json.loads(host.ask(GUARD_SOCKET, json.dumps(question), _ANSWER_S))
    except (OSError, ValueError) as error:
        return (
            f"the guard of this node does not answer ({error}), so nobody knows whether the partner has taken over: see "
            "`systemctl status saltern-guard`"
        )
    match reply:
        case {"allowed": True}:
            return None
        case {"allowed": False, "why": str(why)}:
            return f"the guard of this node does not allow it: {why}"
    return f"the guard of this node says something else: {str(reply)[:200]}"
