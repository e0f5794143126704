"""What a guard, or a witness, is told by the states: a file on its machine, checked as a whole before anything begins."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from saltern.errors import FileError
from saltern.guard import times as guard_times
from saltern.guard.times import Times
from saltern.guarding.plain import Malformed, from_plain, read_json, to_plain
from saltern.model.topology import FenceAgent
from saltern.run import Host

VERSION: Final = 1
_KEY: Final = re.compile(r"[0-9a-zA-Z.:+=^!/*?&<>()\[\]{}@%$#-]{40}")  # Z85 of 32 bytes (ZeroMQ RFC 32)
_AGENT: Final = re.compile(r"fence_[a-z0-9_]+")
_REMEDY: Final = "Have it written anew, or correct it"
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where somebody listens."""

    address: str
    port: int

    @property
    def endpoint(self) -> str:
        """As ZeroMQ writes it."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"tcp://{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Somebody to speak with, known by ``key``: the public half of its pair, as Z85."""

    address: str
    port: int
    key: str

    @property
    def endpoint(self) -> str:
        """As ZeroMQ writes it."""
        return Place(address=self.address, port=self.port).endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardedDomain:
    """A domain that may run here and on ``partner``; its disks are ``resources``. The rest is as in the topology."""

    name: str
    uuid: str
    partner: str
    resources: tuple[str, ...]
    memory_bytes: int
    order: int = 100
    depends_on: tuple[str, ...] = ()
    priority: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardSettings:
    """All that a guard is told: ``partners`` by node, the agents in ``fencing`` that switch them off, and the ``domains`` that it
    shares with each. Without a ``witness`` there are no leases from others; by ``quorum`` DRBD gives them. ``cluster`` is for
    events.

    ``notify`` is the command that is run for each, if any.
    """

    version: int
    node: str
    listen: Place
    partners: Mapping[str, Party]
    domains: tuple[GuardedDomain, ...]
    witness: Party | None = None
    fencing: Mapping[str, FenceAgent] = field(default_factory=dict)
    quorum: bool = False
    times: Times = field(default_factory=Times)
    cluster: str = "cluster"
    notify: tuple[str, ...] = ()

    def domain_of(self, resource: str) -> GuardedDomain | None:
        """Whose disk a resource is."""
        return next((each for each in self.domains if resource in each.resources), None)

    @property
    def terms(self) -> dict[str, str]:
        """What stands for all that a partner has to be told as well, by partner: what proves death, the times, what is shared."""
        return {name: self._terms(name) for name in self.partners}

    def _terms(self, partner: str) -> str:
        shared = sorted(
            (each.name, each.uuid, sorted(each.resources)) for each in self.domains if each.partner == partner
        )
        witness = None if self.witness is None else self.witness.key
        told = [witness, self.quorum, to_plain(self.times), shared]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessSettings:
    """All that a witness is told: ``nodes`` has the public key of each."""

    version: int
    listen: Place
    nodes: Mapping[str, str]
    times: Times = field(default_factory=Times)


def read_guard(host: Host, path: str) -> GuardSettings:
    """The settings of a guard; raises ``FileError`` with the place of what is wrong."""
    return parse_guard(host.read_text(path), path)


def parse_guard(text: str | None, path: str) -> GuardSettings:
    """What the file at ``path`` says, or would say; raises as ``read_guard``."""
    found = _parse(GuardSettings, text, path)
    keys = {f"partners:{name}": party.key for name, party in found.partners.items()}
    keys |= {} if found.witness is None else {"witness": found.witness.key}
    strange = (*_strange_keys(keys), *_strange_domains(found), *_strange_agents(found), *_strange_proofs(found))
    for wrong in (*_general(found.version, found.times), *strange):
        raise FileError(path, wrong, _REMEDY)
    if found.notify and not found.notify[0].startswith("/"):
        raise FileError(path, f"notify: {found.notify[0]!r} is no program; allowed: an absolute path", _REMEDY)
    return found


def read_witness(host: Host, path: str) -> WitnessSettings:
    """The settings of a witness; raises as ``read_guard``."""
    return parse_witness(host.read_text(path), path)


def parse_witness(text: str | None, path: str) -> WitnessSettings:
    """What the file at ``path`` says, or would say; raises as ``read_guard``."""
    found = _parse(WitnessSettings, text, path)
    keys = {f"nodes:{name}": key for name, key in found.nodes.items()}
    for wrong in (*_general(found.version, found.times), *_strange_keys(keys)):
        raise FileError(path, wrong, _REMEDY)
    return found


def _parse(kind: type[T], text: str | None, path: str) -> T:
    if text is None:
        raise FileError(path, "there is no such file", _REMEDY)
    try:
        return from_plain(kind, read_json(text))
    except Malformed as error:
        if ":options" in error.place:  # of an agent: it may be a password
            error = Malformed(error.place, "what is not shown", error.allowed)
        raise FileError(path, str(error), _REMEDY) from None


def _general(version: int, times: Times) -> Iterator[str]:
    if version != VERSION:
        yield f"version: {version}; allowed: {VERSION}, which this core reads"
    for wrong in guard_times.wrong(times):
        yield f"times: {wrong}"


def _strange_keys(keys: Mapping[str, str]) -> Iterator[str]:
    for place, key in keys.items():
        if not _KEY.fullmatch(key):
            yield f"{place}: {key[:60]!r} is no public key; allowed: 40 characters of Z85"
    if len(set(keys.values())) < len(keys):
        yield "two parties have the same key; allowed: a pair of its own for each"


def _strange_agents(found: GuardSettings) -> Iterator[str]:
    for node, each in found.fencing.items():
        if node not in found.partners:
            yield f"fencing: {node} is no partner; allowed: {', '.join(found.partners)}"
        if not _AGENT.fullmatch(each.agent):
            yield f"fencing:{node}:agent: {each.agent[:60]!r}; allowed: the name of a fence agent, such as fence_ipmilan"


def _strange_proofs(found: GuardSettings) -> Iterator[str]:
    others = found.witness is not None or bool(found.fencing)
    if not (others or found.quorum):
        yield "witness, fencing, quorum: none; allowed: one of them, or nothing proves a node dead"
    if others and found.quorum:
        yield "quorum: beside witness or fencing; allowed: alone, since DRBD would ask a guard and count votes"
    if found.quorum and not found.times.detect_s:
        yield "times: detect is 0 s; allowed: more, by quorum a node writes on until DRBD has noticed that it is cut off"


def _strange_domains(found: GuardSettings) -> Iterator[str]:
    if found.node in found.partners:
        yield f"partners: {found.node} is this node itself; allowed: others"
    for each in found.domains:
        if each.partner not in found.partners:
            yield f"domains: {each.name} has the partner {each.partner!r}; allowed: {', '.join(found.partners)}"
        if not each.resources:
            yield f"domains: {each.name} has no resource; allowed: at least one"
    for what, names in (
        ("name", [each.name for each in found.domains]),
        ("UUID", [each.uuid for each in found.domains]),
        ("resource", [name for each in found.domains for name in each.resources]),
    ):
        for name, count in Counter(names).items():
            if count > 1:
                yield f"domains: the {what} {name} stands there {count} times; allowed: once"
