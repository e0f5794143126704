"""Resources that this node holds no copy of and breaks ties for: configured, and up without a disk."""

from saltern.model.action import AdjustResource
from saltern.model.desired import NodeSlice, Resource
from saltern.model.running import ConnectionState, RunningResource
from saltern.plan import configuration, settled
from saltern.plan.step import Step
from saltern.plan.view import View


def step(resource: Resource, node_slice: NodeSlice, view: View) -> Step:
    """Write the configuration of a resource, then bring it up, or adjust what differs. Raises as ``resource_step``."""
    written = configuration.resource_step(resource, node_slice, view)
    if written.actions:
        return written
    running = view.running.get(resource.name)
    if running is not None and not view.adjustments.get(resource.name):
        return Step(comment=f"{resource.name} is up without a disk", warning=_warning(resource, running))
    settled.require_own_minor(resource, node_slice, view)
    if running is not None:
        configuration.refuse_severing(resource, view.adjustments[resource.name])
    return Step(
        comment=f"{resource.name} is adjusted to its configuration",
        actions=(AdjustResource(resource=resource.name),),
        changes={
            f"resource {resource.name}": {
                "old": "down" if running is None else "different from its configuration",
                "new": "up without a disk",
            }
        },
    )


def _warning(resource: Resource, running: RunningResource) -> str | None:
    connected = {each.peer_node_id for each in running.connections if each.state is ConnectionState.CONNECTED}
    missing = [host.node for host in resource.hosts if host.node_id not in connected]
    return f"{resource.name} is not connected to {' and '.join(missing)}" if missing else None
