"""Takeover in whole clusters, by every proof, under every kind of fault: one instance, and no acknowledged write is lost."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from saltern.guard.acts import Act, Outdate, Send
from saltern.guard.facts import Facts, Proof, Seen
from saltern.guard.guard import Guard
from saltern.guard.knowledge import WITNESS
from saltern.guard.messages import Answer, Beat, GoOn, Granted, No, Yes
from saltern.guard.times import Times, wrong
from saltern.guard.witness import Promises, Witness
from soak.faults import Event, run, schedule
from soak.trial import Case, attempt, of_seed
from soak.world import NOISE, Noise, Violation, World, node_names

SCHEDULES = 40


LEASE = Proof()


def fencing(nodes: int = 2, *, lease: bool = False) -> Proof:
    return Proof(lease=lease, fenced=frozenset(node_names(nodes)))


PROOFS: dict[str, Callable[[int], Proof]] = {
    "lease": lambda nodes: LEASE,
    "fencing": fencing,
    "both": lambda nodes: fencing(nodes, lease=True),
}


@pytest.mark.parametrize("nodes", [2, 3])
@pytest.mark.parametrize("proof", PROOFS)
def test_no_schedule_of_faults_starts_anything_twice_or_on_old_data(proof: str, nodes: int) -> None:
    trials = [attempt(of_seed(seed, nodes), proof=PROOFS[proof](nodes)) for seed in range(SCHEDULES)]
    assert [str(trial.violation) for trial in trials if trial.violation is not None] == []
    assert sum(trial.world.taken_over for trial in trials) > 0


def test_without_a_proof_nothing_is_ever_taken_over() -> None:
    assert sum(without_people(seed).taken_over for seed in range(10)) == 0


def without_people(seed: int) -> World:
    events = [event for event in schedule(seed, 2) if event.what != "confirm"]
    return run(seed, events=events, proof=Proof(lease=False))


@pytest.mark.parametrize("nodes", [2, 3])
def test_on_the_word_of_people_alone_nothing_starts_twice_or_on_old_data(nodes: int) -> None:
    trials = [attempt(of_seed(seed, nodes), proof=Proof(lease=False)) for seed in range(SCHEDULES)]
    assert [str(trial.violation) for trial in trials if trial.violation is not None] == []
    assert sum(trial.world.taken_over for trial in trials) > 0


def test_a_seed_is_one_schedule() -> None:
    assert run(7).log == run(7).log


@pytest.mark.parametrize("seed", range(6))
def test_the_node_with_more_domains_wins_a_duel(seed: int) -> None:
    cut = [Event(30, what, ("node1", "node2")) for what in ("cut", "part")] + [Event(30, "cut", ("node2", "node1"))]
    world = run(seed, events=[Event(5, "move", ("a0",)), *cut], proof=fencing(), without=frozenset(NOISE))
    assert [line[9:] for line in world.log if "fenced" in line] == ["node2 has node1 fenced (well)"]
    assert world.machines["node2"].running == {"a0", "b0"}


def test_what_a_side_goes_on_with_is_known_to_the_witness_first() -> None:
    """node1 thaws, is synchronised, and does not get its word to node2, which is cut off from everybody soon after that."""
    cut = [(WITNESS, "node2"), ("node2", WITNESS), ("node2", "node1")]
    for seed in range(14):
        events = [Event(30, "freeze", ("node1",)), Event(31, "cut", ("node1", "node2")), Event(70, "thaw", ("node1",))]
        events += [Event(75.5, "part", ("node1", "node2")), *(Event(75.5, "cut", way) for way in cut)]
        run(seed, events=events, proof=LEASE, without=frozenset(NOISE))


def test_what_was_lent_and_used_is_not_given_back_with_the_denial() -> None:
    """node3 thaws when its partners, which had taken over, have stopped in their turn, and lets the witness hear of it first."""
    lost = [("node1", WITNESS), ("node2", WITNESS)]
    events = [Event(6.8, "freeze", ("node3",)), *(Event(48.5, "cut", way) for way in lost)]
    events += [Event(61.9, "thaw", ("node3",)), *(Event(70, "mend", way) for way in lost)]
    case = Case(seed=70106, nodes=3, events=tuple(events), without=frozenset(NOISE))
    for seed in range(70106, 70112):
        assert attempt(replace(case, seed=seed), proof=LEASE).violation is None


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


class Gullible(Guard):
    """Believes a fence agent although there is a lease."""

    def _is_dead(self, peer: Any, now_s: float) -> bool:
        return peer.fencing.off or super()._is_dead(peer, now_s)


class Impatient(Guard):
    """Takes a fence agent that has failed for one that has not."""

    def fenced(self, node: str, off: bool, now_s: float) -> None:
        super().fenced(node, True, now_s)


class Stubborn(Guard):
    """Believes what a fence agent says of a node that was heard meanwhile."""

    def _comes_to_life(self, name: str, peer: Any) -> Any:
        yield from super()._comes_to_life(name, peer)
        peer.fencing.void = False


class Deaf(Guard):
    """Fences whoever is silent, whatever DRBD says."""

    def _look(self, seen: Seen, now_s: float) -> Any:
        return []


class Quick(Guard):
    """Answers and does not mark its copy."""

    def asked(self, asked: GoOn, now_s: float) -> list[Act]:
        acts = [act for act in super().asked(asked, now_s) if not isinstance(act, Outdate)]
        return [*acts, Send(asked.by, Granted(asked.number, asked.domain, given=True))]


class Desperate(Guard):
    """Starts what there is."""

    def act(self, seen: Seen, now_s: float) -> list[Act]:
        return super().act(replace(seen, startable=seen.startable | seen.against.keys()), now_s)


class Restless(Guard):
    """Is not paused."""

    def pause(self) -> list[Act]:
        acts = super().pause()
        self.facts = self.facts._replace(paused=False)
        return acts


class Abrupt(Guard):
    """Ends when it is told to, whoever knows."""

    def _may_leave(self) -> bool:
        return self._leaves_from is not None


class Relentless(Witness):
    """Denies a node whose guard was stopped on purpose."""

    def _protection(self, beat: Beat) -> None:
        pass


class Remembering(Facts):
    """Takes what was known before a boot for known."""

    def after_boot(self, boot: int) -> Facts:
        return self._replace(boot=boot)


class Old(Desperate):
    """Has such facts. That a copy which was not connected since the boot is not started from would be enough, too."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.facts = Remembering(*self.facts)


