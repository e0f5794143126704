"""Orphans of any topology, started to the end: each is started or refused, in order, and never on more memory than there is."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from saltern.guard.orphans import Plan, Ward, plan

# How long it takes to draw is that of the machine: the first draw of all has taken seconds.
slowly = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def clusters(draw: st.DrawFn) -> tuple[dict[str, Ward], dict[str, str | None], int]:
    count = draw(st.integers(1, 7))
    wards = {}
    for number in range(count):
        needed = draw(st.sets(st.integers(0, number - 1))) if number else set()
        wards[f"d{number}"] = Ward(
            memory_bytes=draw(st.integers(0, 4)),
            order=draw(st.integers(1, 3)),
            depends_on=tuple(f"d{each}" for each in sorted(needed)),
            priority=draw(st.integers(0, 2)),
        )
    chosen = draw(st.sets(st.sampled_from(sorted(wards))))
    reason = st.sampled_from([None, None, None, "Outdated"])
    return wards, {name: draw(reason) for name in sorted(chosen)}, draw(st.integers(0, 16))


def started_to_the_end(
    wards: dict[str, Ward], orphans: dict[str, str | None], free_bytes: int, data: st.DataObject
) -> tuple[list[str], Plan]:
    """Who was started, in that order, where one start after the other comes to its end in any order."""
    started: list[str] = []
    orphans = dict(orphans)
    starting: set[str] = set()
    while True:
        found = plan(orphans, wards, frozenset(starting), free_bytes)
        assert sorted([*found.start, *found.waiting, *found.refused]) == sorted(orphans.keys() - starting)
        assert found.start or starting or not found.waiting
        starting |= set(found.start)
        started += found.start
        if not starting:
            return started, found
        done = data.draw(st.sampled_from(sorted(starting)))
        starting.remove(done)
        del orphans[done]
        free_bytes -= wards[done].memory_bytes
        assert free_bytes >= 0


@slowly
@given(clusters(), st.data())
def test_every_orphan_is_started_once_or_refused(
    cluster: tuple[dict[str, Ward], dict[str, str | None], int], data: st.DataObject
) -> None:
    wards, orphans, free_bytes = cluster
    started, end = started_to_the_end(wards, orphans, free_bytes, data)
    assert sorted([*started, *end.refused]) == sorted(orphans)
    assert not end.waiting


@slowly
@given(clusters(), st.data())
def test_nothing_is_started_before_what_it_needs_and_nothing_against_a_reason(
    cluster: tuple[dict[str, Ward], dict[str, str | None], int], data: st.DataObject
) -> None:
    wards, orphans, free_bytes = cluster
    started, _ = started_to_the_end(wards, orphans, free_bytes, data)
    assert all(orphans[name] is None for name in started)
    for position, name in enumerate(started):
        assert not set(wards[name].depends_on) & set(started[position:])


@slowly
@given(clusters())
def test_nothing_is_left_out_for_something_less_important(
    cluster: tuple[dict[str, Ward], dict[str, str | None], int],
) -> None:
    wards, orphans, free_bytes = cluster
    refused = plan(orphans, wards, frozenset(), free_bytes).refused
    able = {name for name in orphans if orphans[name] is None}
    for name in able & refused.keys():
        kept = able - refused.keys()
        no_less = {each for each in kept if importance(each, able, wards) >= wards[name].priority}
        taken_bytes = sum(wards[each].memory_bytes for each in no_less)
        assert taken_bytes + wards[name].memory_bytes > free_bytes


def importance(name: str, able: set[str], wards: dict[str, Ward]) -> int:
    needed_by = [each for each in able if name in wards[each].depends_on]
    return max([wards[name].priority, *(importance(each, able, wards) for each in needed_by)])
