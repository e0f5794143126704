"""From one topology to another: the steps, in their order, and everything that is refused. Pure: nothing is looked at.

``docs/design/remake.md`` argues what is done for which difference. It is assumed that the nodes are as BEFORE says, each domain
running at its home.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping

from saltern.desired import start_order
from saltern.model.remake import Kind, Leftover, Refusal, Remake, Span, Step
from saltern.model.topology import Cluster, Domain
from saltern.topology import capacity
from saltern.topology.bulk import many_objects
from saltern.topology.remake import drafts, flow, refuse
from saltern.topology.remake.drafts import Draft
from saltern.topology.remake.match import Change, change, match_domains
from saltern.topology.remake.order import Flow, Room, Wait, ordered
from saltern.topology.remake.sides import Claim, Sides, Site, held

__all__ = ["Kind", "Leftover", "Refusal", "Remake", "Span", "Step", "remake"]


@many_objects()
def remake(before: Cluster, after: Cluster, destroy: Collection[str] = ()) -> Remake:
    """What brings the nodes from ``before`` to ``after``; both must be complete and valid, else ``ValueError``.

    ``destroy`` names what may be destroyed: domains (``dns``), disks (``dns/xvdb``) and copies (``dns@dom0m``) of ``before``.
    """
    sides = Sides(before), Sides(after)
    pairs = [_Pair(old, new, *sides, destroy) for old, new in match_domains(before, after, destroy)]
    leftovers = tuple(_leftovers(*sides))
    usable = [name for pair in pairs if pair.old is not None for name in refuse.names(pair.old, pair.change)]
    refusals = [refusal for pair in pairs for refusal in pair.refusals(destroy)]
    refusals += refuse.unused_names(destroy, usable)
    refusals += refuse.tie_breakers(before, after)
    if not refusals:
        found = _in_order(pairs, *sides)
        if not isinstance(found, Wait):
            nodes = _NodeSteps(before, after)
            return Remake(steps=tuple(nodes.around(draft.step for draft in found)), refusals=(), leftovers=leftovers)
        refusals.append(refuse.cycle(found.owners, found.things))
    return Remake(steps=(), refusals=tuple(sorted(refusals, key=lambda each: (each.place, each.found))), leftovers=())


class _Pair:
    """A domain before and after; one of both may be missing."""

    def __init__(
        self, old: Domain | None, new: Domain | None, before: Sides, after: Sides, destroy: Collection[str]
    ) -> None:
        self.old = old
        self.new = new
        self._before = before
        self._after = after
        self.change: Change | None = None
        if old is not None and new is not None:
            self.change = change(before, after, (old, new), destroy)

    def refusals(self, destroy: Collection[str]) -> Iterator[Refusal]:
        """What cannot be planned of it."""
        if self.change is not None:
            yield from refuse.changed_domain(self.change, destroy)
        elif self.old is not None:
            yield from refuse.removed_domain(self.old, destroy)

    @property
    def title(self) -> str:
        """What it is called in messages."""
        return self.new.name if self.new is not None else f"{self.old.name} of BEFORE" if self.old is not None else ""

    def held(self) -> frozenset[Claim]:
        """What it has in the beginning."""
        return frozenset() if self.old is None else frozenset(held(self.old, self._before))

    def drafts(self, tight: Collection[Site]) -> Iterator[Draft]:
        """Its steps."""
        if self.change is not None:
            yield from flow.changed(self.change, self._before, self._after, tight)
        elif self.old is not None:
            yield from flow.removed(self.old, self._before)
        elif self.new is not None:
            yield from flow.added(self.new, self._after)


def _in_order(pairs: list[_Pair], before: Sides, after: Sides) -> list[Draft] | Wait:
    """The steps of all domains: in the order of starting, those that go last of all, in the order of stopping."""
    stays = {pair.new.name: pair for pair in pairs if pair.new is not None}
    goes = {pair.old.name: pair for pair in pairs if pair.old is not None and pair.new is None}
    owners = [stays[domain.name] for domain in start_order(after.cluster.domains)]
    owners += [goes[domain.name] for domain in reversed(start_order(before.cluster.domains)) if domain.name in goes]
    flows = _flows(owners, ())
    tight = _tight(flows, before, after)
    return ordered(_flows(owners, tight) if tight else flows, Room(before, tight))


def _flows(owners: list[_Pair], tight: Collection[Site]) -> dict[str, Flow]:
    """Drafts by owner. A domain that goes and one of the same name that comes are two owners."""
    flows: dict[str, Flow] = {}
    for owner in owners:
        found = list(owner.drafts(tight))
        if found:
            flows[owner.title] = Flow(found, owner.held())
    return flows


def _tight(flows: Mapping[str, Flow], before: Sides, after: Sides) -> frozenset[Site]:
    """Groups of a declared size that do not hold what is there and what comes to it at the same time."""
    coming: dict[Site, int] = defaultdict(int)
    for found in flows.values():
        for draft in found.drafts:
            for site in {Site(node, each.volume_group) for node in draft.step.nodes for each in draft.step.volumes}:
                coming[site] += drafts.needed_bytes(draft, before, site)
    held = capacity.volume_demand(before.cluster)
    return frozenset(
        site for site, size_bytes in coming.items() if size_bytes and _is_full(site, size_bytes, held, before, after)
    )


def _is_full(site: Site, coming_bytes: int, held: Mapping[str, int], before: Sides, after: Sides) -> bool:
    node, former = (sides.cluster.nodes.get(site.node) for sides in (after, before))
    if node is None or node.volume_group != site.group or node.volume_group_size_bytes is None:
        return False
    taken_bytes = held.get(site.node, 0) if former is not None and former.volume_group == site.group else 0
    return taken_bytes + coming_bytes > node.volume_group_size_bytes


def _leftovers(before: Sides, after: Sides) -> Iterator[Leftover]:
    """Volumes with slots that no step removes."""
    for node, path in before.shared_volumes():
        if not after.has_volume(node, path):
            reason = "is a shared meta-disk without a disk of AFTER: its other slots may be somebody's"
            yield Leftover(node=node, path=path, reason=reason)


class _NodeSteps:
    """What a person does on nodes that come, go, or get another address: before all steps there, and after them."""

    def __init__(self, before: Cluster, after: Cluster) -> None:
        self._before = before
        self._after = after

    def around(self, steps: Iterator[Step]) -> Iterator[Step]:
        """All steps, those on nodes in their places."""
        for name, node in sorted(self._after.nodes.items()):
            former = self._before.nodes.get(name)
            if former is None:
                words = (
                    f"{name} is set up: Xen, DRBD, the volume group {node.volume_group}, {node.address}, and a minion"
                )
                yield drafts.prepare_node(name, words).step
            elif former.address != node.address:
                words = f"{name} gets the address {node.address} beside {former.address}"
                yield drafts.prepare_node(name, words).step
            elif former.volume_group != node.volume_group:
                yield drafts.prepare_node(name, f"{name} gets the volume group {node.volume_group}").step
        yield from steps
        for name, node in sorted(self._before.nodes.items()):
            then = self._after.nodes.get(name)
            if then is None:
                yield drafts.release_node(
                    name, f"{name} is no longer a node: its minion and its key are taken away"
                ).step
            elif then.address != node.address:
                yield drafts.release_node(name, f"{name} gives the address {node.address} up").step
