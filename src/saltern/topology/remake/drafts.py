"""Steps as they are drafted: each with what it needs that others may have, and what it frees for others."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, NamedTuple

from saltern.model.desired import DomainSpec, Resource, Volume
from saltern.model.remake import Kind, Span, Step
from saltern.model.topology import Domain
from saltern.topology.capacity import EXTENT_BYTES
from saltern.topology.remake.sides import (
    Claim,
    Sides,
    Site,
    kernel_claims,
    meta_place,
    port_claims,
    slot_claims,
    volume_claims,
)
from saltern.topology.remake.texts import TEXTS
from saltern.units import format_size, round_up

NOTHING: frozenset[Claim] = frozenset()


class Draft(NamedTuple):
    """A step, and the claims that order it among those of other domains."""

    step: Step
    needs: frozenset[Claim] = NOTHING
    frees: frozenset[Claim] = NOTHING


def step(kind: Kind, words: str, **fields: Any) -> Step:
    """A step with the texts of its kind, unless ``fields`` has others."""
    text = TEXTS[kind]
    return Step(**{"kind": kind, "words": words, "risk": text.risk, "undo": text.undo, **fields})


class Subject(NamedTuple):
    """The disk of a domain that a step is about."""

    domain: str
    disk: str

    def __str__(self) -> str:
        return f"{self.domain}/{self.disk}"


def _about(subject: Subject, *nodes: str) -> dict[str, Any]:
    return {"domain": subject.domain, "disk": subject.disk, "nodes": nodes}


def _paths(volumes: Iterable[Volume]) -> str:
    return " and ".join(f"{volume.path} ({format_size(volume.size_bytes)})" for volume in volumes)


# --- Volumes -----------------------------------------------------------------------------------------------------
def create_volumes(subject: Subject, sides: Sides, resource: Resource, node: str) -> Draft:
    """The volumes of a new copy; a shared meta-disk is made large enough for the slot."""
    volumes = sides.volumes(resource, node)
    words = f"{_paths(volumes)} for {subject} are there on {node}, blank where they are new"
    needs = volume_claims(resource, node)
    return Draft(
        step(Kind.CREATE_VOLUMES, words, **_about(subject, node), volumes=volumes, resource=resource), needs=needs
    )


def rename_volumes(subject: Subject, node: str, pairs: tuple[tuple[Volume, str], ...]) -> Draft:
    """Volumes of a copy under other names in the same group; ``pairs`` are each volume and its new name."""
    former = tuple(volume for volume, _ in pairs)
    volumes = tuple(replace(volume, name=name) for volume, name in pairs)
    words = " and ".join(f"{old.path} becomes {new.path}" for old, new in zip(former, volumes, strict=True))
    return Draft(
        step(Kind.RENAME_VOLUMES, f"{words} on {node}", **_about(subject, node), volumes=volumes, former=former),
        needs=frozenset(("volume", node, volume.path) for volume in volumes),
        frees=frozenset(("volume", node, volume.path) for volume in former),
    )


def extend_volumes(subject: Subject, sides: Sides, resource: Resource, node: str) -> Draft:
    """What a larger disk needs."""
    data, meta = sides.volumes(resource, node)
    volumes = (data, meta) if resource.on(node).meta_index is None else (data,)
    words = f"{_paths(volumes)} have their new size on {node}"
    return Draft(step(Kind.EXTEND_VOLUMES, words, **_about(subject, node), volumes=volumes, resource=resource))


# --- Resources ---------------------------------------------------------------------------------------------------
def freeze(subject: Subject, was: Resource, node: str) -> Draft:
    """A copy that is about to be replaced is taken out of service, and stays as it is."""
    words = (
        f"{was.name} is taken down on {node}: its copy of {subject} stays there, frozen, until the new one is complete"
    )
    return Draft(
        step(Kind.FREEZE, words, **_about(subject, node), was=was, single_copy=Span.FULL),
        frees=kernel_claims(was, node),
    )


def down(subject: Subject, was: Resource, node: str) -> Draft:
    """The resource of a domain that is shut down, and its file, are taken away for a moment."""
    words = f"{was.name} is taken down on {node}, and its file taken away"
    return Draft(step(Kind.DOWN, words, **_about(subject, node), was=was), frees=kernel_claims(was, node))


def up(subject: Subject, now: Resource, node: str) -> Draft:
    """The same data under what the resource is called from now on."""
    words = f"{now.name} is configured and brought up on {node} with minor {now.on(node).minor}, and {_connection(now)}"
    return Draft(step(Kind.UP, words, **_about(subject, node), resource=now), needs=kernel_claims(now, node))


def disconnect(subject: Subject, was: Resource, nodes: tuple[str, ...], single_copy: Span) -> Draft:
    """The connection is taken apart, the disk stays in use. Of two nodes the one where the domain does not run goes first."""
    words = f"{was.name} is disconnected on {' and '.join(nodes)}; its disk stays in use there"
    ports = frozenset[Claim]().union(*(port_claims(was, node) for node in nodes))
    return Draft(step(Kind.DISCONNECT, words, **_about(subject, *nodes), was=was, single_copy=single_copy), frees=ports)


def connect(subject: Subject, now: Resource, nodes: tuple[str, ...]) -> Draft:
    """The other connection."""
    words = f"{now.name} is configured on {' and '.join(nodes)} and {_connection(now)}"
    ports = frozenset[Claim]().union(*(port_claims(now, node) for node in nodes))
    return Draft(step(Kind.CONNECT, words, **_about(subject, *nodes), resource=now), needs=ports)


def adjust(subject: Subject, was: Resource, now: Resource) -> Draft:
    """Options that a running resource takes up, or the order in which its file names its nodes."""
    nodes = tuple(host.node for host in now.hosts)
    changed = was.sections != now.sections or was.protocol != now.protocol
    what = "takes up its changed options" if changed else "has its home first in its file; nothing else changes"
    words = f"{now.name} {what} on {' and '.join(nodes)}"
    risk = {} if changed else {"risk": "none"}
    return Draft(step(Kind.ADJUST, words, **_about(subject, *nodes), was=was, resource=now, **risk))


def join(subject: Subject, now: Resource, node: str) -> Draft:
    """A blank copy gets its metadata and is brought up; its partner, where it has data, begins to copy them."""
    words = (
        f"{now.name} is configured on {node} with minor {now.on(node).minor}, gets metadata in {meta_place(now, node)}, "
        f"is brought up and {_connection(now)}"
    )
    needs = kernel_claims(now, node) | slot_claims(now, node)
    return Draft(step(Kind.JOIN, words, **_about(subject, node), resource=now), needs=needs)


def first_sync(subject: Subject, now: Resource) -> Draft:
    """Two blank copies: the home's counts."""
    words = f"{now.home} declares its blank copy of {subject} the good one; both are provably new"
    return Draft(step(Kind.FIRST_SYNC, words, **_about(subject, now.home), resource=now, single_copy=Span.FULL))


