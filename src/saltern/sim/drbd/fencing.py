"""What keeps one side from going on alone where ``fencing`` is on: the handler ``fence-peer``, and I/O that waits for its answer.

After conn_try_outdate_peer() in drbd_nl.c, sanitize_state() and w_after_conn_state_ch() in drbd_state.c of DRBD 8.4.11; 9 does
the same for each connection.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from saltern.sim.drbd import handlers, store
from saltern.sim.drbd.failure import Code, Failure
from saltern.sim.drbd.kernel import Device, Disk, Handler, Resource

if TYPE_CHECKING:
    from saltern.sim.world import SimNode, World

STONITH: Final = "resource-and-stonith"
_POLICIES: Final = ("dont-care", "resource-only", STONITH)  # each is more than the one before it
# What the peer's copy counts as after an exit code of the handler; after any other it stays unknown.
_PEER_DISKS: Final = {3: Disk.INCONSISTENT, 4: Disk.OUTDATED, 7: Disk.OUTDATED}
_UNREACHABLE: Final = 5  # taken for dead by a side that is UpToDate
_PEER_IS_ACTIVE: Final = 6


def policy(resource: Resource, device: Device) -> str:
    """What is to be done about a peer that is out of sight: an option of the disk on 8.4, of the net on 9."""
    net = {} if resource.connection is None else resource.connection.options
    return device.options.get("fencing") or net.get("fencing", _POLICIES[0])


def is_on(resource: Resource, device: Device) -> bool:
    """Whether the peer must be fenced before this side may go on alone."""
    return policy(resource, device) != _POLICIES[0]


def check_protocol(net: Mapping[str, str], holders: Iterable[Mapping[str, str]]) -> None:
    """What is acknowledged before the peer has it cannot wait for the peer: raises ``Failure`` with protocol A."""
    if net.get("protocol") == "A" and any(options.get("fencing") == STONITH for options in holders):
        raise Failure(Code.STONITH_AND_PROTOCOL_A)


def peer_lost(world: "World", node: "SimNode", resource: Resource) -> None:
    """A Primary has lost its peer: its handler runs while everything else goes on (conn_disconnect)."""
    if not resource.primary or _peer_disk(resource) < Disk.UNKNOWN:
        return
    highest = _highest_policy(resource)
    if highest is None:
        resource.unfenced = False  # "Not fencing peer, I'm not even Consistent myself."
    elif highest != _POLICIES[0]:
        handlers.start(world, node, resource.name, _begin(world, resource))


def hold_back(resource: Resource) -> None:
    """The peer of a Primary goes out of sight: nothing is written until it is known what its copy counts as."""
    if resource.primary and any(
        store.attached(device) and policy(resource, device) == STONITH for device in resource.devices.values()
    ):
        resource.unfenced = True


def fence_peer(world: "World", node: "SimNode", resource: Resource) -> bool:
    """Run the handler for a side that shall become Primary, and wait for it; whether the peer's copy now counts as old."""
    highest = _highest_policy(resource)
    if highest is None:
        return False
    if highest == _POLICIES[0]:
        _trust(resource)
        return True
    number = _begin(world, resource)
    return answered(world, node, resource.name, number, handlers.run(world, node, resource.name, number))


def answered(world: "World", node: "SimNode", name: str, number: int, code: int) -> bool:
    """A handler has ended with an exit code; whether the peer's copy now counts as old.

    It is nobody's any more when the resource, or the power, was taken away meanwhile, and it comes too late when the sides
    have met since it was started.
    """
    resource = node.drbd.resources.get(name)
    handler = next((each for each in resource.handlers if each.number == number), None) if resource else None
    if resource is None or handler is None:
        return False
    resource.handlers.remove(handler)
    if not resource.connected and handler.meetings == resource.meetings:
        _believe(world, node, resource, code)
    return _peer_disk(resource) <= Disk.OUTDATED


def go_on(world: "World", node: "SimNode", resource: Resource) -> None:
    """I/O goes on without the peer: what is written from now on is of a new generation."""
    resource.unfenced = False
    for device in resource.devices.values():
        if (
            device.new_generation and device.disk > Disk.ATTACHING
        ):  # also on one that is just failing (drbd_adm_resume_io)
            store.meta(node, device).new_current((world.random64() & ~1) | resource.primary)
        device.new_generation = False


def met(resource: Resource) -> None:
    """The sides are connected: what waited is sent to both."""
    resource.meetings += 1
    resource.unfenced = False
    for device in resource.devices.values():
        device.new_generation = False


def _begin(world: "World", resource: Resource) -> int:
    handler = Handler(world.random64(), resource.meetings)
    resource.handlers.append(handler)
    return handler.number


def _highest_policy(resource: Resource) -> str | None:
    """``None`` where no disk is good enough to go on with."""
    found = [policy(resource, device) for device in resource.devices.values() if device.disk >= Disk.CONSISTENT]
    return max(found, key=_POLICIES.index, default=None)


def _peer_disk(resource: Resource) -> Disk:
    """The best of the peer's disks."""
    return max((device.peer_disk for device in resource.devices.values()), default=Disk.DISKLESS)


def _believe(world: "World", node: "SimNode", resource: Resource, code: int) -> None:
    disk = _PEER_DISKS.get(code)
    if disk is not None:
        _trust(resource)
    if code == _UNREACHABLE and any(device.disk == Disk.UP_TO_DATE for device in resource.devices.values()):
        disk = Disk.OUTDATED
    for device in resource.devices.values():
        if disk is not None:
            device.peer_disk = min(device.peer_disk, disk)
        elif code == _PEER_IS_ACTIVE and not resource.primary and device.disk > Disk.OUTDATED:
            device.disk = Disk.OUTDATED
        store.write_flags(node, resource, device)
    if disk is not None and resource.unfenced:
        go_on(world, node, resource)


def _trust(resource: Resource) -> None:
    """Nothing is held against the data of this side any more: drbd_set_role asks for this together with the role."""
    for device in resource.devices.values():
        if device.disk == Disk.CONSISTENT:
            device.disk = Disk.UP_TO_DATE
