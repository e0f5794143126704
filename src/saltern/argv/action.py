"""The command line of every action."""

from saltern.argv import drbd, drbdsetup, lvm, ssh, xen
from saltern.model.action import (
    Action,
    AdjustResource,
    CreateMetadata,
    CreateVolume,
    Demote,
    Disconnect,
    EndDomain,
    EndOperation,
    ExtendVolume,
    ForgetPeer,
    ForgetStop,
    LoadDrbd,
    MakeMigrationKey,
    MarkOutdated,
    MarkVolume,
    Promote,
    RemoveFile,
    RemoveVolume,
    RenameVolume,
    ResizeResource,
    StartDomain,
    StartFirstSync,
    TakeDown,
    UnpauseDomain,
    WipeMetadata,
    WriteFile,
)
from saltern.model.desired import domain_file


def command_for(action: Action) -> list[str]:
    """The command that performs ``action``; ``ValueError`` for what is done to a file, by no command."""
    match action:
        case LoadDrbd():
            return drbd.modprobe()
        case WriteFile() | RemoveFile() | EndOperation() | ForgetStop():
            raise ValueError(f"{action} is done to a file, and not run")
        case MakeMigrationKey():
            return ssh.make_key(f"saltern migration of {action.node}")
        case StartDomain() | EndDomain() | UnpauseDomain():
            return _domain_command(action)
        case CreateVolume() | ExtendVolume() | MarkVolume() | RenameVolume() | RemoveVolume():
            return _volume_command(action)
        case TakeDown() | MarkOutdated() | Disconnect() | ForgetPeer():
            return _taking_apart(action)
        case _:
            return _resource_command(action)


def _domain_command(action: StartDomain | EndDomain | UnpauseDomain) -> list[str]:
    match action:
        case StartDomain():
            return xen.create(domain_file(action.domain))
        case EndDomain():
            return xen.destroy(action.domain)
        case UnpauseDomain():
            return xen.unpause(action.domain)


def _taking_apart(action: TakeDown | MarkOutdated | Disconnect | ForgetPeer) -> list[str]:
    match action:
        case TakeDown():
            return drbdsetup.down(action.resource)
        case MarkOutdated():
            return drbd.outdate(action.resource)
        case Disconnect():
            return drbd.disconnect(action.resource)
        case ForgetPeer():
            return drbdsetup.del_peer(action.resource, action.peer_node_id)


def _volume_command(
    action: CreateVolume | ExtendVolume | MarkVolume | RenameVolume | RemoveVolume,
) -> list[str]:
    match action:
        case RenameVolume():
            return lvm.lvrename(action.volume_group, action.name, action.new_name)
        case RemoveVolume():
            return lvm.lvremove(action.volume_group, action.name)
        case CreateVolume():
            return lvm.lvcreate(action.volume_group, action.name, action.size_bytes, action.tag)
        case ExtendVolume():
            return lvm.lvextend(action.volume_group, action.name, action.size_bytes)
        case MarkVolume():
            return lvm.mark(action.volume_group, action.name, remove=action.remove, add=action.add)


def _resource_command(
    action: CreateMetadata | WipeMetadata | AdjustResource | StartFirstSync | Promote | Demote | ResizeResource,
) -> list[str]:
    match action:
        case CreateMetadata():
            return drbd.create_md(action.resource, action.max_peers)
        case WipeMetadata():
            return drbd.wipe_md(action.minor, action.generation, action.meta_device, action.meta_index)
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
