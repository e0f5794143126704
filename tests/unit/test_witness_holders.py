"""What a witness keeps of a node that no longer holds a domain: nothing, once the topology gives the domain to others."""

import pytest

from saltern.guard.messages import Beat, GoOn, Granted
from saltern.guard.times import Times
from saltern.guard.witness import Promises, Witness

GONE, LEFT, NEW = "node1", "node2", "node3"
BEFORE = Promises(alone={"dns": GONE})


def may_go_on(witness: Witness, node: str) -> bool:
    answer = witness.answer(GoOn("dns", node, 1, 2), 1.0)
    assert isinstance(answer, Granted)
    return answer.given


@pytest.mark.parametrize(
    ("holders", "given"),
    [
        ({"dns": (LEFT, NEW)}, True),  # somebody has chosen the copy that was left
        ({"dns": (GONE, LEFT)}, False),
        ({"mail": (LEFT, NEW)}, False),  # dns may come back to where it was
        ({}, False),
    ],
)
def test_what_a_node_was_promised_ends_when_others_hold_the_domain(holders, given: bool) -> None:
    witness = Witness(Times(), BEFORE, 0.0, holders)
    assert witness.promises.alone == ({} if given else BEFORE.alone)
    assert may_go_on(witness, LEFT) is given


def test_one_that_comes_back_with_a_copy_that_is_no_longer_asked_for_is_not_believed() -> None:
    witness = Witness(Times(), Promises(), 0.0, {"dns": (LEFT, NEW), "mail": (GONE, LEFT)})
    witness.answer(Beat(GONE, 1, 1, alone=frozenset({"dns", "mail"})), 1.0)
    assert witness.promises.alone == {"mail": GONE}
    assert may_go_on(witness, LEFT)
