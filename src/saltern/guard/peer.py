"""What a node knows of another one: what it has heard of it, what it has answered, and what it can prove."""

from dataclasses import dataclass, field
from typing import NamedTuple

from saltern.guard.fencing import Fencing


class Declaration(NamedTuple):
    """A node was proven dead, in that boot and before; kept on the disk. It is answered again when it has booted since, or has
    released everything after a ``refusal`` of that number; one that was fenced has no such number.

    ``alone`` names the domains whose data it had gone on with alone: the copy here is older.
    """

    boot: int
    refusal: int | None
    alone: frozenset[str]


class Sent(NamedTuple):
    """A beat that was sent: when, how many domains it said are running, and by whom it said that they may be taken over."""

    sent_s: float
    running: int
    covered: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """The witness answers that node no more, since ``since_s``; that is its answer to the request of that number."""

    number: int
    refusal: int
    since_s: float
    alone: frozenset[str]


@dataclass(slots=True, kw_only=True)
class Peer:
    """A partner, or the witness. ``answered_s`` is the last time that a beat of it was answered here.

    After a start of the guard that is unknown, and therefore now. ``alone`` and ``running`` are what it said last.
    ``renewed_s`` is when the latest beat was sent that it has answered, ``told`` how many domains that said are running here,
    ``knows_covered_s`` when the latest of them was sent that said that it may take over, or to the witness for all of which that
    is so; ``sent`` has the beats that it may still answer, by number.
    """

    answered_s: float
    heard_s: float
    boot: int = 0
    number: int = 0
    beat: int | None = None  # the number of the last one that was heard, since this guard began
    alone: frozenset[str] = frozenset()
    running: int = 0
    renewed_s: float | None = None
    told: int = 0
    knows_covered_s: float | None = None
    sent: dict[int, Sent] = field(default_factory=dict)
    denial: Denial | None = None
    asked: int | None = None  # the number of the first request to have it denied, since it was heard last
    refusal: int | None = None  # the number of its last ``No`` to a beat of this node
    taken_over_s: float | None = None  # since when it says so because it holds this node to be dead
    latest: int = 0  # the number of the latest beat of this node that it has answered, one way or the other
    fencing: Fencing = field(default_factory=Fencing)
    knows_off: bool = False  # it has written down that this guard stops
