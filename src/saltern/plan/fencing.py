"""Fencing: DRBD asks the guard of the node before a side goes on alone.

It is switched on last, when the guard runs and knows the resource: a Primary that loses its partner waits for an answer for as
long as nobody gives one. ``saltern.guarding.upkeep`` switches it off, before the guard is told less, or ended.
"""

from saltern.model.desired import NodeSlice, Resource
from saltern.model.places import GUARD_SETTINGS
from saltern.plan import activation, configuration
from saltern.plan.step import Step, Wait
from saltern.plan.view import View


def step(resource: Resource, node_slice: NodeSlice, view: View) -> Step | Wait:
    """Have DRBD ask the guard about a resource: its file first, then the kernel. Raises as the steps of these two."""
    if node_slice.guard is None:
        return Step(comment=f"nothing takes {resource.name} over by itself")
    told = view.guarded
    if told is None:
        return Wait(reason=f"the guard of this node is not told of {resource.name}", remedy=f"See {GUARD_SETTINGS}")
    if resource.name not in told:
        return Step(comment=f"{resource.name} is not guarded yet", warning=_silent(resource, node_slice))
    written = configuration.guarded_step(resource, node_slice, view)
    return written if written.actions else activation.step(resource, node_slice, view)


def _silent(resource: Resource, node_slice: NodeSlice) -> str:
    partner = resource.peer_of(node_slice.node).node
    return f"{resource.name} is not guarded yet: {partner} has not told its key. Apply {partner}, then this node again"
