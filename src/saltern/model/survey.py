"""What one node tells of one domain before something is done with it: only what is needed to decide that."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from saltern.model.operation import Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskSide:
    """One disk of the domain, as this node sees it; words of DRBD. ``protocol`` is what the topology gives it.

    ``synchronised_percent`` is ``None`` while nothing is synchronised.
    """

    role: str
    disk: str
    connection: str
    partner_role: str
    partner_disk: str
    protocol: str
    synchronised_percent: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """One node and one domain.

    ``condition`` is ``running``, or what keeps it from that (``paused``, ``dying``, ``migratedaway`` ...), ``None`` when it is
    not here; ``memory_bytes`` is what it has here, which grows while it arrives. ``obstacles`` tell, in words, what is not as
    the topology says and has to be before the domain can run here. ``stopped`` tells by whom it is kept stopped, ``placed`` by
    whom it was put here, to stay. ``maintenance`` has those of its nodes that are in maintenance, as this one was told, with who
    has begun that. ``against_start`` is what the guard of the node has against a start there, ``against_live`` what keeps its Xen
    from moving the domain away while that runs.
    """

    node: str
    condition: str | None
    memory_bytes: int | None
    sides: Mapping[str, DiskSide]
    obstacles: tuple[str, ...]
    free_memory_bytes: int
    standing: Standing | None
    stopped: str | None
    placed: str | None = None
    maintenance: Mapping[str, str] = field(default_factory=dict)
    against_start: str | None = None
    against_live: str | None = None