class Total(Guard):
    """Stops everything that runs where a lease has ended."""

    def _held(self, seen: Seen) -> frozenset[str]:
        return seen.running | seen.starting

    def lease_until_s(self, domain: str) -> float:
        return super().lease_until_s(domain if domain in self._partners else min(self._partners))


class LateAnswers(Noise):
    """What the witness says to node1 takes 19 s."""

    def __getitem__(self, purpose: tuple[str, ...]) -> Any:
        return _Late() if purpose == ("message", WITNESS, "node1") else super().__getitem__(purpose)


class _Late:
    def random(self) -> float:
        return 0.025

    def uniform(self, _low: float, high: float) -> float:
        return high * 0.95


def both_ways(at_s: float, what: str, one: str, other: str) -> list[Event]:
    return [Event(at_s, what, (one, other)), Event(at_s, what, (other, one))]


APART = [*both_ways(20, "cut", "node1", "node2"), Event(20, "part", ("node1", "node2"))]
ISOLATED = [*APART, *both_ways(20, "cut", "node1", WITNESS)]
STUCK = [Event(19, "stick", ("node1",)), *ISOLATED]
ALONE_THEN_LOST = [*APART, Event(30.2, "power_off", ("node1",))]
OUTDATED_THEN_LOST = [
    Event(20, "part", ("node1", "node2")),
    Event(28, "cut", ("node1", "node2")),
    Event(28, "kill", ("node2",)),
    Event(29, "revive", ("node2",)),
    Event(30, "power_off", ("node1",)),
]
HEARD_MEANWHILE = [
    Event(0, "agent", ("node1", "fails")),
    Event(0, "agent", ("node2", "slow")),
    *APART,
    Event(44, "power_on", ("node2",)),
    *both_ways(44, "mend", "node1", "node2"),
    Event(44, "join", ("node1", "node2")),
    Event(57.5, "apply", ("b0",)),
    *both_ways(58, "cut", "node1", "node2"),
    Event(58, "part", ("node1", "node2")),
]


