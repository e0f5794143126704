"""What a guard is told: what can prove death, what is on its disk, and what was just seen on its node."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from saltern.guard.peer import Declaration


class Proof(NamedTuple):
    """What proves death in this cluster: a ``lease`` with a witness, the agents of the nodes that can be ``fenced``, or a
    promotion that DRBD has agreed to by ``quorum`` and that was held since.

    With a lease an agent is used in addition, and what it says proves nothing. With none of these, nothing is taken over
    but on a person's word (``confirm_dead``). Quorum is alone.
    """

    lease: bool = True
    fenced: frozenset[str] = frozenset()
    quorum: bool = False

    @property
    def ends(self) -> bool:
        """Whether a domain may run only for a while after the last sign that it is not taken over."""
        return self.lease or self.quorum


class Facts(NamedTuple):
    """What a guard has on its disk.

    ``met`` has the nodes that it has heard since the node's ``boot``, and in which boot of theirs; ``covered`` names those
    that said last that they are, ``declared`` those that were proven dead since; ``alone`` the domains whose data this node goes
    on with alone. ``off`` has the nodes whose guard was stopped on purpose, with the boot and the number of the beat that said
    so. While it is ``paused`` nothing is taken over. ``terms`` are those on which each of them said last that it works with this
    one. This node has ``vouched`` for the domains whose copies were in sight of each other since DRBD asks about them: whatever
    was written here before, the other node has, or knows that it lacks it. ``away`` are those whose copy here was, or may have
    been, without its disk while the other one could be written: nobody asked for that, and only the next synchronisation tells.
    ``partners`` has the other node of each domain, with which that was so.
    """

    boot: int
    met: Mapping[str, int] = {}
    declared: Mapping[str, Declaration] = {}
    alone: frozenset[str] = frozenset()
    off: Mapping[str, tuple[int, int]] = {}
    paused: bool = False
    covered: frozenset[str] = frozenset()
    terms: Mapping[str, str] = {}
    vouched: frozenset[str] = frozenset()
    away: frozenset[str] = frozenset()
    partners: Mapping[str, str] = {}

    def after_boot(self, boot: int) -> "Facts":
        """What is still so after another boot: nobody has been met, and a proof of before proves nothing now."""
        return self._replace(boot=boot, met={}, covered=frozenset(), declared={})


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was just seen here of the domains that are guarded; others, as those on several nodes at once, are passed over.

    Each is ``running``, or ``starting``, or ``startable`` if its other node is dead, or ``against`` has what speaks against
    that, in words. ``lost`` are those running on a copy that is whole, whose other one has gone out of sight; ``settled`` those
    whose copy here is good, and in sight of one that is the same, or is Inconsistent while it is made so: it says itself that
    it is not to be started.
    ``connected`` are those that are connected; ``met`` those that may have been since the look before, if only for a moment. Of
    those that are ``replicating`` at least one disk is connected; that is ``None`` while it is not known. ``free_bytes`` is the
    memory that is left for domains; ``None`` where that is not known.

    ``mirrored`` are those whose other copy is in sight, and is UpToDate or Inconsistent, since DRBD asks about them. ``away`` are
    those of which a copy here is, or was since the look before, without its disk while it was connected. ``consistent`` are those
    with a copy here that is: DRBD has not seen the other one since it attached the disk.

    Of those that are ``waiting`` DRBD has suspended the I/O until its handler has ended well.

    ``unfenced`` are those of which it was not seen that DRBD asks this guard before it goes on alone, or, where quorum is the
    proof, that it demands quorum for it; ``None`` where that was not looked at: then it is as before. ``unasked`` are those that
    it writes alone now, whether it has asked or not: also into the sight of a node that has no disk for it.

    Of those that are ``quorate`` all resources have quorum here, and need it; of those that are ``primary`` all are Primary, of
    those that are ``partly_primary`` some are, and not all, running or not. All that was so when the look began, at ``began_s``
    by the clock of the guard.
    """

    running: frozenset[str] = frozenset()
    starting: frozenset[str] = frozenset()
    startable: frozenset[str] = frozenset()
    against: Mapping[str, str] = field(default_factory=dict)
    lost: frozenset[str] = frozenset()
    waiting: frozenset[str] = frozenset()
    settled: frozenset[str] = frozenset()
    met: frozenset[str] = frozenset()
    connected: frozenset[str] = frozenset()
    replicating: frozenset[str] | None = frozenset()
    free_bytes: int | None = None
    unfenced: frozenset[str] | None = frozenset()
    unasked: frozenset[str] = frozenset()
    mirrored: frozenset[str] = frozenset()
    away: frozenset[str] = frozenset()
    consistent: frozenset[str] = frozenset()
    quorate: frozenset[str] = frozenset()
    primary: frozenset[str] = frozenset()
    partly_primary: frozenset[str] = frozenset()
    began_s: float = 0.0
