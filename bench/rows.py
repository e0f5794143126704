"""Lines of the table for what was measured many times."""

import math
import statistics
from collections.abc import Sequence


def percentile(values: Sequence[float], percent: int) -> float:
    """The least of the values that so many percent of them do not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def print_ms(what: str, values_s: Sequence[float]) -> None:
    """A line with the median and the 99th percentile."""
    median_ms, late_ms = statistics.median(values_s) * 1000, percentile(values_s, 99) * 1000
    print(f"{len(values_s):>7} times    {what:<52} {median_ms:8.1f} ms {late_ms:8.1f} ms", flush=True)


def print_ratio(what: str, wholes_s: Sequence[float], parts_s: Sequence[float]) -> None:
    """A line that tells how many times as long as its part a whole takes."""
    ratios = [whole_s / part_s for whole_s, part_s in zip(wholes_s, parts_s, strict=True)]
    print(
        f"{len(ratios):>7} times    {what:<52} {statistics.median(ratios):8.2f}    {percentile(ratios, 99):8.2f}",
        flush=True,
    )
