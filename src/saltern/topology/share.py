"""What the master gives to each minion in the place of the topology."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from saltern import topology
from saltern.desired import slice_to_pillar, witness_spec, witness_to_pillar
from saltern.errors import TopologyError

_KEPT_AT_MOST: Final = 8
# A worker of the master compiles the pillar of one minion after the other, from the same topology.
_kept: dict[bytes, topology.Compiled | TopologyError] = {}


def share_of(pillar: Mapping[str, object], node: str) -> dict[str, Any]:
    """The share of one node in the topology under the key ``saltern``; that of its witness; empty for anybody else.

    Raises ``TopologyError`` with every violation, also when the rest of the topology has nothing to do with this node.
    """
    compiled = _compiled(pillar)
    if node in compiled.slices:
        return slice_to_pillar(compiled.slices[node])
    takeover, spec = compiled.cluster.takeover, witness_spec(compiled.cluster)
    witness = None if takeover is None else takeover.witness
    return witness_to_pillar(spec) if spec and witness and witness.minion == node else {}


def _compiled(pillar: Mapping[str, object]) -> topology.Compiled:
    digest = hashlib.sha256(repr(pillar).encode()).digest()
    if digest not in _kept:
        if len(_kept) >= _KEPT_AT_MOST:
            _kept.clear()
        try:
            _kept[digest] = topology.compile(pillar)
        except TopologyError as error:
            _kept[digest] = error
    found = _kept[digest]
    if isinstance(found, TopologyError):
        raise found
    return found
