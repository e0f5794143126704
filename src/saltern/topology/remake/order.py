"""The order of the steps of all domains: what frees before what needs, and one domain after the other."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import networkx as nx

from saltern.topology.remake.drafts import Draft, needed_bytes
from saltern.topology.remake.sides import Claim, Sides, Site

# A step: whose it is and which of these. The group of a node stands between what makes room there and what takes it.
Place = tuple[str, int]


class Wait(NamedTuple):
    """Steps of several owners that wait for each other: the owners, and what they wait for."""

    owners: tuple[str, ...]
    things: tuple[str, ...]


class Flow(NamedTuple):
    """The drafts of one owner, and the claims that it holds in the beginning."""

    drafts: Sequence[Draft]
    held: frozenset[Claim]


def ordered(flows: Mapping[str, Flow], room: "Room") -> list[Draft] | Wait:
    """The drafts of all ``flows`` in one order, or why there is none. The owners' order counts where nothing else does."""
    graph: nx.DiGraph[Place] = nx.DiGraph()
    for owner, flow in flows.items():
        length = len(flow.drafts)
        graph.add_nodes_from((owner, number) for number in range(length))
        graph.add_edges_from(((owner, number), (owner, number + 1)) for number in range(length - 1))
    _add_claims(graph, flows)
    room.add(graph, flows)
    if not nx.is_directed_acyclic_graph(graph):
        return _cycle(graph)
    ranks = _ranks(graph, {owner: position for position, owner in enumerate(flows)})
    sorted_places = nx.lexicographical_topological_sort(graph, key=lambda place: (ranks[place[0]], place))
    return [flows[owner].drafts[number] for owner, number in sorted_places if owner in flows]


class Room:
    """Volume groups that cannot hold what leaves them and what comes to them at the same time."""

    def __init__(self, before: Sides, tight: Iterable[Site]) -> None:
        self._before = before
        self.tight = frozenset(tight)

    def add(self, graph: "nx.DiGraph[Place]", flows: Mapping[str, Flow]) -> None:
        """Everything that makes room in a tight group comes before everything that takes it."""
        if not self.tight:
            return
        for owner, flow in flows.items():
            for number, draft in enumerate(flow.drafts):
                for site in self._made(draft):
                    graph.add_edge((owner, number), _middle(site), thing=f"room in {site.group} on {site.node}")
                for site in self._taken(draft):
                    graph.add_edge(_middle(site), (owner, number), thing=f"room in {site.group} on {site.node}")

    def _made(self, draft: Draft) -> frozenset[Site]:
        if not draft.step.destroys:
            return frozenset()
        return self.tight & {
            Site(node, volume.volume_group) for node in draft.step.nodes for volume in draft.step.volumes
        }

    def _taken(self, draft: Draft) -> frozenset[Site]:
        return frozenset(site for site in self.tight if needed_bytes(draft, self._before, site))


def _middle(site: Site) -> Place:
    return f"{site.node} {site.group}", -1


def _add_claims(graph: "nx.DiGraph[Place]", flows: Mapping[str, Flow]) -> None:
    """What frees comes before what needs, of what was held in the beginning.

    What an owner gives up and takes again is free for others the last time that it is given up.
    """
    frees: dict[Claim, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for owner, flow in flows.items():
        for number, draft in enumerate(flow.drafts):
            for claim in draft.frees & flow.held:
                frees[claim][owner].append(number)
    for owner, flow in flows.items():
        for number, draft in enumerate(flow.drafts):
            for claim in draft.needs & frees.keys():
                for other, numbers in frees[claim].items():
                    if other != owner or numbers[0] > number:
                        kind, place, thing = claim
                        told = f"{kind} {thing}" + (f" on {place}" if place else "")
                        graph.add_edge((other, numbers[-1]), (owner, number), thing=told)


def _cycle(graph: "nx.DiGraph[Place]") -> Wait:
    edges = nx.find_cycle(graph)
    things = [graph.edges[first, then].get("thing") for first, then in edges]
    owners = [first[0] for first, _ in edges if first[1] >= 0]
    return Wait(tuple(dict.fromkeys(owners)), tuple(thing for thing in dict.fromkeys(things) if thing))


def _ranks(graph: "nx.DiGraph[Place]", positions: Mapping[str, int]) -> dict[str, int]:
    """A rank for each owner: after all that it waits for. Owners that wait for each other in turn have the same."""
    owners: nx.DiGraph[str] = nx.DiGraph()
    owners.add_nodes_from(dict.fromkeys(place[0] for place in graph))
    owners.add_edges_from((first[0], then[0]) for first, then in graph.edges if first[0] != then[0])
    groups = nx.condensation(owners)
    first = {
        group: min(positions.get(owner, len(positions)) for owner in data["members"])
        for group, data in groups.nodes(data=True)
    }
    order = nx.lexicographical_topological_sort(groups, key=lambda group: first[group])
    return {owner: rank for rank, group in enumerate(order) for owner in groups.nodes[group]["members"]}
