"""What is not planned: what would destroy data that nobody named, and what cannot be done in one remake."""

from collections.abc import Collection, Iterable, Iterator

from saltern.model.remake import Refusal
from saltern.model.topology import Cluster, Disk, Domain
from saltern.topology.load import DOMAINS, TIE_BREAKER
from saltern.topology.remake.match import Change, KeptDisk
from saltern.topology.remake.sides import meta_place
from saltern.units import format_size

DESTROY = "destroy"


def removed_domain(domain: Domain, destroy: Collection[str]) -> Iterator[Refusal]:
    """A domain that goes without being named."""
    if domain.name not in destroy:
        yield Refusal(
            place=f"{DOMAINS}:{domain.name}",
            found=f"{domain.name} is in BEFORE and not in AFTER: both copies of its data on {domain.home} and "
            f"{domain.partner} would be destroyed",
            allowed="every domain of BEFORE, unless it is named",
            remedy=f"put it back, with `uuid: {domain.uuid}` under its new name when it was renamed; or name "
            f"`{domain.name}` in `destroy`",
            name=domain.name,
        )


def changed_domain(change: Change, destroy: Collection[str]) -> Iterator[Refusal]:
    """Everything about a domain that stays."""
    for disk in change.removed:
        yield from _removed_disk(change, disk, destroy)
    if change.hop is not None:
        yield from _left_copy(change, change.hop.leave.node, destroy)
    elif change.left:
        yield _both_replaced(change)
    for kept in change.kept:
        yield from _smaller(change, kept)
        yield from _other_node_ids(change, kept)
        yield from _moved_metadata(change, kept)


def names(domain: Domain, change: Change | None) -> list[str]:
    """The names that a domain of BEFORE lets ``destroy`` have."""
    if change is None:
        return [domain.name]
    disks = [f"{domain.name}/{disk.device}" for disk in change.removed]
    return disks + [f"{domain.name}@{site.node}" for site in change.left]


def unused_names(destroy: Collection[str], usable: Collection[str]) -> Iterator[Refusal]:
    """Names of what is not destroyed: a slip of the pen must not pass for consent to something else."""
    for name in sorted(set(destroy) - set(usable)):
        yield Refusal(
            place=f"{DESTROY}:{name}",
            found=f"{name}, which this remake does not destroy",
            allowed=", ".join(sorted(usable)) or "nothing: it destroys nothing",
            remedy="take it out, or correct it: a domain (dns), a disk (dns/xvdb), or the copy on a node (dns@dom0m)",
        )


def tie_breakers(before: Cluster, after: Cluster) -> Iterator[Refusal]:
    """A third node of every resource: what connects and disconnects two sides would take it apart, or leave it behind."""
    named = {cluster.tie_breaker for cluster in (before, after)}
    if named != {None}:
        yield Refusal(
            place=TIE_BREAKER,
            found=f"{before.tie_breaker or 'none'} in BEFORE, {after.tie_breaker or 'none'} in AFTER",
            allowed="topologies without a tie-breaker",
            remedy="`salt '*' state.apply` alone gives a tie-breaker to what is there; docs/howto/tie-breaker.md tells how to "
            "take it away, for a remake without it",
        )


def cycle(places: Iterable[str], things: Iterable[str]) -> Refusal:
    """Steps that wait for each other."""
    told = tuple(dict.fromkeys(places))
    return Refusal(
        place=" and ".join(f"{DOMAINS}:{name}" for name in told),
        found=f"each needs what the other gives up later: {', '.join(dict.fromkeys(things))}",
        allowed="changes of which one can be done before the other",
        remedy="do it in two remakes: give one of them a name, number or place that is free first",
    )


def _removed_disk(change: Change, disk: Disk, destroy: Collection[str]) -> Iterator[Refusal]:
    name = f"{change.before.name}/{disk.device}"
    if name not in destroy:
        yield Refusal(
            place=f"{DOMAINS}:{change.after.name}:disks:{disk.device}",
            found=f"{name} ({disk.volume}, {format_size(disk.size_bytes)}) is in BEFORE and not in AFTER: both copies would be "
            "destroyed",
            allowed="every disk of BEFORE, unless it is named",
            remedy=f"put it back, with `volume: {disk.volume}` under its new device when it was renamed; or name `{name}` in "
            "`destroy`",
            name=name,
        )


