"""Which partners of a node its DRBD has lost."""

from collections.abc import Mapping

from saltern.guarding.settings import GuardSettings
from saltern.model.running import ConnectionState, RunningResource


def lost(settings: GuardSettings, running: Mapping[str, RunningResource]) -> frozenset[str]:
    """The partners with which none of the resources is connected that are up here; nothing is known of one that shares none."""
    ways: dict[str, set[bool]] = {}
    for domain in settings.domains:
        for name in domain.resources:
            if name in running:
                ways.setdefault(domain.partner, set()).add(_connected(running[name]))
    return frozenset(partner for partner, found in ways.items() if not any(found))


def _connected(side: RunningResource) -> bool:
    return any(each.state is ConnectionState.CONNECTED for each in side.connections)