class Mutation(NamedTuple):
    """A rule that is switched off, and events in which it is missed, at the latest in one of twenty worlds."""

    parts: dict[str, Any]
    events: list[Event]
    proof: Proof = LEASE
    noise: type[Noise] = Noise


FENCING, BOTH = fencing(), fencing(lease=True)
MUTATIONS: dict[str, Mutation] = {
    "the lease counts from the answer": Mutation({"guard": Hasty}, ISOLATED, noise=LateAnswers),
    "the witness forgets what it has promised": Mutation(
        {"witness": Forgetful},
        [*ALONE_THEN_LOST, Event(30, "kill", (WITNESS,)), Event(31, "revive", (WITNESS,))],
    ),
    "a side goes on alone without a promise": Mutation({"guard": Generous}, ISOLATED),
    "whoever was taken over from is answered": Mutation(
        {"guard": Polite}, [Event(20, "freeze", ("node1",)), Event(60, "thaw", ("node1",))]
    ),
    "a denial is proof": Mutation({"guard": Sure}, STUCK),
    "an old copy is started": Mutation({"guard": Blind}, ALONE_THEN_LOST),
    "a lease that has ended stops nothing": Mutation({"guard": Careless}, ISOLATED),
    "takeover is shorter than lease and watchdog": Mutation({"times": Times(takeover_s=9.0)}, STUCK),
    "a fence agent is believed where there is a lease": Mutation(
        {"guard": Gullible}, [Event(0, "agent", ("node1", "lies")), *STUCK], BOTH
    ),
    "a fence agent that fails has fenced": Mutation(
        {"guard": Impatient}, [*(Event(0, "agent", (node, "fails")) for node in ("node1", "node2")), *APART], FENCING
    ),
    "a fence agent is believed about a node that was heard since": Mutation(
        {"guard": Stubborn}, HEARD_MEANWHILE, FENCING
    ),
    "a node that replicates is fenced": Mutation({"guard": Deaf}, [Event(20, "kill", ("node1",))], FENCING),
    "a copy is not marked, and it is said to be": Mutation({"guard": Quick}, OUTDATED_THEN_LOST, FENCING),
    "a copy that is Outdated is started": Mutation({"guard": Desperate}, OUTDATED_THEN_LOST, FENCING),
    "a paused node takes over": Mutation(
        {"guard": Restless}, [Event(10, "pause", ("node2",)), Event(20, "power_off", ("node1",))]
    ),
    "a guard ends before that is known": Mutation({"guard": Abrupt}, [*ISOLATED, Event(21, "leave", ("node1",))]),
    "the witness denies a node whose guard is off": Mutation(
        {"witness": Relentless},
        [Event(19, "cut", ("node1", "node2")), Event(20, "leave", ("node1",)), Event(30, "part", ("node1", "node2"))],
    ),
    "who was met before a boot is met": Mutation(
        {"guard": Old},
        [*(Event(20, "power_off", (node,)) for node in ("node1", "node2")), Event(30, "power_on", ("node2",))],
        FENCING,
    ),
    "what runs on several nodes is stopped": Mutation({"guard": Total}, ISOLATED),
}


def is_missed(mutation: Mutation, seed: int, parts: dict[str, Any]) -> bool:
    try:
        run(seed, events=mutation.events, proof=mutation.proof, noise=mutation.noise, **parts)
    except Violation:
        return True
    return False


@pytest.mark.parametrize("rule", MUTATIONS)
def test_a_rule_that_is_switched_off_is_missed(rule: str) -> None:
    mutation = MUTATIONS[rule]
    seed = next((seed for seed in range(20) if is_missed(mutation, seed, mutation.parts)), None)
    assert seed is not None
    assert not is_missed(mutation, seed, {})


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
