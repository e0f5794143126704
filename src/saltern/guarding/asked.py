"""What is asked of a node's guard from outside, by whoever runs on the node: how it is, and to pause, go on, or look again."""

import json
import time
from typing import Any, Final

from saltern.errors import Refused, SalternError
from saltern.guarding import ending, upkeep
from saltern.guarding.local import NoGuard, Reply, ask
from saltern.model.places import GUARD_LOGS, GUARD_SETTINGS
from saltern.run import Host

ANSWER_S: Final = 10.0
_ENDED_S: Final = ending.PATIENCE_S + 10.0
_POLL_S: Final = 0.01
_DECISIONS: Final = 20


def guard(root: str) -> upkeep.Ask:
    """How the guard of a node is asked with one word, such as ``status``, and what that is about."""
    return lambda word, **about: ask(root, {"ask": word, **about}, ANSWER_S)


def status(host: Host, root: str) -> Reply:
    """How the guard is; with ``configured`` alone where there is none, and with ``trouble`` where it does not answer."""
    if host.mode(GUARD_SETTINGS) is None:
        return {"configured": False}
    try:
        told = guard(root)("status")
    except NoGuard as error:
        told = {"protected": False, "trouble": str(error)}
    return {"configured": True, **told, "decisions": decisions(host)}


def decisions(host: Host) -> list[dict[str, Any]]:
    """The last lines of the guard's log, oldest first; none where it has none."""
    found: list[dict[str, Any]] = []
    for name in reversed(log_names(host)):
        found = [*map(line, (host.read_text(f"{GUARD_LOGS}/{name}") or "").splitlines()), *found]
        if len(found) >= _DECISIONS:
            break
    return found[-_DECISIONS:]


def line(text: str) -> dict[str, Any]:
    """One line of the log; one that a power cut has cut off is shown as it is."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"at": "", "subject": "log", "words": text}


def log_names(host: Host) -> list[str]:
    """The files of the guard's log, oldest first: one for each day."""
    return [name for name in host.names(GUARD_LOGS) if name.startswith("guard-") and name.endswith(".jsonl")]


def pause(_host: Host, root: str, who: str) -> Reply:
    """Have it take nothing over; raises ``NoGuard``."""
    return ask(root, {"ask": "pause", "who": f"{who}, {time.strftime('%Y-%m-%d %H:%M:%S')}"}, ANSWER_S)


def resume(_host: Host, root: str) -> Reply:
    """Have it take over again; raises ``NoGuard``."""
    return ask(root, {"ask": "resume"}, ANSWER_S)


def confirm_dead(_host: Host, root: str, node: str, who: str) -> Reply:
    """Have it take a person's word that a partner is off; raises ``NoGuard``, and what the guard refuses it with."""
    reply = ask(root, {"ask": "confirm dead", "node": node, "who": who}, ANSWER_S)
    if "error" in reply:
        raise SalternError(str(reply["error"]))
    return reply


def wake(_host: Host, root: str) -> Reply:
    """Have it look again; raises ``NoGuard``."""
    return ask(root, {"ask": "wake"}, ANSWER_S)


def fence_domain(host: Host, root: str, domain: str, node: str) -> Reply:
    """Have a domain ended on one of its nodes, this one or the other; returns when it is gone.

    Raises ``NoGuard``, and ``Refused`` with why it is not gone; where nothing was heard of it, that is unknown.
    """
    told = _require(ask(root, {"ask": "end", "domain": domain, "node": node}, ANSWER_S), domain, node)
    deadline_s = host.now() + _ENDED_S
    while told["gone"] is None and host.now() < deadline_s:
        host.sleep(_POLL_S)
        told = _require(ask(root, {"ask": "ended", "number": told["number"]}, ANSWER_S), domain, node)
    if told["gone"] is None:
        raise Refused(
            f"domain {domain}", f"{node} has not answered: whether it runs there is unknown", "See `xl list` there"
        )
    return {"domain": domain, "node": node, "gone": True}


def _require(told: Reply, domain: str, node: str) -> Reply:
    if "error" in told or told["gone"] is False:
        why = told.get("error") or told["why"]
        raise Refused(f"domain {domain}", f"it was not ended on {node}: {why}", "See `guard.status` of both its nodes")
    return told


def public_key(host: Host, _root: str) -> str | None:
    """See ``upkeep.public_key``."""
    return upkeep.public_key(host)
