"""Ending a domain for somebody: it is tried until it is gone, and told once."""

from saltern.guarding.ending import PATIENCE_S, Endings, Tickets


class Bench:
    """What was stopped, and what was told."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.stopped: list[str] = []
        self.told: list[str | None] = []
        self.endings = Endings(self.stopped.append, lambda: self.now_s)


def test_what_is_gone_is_told_to_everybody_who_wanted_it_and_then_forgotten() -> None:
    bench = Bench()
    for _ in range(2):
        bench.endings.begin("dns", bench.told.append)
    bench.endings.came_of_it("dns", None)
    assert bench.told == [None, None]
    bench.endings.came_of_it("dns", None)
    bench.endings.again()
    assert len(bench.told) == len(bench.stopped) == 2


def test_what_does_not_die_is_tried_again_and_told_at_last() -> None:
    bench = Bench()
    bench.endings.begin("dns", bench.told.append)
    bench.endings.came_of_it("dns", "it is still here")
    bench.endings.again()
    assert (bench.told, bench.stopped) == ([], ["dns", "dns"])
    bench.now_s += PATIENCE_S
    bench.endings.came_of_it("dns", "it is still here")
    assert bench.told == ["it is still here"]


def test_another_domain_that_is_gone_tells_nothing_of_this_one() -> None:
    bench = Bench()
    bench.endings.begin("dns", bench.told.append)
    bench.endings.came_of_it("mail", None)
    assert bench.told == []


def test_of_an_order_nothing_is_known_until_it_is_answered() -> None:
    tickets = Tickets()
    assert tickets.open(7)["gone"] is None
    assert tickets.show(7)["gone"] is None
    tickets.close(7, "the order comes late")
    assert (tickets.show(7)["gone"], tickets.show(7)["why"]) == (False, "the order comes late")
    tickets.open(8)
    tickets.close(8, None)
    assert tickets.show(8)["gone"] is True
    tickets.close(9, None)  # an answer that nobody has asked for
    assert tickets.show(9)["gone"] is None


def test_old_orders_are_forgotten() -> None:
    tickets = Tickets()
    for number in range(100):
        tickets.open(number)
    tickets.close(0, None)
    assert tickets.show(0)["gone"] is None
    tickets.close(99, None)
    assert tickets.show(99)["gone"] is True
