"""A set of block numbers kept as ranges, so that a disk of terabytes that is wholly out of sync costs nothing."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable


class Bitmap:
    """Blocks of 4 KiB, as sorted ranges ``[start, end)`` that neither touch nor overlap."""

    __slots__ = ("_ends", "_starts", "count")

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        self.count = 0
        for start, end in ranges:
            self.add(start, end)

    def __contains__(self, block: int) -> bool:
        at = bisect_right(self._starts, block) - 1
        return at >= 0 and block < self._ends[at]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bitmap) and self.ranges() == other.ranges()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Bitmap({self.ranges()})"

    def ranges(self) -> list[tuple[int, int]]:
        """Every range, in order."""
        return list(zip(self._starts, self._ends, strict=True))

    def add(self, start: int, end: int) -> int:
        """Set ``[start, end)``; returns how many blocks were not set before."""
        if start >= end:
            return 0
        first = bisect_left(self._ends, start)
        last = bisect_right(self._starts, end)
        before = sum(self._ends[at] - self._starts[at] for at in range(first, last))
        if first < last:
            start, end = min(start, self._starts[first]), max(end, self._ends[last - 1])
        self._starts[first:last] = [start]
        self._ends[first:last] = [end]
        added = end - start - before
        self.count += added
        return added

    def remove(self, start: int, end: int) -> None:
        """Clear ``[start, end)``."""
        first = bisect_right(self._ends, start)
        last = bisect_left(self._starts, end)
        if start >= end or first >= last:
            return
        kept = []
        if self._starts[first] < start:
            kept.append((self._starts[first], start))
        if end < self._ends[last - 1]:
            kept.append((end, self._ends[last - 1]))
        before = sum(self._ends[at] - self._starts[at] for at in range(first, last))
        self._starts[first:last] = [low for low, _ in kept]
        self._ends[first:last] = [high for _, high in kept]
        self.count -= before - sum(high - low for low, high in kept)

    def take(self, limit: int) -> list[tuple[int, int]]:
        """Clear the first ``limit`` blocks and return them as ranges."""
        taken = []
        for start, end in self.ranges():
            if limit <= 0:
                break
            stop = min(end, start + limit)
            taken.append((start, stop))
            limit -= stop - start
        if taken:
            self.remove(taken[0][0], taken[-1][1])
        return taken

    def update(self, other: "Bitmap") -> None:
        """Set every block that is set in ``other``."""
        for start, end in other.ranges():
            self.add(start, end)

    def clear(self) -> None:
        """Clear every block."""
        self._starts.clear()
        self._ends.clear()
        self.count = 0
