"""The cluster as a picture: nodes, the domains at home on them, replication between nodes, dependencies between domains."""

from collections import Counter
from collections.abc import Iterator

from saltern.model.topology import Cluster, Domain, Node
from saltern.units import format_size

NEW_LINE = r"\n"  # as Graphviz writes it


def dot(cluster: Cluster) -> str:
    """The picture in the language of Graphviz (``dot -Tsvg``)."""
    return "\n".join([*_dot_lines(cluster), ""])


def _dot_lines(cluster: Cluster) -> Iterator[str]:
    yield f'digraph "{cluster.name}" {{'
    yield "  compound=true; rankdir=LR; fontname=sans; node [fontname=sans, shape=box]; edge [fontname=sans];"
    for name, node in sorted(cluster.nodes.items()):
        yield f'  subgraph "cluster_{name}" {{'
        yield f'    label="{_node_label(node, " · ")}"; style=rounded;'
        # An invisible point, so that replication has an end even where no domain is at home.
        yield f'    "node {name}" [shape=point, style=invis];'
        for domain in _at_home(cluster, name):
            yield f'    "{domain.name}" [label="{_domain_label(domain, NEW_LINE)}"];'
        yield "  }"
    for (first, second), count in _pairs(cluster):
        yield (
            f'  "node {first}" -> "node {second}" [dir=both, style=bold, label="{_resources(count)}", '
            f'ltail="cluster_{first}", lhead="cluster_{second}"];'
        )
    for name, other in _dependencies(cluster):
        yield f'  "{name}" -> "{other}" [style=dashed];'
    yield "}"


def mermaid(cluster: Cluster) -> str:
    """The picture in the language of Mermaid, which many web pages draw from Markdown."""
    return "\n".join([*_mermaid_lines(cluster), ""])


def _mermaid_lines(cluster: Cluster) -> Iterator[str]:
    # Identifiers are numbered: Mermaid takes some names, such as `end`, for words of its own.
    nodes = {name: f"n{number}" for number, name in enumerate(sorted(cluster.nodes))}
    domains = {name: f"d{number}" for number, name in enumerate(sorted(cluster.domains))}
    yield "flowchart LR"
    for name, node in sorted(cluster.nodes.items()):
        yield f'  subgraph {nodes[name]}["{_node_label(node, " · ")}"]'
        for domain in _at_home(cluster, name):
            yield f'    {domains[domain.name]}["{_domain_label(domain, "<br/>")}"]'
        yield "  end"
    for (first, second), count in _pairs(cluster):
        yield f"  {nodes[first]} <==>|{_resources(count)}| {nodes[second]}"
    for name, other in _dependencies(cluster):
        yield f"  {domains[name]} -.-> {domains[other]}"


def _at_home(cluster: Cluster, node: str) -> list[Domain]:
    return sorted(
        (domain for domain in cluster.domains.values() if domain.home == node), key=lambda domain: domain.name
    )


def _pairs(cluster: Cluster) -> list[tuple[tuple[str, str], int]]:
    counts: Counter[tuple[str, str]] = Counter()
    for domain in cluster.domains.values():
        first, second = sorted((domain.home, domain.partner))
        counts[first, second] += len(domain.disks)
    return sorted(counts.items())


def _dependencies(cluster: Cluster) -> list[tuple[str, str]]:
    return sorted((domain.name, other) for domain in cluster.domains.values() for other in domain.depends_on)


def _node_label(node: Node, separator: str) -> str:
    return separator.join((node.name, node.address, node.volume_group))


def _domain_label(domain: Domain, separator: str) -> str:
    disks = " + ".join(format_size(disk.size_bytes) for disk in domain.disks)
    return f"{domain.name}{separator}{format_size(domain.memory_bytes)}, {disks}"


def _resources(count: int) -> str:
    return f"{count} resource" if count == 1 else f"{count} resources"
