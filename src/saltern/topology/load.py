"""From the pillar to a cluster: types, forms, defaults. What needs more than one place of it is for the validator."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from saltern.errors import TopologyError, Violation
from saltern.guard.times import Times, wrong
from saltern.model.topology import (
    Cluster,
    Disk,
    Domain,
    DrbdOptions,
    FenceAgent,
    Interface,
    MetaDisk,
    Node,
    Takeover,
    Witness,
)
from saltern.topology import lockfile, schema, values
from saltern.topology.allocate import Allocation
from saltern.topology.read import Reader
from saltern.topology.values import Wrong, describe
from saltern.topology.xl_keys import XL_WORDS
from saltern.units import MIB

ROOT: Final = "saltern"
NODES: Final = f"{ROOT}:nodes"
DOMAINS: Final = f"{ROOT}:domains"
TIE_BREAKER: Final = f"{ROOT}:tie_breaker"
TAKEOVER: Final = f"{ROOT}:takeover"
FENCING: Final = f"{TAKEOVER}:fencing"
FIRST_DEVICE: Final = "xvda"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What could be read, and everything that could not.

    ``cluster`` has the numbers that the topology writes itself. A node, domain, disk or interface that lacks something it
    needs is left out of it; ``nodes`` and ``domains`` are the names that stand in the pillar all the same.
    """

    cluster: Cluster
    allocation: Allocation
    violations: tuple[Violation, ...]
    nodes: frozenset[str]
    domains: frozenset[str]


def load(pillar: Mapping[str, object]) -> Loaded:
    """Read the key ``saltern`` of a pillar. Raises ``TopologyError`` only where there is none to read."""
    loader = _Loader()
    if not isinstance(pillar, Mapping) or ROOT not in pillar:
        loader.refuse(ROOT, Wrong("missing-key", "nothing", "the topology", "write the topology under this key"))
        raise TopologyError(tuple(loader.violations))
    top = loader.section(schema.CLUSTER, pillar[ROOT], ROOT)
    if top is None:
        raise TopologyError(tuple(loader.violations))
    return loader.cluster(top)


