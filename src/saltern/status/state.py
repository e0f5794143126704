"""The state of a whole cluster, from what its nodes answered, as plain data."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from saltern.errors import Refused
from saltern.model.desired import DomainDisk, DomainSpec, NodeSlice, Resource
from saltern.status import faults, guards
from saltern.status.answer import SILENT, Answer, Tree, told

_CONDITIONS: Final = ("dying", "crashed", "suspended", "shut_down", "paused")
_SOURCES: Final = ("SyncSource", "PausedSyncS")


def cluster_status(shares: Mapping[str, NodeSlice], answers: Mapping[str, Answer]) -> dict[str, Any]:
    """Nodes, domains with the state of their disks, operations, and in words what is wrong and what is only to be noticed.

    ``shares`` and ``answers`` are by node, for all nodes of one cluster.
    """
    specs = {
        domain.name: domain
        for share in shares.values()
        for domain in share.domains.values()
        if domain.home == share.node
    }
    domains = {name: domain_state(spec, shares[spec.home], answers) for name, spec in specs.items()}
    operations = operations_state(answers)
    guards_found = guards.guards_state(shares, answers)
    wrong = [*faults.of_nodes(answers), *guards.faults(guards_found), *faults.of_operations(operations, answers)]
    for name, domain in domains.items():
        wrong += faults.of_domain(name, domain, operations)
    wrong += faults.of_impostors(specs, answers)
    noticed = [text for spec in specs.values() for text in faults.noticed(spec, answers)]
    return {
        "cluster": ", ".join(sorted({share.cluster for share in shares.values()})),
        "nodes": {node: _speech(answer) for node, answer in answers.items()},
        "maintenance": maintenance(answers),
        "guards": guards_found,
        "domains": domains,
        "operations": operations,
        "wrong": [str(fault) for fault in wrong],
        "noticed": [
            *noticed,
            *faults.strangers(specs, answers),
            *faults.strange_notes(answers),
            *faults.maintained(maintenance(answers)),
            *guards.noticed(guards_found),
        ],
    }


def _speech(answer: Answer) -> str:
    """A node that was never applied answers, and cannot tell what is asked for."""
    if answer.trouble is None:
        return "answers"
    return "does not answer" if answer.trouble == SILENT else "cannot tell"


def domain_state(domain: DomainSpec, share: NodeSlice, answers: Mapping[str, Answer]) -> dict[str, Any]:
    """Where a domain belongs, runs and may be running, and its disks; ``share`` is that of one of its nodes."""
    runs_on = {node: _condition(found, domain.name) for node, found in faults.running(domain, answers)}
    return {
        "home": domain.home,
        "partner": domain.partner,
        "runs_on": runs_on,
        "stopped": next(iter(_notes("stopped", domain.name, answers)), None),
        "placed": next(iter(_notes("placed", domain.name, {node: answers[node] for node in runs_on})), None),
        "may_run_on": [node for node in (domain.home, domain.partner) if answers[node].trouble],
        "disks": {disk.device: _disk(disk, share.resources[disk.resource], answers) for disk in domain.disks},
    }


def _notes(kind: str, domain: str, answers: Mapping[str, Answer]) -> list[str]:
    """Who wants it to stay stopped, or where it is, as its nodes have it."""
    notes = (answer.operations[kind].get(domain) for answer in answers.values())
    return [note for note in notes if note is not None]


def maintenance(answers: Mapping[str, Answer]) -> dict[str, str]:
    """The nodes that are in maintenance, with who has begun that, as any node tells."""
    return {node: note for answer in answers.values() for node, note in answer.operations["maintenance"].items()}


def operations_state(answers: Mapping[str, Answer]) -> list[dict[str, Any]]:
    """The operations that are entered anywhere, each with what its nodes say of it; the topology may not have their domain.

    One is ``left half-done`` when no node says that somebody works on it, and ``unknown`` when the node that has its other
    half might.
    """
    between: dict[tuple[str, str], Sequence[str]] = {}
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for node, answer in answers.items():
        for domain, entry in answer.operations["entered"].items():
            what = {"domain": domain, "id": entry["id"], "kind": entry["kind"], "text": entry["text"], "nodes": {}}
            operation = found.setdefault((domain, entry["id"]), what)
            operation["nodes"][node] = "going on" if entry["alive"] else "left half-done"
            between[domain, entry["id"]] = entry["between"]
    for key, operation in found.items():
        operation["state"] = _operation_state(operation["nodes"], between[key], answers)
    return list(found.values())


def _operation_state(sides: Mapping[str, str], between: Sequence[str], answers: Mapping[str, Answer]) -> str:
    if "going on" in sides.values():
        return "going on"
    silent = (node for node in between if node not in answers or answers[node].operations_trouble)
    return "unknown" if any(silent) else "left half-done"


def keepers(domain: str, shares: Mapping[str, NodeSlice], said: Mapping[str, object]) -> list[str]:
    """The nodes that may have something left of operations on a domain, from what each ``said`` to ``operation.entries``.

    Those are its own, and whoever has an entry or a note of it; of one that the topology does not have, also those that did not
    tell. Raises ``Refused`` where there is none.
    """
    own = [node for node, share in shares.items() if domain in share.domains]
    found = []
    for node in shares:
        entries, trouble = told(said[node], "operation.entries", Mapping)
        has = entries is not None and any(domain in entries[part] for part in ("entered", "unreadable", "strange"))
        if node in own or has or (trouble and not own):
            found.append(node)
    if not found:
        raise Refused(
            f"domain {domain}", "the topology has no such domain, and no node has an entry of it", "Correct the name"
        )
    return found


def _condition(found: Tree, name: str) -> str:
    if found["name"] is None:
        return "dying"
    if found["name"] != name:
        half = found["name"].removeprefix(f"{name}--")
        return half if half in faults.HALVES else f"called {found['name']}"
    return next((condition for condition in _CONDITIONS if found[condition]), "running")


# --- Disks -------------------------------------------------------------------------------------------------------
def _disk(disk: DomainDisk, resource: Resource, answers: Mapping[str, Answer]) -> dict[str, Any]:
    """``bytes_per_s`` is for who has looked twice: see ``saltern.status.watch``."""
    sides = {host.node: _side(answers[host.node], resource) for host in resource.hosts}
    replications = {node: side["replication"] for node, side in sides.items()}
    out_of_sync_bytes = _out_of_sync_bytes(resource, answers)
    return {
        "resource": disk.resource,
        "sides": sides,
        "synchronised_percent": _percent(out_of_sync_bytes, resource.size_bytes),
        "synchronised_from": next((node for node, word in replications.items() if word in _SOURCES), None),
        "synchronisation_paused": any(word.startswith("PausedSync") for word in replications.values()),
        "out_of_sync_bytes": out_of_sync_bytes,
        "bytes_per_s": None,
    }


def _side(answer: Answer, resource: Resource) -> dict[str, str]:
    found = answer.resources.get(resource.name)
    if found is None:
        return dict.fromkeys(
            ("role", "disk", "connection", "replication", "io", "tie_breaker"), "unknown" if answer.trouble else "down"
        )
    device = _first(found["devices"])
    connections = found["connections"]
    peer = _first(connections[0]["volumes"]) if connections else None
    return {
        "role": found["role"],
        "disk": device["disk"] if device else "Diskless",
        "connection": connections[0]["state"] if connections else "StandAlone",
        "replication": peer["replication"] if peer else "Off",
        "io": _io(found),
        "tie_breaker": _tie_breaker(found, resource),
    }


def _tie_breaker(found: Tree, resource: Resource) -> str:
    """The state of the connection to it, ``none`` where the topology has none."""
    if resource.tie_breaker is None:
        return "none"
    return found["tie_breakers"][0]["state"] if found["tie_breakers"] else "StandAlone"


def _io(found: Tree) -> str:
    if found["lacks_quorum"]:
        return "without quorum"
    return "suspended" if found["suspended"] else "running"


def _out_of_sync_bytes(resource: Resource, answers: Mapping[str, Answer]) -> int | None:
    """What the sides do not have in common, while they are being synchronised; ``None`` otherwise."""
    for host in resource.hosts:
        found = answers[host.node].resources.get(resource.name)
        for connection in found["connections"] if found else ():
            peer = _first(connection["volumes"])
            if peer and "Sync" in peer["replication"] and peer["out_of_sync_bytes"] is not None:
                return int(peer["out_of_sync_bytes"])
    return None


def _percent(out_of_sync_bytes: int | None, size_bytes: int) -> float | None:
    if out_of_sync_bytes is None:
        return None
    return round(100 * (1 - min(1.0, out_of_sync_bytes / size_bytes)), 1)


def _first(volumes: Mapping[Any, Tree]) -> Tree | None:
    return next(iter(volumes.values()), None)
