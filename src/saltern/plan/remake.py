"""What takes apart, for a remake: each step from where it begins to its end, and nothing from anywhere else.

A step that is asked for again finds itself done. What is there and is neither its beginning nor its end, nor between them, is
refused. What builds up is what `state.apply` does (``saltern.plan.items``).
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from saltern.errors import Refused
from saltern.model.action import (
    Action,
    AdjustResource,
    Disconnect,
    ForgetPeer,
    LoadDrbd,
    MarkOutdated,
    RemoveFile,
    RemoveVolume,
    RenameVolume,
    TakeDown,
    WipeMetadata,
)
from saltern.model.desired import Resource, ResourceHost, Volume, domain_file, resource_file, volume_key
from saltern.model.observed import ConfiguredHost, ConfiguredResource, LogicalVolume, MetadataState
from saltern.model.running import ConnectionState, DiskState, Generation, ReplicationState, Role, RunningResource
from saltern.plan import attach
from saltern.plan.step import Step, Wait
from saltern.plan.view import View
from saltern.plan.volume import BLANK_TAG, NEW_TAG
from saltern.render.header import is_ours

_AGAIN: Final = "See to that, then give the same command again"


# --- Resources ---------------------------------------------------------------------------------------------------
def freeze(was: Resource, node: str, view: View) -> Step | Wait:
    """Take a copy out of service that is complete at this moment: its peer has the same, and follows alone from now on.

    It is Outdated from here on, whatever becomes of the remake: what the other one writes now is not in it. Where fencing is on
    DRBD marks it by itself, as its connection ends. One that is found down, since its node was without power or whoever took it
    down was killed, may have missed something: it is brought up again, and catches up first.
    """
    side = view.running.get(was.name)
    has_file = view.file(resource_file(was.name)) is not None
    if side is None and has_file:
        _require_file(was, view)
        words = "brought up again, to see that its copy is complete"
        load = () if view.version.loaded else (LoadDrbd(),)
        return _step([*load, AdjustResource(resource=was.name)], "", {f"resource {was.name}": words})
    if side is not None and _is_up_as(was, node, view):
        catches_up = _catches_up(was, side)
        if catches_up is not None:
            return Wait(reason=catches_up, remedy="See to the replication network")
        _require_complete(was, side)
        if not attach.connected(side) or _partner_disk(side) is not DiskState.UP_TO_DATE:
            raise Refused(
                f"resource {was.name}",
                f"it is not connected to an UpToDate copy ({_connection_words(side)}), so that this one may be the only one",
                f"It has to be connected and UpToDate on both nodes. {_AGAIN}",
            )
        if not has_file:
            raise Refused(
                f"resource {was.name}",
                f"it is up and has no file {resource_file(was.name)}, by which drbdadm finds its metadata to mark them Outdated",
                f"Put the file back, as it was when the resource was brought up. {_AGAIN}",
            )
    return take_down(was, node, view, mark=(MarkOutdated(resource=was.name),))


def _catches_up(was: Resource, side: RunningResource) -> str | None:
    """What time has to bring before it is seen whether a copy is complete."""
    if attach.given_up(side):
        return None
    if not attach.connected(side):
        return f"{was.name} is not connected to the other copy ({side.connections[0].state})"
    return _synchronising(was, side)


def down(was: Resource, node: str, view: View) -> Step:
    """Take the resource of a domain down that is shut down; its data are complete here."""
    side = view.running.get(was.name)
    if side is not None and _is_up_as(was, node, view):
        _require_unused_there(was, side)
        _require_complete(was, side)
    return take_down(was, node, view)


def take_down(was: Resource, node: str, view: View, *, mark: tuple[Action, ...] = ()) -> Step:
    """Take the resource out of the kernel, and its file away. Raises ``Refused`` for another one of that name, and in use.

    ``mark`` is done to its metadata between: what needs the file, and a resource that is down.
    """
    side = view.running.get(was.name)
    has_file = view.file(resource_file(was.name)) is not None
    if has_file:
        _require_file(was, view)
    if side is not None:
        _require_minor(was, node, side)
        if side.role is not Role.SECONDARY:
            raise Refused(
                f"resource {was.name}",
                f"it is {side.role} here: something uses it, or did when its node lost sight of the other",
                f"Only what is Secondary is taken down; see `xl list` and `drbdsetup status`. {_AGAIN}",
            )
    actions: list[Action] = [] if side is None else [TakeDown(resource=was.name)]
    if has_file:
        actions += [*mark, RemoveFile(path=resource_file(was.name))]
    return _step(actions, f"{was.name} is down here and has no file", {f"resource {was.name}": "taken down"})


def disconnect(was: Resource, node: str, view: View, *, follows: bool) -> Step | Wait:
    """Take the connection apart, and the file away; the disk stays in use.

    A copy that ``follows`` the other one goes first. Where the other one is Primary it is Outdated from here on: it has nothing
    of what is written there from now on.
    """
    side = view.running.get(was.name)
    done = f"{was.name} is not connected, and has no file"
    if view.file(resource_file(was.name)) is None:
        if side is not None and not attach.given_up(side):
            raise Refused(
                f"resource {was.name}",
                f"it is {_connection_words(side)} and has no file {resource_file(was.name)}",
                f"Put the file back, as it was when the resource was brought up. {_AGAIN}",
            )
        return _step([], done, {})
    _require_file(was, view)
    if side is not None:
        _require_minor(was, node, side)
        if attach.two_primaries(side):
            raise Refused(f"resource {was.name}", "it is Primary on both nodes", f"End the migration first. {_AGAIN}")
    found = _leave(was, side) if follows else _let_go(was, side)
    if not isinstance(found, list):
        return found
    if side is not None and side.connections and view.generation is Generation.V9:
        found.append(ForgetPeer(resource=was.name, peer_node_id=was.peer_of(node).node_id))
    return _step([*found, RemoveFile(path=resource_file(was.name))], done, {f"resource {was.name}": "disconnected"})


def _let_go(was: Resource, side: RunningResource | None) -> list[Action]:
    """Of the copy that is written to, or of two that nothing writes to."""
    if side is None or attach.given_up(side):
        return []
    _require_complete(was, side)
    return [Disconnect(resource=was.name)]


def _leave(was: Resource, side: RunningResource | None) -> list[Action] | Step | Wait:
    """Of the copy that follows. Only one that sees that the other is Primary may be marked, else the only good one would be.

    One that was parted and not marked, since whoever did that was killed, is connected again, to see that.
    """
    if side is None or attach.given_up(side):
        if side is not None and 0 in side.devices and side.devices[0].disk is DiskState.OUTDATED:
            return []
        words = "connected again, to see whether the other copy is written to"
        return _step([AdjustResource(resource=was.name)], "", {f"resource {was.name}": words})
    if side.role is not Role.SECONDARY:
        raise Refused(
            f"resource {was.name}",
            f"it is {side.role} here, and the plan has its domain run on the other node",
            f"See `xl list` and `drbdsetup status` on both. {_AGAIN}",
        )
    unseen = _unseen(was, side)
    if unseen is not None:
        return Wait(reason=unseen, remedy="See to the replication network")
    _require_complete(was, side)
    written = any(each.role is Role.PRIMARY for each in side.connections)
    return [Disconnect(resource=was.name), *([MarkOutdated(resource=was.name)] if written else [])]


def _unseen(was: Resource, side: RunningResource) -> str | None:
    """What time has to bring before it is seen what a copy will lack."""
    connection = side.connections[0]
    if connection.state is not ConnectionState.CONNECTED or connection.role is Role.UNKNOWN:
        return (
            f"{was.name} is not connected to the other copy ({connection.state}), so that it is not known whether that is "
            "written to"
        )
    return _synchronising(was, side)


def _synchronising(was: Resource, side: RunningResource) -> str | None:
    peer = side.connections[0].volumes.get(0)
    if peer is not None and peer.replication not in (ReplicationState.ESTABLISHED, ReplicationState.OFF):
        return f"{was.name} is being synchronised ({peer.replication})"
    return None


def _is_up_as(was: Resource, node: str, view: View) -> bool:
    """Whether it is ``was`` that is up; anything else of that name is refused by ``take_down``."""
    side = view.running.get(was.name)
    device = side.devices.get(0) if side is not None else None
    return device is not None and device.minor == was.on(node).minor


def _require_complete(was: Resource, side: RunningResource) -> None:
    disk = side.devices[0].disk if 0 in side.devices else DiskState.DISKLESS
    if disk is not DiskState.UP_TO_DATE:
        raise Refused(
            f"resource {was.name}",
            f"its disk is {disk} here",
            f"Only an UpToDate copy is taken out of service. {_AGAIN}",
        )


def _require_unused_there(was: Resource, side: RunningResource) -> None:
    """The domain was shut down before; whoever has started it since, on the other node, is not to lose its second copy."""
    if any(each.role is Role.PRIMARY for each in side.connections):
        raise Refused(
            f"resource {was.name}",
            "it is Primary on the other node: something uses it there, such as a domain that was started since",
            f"Shut that down; see `xl list` there. {_AGAIN}",
        )


def _require_minor(was: Resource, node: str, side: RunningResource) -> None:
    wanted = was.on(node).minor
    if [device.minor for device in side.devices.values()] not in ([wanted], []):
        minors = ", ".join(str(device.minor) for device in side.devices.values())
        raise Refused(
            f"resource {was.name}",
            f"it runs here with minor {minors}, and BEFORE gives it {wanted}",
            f"It is another one of that name: look whose it is. {_AGAIN}",
        )


def _require_file(was: Resource, view: View) -> None:
    """Raises ``Refused`` unless the file of the resource is ours and says of its sides what BEFORE says."""
    path = resource_file(was.name)
    text = view.file(path)
    if text is not None and not is_ours(text):
        raise Refused(f"file {path}", "it was not written by Saltern", f"Look whose it is. {_AGAIN}")
    configured = view.configured.get(was.name)
    said = set() if configured is None else {_side(each) for each in configured.hosts}
    wanted = {_wanted_side(host) for host in was.hosts}
    if configured is None or configured.file != path or said != wanted:
        raise Refused(
            f"resource {was.name}",
            f"{path} does not say of its sides what BEFORE says: {', '.join(map(str, sorted(said - wanted))) or 'nothing'}",
            f"BEFORE says {', '.join(map(str, sorted(wanted)))}: see that BEFORE is what the nodes were made of. {_AGAIN}",
        )


def _side(host: ConfiguredHost) -> tuple[str, str, int, str]:
    places = ", ".join(f"minor {each.minor} {each.disk} {_place(each)}" for each in host.volumes.values())
    return host.node, host.address, host.port, places


def _wanted_side(host: ResourceHost) -> tuple[str, str, int, str]:
    return host.node, host.address, host.port, f"minor {host.minor} {host.disk} {_place(host)}"


def _place(side: object) -> str:
    device, index = getattr(side, "meta_device", ""), getattr(side, "meta_index", None)
    return str(device) if index is None else f"{device}[{index}]"


def _partner_disk(side: RunningResource) -> DiskState:
    for connection in side.connections:
        if 0 in connection.volumes:
            return connection.volumes[0].disk
    return DiskState.UNKNOWN


def _connection_words(side: RunningResource | None) -> str:
    if side is None or not side.connections:
        return "StandAlone"
    return f"{side.connections[0].state}, the other copy {_partner_disk(side)}"


# --- Volumes -----------------------------------------------------------------------------------------------------
def rename(former: Iterable[Volume], volumes: Iterable[Volume], view: View) -> Step:
    """Give volumes their new names; refused where both names are there, or neither, and while one is open."""
    actions: list[Action] = []
    changes = {}
    for old, new in zip(former, volumes, strict=True):
        mine, theirs = (view.lvm.volumes.get(volume_key(each.path)) for each in (old, new))
        if mine is None and theirs is not None:
            continue
        if mine is None:
            raise Refused(
                f"volume {old.path}", f"neither it nor {new.path} is there", f"Look what became of it. {_AGAIN}"
            )
        if theirs is not None:
            blank = f"; {new.path} is blank: `lvremove {new.path}`" if BLANK_TAG in theirs.tags else ""
            raise Refused(
                f"volume {old.path}", f"both it and {new.path} are there", f"One name is one volume{blank}. {_AGAIN}"
            )
        _require_closed(old.path, mine)
        actions.append(RenameVolume(volume_group=old.volume_group, name=old.name, new_name=new.name))
        changes[f"volume {old.path}"] = new.path
    return _step(actions, "the volumes have their new names", changes)


def require_new(volumes: Iterable[Volume], now: Resource, node: str, view: View) -> None:
    """Raises ``Refused`` where a new copy would come over a volume of which it is not known that nobody needs it."""
    host = now.on(node)
    own = {host.disk, host.meta_device} if host.meta_index is None else {host.disk}
    for volume in volumes:
        found = view.lvm.volumes.get(volume_key(volume.path))
        if found is None or volume.path not in own or found.tags & {BLANK_TAG, NEW_TAG}:
            continue
        if not any(each.name == now.name for each in _users(volume.path, None, node, view)):
            raise Refused(
                f"volume {volume.path}",
                "it is there, and was not created by Saltern, or has been in use: it may hold data",
                f"If nobody needs its content, say so with `lvchange --addtag {BLANK_TAG} {volume.volume_group}/{volume.name}`. "
                f"{_AGAIN}",
            )


def remove_replica(was: Resource, volumes: tuple[Volume, ...], node: str, frozen: bool, view: View) -> Step:
    """Take a copy away for good that was named: resource, file, metadata in a slot, volumes.

    A ``frozen`` one is out of service already: a resource of its name is that of the copy in its place.
    """
    side = view.running.get(was.name)
    if not frozen:
        if side is not None and _is_up_as(was, node, view):
            _require_unused_there(was, side)
        ended = take_down(was, node, view)
        if ended.actions:
            return ended
    there = [found for volume in volumes if (found := view.lvm.volumes.get(volume_key(volume.path))) is not None]
    was = _aside(was, node, view)
    host = was.on(node)
    for found in there:
        path = f"/dev/{found.volume_group}/{found.name}"
        _require_closed(path, found)
        _refuse_configured(path, None, was, node, view)
    actions: list[Action] = []
    if host.meta_index is not None and there:
        _refuse_configured(host.meta_device, host.meta_index, was, node, view)
        if view.metadata(was).state is MetadataState.VALID:
            actions.append(
                WipeMetadata(
                    resource=was.name,
                    minor=host.minor,
                    generation=view.generation,
                    meta_device=host.meta_device,
                    meta_index=host.meta_index,
                )
            )
    actions += [RemoveVolume(volume_group=found.volume_group, name=found.name) for found in there]
    gone = {f"volume /dev/{found.volume_group}/{found.name}": "removed" for found in there}
    return _step(actions, f"nothing is left of this copy of {was.name} here", gone)


def _aside(was: Resource, node: str, view: View) -> Resource:
    """The same copy under a minor that nothing has here: what is in its place may have its own.

    drbdmeta reads and wipes nothing for a minor that is attached, whatever meta-disk it is given. No minor stands in metadata.
    """
    taken = {device.minor for running in view.running.values() for device in running.devices.values()}
    if was.minor_on(node) not in taken:
        return was
    home, partner = (replace(host, minor=max(taken) + 1) if host.node == node else host for host in was.hosts)
    return replace(was, hosts=(home, partner))


def _require_closed(path: str, found: LogicalVolume) -> None:
    if found.open:
        raise Refused(
            f"volume {path}", "something holds it open", f"See `dmsetup ls --tree` and `drbdsetup status`. {_AGAIN}"
        )


def _refuse_configured(path: str, index: int | None, was: Resource, node: str, view: View) -> None:
    for other in _users(path, index, node, view):
        raise Refused(
            f"volume {path}",
            f"the resource {other.name} of {other.file} has it",
            f"Only what no resource has is removed, and this should be the copy of {was.name} that BEFORE tells of. {_AGAIN}",
        )


def _users(path: str, index: int | None, node: str, view: View) -> Iterator[ConfiguredResource]:
    for each in view.configured.values():
        for host in each.hosts:
            for volume in host.volumes.values() if host.node == node else ():
                if (path, None) == (volume.disk, index) or (path, index) == (volume.meta_device, volume.meta_index):
                    yield each


# --- Domains -----------------------------------------------------------------------------------------------------
def remove_config(domain: str, uuid: str, view: View) -> Step:
    """Take the file of a domain away that is not here, and does not belong here any more."""
    path = domain_file(domain)
    text = view.file(path)
    if text is None:
        return _step([], f"{path} is not there", {})
    if not is_ours(text):
        raise Refused(f"file {path}", "it was not written by Saltern", f"Look whose it is. {_AGAIN}")
    here = [each for each in view.xen.domains if each.uuid == uuid or each.name == domain]
    if here:
        raise Refused(
            f"domain {domain}", f"it is on this node (domid {here[0].domid})", f"Move it, or shut it down. {_AGAIN}"
        )
    return _step([RemoveFile(path=path)], f"{path} is not there", {f"file {path}": "taken away"})


def _step(actions: list[Action], comment: str, changes: dict[str, str]) -> Step:
    told = "; ".join(f"{subject}: {what}" for subject, what in changes.items()) if actions else comment
    return Step(
        comment=told or comment,
        actions=tuple(actions),
        changes={subject: {"old": None, "new": what} for subject, what in changes.items()} if actions else {},
    )
