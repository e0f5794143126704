"""The rules of drbd_uuid_compare() by their numbers, and what follows from them."""

from dataclasses import replace

import pytest

from saltern.sim.drbd.handshake import AMBIGUOUS, SPLIT_BRAIN, UNRELATED, Outcome, Side, compare, decide

A, B, C, D, E = (number << 60 | number << 8 for number in (0xA, 0xB, 0xC, 0xD, 0xE))
NEW = 0x4
OFFSET = 1 << 48


def side(current: int, bitmap: int = 0, *history: int, **state: object) -> Side:
    uuids = (*history, 0, 0)[:2]
    fields = {"primary": False, "inconsistent": False} | state
    return Side(current, bitmap, (uuids[0], uuids[1]), **fields)  # type: ignore[arg-type]


RULES = {
    "both are new": (10, 0, side(NEW), side(NEW)),
    "this one is new": (20, -2, side(NEW), side(A)),
    "the peer is new": (30, 2, side(A), side(NEW)),
    "the end of a synchronisation was missed here": (34, 1, side(A, B + OFFSET, B), side(A, 0, B + OFFSET, B)),
    "the end of a synchronisation was missed there": (35, -1, side(A, 0, B + OFFSET, B), side(A, B + OFFSET, B)),
    "the target could not write the UUID": (36, 1, side(A, B), side(A)),
    "this target could not write the UUID": (37, -1, side(A), side(A, B)),
    "only the link was down": (40, 0, side(A), side(A)),
    "this one crashed as Primary": (40, 1, side(A, crashed_primary=True), side(A)),
    "the peer crashed as Primary": (40, -1, side(A), side(A, crashed_primary=True)),
    "both crashed, the decider gives way": (
        40,
        -1,
        side(A, crashed_primary=True, resolves_conflicts=True),
        side(A, crashed_primary=True),
    ),
    "one crashed, the other is Primary": (41, -1, side(A, crashed_primary=True), side(A, primary=True)),
    "the peer went on from here (178)": (50, -1, side(A), side(B, A)),
    "the start of a synchronisation was missed": (51, -1, side(A), side(B, A + OFFSET, A)),
    "the peer went on twice": (60, -2, side(A), side(C, B, A)),
    "this one went on (179)": (70, 1, side(B, A), side(A)),
    "the start of this synchronisation was missed": (71, 1, side(B, A + OFFSET, A), side(A)),
    "this one went on twice": (80, 2, side(C, B, A), side(A)),
    "both went on from the same data (192)": (90, SPLIT_BRAIN, side(B, A), side(C, A)),
    "both have something old in common": (100, AMBIGUOUS, side(B, A, E, D), side(C, E, D, A)),
    "nothing in common": (110, UNRELATED, side(A, B, C, D), side(B + 256, E, E + 256, E + 512)),
}


@pytest.mark.parametrize("case", RULES)
def test_generation_identifiers_are_compared_by_the_rules_of_the_kernel(case: str) -> None:
    rule, result, me, peer = RULES[case]
    found = compare(me, peer)
    assert (found.rule, found.result) == (rule, result)


@pytest.mark.parametrize("case", RULES)
def test_the_primary_bit_of_a_uuid_does_not_count(case: str) -> None:
    rule, result, me, peer = RULES[case]
    found = compare(replace(me, current=me.current | 1), replace(peer, current=peer.current | 1))
    assert (found.rule, found.result) == (rule, result)


@pytest.mark.parametrize("case", RULES)
def test_both_sides_come_to_opposite_results(case: str) -> None:
    _, result, me, peer = RULES[case]
    other = compare(peer, me).result
    assert other == (result if abs(result) >= SPLIT_BRAIN else -result)


def test_two_new_disks_stay_connected_without_a_synchronisation() -> None:
    new = side(NEW, inconsistent=True)
    assert decide(new, new, {}).outcome is Outcome.CONNECTED


