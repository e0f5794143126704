"""The options of a DRBD configuration: their kinds, bounds and defaults, by section and generation.

Taken from what ``drbdsetup xml-help`` and ``drbdsetup-84 xml-help`` of drbd-utils 9.22 print.
"""

import re
from dataclasses import dataclass
from typing import Final

_UNITS: Final = {"": 1, "s": 512, "k": 1024, "m": 1024**2, "g": 1024**3}
_NUMBER: Final = re.compile(r"(-?\d+)([sSkKmMgG]?)")


@dataclass(frozen=True, slots=True)
class Option:
    """One option. ``unit`` is the unit a bare number is in (``k`` for KiB, ``s`` for sectors, empty for 1)."""

    kind: str  # "number", "boolean", "choice" or "text"
    default: str | None
    low: int = 0
    high: int = 0
    unit: str = ""
    choices: tuple[str, ...] = ()
    numbers: bool = False

    def too_long(self, value: str) -> bool:
        """Whether a text is longer than the kernel has room for."""
        return self.kind == "text" and 0 < self.high < len(value.encode())

    def normal(self, value: str) -> str:
        """One spelling for values that mean the same: ``10M`` and ``10240k`` give the same text."""
        if self.kind == "number":
            number = parse_number(value, self.unit)
            return value if number is None else str(number)
        return value


