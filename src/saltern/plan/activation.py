"""Resources in the kernel: up, connected, and as configured."""

from saltern.errors import Refused
from saltern.model.action import Action, AdjustResource, Demote, LoadDrbd
from saltern.model.desired import NodeSlice, Resource
from saltern.model.running import ConnectionState, Role, RunningResource
from saltern.plan import attach, metadata, role, settled
from saltern.plan.configuration import refuse_severing
from saltern.plan.metadata import is_attached
from saltern.plan.step import Step
from saltern.plan.view import View


def module_step(view: View) -> Step:
    """Load the DRBD module. Raises ``Refused`` where the node has none."""
    if view.version.loaded:
        return Step(comment="the DRBD module is loaded")
    if view.version.kernel is None:
        raise Refused("DRBD", "this kernel has no drbd module", "Install one (drbd-dkms, or Debian's stock kernel)")
    return Step(
        comment="the DRBD module is loaded now",
        actions=(LoadDrbd(),),
        changes={"module drbd": {"old": None, "new": "loaded"}},
    )


def step(resource: Resource, node_slice: NodeSlice, view: View) -> Step:
    """Bring a resource up, or adjust what differs from its configuration.

    Raises ``Refused`` when it has no configuration, or when its metadata are not as they should be: what is attached
    with somebody else's metadata is served, and replicated, as good data; and when it would lack quorum from then on.
    """
    running = view.running.get(resource.name)
    differences = _differences(resource, running, view)
    if not differences:
        return Step(comment=f"{resource.name} is up and as configured", warning=_warning(resource, node_slice, running))
    if running is not None and attach.two_primaries(running):
        return role.both_primary(resource)  # what differs is that this is allowed: DRBD does not take it back now
    settled.require_configured(resource, view)
    settled.require_own_minor(resource, node_slice, view)
    if is_attached(resource, view):
        refuse_severing(resource, view.adjustments.get(resource.name, ()))
        _refuse_suspending(resource, running, view)
    if metadata.step(resource, node_slice, view).actions:
        # A volume that is still marked as blank must not be attached by metadata that may not be its own.
        raise Refused(f"resource {resource.name}", "its metadata are not complete", "Apply the whole layer `drbd`")
    first: tuple[Action, ...] = ()
    if _may_have_been_one_of_two(resource, running, view):
        domain = node_slice.domains[resource.domain]
        if role.is_here(domain, view) and not role.is_alive(domain, view):
            return role.half_moved(resource)
        if not role.is_here(domain, view):
            first = (Demote(resource=resource.name),)
    return Step(
        comment=f"{resource.name} is adjusted to its configuration{_condition(running)}",
        actions=(*first, AdjustResource(resource=resource.name)),
        changes={f"resource {resource.name}": {"old": ", ".join(differences), "new": "up and as configured"}},
    )


def _refuse_suspending(resource: Resource, running: RunningResource | None, view: View) -> None:
    """A Primary that is without its partner would be told of quorum, and have its I/O suspended in the same moment."""
    if resource.tie_breaker is None or running is None or running.role is not Role.PRIMARY or attach.connected(running):
        return
    if any(line.split()[1] == "resource-options" for line in view.adjustments.get(resource.name, ())):
        raise Refused(
            f"resource {resource.name}",
            "it is Primary without its partner, and its configuration demands quorum: its guest could write no more",
            "Apply again when the partner is connected",
        )


def _may_have_been_one_of_two(resource: Resource, running: RunningResource | None, view: View) -> bool:
    """True for a Primary without its partner that was perhaps allowed beside another.

    Its connection has other options than its file, or was given up: 8.4 then forgets its options, and sides that part while
    both are Primary end there. Once it connects as its file says, nothing tells any more that to be Primary here does not
    prove that nobody else was.
    """
    if running is None or running.role is not Role.PRIMARY or attach.connected(running):
        return False
    differs = any(line.split()[1] == "net-options" for line in view.adjustments.get(resource.name, ()))
    return differs or attach.given_up(running)


def _condition(running: RunningResource | None) -> str:
    """What a dry run cannot foresee of a connection that was cut, or that a split-brain has ended."""
    parted = running is not None and connection_state(running) in (None, ConnectionState.STANDALONE)
    return "; what follows holds if its sides then connect" if parted else ""


def _warning(resource: Resource, node_slice: NodeSlice, running: RunningResource | None) -> str | None:
    state = connection_state(running)
    if state is ConnectionState.CONNECTED:
        return _lonely(resource, running)
    partner = resource.peer_of(node_slice.node).node
    return f"{resource.name} is not connected to {partner} ({state}): nothing is replicated"


def _lonely(resource: Resource, running: RunningResource | None) -> str | None:
    """A side whose tie-breaker is out of sight."""
    thirds = () if running is None else running.tie_breakers
    if resource.tie_breaker is None or any(each.state is ConnectionState.CONNECTED for each in thirds):
        return None
    third = resource.tie_breaker.node
    return f"{resource.name} is not connected to its tie-breaker {third}: if its partner is lost, it is suspended"


def connection_state(running: RunningResource | None) -> ConnectionState | None:
    """The state of the connection to the partner; ``None`` when there is no connection, as after ``disconnect``."""
    if running is None or not running.connections:
        return None
    return running.connections[0].state


def _differences(resource: Resource, running: RunningResource | None, view: View) -> list[str]:
    if running is None:
        return ["down"]
    found = []
    if not is_attached(resource, view):
        found.append("without a disk")
    state = connection_state(running)
    if state is None or state is ConnectionState.STANDALONE:
        found.append("not connecting")
    if not found and view.adjustments.get(resource.name):
        found.append("different from its configuration")
    return found
