"""The state of a whole cluster, from what its nodes answered: as plain data, and as text."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from saltern.model.desired import DomainDisk, DomainSpec, NodeSlice, Resource
from saltern.units import MIB, format_size

Tree = Mapping[str, Any]

# The hypervisor counts pages of its own among those of a guest, and xl rounds to whole MiB.
MEMORY_TOLERANCE_BYTES = 4 * MIB
MEMORY_TOLERANCE_PERCENT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one node said, as its execution modules return it, or why it said nothing.

    ``resources`` is that of ``drbd.status``, ``domains`` that of ``xen.domains``; both are empty where ``trouble`` tells
    why they are unknown.
    """

    resources: Tree
    domains: Sequence[Tree]
    trouble: str | None = None


def cluster_status(shares: Mapping[str, NodeSlice], answers: Mapping[str, Answer]) -> dict[str, Any]:
    """Nodes, domains with the state of their disks, and in words what is wrong and what is only to be noticed.

    ``shares`` and ``answers`` are by node, for all nodes of one cluster.
    """
    specs = {
        domain.name: domain
        for share in shares.values()
        for domain in share.domains.values()
        if domain.home == share.node
    }
    domains = {name: _domain(spec, shares[spec.home], answers) for name, spec in specs.items()}
    wrong = [f"{node}: {answer.trouble}" for node, answer in answers.items() if answer.trouble]
    for name, domain in domains.items():
        wrong += _domain_wrong(name, domain)
    wrong += _impostors(specs, answers)
    noticed = [text for spec in specs.values() for text in _domain_noticed(spec, answers)]
    noticed += _strangers(specs, answers)
    return {
        "cluster": ", ".join(sorted({share.cluster for share in shares.values()})),
        "nodes": {node: "does not answer" if answer.trouble else "answers" for node, answer in answers.items()},
        "domains": domains,
        "wrong": wrong,
        "noticed": noticed,
    }


# --- What is -----------------------------------------------------------------------------------------------------
def _domain(domain: DomainSpec, share: NodeSlice, answers: Mapping[str, Answer]) -> dict[str, Any]:
    return {
        "home": domain.home,
        "partner": domain.partner,
        "runs_on": {node: _condition(found) for node, found in _running(domain, answers)},
        "may_run_on": [node for node in (domain.home, domain.partner) if answers[node].trouble],
        "disks": {disk.device: _disk(disk, share.resources[disk.resource], answers) for disk in domain.disks},
    }


def _running(domain: DomainSpec, answers: Mapping[str, Answer]) -> Iterator[tuple[str, Tree]]:
    return ((node, found) for node, found in _everything(answers) if found["uuid"] == domain.uuid)


def _everything(answers: Mapping[str, Answer]) -> Iterator[tuple[str, Tree]]:
    return ((node, found) for node, answer in answers.items() for found in answer.domains)


def _condition(found: Tree) -> str:
    conditions = ("dying", "crashed", "suspended", "shut_down", "paused")
    return next((condition for condition in conditions if found[condition]), "running")


def _disk(disk: DomainDisk, resource: Resource, answers: Mapping[str, Answer]) -> dict[str, Any]:
    sides = {node: _side(answers[node], disk.resource) for node in _nodes(resource)}
    return {
        "resource": disk.resource,
        "sides": sides,
        "synchronised_percent": _synchronised_percent(resource, answers),
    }


def _side(answer: Answer, resource: str) -> dict[str, str]:
    found = answer.resources.get(resource)
    if found is None:
        unknown = "unknown" if answer.trouble else "down"
        return {"role": unknown, "disk": unknown, "connection": unknown}
    device = _first(found["devices"])
    connection = found["connections"][0] if found["connections"] else {"state": "StandAlone"}
    return {
        "role": found["role"],
        "disk": device["disk"] if device else "Diskless",
        "connection": connection["state"],
    }


def _synchronised_percent(resource: Resource, answers: Mapping[str, Answer]) -> float | None:
    """How much of a disk the sides have in common, while they are being synchronised; ``None`` otherwise."""
    for node in _nodes(resource):
        found = answers[node].resources.get(resource.name)
        for connection in found["connections"] if found else ():
            peer = _first(connection["volumes"])
            if peer and "Sync" in peer["replication"] and peer["out_of_sync_bytes"] is not None:
                out_of_sync: int = peer["out_of_sync_bytes"]
                return round(100 * (1 - min(1.0, out_of_sync / resource.size_bytes)), 1)
    return None


def _nodes(resource: Resource) -> tuple[str, str]:
    home, partner = resource.hosts
    return home.node, partner.node


def _first(volumes: Mapping[Any, Tree]) -> Tree | None:
    return next(iter(volumes.values()), None)


