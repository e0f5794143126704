"""What a guard and a witness keep: over a power cut what they have promised and proven, over their own restart their leases."""

import json
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, TypeVar

from saltern.errors import FileError
from saltern.guard.facts import Facts
from saltern.guard.witness import Denial, Promises
from saltern.guarding.plain import Malformed, from_plain, read_json, to_plain
from saltern.model.places import GUARD_ASIDE, GUARD_FACTS, GUARD_RENEWED, GUARD_WATCHDOG, WITNESS_PROMISES
from saltern.run import Host

_MODE: Final = 0o600
_BOOT_ID: Final = "/proc/sys/kernel/random/boot_id"
_REMEDY: Final = (
    "It is not guessed what this machine has promised, and a copy from a backup does not know what it has promised since. When "
    "the nodes are seen to run well, and nothing of what this file was for is in doubt, remove it"
)
T = TypeVar("T")


class _Kept(NamedTuple):
    """The facts, and in which boot of the kernel they were written."""

    boot_id: str
    facts: Facts


class _Renewed(NamedTuple):
    """When the leases were renewed, in that boot."""

    boot_id: str
    renewed: Mapping[str, float]


class _Watchdog(NamedTuple):
    """Which of Xen's timers is the guard's, in that boot."""

    boot_id: str
    number: int


class _Aside(NamedTuple):
    """A guard has stepped aside, in that boot, for DRBD to ask no more about these domains."""

    boot_id: str
    unasked: frozenset[str]


class GuardStore:
    """What a guard keeps on its node. ``wall_s`` is the time of day, for a node that knows nothing of a boot before.

    It is ``restarted`` where another guard was there since the boot.
    """

    def __init__(self, host: Host, wall_s: Callable[[], float]) -> None:
        self._host = host
        self._boot_id = _boot_id(host)
        self.restarted = False
        self.facts = self._begin(int(wall_s()))

    def _begin(self, wall_s: int) -> Facts:
        """The facts of this boot, which are on the disk when this returns.

        A node that was installed anew must not seem older than it was to those who remember it: hence the time of day.
        """
        found = _load(_Kept, self._host, GUARD_FACTS)
        if found is None:
            facts = Facts(boot=max(1, wall_s))
        elif found.boot_id == self._boot_id:
            self.restarted = True
            return found.facts
        else:
            facts = found.facts.after_boot(found.facts.boot + 1)
        self.keep(facts)
        return facts

    def keep(self, facts: Facts) -> None:
        """Have the facts on the disk. Raises ``OSError``."""
        _save(self._host, GUARD_FACTS, _Kept(self._boot_id, facts))
        self.facts = facts

    def renewed(self) -> Mapping[str, float] | None:
        """When the leases were renewed, ``None`` when they were not since the boot."""
        found = _load(_Renewed, self._host, GUARD_RENEWED)
        return found.renewed if found is not None and found.boot_id == self._boot_id else None

    def keep_renewed(self, renewed: Mapping[str, float]) -> None:
        """Have that survive a restart of the guard, before anybody is told that this node has a lease."""
        _save(self._host, GUARD_RENEWED, _Renewed(self._boot_id, renewed))

    def forget_renewed(self) -> None:
        """This node has no lease any more, and needs none: nobody takes anything over from it."""
        self._host.remove(GUARD_RENEWED)

    def aside(self) -> frozenset[str] | None:
        """Of which domains DRBD is to ask no more, where a guard of this boot has stepped aside for an apply that is not over;
        ``None`` where none has.
        """
        found = _load(_Aside, self._host, GUARD_ASIDE)
        return found.unasked if found is not None and found.boot_id == self._boot_id else None

    def keep_aside(self, unasked: frozenset[str]) -> None:
        """Have a guard that takes the place of this one, which may be killed, step aside as well. Raises ``OSError``."""
        before = self.aside()
        if before is None or not unasked <= before:
            _save(self._host, GUARD_ASIDE, _Aside(self._boot_id, unasked | (before or frozenset())))

    def watchdog(self) -> int | None:
        """The number of the watchdog that a guard of this boot has armed."""
        found = _load(_Watchdog, self._host, GUARD_WATCHDOG)
        return found.number if found is not None and found.boot_id == self._boot_id else None

    def keep_watchdog(self, number: int | None) -> None:
        """Remember the number; ``None`` when it is disarmed."""
        if number is None:
            self._host.remove(GUARD_WATCHDOG)
        else:
            _save(self._host, GUARD_WATCHDOG, _Watchdog(self._boot_id, number))


class _Denied(NamedTuple):
    """A ``Denial``, with the node, and who has asked for it."""

    node: str
    by: str
    denial: Denial


class _Promised(NamedTuple):
    """``Promises``, without keys that JSON does not have."""

    denied: tuple[_Denied, ...]
    alone: Mapping[str, str]
    refusals: int
    off: Mapping[str, tuple[int, int]]
    terms: Mapping[str, frozenset[tuple[str, str]]] = {}
    covered: Mapping[str, frozenset[str]] = {}


class WitnessStore:
    """What a witness keeps on its machine."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.promises = self.read()

    def read(self) -> Promises:
        """What the disk has. Raises ``FileError``."""
        found = _load(_Promised, self._host, WITNESS_PROMISES)
        if found is None:
            return Promises()
        denied = {(each.node, each.by): each.denial for each in found.denied}
        return Promises(**{**found._asdict(), "denied": denied})

    def keep(self, promises: Promises) -> None:
        """Have the promises on the disk. Raises ``OSError``."""
        if promises != self.promises:
            denied = tuple(_Denied(*key, denial) for key, denial in sorted(promises.denied.items()))
            promised = _Promised(**{**promises._asdict(), "denied": denied})
            _save(self._host, WITNESS_PROMISES, promised)
            self.promises = promises


def _boot_id(host: Host) -> str:
    found = host.read_text(_BOOT_ID)
    if found is None:
        raise FileError(_BOOT_ID, "there is no such file", "A guard needs Linux, with /proc mounted")
    return found.strip()


def _load(kind: type[T], host: Host, path: str) -> T | None:
    """What a file says; ``None`` only where there is none."""
    text = host.read_text(path)
    if text is None:
        return None
    try:
        return from_plain(kind, read_json(text))
    except Malformed as error:
        raise FileError(path, str(error), _REMEDY) from error


def _save(host: Host, path: str, value: object) -> None:
    host.write_text(path, json.dumps(to_plain(value)) + "\n", _MODE)
