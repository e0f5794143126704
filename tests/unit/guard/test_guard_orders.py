"""Orders between guards: taken once, while they are fresh, and from the other node of the domain alone."""

from typing import Any

import pytest

from saltern.guard.acts import Send
from saltern.guard.facts import Facts, Seen
from saltern.guard.guard import Guard
from saltern.guard.messages import Beat, End
from saltern.guard.times import Times

TIMES = Times()


class Two:
    """The guards of two nodes on one clock; ``beat`` brings a beat of node2 to node1, which orders node2 to end things."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.giver = Guard("node1", {"dns": "node2", "web": "node3"}, TIMES, Facts(boot=1), self.now_s)
        self.restart()

    def restart(self, boot: int = 5) -> None:
        self.now_s += 1
        self.taker = Guard("node2", {"dns": "node1", "mail": "node3"}, TIMES, Facts(boot=boot), self.now_s)

    def beat(self) -> None:
        for act in self.taker.act(Seen(), self.now_s):
            if isinstance(act, Send) and act.to == "node1" and isinstance(act.message, Beat):
                self.giver.beat(act.message, self.now_s)

    def order(self) -> End:
        order = self.giver.order_end("dns")
        assert order is not None
        return order

    def against(self, order: End) -> str | None:
        return self.taker.against_order(order, self.now_s)


@pytest.fixture
def two() -> Two:
    made = Two()
    made.beat()
    return made


def test_an_order_that_is_fresh_is_taken_and_never_again(two: Two) -> None:
    order = two.order()
    assert two.against(order) is None
    assert two.against(order) == "the order is an old one"
    assert two.against(two.order()) is None


def test_an_order_that_was_overtaken_by_a_later_one_is_not_taken(two: Two) -> None:
    first, second = two.order(), two.order()
    assert two.against(second) is None
    assert two.against(first) is not None


def test_an_order_that_was_held_up_is_not_taken(two: Two) -> None:
    order = two.order()
    two.now_s += TIMES.dead_s + 0.1
    two.beat()
    assert "comes late" in str(two.against(order))
    assert two.against(two.order()) is None


def test_a_guard_that_was_started_again_takes_no_order_from_before(two: Two) -> None:
    taken, waiting = two.order(), two.order()
    assert two.against(taken) is None
    two.restart()
    for order in (taken, waiting):
        assert "restart" in str(two.against(order))
    two.beat()
    for order in (taken, waiting):
        assert two.against(order) is not None
    assert two.against(two.order()) is None


def test_a_node_that_has_booted_takes_no_order_from_before_though_its_beats_have_the_same_numbers(two: Two) -> None:
    order = two.order()
    two.now_s -= 1  # its clock begins anew, and by chance so
    two.restart(boot=6)
    two.beat()
    assert two.order().heard == order.heard
    assert "restart" in str(two.against(order))


def test_an_order_that_comes_after_a_later_beat_is_not_taken(two: Two) -> None:
    order = two.order()
    two.taker.beat(Beat("node1", 1, order.number + 1), two.now_s)
    assert two.against(order) == "the order is an old one"


def test_an_order_from_a_boot_before_the_last_that_was_heard_is_not_taken(two: Two) -> None:
    order = two.order()
    two.taker.beat(Beat("node1", 2, 1), two.now_s)
    assert two.against(order) == "the order is an old one"


@pytest.mark.parametrize(
    "changed", [{"by": "node3"}, {"domain": "mail"}, {"domain": "strange"}, {"by": "strange"}, {"heard": 0}]
)
def test_nobody_ends_what_is_not_shared_with_him_nor_by_a_guess(two: Two, changed: dict[str, Any]) -> None:
    assert two.against(two.order()._replace(**changed)) is not None


def test_nobody_who_was_not_heard_is_given_an_order() -> None:
    assert Two().giver.order_end("dns") is None
