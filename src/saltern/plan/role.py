"""Roles: a side that no domain uses is Secondary, so that the partner can take the domain over."""

from saltern.model.action import Demote
from saltern.model.desired import DomainSpec, NodeSlice, Resource
from saltern.model.observed import Role
from saltern.plan import settled
from saltern.plan.step import Step
from saltern.plan.view import View


def step(resource: Resource, node_slice: NodeSlice, view: View) -> Step:
    """Demote a Primary whose domain is not on this node. At home this is part of starting the domain."""
    if node_slice.node == resource.home:
        return Step(comment=f"{resource.name} is at home: its role follows its domain")
    return release(resource, node_slice, view)


def release(resource: Resource, node_slice: NodeSlice, view: View) -> Step:
    """The same wherever it is. DRBD itself refuses while something holds the device open."""
    running = view.running.get(resource.name)
    if running is None:
        return Step(comment=f"{resource.name} is down")
    if running.role is not Role.PRIMARY:
        return Step(comment=f"{resource.name} is {running.role}")
    if is_here(node_slice.domains[resource.domain], view):
        return Step(comment=f"{resource.name} is Primary for domain {resource.domain}")
    settled.require_configured(resource, view)
    settled.require_own_minor(resource, node_slice, view)
    if any(connection.role is Role.PRIMARY for connection in running.connections):
        # For the moments of a migration both sides are Primary; the guest would arrive on a dead disk (transcript 169).
        both = f"{resource.name} is Primary on both nodes: a migration is going on, or was left half-done"
        return Step(comment=both, warning=both)
    return Step(
        comment=f"{resource.name} becomes Secondary: domain {resource.domain} is not here",
        actions=(Demote(resource=resource.name),),
        changes={f"role of {resource.name}": {"old": "Primary", "new": "Secondary"}},
    )


def is_here(domain: DomainSpec, view: View) -> bool:
    """True when the hypervisor knows the domain by its UUID, or anything by its name, in whatever condition."""
    names = {domain.name, f"{domain.name}--incoming", f"{domain.name}--migratedaway"}
    return any(found.uuid == domain.uuid or found.name in names for found in view.xen.domains)
