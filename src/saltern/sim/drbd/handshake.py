"""What two kernels decide when they meet: pure functions over generation identifiers.

The rules and their numbers are those of drbd_uuid_compare() and drbd_sync_handshake() in the kernel's
drivers/block/drbd/drbd_receiver.c, which the kernel logs as "uuid_compare()=-1 by rule 50" (transcripts 178, 192).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from saltern.sim.drbd.metadata import JUST_CREATED

SPLIT_BRAIN: Final = 100
AMBIGUOUS: Final = -100
UNRELATED: Final = -1000
_NEW_BITMAP_OFFSET: Final = 1 << 48  # added to the bitmap UUID when a synchronisation starts


@dataclass(frozen=True, slots=True)
class Side:
    """One side as it presents itself: UUIDs, state and role, and how many blocks it knows to be out of sync."""

    current: int
    bitmap: int
    history: tuple[int, int]
    primary: bool
    inconsistent: bool  # the disk is Inconsistent; otherwise it is better than that
    crashed_primary: bool = False
    discard_my_data: bool = False
    out_of_sync_blocks: int = 0
    attaching: bool = False  # the disk is just being attached, while the connection stands
    resolves_conflicts: bool = False  # one of the two ends of a connection is the one that decides


@dataclass(frozen=True, slots=True)
class Comparison:
    """``result`` as uuid_compare() returns it: >0 source, <0 target, 2 with everything, +-100 split-brain.

    ``repair`` says how to correct this side's UUIDs when a packet at the end or start of a synchronisation was lost; the
    other side finds out for itself.
    """

    result: int
    rule: int
    repair: str = ""


class Outcome(Enum):
    """What becomes of the connection on this side."""

    CONNECTED = "connected"
    SOURCE = "source"
    TARGET = "target"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome on one side, whether everything is copied, and the comparison that led to it, if there was one."""

    outcome: Outcome
    full: bool
    comparison: Comparison | None


def _same(a: int, b: int) -> bool:
    return a & ~1 == b & ~1


def compare(me: Side, peer: Side) -> Comparison:
    """Compare generation identifiers as drbd_uuid_compare() does."""
    mine, other = me.current & ~1, peer.current & ~1
    if mine == JUST_CREATED and other == JUST_CREATED:
        return Comparison(0, 10)
    if mine in (JUST_CREATED, 0) and other != JUST_CREATED:
        return Comparison(-2, 20)
    if mine != JUST_CREATED and other in (JUST_CREATED, 0):
        return Comparison(2, 30)
    if mine == other:
        return _compare_equal(me, peer)
    return _compare_different(me, peer)


def _compare_equal(me: Side, peer: Side) -> Comparison:
    if me.bitmap and not peer.bitmap:
        missed = _same(me.bitmap, peer.history[0]) and _same(me.history[0], peer.history[1])
        return Comparison(1, 34, "mine finished") if missed else Comparison(1, 36)
    if peer.bitmap and not me.bitmap:
        missed = _same(me.history[0], peer.bitmap) and _same(me.history[1], peer.history[0])
        return Comparison(-1, 35) if missed else Comparison(-1, 37)
    if not me.crashed_primary and not peer.crashed_primary:
        return Comparison(0, 40)
    if me.primary and peer.primary:
        return Comparison(AMBIGUOUS, 41)
    if me.primary or peer.primary:
        return Comparison(1 if me.primary else -1, 41)
    if me.crashed_primary and peer.crashed_primary:
        return Comparison(-1 if me.resolves_conflicts else 1, 40)
    return Comparison(1 if me.crashed_primary else -1, 40)


def _compare_different(me: Side, peer: Side) -> Comparison:
    if _same(me.current, peer.bitmap):
        return Comparison(-1, 50)
    if _same(me.current, peer.history[0]) and _same(peer.history[0] + _NEW_BITMAP_OFFSET, peer.bitmap):
        return Comparison(-1, 51)
    if any(_same(me.current, old) for old in peer.history):
        return Comparison(-2, 60)
    if _same(peer.current, me.bitmap):
        return Comparison(1, 70)
    if _same(peer.current, me.history[0]) and _same(me.history[0] + _NEW_BITMAP_OFFSET, me.bitmap):
        return Comparison(1, 71, "mine started")
    if any(_same(peer.current, old) for old in me.history):
        return Comparison(2, 80)
    if me.bitmap & ~1 and _same(me.bitmap, peer.bitmap):
        return Comparison(SPLIT_BRAIN, 90)
    if any(_same(mine, other) for mine in me.history for other in peer.history):
        return Comparison(AMBIGUOUS, 100)
    return Comparison(UNRELATED, 110)


