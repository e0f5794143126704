"""Roles: a side that no domain uses is Secondary, so that the partner can take the domain over."""

from saltern.model.action import Demote
from saltern.model.desired import DomainSpec, NodeSlice, Resource
from saltern.model.running import Role
from saltern.plan import attach, settled
from saltern.plan.step import Step
from saltern.plan.view import View


def step(resource: Resource, node_slice: NodeSlice, view: View) -> Step:
    """Demote a Primary whose domain is not on this node. DRBD itself refuses while something holds the device open.

    Without its partner a Primary is left one: to be Primary without a break is the proof that the partner was not, by which
    the domain may be started here (``saltern.plan.attach``). What this run itself has promoted, on an earlier look, is none.
    """
    running = view.running.get(resource.name)
    if running is None:
        return Step(comment=f"{resource.name} is down")
    if running.role is not Role.PRIMARY:
        return Step(comment=f"{resource.name} is {running.role}")
    if is_here(node_slice.domains[resource.domain], view):
        return Step(comment=f"{resource.name} is Primary for domain {resource.domain}")
    settled.require_configured(resource, view)
    settled.require_own_minor(resource, node_slice, view)
    if not attach.connected(running) and resource.name not in view.promoted:
        partner = resource.peer_of(node_slice.node).node
        alone = (
            f"{resource.name} stays Primary although domain {resource.domain} is not here: {partner} is out of sight"
        )
        return Step(comment=alone)
    if attach.two_primaries(running):
        return both_primary(resource)
    return Step(
        comment=f"{resource.name} becomes Secondary: domain {resource.domain} is not here",
        actions=(Demote(resource=resource.name),),
        changes={f"role of {resource.name}": {"old": "Primary", "new": "Secondary"}},
    )


def both_primary(resource: Resource) -> Step:
    """For the moments of a migration both sides are Primary; the guest would arrive on a dead disk (transcript 169)."""
    both = f"{resource.name} is Primary on both nodes: a migration is going on, or was left half-done"
    return Step(comment=both, warning=both)


def half_moved(resource: Resource) -> Step:
    """What is left of a domain whose migration was interrupted keeps the disk as it is, until a person ends one side."""
    left = (
        f"{resource.name} is Primary without its partner, and of domain {resource.domain} only what a migration has left "
        "is here; look at `xl list` on both nodes"
    )
    return Step(comment=left, warning=left)


def is_alive(domain: DomainSpec, view: View) -> bool:
    """True when the domain is here under its own name, and goes on or could."""
    found = view.xen.by_uuid(domain.uuid)
    return found is not None and found.name == domain.name and not (found.shut_down or found.crashed or found.dying)


def is_here(domain: DomainSpec, view: View) -> bool:
    """True when the hypervisor knows the domain by its UUID, or anything by its name, in whatever condition."""
    names = {domain.name, f"{domain.name}--incoming", f"{domain.name}--migratedaway"}
    return any(found.uuid == domain.uuid or found.name in names for found in view.xen.domains)
