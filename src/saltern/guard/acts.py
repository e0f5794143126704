"""What a guard wants to be done. Whoever does it keeps to the order: nothing is done before what stands ahead of it."""

from typing import NamedTuple

from saltern.guard.facts import Facts
from saltern.guard.messages import Answer, Message


class Send(NamedTuple):
    """Send a message, or the answer to one."""

    to: str
    message: Message | Answer


class Stop(NamedTuple):
    """End a domain at once, also one that is only being started: its lease has ended."""

    domain: str


class Start(NamedTuple):
    """Start a domain whose other node is proven dead; ``failed`` is told when that does not succeed."""

    domain: str


class Promote(NamedTuple):
    """Make the resources of a domain Primary, without force; ``promoted`` is told what came of it, always."""

    domain: str


class Demote(NamedTuple):
    """Make the resources of a domain Secondary that does not run here."""

    domain: str


class Refuse(NamedTuple):
    """Tell why a domain of a dead node is not started now. It is said again when the reason has changed."""

    domain: str
    reason: str


class Fence(NamedTuple):
    """Have a node's fence agent switch it off, and look whether it is; ``fenced`` is told what came of it, always."""

    node: str


class Outdate(NamedTuple):
    """Mark the copy of a domain here as Outdated, on its disk; ``outdated`` is told what came of it."""

    domain: str


class ResumeIo(NamedTuple):
    """Have DRBD go on with a domain, if it still waits for its handler: what was promised has not reached it that way."""

    domain: str


class WindUp(NamedTuple):
    """Wind the watchdog up to its full time."""


class Disarm(NamedTuple):
    """Forget ``renewed``, then stop the watchdog, then end: nobody takes anything over from this node meanwhile."""


class Keep(NamedTuple):
    """Write the facts to the disk, before anything that comes after this is done."""

    facts: Facts


Act = Send | Stop | Start | Promote | Demote | Refuse | Fence | Outdate | ResumeIo | WindUp | Disarm | Keep
