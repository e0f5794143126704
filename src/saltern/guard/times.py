"""How long everything takes that a proof of death rests on, and the inequality that makes it one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

# A guard looks four times in a beat, and numbers of messages are taken for fewer than a thousand a second (`Knowledge`).
_SHORTEST_BEAT_S: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """``beat_s`` lies between two signs of life; after ``dead_s`` without one a node counts as lost, which is no proof.

    ``lease_s`` is for how long a node's domains may run on after its last beat that was answered; within another ``watchdog_s``
    they have ended, or Xen has reset the node. ``takeover_s`` is what a partner waits from the last answer on. Clocks run at the
    same speed but for ``drift``; ``margin_s`` lies between a decision and its command. ``duel_s`` is for how much longer the node
    with fewer domains waits before it has the other one fenced. ``detect_s`` is what DRBD takes at most until it notices that a
    connection is dead: by quorum, a lease goes on until then.
    """

    beat_s: float = 1.0
    dead_s: float = 4.0
    lease_s: float = 8.0
    watchdog_s: float = 8.0
    takeover_s: float = 20.0
    margin_s: float = 2.0
    drift: float = 0.01
    duel_s: float = 5.0
    detect_s: float = 0.0

    @property
    def needed_s(self) -> float:
        """The least ``takeover_s``: here a clock that is too fast, over there one that is too slow."""
        return (self.detect_s + self.lease_s + self.watchdog_s) * (1 + self.drift) / (1 - self.drift) + self.margin_s


def wrong(times: Times) -> Iterator[str]:
    """Everything that keeps these times from proving anything, in words."""
    if not 0 <= times.drift <= 0.1:
        yield f"drift is {times.drift:g}; allowed: 0 to 0.1"
        return
    if times.beat_s < _SHORTEST_BEAT_S or times.margin_s < 0:
        yield (
            f"beat is {times.beat_s:g} s and margin {times.margin_s:g} s; a beat is at least {_SHORTEST_BEAT_S:g} s, a margin "
            "not less than 0"
        )
    if times.duel_s < 0 or times.detect_s < 0:
        yield f"duel is {times.duel_s:g} s and detect {times.detect_s:g} s; neither is less than 0"
    if times.watchdog_s < 2 or times.watchdog_s != int(times.watchdog_s):
        yield f"watchdog is {times.watchdog_s:g} s; Xen takes whole seconds, at least 2"
    if times.dead_s < 3 * times.beat_s:
        yield f"dead is {times.dead_s:g} s; at least three beats ({3 * times.beat_s:g} s), or one lost beat is a lost node"
    if times.lease_s < times.dead_s:
        yield f"lease is {times.lease_s:g} s; not less than dead ({times.dead_s:g} s), or a node gives up before it is missed"
    if times.takeover_s < times.needed_s:
        yield (
            f"takeover is {times.takeover_s:g} s; ({_bounded(times)}) * (1 + drift) / (1 - drift) + margin are "
            f"{times.needed_s:.1f} s, and until then the lost node may still be writing"
        )


def _bounded(times: Times) -> str:
    return "detect + lease + watchdog" if times.detect_s else "lease + watchdog"
