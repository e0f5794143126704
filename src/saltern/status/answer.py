"""What one node answered, or why it did not: several of its functions are asked in one call."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

Tree = Mapping[str, Any]

ASKED: Final = ("drbd.status", "xen.domains", "operation.entries", "guard.status")
SILENT: Final = "the minion does not answer"
NO_OPERATIONS: Final[Tree] = {
    name: {} for name in ("entered", "unreadable", "stopped", "placed", "strange", "maintenance")
}
NO_GUARD: Final[Tree] = {"configured": False}
# How Salt begins what it says in the place of a minion that has said nothing in time, or is not connected.
_NO_RETURN: Final = "Minion did not return"
# What Salt makes of a function that a minion does not have, and what stands before the reason of one that failed.
_MISSING: Final = "TypeError: 'str' object is not callable"
_FAILED: Final = "salt.exceptions.CommandExecutionError: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one node said, as its execution modules return it, or why it said nothing.

    ``resources`` is that of ``drbd.status``, ``domains`` that of ``xen.domains``; both are empty where ``trouble`` tells
    why they are unknown. ``operations`` is that of ``operation.entries``, empty where ``operations_trouble`` tells why;
    ``guard`` is that of ``guard.status``, and ``guard_trouble`` tells why it is unknown.
    """

    resources: Tree
    domains: Sequence[Tree]
    operations: Tree
    trouble: str | None = None
    operations_trouble: str | None = None
    guard: Tree = field(default_factory=lambda: NO_GUARD)
    guard_trouble: str | None = None


def asked_now(ask: Callable[[Sequence[str]], Tree], nodes: Sequence[str]) -> Tree:
    """What each of these nodes says at the end of this call, as ``ask`` has it from Salt.

    All are asked at once. Who answers has then waited for those that do not, half a minute perhaps, and is asked once more.
    """
    said = ask(nodes)
    waited = [node for node in nodes if isinstance(said[node], Mapping)]
    return said if len(waited) in (0, len(nodes)) else {**said, **ask(waited)}


def answer(said: object) -> Answer:
    """The answer of a node that was asked for all of ``ASKED`` at once.

    ``said`` is whatever Salt gives for it: what each function returned, or a sentence why nothing came, or nothing.
    """
    resources, no_resources = told(said, "drbd.status", Mapping)
    domains, no_domains = told(said, "xen.domains", list)
    operations, no_operations = told(said, "operation.entries", Mapping)
    guard, no_guard = told(said, "guard.status", Mapping)
    trouble = no_resources or no_domains
    return Answer(
        resources={} if trouble else resources,
        domains=[] if trouble else domains,
        operations=NO_OPERATIONS if no_operations else operations,
        trouble=trouble,
        operations_trouble=no_operations,
        guard=NO_GUARD if no_guard else guard,
        guard_trouble=no_guard,
    )


def told(said: object, function: str, shape: type) -> tuple[Any, str | None]:
    """What one function of several has returned, or else why it has not, in words."""
    if not isinstance(said, Mapping):
        if not isinstance(said, str) or not said or said.startswith(_NO_RETURN):
            return None, SILENT
        return None, said
    found = said.get(function)
    if isinstance(found, shape):
        return found, None
    # Of several functions in one call, Salt returns the traceback of one that raised; its last line tells why.
    reason = str(found).strip().rpartition("\n")[2].removeprefix(_FAILED)
    return None, f"it has no {function} yet; state.apply brings it" if reason == _MISSING else reason
