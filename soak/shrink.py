"""From a schedule that breaks a rule to the least that still breaks the same one."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from soak.faults import Event
from soak.trial import Case, Trial
from soak.world import NOISE


def shrink(case: Case, run: Callable[[Case], Trial], told: Callable[[Case], None] = lambda _: None) -> Case:
    """The case without the events and the noise that it does not need; ``told`` hears of each that is smaller."""
    first = run(case)
    assert first.violation is not None, "nothing is broken"  # noqa: S101 - a mistake of the caller
    rule, end_s = first.violation.rule, first.world.time_s
    # What comes after the violation has nothing to do with it.
    case = replace(case, events=tuple(event for event in case.events if event.at_s <= end_s))
    while True:
        for smaller in _smaller(case):
            violation = run(smaller).violation
            if violation is not None and violation.rule == rule:
                case = smaller
                told(case)
                break
        else:
            return case


def _smaller(case: Case) -> Iterator[Case]:
    """Large pieces first: half of the events, a quarter of them, ... each of them; then each kind of noise."""
    for events in _without_a_piece(case.events):
        yield replace(case, events=events)
    for kind in NOISE:
        if kind not in case.without:
            yield replace(case, without=case.without | {kind})


def _without_a_piece(events: Sequence[Event]) -> Iterator[tuple[Event, ...]]:
    size = (len(events) + 1) // 2
    while size:
        for begin in range(0, len(events), size):
            yield (*events[:begin], *events[begin + size :])
        size //= 2