def synchronise(subject: Subject, now: Resource, node: str) -> Draft:
    """Waiting until a copy is complete."""
    words = f"all of {subject} ({format_size(now.size_bytes)}) is copied to {node}, until it is UpToDate there"
    return Draft(step(Kind.SYNCHRONISE, words, **_about(subject, node), resource=now))


def grow(subject: Subject, was: Resource, now: Resource) -> Draft:
    """DRBD uses the new room."""
    words = f"{now.name} grows from {format_size(was.size_bytes)} to {format_size(now.size_bytes)}"
    nodes = tuple(host.node for host in now.hosts)
    return Draft(step(Kind.GROW, words, **_about(subject, *nodes), was=was, resource=now, single_copy=Span.CHANGES))


def remove_replica(subject: Subject, sides: Sides, was: Resource, node: str, *, name: str, frozen: bool) -> Draft:
    """A copy is destroyed: what was named so."""
    data, meta = sides.volumes(was, node)
    own = was.on(node).meta_index is None
    volumes = (data, meta) if own else (data,)
    slot = "" if own else f", its metadata in {meta_place(was, node)} are wiped"
    end = "" if frozen else f"{was.name} is taken down and its file taken away on {node}; "
    words = f"{end}{' and '.join(volume.path for volume in volumes)} of {subject} are removed on {node}{slot}"
    frees = volume_claims(was, node) | slot_claims(was, node) | (NOTHING if frozen else kernel_claims(was, node))
    return Draft(
        step(Kind.REMOVE_REPLICA, words, **_about(subject, node), was=was, volumes=volumes, destroys=(name,)),
        frees=frees,
    )


