"""What the files that Salt loads share, in plain dictionaries: nothing of Salt is imported here."""

import json
from collections.abc import Hashable, Iterable, Mapping, MutableMapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, Final, TypeAlias

from saltern.converge import Converge, Outcome
from saltern.desired import slice_from_pillar
from saltern.errors import Refused, SliceError
from saltern.model.desired import NodeSlice
from saltern.plan.items import Item, items
from saltern.run import LocalHost

PILLAR_KEY: Final = "saltern"
_CONTEXT_KEY: Final = "saltern.run"

Tree: TypeAlias = Mapping[str, Any]


def local_host(opts: Tree) -> LocalHost:
    """This node; the minion's configuration ``saltern: {root: PATH}`` stands before every path of a file."""
    return LocalHost(root=opts.get("saltern", {}).get("root", "/"))


def node_slice(pillar: Tree) -> NodeSlice:
    """This node's share of the topology; raises ``SliceError``."""
    # Salt wraps pillar values so that printing shows asterisks: what is rendered into files must be plain.
    return slice_from_pillar(json.loads(json.dumps(pillar.get(PILLAR_KEY))))


class Run:
    """One run over this node, of a state run or of one function: what it should be, and what is seen of it."""

    def __init__(self, opts: Tree, pillar: Tree) -> None:
        """Raises ``SliceError``. Nothing is read yet."""
        share = node_slice(pillar)
        self._items = frozenset(items(share))
        self._converge = Converge(local_host(opts), share, test=bool(opts["test"]))

    def item(self, item: Item) -> Outcome:
        """Bring one item to what it should be; raises ``Refused`` for one that is not this node's."""
        if item not in self._items:
            raise Refused(str(item), "the topology gives this node no such thing", "Correct the name")
        return self._converge.item(item)


def state_return(
    name: str, item: Item, context: MutableMapping[str, Any], run: Hashable, opts: Tree, pillar: Tree
) -> dict[str, Any]:
    """What a Salt state returns for one item of this node.

    ``context`` is Salt's ``__context__``, which all states of a run share and which may outlive the run (a minion
    without multiprocessing keeps it for good); ``run`` is ``__instance_id__``, new for every run. An observation
    is never used in another run than its own, nor in another mode.
    """
    key = (run, bool(opts["test"]))
    try:
        if context.get(_CONTEXT_KEY, (None,))[0] != key:
            context[_CONTEXT_KEY] = (key, Run(opts, pillar))
        outcome = context[_CONTEXT_KEY][1].item(item)
    except (SliceError, Refused) as error:
        return {"name": name, "result": False, "changes": {}, "comment": str(error)}
    return {"name": name, "result": outcome.result, "changes": outcome.changes, "comment": outcome.comment}


def plain(value: object) -> Any:
    """A dataclass and all within it as dictionaries, lists and text, for Salt to carry and print."""
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Iterable) and not isinstance(value, str):
        each = [plain(item) for item in value]
        return sorted(each) if isinstance(value, frozenset) else each
    return value
