"""What is being done with a domain across its two nodes: the entry that each of them keeps until it is over there."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class OperationKind(StrEnum):
    """What can be done. An ``offline`` migration shuts the domain down and starts it over there; what is stopped stays so.

    A remake is many steps, some of which are operations of the other kinds; see ``saltern.model.remake.Remaking``.
    """

    MIGRATE = "migrate"
    OFFLINE = "offline migrate"
    START = "start"
    STOP = "stop"
    REMAKE = "remake"


class Half(StrEnum):
    """Which half of an operation a node has: where the domain is before it, or where it is after it.

    A start has its target, a stop its source; the other node has the other half, so that it knows, and has nothing to do.
    """

    SOURCE = "source"
    TARGET = "target"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An operation as one node has it.

    ``owner`` and ``since`` tell a person who began it and when. ``renewed_s`` is the node's own clock (seconds since it booted)
    at the last sign of life of whoever prepares it; ``taken`` is set when this node's half was begun. ``address`` is where the
    target takes domains in. A domain that ``stays`` on the target does not return home by itself: a person has put it there.
    """

    id: str
    kind: OperationKind
    domain: str
    uuid: str
    half: Half
    source: str
    target: str
    address: str
    resources: tuple[str, ...]
    owner: str
    since: str
    renewed_s: float
    taken: bool
    stays: bool = False

    def __str__(self) -> str:
        way = {
            OperationKind.START: f" on {self.target}",
            OperationKind.STOP: f" on {self.source}",
            OperationKind.REMAKE: "",
        }
        where = way.get(self.kind, f" from {self.source} to {self.target}")
        return f"{self.kind} of {self.domain}{where}, begun by {self.owner} at {self.since}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """An operation that can be begun; ``waits_for`` tells, in words, what time has to bring before it is carried out."""

    kind: OperationKind
    domain: str
    source: str
    target: str
    waits_for: tuple[str, ...] = ()

    def __str__(self) -> str:
        match self.kind:
            case OperationKind.START:
                text = f"{self.domain} starts on {self.target}"
            case OperationKind.STOP:
                text = f"{self.domain} is shut down on {self.source}, and stays so"
            case OperationKind.OFFLINE:
                text = f"{self.domain} is shut down on {self.source}, then starts on {self.target}"
            case _:
                text = f"{self.domain} moves from {self.source} to {self.target}"
        return f"{text}, but waits while {', '.join(self.waits_for)}" if self.waits_for else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An operation, and whether somebody still works on it: a process ``held`` it, or it was renewed a moment ago.

    ``other_at_work`` says that the other node may still be at its half: a guest at its shutdown, or a start that waits.
    """

    operation: Operation
    alive: bool
    held: bool = False
    other_at_work: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An operation as a node tells of it to whoever only looks: ``text`` says in words what it is, whose and since when.

    ``between`` names the two nodes that have a half of it.
    """

    id: str
    kind: str
    text: str
    between: tuple[str, str]
    alive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Entries:
    """The entries of a node by domain, whatever the topology says; ``unreadable`` has the reason for each that cannot be read.

    ``stopped`` has the domains that are to stay stopped, with who wants that; ``placed`` those that somebody has put here, with
    who did. ``strange`` has the notes that belong to no domain of this node: it is no longer in the topology, or there under
    another UUID. ``maintenance`` has the nodes that are in maintenance, as far as this one was told, with who has begun that.
    """

    entered: Mapping[str, Entry]
    unreadable: Mapping[str, str]
    stopped: Mapping[str, str]
    placed: Mapping[str, str]
    strange: Mapping[str, str]
    maintenance: Mapping[str, str]
