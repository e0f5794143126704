"""About which resources DRBD asks nobody before it goes on alone: read from the kernel, and kept while it cannot change.

Fencing is an option of a disk, or of a connection. It is set when that is made, and changed by `drbd.fenced`, which nobody has to
wait for, by `saltern.guarding.upkeep`, which has the guard tell everybody first, and by hand, which nobody is told of. Reading it
takes a process for each resource. So what asks is read again when it was made anew, and for a person's sake when that is a minute
ago, one at a look; and what does not ask every now and then.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from saltern.argv import drbdsetup
from saltern.model.places import DRBD_HELPER
from saltern.model.running import DiskState, RunningResource
from saltern.parse import drbdsetup_show
from saltern.plan import fencing
from saltern.run import Host

_AGAIN_S: Final = 2.0
_BY_HAND_S: Final = 60.0


class _Known(NamedTuple):
    """What was read of a resource, when, and what it was made of then."""

    asks: bool
    read_s: float
    parts: object


class Unfenced:
    """What is known of a node's resources."""

    def __init__(self, host: Host, clock: Callable[[], float]) -> None:
        self._host, self._clock = host, clock
        self._known: dict[str, _Known] = {}

    def of(self, names: Iterable[str], running: Mapping[str, RunningResource]) -> frozenset[str]:
        """Those among the ``names`` that are up and do not ask. Raises what a read raises.

        None asks where the kernel runs something else for its handlers.
        """
        if not fencing.is_helper(self._host.read_text(DRBD_HELPER)):
            return frozenset(names) & running.keys()
        self._forget_oldest()
        return frozenset(self._of(names, running))

    def _forget_oldest(self) -> None:
        """One at a look, so that no look takes much longer than others."""
        oldest = min(self._known, key=lambda name: self._known[name].read_s, default=None)
        if oldest is not None and self._clock() >= self._known[oldest].read_s + _BY_HAND_S:
            del self._known[oldest]

    def _of(self, names: Iterable[str], running: Mapping[str, RunningResource]) -> Iterator[str]:
        for name in names:
            side = running.get(name)
            if side is None:
                self._known.pop(name, None)
            elif not self._asks(side):
                yield name

    def _asks(self, side: RunningResource) -> bool:
        parts = _parts(side)
        known = self._known.get(side.name)
        if known is None or known.parts != parts or (not known.asks and self._clock() >= known.read_s + _AGAIN_S):
            known = self._known[side.name] = _Known(self._read(side), self._clock(), parts)
        return known.asks

    def _read(self, side: RunningResource) -> bool:
        """Without a disk there is nothing to go on alone with."""
        if all(device.disk is DiskState.DISKLESS for device in side.devices.values()):
            return True
        return drbdsetup_show.parse_asks(self._host.run(drbdsetup.show(side.name)).stdout)


def _parts(side: RunningResource) -> object:
    """Disks that were attached and connections that were made; not whether these are there at the moment."""
    disks = {number: device.disk is DiskState.DISKLESS for number, device in side.devices.items()}
    return disks, [each.peer_node_id for each in side.connections]
