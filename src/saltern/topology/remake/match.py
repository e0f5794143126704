"""What of BEFORE is what of AFTER: domains by their UUID, disks by their volume, copies by node and volume group."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from saltern.model.desired import Resource
from saltern.model.topology import Cluster, Disk, Domain
from saltern.topology.remake.sides import Sides, Site


class KeptDisk(NamedTuple):
    """A disk that is there before and after, and its resource in both."""

    before: Disk
    after: Disk
    was: Resource
    now: Resource


class Hop(NamedTuple):
    """A copy that is replaced: ``stay`` has the data meanwhile, ``leave`` gives its copy up to ``come``."""

    stay: Site
    leave: Site
    come: Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A domain that is there before and after.

    ``sites`` are its home and partner, ``then`` those of AFTER; ``stay`` keep their copy, ``left`` lose it; where both lose it
    there is no ``hop``.
    """

    before: Domain
    after: Domain
    kept: tuple[KeptDisk, ...]
    removed: tuple[Disk, ...]
    added: tuple[Disk, ...]
    sites: tuple[Site, Site]
    then: tuple[Site, Site]
    stay: tuple[Site, ...]
    left: tuple[Site, ...]
    hop: Hop | None


def match_domains(
    before: Cluster, after: Cluster, destroy: Collection[str]
) -> Iterator[tuple[Domain | None, Domain | None]]:
    """Each domain of both clusters once. One that is named in ``destroy`` is not taken for another of its name."""
    by_uuid = {domain.uuid: domain for domain in after.domains.values()}
    former = {domain.uuid for domain in before.domains.values()}
    found = set()
    for name, domain in sorted(before.domains.items()):
        match = by_uuid.get(domain.uuid)
        if match is None and name in after.domains and name not in destroy:
            same_name = after.domains[name]
            match = same_name if same_name.uuid not in former else None
        if match is not None:
            found.add(match.name)
        yield domain, match
    for name, domain in sorted(after.domains.items()):
        if name not in found:
            yield None, domain


def change(before: Sides, after: Sides, pair: tuple[Domain, Domain], destroy: Collection[str]) -> Change:
    """What becomes of a domain that is in both clusters."""
    old, new = pair
    matched = match_disks(old, new, destroy)
    kept = tuple(
        KeptDisk(mine, theirs, before.resource(old, mine), after.resource(new, theirs)) for mine, theirs in matched
    )
    gone, found = {mine.device for mine, _ in matched}, {theirs.device for _, theirs in matched}
    sites, then = before.sites(old), after.sites(new)
    return Change(
        before=old,
        after=new,
        kept=kept,
        removed=tuple(disk for disk in old.disks if disk.device not in gone),
        added=tuple(disk for disk in new.disks if disk.device not in found),
        sites=sites,
        then=then,
        stay=tuple(site for site in sites if site in then),
        left=tuple(site for site in sites if site not in then),
        hop=_hop(sites, then),
    )


def match_disks(before: Domain, after: Domain, destroy: Collection[str]) -> list[tuple[Disk, Disk]]:
    """Disks with the same data: of the same volume, else of the same resource, else of the same device.

    A disk that is named in ``destroy`` (``dns/xvdb``) is not taken for another one, unless it could stay as it is: of the same
    volume and not smaller.
    """
    mine, theirs = list(before.disks), list(after.disks)
    pairs = []
    for key in ("volume", "resource", "device"):
        there = {getattr(disk, key): disk for disk in theirs}
        found = [(disk, there[getattr(disk, key)]) for disk in mine if getattr(disk, key) in there]
        given_up = [
            disk
            for disk, other in found
            if f"{before.name}/{disk.device}" in destroy and (key != "volume" or other.size_bytes < disk.size_bytes)
        ]
        found = [(disk, other) for disk, other in found if disk not in given_up]
        pairs += found
        mine = [disk for disk in mine if disk not in given_up and all(disk is not each for each, _ in found)]
        theirs = [disk for disk in theirs if all(disk is not each for _, each in found)]
    return sorted(pairs, key=lambda pair: pair[0].device)


def _hop(sites: tuple[Site, Site], then: tuple[Site, Site]) -> Hop | None:
    stay = [site for site in sites if site in then]
    if len(stay) != 1:
        return None
    (leave,) = (site for site in sites if site not in then)
    (come,) = (site for site in then if site not in sites)
    return Hop(stay[0], leave, come)
