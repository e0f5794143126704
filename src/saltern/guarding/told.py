"""What a guard and a witness are told, made of a share of the topology and of the public keys that others have told."""

from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

from saltern.errors import FileError, Refused
from saltern.guarding.settings import (
    VERSION,
    GuardedDomain,
    GuardSettings,
    Party,
    Place,
    WitnessSettings,
    read_guard,
    read_witness,
)
from saltern.model.desired import DomainSpec, GuardSpec, NodeSlice, WitnessSpec
from saltern.model.places import GUARD_SETTINGS, WITNESS_SETTINGS
from saltern.model.topology import Witness
from saltern.run import Host


class Told(NamedTuple):
    """Settings as far as they can be made, ``None`` where nothing can; ``silent`` are those whose key is not known."""

    settings: GuardSettings | WitnessSettings | None
    silent: tuple[str, ...]


def guard_of(node_slice: NodeSlice) -> GuardSpec:
    """What the topology says of the guard of a node; raises ``Refused`` where it says nothing."""
    if node_slice.guard is None:
        raise Refused(
            f"node {node_slice.node}",
            "the topology has no automatic takeover for it",
            "Write `saltern:takeover`, or apply this node, which takes away what is left of a guard",
        )
    return node_slice.guard


def parties(guard: GuardSpec) -> tuple[str, ...]:
    """Whose keys a guard has to know: its partners', and the witness's."""
    return (*guard.partners, *([] if guard.witness is None else [guard.witness.minion]))


def guard_settings(node_slice: NodeSlice, keys: Mapping[str, str]) -> Told:
    """What the guard of a node is told. A partner whose key is not known is left out with its domains: it is nobody to it yet.

    Without the witness's key there are no settings, where there is a witness.
    """
    guard = guard_of(node_slice)
    silent = tuple(name for name in parties(guard) if name not in keys)
    partners = {
        name: Party(address=address, port=guard.port, key=keys[name])
        for name, address in guard.partners.items()
        if name in keys
    }
    domains = [_guarded(each, node_slice.node) for each in node_slice.domains.values()]
    witness = guard.witness
    if (witness is not None and witness.minion in silent) or not partners:
        return Told(None, silent)
    return Told(
        GuardSettings(
            version=VERSION,
            node=node_slice.node,
            listen=Place(address=guard.address, port=guard.port),
            partners=partners,
            witness=None if witness is None else _party(witness, keys),
            fencing={name: each for name, each in guard.fencing.items() if name in partners},
            quorum=guard.quorum,
            domains=tuple(each for each in domains if each.partner in partners),
            times=guard.times,
            cluster=node_slice.cluster,
            notify=guard.notify,
        ),
        silent,
    )


def _party(witness: Witness, keys: Mapping[str, str]) -> Party:
    return Party(address=witness.address, port=witness.port, key=keys[witness.minion])


def _guarded(domain: DomainSpec, node: str) -> GuardedDomain:
    return GuardedDomain(
        name=domain.name,
        uuid=domain.uuid,
        partner=domain.partner if domain.home == node else domain.home,
        resources=tuple(disk.resource for disk in domain.disks),
        memory_bytes=domain.memory_bytes,
        order=domain.order,
        depends_on=domain.depends_on,
        priority=domain.priority,
    )


def witness_settings(witness: WitnessSpec, keys: Mapping[str, str]) -> Told:
    """What a witness is told; a node whose key is not known is nobody to it yet."""
    nodes = {name: keys[name] for name in witness.nodes if name in keys}
    silent = tuple(name for name in witness.nodes if name not in keys)
    if not nodes:
        return Told(None, silent)
    listen = Place(address=witness.address, port=witness.port)
    return Told(WitnessSettings(version=VERSION, listen=listen, nodes=nodes, times=witness.times), silent)


def keys_before(host: Host, witness: str | None) -> dict[str, str]:
    """The keys that the guard of this node was told before: what Salt does not know for a while is not forgotten."""
    with suppress(FileError):
        found = read_guard(host, GUARD_SETTINGS)
        keys = {name: party.key for name, party in found.partners.items()}
        if witness is not None and found.witness is not None:
            keys[witness] = found.witness.key
        return keys
    return {}


def keys_before_of_witness(host: Host) -> dict[str, str]:
    """The same for a witness."""
    with suppress(FileError):
        return dict(read_witness(host, WITNESS_SETTINGS).nodes)
    return {}
