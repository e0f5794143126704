"""The guards of a cluster: which node is protected, and what has been decided, in data and in words."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from saltern.model.desired import NodeSlice
from saltern.status.answer import SILENT, Answer, Tree
from saltern.status.faults import SEE_WHETHER_IT_IS_UP, Fault

_SHOWN: Final = 5  # of what was decided
_SERVICE: Final = "see `systemctl status saltern-guard` there"
_SILENT: Final = f"unknown: {SILENT}"


def guards_state(shares: Mapping[str, NodeSlice], answers: Mapping[str, Answer]) -> dict[str, Any]:
    """What each node tells of its guard, by node, where the topology has automatic takeover or a guard is there all the same.

    ``why`` is ``None`` for one that is protected.
    """
    found = {}
    for node, answer in answers.items():
        wanted = shares[node].guard is not None
        if wanted or answer.guard.get("configured"):
            found[node] = {**answer.guard, "wanted": wanted, "why": _why(answer, wanted=wanted)}
    return found


def _why(answer: Answer, *, wanted: bool) -> str | None:
    """Why a node is not protected."""
    guard = answer.guard
    if answer.guard_trouble is not None:
        return f"unknown: {answer.guard_trouble}"
    if not guard["configured"]:
        return "no guard was installed yet"
    if not wanted:
        return "the topology has no automatic takeover any more"
    if "trouble" in guard:
        return str(guard["trouble"])
    return None if guard["protected"] else _why_not(guard)


def _why_not(guard: Tree) -> str:
    if guard["ending"]:
        return "its guard was asked to end"
    if guard["aside"]:
        return "its guard has stepped aside for an apply that was not finished"
    if guard.get("leaving"):
        return "its guard steps aside for an apply that was not finished, and not all who have to know have taken note"
    if guard["unfenced"]:
        what = "demand quorum for" if guard.get("quorum") else "ask its guard about"
        return f"DRBD was not seen to {what} {' and '.join(guard['unfenced'])}"
    if guard.get("unvouched"):
        names = " and ".join(guard["unvouched"])
        return (
            f"{names} was not seen with its other copy since DRBD asks about it, so that newer data may be here alone"
        )
    if guard.get("apart"):
        names = " and ".join(guard["apart"])
        return f"its guard and that of {names} were not told the same, so that neither takes anything over from the other one"
    if guard["unaware"]:
        return f"{' and '.join(guard['unaware'])} did not answer of late, without whom nobody takes it over"
    return "its guard has not begun to protect it yet"


def faults(guards: Mapping[str, Tree]) -> Iterator[Fault]:
    """Nodes that are not protected, guards of older settings or that cannot see their node, and agents that do not work."""
    for node, guard in guards.items():
        about = f"node {node}"
        if guard["why"] is not None:
            which = f"{' and '.join(_exposed(guard))} is" if _protects(guard) else "is"
            yield Fault(about=about, what=f"{which} not protected: {guard['why']}", remedy=_remedy(node, guard))
            continue
        if not guard["current"]:
            yield Fault(about=about, what="its guard works with what was replaced since", remedy=_apply(node))
        if not guard["seen"]:
            yield Fault(about=about, what="its guard cannot see what runs there", remedy=_SERVICE)
        yield from _agents(about, guard)


def _agents(about: str, guard: Tree) -> Iterator[Fault]:
    for other, trouble in guard["agents"].items():
        if trouble is not None:
            remedy = "see what the agent speaks to, or correct its options in the topology"
            yield Fault(about=about, what=f"cannot have {other} switched off: {trouble}", remedy=remedy)


def _protects(guard: Tree) -> list[str]:
    """The domains that their partners would take over, some of which may be there while others are not."""
    if "trouble" in guard or not guard["wanted"]:
        return []
    return [name for name, told in guard.get("domains", {}).items() if told.get("protected")]


def _exposed(guard: Tree) -> list[str]:
    return [name for name in guard["domains"] if name not in _protects(guard)]


def _remedy(node: str, guard: Tree) -> str:
    if guard["why"] == _SILENT:
        return SEE_WHETHER_IT_IS_UP
    if guard.get("apart"):
        return f"`salt -L {','.join([node, *guard['apart']])} state.apply`"
    works = guard.get("configured") and guard["wanted"] and not guard.get("leaving")
    return _SERVICE if works else _apply(node)


def _apply(node: str) -> str:
    return f"`salt {node} state.apply`"


def noticed(guards: Mapping[str, Tree]) -> Iterator[str]:
    """Guards that are paused, nodes that are proven dead, and data that are good on one node alone."""
    for node, guard in guards.items():
        if guard.get("paused") is not None:
            end = f"`salt-run cluster.resume {node}`"
            yield f"the guard of {node} is paused by {guard['paused'].strip()}: it takes nothing over until {end}"
        for dead in guard.get("dead", ()):
            yield f"{node} has proof that {dead} is dead, and takes over what ran there"
        for domain, reason in guard.get("refused", {}).items():
            yield f"{_refusal(node, domain, reason)} (`salt-run cluster.explain {domain}` tells what to do)"
        alone = ", ".join(guard.get("alone", ()))
        if alone:
            yield f"{node} goes on alone with the data of {alone}: the other copy counts as outdated until it is synchronised"


def guard_lines(guards: Mapping[str, Tree]) -> list[str]:
    """A line for each node."""
    return [f"{node}: {_line(guard)}" for node, guard in guards.items()]


def _line(guard: Tree) -> str:
    if guard["why"] is not None and not _protects(guard):
        return "not protected"
    renewed = ", ".join(f"{name} {ago_s:g} s ago" for name, ago_s in guard["renewed_s_ago"].items())
    but = f" but for {' and '.join(_exposed(guard))}" if guard["why"] is not None else ""
    shown = f"protected{but}{', paused' if guard['paused'] is not None else ''}"
    if guard.get("quorum"):
        return f"{shown}; {f'had quorum for {renewed}' if renewed else 'nothing was seen with quorum yet'}"
    return f"{shown}; answered by {renewed or 'nobody yet'}"


def of_domain(domain: str, guards: Mapping[str, Tree]) -> list[str]:
    """What the guards say of one domain: its lease, why it could not be started there, and what was decided of it.

    A node whose partner is lost is not protected itself, and has the most to say.
    """
    lines = []
    for node, guard in guards.items():
        if guard["why"] is not None and domain not in _protects(guard):
            lines.append(f"{node} is not protected: {guard['why']}")
        if "domains" not in guard:
            continue
        if domain in guard["refused"]:
            lines += [
                _refusal(node, domain, guard["refused"][domain]),
                _way_out(node, guard["domains"][domain]["partner"]),
            ]
        else:
            lines += _of_domain(node, guard, domain)
        about = [each for each in guard["decisions"] if domain in each["subject"].split()]
        lines += [f"{node}, {each['at']}: {each['subject']}: {each['words']}" for each in about[-_SHOWN:]]
    return lines


def _refusal(node: str, domain: str, reason: str) -> str:
    return f"{node} does not start {domain}, though its other node is proven dead: {reason}"


def _way_out(node: str, lost: str) -> str:
    return (
        f"switch {lost} on again, and `salt {lost} state.apply` when `salt-run cluster.status` shows both copies UpToDate. "
        f"If {lost} is lost for good, and what is on {node} is to be started: *Start what no guard starts* in "
        "docs/howto/survive-a-lost-node.md"
    )


def _of_domain(node: str, guard: Tree, domain: str) -> Iterator[str]:
    told = guard["domains"].get(domain)
    if told is None:
        yield f"the guard of {node} does not know it yet; {_apply(node)}"
        return
    if told["running"]:
        yield f"it is guarded on {node}: {_lease(guard, told)}"
    elif told["not_startable"]:
        yield f"were the other node lost, {node} would not start it now: {told['not_startable']}"
    else:
        yield f"were the other node lost, {node} would start it"


def _lease(guard: Tree, told: Tree) -> str:
    left_s = told["lease_left_s"]
    left = None if left_s is None else f"its lease has {left_s:g} s left"
    if told["never_quorate"]:
        return "it was never seen with quorum since the guard began" + (f"; {left}" if left else "")
    if not guard["leases"]:
        return "no lease ends it, since fence agents are the proof of death"
    return left or "nobody has answered yet"