def _connection(resource: Resource) -> str:
    ends = " and ".join(f"{host.node} ({_address(host.address)}:{host.port})" for host in resource.hosts)
    return f"connects {ends}"


def _address(address: str) -> str:
    return f"[{address}]" if ":" in address else address


# --- Domains -----------------------------------------------------------------------------------------------------
def stop(domain: Domain, node: str, span: Span, reason: str) -> Draft:
    """A domain is shut down."""
    words = f"{domain.name} is shut down on {node}: {reason}"
    return Draft(
        step(Kind.STOP, words, domain=domain.name, nodes=(node,), stops_domain=span),
        frees=frozenset({("uuid", "", domain.uuid or "")}),
    )


def start(spec: DomainSpec, node: str) -> Draft:
    """A domain is started."""
    needs: frozenset[Claim] = frozenset({("uuid", "", spec.uuid)})
    return Draft(
        step(Kind.START, f"{spec.name} is started on {node}", domain=spec.name, nodes=(node,), spec=spec), needs=needs
    )


def migrate(name: str, source: str, target: str) -> Draft:
    """A domain moves while it runs."""
    words = f"{name} moves from {source} to {target} while it runs"
    return Draft(step(Kind.MIGRATE, words, domain=name, nodes=(source, target), stops_domain=Span.MOMENT))


def configure_domain(spec: DomainSpec, node: str, consequence: str) -> Draft:
    """The file from which a domain is started."""
    words = f"{spec.name} is configured on {node}{consequence}"
    return Draft(
        step(Kind.CONFIGURE_DOMAIN, words, domain=spec.name, nodes=(node,), spec=spec),
        needs=frozenset({("domain", node, spec.name)}),
    )


def remove_config(name: str, node: str) -> Draft:
    """The file of a domain that no longer belongs to a node."""
    words = f"the configuration of {name} is taken away on {node}"
    return Draft(step(Kind.REMOVE_CONFIG, words, domain=name, nodes=(node,)), frees=frozenset({("domain", node, name)}))


def record(name: str, words: str) -> Draft:
    """The allocation file follows."""
    return Draft(step(Kind.RECORD, words, domain=name))


# --- Nodes -------------------------------------------------------------------------------------------------------
def prepare_node(node: str, words: str) -> Draft:
    """What a person does on a node before anything else."""
    return Draft(step(Kind.PREPARE_NODE, words, nodes=(node,)))


def release_node(node: str, words: str) -> Draft:
    """What a person does on a node in the end."""
    return Draft(step(Kind.RELEASE_NODE, words, nodes=(node,)))


def needed_bytes(draft: Draft, before: Sides, site: Site) -> int:
    """How much room a step takes in a volume group beside what is taken there before."""
    if draft.step.kind not in (Kind.CREATE_VOLUMES, Kind.EXTEND_VOLUMES) or site.node not in draft.step.nodes:
        return 0
    return sum(
        max(round_up(volume.size_bytes, EXTENT_BYTES) - before.size_bytes(site.node, volume.path), 0)
        for volume in draft.step.volumes
        if volume.volume_group == site.group
    )
