"""What is being done with a domain across its two nodes: the entry that each of them keeps until it is over there."""

from dataclasses import dataclass
from enum import StrEnum


class OperationKind(StrEnum):
    """What can be done."""

    MIGRATE = "migrate"


class Half(StrEnum):
    """Which half of an operation a node has."""

    SOURCE = "source"
    TARGET = "target"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An operation as one node has it.

    ``owner`` and ``since`` tell a person who began it and when. ``renewed_s`` is the node's own clock (seconds since it booted)
    at the last sign of life of whoever prepares it. ``address`` is where the target takes domains in.
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

    def __str__(self) -> str:
        return (
            f"{self.kind} of {self.domain} from {self.source} to {self.target}, begun by {self.owner} at {self.since}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An operation, and whether somebody still works on it."""

    operation: Operation
    alive: bool
