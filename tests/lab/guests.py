"""What the guests of the lab's topology show of themselves over HTTP: what reached their disks, and how often they booted."""

from collections.abc import Collection, Iterable

from lab.cluster import Lab

ADDRESSES = {"router": "10.77.0.51", "dns": "10.77.0.52", "vpn": "10.77.0.53", "mail": "10.77.0.54"}
HOMES = {"router": "node1", "dns": "node1", "vpn": "node2", "mail": "node2"}
GUEST_TIMEOUT_S = 300.0


def served(lab: Lab, guest: str, path: str, *, node: str | None = None) -> str | None:
    """A file as a guest serves it to a node, its home where none is named; ``None`` when it does not answer."""
    # Not its own option -T: busybox 1.35 ends with a segmentation fault there.
    line = f"timeout 5 busybox wget -q -O - http://{ADDRESSES[guest]}/{path}"
    answer = lab.on(node or HOMES[guest], line, check=False)
    return answer.stdout if answer.returncode == 0 else None


def numbers(lab: Lab, guest: str, path: str, *, node: str | None = None) -> list[int]:
    """The first word of each line of a file that a guest serves; none while it does not answer."""
    return [int(line.split()[0]) for line in (served(lab, guest, path, node=node) or "").splitlines()]


def records(lab: Lab, guest: str, *, disk: str = "xvda", node: str | None = None) -> list[int]:
    """The numbers of the records on a disk of a guest, one for each second that it ran; none while it does not answer."""
    return numbers(lab, guest, "counter" if disk == "xvda" else "data/counter", node=node)


def boots(lab: Lab, guest: str, *, node: str | None = None) -> int:
    """How often a guest has booted from its disk; 0 while it does not answer."""
    return max(numbers(lab, guest, "boots", node=node), default=0)


def size(lab: Lab, guest: str, *, disk: str = "xvda", node: str | None = None) -> int:
    """The size of a disk in bytes, as the guest sees it; 0 while it does not answer."""
    return max(numbers(lab, guest, "size" if disk == "xvda" else "data/size", node=node), default=0)


def wait_until_answering(lab: Lab, guests: Iterable[str] = HOMES, *, node: str | None = None) -> None:
    """Wait until each of these guests has served a record."""
    for guest in guests:
        lab.wait_until(
            lambda guest=guest: records(lab, guest, node=node) != [],
            f"{guest} answers over HTTP",
            timeout_s=GUEST_TIMEOUT_S,
        )


def wait_for_another_record(lab: Lab, guests: Iterable[str] = HOMES, *, node: str | None = None) -> None:
    """Wait until each of these guests has written one more record: its disk takes what it writes."""
    for guest in guests:
        before = len(records(lab, guest, node=node))
        lab.wait_until(
            lambda guest=guest, before=before: len(records(lab, guest, node=node)) > before,
            f"{guest} writes another record",
            timeout_s=GUEST_TIMEOUT_S,
        )


def running(lab: Lab, node: str) -> list[str]:
    """The names of the domains on a node without dom0, in order, as `xl list` prints them."""
    lines = lab.on(node, "xl list").stdout.splitlines()[1:]
    return sorted(line.split()[0] for line in lines if line.split()[0] != "Domain-0")


def at_home(node: str) -> list[str]:
    """The names of the domains that belong on a node."""
    return sorted(guest for guest, home in HOMES.items() if home == node)


def gaps(found: Collection[int]) -> list[int]:
    """The numbers that are missing between the first and the last record, or that are there twice."""
    found = list(found)
    return sorted({*range(1, max(found, default=0) + 1)} ^ {*found}) + sorted(
        number for number in {*found} if found.count(number) > 1
    )