def parse_number(text: str, unit: str) -> int | None:
    """The number in the option's own unit, ``None`` for what is not a number (``10M`` with unit ``k`` is 10240)."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    number, suffix = int(match.group(1)), match.group(2).lower()
    if not suffix:
        return number
    return number * _UNITS[suffix] // _UNITS[unit]


def _number(default: int, low: int, high: int, unit: str = "") -> Option:
    return Option("number", str(default), low, high, unit)


def _boolean(default: str) -> Option:
    return Option("boolean", default)


def _choice(*choices: str, default: str | None = None, numbers: bool = False) -> Option:
    return Option("choice", default or choices[0], choices=choices, numbers=numbers)


def _text(longest: int = 0) -> Option:
    """A text of at most so many characters, where there is a limit."""
    return Option("text", None, high=longest)


_NET_BOTH: Final = {
    "protocol": _choice("A", "B", "C", default="C"),
    "timeout": _number(60, 1, 600),
    "max-epoch-size": _number(2048, 1, 20000),
    "max-buffers": _number(2048, 32, 131072),
    "connect-int": _number(10, 1, 120),
    "ping-int": _number(10, 1, 120),
    "sndbuf-size": _number(0, 0, 10485760),
    "rcvbuf-size": _number(0, 0, 10485760),
    "ko-count": _number(7, 0, 200),
    "allow-two-primaries": _boolean("no"),
    "cram-hmac-alg": _text(63),
    "shared-secret": _text(63),
    "after-sb-0pri": _choice(
        "disconnect",
        "discard-younger-primary",
        "discard-older-primary",
        "discard-zero-changes",
        "discard-least-changes",
        "discard-local",
        "discard-remote",
    ),
    "after-sb-1pri": _choice(
        "disconnect", "consensus", "discard-secondary", "call-pri-lost-after-sb", "violently-as0p"
    ),
    "after-sb-2pri": _choice("disconnect", "call-pri-lost-after-sb", "violently-as0p"),
    "always-asbp": _boolean("no"),
    "ping-timeout": _number(5, 1, 300),
    "data-integrity-alg": _text(63),
    "tcp-cork": _boolean("yes"),
    "on-congestion": _choice("block", "pull-ahead", "disconnect"),
    "congestion-fill": _number(0, 0, 20971520, "s"),
    "congestion-extents": _number(1237, 67, 65534),
    "csums-alg": _text(63),
    "csums-after-crash-only": _boolean("no"),
    "verify-alg": _text(63),
    "use-rle": _boolean("yes"),
    "socket-check-timeout": _number(0, 0, 300),
}
_NET_84: Final = _NET_BOTH | {
    "unplug-watermark": _number(128, 1, 131072),
    "rr-conflict": _choice("disconnect", "call-pri-lost", "violently"),
}
_NET_9: Final = _NET_BOTH | {
    "transport": _text(),
    "rr-conflict": _choice("disconnect", "call-pri-lost", "violently", "retry-connect", "auto-discard"),
    "fencing": _choice("dont-care", "resource-only", "resource-and-stonith"),
    "allow-remote-read": _boolean("yes"),
}
_DISK_BOTH: Final = {
    "on-io-error": _choice("pass_on", "call-local-io-error", "detach", default="detach"),
    "disk-barrier": _boolean("no"),
    "disk-flushes": _boolean("yes"),
    "disk-drain": _boolean("yes"),
    "md-flushes": _boolean("yes"),
    "resync-after": _number(-1, -1, 1048575),
    "al-extents": _number(1237, 67, 65534),
    "al-updates": _boolean("yes"),
    "discard-zeroes-if-aligned": _boolean("yes"),
    "disable-write-same": _boolean("no"),
    "disk-timeout": _number(0, 0, 6000),
    "read-balancing": _choice(
        "prefer-local",
        "prefer-remote",
        "round-robin",
        "least-pending",
        "when-congested-remote",
        "32K-striping",
        "64K-striping",
        "128K-striping",
        "256K-striping",
        "512K-striping",
        "1M-striping",
    ),
    "rs-discard-granularity": _number(0, 0, 1048576),
}
_PEER_DEVICE_9: Final = {
    "resync-rate": _number(250, 1, 8388608, "k"),
    "c-plan-ahead": _number(20, 0, 300),
    "c-delay-target": _number(10, 1, 100),
    "c-fill-target": _number(100, 0, 1048576, "s"),
    "c-max-rate": _number(102400, 0, 4194304, "k"),
    "c-min-rate": _number(250, 0, 4194304, "k"),
    "bitmap": _boolean("yes"),
}
_DISK_84: Final = _DISK_BOTH | {
    "fencing": _choice("dont-care", "resource-only", "resource-and-stonith"),
    "resync-rate": _number(250, 1, 4194304, "k"),
    "c-plan-ahead": _number(20, 0, 300),
    "c-delay-target": _number(10, 1, 100),
    "c-fill-target": _number(100, 0, 1048576, "s"),
    "c-max-rate": _number(102400, 250, 4194304, "k"),
    "c-min-rate": _number(250, 0, 4194304, "k"),
}
_DISK_9: Final = _DISK_BOTH | {}
_RESOURCE_84: Final = {
    "cpu-mask": _text(31),
    "on-no-data-accessible": _choice("io-error", "suspend-io"),
}
_RESOURCE_9: Final = _RESOURCE_84 | {
    "auto-promote": _boolean("yes"),
    "peer-ack-window": _number(4096, 2048, 204800, "s"),
    "peer-ack-delay": _number(100, 1, 10000),
    "twopc-timeout": _number(300, 50, 600),
    "twopc-retry-timeout": _number(1, 1, 50),
    "auto-promote-timeout": _number(20, 0, 600),
    "max-io-depth": _number(8000, 4, 4294967295),
    "quorum": _choice("off", "majority", "all", numbers=True),
    "on-no-quorum": _choice("io-error", "suspend-io", default="suspend-io"),
    "quorum-minimum-redundancy": _choice("off", "majority", "all", numbers=True),
    "on-suspended-primary-outdated": _choice("disconnect", "force-secondary"),
}

_HANDLERS_84: Final = dict.fromkeys(
    (
        *("pri-on-incon-degr", "pri-lost-after-sb", "pri-lost", "initial-split-brain", "split-brain", "outdate-peer"),
        *("fence-peer", "unfence-peer", "local-io-error", "before-resync-target", "after-resync-target"),
        *("before-resync-source", "out-of-sync"),
    ),
    _text(),
)
_STARTUP: Final = {
    "wfc-timeout": _number(0, 0, 300000),
    "degr-wfc-timeout": _number(0, 0, 300000),
    "outdated-wfc-timeout": _number(0, 0, 300000),
    "wait-after-sb": _boolean("no"),
    "become-primary-on": _text(),
    "stacked-timeouts": _boolean("no"),
}

SECTIONS: Final = {
    "8.4": {
        "options": _RESOURCE_84,
        "net": _NET_84,
        "disk": _DISK_84,
        "startup": _STARTUP,
        "handlers": _HANDLERS_84,
    },
    "9": {
        "options": _RESOURCE_9,
        "net": _NET_9,
        "disk": _DISK_9 | _PEER_DEVICE_9,
        "startup": _STARTUP,
        "handlers": _HANDLERS_84 | dict.fromkeys(("quorum-lost", "disconnected"), _text()),
    },
}
PEER_DEVICE_9: Final = frozenset(_PEER_DEVICE_9)
