"""Of which resources the kernel demands no quorum: their sides have it always, as events2 tells it, and never lose it.

That is an option of the resource, which a person may change in the kernel at any time (``drbdsetup resource-options``). So it is
read in each look, after what events2 tells: what had quorum because none was demanded is not taken for more.
"""

from collections.abc import Iterable, Mapping

from saltern.argv import drbdsetup
from saltern.model.running import RunningResource
from saltern.parse import drbdsetup_show
from saltern.run import Host


class Quorumless:
    """What is so on a node whose proof is quorum."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def of(self, names: Iterable[str], running: Mapping[str, RunningResource]) -> frozenset[str]:
        """Those among the ``names`` that are up, of which none is demanded. Raises what a read raises."""
        demanded = drbdsetup_show.parse_quorum(self._host.run(drbdsetup.show_all()).stdout)
        return frozenset(name for name in names if name in running and not demanded.get(name, False))
