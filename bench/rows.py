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


def print_s(what: str, values_s: Sequence[float]) -> None:
    """A line for what takes seconds, and was measured too seldom for percentiles: median, least and most."""
    median_s, least_s, most_s = statistics.median(values_s), min(values_s), max(values_s)
    print(f"{len(values_s):>7} times    {what:<52} {median_s:8.1f} s {least_s:8.1f} s {most_s:8.1f} s", flush=True)


def print_compared(what: str, values_s: Sequence[float], others_s: Sequence[float]) -> None:
    """A line that tells how many times as long one thing takes as another, by their medians."""
    times = statistics.median(values_s) / statistics.median(others_s)
    print(f"{'':>7}          {what:<52} {times:8.2f}", flush=True)
