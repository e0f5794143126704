"""Sizes as people read them."""

import pytest

from saltern.units import GIB, MIB, about_size


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (24 * GIB, "24G"),
        (316692 * MIB, "309.3G"),
        (1536 * MIB, "1.5G"),
        (8 * MIB, "8M"),
        (1000, "1000B"),
        (0, "0B"),
    ],
)
def test_sizes_that_are_compared_are_in_the_largest_unit(size_bytes: int, text: str) -> None:
    assert about_size(size_bytes) == text
