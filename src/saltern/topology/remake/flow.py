"""The steps of one domain, from what it is to what it shall be: what it runs on stays until what replaces it is complete."""

from collections.abc import Collection, Iterator

from saltern.model.desired import DomainSpec, Resource, Volume, volume_key
from saltern.model.remake import Span
from saltern.model.topology import Disk, Domain
from saltern.topology.remake import drafts
from saltern.topology.remake.drafts import Draft, Subject
from saltern.topology.remake.match import Change, Hop, KeptDisk
from saltern.topology.remake.sides import Claim, Sides, Site, meta_place, resource_claims

# Options that DRBD takes only when a disk is attached, or a connection is made (drbd_genl.h: DRBD_F_INVARIANT).
FIXED_OPTIONS = (("disk", "max-bio-bvecs"), ("net", "transport"))


def added(domain: Domain, after: Sides) -> Iterator[Draft]:
    """A domain that is new."""
    yield from _new_disks(domain, domain.disks, after)
    spec = after.spec(domain)
    for node in (domain.home, domain.partner):
        yield drafts.configure_domain(spec, node, "")
    yield drafts.start(spec, domain.home)


def removed(domain: Domain, before: Sides) -> Iterator[Draft]:
    """A domain that goes, with both copies of its data."""
    yield drafts.stop(domain, domain.home, Span.FOREVER, "it is taken out of the topology")
    for disk in domain.disks:
        yield from _removal(domain, disk, before, name=domain.name)
    for node in (domain.home, domain.partner):
        yield drafts.remove_config(domain.name, node)
    words = f"the allocation gives the entry of {domain.name} up: `salt-run topology.allocate forget={domain.name}`"
    yield drafts.record(domain.name, words)


def changed(change: Change, before: Sides, after: Sides, tight: Collection[Site]) -> Iterator[Draft]:
    """A domain that stays. Nothing where nothing changes on the nodes. In a group of ``tight`` room is made first."""
    return _Flow(change, before, after, tight).drafts()


def _new_disks(domain: Domain, disks: tuple[Disk, ...], after: Sides) -> Iterator[Draft]:
    for disk in disks:
        subject, resource = Subject(domain.name, disk.device), after.resource(domain, disk)
        for node in (domain.home, domain.partner):
            yield drafts.create_volumes(subject, after, resource, node)
        for node in (domain.home, domain.partner):
            yield drafts.join(subject, resource, node)
        yield drafts.first_sync(subject, resource)


def _removal(domain: Domain, disk: Disk, before: Sides, *, name: str) -> Iterator[Draft]:
    subject, resource = Subject(domain.name, disk.device), before.resource(domain, disk)
    for node in (domain.partner, domain.home):
        yield drafts.remove_replica(subject, before, resource, node, name=name, frozen=False)


# --- What a change asks for ----------------------------------------------------------------------------------------
def stop_reasons(change: Change) -> list[str]:
    """Why the domain cannot run through the change; empty where it can."""
    old, new = change.before, change.after
    reasons = []
    if old.uuid != new.uuid:
        reasons.append("its UUID changes")
    if old.name != new.name:
        reasons.append(f"it is called {new.name} from then on")
    if change.removed:
        reasons.append(f"it loses {', '.join(disk.device for disk in change.removed)}")
    for disk in change.kept:
        what = list(_rebuilt(disk, change.stay))
        if what:
            reasons.append(f"{' and '.join(what)} of {disk.after.device} cannot change while it is in use")
    return reasons


def _rebuilt(disk: KeptDisk, stay: tuple[Site, ...]) -> Iterator[str]:
    """What of a disk changes that a resource has only from its start on."""
    was, now = disk.was, disk.now
    if was.name != now.name:
        yield "the name of the resource"
    if any(was.on(site.node).minor != now.on(site.node).minor for site in stay):
        yield "the minor"
    if any(was.on(site.node).disk != now.on(site.node).disk for site in stay):
        yield "the volume"
    if any(meta_place(was, site.node) != meta_place(now, site.node) for site in stay):
        yield "the meta-disk"
    for section, option in FIXED_OPTIONS:
        if was.sections.get(section, {}).get(option) != now.sections.get(section, {}).get(option):
            yield f"the option {option}"


def reconnects(disk: KeptDisk) -> bool:
    """Whether both sides find each other at other addresses or ports."""
    was, now = ({host.node: (host.address, host.port) for host in each.hosts} for each in (disk.was, disk.now))
    return any(was[node] != now[node] for node in was.keys() & now.keys())


def _adjusts(disk: KeptDisk) -> bool:
    was, now = disk.was, disk.now
    order = [host.node for host in was.hosts] != [host.node for host in now.hosts]
    return order or (was.protocol, was.sections) != (now.protocol, now.sections)


