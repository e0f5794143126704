"""Takeover in whole clusters, by every proof, under every kind of fault: one instance, and no acknowledged write is lost."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from saltern.guard.facts import Proof
from saltern.guard.guard import Guard
from saltern.guard.knowledge import WITNESS
from saltern.guard.times import Times, wrong
from saltern.guard.witness import Promises, Witness
from soak.faults import Event, run, schedule
from soak.mutations import BY_QUORUM, RULES
from soak.quorate import TIMES as QUORUM_TIMES
from soak.quorate import QuorumWorld
from soak.quorum import TIE_BREAKER
from soak.trial import Case, attempt, of_seed
from soak.violation import Violation
from soak.world import NOISE, Noise, World, node_names

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


@pytest.mark.parametrize("nodes", [2, 3])
def test_by_quorum_no_schedule_of_faults_starts_anything_twice_or_on_old_data(nodes: int) -> None:
    trials = [attempt(of_seed(seed, nodes, quorum=True)) for seed in range(SCHEDULES)]
    assert [str(trial.violation) for trial in trials if trial.violation is not None] == []
    assert sum(trial.world.taken_over for trial in trials) > 0


def test_a_domain_whose_own_disk_has_failed_goes_on_and_starts_from_the_copy_that_has_it_all() -> None:
    events = [
        Event(20, "detach", ("node1", "a0")),
        Event(60, "power_off", ("node1",)),
        Event(100, "power_on", ("node1",)),
    ]
    world = run(3, events=events, proof=LEASE, without=frozenset(NOISE))
    told = [
        line[9:]
        for line in world.log
        if line[9:].endswith(("a0 on node1 is detached", "loses its power", "takes over: a0"))
    ]
    assert told == ["the disk of a0 on node1 is detached", "node1 loses its power", "node2 takes over: a0"]
    assert {world.sides["a0", node].version for node in ("node1", "node2")} == {world.acknowledged["a0"]}
    assert world.sides["a0", "node1"].disk == "UpToDate"  # synchronised since


def test_by_quorum_a_lost_node_is_taken_over_from_when_what_was_promoted_was_held() -> None:
    world = run(3, events=[Event(30, "power_off", ("node1",))], kind=QuorumWorld, without=frozenset(NOISE))
    told = [line for line in world.log if "a0" in line]
    assert [line[9:] for line in told] == ["node2 is Primary for a0", "node2 takes over: a0"]
    promoted_s, started_s = (float(line[:8]) for line in told)
    assert started_s - promoted_s >= QUORUM_TIMES.takeover_s


def test_by_quorum_a_side_behind_the_tie_breaker_is_outdated_and_takes_nothing_over() -> None:
    """The two lose sight of each other, and both see the tie-breaker: the Primary goes on, and DRBD refuses the other one."""
    world = run(
        3, events=[*APART, Event(80, "part", ("node1", TIE_BREAKER))], kind=QuorumWorld, without=frozenset(NOISE)
    )
    assert world.taken_over == 0
    assert {world.sides["a0", "node2"].disk, world.sides["b0", "node1"].disk} == {"Outdated"}


def by_themselves(events: list[Event]) -> QuorumWorld:
    """What comes of these in a cluster by quorum, where no message is lost."""
    world = run(3, events=events, kind=QuorumWorld, without=frozenset(NOISE))
    assert isinstance(world, QuorumWorld)
    return world


def told_of_a0(world: World) -> list[str]:
    return [line[9:] for line in world.log if "a0" in line]


def test_by_quorum_a_domain_moves_and_two_primaries_are_allowed_for_that_time_alone() -> None:
    world = by_themselves([Event(20, "move", ("a0",))])
    assert [*told_of_a0(world)] == [
        "a0 begins to move from node1 to node2",
        "node1 gives a0 away",
        "a0 has moved to node2",
    ]
    resource = world.resources["a0"]
    assert (resource.primaries(), resource.two_primaries) == ({"node2"}, False)


def test_by_quorum_a_migration_that_loses_its_link_leaves_two_primaries_allowed_and_one_primary() -> None:
    """It was asked of both nodes, and the source could not be reached any more from where it ends."""
    world = by_themselves([Event(20, "move", ("a0",)), Event(20.2, "part", ("node1", "node2"))])
    assert told_of_a0(world)[-1] == "a0 loses its way"
    resource = world.resources["a0"]
    assert (resource.primaries(), resource.two_primaries) == ({"node1"}, True)


def test_by_quorum_what_a_silent_node_may_still_run_is_started_by_its_guard_alone_whatever_a_person_does() -> None:
    world = by_themselves([Event(20, "power_off", ("node1",)), Event(33, "start", ("a0", "node2"))])
    silent = "node1 is silent, and may still run it: the guard of this node starts it when that is over"
    told = told_of_a0(world)
    assert f"node2 does not start a0 for a person: {silent}" in told
    assert [line for line in told if "takes over" in line or "starts for" in line] == ["node2 takes over: a0"]


def test_by_quorum_a_person_starts_a_domain_where_its_other_node_is_heard() -> None:
    world = by_themselves([Event(20, "shut", ("a0",)), Event(30, "start", ("a0", "node2"))])
    assert told_of_a0(world)[-1] == "node2 starts for a person: a0"


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


@pytest.mark.parametrize("proof", PROOFS)
def test_where_drbd_s_handler_fails_the_guard_has_it_go_on_alone(proof: str) -> None:
    silent = [Event(0, "silence", (node,)) for node in ("node1", "node2")]
    for seed in range(6):
        world = run(seed, events=[*silent, Event(20, "part", ("node1", "node2"))], proof=PROOFS[proof](2))
        assert not [line for line in world.log if "goes on alone with" in line]
        sides = [world.sides[domain, home] for domain, (home, _) in world.homes.items()]
        assert all(side.wrote_alone and not side.suspended for side in sides)


@pytest.mark.parametrize("seed", range(6))
def test_the_node_with_more_domains_wins_a_duel(seed: int) -> None:
    cut = [Event(30, what, ("node1", "node2")) for what in ("cut", "part")] + [Event(30, "cut", ("node2", "node1"))]
    world = run(seed, events=[Event(5, "move", ("a0",)), *cut], proof=fencing(), without=frozenset(NOISE))
    assert [line[9:] for line in world.log if "fenced" in line] == ["node2 has node1 fenced (well)"]
    assert world.machines["node2"].running == {"a0", "b0"}


@pytest.mark.parametrize("proof", [Proof(lease=False), fencing()], ids=["people", "fencing"])
@pytest.mark.parametrize("seed", range(3))
def test_no_word_is_taken_of_a_node_that_had_stepped_aside_since_drbd_may_ask_nobody_there(
    proof: Proof, seed: int
) -> None:
    """What node1 writes alone unasked it cannot tell any more."""
    failing = [Event(0, "agent", (node, "fails")) for node in ("node1", "node2")]
    for cut_s in (21.0, 21.5, 22.0, 22.5, 23.0):
        apart = [each._replace(at_s=cut_s) for each in APART]
        lost = [Event(50, "power_off", ("node1",)), Event(60, "confirm", ("node1",))]
        run(seed, events=[*failing, Event(20, "less", ("node1", "a0")), *apart, *lost], proof=proof)


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


class LateAnswers(Noise):
    """What the witness says to node1 takes 19 s."""

    def __getitem__(self, purpose: tuple[str, ...]) -> Any:
        return _Late() if purpose == ("message", WITNESS, "node1") else super().__getitem__(purpose)


class _Late:
    def random(self) -> float:
        return 0.025

    def uniform(self, _low: float, high: float) -> float:
        return high * 0.95


class LateOrders(Noise):
    """An order of node2 to node1 takes 19 s."""

    def __getitem__(self, purpose: tuple[str, ...]) -> Any:
        return _LateOrder() if purpose == ("message", "node2", "node1") else super().__getitem__(purpose)


class DoubledOrders(Noise):
    """An order of node2 to node1 comes once more after a second."""

    def __getitem__(self, purpose: tuple[str, ...]) -> Any:
        return _Doubled() if purpose == ("message", "node2", "node1") else super().__getitem__(purpose)


class _LateOrder(_Late):
    def random(self) -> float:
        return 0.25


class _Doubled:
    def random(self) -> float:
        return 0.35

    def uniform(self, _low: float, high: float) -> float:
        return high * 0.05


def both_ways(at_s: float, what: str, one: str, other: str) -> list[Event]:
    return [Event(at_s, what, (one, other)), Event(at_s, what, (other, one))]


APART = [*both_ways(20, "cut", "node1", "node2"), Event(20, "part", ("node1", "node2"))]
ISOLATED = [*APART, *both_ways(20, "cut", "node1", WITNESS)]
STUCK = [Event(19, "stick", ("node1",)), *ISOLATED]
ALONE_THEN_LOST = [*APART, Event(30.2, "power_off", ("node1",))]
LENT_AND_USED = [
    Event(6.8, "freeze", ("node1",)),
    Event(8, "cut", ("node2", "node1")),
    *both_ways(50, "cut", "node2", WITNESS),
    Event(50, "part", ("node1", "node2")),
    Event(63, "thaw", ("node1",)),
]
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


ASIDE_THEN_LOST = [
    *(Event(0, "agent", (node, "fails")) for node in ("node1", "node2")),
    Event(18.5, "less", ("node1", "a0")),
    *APART,
    Event(50, "power_off", ("node1",)),
    Event(60, "confirm", ("node1",)),
]


# The guard of node1 is dead while it writes alone, so that it is reset. Its partner comes back, and does not see its copy.
WRITTEN_BEFORE_DRBD_ASKED = [
    Event(0, "adopt", ("node1", "a0")),
    Event(8.9, "kill", ("node1",)),
    Event(9.9, "power_off", ("node2",)),
    Event(29.5, "part", ("node1", "node2")),
    Event(55, "more", ("node1", "a0")),
    Event(61.8, "power_on", ("node2",)),
    *both_ways(75, "cut", "node1", "node2"),
    *both_ways(75, "cut", "node1", WITNESS),
]


# DRBD does not ask on node1 yet, which its guard cannot tell anybody.
WRITTEN_UNHEARD = [
    *(Event(0, "agent", (node, "fails")) for node in ("node1", "node2")),
    Event(0, "adopt", ("node1", "a0")),
    Event(0, "cut", ("node1", "node2")),
    Event(20, "part", ("node1", "node2")),
    Event(35, "power_off", ("node1",)),
    Event(50, "confirm", ("node1",)),
]


# The disk of its copy fails on node2 while node1 writes on, and is attached again when node1 is lost.
AWAY = [Event(20, "detach", ("node2", "a0")), Event(30, "power_off", ("node1",)), Event(35, "attach", ("node2", "a0"))]


# node1 was not to be taken over from, and wrote unasked while no guard was there; its partner, unheard, knows of neither.
FORGOTTEN = [
    *both_ways(20, "cut", "node1", "node2"),
    *both_ways(20, "cut", "node2", WITNESS),
    Event(60, "less", ("node1", "a0")),
    Event(66, "leave", ("node1",)),
    Event(70, "part", ("node1", "node2")),
    Event(80, "halt", ("a0",)),
    Event(86, "revive", ("node1",)),
    Event(86.5, "pause", ("node1",)),  # it would start again what has ended there
    Event(90, "more", ("node1", "a0")),
    *both_ways(100, "mend", "node2", WITNESS),
    Event(130, "power_off", ("node1",)),
]


ORDER = Event(20, "order", ("a0", "node1", "node2"))
LAST_WORD = [ORDER, Event(20.01, "cut", ("node2", "node1"))]


class Replaced(Witness):
    """In the place of one that has promised something: it was never told anything."""

    def __init__(self, times: Times, promises: Promises, since_s: float) -> None:
        super().__init__(times, Promises(), since_s)


def test_a_witness_in_the_place_of_another_one_has_nobody_taken_over_from_whom_it_has_not_heard() -> None:
    """What node1 has gone on with alone, by the word of the one before, would be lost."""
    changed = [Event(30.2, "kill", (WITNESS,)), Event(31, "revive", (WITNESS,))]
    for seed in range(6):
        world = run(seed, events=[*ALONE_THEN_LOST, *changed], proof=LEASE, without=frozenset(NOISE), witness=Replaced)
        assert world.taken_over == 0


class ToldAlone(Guard):
    """That of node1 was told of a longer lease, and the other one was not; nor does either say on which terms it works."""

    says_so = False

    def __init__(self, node: str, partners: Mapping[str, str], times: Times, *more: Any, **named: Any) -> None:
        told = replace(times, lease_s=60.0, takeover_s=120.0) if node == "node1" else times
        named["terms"] = dict.fromkeys(partners.values(), f"a lease of {told.lease_s} s" if self.says_so else "")
        super().__init__(node, partners, told, *more, **named)


class ToldAloneAndSaysSo(ToldAlone):
    """Each says on which terms it works."""

    says_so = True


def test_whose_lease_is_longer_than_its_partner_knows_is_not_taken_over_from() -> None:
    whole: dict[str, Any] = {"events": ISOLATED, "proof": LEASE, "without": frozenset(NOISE)}
    with pytest.raises(Violation, match="a0 lives on node1 and node2"):
        run(guard=ToldAlone, seed=1, **whole)
    for seed in range(6):
        assert run(guard=ToldAloneAndSaysSo, seed=seed, **whole).taken_over == 0


class Mutation(NamedTuple):
    """The events in which a rule that is switched off is missed, at the latest in one of twenty worlds."""

    events: list[Event]
    proof: Proof = LEASE
    noise: type[Noise] = Noise
    kind: type[World] = World
    nodes: int = 2


FENCING, BOTH = fencing(), fencing(lease=True)
MISSED: dict[str, Mutation] = {
    "the lease counts from the answer": Mutation(ISOLATED, noise=LateAnswers),
    "the witness forgets what it has promised": Mutation(
        [*ALONE_THEN_LOST, Event(30, "kill", (WITNESS,)), Event(31, "revive", (WITNESS,))],
    ),
    "a side goes on alone without a promise": Mutation(ISOLATED),
    "a promise is taken back while it is in use": Mutation(ALONE_THEN_LOST),
    "what was lent and used is given back": Mutation(LENT_AND_USED),
    "DRBD is told to go on without a promise": Mutation(ISOLATED),
    "whoever was taken over from is answered": Mutation(
        [Event(20, "freeze", ("node1",)), Event(60, "thaw", ("node1",))]
    ),
    "a denial is proof": Mutation(STUCK),
    "an old copy is started": Mutation(ALONE_THEN_LOST),
    "a lease that has ended stops nothing": Mutation(ISOLATED),
    "takeover is shorter than lease and watchdog": Mutation(STUCK),
    "a fence agent is believed where there is a lease": Mutation([Event(0, "agent", ("node1", "lies")), *STUCK], BOTH),
    "a fence agent that fails has fenced": Mutation(
        [*(Event(0, "agent", (node, "fails")) for node in ("node1", "node2")), *APART], FENCING
    ),
    "a fence agent is believed about a node that was heard since": Mutation(HEARD_MEANWHILE, FENCING),
    "a node that replicates is fenced": Mutation([Event(20, "kill", ("node1",))], FENCING),
    "a copy is not marked, and it is said to be": Mutation(OUTDATED_THEN_LOST, FENCING),
    "a copy that is Outdated is started": Mutation(OUTDATED_THEN_LOST, FENCING),
    "a paused node takes over": Mutation([Event(10, "pause", ("node2",)), Event(20, "power_off", ("node1",))]),
    "a guard ends before that is known": Mutation([*ISOLATED, Event(21, "leave", ("node1",))]),
    "the witness denies a node whose guard is off": Mutation(
        [Event(19, "cut", ("node1", "node2")), Event(20, "leave", ("node1",)), Event(30, "part", ("node1", "node2"))],
    ),
    "who was met before a boot is met": Mutation(
        [*(Event(20, "power_off", (node,)) for node in ("node1", "node2")), Event(30, "power_on", ("node2",))],
        FENCING,
    ),
    "a person's word is taken of a node that had stepped aside": Mutation(ASIDE_THEN_LOST, FENCING),
    "a person's word is taken of a node that was never heard": Mutation(WRITTEN_UNHEARD, FENCING),
    "a disk that was away is passed over": Mutation(AWAY),
    "a disk that was away while no guard was there is passed over": Mutation(
        [
            Event(20, "kill", ("node2",)),
            Event(20.2, "detach", ("node2", "a0")),
            Event(21.2, "power_off", ("node1",)),
            Event(22, "attach", ("node2", "a0")),
            Event(26.5, "revive", ("node2",)),
        ]
    ),
    "the witness is told that what nobody vouches for may be taken over": Mutation(FORGOTTEN),
    "the witness lets all take over what is covered for one": Mutation(FORGOTTEN, nodes=3),
    "what runs on several nodes is stopped": Mutation(ISOLATED),
    "a node is denied in another boot than it is in": Mutation(
        [
            Event(35, "freeze", ("node1",)),
            Event(36.5, "kill", (WITNESS,)),
            Event(40, "kill", ("node2",)),
            Event(40.2, "revive", ("node2",)),
            Event(54.7, "revive", (WITNESS,)),
            Event(85.6, "thaw", ("node1",)),
        ]
    ),
    "a node on which DRBD does not ask is taken over": Mutation([Event(0.0, "adopt", ("node1", "a0")), *ISOLATED]),
    "a domain comes from a node on which DRBD does not ask": Mutation(
        [
            Event(0.0, "adopt", ("node1", "a0")),
            Event(13, "move", ("a0",)),
            Event(14.6, "freeze", ("node1",)),
            Event(31.9, "thaw", ("node1",)),
        ]
    ),
    "what a node says of itself is passed over": Mutation([Event(0.0, "adopt", ("node1", "a0")), *ISOLATED]),
    "what was written before DRBD asked is passed over": Mutation(WRITTEN_BEFORE_DRBD_ASKED),
    "what is written alone unasked is passed over": Mutation(
        [
            Event(0.0, "adopt", ("node1", "a0")),
            Event(10, "part", ("node1", "node2")),
            Event(20, "more", ("node1", "a0")),
            Event(30, "power_off", ("node1",)),
        ]
    ),
    "an order is taken again": Mutation([ORDER], noise=DoubledOrders),
    "an order that was held up is taken": Mutation(LAST_WORD, noise=LateOrders),
    "an order is taken whatever beat it names": Mutation(
        [*LAST_WORD, Event(20.1, "kill", ("node1",)), Event(21, "revive", ("node1",))], noise=LateOrders
    ),
    "an order is taken although something later was heard": Mutation(
        [Event(19.9, "freeze", ("node1",)), ORDER, Event(22.5, "thaw", ("node1",))]
    ),
    "what was ended by order stays ended": Mutation([ORDER]),
    "what was ended by order proves death": Mutation([ORDER]),
}


# --- By quorum -----------------------------------------------------------------------------------------------------
class _Fixed:
    """In the place of a generator: always the same part of the way, and the first of several."""

    def __init__(self, chance: float, part: float) -> None:
        self._chance, self._part = chance, part

    def random(self) -> float:
        return self._chance

    def uniform(self, low: float, high: float) -> float:
        return low + (high - low) * self._part


def noise_of(**fixed: _Fixed) -> type[Noise]:
    """Noise of which some is fixed: `notice_node1` is how late node1 notices the loss of a connection, `look_node1` how long its
    looks take.
    """

    class Partly(Noise):
        def __getitem__(self, purpose: tuple[str, ...]) -> Any:
            found = fixed.get(f"{purpose[0]}_{purpose[-1]}")
            return super().__getitem__(purpose) if found is None else found

    return Partly


AS_LATE_AS_MAY_BE, SOON = _Fixed(0.99, 1.0), _Fixed(0.1, 0.02)
THREE_S, TWENTY_S = _Fixed(1.0, 0.15), _Fixed(1.0, 1.0)
QUICK_PARTNER = {"notice_node2": SOON, "notice_third": SOON}
UNEVEN = {"notice_node1": AS_LATE_AS_MAY_BE, **QUICK_PARTNER}
CUT_OFF = [*APART, Event(20, "part", ("node1", TIE_BREAKER))]
UNDYING = Event(19, "stick", ("node1",))
ALLOWED = Event(19, "allow", ("a0",))
RENEWED = Event(19.5, "replace_disk", ("node1", "a0"))


def by_quorum(events: list[Event], noise: type[Noise] = Noise) -> Mutation:
    return Mutation(events, Proof(lease=False, quorum=True), noise, QuorumWorld)


def for_a_moment(*begins_s: float) -> list[Event]:
    return [
        event
        for at_s in begins_s
        for event in (Event(at_s, "join", ("node1", "node2")), Event(at_s + 0.7, "part", ("node1", "node2")))
    ]


MISSED |= {
    "what was promoted is started at once": by_quorum([UNDYING, *CUT_OFF], noise_of(**UNEVEN)),
    # A Primary whose own copy is not good outdates nobody: it keeps quorum by the tie, and only a promotion says that it is lost.
    "the time counts from the loss of the connection": by_quorum(
        [UNDYING, RENEWED, *APART, Event(80, "part", ("node1", TIE_BREAKER))], noise_of(**UNEVEN)
    ),
    "what has lost quorum in between is held": by_quorum(
        [
            Event(1, "rest", ("a0",)),
            UNDYING,
            *CUT_OFF,
            Event(36, "part", ("node2", TIE_BREAKER)),
            Event(36, "join", ("node1", TIE_BREAKER)),
            Event(47, "part", ("node1", TIE_BREAKER)),
            Event(58.5, "join", ("node2", TIE_BREAKER)),
        ],
        noise_of(**UNEVEN),
    ),
    "a lease is renewed by a look that began before": by_quorum(
        CUT_OFF, noise_of(look_node1=TWENTY_S, **QUICK_PARTNER)
    ),
    "what has met in between is held": by_quorum(
        [ALLOWED, UNDYING, *CUT_OFF, *for_a_moment(36.9, 51.9)], noise_of(look_node2=THREE_S, **UNEVEN)
    ),
    "by quorum a paused node takes over": by_quorum(
        [Event(10, "pause", ("node2",)), Event(20, "power_off", ("node1",))]
    ),
    "what is not to be started is promoted": by_quorum(
        [Event(15, "shut", ("a0",)), Event(20, "power_off", ("node1",))]
    ),
    "a person starts what is out of sight, since its node is heard": by_quorum(
        [
            *(Event(20, "part", ("node1", other)) for other in ("node2", TIE_BREAKER)),
            Event(24, "start", ("a0", "node2")),
        ],
        noise_of(**UNEVEN),
    ),
    "a person's word takes the place of quorum": by_quorum(
        [Event(20, "power_off", ("node1",)), Event(30, "confirm", ("node1",))]
    ),
    # The partner stands still, is given up, and goes on in the moment in which the Primary is cut off from the tie-breaker too.
    "DRBD writes alone before all have answered": by_quorum(
        [
            Event(18, "part", ("node1", "node2")),
            Event(18.4, "freeze", ("node2",)),
            Event(19.5, "part", ("node1", TIE_BREAKER)),
            *both_ways(20, "cut", "node1", "node2"),
            Event(21, "thaw", ("node2",)),
        ]
    ),
    "DRBD promotes beside a Primary behind the tie-breaker": by_quorum([RENEWED, *APART], noise_of(**UNEVEN)),
    "DRBD has quorum back from the tie-breaker": by_quorum(
        [
            Event(20, "part", ("node1", "node2")),
            Event(20, "part", ("node2", TIE_BREAKER)),
            *both_ways(20, "cut", "node1", "node2"),
            Event(40, "part", ("node1", TIE_BREAKER)),
            Event(40.2, "power_off", ("node1",)),
            Event(41, "join", ("node2", TIE_BREAKER)),
        ]
    ),
    # Both are Primary when they lose each other; the migration is broken off, and its source is lost a while later.
    "DRBD outdates no Primary behind the tie-breaker": by_quorum(
        [Event(19, "move", ("a0",)), Event(19.5, "part", ("node1", "node2")), Event(60, "power_off", ("node1",))],
        noise_of(move_a0=_Fixed(0.5, 1.0)),
    ),
}


def is_missed(mutation: Mutation, seed: int, parts: Mapping[str, Any]) -> bool:
    try:
        told = {"proof": mutation.proof, "noise": mutation.noise, "kind": mutation.kind}
        run(seed, mutation.nodes, mutation.events, **told, **parts)
    except Violation:
        return True
    return False


@pytest.mark.parametrize("rule", [*RULES, *BY_QUORUM])
def test_a_rule_that_is_switched_off_is_missed(rule: str) -> None:
    mutation, parts = MISSED[rule], {**RULES, **BY_QUORUM}[rule]
    seed = next((seed for seed in range(20) if is_missed(mutation, seed, parts)), None)
    assert seed is not None
    assert not is_missed(mutation, seed, {})


@pytest.mark.parametrize(
    ("times", "words"),
    [
        (Times(takeover_s=17.0), "takeover is 17 s"),
        (Times(detect_s=10.0), "(detect + lease + watchdog)"),
        (Times(detect_s=-1.0), "neither is less than 0"),
        (Times(drift=0.08), "takeover is 20 s"),
        (Times(dead_s=2.0), "at least three beats"),
        (Times(beat_s=0.001), "a beat is at least 0.1 s"),
        (Times(lease_s=3.0), "before it is missed"),
        (Times(watchdog_s=1.0), "Xen takes whole seconds"),
        (Times(drift=0.5), "allowed: 0 to 0.1"),
    ],
)
def test_times_that_prove_nothing_are_told(times: Times, words: str) -> None:
    assert any(words in each for each in wrong(times))


def test_the_times_that_nobody_has_written_prove_death() -> None:
    assert list(wrong(Times())) == []


def test_the_times_of_the_schedules_by_quorum_are_as_short_as_they_may_be() -> None:
    assert list(wrong(replace(QUORUM_TIMES, beat_s=1.0))) == []
    assert QUORUM_TIMES.takeover_s < QUORUM_TIMES.needed_s + 1
