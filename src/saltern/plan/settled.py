"""What an action by name relies on: that the name means, on this node, what the topology means by it.

drbdadm finds a resource by its name in whatever file defines it, and a domain finds its disk by a minor. A state that was
refused does not stop the states after it, so every step makes sure for itself.
"""

from saltern.errors import Refused
from saltern.model.desired import DomainSpec, NodeSlice, Resource, domain_file, resource_file
from saltern.model.places import BLOCK_SCRIPT, OPERATION_SCRIPT
from saltern.model.running import DiskState, RunningResource
from saltern.plan.view import View
from saltern.render import block_script, drbd_resource, operation_script, xl_config
from saltern.secrets import HIDDEN, redact


def require_configured(resource: Resource, view: View) -> None:
    """Raises ``Refused`` unless the resource's file says, word by word, what the topology says."""
    found = view.file(resource_file(resource.name))
    if not _says(found, drbd_resource.render(resource, view.generation, guarded=drbd_resource.asks_guard(found or ""))):
        raise Refused(
            f"resource {resource.name}",
            "it is not configured on this node as the topology says",
            "Apply the whole layer `drbd`; when that refuses to configure it, see the reason it gives",
        )


def require_running(resource: Resource, node_slice: NodeSlice, view: View) -> RunningResource:
    """The resource in the kernel. Raises ``Refused`` unless it is the configured one and has its disk."""
    require_configured(resource, view)
    running = view.running.get(resource.name)
    if running is None or 0 not in running.devices or running.devices[0].disk is DiskState.DISKLESS:
        raise Refused(f"resource {resource.name}", "it is not up on this node", "Apply the whole layer `drbd`")
    require_own_minor(resource, node_slice, view)
    return running


def require_own_minor(resource: Resource, node_slice: NodeSlice, view: View) -> None:
    """Raises ``Refused`` when the kernel runs a resource of this name with another minor."""
    running = view.running.get(resource.name)
    device = running.devices.get(0) if running is not None else None
    wanted = resource.minor_on(node_slice.node)
    if device is not None and device.minor != wanted:
        raise Refused(
            f"resource {resource.name}",
            f"it runs with minor {device.minor}, the topology gives it minor {wanted}; a running resource keeps its minor",
            f"Write `minor: {device.minor}` in the topology, or stop the domain and run `drbdadm down {resource.name}` "
            "on both nodes first",
        )


def require_scripts(view: View) -> None:
    """Raises ``Refused`` unless both scripts of ours are there: domains are received by the one, attached to by the other."""
    require_block_script(view)
    if (view.file(OPERATION_SCRIPT), view.mode(OPERATION_SCRIPT)) != (operation_script.render(), operation_script.MODE):
        raise Refused(
            f"file {OPERATION_SCRIPT}",
            "it is not the script of this version of Saltern, which takes domains in, or not executable",
            "Apply the whole layer `xen`; when that refuses to write it, see the reason it gives",
        )


def require_block_script(view: View) -> None:
    """Raises ``Refused`` unless Xen attaches disks by the script of ours."""
    if (view.file(BLOCK_SCRIPT), view.mode(BLOCK_SCRIPT)) != (block_script.render(), block_script.MODE):
        raise Refused(
            f"file {BLOCK_SCRIPT}",
            "it is not the script of this version of Saltern, which proves that a disk may be attached, or not executable",
            "Apply the whole layer `xen`; when that refuses to write it, see the reason it gives",
        )


def require_domain_configured(domain: DomainSpec, view: View) -> None:
    """Raises ``Refused`` unless the domain's file says, word by word, what the topology says."""
    if not _says(view.file(domain_file(domain.name)), xl_config.render(domain)):
        raise Refused(
            f"domain {domain.name}",
            f"{domain_file(domain.name)} is not what the topology says",
            "Apply the whole layer `xen`; when that refuses to write it, see the reason it gives",
        )


def _says(found: str | None, wanted: str) -> bool:
    """Whether a file says word by word what it should; all but the secrets, where these were kept from who asks."""
    if HIDDEN not in wanted:
        return found == wanted
    return found is not None and redact(found) == redact(wanted)
