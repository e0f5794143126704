"""What of an answer of DRBD is compared: all but what is different every time."""

import re

COUNTERS = re.compile(r"\b(ns|nr|dw|dr|al|bm|ep|read|written|al-writes|received|sent|pending|unacked|pe|ua):\d+")


def normal(text: str, *, exact_sync: bool = True) -> str:
    """Without what is different every time; the kernel log, domains and the times that bash prints are left out."""
    text = re.sub(r"(?m)^(Name +ID|Domain-0|dns +\d).*\n", "", text)
    text = re.sub(r"(?m)^(\(null\) +)\d+(.*?) +[\d.]+$", r"\1N\2", text)
    text = re.sub(r"(Marked additional )\d+", r"\1N", text)  # one extent of the activity log more or less
    text = re.sub(r"(?m)^(\[ *\d+\.\d+\].*|real\t.*|user\t.*|sys\t.*|# \d{4}-\d\d-\d\d.*|# \d+ s)\n?", "", text)
    text = re.sub(r"(?<![0-9A-F])(?!0{15}[04])[0-9A-F]{16}\b", "UUID", text)
    text = re.sub(r"(?m)^([^:\n]+:[^:\n]+):[^:\n]+:[^:\n]+(:\d:\d:\d:\d:\d:\d:\d)$", r"\1:HISTORY\2", text)
    text = re.sub(r"\bdone:[\d.]+", "done:N", COUNTERS.sub(r"\1:N", text))
    text = re.sub(r"\[[=>.]+\] sync'ed: +[\d.]+% \(\d+/(\d+)\)K\n\tfinish: .*", r"progress of \1", text)
    text = re.sub(r" congested:yes", "", text)
    return text if exact_sync else re.sub(r"\b(oos|out-of-sync):\d+", r"\1:N", text)


def words(text: str) -> list[str]:
    """The lines of standard error; bash puts an empty one before the times that it prints."""
    return [line for line in normal(text).splitlines() if line]
