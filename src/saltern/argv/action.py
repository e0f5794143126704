"""The command line of every action."""

from saltern.argv import drbd, lvm, xen
from saltern.model.action import (
    Action,
    AdjustResource,
    CreateMetadata,
    CreateVolume,
    Demote,
    ExtendVolume,
    LoadDrbd,
    Promote,
    ResizeResource,
    StartDomain,
    StartFirstSync,
    UntagVolume,
    WriteFile,
)
from saltern.model.desired import domain_file


def command_for(action: Action) -> list[str]:
    """The command that performs ``action``; ``ValueError`` for ``WriteFile``, which no command does."""
    match action:
        case LoadDrbd():
            return drbd.modprobe()
        case WriteFile():
            raise ValueError(f"{action.path} is written, not run")
        case StartDomain():
            return xen.create(domain_file(action.domain))
        case CreateVolume() | ExtendVolume() | UntagVolume():
            return _volume_command(action)
        case _:
            return _resource_command(action)


def _volume_command(action: CreateVolume | ExtendVolume | UntagVolume) -> list[str]:
    match action:
        case CreateVolume():
            return lvm.lvcreate(action.volume_group, action.name, action.size_bytes, action.tag)
        case ExtendVolume():
            return lvm.lvextend(action.volume_group, action.name, action.size_bytes)
        case UntagVolume():
            return lvm.delete_tag(action.volume_group, action.name, action.tag)


def _resource_command(
    action: CreateMetadata | AdjustResource | StartFirstSync | Promote | Demote | ResizeResource,
) -> list[str]:
    match action:
        case CreateMetadata():
            return drbd.create_md(action.resource, action.max_peers)
        case AdjustResource():
            return drbd.adjust(action.resource)
        case StartFirstSync():
            return drbd.primary_force(action.resource)
        case Promote():
            return drbd.primary(action.resource)
        case Demote():
            return drbd.secondary(action.resource)
        case ResizeResource():
            return drbd.resize(action.resource)