def _left_copy(change: Change, node: str, destroy: Collection[str]) -> Iterator[Refusal]:
    name = f"{change.before.name}@{node}"
    if name not in destroy:
        kept = " and ".join((change.after.home, change.after.partner))
        yield Refusal(
            place=f"{DOMAINS}:{change.after.name}",
            found=f"the copy of {change.before.name} on {node} is replaced: when the new one is complete it would be "
            "destroyed",
            allowed="a copy that is named",
            remedy=f"name `{name}` in `destroy`: its data are on {kept} then; or leave the domain where it is",
            name=name,
        )


def _smaller(change: Change, disk: KeptDisk) -> Iterator[Refusal]:
    if disk.after.size_bytes < disk.before.size_bytes:
        device = disk.after.device
        yield Refusal(
            place=f"{DOMAINS}:{change.after.name}:disks:{device}:size",
            found=f"{format_size(disk.after.size_bytes)}, and {format_size(disk.before.size_bytes)} in BEFORE",
            allowed=f"{format_size(disk.before.size_bytes)} or more: no volume is made smaller",
            remedy="add a smaller disk under a new name, copy inside the guest, then take this one out; or, when the new one "
            f"shall be blank, name `{change.before.name}/{disk.before.device}` in `destroy`",
        )


def _other_node_ids(change: Change, disk: KeptDisk) -> Iterator[Refusal]:
    was, now = ({host.node: host.node_id for host in each.hosts} for each in (disk.was, disk.now))
    for site in change.stay:
        if was[site.node] != now[site.node]:
            yield Refusal(
                place=f"{DOMAINS}:{change.after.name}:disks:{disk.after.device}:node_ids",
                found=f"node-id {now[site.node]} for {site.node}, and {was[site.node]} in BEFORE",
                allowed="the node-id that a node has in its metadata, as long as it keeps its copy",
                remedy=f"write `node_ids` with {was[site.node]} for {site.node}, home first",
            )


def _moved_metadata(change: Change, disk: KeptDisk) -> Iterator[Refusal]:
    """Metadata stay where they are, but for a volume of their own that is renamed.

    drbdmeta could copy them (dump-md, restore-md), but leaves out that the data are consistent and UpToDate
    (recorded: drbdmeta/9.22-dump-md-up-to-date): no copy could be started from any more.
    """
    moves = [
        f"from {meta_place(disk.was, node)} to {meta_place(disk.now, node)} on {node}"
        for node in (site.node for site in change.stay)
        if meta_place(disk.was, node) != meta_place(disk.now, node)
        and {disk.was.on(node).meta_index, disk.now.on(node).meta_index} != {None}
    ]
    if moves:
        yield Refusal(
            place=f"{DOMAINS}:{change.after.name}:disks:{disk.after.device}:meta_disk",
            found=f"metadata that would move, {' and '.join(moves)}",
            allowed="the place where the metadata of a copy are, as long as its node keeps it",
            remedy="put it back; or make one copy after the other anew from that of its partner, with its metadata in the other "
            "place: docs/howto/remake.md#metadata-in-another-place",
        )


def _both_replaced(change: Change) -> Refusal:
    """One after the other, with the record in between: on two new nodes together the domain would be new, and blank."""
    old, new = change.before, change.after
    home, partner = change.sites
    first = next(site for site in change.then if site.node != home.node)
    between = f"`home: {old.home}` and `partner: {first.node}`"
    if first.node == partner.node:
        between = f"the volume group {first.group} on {first.node} only"
    return Refusal(
        place=f"{DOMAINS}:{new.name}",
        found=f"both copies of {old.name} are replaced, those on {old.home} and {old.partner}",
        allowed="one copy in a remake: the other one has the data meanwhile",
        remedy=f"do it in two remakes: first to a topology with {between}, then to this one",
    )
