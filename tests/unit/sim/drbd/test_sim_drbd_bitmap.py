from hypothesis import given
from hypothesis import strategies as st

from saltern.sim.drbd.bitmap import Bitmap

ranges = st.tuples(st.integers(0, 60), st.integers(0, 12)).map(lambda pair: (pair[0], pair[0] + pair[1]))
steps = st.lists(st.tuples(st.sampled_from(("add", "remove", "take")), ranges), max_size=30)


@given(steps)
def test_a_bitmap_is_a_set_of_blocks(actions: list[tuple[str, tuple[int, int]]]) -> None:
    bitmap, model = Bitmap(), set[int]()
    for action, (start, end) in actions:
        blocks = set(range(start, end))
        if action == "add":
            assert bitmap.add(start, end) == len(blocks - model)
            model |= blocks
        elif action == "remove":
            bitmap.remove(start, end)
            model -= blocks
        else:
            first = sorted(model)[: end - start]
            taken = [block for low, high in bitmap.take(end - start) for block in range(low, high)]
            assert taken == first
            model -= set(first)
        assert [block for low, high in bitmap.ranges() for block in range(low, high)] == sorted(model)
        assert bitmap.count == len(model)
        assert all((block in bitmap) == (block in model) for block in range(75))
        assert all(one[1] < two[0] for one, two in zip(bitmap.ranges(), bitmap.ranges()[1:], strict=False))


@given(steps, steps)
def test_updating_a_bitmap_is_the_union(
    one: list[tuple[str, tuple[int, int]]], two: list[tuple[str, tuple[int, int]]]
) -> None:
    a, b = Bitmap(pair for _, pair in one), Bitmap(pair for _, pair in two)
    wanted = Bitmap([*a.ranges(), *b.ranges()])
    a.update(b)
    assert a == wanted
