"""One domain explained: where it is and why, what is wrong, what the next apply would do, and whether it could move."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from saltern.errors import Refused
from saltern.model.desired import DomainSpec, NodeSlice
from saltern.model.survey import Survey
from saltern.plan import migrate
from saltern.status import faults, guards
from saltern.status.answer import Answer, Tree, answer, told
from saltern.status.state import domain_state, operations_state
from saltern.status.text import wrapped
from saltern.survey import from_plain

ASKED_OF_DOMAIN: Final = ("operation.look", "operation.explain")
WIDTH: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """What one node said of one domain, beside its ``Answer``; each part, or why it is unknown.

    ``items`` and ``log`` are those of ``operation.explain``.
    """

    answer: Answer
    survey: Survey | str
    items: list[Tree] | str
    log: str = ""


def heard(said: object) -> Witness:
    """From whatever Salt gives for a node that was asked for ``ASKED`` and ``ASKED_OF_DOMAIN`` at once."""
    found, no_foresight = told(said, "operation.explain", Mapping)
    return Witness(
        answer=answer(said),
        survey=_survey(said),
        items=no_foresight or found["items"],
        log="" if no_foresight else found["log"],
    )


def _survey(said: object) -> Survey | str:
    found, trouble = told(said, "operation.look", Mapping)
    try:
        return trouble or from_plain(next(iter(found.values())))
    except (AttributeError, KeyError, StopIteration, TypeError, ValueError):
        return "it tells what this version does not understand; state.apply brings it to the same one"


def explain(domain: DomainSpec, share: NodeSlice, witnesses: Mapping[str, Witness]) -> dict[str, Any]:
    """A domain in words and data; ``witnesses`` are those of both its nodes, ``share`` that of one of them."""
    answers = {node: each.answer for node, each in witnesses.items()}
    state = domain_state(domain, share, answers)
    operations = [each for each in operations_state(answers) if each["domain"] == domain.name]
    found = guards.guards_state(dict.fromkeys(answers, share), answers)
    wrong = [
        *faults.of_nodes(answers),
        *guards.faults(found),
        *(each for each in faults.of_operations(operations, answers) if each.about == f"domain {domain.name}"),
        *faults.of_domain(domain.name, state, operations),
        *faults.of_impostors({domain.name: domain}, answers),
    ]
    return {
        "domain": domain.name,
        **state,
        "operations": operations,
        "guards": guards.of_domain(domain.name, found),
        "where": list(_where(domain, state, operations, witnesses)),
        "wrong": [{"about": each.about, "what": each.what, "remedy": each.remedy} for each in wrong],
        "noticed": list(faults.noticed(domain, answers)),
        "next_apply": {node: _foreseen(each.items) for node, each in witnesses.items()},
        "move": _move(domain, {node: each.survey for node, each in witnesses.items()}),
    }


# --- Where, and why ----------------------------------------------------------------------------------------------
def _where(
    domain: DomainSpec, state: Tree, operations: list[dict[str, Any]], witnesses: Mapping[str, Witness]
) -> Iterator[str]:
    runs_on, unseen = state["runs_on"], [node for node in state["may_run_on"] if node not in state["runs_on"]]
    for node, condition in runs_on.items():
        verb = "runs" if condition == "running" else f"is {condition.replace('_', ' ')}"
        place = "its home" if node == domain.home else f"away from its home {domain.home}"
        yield f"It {verb} on {node}, {place}."
    if not runs_on and not unseen:
        yield f"It runs on neither of its nodes, {domain.home} and {domain.partner}."
    for node in unseen:
        yield f"Whether it runs on {node} is unknown: {witnesses[node].answer.trouble}."
    if state["stopped"] is not None and not runs_on:
        yield f"It stays {state['stopped']}; `salt-run state.orch start pillar='{{domain: {domain.name}}}'` starts it."
    for each in operations:
        yield f"The {each['text']}: {each['state']}."
    if list(runs_on) == [domain.partner] and not operations:
        notes = (each.answer.operations["maintenance"].get(domain.home) for each in witnesses.values())
        maintenance = next(filter(None, notes), None)
        yield from _away(domain, state["placed"], witnesses, maintenance=maintenance)


def _away(
    domain: DomainSpec, placed: str | None, witnesses: Mapping[str, Witness], *, maintenance: str | None
) -> Iterator[str]:
    """Why a domain is with its partner, as far as it is known."""
    if placed is not None:
        yield f"It was {placed}."
    yield _came(domain.partner, witnesses[domain.partner], witnesses[domain.home])
    if maintenance is not None:
        yield f"{domain.home} is in maintenance, {maintenance}."
    back = f"salt-run state.orch migrate pillar='{{domain: {domain.name}, target: {domain.home}}}'"
    if domain.automatic_return and placed is None and maintenance is None:
        yield f"It returns by itself when {domain.home} starts and its disks are UpToDate; to move it home now: `{back}`."
    else:
        yield f"It stays there until somebody moves it home: `{back}`."


def _came(node: str, here: Witness, there: Witness) -> str:
    """How it came to a node, which has a part in whatever brings it; in a migration it is the sender whom xl tells the end."""
    begun, _, said = here.log.strip().partition("\n")
    if isinstance(here.items, str):
        return f"Why is unknown: {node} does not tell."
    if not begun:
        return f"{node} has had no part in any operation on it: it was moved, or started there, by hand."
    same, _, told = there.log.strip().partition("\n")
    said = told if same == begun and told else said
    ended = f", ended with: {said.rpartition(chr(10))[2]}" if said else ""
    return f"The last operation on it that {node} had a part in: {begun}{ended.removesuffix(chr(46))}."


# --- What would happen -------------------------------------------------------------------------------------------
def _foreseen(items: list[Tree] | str) -> dict[str, Any]:
    return {"unknown": items} if isinstance(items, str) else {"items": items}


def _move(domain: DomainSpec, surveys: Mapping[str, Survey | str]) -> dict[str, Any]:
    """Whether it could move to the other node now; ``possible`` is ``None`` when that is unknown."""
    known = {node: each for node, each in surveys.items() if isinstance(each, Survey)}
    if len(known) < len(surveys):
        silent = "; ".join(f"{node}: {each}" for node, each in surveys.items() if isinstance(each, str))
        return {"possible": None, "told": f"unknown: {silent}"}
    try:
        move = migrate.decide(domain, known)
    except Refused as refused:
        return {"possible": False, "told": f"no: {refused}"}
    if move is None:  # only where a target was asked for
        return {"possible": False, "told": "no: it is there already"}
    if move.waits_for:
        told = f"from {move.source} to {move.target}, but not yet: it would wait while {', '.join(move.waits_for)}"
    else:
        told = f"yes, from {move.source} to {move.target}"
    return {"possible": True, "told": told}


# --- Text --------------------------------------------------------------------------------------------------------
def explain_text(explained: Tree) -> str:
    """What ``explain`` returned, for people."""
    lines = [f"Domain {explained['domain']}: home {explained['home']}, partner {explained['partner']}"]
    lines += _section("Where", explained["where"])
    lines += ["", "Wrong", *(line for fault in explained["wrong"] for line in _fault(fault))]
    if not explained["wrong"]:
        lines.append("  Nothing.")
    lines += _section("Noticed", explained["noticed"])
    lines += _section("Automatic takeover", explained["guards"])
    lines += ["", "What the next state.apply would do"]
    for node, told_ in explained["next_apply"].items():
        place = "its home" if node == explained["home"] else "its partner"
        lines += [f"  On {node}, {place}:", *_apply(told_)]
    lines += _section("Could it move now", [explained["move"]["told"]])
    return "\n".join(lines)


def _section(title: str, texts: list[str]) -> list[str]:
    return ["", title, *(line for text in texts for line in wrapped(text, WIDTH, "  "))] if texts else []


def _fault(fault: Tree) -> Iterator[str]:
    yield from wrapped(f"{fault['about']}: {fault['what']}", WIDTH, "  - ")
    if fault["remedy"]:
        yield from wrapped(f"to do: {fault['remedy']}", WIDTH, "    ")


def _apply(foreseen: Tree) -> Iterator[str]:
    if "unknown" in foreseen:
        yield from wrapped(f"unknown: {foreseen['unknown']}", WIDTH, "    ")
        return
    open_items = [each for each in foreseen["items"] if each["result"] is not True or each["warnings"]]
    together: dict[tuple[str, str], list[str]] = {}  # what is said of several items alike is said once
    for each in open_items:
        verb = {None: "would do" if each["changes"] else "would wait", False: "refuses", True: "warns"}[each["result"]]
        said = (
            "; ".join(each["warnings"]) if each["result"] is True else each["comment"].removeprefix(f"{each['item']}: ")
        )
        together.setdefault((verb, said), []).append(each["item"])
    for (verb, said), items in together.items():
        yield from wrapped(f"{verb}: {', '.join(items)}: {said}", WIDTH, "    - ")
    # What it says of the domain itself is told also when there is nothing to do.
    for each in foreseen["items"]:
        if each["kind"] == "domain" and each not in open_items:
            yield from wrapped(f"{each['item']}: {each['comment']}", WIDTH, "    - ")
    others = "everything else" if open_items else "everything"
    yield f"    {others} is as it should be ({len(foreseen['items']) - len(open_items)} items)"
