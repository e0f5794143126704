"""Logical volumes: created and grown, never shrunk, never removed."""

from saltern.errors import Refused
from saltern.model.action import CreateVolume, ExtendVolume
from saltern.model.desired import NodeSlice, Purpose, Resource, Volume, volume_key
from saltern.model.observed import LogicalVolume, MetadataState, VolumeGroup
from saltern.model.running import DiskState
from saltern.plan.step import Step
from saltern.plan.view import View
from saltern.units import format_size, round_up

# On a volume that Saltern created and nobody has stored anything in. Creating metadata ends it.
BLANK_TAG = "saltern.blank"
# On a data volume that was blank when its metadata were created. The first synchronisation ends it.
NEW_TAG = "saltern.new"


def step(volume: Volume, node_slice: NodeSlice, view: View) -> Step:
    """Create a volume that is missing, grow one that is too small.

    Raises ``Refused`` when the volume group is missing or full, when the volume is not active, and when metadata tell
    that a data volume of this name has been lost.
    """
    group = view.lvm.volume_groups.get(volume.volume_group)
    if group is None:
        raise Refused(
            f"volume {volume.path}",
            f"the volume group {volume.volume_group} does not exist on this node",
            f"Create it (vgcreate {volume.volume_group} DEVICE), or correct `volume_group` of the node in the topology",
        )
    wanted_bytes = round_up(volume.size_bytes, group.extent_size_bytes)
    present = view.lvm.volumes.get((volume.volume_group, volume.name))
    if present is None:
        return _create(volume, wanted_bytes, group, node_slice, view)
    return _keep_or_grow(volume, wanted_bytes, present, group, node_slice, view)


def existing(path: str, resource: Resource, view: View) -> LogicalVolume:
    """The volume of a resource at ``/dev/GROUP/NAME``. Raises ``Refused`` when it is not there yet."""
    found = view.lvm.volumes.get(volume_key(path))
    if found is None:
        raise Refused(f"resource {resource.name}", f"{path} does not exist on this node", "Apply the layer `lvm` first")
    return found


def _create(volume: Volume, wanted_bytes: int, group: VolumeGroup, node_slice: NodeSlice, view: View) -> Step:
    users = _users(volume, node_slice)
    if volume.purpose is Purpose.DATA:
        for resource in users:
            _refuse_to_replace_a_lost_volume(volume, resource, node_slice.node, view)
    _require_free(volume, wanted_bytes, group)
    shared = any(resource.on(node_slice.node).meta_index is not None for resource in users)
    tag = None if volume.purpose is Purpose.META and shared else BLANK_TAG
    return Step(
        comment=f"{volume.path} is created with {format_size(wanted_bytes)}",
        actions=(CreateVolume(volume_group=volume.volume_group, name=volume.name, size_bytes=wanted_bytes, tag=tag),),
        changes={f"volume {volume.path}": {"old": None, "new": format_size(wanted_bytes)}},
    )


def _keep_or_grow(
    volume: Volume,
    wanted_bytes: int,
    present: LogicalVolume,
    group: VolumeGroup,
    node_slice: NodeSlice,
    view: View,
) -> Step:
    if not present.active:
        raise Refused(
            f"volume {volume.path}",
            "it exists but is not active",
            f"Find out why, then run `lvchange --activate y {volume.volume_group}/{volume.name}`",
        )
    if present.size_bytes >= wanted_bytes:
        found = f"{volume.path} has {format_size(present.size_bytes)}"
        larger = f"{found}, the topology says {format_size(volume.size_bytes)}; volumes are never shrunk"
        return Step(comment=found, warning=larger if present.size_bytes > wanted_bytes else None)
    if volume.purpose is Purpose.DATA and not present.tags & {BLANK_TAG, NEW_TAG}:
        for resource in _users(volume, node_slice):
            _refuse_to_hide_a_reduction(volume, present, resource, view)
    _require_free(volume, wanted_bytes - present.size_bytes, group)
    return Step(
        comment=f"{volume.path} grows to {format_size(wanted_bytes)}",
        actions=(ExtendVolume(volume_group=volume.volume_group, name=volume.name, size_bytes=wanted_bytes),),
        changes={
            f"volume {volume.path}": {"old": format_size(present.size_bytes), "new": format_size(wanted_bytes)},
        },
    )


def _users(volume: Volume, node_slice: NodeSlice) -> list[Resource]:
    return [
        resource
        for resource in node_slice.resources.values()
        if volume.path in (resource.on(node_slice.node).disk, resource.on(node_slice.node).meta_device)
    ]


def _refuse_to_replace_a_lost_volume(volume: Volume, resource: Resource, node: str, view: View) -> None:
    # A new, empty volume under metadata that say UpToDate would be served, and replicated, as good data.
    metadata = view.metadata(resource)
    if (
        metadata.state is MetadataState.VALID
        and not metadata.just_created
        and not _runs_elsewhere(volume, resource, node, view)
    ):
        raise Refused(
            f"volume {volume.path}",
            f"it is missing, but the metadata of {resource.name} (generation {metadata.current:016X}) say that it held "
            "data: this replica has been lost",
            f"To rebuild it from the partner, run `drbd.metadata_wipe {resource.name} confirm={resource.name}` on this "
            "node and apply again",
        )


def _runs_elsewhere(volume: Volume, resource: Resource, node: str, view: View) -> bool:
    """Whether the kernel tells of another copy under this name: the one of before a remake, which is attached still.

    Its metadata are in another place as well. Where only the disk is another one, they would be those of the new, empty volume
    as soon as the file is put back.
    """
    running, configured = view.running.get(resource.name), view.configured.get(resource.name)
    device = running.devices.get(0) if running is not None else None
    if configured is None or device is None or device.disk is DiskState.DISKLESS:
        return False
    side = resource.on(node)
    found = [host.volumes[0] for host in configured.hosts if host.node == node and 0 in host.volumes]
    return bool(found) and all(
        each.disk != volume.path and (each.meta_device, each.meta_index) != (side.meta_device, side.meta_index)
        for each in found
    )


def _refuse_to_hide_a_reduction(volume: Volume, present: LogicalVolume, resource: Resource, view: View) -> None:
    """A volume that somebody reduced (transcript 211) has lost its end; growing it again would bring back other content."""
    running = view.running.get(resource.name)
    device = running.devices.get(0) if running is not None else None
    if device is None or not device.size_bytes:
        raise Refused(
            f"volume {volume.path}",
            f"it has {format_size(present.size_bytes)}, and while {resource.name} is not up nobody knows whether it is to "
            "grow or has been reduced",
            "Apply the layer `drbd` first, then apply again",
        )
    if device.size_bytes > present.size_bytes:
        raise Refused(
            f"volume {volume.path}",
            f"it has been reduced to {format_size(present.size_bytes)} under {resource.name}, which has "
            f"{format_size(device.size_bytes)}: the end of its data is gone on this node",
            f"Run `drbdadm detach {resource.name}`, `lvextend --size {device.size_bytes}b {volume.volume_group}/{volume.name}`, "
            f"`drbdadm attach {resource.name}` and `drbdadm invalidate {resource.name}` here, so that it is synchronised "
            "from the partner; then apply again",
        )


def _require_free(volume: Volume, needed_bytes: int, group: VolumeGroup) -> None:
    if needed_bytes > group.free_bytes:
        raise Refused(
            f"volume {volume.path}",
            f"{format_size(needed_bytes)} more are needed, the volume group {group.name} has "
            f"{format_size(group.free_bytes)} free",
            f"Add a physical volume (vgextend {group.name} DEVICE), or make the disk smaller in the topology",
        )
