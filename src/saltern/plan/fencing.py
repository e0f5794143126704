"""Fencing: DRBD asks the guard of the node before a side goes on alone.

It is switched on last, when the guard runs and knows the resource: a Primary that loses its partner waits for an answer for as
long as nobody gives one. ``saltern.guarding.upkeep`` switches it off, before the guard is told less, or ended.
"""

from saltern.errors import Refused
from saltern.model.desired import NodeSlice, Resource
from saltern.model.places import DRBD_HELPER, GUARD_SETTINGS
from saltern.plan import activation, configuration
from saltern.plan.step import Step, Wait
from saltern.plan.view import View


def step(resource: Resource, node_slice: NodeSlice, view: View) -> Step | Wait:
    """Have DRBD ask the guard about a resource: its file first, then the kernel. Raises as the steps of these two."""
    if node_slice.guard is None:
        return Step(comment=f"nothing takes {resource.name} over by itself")
    if node_slice.guard.quorum:
        return Step(comment=f"who goes on with {resource.name} is a matter of quorum: nobody is asked")
    told = view.guarded
    if told is None:
        return Wait(reason=f"the guard of this node is not told of {resource.name}", remedy=f"See {GUARD_SETTINGS}")
    _require_helper(view.file(DRBD_HELPER))
    if resource.name not in told:
        return Step(comment=f"{resource.name} is not guarded yet", warning=_silent(resource, node_slice))
    written = configuration.guarded_step(resource, node_slice, view)
    return written if written.actions else activation.step(resource, node_slice, view)


def is_helper(text: str | None) -> bool:
    """Whether the kernel runs drbdadm for its handlers, by what that parameter of its module reads: then it runs ours.

    A line end in it, as ``echo`` leaves one, makes a program of another name of it, which is not there.
    """
    return text is not None and text.startswith("/") and text.removesuffix("\n").endswith("/drbdadm")


def _require_helper(text: str | None) -> None:
    if text is None or is_helper(text):  # it is not there before the module is
        return
    program = text.removesuffix("\n")
    raise Refused(
        "module drbd",
        f"for its handlers the kernel runs {program!r}, and not drbdadm: nobody would ask the guard, and a Primary that has lost "
        "its partner would wait for ever",
        f"Take usermode_helper out of /etc/modprobe.d, and run `printf /sbin/drbdadm > {DRBD_HELPER}`; then apply again",
    )


def _silent(resource: Resource, node_slice: NodeSlice) -> str:
    partner = resource.peer_of(node_slice.node).node
    return f"{resource.name} is not guarded yet: {partner} has not told its key. Apply {partner}, then this node again"
