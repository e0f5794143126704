"""The order in which a node is built, and the step of every item."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from saltern.errors import Refused
from saltern.model.desired import NodeSlice
from saltern.model.operation import Standing
from saltern.plan import (
    activation,
    configuration,
    domain,
    fencing,
    metadata,
    operation,
    role,
    synchronisation,
    tie_breaker,
    transport,
    volume,
)
from saltern.plan.step import Step, Wait
from saltern.plan.view import View


class Kind(StrEnum):
    """What can be asked for, one layer after the other."""

    MODULE = "module"
    VOLUME = "volume"
    RESOURCE_CONFIGURATION = "resource configuration"
    METADATA = "metadata"
    ACTIVATION = "activation"
    FIRST_SYNCHRONISATION = "first synchronisation"
    SIZE = "size"
    ROLE = "role"
    TIE_BREAKER = "tie-breaker"
    FENCING = "fencing"
    SCRIPT = "script"
    OPERATION = "operation"
    DOMAIN_CONFIGURATION = "domain configuration"
    DOMAIN = "domain"
    MIGRATION_KEY = "migration key"
    TRUST = "trust"
    LOST_METADATA = "metadata of a lost replica"


@dataclass(frozen=True, slots=True)
class Item:
    """One thing on one node that should be so; ``name`` is that of a volume (path), resource or domain."""

    kind: Kind
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}".rstrip()


def items(node_slice: NodeSlice) -> Iterator[Item]:
    """Everything a node should be, in the order in which it is made."""
    yield Item(Kind.MODULE)
    for each in node_slice.volumes:
        yield Item(Kind.VOLUME, each.path)
    for kind in (
        Kind.RESOURCE_CONFIGURATION,
        Kind.METADATA,
        Kind.ACTIVATION,
        Kind.FIRST_SYNCHRONISATION,
        Kind.SIZE,
        Kind.ROLE,
    ):
        for name in node_slice.resources:
            yield Item(kind, name)
    for name in node_slice.tie_breaks:
        yield Item(Kind.TIE_BREAKER, name)
    for path in configuration.SCRIPTS if node_slice.domains else ():
        yield Item(Kind.SCRIPT, path)
    for kind in (Kind.OPERATION, Kind.DOMAIN_CONFIGURATION, Kind.DOMAIN):
        for name in node_slice.domains:
            yield Item(kind, name)


def items_of(domain: str, node_slice: NodeSlice) -> Iterator[Item]:
    """Those of ``items`` that a domain needs on this node, in the same order. Raises ``Refused`` for one that is not there."""
    spec = node_slice.domains.get(domain)
    if spec is None:
        raise Refused(f"domain {domain}", f"it has nothing to do with {node_slice.node}", "Correct the name")
    resources = {disk.resource for disk in spec.disks}
    sides = [node_slice.resources[name].on(node_slice.node) for name in resources]
    volumes = {path for side in sides for path in (side.disk, side.meta_device)}
    for item in items(node_slice):
        if item.kind in (Kind.MODULE, Kind.SCRIPT):
            yield item
        elif item.kind is Kind.VOLUME:
            if item.name in volumes:
                yield item
        elif item.name in (resources if item.kind in _RESOURCE_STEPS else (domain,)):
            yield item


def on_request(node_slice: NodeSlice) -> Iterator[Item]:
    """What is done only when it is asked for: keys, which only Salt brings from node to node; what relies on a guard, which a
    state of its own has started; and what is given up by name.
    """
    yield Item(Kind.MIGRATION_KEY)
    yield Item(Kind.TRUST)
    for name in node_slice.resources:
        yield Item(Kind.FENCING, name)
        yield Item(Kind.LOST_METADATA, name)


_RESOURCE_STEPS: dict[Kind, Callable[..., Step | Wait]] = {
    Kind.RESOURCE_CONFIGURATION: configuration.resource_step,
    Kind.METADATA: metadata.step,
    Kind.ACTIVATION: activation.step,
    Kind.FIRST_SYNCHRONISATION: synchronisation.first_step,
    Kind.SIZE: synchronisation.size_step,
    Kind.ROLE: role.step,
    Kind.FENCING: fencing.step,
    Kind.LOST_METADATA: metadata.wipe_step,
}
_NODE_STEPS: dict[Kind, Callable[..., Step | Wait]] = {
    Kind.MIGRATION_KEY: transport.key_step,
    Kind.TRUST: transport.trust_step,
}
_DOMAIN_STEPS: dict[Kind, Callable[..., Step | Wait]] = {
    Kind.DOMAIN_CONFIGURATION: configuration.domain_step,
    Kind.DOMAIN: domain.step,
}


def step(item: Item, node_slice: NodeSlice, view: View) -> Step | Wait:
    """The next step of an item. Raises ``Refused`` when a safety rule forbids it.

    The item is one of ``items`` or ``on_request``.
    """
    if item.kind is Kind.MODULE:
        return activation.module_step(view)
    remade = _remade(item, node_slice, view)
    if remade is not None:
        return operation.left_alone(remade)
    if item.kind in _NODE_STEPS:
        return _NODE_STEPS[item.kind](node_slice, view)
    if item.kind is Kind.SCRIPT:
        return configuration.script_step(item.name, view)
    if item.kind is Kind.VOLUME:
        found = next(each for each in node_slice.volumes if each.path == item.name)
        return volume.step(found, node_slice, view)
    if item.kind in _RESOURCE_STEPS:
        return _RESOURCE_STEPS[item.kind](node_slice.resources[item.name], node_slice, view)
    if item.kind is Kind.TIE_BREAKER:
        return tie_breaker.step(node_slice.tie_breaks[item.name], node_slice, view)
    if item.kind is Kind.OPERATION:
        return operation.step(node_slice.domains[item.name], view)
    return _DOMAIN_STEPS[item.kind](node_slice.domains[item.name], node_slice, view)


def _remade(item: Item, node_slice: NodeSlice, view: View) -> Standing | None:
    """The remake of all domains that an item belongs to: what is between two topologies is like neither of them."""
    found = [view.remade(name) for name in domains_of(item, node_slice)]
    return found[0] if found and None not in found else None


def domains_of(item: Item, node_slice: NodeSlice) -> set[str]:
    """The domains that an item belongs to: several for a meta-disk that they share.

    None for what an operation left: whoever settles that holds the domain by itself.
    """
    if item.kind in _DOMAIN_STEPS:
        return {item.name}
    if item.kind in _RESOURCE_STEPS:
        return {node_slice.resources[item.name].domain}
    if item.kind is not Kind.VOLUME:
        return set()
    sides = [(each.domain, each.on(node_slice.node)) for each in node_slice.resources.values()]
    return {domain for domain, side in sides if item.name in (side.disk, side.meta_device)}
