"""What a plan is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypedDict

from saltern.model.action import Action


class Change(TypedDict):
    """What a user is told of one change, as Salt reports it."""

    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What brings one item to what it should be; without actions it is so already.

    ``warning`` is what a person should know although there is nothing to do here. ``waits_for`` says why the actions may
    have no effect yet (the partner has to do its part): they are then repeated until a deadline.
    """

    comment: str
    actions: tuple[Action, ...] = ()
    changes: Mapping[str, Change] = field(default_factory=dict)
    waits_for: str | None = None
    warning: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Nothing can be done before something else has happened, on the partner or in time."""

    reason: str
    remedy: str
