"""Takeover by lease and witness, in whole clusters under every kind of fault: one instance, and no acknowledged write is lost."""

from collections.abc import Callable
from typing import Any

import pytest

from saltern.guard.guard import Guard
from saltern.guard.messages import Answer, Beat, No, Yes
from saltern.guard.times import Times, wrong
from saltern.guard.witness import Promises, Witness
from soak.faults import END_S, schedule
from soak.world import Violation, World

SCHEDULES = 40
# Where a rule is switched off, a violation is found in as many at most.
SEARCHED = 400


def run(seed: int, nodes: int = 2, **parts: Any) -> World:
    world = World(seed, nodes, **parts)
    schedule(world)
    world.run(END_S)
    return world


@pytest.mark.parametrize("nodes", [2, 3])
def test_no_schedule_of_faults_starts_anything_twice_or_on_old_data(nodes: int) -> None:
    taken_over = sum(run(seed, nodes).taken_over for seed in range(SCHEDULES))
    assert taken_over > 0


def test_a_seed_is_one_schedule() -> None:
    assert run(7).log == run(7).log


class Hasty(Guard):
    """Counts its lease from when it was answered."""

    def answered(self, by: str, answer: Answer, now_s: float) -> list[Any]:
        acts = super().answered(by, answer, now_s)
        peer = self._peers[by]
        if isinstance(answer, Yes) and peer.renewed_s is not None:
            peer.renewed_s = now_s
        return acts


class Forgetful(Witness):
    """Has nothing on its disk."""

    def __init__(self, times: Times, promises: Promises, since_s: float) -> None:
        super().__init__(times, Promises(refusals=promises.refusals), since_s)


class Generous(Guard):
    """Goes on alone without a promise."""

    def may_go_on(self, domain: str) -> bool:
        return True


class Polite(Guard):
    """Answers a node that it has taken over from."""

    def beat(self, beat: Beat, now_s: float) -> tuple[Yes | No | None, list[Any]]:
        answer, acts = super().beat(beat, now_s)
        return (Yes(answer.number) if isinstance(answer, No) else answer), acts


class Sure(Guard):
    """Declares a node dead as soon as the witness has denied it."""

    def _is_dead(self, peer: Any, now_s: float) -> bool:
        return True


class Blind(Guard):
    """Takes over whatever copy it has."""

    def _declare(self, name: str, peer: Any) -> Any:
        peer.alone = frozenset()
        peer.denial = type(peer.denial)(
            number=peer.denial.number, refusal=peer.denial.refusal, since_s=peer.denial.since_s, alone=frozenset()
        )
        return super()._declare(name, peer)


class Careless(Guard):
    """Does not stop when its lease ends."""

    def lease_until_s(self, domain: str) -> float:
        return float("inf")


MUTATIONS: dict[str, Callable[[], dict[str, Any]]] = {
    "the lease counts from the answer": lambda: {"guard": Hasty},
    "the witness forgets what it has promised": lambda: {"witness": Forgetful},
    "a side goes on alone without a promise": lambda: {"guard": Generous},
    "whoever was taken over from is answered": lambda: {"guard": Polite},
    "a denial is proof": lambda: {"guard": Sure},
    "an old copy is started": lambda: {"guard": Blind},
    "a lease that has ended stops nothing": lambda: {"guard": Careless},
    "takeover is shorter than lease and watchdog": lambda: {"times": Times(takeover_s=9.0)},
}


@pytest.mark.parametrize("rule", MUTATIONS)
def test_a_rule_that_is_switched_off_is_missed(rule: str) -> None:
    for seed in range(SEARCHED):
        try:
            run(seed, **MUTATIONS[rule]())
        except Violation:
            return
    pytest.fail(f"{SEARCHED} schedules without a violation")


@pytest.mark.parametrize(
    ("times", "words"),
    [
        (Times(takeover_s=17.0), "takeover is 17 s"),
        (Times(drift=0.08), "takeover is 20 s"),
        (Times(dead_s=2.0), "at least three beats"),
        (Times(lease_s=3.0), "before it is missed"),
        (Times(watchdog_s=1.0), "Xen takes whole seconds"),
        (Times(drift=0.5), "allowed: 0 to 0.1"),
    ],
)
def test_times_that_prove_nothing_are_told(times: Times, words: str) -> None:
    assert any(words in each for each in wrong(times))


def test_the_times_that_nobody_has_written_prove_death() -> None:
    assert list(wrong(Times())) == []
