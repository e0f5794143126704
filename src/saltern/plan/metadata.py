"""DRBD metadata: created once, on volumes that are provably blank, never over metadata.

The table in ``docs/design/converge.md`` ("Blank is marked, not guessed") is what this file decides.
"""

from saltern.desired import SLOT_BYTES
from saltern.errors import Refused
from saltern.model.action import Action, CreateMetadata, MarkVolume, WipeMetadata
from saltern.model.desired import METADATA_PEERS, NodeSlice, Resource, ResourceHost, volume_key
from saltern.model.observed import LogicalVolume, Metadata, MetadataState
from saltern.model.running import DiskState, Generation
from saltern.plan import settled
from saltern.plan.step import Change, Step
from saltern.plan.view import View
from saltern.plan.volume import BLANK_TAG, NEW_TAG, existing
from saltern.units import MIB


def step(resource: Resource, node_slice: NodeSlice, view: View) -> Step:
    """Create metadata for this side of a resource when its volumes were created by Saltern and never used.

    Raises ``Refused`` when that is not known, when metadata and volume do not belong together, and when metadata
    are to be created for a resource that is not configured.
    """
    found = decide(resource, node_slice, view)
    if any(isinstance(action, CreateMetadata) for action in found.actions):
        settled.require_configured(resource, view)
    return found


def decide(resource: Resource, node_slice: NodeSlice, view: View) -> Step:
    """The same for a resource that may not be configured yet."""
    host = resource.on(node_slice.node)
    data = existing(host.disk, resource, view)
    meta = existing(host.meta_device, resource, view)
    if is_attached(resource, view):
        return _keep_attached(resource, view.running[resource.name].devices[0].disk, data, meta)
    metadata = view.metadata(resource)
    if metadata.state is MetadataState.VALID:
        return _keep(resource, metadata, data, meta)
    _refuse_unmarked(resource, data, meta if host.meta_index is None else None)
    _refuse_small_slot(resource, meta, host.meta_index)
    max_peers = METADATA_PEERS if view.generation is Generation.V9 else None
    return Step(
        comment=f"metadata of {resource.name} are created",
        actions=(CreateMetadata(resource=resource.name, max_peers=max_peers), *_end_of_blank(data, meta)),
        changes={f"metadata of {resource.name} in {_place(host)}": {"old": None, "new": "created"}},
    )


def wipe_step(resource: Resource, node_slice: NodeSlice, view: View) -> Step:
    """Take away the metadata of a replica whose data are gone from this node, so that it can be built anew.

    Raises ``Refused`` when the disk is attached, and when the data volume is there and not marked as blank.
    """
    host = resource.on(node_slice.node)
    subject = f"resource {resource.name}"
    if is_attached(resource, view):
        raise Refused(subject, "its disk is attached", "Metadata in use are never wiped")
    data = view.lvm.volumes.get(volume_key(host.disk))
    if data is not None and BLANK_TAG not in data.tags:
        raise Refused(
            subject,
            f"{host.disk} is there and may hold the data of this replica",
            f"If its content may be lost on this node, say so with `lvchange --addtag {BLANK_TAG} {_names((data,))}`",
        )
    if view.metadata(resource).state is not MetadataState.VALID:
        return Step(comment=f"there are no metadata of {resource.name} on this node")
    meta = existing(host.meta_device, resource, view)
    mark = MarkVolume(volume_group=meta.volume_group, name=meta.name, add=BLANK_TAG)
    wipe = WipeMetadata(
        resource=resource.name,
        minor=host.minor,
        generation=view.generation,
        meta_device=host.meta_device,
        meta_index=host.meta_index,
    )
    return Step(
        comment=f"the metadata of {resource.name} are wiped; apply again to rebuild this replica from the partner",
        actions=(wipe, *((mark,) if host.meta_index is None else ())),
        changes={f"metadata of {resource.name} in {_place(host)}": {"old": "valid", "new": None}},
    )


def is_attached(resource: Resource, view: View) -> bool:
    """True when the kernel holds the disk of this side open."""
    running = view.running.get(resource.name)
    device = running.devices.get(0) if running is not None else None
    return device is not None and device.disk is not DiskState.DISKLESS


