"""DRBD metadata: created once, on volumes that are provably blank, never over metadata."""

from saltern.desired import SLOT_BYTES
from saltern.errors import Refused
from saltern.model.action import Action, CreateMetadata, UntagVolume
from saltern.model.desired import METADATA_PEERS, NodeSlice, Resource
from saltern.model.observed import DiskState, Generation, LogicalVolume, Metadata, MetadataState
from saltern.plan.step import Step
from saltern.plan.view import View
from saltern.plan.volume import BLANK_TAG
from saltern.units import MIB


def step(resource: Resource, node_slice: NodeSlice, view: View) -> Step:
    """Create metadata for this side of a resource when its volumes were created by Saltern and never used.

    The table in ``docs/design/converge.md`` ("Blank is marked, not guessed") is this function.
    """
    host = resource.on(node_slice.node)
    data = _volume(resource, host.disk, view)
    meta = _volume(resource, host.meta_device, view)
    marked = tuple(volume for volume in (data, meta) if BLANK_TAG in volume.tags)
    if is_attached(resource, view):
        return _keep_attached(resource, view.running[resource.name].devices[0].disk, marked)
    metadata = view.metadata(resource)
    if metadata.state is MetadataState.VALID:
        return _keep(resource, metadata, marked)
    _refuse_unmarked(resource, data, meta if host.meta_index is None else None)
    _refuse_small_slot(resource, meta, host.meta_index)
    place = host.meta_device if host.meta_index is None else f"{host.meta_device}[{host.meta_index}]"
    max_peers = METADATA_PEERS if view.generation is Generation.V9 else None
    return Step(
        comment=f"metadata of {resource.name} are created",
        actions=(CreateMetadata(resource=resource.name, max_peers=max_peers), *_unmark(marked)),
        changes={f"metadata of {resource.name} in {place}": {"old": None, "new": "created"}},
    )


def is_attached(resource: Resource, view: View) -> bool:
    """True when the kernel holds the disk of this side open."""
    running = view.running.get(resource.name)
    device = running.devices.get(0) if running is not None else None
    return device is not None and device.disk is not DiskState.DISKLESS


def _keep_attached(resource: Resource, disk: DiskState, marked: tuple[LogicalVolume, ...]) -> Step:
    if not marked:
        return Step(comment=f"the disk of {resource.name} is attached")
    if disk is not DiskState.INCONSISTENT:
        raise _lost(resource, f"the disk is attached as {disk}, but {_names(marked)} is still marked {BLANK_TAG}")
    # Nobody takes an Inconsistent disk for data. Something attached it after a run that ended before unmarking.
    return _only_unmark(resource, marked)


def _only_unmark(resource: Resource, marked: tuple[LogicalVolume, ...]) -> Step:
    return Step(
        comment=f"metadata of {resource.name} are in place; its volumes are no longer marked as blank",
        actions=_unmark(marked),
        changes={f"mark {BLANK_TAG} on {_names(marked)}": {"old": "set", "new": None}},
    )


def _keep(resource: Resource, metadata: Metadata, marked: tuple[LogicalVolume, ...]) -> Step:
    if not marked:
        return Step(comment=f"metadata of {resource.name} are in place")
    if not metadata.just_created:
        raise _lost(
            resource, f"{_names(marked)} is new and empty, but the metadata have generation {metadata.current:016X}"
        )
    # An earlier run ended between creating the metadata and taking the mark away.
    return _only_unmark(resource, marked)


def _unmark(marked: tuple[LogicalVolume, ...]) -> tuple[Action, ...]:
    return tuple(UntagVolume(volume_group=volume.volume_group, name=volume.name, tag=BLANK_TAG) for volume in marked)


def _volume(resource: Resource, path: str, view: View) -> LogicalVolume:
    group, _, name = path.removeprefix("/dev/").partition("/")
    volume = view.lvm.volumes.get((group, name))
    if volume is None:
        raise Refused(f"resource {resource.name}", f"{path} does not exist on this node", "Apply the layer `lvm` first")
    return volume


def _names(volumes: tuple[LogicalVolume, ...]) -> str:
    return " and ".join(f"{volume.volume_group}/{volume.name}" for volume in volumes)


def _lost(resource: Resource, found: str) -> Refused:
    return Refused(
        f"resource {resource.name}",
        f"{found}: the metadata describe data that are gone from this node",
        f"To rebuild this replica from the partner, run `drbd.metadata_wipe {resource.name}` here and apply again",
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
