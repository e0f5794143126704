"""What DRBD takes at most to notice a loss, by its options."""

import pytest

from saltern.guard.detect import detect_s


def test_what_is_not_written_is_as_by_default() -> None:
    assert detect_s({}) == 10 + 0.5 + 7 * 6.0


def test_what_is_written_counts() -> None:
    assert detect_s({"ping-int": "2", "ping-timeout": "10", "timeout": "20", "ko-count": "3", "protocol": "C"}) == 9.0


@pytest.mark.parametrize("net", [{"ko-count": "0"}, {"timeout": "6s"}, {"ping-int": "-1"}, {"ping-timeout": "²"}])
def test_what_bounds_nothing_is_told(net: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(net))):
        detect_s(net)