def decide(me: Side, peer: Side, options: Mapping[str, str]) -> Decision:
    """What this side does after the comparison, given its net options (drbd_sync_handshake)."""
    comparison = compare(me, peer)
    if comparison.result == UNRELATED:
        return Decision(Outcome.DROP, False, comparison)
    direction = _by_disk_states(me, peer, comparison.result)
    if abs(direction) == SPLIT_BRAIN:
        direction = _resolve_split_brain(me, peer, direction, options)
    refused = (
        abs(direction) == SPLIT_BRAIN
        or (direction > 0 and me.inconsistent)
        or (direction < 0 and _keeps_its_data(me) and options.get("rr-conflict") != "violently")
    )
    if refused:
        return Decision(Outcome.DROP, False, comparison)
    outcome = Outcome.SOURCE if direction > 0 else Outcome.TARGET if direction < 0 else Outcome.CONNECTED
    return Decision(outcome, abs(direction) >= 2, comparison)


def _keeps_its_data(me: Side) -> bool:
    """A Primary that offers data cannot have them replaced underneath."""
    return me.primary and not me.inconsistent and not me.attaching


def _by_disk_states(me: Side, peer: Side, direction: int) -> int:
    if me.inconsistent == peer.inconsistent:
        return direction
    full = direction == AMBIGUOUS or abs(direction) == 2
    return (1 if peer.inconsistent else -1) * (2 if full else 1)


def _resolve_split_brain(me: Side, peer: Side, direction: int, options: Mapping[str, str]) -> int:
    """Below 100 when a policy or ``--discard-my-data`` decides; 100 or -100 when a person has to."""
    solved = AMBIGUOUS
    if direction == SPLIT_BRAIN or options.get("always-asbp") == "yes":
        primaries = me.primary + peer.primary
        solve = (_after_split_brain_0, _after_split_brain_1, _after_split_brain_2)[primaries]
        solved = solve(me, peer, options)
        if solved != AMBIGUOUS and direction == AMBIGUOUS:
            return solved * 2
    if solved == AMBIGUOUS and me.discard_my_data != peer.discard_my_data:
        return -1 if me.discard_my_data else 1
    return solved


def _after_split_brain_2(me: Side, peer: Side, options: Mapping[str, str]) -> int:
    if options.get("after-sb-2pri") == "violently-as0p":
        return _after_split_brain_0(me, peer, options)
    return AMBIGUOUS


def _after_split_brain_1(me: Side, peer: Side, options: Mapping[str, str]) -> int:
    policy = options.get("after-sb-1pri", "disconnect")
    if policy == "discard-secondary":
        return 1 if me.primary else -1
    if policy == "violently-as0p":
        return _after_split_brain_0(me, peer, options)
    if policy == "consensus":
        direction = _after_split_brain_0(me, peer, options)
        agreed = (direction == -1 and not me.primary) or (direction == 1 and me.primary)
        return direction if agreed else AMBIGUOUS
    return AMBIGUOUS


def _after_split_brain_0(me: Side, peer: Side, options: Mapping[str, str]) -> int:
    policy = options.get("after-sb-0pri", "disconnect")
    fixed = {"discard-local": -1, "discard-remote": 1}
    if policy in fixed:
        return fixed[policy]
    was_primary, peer_was_primary = me.bitmap & 1, peer.bitmap & 1
    younger = {"discard-younger-primary": 1, "discard-older-primary": -1}.get(policy)
    if younger is None and policy not in ("discard-zero-changes", "discard-least-changes"):
        return AMBIGUOUS
    if younger is not None and was_primary != peer_was_primary:
        return younger if was_primary else -younger
    return _by_changes(me, peer, policy)


def _by_changes(me: Side, peer: Side, policy: str) -> int:
    mine, theirs = me.out_of_sync_blocks, peer.out_of_sync_blocks
    tie = -1 if me.resolves_conflicts else 1
    if policy == "discard-least-changes":
        return tie if mine == theirs else (-1 if mine < theirs else 1)
    if mine == 0 or theirs == 0:
        return tie if mine == theirs else (1 if theirs == 0 else -1)
    return AMBIGUOUS if policy == "discard-zero-changes" else _by_changes(me, peer, "discard-least-changes")
