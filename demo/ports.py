"""Ports of loopback that nobody uses."""

import random
import socket
from pathlib import Path

EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_ports(count: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> list[int]:
    """Ports, each another one, that were free at this moment, and that no connection is given.

    A port that the kernel chose is one of those that it gives to connections, too: before a program listens there, anybody's
    can have it, and one that is made to this very port, where nobody listens yet, would even be connected with itself.
    """
    candidates = _candidates()
    random.shuffle(candidates)
    found: list[int] = []
    while len(found) < count:
        if not candidates:
            raise RuntimeError(f"{count} free ports of 127.0.0.1 are needed, and {len(found)} were found ({EPHEMERAL})")
        if _is_free(port := candidates.pop(), kind):
            found.append(port)
    return found


def _candidates() -> list[int]:
    first, last = (int(word) for word in EPHEMERAL.read_text().split())
    return [port for port in range(10_000, 65_536) if not first <= port <= last]


def _is_free(port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
