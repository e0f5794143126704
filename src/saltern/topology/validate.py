"""The rules that need more than one place of the topology. Each is a function that yields what breaks it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Final

import networkx as nx

from saltern.desired import SLOT_BYTES, metadata_size_bytes
from saltern.errors import Violation
from saltern.guard.detect import detect_s
from saltern.guard.times import wrong
from saltern.model.topology import Cluster, Disk, Domain, MetaDisk, Node, Takeover
from saltern.topology import capacity
from saltern.topology.allocate import (
    NO_NUMBERS,
    NOTHING,
    Allocation,
    DiskNumbers,
    DomainNumbers,
    allocated_ids,
    former_names,
    has_moved,
    interface_labels,
)
from saltern.topology.claims import claim_graph, conflicts
from saltern.topology.load import DOMAINS, FENCING, NODES, TAKEOVER, TIE_BREAKER, Loaded
from saltern.topology.lockfile import PATH as ALLOCATION
from saltern.topology.read import suggest
from saltern.units import about_size, format_size

# The device mapper's name of a volume, VG-LV with every hyphen doubled, has room for 127 characters (dm-ioctl.h).
DM_NAME_LENGTH: Final = 127
MAX_LISTED: Final = 8
POINT_TO_POINT: Final = 2  # a network of two addresses has no other hosts (RFC 3021)
IPV6: Final = 6


def violations(
    loaded: Loaded, allocation: Allocation, cluster: Cluster, before: Iterable[Violation] = ()
) -> tuple[Violation, ...]:
    """Every rule that the topology breaks, sorted by path; ``cluster`` is that of ``loaded``, completed by ``allocation``.

    ``before`` are violations that the caller has found already. Nothing is told twice, and nothing that only follows
    from a violation that stands for itself.
    """
    found = [*loaded.violations, *before]
    found += disks_that_are_gone(cluster, allocation, frozenset(path for each in found for path in each.paths))
    found += moved_domains(cluster, allocation, loaded.nodes)
    found += changed_volume_groups(cluster, allocation)
    changed = list(changed_records(loaded.cluster, allocation))
    found += changed
    changed_paths = frozenset(path for violation in changed for path in violation.paths)
    # What a changed number meets follows from the change.
    conflicts_found = conflicts_at_their_source(loaded, allocation, cluster)
    found += [violation for violation in conflicts_found if changed_paths.isdisjoint(violation.paths)]
    told = frozenset(path for violation in found for path in violation.paths)
    found += missing_numbers(cluster, allocation, told)
    found += unknown_nodes(cluster, loaded.nodes)
    found += witness_among_nodes(cluster)
    found += unproven_takeover(cluster)
    found += unknown_fenced_nodes(cluster, loaded.nodes)
    found += unguardable_disks(cluster)
    found += misplaced_tie_breaker(cluster, loaded.nodes)
    found += disks_without_quorum(cluster)
    found += unproven_quorum(cluster)
    found += unknown_dependencies(cluster, loaded.domains)
    found += dependency_cycles(cluster)
    found += domains_that_nothing_boots(cluster, told)
    found += unmatched_networks(cluster)
    found += volume_limits(cluster)
    found += too_little_capacity(cluster)
    return tuple(sorted(set(found), key=lambda violation: (violation.paths, violation.rule, violation.found)))


# --- What was allocated before -----------------------------------------------------------------------------------
_FORGET: Final = "`salt-run topology.allocate forget={name}` (without Salt: `saltern allocate --forget {name} PATH`)"


def moved_domains(cluster: Cluster, allocation: Allocation, nodes: frozenset[str]) -> Iterator[Violation]:
    """Domains on other nodes than those where their data are: they would start again there, with blank volumes.

    Nodes that are wrong for themselves are told elsewhere.
    """
    for name, domain in cluster.domains.items():
        if not has_moved(domain, allocation):
            continue
        path, pair, recorded = f"{DOMAINS}:{name}", {domain.home, domain.partner}, allocation.domains[name].node_ids
        if len(pair) == len(recorded) and pair <= nodes:
            yield Violation(
                rule="domain-moved",
                paths=(f"{path}:home", f"{path}:partner", f"{ALLOCATION}:domains:{name}"),
                found=f"{' and '.join(sorted(pair))} here, {' and '.join(sorted(recorded))} in the allocation",
                allowed=f"{' and '.join(sorted(recorded))}, where its data are, either of them as the home",
                remedy="put it back; or, when it runs nowhere and its data may stay behind or were moved by hand, run "
                + _FORGET.format(name=name),
            )


def changed_volume_groups(cluster: Cluster, allocation: Allocation) -> Iterator[Violation]:
    """Nodes with another volume group than the one that holds recorded disks, which would be created there once more.

    What was taken out of the topology is created nowhere.
    """
    holders: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name in sorted(former_names(allocation, cluster).values()):
        entry = allocation.domains[name]
        for node, recorded in entry.volume_groups.items():
            if entry.disks and node in cluster.nodes and cluster.nodes[node].volume_group != recorded:
                holders[node, recorded].append(name)
    for (node, recorded), names in sorted(holders.items()):
        forgotten = ",".join(names)
        yield Violation(
            rule="recorded-changed",
            paths=(
                f"{NODES}:{node}:volume_group",
                *(f"{ALLOCATION}:domains:{name}:volume_groups:{node}" for name in names),
            ),
            found=f"{cluster.nodes[node].volume_group} here, {recorded} in the allocation",
            allowed=f"{recorded}, which holds the data of {', '.join(names)}",
            remedy=f"put it back; or, when they run nowhere and their data may stay behind or were moved by hand, run "
            f"`salt-run topology.allocate forget={forgotten}` (without Salt: `saltern allocate` with `--forget NAME` for each)",
        )


def changed_records(written: Cluster, allocation: Allocation) -> Iterator[Violation]:
    """What ``written`` says otherwise than it is recorded: the nodes still have it as it was, with the data in it."""
    for name, domain in written.domains.items():
        if name not in allocation.domains or has_moved(domain, allocation):
            continue
        entry = allocation.domains[name]
        if entry.uuid is not None and domain.uuid not in (None, entry.uuid):
            remedy = f"write that, or take it out; or, when it runs nowhere, run {_FORGET.format(name=name)}"
            yield _changed((name, "uuid", "uuid"), (domain.uuid, entry.uuid), remedy)
        for disk in domain.disks:
            recorded = entry.disks.get(disk.device, NO_NUMBERS)
            yield from _changed_disk(name, disk, recorded)
            yield from _changed_node_ids(domain, disk, entry)


def _changed_disk(domain: str, disk: Disk, recorded: DiskNumbers) -> Iterator[Violation]:
    values: dict[str, tuple[object, object]] = {
        "resource": (disk.resource, recorded.resource),
        "volume": (disk.volume, recorded.volume),
        "minor": (disk.minor, recorded.minor),
        "port": (disk.port, recorded.port),
        "meta_disk": _meta_disks(disk.meta_disk, recorded.meta_disk),
    }
    remedy = (
        "write that; or, when the domain runs nowhere and its data may stay behind or were moved by hand, run "
        + _FORGET.format(name=f"{domain}/{disk.device}")
    )
    for key, (here, kept) in values.items():
        if here is not None and kept is not None and here != kept:
            place = f"disks:{disk.device}:{key}"
            yield _changed((domain, place, place), (here, kept), remedy)


def _meta_disks(written: MetaDisk, recorded: MetaDisk | None) -> tuple[str | None, str | None]:
    """Both as text; without the slot where the topology leaves it open."""
    if recorded is None:
        return None, None
    with_slot = written.index is not None or not written.shared
    shown = recorded if with_slot or not recorded.shared else MetaDisk(volume=recorded.volume, shared=True)
    return _place(written), _place(shown)


def _place(meta_disk: MetaDisk) -> str:
    if not meta_disk.shared:
        return f"{meta_disk.volume} of its own"
    return meta_disk.volume if meta_disk.index is None else f"{meta_disk.volume}[{meta_disk.index}]"


def _changed_node_ids(domain: Domain, disk: Disk, entry: DomainNumbers) -> Iterator[Violation]:
    """Written node-ids count from the home, recorded ones belong to the nodes: an exchange of home and partner shows."""
    recorded = allocated_ids(domain, entry.node_ids)
    if disk.node_ids is None or recorded in (None, disk.node_ids):
        return
    here, kept = (
        " and ".join(
            f"{number} for {node}" for node, number in sorted(zip((domain.home, domain.partner), ids, strict=True))
        )
        for ids in (disk.node_ids, recorded or ())
    )
    way = "the other way round, " if recorded == disk.node_ids[::-1] else ""
    remedy = (
        f"write them {way}as {list(recorded or ())}, home first, or take them out; or, when the domain runs nowhere, run "
        + _FORGET.format(name=domain.name)
    )
    yield _changed((domain.name, f"disks:{disk.device}:node_ids", "node_ids"), (here, kept), remedy)


def _changed(place: tuple[str, str, str], found: tuple[object, object], remedy: str) -> Violation:
    """``place`` is a domain, the path below it in the topology, and in the allocation; ``found`` what stands in both."""
    domain, written, recorded = place
    return Violation(
        rule="recorded-changed",
        paths=(f"{DOMAINS}:{domain}:{written}", f"{ALLOCATION}:domains:{domain}:{recorded}"),
        found=f"{found[0]} here, {found[1]} in the allocation",
        allowed=f"{found[1]}, as it may still run on the nodes",
        remedy=remedy,
    )


def disks_that_are_gone(cluster: Cluster, allocation: Allocation, told: frozenset[str]) -> Iterator[Violation]:
    """Recorded disks that their domain no longer has: dropped, or renamed to another device, with a new blank volume.

    Disks that cannot be read are told in ``told``.
    """
    for name, domain in cluster.domains.items():
        present = {disk.device for disk in domain.disks}
        recorded = allocation.domains.get(name, NOTHING).disks
        for device in sorted(recorded.keys() - present):
            path = f"{DOMAINS}:{name}:disks"
            if path in told or any(f"{each}:".startswith(f"{path}:{device}:") for each in told):
                continue
            place = f"{name}/{device}"
            yield Violation(
                rule="disk-gone",
                paths=(f"{path}:{device}", f"{ALLOCATION}:domains:{name}:disks:{device}"),
                found=f"no disk {device} here, one with the resource {recorded[device].resource} in the allocation",
                allowed="every recorded disk of a domain that is in the topology",
                remedy="put it back under this name; or, when nothing uses it any more and its data may stay behind, run "
                + _FORGET.format(name=place),
            )


def reused_numbers(written: Cluster, previous: Allocation) -> Iterator[Violation]:
    """Numbers that the topology writes anew, while what is left of a forgotten disk may still hold them."""
    owners: dict[tuple[str, str, object], str] = {
        (each.node, each.kind, each.number): each.owner for each in previous.retired
    }
    for name, domain in written.domains.items() if owners else ():
        recorded = previous.domains.get(name, NOTHING).disks
        for disk in domain.disks:
            own, kept = f"{name}/{disk.device}", recorded.get(disk.device, NO_NUMBERS)
            for kind, number in _written_anew(disk, kept):
                held = [(node, owners.get((node, kind, number), own)) for node in (domain.home, domain.partner)]
                others = {node: owner for node, owner in held if owner != own}
                if others:
                    yield _reused(f"{DOMAINS}:{name}:disks:{disk.device}:{kind}", number, kind, others)


def _written_anew(disk: Disk, recorded: DiskNumbers) -> Iterator[tuple[str, object]]:
    if recorded.minor is None:
        yield "minor", disk.minor
    if recorded.port is None:
        yield "port", disk.port
    if recorded.meta_disk is None:
        yield "meta_disk", disk.meta_disk


def _reused(path: str, number: object, kind: str, owners: Mapping[str, str]) -> Violation:
    shown = _place(number) if isinstance(number, MetaDisk) else number
    nodes, former = " and ".join(owners), " and ".join(sorted(set(owners.values())))
    return Violation(
        rule="number-retired",
        paths=(path, *(f"{ALLOCATION}:retired:{node}:{kind}s:{shown}" for node in owners)),
        found=f"{shown}, which {former} had on {nodes} until it was forgotten",
        allowed="a number that nothing on the nodes can still hold",
        remedy=f"write another number; or, when nothing is left of {former} on {nodes} (no resource, no file in "
        "/etc/drbd.d), delete these lines of the allocation by hand",
    )


# --- Numbers -----------------------------------------------------------------------------------------------------
def conflicts_at_their_source(loaded: Loaded, allocation: Allocation, cluster: Cluster) -> Iterator[Violation]:
    """Things with two owners; where a number was allocated, its path is the one in the allocation."""
    found = list(conflicts(claim_graph(cluster, allocation)))
    allocated = _allocated_paths(loaded) if found else {}
    for violation in found:
        paths = tuple(sorted(allocated.get(path, path) for path in violation.paths))
        if any(path.startswith(ALLOCATION) for path in paths):
            remedy = f"write another number; or forget the domain that runs nowhere: {_FORGET.format(name='NAME')}"
            yield violation._replace(paths=paths, remedy=remedy)
        else:
            yield violation


def _allocated_paths(loaded: Loaded) -> dict[str, str]:
    """Where each number that the topology leaves open would be written -> where it was allocated."""
    paths = {}
    for name, domain in loaded.cluster.domains.items():
        written, allocated = f"{DOMAINS}:{name}", f"{ALLOCATION}:domains:{name}"
        if domain.uuid is None:
            paths[f"{written}:uuid"] = f"{allocated}:uuid"
        for position, (label, interface) in enumerate(interface_labels(domain.interfaces)):
            if interface.mac is None:
                paths[f"{written}:interfaces:{position}:mac"] = f"{allocated}:macs:{label}"
        for disk in domain.disks:
            here, there = f"{written}:disks:{disk.device}", f"{allocated}:disks:{disk.device}"
            if disk.minor is None:
                paths[f"{here}:minor"] = f"{there}:minor"
            if disk.port is None:
                paths[f"{here}:port"] = f"{there}:port"
            if disk.node_ids is None:
                paths[f"{here}:node_ids:0"] = f"{allocated}:node_ids:{domain.home}"
                paths[f"{here}:node_ids:1"] = f"{allocated}:node_ids:{domain.partner}"
            if disk.meta_disk.shared and disk.meta_disk.index is None:
                paths[f"{here}:meta_disk"] = f"{there}:meta_disk"
    return paths


def missing_numbers(cluster: Cluster, allocation: Allocation, told: frozenset[str]) -> Iterator[Violation]:
    """Numbers that the allocation does not have, one violation for each domain; not those of domains that moved."""
    for name, domain in cluster.domains.items():
        if has_moved(domain, allocation):
            continue
        path = f"{DOMAINS}:{name}"
        numbers = _numbers(cluster, domain, allocation.domains.get(name, NOTHING))
        paths = tuple(path for path, number, kept in numbers if (number is None or number != kept) and path not in told)
        if name not in allocation.domains:
            paths = (path,)
        if paths:
            yield Violation(
                rule="not-allocated",
                paths=paths,
                found="not in the allocation, or differently",
                allowed="what the allocation has, also where it is written here",
                remedy="run `salt-run topology.allocate` (without Salt: `saltern allocate PATH`) and commit what it writes",
            )


def _numbers(cluster: Cluster, domain: Domain, entry: DomainNumbers) -> Iterator[tuple[str, object, object]]:
    """Each thing that is recorded of a domain: its path, what it is (``None`` when missing), what the allocation has."""
    path = f"{DOMAINS}:{domain.name}"
    for node in (domain.home, domain.partner):
        if node in cluster.nodes:
            yield f"{NODES}:{node}:volume_group", cluster.nodes[node].volume_group, entry.volume_groups.get(node)
    yield f"{path}:uuid", domain.uuid, entry.uuid
    for position, (label, interface) in enumerate(interface_labels(domain.interfaces)):
        yield f"{path}:interfaces:{position}:mac", interface.mac, entry.macs.get(label)
    for disk in domain.disks:
        place, kept = f"{path}:disks:{disk.device}", entry.disks.get(disk.device, NO_NUMBERS)
        yield f"{place}:minor", disk.minor, kept.minor
        yield f"{place}:port", disk.port, kept.port
        yield f"{place}:node_ids", disk.node_ids, allocated_ids(domain, entry.node_ids)
        yield f"{place}:resource", disk.resource, kept.resource
        yield f"{place}:volume", disk.volume, kept.volume
        missing = disk.meta_disk.shared and disk.meta_disk.index is None
        yield f"{place}:meta_disk", None if missing else disk.meta_disk, kept.meta_disk


# --- References --------------------------------------------------------------------------------------------------
def unknown_nodes(cluster: Cluster, nodes: frozenset[str]) -> Iterator[Violation]:
    """Domains on nodes that are not there, or with both replicas on one node."""
    for name, domain in cluster.domains.items():
        path = f"{DOMAINS}:{name}"
        for role, node in (("home", domain.home), ("partner", domain.partner)):
            if node not in nodes:
                yield _unknown("unknown-node", f"{path}:{role}", f"the node {node!r}", node, nodes)
        if domain.home == domain.partner:
            yield Violation(
                rule="home-is-partner",
                paths=(f"{path}:home", f"{path}:partner"),
                found=f"{domain.home!r} for both",
                allowed="two different nodes",
                remedy="write the node that shall hold the replica as the partner",
            )


def witness_among_nodes(cluster: Cluster) -> Iterator[Violation]:
    """A witness on a node that holds a domain is lost with it, and then nobody takes anything over."""
    witness = None if cluster.takeover is None else cluster.takeover.witness
    if witness is None:
        return
    for name in sorted(_holders(cluster)):
        node = cluster.nodes[name]
        same = {"minion": witness.minion == name, "address": witness.address in (node.address, node.migration_address)}
        paths = [f"{TAKEOVER}:witness:{key}" for key, is_same in same.items() if is_same]
        if paths:
            yield Violation(
                rule="witness-apart",
                paths=(*paths, f"{NODES}:{name}"),
                found=f"{name}, which holds domains",
                allowed="a machine that is lost with no node that holds a domain",
                remedy="have another minion witness, such as that of the master",
            )


def _holders(cluster: Cluster) -> frozenset[str]:
    """The nodes that hold domains."""
    named = {node for domain in cluster.domains.values() for node in (domain.home, domain.partner)}
    return frozenset(named & cluster.nodes.keys())


def unproven_takeover(cluster: Cluster) -> Iterator[Violation]:
    """Without a witness, only an agent can prove that a node is dead."""
    takeover = cluster.takeover
    if takeover is None or takeover.witness is not None or takeover.quorum:
        return
    if not takeover.fencing:
        yield Violation(
            rule="takeover-proof",
            paths=(TAKEOVER,),
            found="neither `witness` nor `fencing`, and no `quorum`: nothing proves a node dead, so automatic takeover is off",
            allowed="one of them, or the first two",
            remedy="write one; or take the section out, and a lost node's domains are started by a person only",
        )
        return
    without = sorted(_holders(cluster) - takeover.fencing.keys())
    for name in without:
        yield Violation(
            rule="takeover-proof",
            paths=(f"{FENCING}:{name}",),
            found="no agent, and there is no witness: what this node runs could never be taken over",
            allowed="an agent for each node that holds domains, where there is no witness",
            remedy="describe what switches it off, or have a minion witness",
        )


def unknown_fenced_nodes(cluster: Cluster, nodes: frozenset[str]) -> Iterator[Violation]:
    """Agents of nodes that are not there."""
    for name in cluster.takeover.fencing if cluster.takeover is not None else ():
        if name not in nodes:
            yield _unknown("unknown-node", f"{FENCING}:{name}", f"the node {name!r}", name, nodes)


_FENCING: Final = (("net", "fencing"), ("handlers", "fence-peer"))


def unguardable_disks(cluster: Cluster) -> Iterator[Violation]:
    """Disks that a guard could not answer for: DRBD does not fence with protocol A, and has one handler and one policy."""
    if cluster.takeover is None:
        return
    for domain in cluster.domains.values():
        for disk in domain.disks:
            paths = (f"{DOMAINS}:{domain.name}:disks:{disk.device}", TAKEOVER)
            if disk.drbd.protocol == "A":
                yield Violation(
                    rule="guarded-disk",
                    paths=paths,
                    found="protocol A: the guest is told that something is written before the partner has it",
                    allowed="protocol C or B, or no `takeover`",
                    remedy="write `protocol: C` for the disk, or for its domain: what its partner takes over is then complete",
                )
            for section, option in _FENCING:
                if option in disk.drbd.sections.get(section, {}):
                    yield Violation(
                        rule="guarded-disk",
                        paths=paths,
                        found=f"`{option}` under `{section}`, where DRBD is to ask the guard",
                        allowed=f"no `{option}`, or no `takeover`",
                        remedy=f"take `{option}` out: Saltern writes it for each disk that is guarded",
                    )


def misplaced_tie_breaker(cluster: Cluster, nodes: frozenset[str]) -> Iterator[Violation]:
    """A tie-breaker that is not there, that is one of the sides it decides between, or beside guards that decide as well."""
    name = cluster.tie_breaker
    if name is None:
        return
    if name not in nodes:
        yield _unknown("unknown-node", TIE_BREAKER, f"the node {name!r}", name, nodes)
    for domain in cluster.domains.values():
        paths = [f"{DOMAINS}:{domain.name}:{role}" for role in ("home", "partner") if getattr(domain, role) == name]
        if paths:
            yield Violation(
                rule="tie-breaker-apart",
                paths=(TIE_BREAKER, *paths),
                found=f"{name}, which holds {domain.name}",
                allowed="a node that holds no domain: it decides between the two that do",
                remedy="name a third node, or place the domain on others",
            )
    if cluster.takeover is not None and not cluster.takeover.quorum:
        yield Violation(
            rule="tie-breaker-alone",
            paths=(TIE_BREAKER, TAKEOVER),
            found="both: guards and DRBD's quorum would each decide who goes on, and neither knows of the other",
            allowed="one of them, or `quorum: yes` in `takeover`",
            remedy="take one out; with `tie_breaker` alone a lost node's domains are started by a person",
        )


def unproven_quorum(cluster: Cluster) -> Iterator[Violation]:
    """Takeover by quorum that would prove nothing."""
    takeover = cluster.takeover
    if takeover is None or not takeover.quorum:
        return
    path = f"{TAKEOVER}:quorum"
    if cluster.tie_breaker is None:
        yield Violation(
            rule="takeover-quorum",
            paths=(path,),
            found="no `tie_breaker`: of two nodes that lose each other neither has quorum",
            allowed="a third node as the tie-breaker",
            remedy="name one as `saltern:tie_breaker`, or write `witness` or `fencing` in the place of `quorum`",
        )
    for other in [each for each in ("witness", "fencing") if getattr(takeover, each)]:
        yield Violation(
            rule="takeover-quorum",
            paths=(path, f"{TAKEOVER}:{other}"),
            found="both: DRBD would ask the guard who goes on, and count votes",
            allowed="one of them",
            remedy="take one out",
        )
    yield from _undetected(cluster, takeover)


def _undetected(cluster: Cluster, takeover: Takeover) -> Iterator[Violation]:
    """A lost node goes on until its DRBD has noticed."""
    lease = f"{TAKEOVER}:lease"
    for domain in cluster.domains.values():
        for disk in domain.disks:
            path = f"{DOMAINS}:{domain.name}:disks:{disk.device}"
            try:
                times = replace(takeover.times, detect_s=detect_s(disk.drbd.sections.get("net", {})))
            except ValueError as error:
                yield Violation(
                    rule="takeover-quorum",
                    paths=(path, f"{TAKEOVER}:quorum"),
                    found=f"{error}: nothing bounds how long a node that is cut off goes on",
                    allowed="whole numbers, and `ko-count` of 1 or more",
                    remedy="correct it, or take it out: the default is good",
                )
                continue
            for strange in wrong(times):
                yield Violation(
                    rule="lease",
                    paths=(lease, path),
                    found=f"{strange}; DRBD takes up to {times.detect_s:g} s to notice that a connection is dead (detect)",
                    allowed="times that prove that a lost node has stopped",
                    remedy="write a longer `takeover`; or smaller `ping-int`, `timeout` and `ko-count` under `net`",
                )


# What DRBD's quorum rests on. A peer that is not read from has no vote (__calc_quorum_with_disk in drbd_state.c of 9.2).
_QUORUM: Final = (
    *(("options", each) for each in ("quorum", "on-no-quorum", "on-no-data-accessible", "quorum-minimum-redundancy")),
    ("net", "allow-remote-read"),
)


def disks_without_quorum(cluster: Cluster) -> Iterator[Violation]:
    """Disks for which quorum would not mean what a tie-breaker is for."""
    if cluster.tie_breaker is None:
        return
    for domain in cluster.domains.values():
        for disk in domain.disks:
            paths = (f"{DOMAINS}:{domain.name}:disks:{disk.device}", TIE_BREAKER)
            if disk.drbd.protocol != "C":
                yield Violation(
                    rule="quorum-disk",
                    paths=paths,
                    found=f"protocol {disk.drbd.protocol}: the guest is told that something is written before both disks have it",
                    allowed="protocol C, or no `tie_breaker`",
                    remedy="write `protocol: C` for the disk, or for its domain",
                )
            for section, option in _QUORUM:
                if option in disk.drbd.sections.get(section, {}):
                    yield Violation(
                        rule="quorum-disk",
                        paths=paths,
                        found=f"`{option}` under `{section}`, which decides about quorum",
                        allowed=f"no `{option}`, or no `tie_breaker`",
                        remedy=f"take `{option}` out: Saltern writes what a tie-breaker needs",
                    )


def unknown_dependencies(cluster: Cluster, domains: frozenset[str]) -> Iterator[Violation]:
    """Dependencies on domains that are not there, and of a domain on itself."""
    for name, domain in cluster.domains.items():
        path = f"{DOMAINS}:{name}:depends_on"
        for other in domain.depends_on:
            if other not in domains:
                yield _unknown("unknown-domain", path, f"the domain {other!r}", other, domains)
            elif other == name:
                yield Violation(
                    rule="depends-on-itself",
                    paths=(path,),
                    found=f"{name!r} itself",
                    allowed="other domains",
                    remedy="take it out",
                )


@lru_cache(maxsize=256)  # one name that is missing may be written in thousands of places
def _likely(name: str, known: frozenset[str]) -> str | None:
    return suggest(name, sorted(known))


def _unknown(rule: str, path: str, found: str, name: str, known: frozenset[str]) -> Violation:
    likely = _likely(name, known)
    return Violation(
        rule=rule,
        paths=(path,),
        found=f"{found}, which is not in the topology",
        allowed=", ".join(sorted(known)) if len(known) <= MAX_LISTED else f"one of the {len(known)} in the topology",
        remedy=f"did you mean `{likely}`?" if likely else "describe it, or write another",
    )


def dependency_cycles(cluster: Cluster) -> Iterator[Violation]:
    """Domains that wait for each other: the shortest cycle through the first of them."""
    edges = [(name, other) for name, domain in sorted(cluster.domains.items()) for other in sorted(domain.depends_on)]
    graph: nx.DiGraph[str] = nx.DiGraph(edges)
    for component in nx.strongly_connected_components(graph):
        if len(component) > 1:
            first = min(component)
            within = graph.subgraph(component)
            ways = [
                nx.shortest_path(within, other, first) for other in sorted(within.successors(first)) if other != first
            ]
            cycle = [first, *min(ways, key=len)]
            yield Violation(
                rule="dependency-cycle",
                paths=tuple(f"{DOMAINS}:{name}:depends_on" for name in cycle[:-1]),
                found=" -> ".join(cycle),
                allowed="dependencies without a cycle",
                remedy="take one of these dependencies out",
            )


# --- Networks ----------------------------------------------------------------------------------------------------
def unmatched_networks(cluster: Cluster) -> Iterator[Violation]:
    """Nodes outside of their own network, and pairs that cannot reach each other in one."""
    for name, node in cluster.nodes.items():
        if node.network is not None and not _within(node, node.network):
            yield _network(
                (f"{NODES}:{name}:address", f"{NODES}:{name}:network"), f"{node.address} outside of {node.network}"
            )
        elif node.network is not None and not _is_a_host_of(node, node.network):
            found = f"{node.address}, which is {node.network} itself or all of its hosts"
            yield _network((f"{NODES}:{name}:address", f"{NODES}:{name}:network"), found)
    pairs = {tuple(sorted((domain.home, domain.partner))) for domain in cluster.domains.values()}
    for first, second in sorted(pairs):
        if first in cluster.nodes and second in cluster.nodes:
            yield from _unmatched_pair(cluster.nodes[first], cluster.nodes[second])


def _unmatched_pair(first: Node, second: Node) -> Iterator[Violation]:
    paths = f"{NODES}:{first.name}", f"{NODES}:{second.name}"
    migration = [node.migration_address or node.address for node in (first, second)]
    named = first.migration_address is not None or second.migration_address is not None
    if named and len({ip_address(address).version for address in migration}) > 1:
        yield _network(
            (f"{paths[0]}:migration_address", f"{paths[1]}:migration_address"), f"{migration[0]} and {migration[1]}"
        )
    if first.network is not None and second.network is not None:
        if first.network != second.network:
            found = f"{first.network} and {second.network}"
            yield _network((f"{paths[0]}:network", f"{paths[1]}:network"), found)
    elif ip_address(first.address).version != ip_address(second.address).version:
        yield _network((f"{paths[0]}:address", f"{paths[1]}:address"), f"{first.address} and {second.address}")
    elif first.network is not None and not _within(second, first.network):
        yield _network((f"{paths[0]}:network", f"{paths[1]}:address"), f"{second.address} outside of {first.network}")
    elif second.network is not None and not _within(first, second.network):
        yield _network((f"{paths[0]}:address", f"{paths[1]}:network"), f"{first.address} outside of {second.network}")


def _is_a_host_of(node: Node, network: str) -> bool:
    """Whether the address is not the one of the network, or of all its hosts."""
    found = ip_network(network)
    return (
        found.num_addresses <= POINT_TO_POINT
        or found.version == IPV6
        or ip_address(node.address) not in (found.network_address, found.broadcast_address)
    )


def _within(node: Node, network: str) -> bool:
    return ip_address(node.address) in ip_network(network)


def _network(paths: tuple[str, ...], found: str) -> Violation:
    return Violation(
        rule="network-match",
        paths=paths,
        found=found,
        allowed="both nodes of a domain in one replication network",
        remedy="correct the address or the network, or place the domains on nodes that share one",
    )


# --- Xen -----------------------------------------------------------------------------------------------------------
_BOOT: Final = ("kernel", "bootloader", "firmware")


def domains_that_nothing_boots(cluster: Cluster, told: frozenset[str]) -> Iterator[Violation]:
    """PV and PVH domains that `xl create` refuses: it knows nothing to start them with (parse_config_data in xl_parse.c).

    What is wrong under `xl` for itself is told in ``told``.
    """
    unread = {":".join(path.split(":")[:4]) for path in told}
    for name, domain in cluster.domains.items():
        path = f"{DOMAINS}:{name}:xl"
        is_hvm = "hvm" in (domain.xl.get("type"), domain.xl.get("builder"))
        # xl passes over a list where it expects one value.
        named = any(isinstance(domain.xl.get(key), str | int) for key in _BOOT)
        if is_hvm or named or path in unread:
            continue
        yield Violation(
            rule="boot",
            paths=(path,),
            found=f"nothing that boots a domain of type {domain.xl.get('type', 'pv')}",
            allowed="`kernel`, `bootloader` or `firmware`, as text; or `type: hvm`, which needs none",
            remedy="write `bootloader: pygrub` for a guest that has its kernel on its disk, or `kernel` with a file that is on "
            "both nodes",
        )


# --- Sizes -------------------------------------------------------------------------------------------------------
def volume_limits(cluster: Cluster) -> Iterator[Violation]:
    """Disks whose metadata do not fit into a slot, and volumes whose full name is too long for the device mapper."""
    for name, domain in cluster.domains.items():
        for disk in domain.disks:
            path = f"{DOMAINS}:{name}:disks:{disk.device}"
            if disk.meta_disk.shared and metadata_size_bytes(disk.size_bytes) > SLOT_BYTES:
                yield Violation(
                    rule="slot-size",
                    paths=(f"{path}:size", f"{path}:meta_disk"),
                    found=f"{format_size(disk.size_bytes)}, with metadata of {metadata_size_bytes(disk.size_bytes)} bytes",
                    allowed=f"metadata of at most {format_size(SLOT_BYTES)} in a slot, for both generations of DRBD",
                    remedy="take `meta_disk` out: the disk is then given a metadata volume of its own",
                )
            nodes = [cluster.nodes[node] for node in (domain.home, domain.partner) if node in cluster.nodes]
            yield from _long_names(nodes, disk.volume, f"{path}:volume")
            yield from _long_names(nodes, disk.meta_disk.volume, f"{path}:meta_disk")


def _long_names(nodes: Iterable[Node], volume: str, path: str) -> Iterator[Violation]:
    lengths = {node.name: _dm_name_length(node.volume_group, volume) for node in nodes}
    too_long = [name for name, length in lengths.items() if length > DM_NAME_LENGTH]
    if too_long:
        yield Violation(
            rule="volume-name-length",
            paths=(path, *(f"{NODES}:{name}:volume_group" for name in too_long)),
            found=f"{max(lengths.values())} characters for volume group and volume, hyphens counted twice",
            allowed=f"at most {DM_NAME_LENGTH}",
            remedy="choose a shorter name for the volume",
        )


def _dm_name_length(volume_group: str, volume: str) -> int:
    return len(volume_group) + len(volume) + 1 + volume_group.count("-") + volume.count("-")


def too_little_capacity(cluster: Cluster) -> Iterator[Violation]:
    """Nodes that declare less space or memory than what is placed on them needs.

    Memory counts the domains at home. Whether it holds a lost partner's domains as well is not a rule, because a cluster may
    be meant to run only some of them then: ``capacity.losses`` reports it.
    """
    volumes, memory = capacity.volume_demand(cluster), capacity.memory_demand(cluster)
    for name, node in cluster.nodes.items():
        path = f"{NODES}:{name}"
        yield from _exceeded(
            "volume-group-capacity", f"{path}:volume_group_size", volumes.get(name, 0), node.volume_group_size_bytes
        )
        yield from _exceeded("memory-capacity", f"{path}:memory", memory.get(name, 0), node.memory_bytes)


def _exceeded(rule: str, path: str, needed_bytes: int, available_bytes: int | None) -> Iterator[Violation]:
    if available_bytes is not None and needed_bytes > available_bytes:
        yield Violation(
            rule=rule,
            paths=(path,),
            found=f"{about_size(needed_bytes)} needed for what is placed here, "
            f"{about_size(needed_bytes - available_bytes)} more than declared",
            allowed=f"{about_size(available_bytes)} as declared",
            remedy="place something on another node, or declare what the node really has",
        )