def _started_from(spec: DomainSpec) -> tuple[object, ...]:
    """What stands in the file of a domain."""
    return (spec.name, spec.uuid, spec.memory_bytes, spec.vcpus, spec.disks, spec.interfaces, dict(spec.xl))


def recorded(domain: Domain, sides: Sides) -> tuple[object, dict[str, object]]:
    """What the allocation says of a domain, and of each of its disks."""
    ids = domain.disks[0].node_ids or (0, 1)
    nodes = frozenset(zip(sides.sites(domain), ids, strict=True))
    disks: dict[str, object] = {
        disk.device: (disk.resource, disk.volume, disk.minor, disk.port, disk.meta_disk) for disk in domain.disks
    }
    return (domain.name, domain.uuid, nodes), disks


def _record(change: Change, before: Sides, after: Sides) -> Iterator[Draft]:
    (entry, disks), (then, disks_then) = recorded(change.before, before), recorded(change.after, after)
    if entry != then or any(disks_then.get(device) != disk for device, disk in disks.items()):
        name = change.after.name
        words = f"the allocation says of {name} what AFTER says: `salt-run topology.allocate moved={name}`"
        yield drafts.record(name, words)


# --- The flow ----------------------------------------------------------------------------------------------------
class _Flow:
    """One domain that stays. ``_at`` is where it runs at each point: at its home in the beginning."""

    def __init__(self, change: Change, before: Sides, after: Sides, tight: Collection[Site]) -> None:
        self._change = change
        self._before = before
        self._after = after
        self._reasons = stop_reasons(change)
        self._at = change.before.home
        self._spec = after.spec(change.after)
        self._early = bool(change.added) and self._removal_makes_room(tight)

    def drafts(self) -> Iterator[Draft]:
        """All of them, in their order."""
        change = self._change
        yield from self._create()
        hop = change.hop
        if self._reasons:
            yield from self._stopped(hop)
        elif hop is not None:
            yield from self._replaced(hop)
        else:
            yield from self._in_place()
        if self._at != change.after.home:
            yield self._migrate(change.after.home)
        yield from self._grow()
        yield from self._remove()
        yield from _record(change, self._before, self._after)

    def _subject(self, disk: KeptDisk) -> Subject:
        return Subject(self._change.after.name, disk.after.device)

    def _migrate(self, target: str) -> Draft:
        source, self._at = self._at, target
        return drafts.migrate(self._change.after.name, source, target)

    def _create(self) -> Iterator[Draft]:
        """Volumes for new copies: what can be made beforehand."""
        hop = self._change.hop
        if hop is not None:
            for disk in self._change.kept:
                yield drafts.create_volumes(self._subject(disk), self._after, disk.now, hop.come.node)

    def _in_place(self) -> Iterator[Draft]:
        """Both copies stay, and the domain runs on."""
        nodes = tuple(site.node for site in self._change.stay)
        followers_first = tuple(sorted(nodes, key=lambda node: node == self._at))
        again = [disk for disk in self._change.kept if reconnects(disk)]
        for disk in again:
            yield drafts.disconnect(self._subject(disk), disk.was, followers_first, Span.CHANGES)
        for disk in again:
            yield drafts.connect(self._subject(disk), disk.now, nodes)
        for disk in self._change.kept:
            if not reconnects(disk) and _adjusts(disk):
                yield drafts.adjust(self._subject(disk), disk.was, disk.now)
        yield from _new_disks(self._change.after, self._change.added, self._after)
        yield from self._configure_domain(nodes)

    def _replaced(self, hop: Hop) -> Iterator[Draft]:
        """A copy is replaced while the domain runs on the other one, disk by disk."""
        if self._at == hop.leave.node:
            yield self._migrate(hop.stay.node)
        for disk in self._change.kept:
            subject = self._subject(disk)
            yield drafts.freeze(subject, disk.was, hop.leave.node)
            yield drafts.disconnect(subject, disk.was, (hop.stay.node,), Span.NO)
            yield drafts.connect(subject, disk.now, (hop.stay.node,))
            yield drafts.join(subject, disk.now, hop.come.node)
            yield drafts.synchronise(subject, disk.now, hop.come.node)
        yield from _new_disks(self._change.after, self._change.added, self._after)
        yield from self._configure_domain((hop.stay.node, hop.come.node))

    def _stopped(self, hop: Hop | None) -> Iterator[Draft]:
        """The domain is shut down, everything is changed at once, and it is started where a complete copy is."""
        change = self._change
        reason = "; ".join(self._reasons)
        yield drafts.stop(change.before, self._at, Span.RESTART, reason)
        if self._early:
            yield from self._remove_disks()
        rebuilt = [disk for disk in change.kept if any(_rebuilt(disk, change.stay))]
        if hop is not None:
            for disk in change.kept:
                yield drafts.freeze(self._subject(disk), disk.was, hop.leave.node)
        yield from self._rebuild(rebuilt)
        yield from self._reconnect([disk for disk in change.kept if disk not in rebuilt], hop)
        if hop is not None:
            for disk in change.kept:
                yield drafts.join(self._subject(disk), disk.now, hop.come.node)
        yield from _new_disks(change.after, change.added, self._after)
        if change.before.name != change.after.name:
            for node in (change.before.home, change.before.partner):
                yield drafts.remove_config(change.before.name, node)
        yield from self._configure_domain((change.after.home, change.after.partner))
        complete = {site.node for site in change.stay}
        self._at = change.after.home if change.after.home in complete else change.stay[0].node
        yield drafts.start(self._spec, self._at)
        if hop is not None:
            for disk in change.kept:
                yield drafts.synchronise(self._subject(disk), disk.now, hop.come.node)

    def _rebuild(self, disks: list[KeptDisk]) -> Iterator[Draft]:
        """Resources under other names, numbers or volumes, on the sites that keep their copy."""
        stay = self._change.stay
        for disk in disks:
            for site in stay:
                yield drafts.down(self._subject(disk), disk.was, site.node)
        for disk in disks:
            for site in stay:
                pairs = tuple(self._renamed(disk, site))
                if pairs:
                    yield drafts.rename_volumes(self._subject(disk), site.node, pairs)
        for disk in disks:
            for site in stay:
                yield drafts.up(self._subject(disk), disk.now, site.node)

    def _renamed(self, disk: KeptDisk, site: Site) -> Iterator[tuple[Volume, str]]:
        was, now = disk.was.on(site.node), disk.now.on(site.node)
        data, meta = self._before.volumes(disk.was, site.node)
        if was.disk != now.disk:
            yield data, volume_key(now.disk)[1]
        if was.meta_index is None and now.meta_index is None and was.meta_device != now.meta_device:
            yield meta, volume_key(now.meta_device)[1]

    def _reconnect(self, disks: list[KeptDisk], hop: Hop | None) -> Iterator[Draft]:
        """Resources that need not be taken down while their domain is shut down."""
        nodes = tuple(site.node for site in self._change.stay)
        again = [disk for disk in disks if hop is not None or reconnects(disk)]
        for disk in again:
            yield drafts.disconnect(self._subject(disk), disk.was, nodes, Span.NO)
        for disk in again:
            yield drafts.connect(self._subject(disk), disk.now, nodes)
        for disk in disks:
            if disk not in again and _adjusts(disk):
                yield drafts.adjust(self._subject(disk), disk.was, disk.now)

    def _configure_domain(self, nodes: tuple[str, ...]) -> Iterator[Draft]:
        was = self._before.spec(self._change.before)
        differs = _started_from(was) != _started_from(self._spec)
        pending = differs and not self._reasons
        had = {self._change.before.home, self._change.before.partner}
        for node in nodes:
            if differs or node not in had:
                late = pending and node in had
                consequence = "; what runs takes that up at its next start" if late else ""
                yield drafts.configure_domain(self._spec, node, consequence)

    def _grow(self) -> Iterator[Draft]:
        for disk in self._change.kept:
            if disk.after.size_bytes > disk.before.size_bytes:
                for site in self._change.stay:
                    yield drafts.extend_volumes(self._subject(disk), self._after, disk.now, site.node)
                yield drafts.grow(self._subject(disk), disk.was, disk.now)

    def _remove(self) -> Iterator[Draft]:
        """What is no longer used, when all else is done: its loss cannot be undone."""
        change = self._change
        for site in change.left:
            name = f"{change.before.name}@{site.node}"
            for disk in change.kept:
                yield drafts.remove_replica(
                    self._subject(disk), self._before, disk.was, site.node, name=name, frozen=True
                )
        if not self._early:
            yield from self._remove_disks()
        for node in (change.before.home, change.before.partner):
            if node not in self._nodes_after() and change.before.name == change.after.name:
                yield drafts.remove_config(change.before.name, node)

    def _remove_disks(self) -> Iterator[Draft]:
        for disk in self._change.removed:
            yield from _removal(
                self._change.before, disk, self._before, name=f"{self._change.before.name}/{disk.device}"
            )

    def _removal_makes_room(self, tight: Collection[Site]) -> bool:
        """Whether added disks need what removed ones have: names, numbers, or room."""
        change = self._change
        if not change.removed or any(site in tight for site in self._before.sites(change.before)):
            return bool(change.removed)
        gone = [self._before.resource(change.before, disk) for disk in change.removed]
        new = [self._after.resource(change.after, disk) for disk in change.added]
        return not _claims(gone).isdisjoint(_claims(new))

    def _nodes_after(self) -> tuple[str, str]:
        return self._change.after.home, self._change.after.partner


def _claims(resources: list[Resource]) -> set[Claim]:
    return {claim for each in resources for host in each.hosts for claim in resource_claims(each, host.node)}