def _keep_attached(resource: Resource, disk: DiskState, data: LogicalVolume, meta: LogicalVolume) -> Step:
    marked = _marked(data, meta)
    if not marked:
        return Step(comment=f"the disk of {resource.name} is attached")
    if disk is not DiskState.INCONSISTENT:
        raise _lost(resource, f"the disk is attached as {disk}, but {_names(marked)} is still marked {BLANK_TAG}")
    # Nobody takes an Inconsistent disk for data. Something attached it after a run that ended before unmarking.
    return _only_mark(resource, data, meta)


def _keep(resource: Resource, metadata: Metadata, data: LogicalVolume, meta: LogicalVolume) -> Step:
    marked = _marked(data, meta)
    if marked and not metadata.just_created:
        raise _lost(
            resource, f"{_names(marked)} is new and empty, but the metadata have generation {metadata.current:016X}"
        )
    if marked:
        # An earlier run ended between creating the metadata and changing the marks.
        return _only_mark(resource, data, meta)
    if metadata.just_created and NEW_TAG not in data.tags:
        raise Refused(
            f"resource {resource.name}",
            f"its metadata are new, but {_names((data,))} was not created by Saltern, or has been in use: it may hold data",
            f"If its content may be overwritten from the partner, say so with `lvchange --addtag {NEW_TAG} "
            f"{_names((data,))}` and apply again; if it is the side to keep, bring both sides up by hand and run "
            f"`drbdadm primary --force {resource.name}` on it",
        )
    return Step(comment=f"metadata of {resource.name} are in place")


def _only_mark(resource: Resource, data: LogicalVolume, meta: LogicalVolume) -> Step:
    change: Change = {"old": "set", "new": None}
    return Step(
        comment=f"metadata of {resource.name} are in place; its volumes are no longer marked as blank",
        actions=_end_of_blank(data, meta),
        changes={f"mark {BLANK_TAG} on {_names(_marked(data, meta))}": change},
    )


def _marked(data: LogicalVolume, meta: LogicalVolume) -> tuple[LogicalVolume, ...]:
    return tuple(volume for volume in (data, meta) if BLANK_TAG in volume.tags)


def _end_of_blank(data: LogicalVolume, meta: LogicalVolume) -> tuple[Action, ...]:
    """What is no longer blank loses its mark; the data volume is now the new one of these metadata."""
    return tuple(
        MarkVolume(
            volume_group=volume.volume_group,
            name=volume.name,
            remove=BLANK_TAG,
            add=NEW_TAG if volume is data else None,
        )
        for volume in _marked(data, meta)
    )


def _names(volumes: tuple[LogicalVolume, ...]) -> str:
    return " and ".join(f"{volume.volume_group}/{volume.name}" for volume in volumes)


def _place(host: ResourceHost) -> str:
    return host.meta_device if host.meta_index is None else f"{host.meta_device}[{host.meta_index}]"


def _lost(resource: Resource, found: str) -> Refused:
    return Refused(
        f"resource {resource.name}",
        f"{found}: the metadata describe data that are gone from this node",
        f"To rebuild this replica from the partner, run `drbd.metadata_wipe {resource.name} confirm={resource.name}` on this "
        "node and apply again",
    )


def _refuse_unmarked(resource: Resource, data: LogicalVolume, meta: LogicalVolume | None) -> None:
    """Nothing is written to a volume of which it is not known that nobody needs its content."""
    unmarked = tuple(volume for volume in (data, meta) if volume is not None and BLANK_TAG not in volume.tags)
    if unmarked:
        commands = " and ".join(f"`lvchange --addtag {BLANK_TAG} {_names((volume,))}`" for volume in unmarked)
        raise Refused(
            f"resource {resource.name}",
            f"it has no metadata, and {_names(unmarked)} was not created by Saltern, or has been in use: it may hold data",
            f"If its content may be overwritten on this node, say so with {commands} and apply again",
        )


def _refuse_small_slot(resource: Resource, meta: LogicalVolume, index: int | None) -> None:
    # Beyond the end of the volume, create-md can succeed where attach then fails (transcripts 042 and 047).
    if index is not None and meta.size_bytes < (index + 1) * SLOT_BYTES:
        raise Refused(
            f"resource {resource.name}",
            f"slot {index} needs a meta-disk of {(index + 1) * 128} MiB, {_names((meta,))} has {meta.size_bytes // MIB} MiB",
            "Apply the layer `lvm` first",
        )