def test_of_two_inconsistent_disks_the_one_with_a_history_drops_the_connection() -> None:
    new, old = side(NEW, inconsistent=True), side(A, inconsistent=True)
    assert decide(old, new, {}).outcome is Outcome.DROP
    assert decide(new, old, {}).outcome is Outcome.TARGET


def test_an_inconsistent_disk_becomes_the_target_even_when_its_uuid_is_newer() -> None:
    assert decide(side(B, A, inconsistent=True), side(A), {}).outcome is Outcome.TARGET
    assert decide(side(A), side(B, A, inconsistent=True), {}).outcome is Outcome.SOURCE


def test_a_primary_does_not_let_its_data_be_replaced() -> None:
    assert decide(side(A, primary=True), side(B, A), {}).outcome is Outcome.DROP
    assert decide(side(A, primary=True), side(B, A), {"rr-conflict": "violently"}).outcome is Outcome.TARGET
    assert decide(side(A, primary=True, inconsistent=True), side(B, A), {}).outcome is Outcome.TARGET


def split(me: dict[str, object], peer: dict[str, object]) -> tuple[Side, Side]:
    return side(B, A | 1, **me), side(C, A, **peer)


def both_decide(one: Side, two: Side, **options: str) -> tuple[Outcome, Outcome]:
    named = {name.replace("_", "-"): value for name, value in options.items()}
    return decide(one, two, named).outcome, decide(two, one, named).outcome


DROPPED = (Outcome.DROP, Outcome.DROP)
KEEPS_FIRST = (Outcome.SOURCE, Outcome.TARGET)
KEEPS_SECOND = (Outcome.TARGET, Outcome.SOURCE)


@pytest.mark.parametrize("primaries", [(False, False), (True, False), (True, True)])
def test_a_split_brain_is_left_to_a_person(primaries: tuple[bool, bool]) -> None:
    assert both_decide(*split({"primary": primaries[0]}, {"primary": primaries[1]})) == DROPPED


def test_discarding_my_data_resolves_a_split_brain() -> None:
    assert both_decide(*split({}, {"discard_my_data": True})) == KEEPS_FIRST
    assert both_decide(*split({"discard_my_data": True}, {})) == KEEPS_SECOND
    assert both_decide(*split({"discard_my_data": True}, {"discard_my_data": True})) == DROPPED


@pytest.mark.parametrize(
    ("policy", "changes", "kept"),
    [
        ("discard-least-changes", (30, 2), KEEPS_FIRST),
        ("discard-least-changes", (2, 30), KEEPS_SECOND),
        ("discard-zero-changes", (0, 3), KEEPS_SECOND),
        ("discard-zero-changes", (1, 3), DROPPED),
        ("discard-younger-primary", (1, 3), KEEPS_FIRST),
        ("discard-older-primary", (1, 3), KEEPS_SECOND),
    ],
)
def test_a_policy_resolves_a_split_brain_between_two_secondaries(
    policy: str, changes: tuple[int, int], kept: tuple[Outcome, Outcome]
) -> None:
    """Only the first side was Primary when they parted (transcript 204)."""
    pair = split({"out_of_sync_blocks": changes[0]}, {"out_of_sync_blocks": changes[1]})
    assert both_decide(*pair, after_sb_0pri=policy) == kept


def test_with_one_primary_the_secondary_may_be_discarded() -> None:
    """Transcript 200."""
    pair = split({"primary": True}, {})
    assert both_decide(*pair, after_sb_0pri="discard-least-changes") == DROPPED
    assert both_decide(*pair, after_sb_1pri="discard-secondary") == KEEPS_FIRST


def test_with_two_primaries_the_policies_for_fewer_do_not_count() -> None:
    """Transcript 192."""
    pair = split({"primary": True, "out_of_sync_blocks": 20}, {"primary": True, "out_of_sync_blocks": 3})
    assert both_decide(*pair, after_sb_0pri="discard-least-changes", after_sb_1pri="discard-secondary") == DROPPED
