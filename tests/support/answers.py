"""What nodes answer about the domain dns of ``nodes.pair_slice``, as Salt carries it."""

from typing import Any

from nodes import UUID, pair_slice

from saltern.status.answer import NO_OPERATIONS, Answer
from saltern.units import MIB

SHARES = {node: pair_slice(node) for node in ("dom0", "dom0m")}


def resource(
    role: str = "Secondary",
    disk: str = "UpToDate",
    state: str = "Connected",
    *,
    suspended: bool = False,
    lacks_quorum: bool = False,
    **peer: Any,
) -> dict[str, Any]:
    """The resource dns as `drbd.status` returns it."""
    volume = {"replication": "Established", "disk": "UpToDate", "out_of_sync_bytes": 0, **peer}
    return {
        "dns": {
            "role": role,
            "suspended": suspended,
            "lacks_quorum": lacks_quorum,
            "devices": {0: {"minor": 1, "disk": disk, "size_bytes": 2**30}},
            "connections": [{"state": state, "volumes": {0: volume}}],
        }
    }


def domain(
    name: str | None = "dns", uuid: str = UUID, memory_bytes: int = 256 * MIB, **conditions: bool
) -> dict[str, Any]:
    """A domain as `xen.domains` returns it, dns unless told otherwise."""
    flags = {**dict.fromkeys(("dying", "crashed", "suspended", "shut_down", "paused"), False), **conditions}
    return {"name": name, "uuid": uuid, "memory_bytes": memory_bytes, **flags}


def entry(*, alive: bool = True, identifier: str = "0a1b") -> dict[str, Any]:
    """The entry of an operation on dns as `operation.entries` returns it; its kind is none that the code knows."""
    text = "stretch of dns from dom0 to dom0m, begun by root on master at 2026-11-26 10:00:00"
    return {"id": identifier, "kind": "stretch", "text": text, "between": ["dom0", "dom0m"], "alive": alive}


def answer(
    resources: dict[str, Any],
    *domains: dict[str, Any],
    trouble: str | None = None,
    entered: dict[str, Any] | None = None,
    unreadable: str | None = None,
    stopped: str | None = None,
    operations_trouble: str | None = None,
) -> Answer:
    """An answer; ``entered`` and ``unreadable`` are what is said of the entry of dns."""
    operations = {
        "entered": {} if entered is None else {"dns": entered},
        "unreadable": {} if unreadable is None else {"dns": unreadable},
        "stopped": {} if stopped is None else {"dns": stopped},
        **{name: {} for name in ("placed", "strange", "maintenance")},
    }
    return Answer(
        resources=resources,
        domains=domains,
        operations=NO_OPERATIONS if trouble else operations,
        trouble=trouble,
        operations_trouble=trouble or operations_trouble,
    )


HOME = answer(resource(role="Primary"), domain())
PARTNER = answer(resource())
SILENT = answer({}, trouble="the minion does not answer")
