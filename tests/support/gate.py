"""A guard that answers as a test says, on a simulated node: for whoever has to ask it before a domain starts."""

import json
from collections.abc import Iterable, Mapping

from saltern.model.places import GUARD_SETTINGS, GUARD_SOCKET
from saltern.sim.world import World


class Gate:
    """``why`` is what it has against a start, ``None`` for nothing; ``first`` are its next answers, before that one.

    ``asked`` holds what it was asked.
    """

    def __init__(self, world: World, node: str, why: str | None = None, *, first: Iterable[str | None] = ()) -> None:
        self.why, self.first = why, list(first)
        self.asked: list[Mapping[str, str]] = []
        found = world.nodes[node]
        if GUARD_SETTINGS not in found.files:
            found.files[GUARD_SETTINGS] = ("{}", 0o600)
        found.services[GUARD_SOCKET] = self._answer

    def _answer(self, question: str) -> str:
        self.asked.append(json.loads(question))
        why = self.first.pop(0) if self.first else self.why
        return json.dumps({"allowed": why is None, "why": why or "this node has a lease"})
