"""What guards and the witness say to each other: these, and nothing else.

``boot`` numbers the boots of a node: each is greater than all before it. What is answered is a request's number.
"""

from typing import NamedTuple


class Beat(NamedTuple):
    """A node lives.

    ``covered`` names the partners that may take over what it runs of theirs when it is proven dead. DRBD asks its guard about all
    of that before it goes on alone; and with leases it has been answered since its boot, and stops it when it is not any more.
    With ``released`` it says that it runs none since it was told ``No`` of that number; ``alone`` names the domains whose data it
    goes on with alone. ``running`` is how many domains it runs. A guard that is ``leaving`` ends as soon as that is known: then
    nobody is to take anything over from it. ``terms`` are those on which it works, by partner: where these were told something
    else, neither takes anything over from the other one.
    """

    node: str
    boot: int
    number: int
    covered: frozenset[str] = frozenset()
    released: int | None = None
    alone: frozenset[str] = frozenset()
    running: int = 0
    leaving: bool = False
    terms: frozenset[tuple[str, str]] = frozenset()


class Yes(NamedTuple):
    """It was heard: the lease goes on from when the beat was sent.

    The witness adds what it keeps for whoever sent the beat: ``denies``, the nodes that it has had denied, with their refusals,
    and ``alone``, the domains that count as good on that node only.
    """

    number: int
    denies: frozenset[tuple[str, int]] = frozenset()
    alone: frozenset[str] = frozenset()


class No(NamedTuple):
    """It was heard, and is not answered any more until it has released everything. ``declared``: it was taken over from.

    Without a ``refusal`` to refer to, it is answered again after its next boot.
    """

    number: int
    refusal: int | None
    declared: bool


class Deny(NamedTuple):
    """The witness is asked not to answer a node any longer, in that boot. ``domains`` are those that may then be started here;
    ``terms`` are those on which that node has to work.
    """

    node: str
    denied_boot: int
    domains: frozenset[str]
    by: str
    boot: int
    number: int
    terms: str = ""


class Denied(NamedTuple):
    """It is not answered any more. ``alone`` names the domains whose data it goes on with alone."""

    number: int
    node: str
    refusal: int
    alone: frozenset[str]


class Lives(NamedTuple):
    """Why not: the witness hears that node, has not listened for long enough, or has not heard it on the terms of who asks."""

    number: int


class Allow(NamedTuple):
    """The node has come to life for whoever had it denied."""

    node: str
    refusal: int
    by: str
    boot: int
    number: int


class GoOn(NamedTuple):
    """A node asks to go on alone with the data of a domain: its partner's copy then counts as outdated.

    The witness writes that down; the partner marks its copy. Either will do.
    """

    domain: str
    by: str
    boot: int
    number: int


class Synchronised(NamedTuple):
    """Both copies of a domain's data are the same again, or the other one is being made so and is Inconsistent meanwhile."""

    domain: str
    by: str
    boot: int
    number: int


class Granted(NamedTuple):
    """Whether that copy is outdated, or counts as such, from now on.

    To ``Allow`` and ``Synchronised`` there is no answer but the next ``Yes``.
    """

    number: int
    domain: str
    given: bool


class End(NamedTuple):
    """A domain that both nodes may run is to be ended there. ``heard`` is the number of the last beat that came from there, in
    that node's boot ``heard_boot``.
    """

    domain: str
    by: str
    boot: int
    number: int
    heard_boot: int
    heard: int


class Ended(NamedTuple):
    """It is gone, or ``reason`` tells why not."""

    number: int
    domain: str
    reason: str | None


Message = Beat | Deny | Allow | GoOn | Synchronised | End
Answer = Yes | No | Denied | Lives | Granted | Ended
