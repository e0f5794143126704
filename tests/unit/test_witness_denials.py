"""A node that several others have had denied: each denial stands for itself."""

from saltern.guard.messages import Allow, Beat, Denied, Deny, GoOn, Lives, Message, No, Yes
from saltern.guard.times import Times
from saltern.guard.witness import Promises, Witness

LOST, ONE, OTHER = "node2", "node1", "node3"


def denied_by_both() -> Witness:
    witness = Witness(Times(), Promises(terms={LOST: frozenset()}), since_s=0.0)
    for by, domain in ((ONE, "dns"), (OTHER, "web")):
        answer = witness.answer(Deny(LOST, 1, frozenset({domain}), by, 1, 1), 100.0)
        assert isinstance(answer, Denied)
    return witness


def beat(witness: Witness, number: int, **said: object) -> object:
    return witness.answer(Beat(LOST, said.pop("boot", 1), number, **said), 101.0)


def test_what_one_takes_back_keeps_the_denial_of_the_other() -> None:
    witness = denied_by_both()
    witness.answer(Allow(LOST, 2, OTHER, 1, 2), 101.0)
    assert isinstance(beat(witness, 1), No)
    assert set(witness.promises.denied) == {(LOST, ONE)}


def test_nobody_takes_back_what_another_asked_for() -> None:
    witness = denied_by_both()
    witness.answer(Allow(LOST, 1, OTHER, 1, 2), 101.0)
    assert set(witness.promises.denied) == {(LOST, ONE), (LOST, OTHER)}


def test_it_has_to_release_everything_after_the_last_denial() -> None:
    witness = denied_by_both()
    answer = beat(witness, 1, released=1)
    assert answer == No(1, refusal=2, declared=False)
    assert isinstance(beat(witness, 2, released=2), Yes)
    assert witness.promises.denied == {}


def test_a_boot_ends_both() -> None:
    witness = denied_by_both()
    assert isinstance(beat(witness, 1, boot=2), Yes)
    assert witness.promises.denied == {}


def test_with_a_boot_ends_what_was_lent_and_not_used() -> None:
    witness = denied_by_both()
    assert witness.promises.alone == {"dns": ONE, "web": OTHER}
    witness.answer(GoOn("web", OTHER, 1, 2), 101.0)
    beat(witness, 1, boot=2)
    assert witness.promises.alone == {"web": OTHER}


def test_each_is_told_of_its_own_denial() -> None:
    witness = denied_by_both()
    told: Message = Beat(OTHER, 1, 2)
    answer = witness.answer(told, 101.0)
    assert isinstance(answer, Yes)
    assert answer.denies == frozenset({(LOST, 2)})


def denied(promises: Promises, terms: str = "") -> object:
    return Witness(Times(), promises, since_s=0.0).answer(Deny(LOST, 1, frozenset(), ONE, 1, 1, terms), 100.0)


def heard(terms: frozenset[tuple[str, str]] = frozenset()) -> Promises:
    witness = Witness(Times(), Promises(), since_s=0.0)
    witness.answer(Beat(LOST, 1, 1, terms=terms), 1.0)
    return witness.promises


def test_who_was_never_heard_is_not_denied_as_by_a_witness_in_the_place_of_another_one() -> None:
    """It may go on living by the answers of the one before, and may have been promised that it goes on alone."""
    assert denied(Promises()) == Lives(1)
    assert isinstance(denied(heard()), Denied), "over a restart too"


def test_who_works_on_other_terms_than_the_one_who_asks_is_not_denied() -> None:
    """Its lease may be longer than what that one waits for, or what it shares with it something else."""
    promises = heard(frozenset({(ONE, "new"), (OTHER, "old")}))
    assert denied(promises, "old") == Lives(1)
    assert denied(promises) == Lives(1)
    assert isinstance(denied(promises, "new"), Denied)