# --- What is wrong -----------------------------------------------------------------------------------------------
def _domain_wrong(name: str, domain: Tree) -> Iterator[str]:
    runs_on, unseen = domain["runs_on"], domain["may_run_on"]
    if len(runs_on) > 1:
        yield f"domain {name}: it runs on {' and on '.join(runs_on)} at once; stop one of them, and compare the disks"
    elif not runs_on and unseen:
        yield f"domain {name}: nobody can tell whether it runs, {' and '.join(unseen)} did not answer"
    elif not runs_on:
        yield f"domain {name}: it runs nowhere; `salt '*' state.apply` starts it, or tells why not"
    for node, condition in runs_on.items():
        if condition != "running":
            yield f"domain {name}: it is {condition.replace('_', ' ')} on {node}"
    for disk in domain["disks"].values():
        yield from _disk_wrong(disk)


def _disk_wrong(disk: Tree) -> Iterator[str]:
    subject = f"resource {disk['resource']}"
    known = {node: side for node, side in disk["sides"].items() if side["role"] != "unknown"}
    if [side["role"] for side in known.values()].count("Primary") > 1:
        yield f"{subject}: both sides are Primary"
    for node, side in known.items():
        if side["role"] == "down":
            yield f"{subject}: it is not up on {node}; `salt '*' state.apply` brings it up, or tells why not"
        elif side["connection"] == "StandAlone":
            yield (
                f"{subject}: {node} is not connected to the other side (StandAlone): cut by hand, or a split-brain: "
                "see docs/howto/refusals.md"
            )
        elif side["connection"] != "Connected":
            yield f"{subject}: {node} is not connected to the other side ({side['connection']})"
        elif side["disk"] != "UpToDate" and disk["synchronised_percent"] is None:
            yield f"{subject}: the disk on {node} is {side['disk']}"


def _impostors(specs: Mapping[str, DomainSpec], answers: Mapping[str, Answer]) -> Iterator[str]:
    for node, found in _everything(answers):
        spec = specs.get(found["name"])
        if spec and spec.uuid != found["uuid"]:
            yield (
                f"domain {spec.name}: {node} runs another domain of this name (its UUID is {found['uuid']}, "
                f"the topology's {spec.uuid}); see which one has your data, and stop the other"
            )


# --- What is to be noticed ---------------------------------------------------------------------------------------
def _domain_noticed(spec: DomainSpec, answers: Mapping[str, Answer]) -> Iterator[str]:
    for node, found in _running(spec, answers):
        if node != spec.home:
            yield f"domain {spec.name}: it runs on {node}, away from its home {spec.home}"
        # While it comes in from another node, it has another name, and not yet all of its memory.
        if found["name"] == spec.name and _differs(found["memory_bytes"], spec.memory_bytes):
            wanted, has = format_size(spec.memory_bytes), format_size(found["memory_bytes"])
            yield f"domain {spec.name}: its memory of {wanted} takes effect at its next start; it runs with {has}"


def _differs(found_bytes: int, wanted_bytes: int) -> bool:
    tolerance_bytes = max(MEMORY_TOLERANCE_BYTES, wanted_bytes * MEMORY_TOLERANCE_PERCENT // 100)
    return abs(found_bytes - wanted_bytes) > tolerance_bytes


def _strangers(specs: Mapping[str, DomainSpec], answers: Mapping[str, Answer]) -> Iterator[str]:
    known = {spec.uuid for spec in specs.values()}
    for node, found in _everything(answers):
        if found["uuid"] not in known and found["name"] not in specs:
            yield f"{node} runs {found['name'] or found['uuid']}, which is not in the topology"


# --- Text --------------------------------------------------------------------------------------------------------
def status_text(status: Tree) -> str:
    """What ``cluster_status`` returned, for people."""
    rows = [("domain", "home", "runs on", "disk", *status["nodes"], "synchronised")]
    for name, domain in status["domains"].items():
        runs_on = ", ".join(
            node if condition == "running" else f"{node} ({condition})" for node, condition in domain["runs_on"].items()
        )
        first = (name, domain["home"], runs_on or ("unknown" if domain["may_run_on"] else "nowhere"))
        for device, disk in domain["disks"].items():
            rows.append((*first, device, *_cells(disk, status["nodes"])))
            first = ("", "", "")
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    nodes = ", ".join(f"{node} {state}" for node, state in status["nodes"].items())
    verdict = _listed("Wrong:", status["wrong"]) or ["", "Nothing is wrong."]
    noticed = _listed("Noticed:", status["noticed"])
    return "\n".join([f"Cluster {status['cluster']}: {nodes}", "", *table, *verdict, *noticed])


def _listed(title: str, texts: Sequence[str]) -> list[str]:
    return ["", title, *(f"  - {text}" for text in texts)] if texts else []


def _cells(disk: Tree, nodes: Mapping[str, str]) -> Iterator[str]:
    for node in nodes:
        side = disk["sides"].get(node)
        yield f"{side['role']}/{side['disk']}" if side else ""
    percent = disk["synchronised_percent"]
    connected = all(side["connection"] == "Connected" for side in disk["sides"].values())
    yield f"{percent} %" if percent is not None else "yes" if connected else "not connected"
