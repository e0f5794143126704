"""What happens is a line that stays; how far it is is renewed in place on a terminal, and seldom a line elsewhere."""

import io

import pytest

from saltern.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    s = 100.0

    def __call__(self) -> float:
        return self.s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_on_a_terminal_the_last_line_is_renewed_cut_to_its_width_and_gone_at_the_end(clock) -> None:
    stream = Terminal()
    seen = Progress(stream, lambda: 10, clock)
    for percent in (10, 10, 20):
        seen.show(f"dns: {percent} % of its memory")
    seen.tell("dns runs on dom0m")
    seen.end()
    assert stream.getvalue() == "\r\033[Kdns: 10 %\r\033[Kdns: 20 %\r\033[Kdns runs on dom0m\n"


def test_elsewhere_it_is_a_line_every_ten_seconds_and_nothing_is_erased(clock) -> None:
    stream = io.StringIO()
    seen = Progress(stream, lambda: 10, clock)
    for second in range(21):
        clock.s = 100.0 + second
        seen.show(f"{second} % of the memory of dns")
    seen.tell("dns runs on dom0m")
    seen.end()
    assert stream.getvalue().splitlines() == [
        "0 % of the memory of dns",
        "10 % of the memory of dns",
        "20 % of the memory of dns",
        "dns runs on dom0m",
    ]
