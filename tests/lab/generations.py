"""What DRBD's metadata say of the history of their data."""

from lab.cluster import Lab

PRIMARY = 1  # the lowest bit of an identifier is no part of it: it tells that this side was Primary


def generations(lab: Lab, node: str) -> dict[str, list[int]]:
    """The identifiers of each configured resource on a node: current, bitmap, and two of the past; attached or not."""
    line = 'for each in $(drbdadm sh-resources); do echo "$each $(drbdadm get-gi $each)"; done'
    found = {}
    for told in lab.on(node, line).stdout.splitlines():
        resource, identifiers = told.split()
        found[resource] = [int(each, 16) & ~PRIMARY for each in identifiers.split(":")[:4]]
    return found


def go_on(before: dict[str, list[int]], after: dict[str, list[int]]) -> bool:
    """Whether the data described by ``before`` are those of ``after``, or what these came from, for every resource."""
    return before.keys() <= after.keys() and all(before[each][0] in after[each] for each in before)