class _Loader(Reader):
    def cluster(self, top: dict[str, Any]) -> Loaded:
        drbd = self._drbd(top, ROOT, DrbdOptions())
        nodes = {name: self._node(name, data) for name, data in self.named(values.NODE, top["nodes"] or {}, NODES)}
        domains = {
            name: self._domain(name, data, drbd, top["return"])
            for name, data in self.named(values.NAME, top["domains"], DOMAINS)
        }
        allocation = lockfile.read(top["allocation"], self)
        return Loaded(
            cluster=Cluster(
                name=top["cluster"],
                nodes={name: node for name, node in nodes.items() if node is not None},
                domains={name: domain for name, domain in domains.items() if domain is not None},
                takeover=self._takeover(top["takeover"]),
                tie_breaker=top["tie_breaker"],
            ),
            allocation=allocation,
            violations=tuple(self.violations),
            nodes=frozenset(nodes),
            domains=frozenset(domains),
        )

    def _takeover(self, data: object) -> Takeover | None:
        found = None if data is None else self.section(schema.TAKEOVER, data, TAKEOVER)
        if found is None:
            return None
        # What is inside is read even if something is lacking: all violations at once.
        witness, times = self._witness(found["witness"]), self._times(found["lease"])
        agents = {
            name: self._agent(data, f"{FENCING}:{name}")
            for name, data in self.named(values.NODE, found["fencing"], FENCING)
        }
        if times is None or (found["witness"] is not None and witness is None) or None in agents.values():
            return None
        fencing = {name: agent for name, agent in agents.items() if agent is not None}
        return Takeover(
            witness=witness,
            fencing=fencing,
            port=found["port"],
            times=times,
            notify=found["notify"],
            quorum=found["quorum"] == "yes",
        )

    def _agent(self, data: object, path: str) -> FenceAgent | None:
        found = self.section(schema.FENCING, data, path)
        if found is None:
            return None
        options = self._agent_options(found["options"], f"{path}:options")
        if not schema.FENCING.is_complete(found):
            return None
        return FenceAgent(agent=found["agent"], options=options, timeout_s=found["timeout"])

    def _agent_options(self, data: Mapping[object, object], path: str) -> dict[str, str]:
        """The options of an agent as text. None of their values is ever shown: which of them is a secret, the agent knows."""
        return self.mapping(values.AGENT_OPTION_NAME, values.AGENT_OPTION, data, path)

    def _witness(self, data: object) -> Witness | None:
        found = None if data is None else self.section(schema.WITNESS, data, f"{TAKEOVER}:witness")
        if found is None or not schema.WITNESS.is_complete(found):
            return None
        return Witness(minion=found["minion"], address=found["address"], port=found["port"])

    def _times(self, data: object) -> Times | None:
        """The times of leases, where they prove anything."""
        path = f"{TAKEOVER}:lease"
        found = self.section(schema.LEASE, data, path)
        if found is None:
            return None
        drift = found.pop("drift")
        times = Times(drift=drift, **{f"{name}_s": value for name, value in found.items()})
        strange = list(wrong(times))
        for each in strange:
            self.refuse(path, Wrong("lease", each, "times that prove that a lost node has stopped", "correct that one"))
        return None if strange else times

    def _node(self, name: str, data: object) -> Node | None:
        found = self.section(schema.NODE, data, f"{NODES}:{name}")
        if found is None or not schema.NODE.is_complete(found):
            return None
        return Node(
            name=name,
            address=found["address"],
            migration_address=found["migration_address"],
            volume_group=found["volume_group"],
            network=found["network"],
            volume_group_size_bytes=found["volume_group_size"],
            memory_bytes=found["memory"],
        )

    def _domain(self, name: str, data: object, drbd: DrbdOptions, returns: str) -> Domain | None:
        path = f"{DOMAINS}:{name}"
        found = self.section(schema.DOMAIN, data, path)
        if found is None:
            return None
        # What is inside is read even if the domain lacks something: all violations at once.
        disks = self._disks(name, found["disks"], f"{path}:disks", self._drbd(found, path, drbd))
        interfaces = self._interfaces(found["interfaces"], f"{path}:interfaces")
        xl = self._passed_through(schema.XL, found["xl"], f"{path}:xl")
        self._check_xl(xl, found["vcpus"], found["memory"], f"{path}:xl")
        if not schema.DOMAIN.is_complete(found):
            return None
        return Domain(
            name=name,
            home=found["home"],
            partner=found["partner"],
            memory_bytes=found["memory"],
            vcpus=found["vcpus"],
            disks=disks,
            interfaces=interfaces,
            depends_on=found["depends_on"],
            order=found["order"],
            priority=found["priority"],
            automatic_return=(found["return"] or returns) == "automatic",
            minion=found["minion"],
            uuid=found["uuid"],
            xl=xl,
        )

    def _check_xl(self, xl: Mapping[str, Any], vcpus: int, memory_bytes: int | None, path: str) -> None:
        """What of the keys that are passed through must fit the domain, or must be one of few words."""
        for key, words in XL_WORDS.items():
            if key in xl and xl[key] not in words:
                self.refuse(
                    f"{path}:{key}", Wrong("xl-word", describe(xl[key]), ", ".join(words), "write it as in xl.cfg(5)")
                )
        memory_mib = 0 if memory_bytes is None else memory_bytes // MIB
        for key, rule, least, own in (
            ("maxvcpus", "vcpus", vcpus, "vcpus"),
            ("maxmem", "maxmem", memory_mib, "memory"),
        ):
            value = xl.get(key, least)
            if not isinstance(value, int) or value < least:  # xl reads a text as a number too, in its own way
                wrong = Wrong(
                    rule, describe(value), f"{least} or more, which is `{own}`", "write a number, without quotes"
                )
                self.refuse(f"{path}:{key}", wrong)

    def _disks(
        self, domain: str, data: Mapping[object, object] | None, path: str, drbd: DrbdOptions
    ) -> tuple[Disk, ...]:
        if data is None:
            return ()
        if not data:
            self.refuse(path, Wrong("no-disk", "no disk", "at least one", "write `xvda: {size: 2G}` below it"))
        disks = [
            self._disk(domain, device, disk, f"{path}:{device}", drbd)
            for device, disk in self.named(values.DEVICE, data, path)
        ]
        return tuple(sorted((disk for disk in disks if disk is not None), key=lambda disk: disk.device))

    def _disk(self, domain: str, device: str, data: object, path: str, drbd: DrbdOptions) -> Disk | None:
        found = self.section(schema.DISK, data, path)
        if found is None:
            return None
        drbd = self._drbd(found, path, drbd)
        resource = found["resource"] or (domain if device == FIRST_DEVICE else f"{domain}-{device}")
        volume = found["volume"] or self.value(values.VOLUME, resource, f"{path}:volume")
        meta_disk = found["meta_disk"] or self._own_meta_disk(resource, path)
        if volume is None or meta_disk is None or not schema.DISK.is_complete(found):
            return None
        return Disk(
            device=device,
            resource=resource,
            volume=volume,
            size_bytes=found["size"],
            drbd=drbd,
            minor=found["minor"],
            port=found["port"],
            meta_disk=meta_disk,
            node_ids=found["node_ids"],
        )

    def _own_meta_disk(self, resource: str, path: str) -> MetaDisk | None:
        volume = self.value(values.VOLUME, f"{resource}_meta", f"{path}:resource")
        return None if volume is None else MetaDisk(volume=volume)

    def _interfaces(self, data: list[object], path: str) -> tuple[Interface, ...]:
        interfaces = [self._interface(item, f"{path}:{position}") for position, item in enumerate(data)]
        # All or none: leaving one out would shift the positions, and with them the paths and labels, of the others.
        return tuple(interface for interface in interfaces if interface is not None) if None not in interfaces else ()

    def _interface(self, data: object, path: str) -> Interface | None:
        found = self.section(schema.INTERFACE, data, path)
        if found is None or not schema.INTERFACE.is_complete(found):
            return None
        bridge, mac = found.pop("bridge"), found.pop("mac")
        return Interface(bridge=bridge, mac=mac, options=found)

    def _drbd(self, owner: dict[str, Any], path: str, base: DrbdOptions) -> DrbdOptions:
        """The options of ``base`` with those that ``owner`` writes over them."""
        if owner["drbd"] is None:
            return base
        path = f"{path}:drbd"
        found = self.section(schema.DRBD, owner["drbd"], path)
        if found is None:
            return base
        sections = dict(base.sections)
        for name, section in schema.DRBD_SECTIONS.items():
            options = self._passed_through(section, found[name], f"{path}:{name}")
            if options:
                sections[name] = {**sections.get(name, {}), **options}
        return DrbdOptions(protocol=found["protocol"] or base.protocol, sections=sections)

    def _passed_through(self, section: schema.Section, data: object, path: str) -> dict[str, Any]:
        return {} if data is None else self.section(section, data, path) or {}
