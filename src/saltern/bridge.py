"""What the files that Salt loads share, in plain dictionaries: nothing of Salt is imported here."""

import json
from collections.abc import Callable, Hashable, Iterable, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, Final, TypeAlias

from saltern import loaded
from saltern.converge import Converge
from saltern.desired import part, slice_from_pillar, slice_to_pillar, witness_from_pillar
from saltern.errors import Refused, SliceError
from saltern.model.desired import NodeSlice, WitnessSpec
from saltern.model.observed import SshKeys
from saltern.observe import AskKeys
from saltern.plan.items import Item
from saltern.run import LocalHost
from saltern.secrets import masked

PILLAR_KEY: Final = "saltern"
_CONTEXT_KEY: Final = "saltern.converge"

Tree: TypeAlias = Mapping[str, Any]


def local_host(opts: Tree) -> LocalHost:
    """This node; the minion's configuration ``saltern: {root: PATH}`` stands before every path of a file.

    Raises ``Refused`` in a process whose core is no longer the one on disk.
    """
    if not loaded.is_current():
        raise Refused(
            "core of this minion",
            "its files were replaced since this minion has read them",
            "Try again; when this stays, restart the minion. That ends no domain, and nothing that is being done with one",
        )
    return LocalHost(root=root(opts))


def root(opts: Tree) -> str:
    """What stands before every path of a file: ``/`` on a real node."""
    return str(opts.get("saltern", {}).get("root", "/"))


def node_slice(pillar: Tree) -> NodeSlice:
    """This node's share of the topology; raises ``SliceError``."""
    # Salt wraps pillar values so that printing shows asterisks: what is rendered into files must be plain.
    return slice_from_pillar(json.loads(json.dumps(pillar.get(PILLAR_KEY))))


def witness_spec(pillar: Tree) -> WitnessSpec:
    """What the witness on this machine is given of the topology; raises ``SliceError``."""
    return witness_from_pillar(json.loads(json.dumps(pillar.get(PILLAR_KEY))))


def current_slice(pillar: Tree, expected: Tree | None, fresh: Callable[[], Tree]) -> NodeSlice:
    """This node's share of the topology; ``expected`` is what the master now has of some of its domains, without secrets.

    A minion keeps its pillar as it was at its last refresh: where that says another thing, or nobody knows what it should say,
    ``fresh`` asks the master. Raises ``SliceError`` where that does not help.
    """
    if expected is None:
        return node_slice(fresh())
    with suppress(SliceError):
        found = node_slice(pillar)
        if _agrees(found, expected):
            return found
    found = node_slice(fresh())
    if not _agrees(found, expected):
        names = ", ".join(str(domain["name"]) for domain in expected["domains"])
        raise SliceError(
            f"this node's pillar says another thing of {names} than the master's topology",
            "See that the master's `saltern: {topology: PATH}` is the file that its pillar is made of",
        )
    return found


def _agrees(found: NodeSlice, expected: Tree) -> bool:
    own = part(found, [domain["name"] for domain in expected["domains"]])
    return bool(json.loads(json.dumps(masked(slice_to_pillar(own)))) == json.loads(json.dumps(expected)))


def converge(opts: Tree, pillar: Tree, ask_keys: AskKeys | None = None) -> Converge:
    """A new look at this node, and what it should be; raises ``SliceError``, and ``Refused``. Nothing is read yet."""
    return Converge(local_host(opts), node_slice(pillar), test=bool(opts["test"]), ask_keys=ask_keys)


def foreseen(opts: Tree, pillar: Tree, domain: str) -> list[dict[str, Any]]:
    """What the next apply would make of all that a domain needs on this node; nothing is changed.

    Raises ``SliceError``, and ``Refused`` for a domain that the node has no share in.
    """
    outcomes = converge({**opts, "test": True}, pillar).domain(domain)
    return [
        {
            "item": str(item),
            "kind": item.kind.value,
            "result": outcome.result,
            "changes": bool(outcome.actions),
            "comment": outcome.comment,
            "warnings": list(outcome.warnings),
        }
        for item, outcome in outcomes.items()
    ]


def keys_from_plain(told: Tree | None) -> SshKeys | None:
    """What a node has told of its keys, from plain data; anything else than that is nothing."""
    match told:
        case {"migration": str(migration), "host": [*host]} if all(isinstance(each, str) for each in host):
            return SshKeys(migration=migration, host=tuple(host))
    return None


def state_return(
    name: str, item: Item, context: MutableMapping[str, Any], run: Hashable, opts: Tree, pillar: Tree
) -> dict[str, Any]:
    """What a Salt state returns for one item of this node.

    ``context`` is Salt's ``__context__``, which all states of a run share and which may outlive the run (a minion
    without multiprocessing keeps it for good); ``run`` is ``__instance_id__``, new for every run. An observation
    is never used in another run than its own, nor in another mode, nor by a core that has replaced its own.
    """
    key = (Converge, run, bool(opts["test"]))
    try:
        if context.get(_CONTEXT_KEY, (None,))[0] != key:
            context[_CONTEXT_KEY] = (key, converge(opts, pillar))
        outcome = context[_CONTEXT_KEY][1].item(item)
    except (Refused, SliceError) as error:
        return {"name": name, "result": False, "changes": {}, "comment": str(error)}
    returned = {"name": name, "result": outcome.result, "changes": outcome.changes, "comment": outcome.comment}
    return {**returned, "warnings": list(outcome.warnings)} if outcome.warnings else returned


def plain(value: object) -> Any:
    """What has named fields, and all within it, as dictionaries, lists and text, for Salt to carry and print."""
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Iterable) and not isinstance(value, str):
        each = [plain(item) for item in value]
        return sorted(each) if isinstance(value, frozenset) else each
    return value
