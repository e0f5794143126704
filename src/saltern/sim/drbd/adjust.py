"""What must be run to bring the kernel to the configuration: ``drbdadm adjust`` and ``up`` as lists of commands.

The order is that of drbdadm: all resources stage by stage (transcripts 040-043, 069, 080, 181, 188, 193, 222; for 9
drbdadm_adjust.c of drbd-utils and its dry runs). A changed slot of a meta-disk goes unnoticed, as with the real one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum, auto
from typing import TYPE_CHECKING

from saltern.sim.drbd import kernel
from saltern.sim.drbd.config import Config, HostSection, Options, Resource, Volume
from saltern.sim.drbd.kernel import STANDALONE, Device, Disk
from saltern.sim.drbd.options import PEER_DEVICE_9, SECTIONS

if TYPE_CHECKING:
    from saltern.sim.world import SimNode

Command = list[str]


class Stage(IntEnum):
    """The order of commands over all resources."""

    RESOURCE = auto()
    RESOURCE_OPTIONS = auto()
    REMOVE_DEVICE = auto()
    DEVICE = auto()
    DISCONNECT = auto()
    REMOVE_PATH = auto()
    PEER = auto()
    PATH = auto()
    NET_OPTIONS = auto()
    PEER_DEVICE_OPTIONS = auto()
    DISK = auto()
    CONNECT = auto()


Staged = Iterator[tuple[Stage, Command]]


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a stage, for a resource: when one fails, the rest of its resource is not run."""

    stage: Stage
    resource: str
    command: Command


def flags(options: Mapping[str, str]) -> list[str]:
    """Options as arguments."""
    return [f"--{name}={value}" for name, value in options.items()]


class Side:
    """A configured resource on one node, with the options that count for it."""

    def __init__(self, config: Config, resource: Resource, node: "SimNode") -> None:
        host = resource.host(node.name)
        assert host is not None  # noqa: S101 - the caller has looked
        self.config = config
        self.resource = resource
        self.node = node
        self.host: HostSection = host
        found = resource.peers(node.name)
        # Without a mesh there is nobody to connect with where there are several.
        self.peers: list[HostSection | None] = [*found] if resource.mesh or len(found) == 1 else [None]
        # That with the other copy.
        self.peer = next((each for each in self.peers if each is not None and not each.diskless), None)
        self.nine = node.drbd_version == "9"
        self.drbdsetup = "drbdsetup" if self.nine else "drbdsetup-84"

    @property
    def running(self) -> kernel.Resource | None:
        """What the kernel knows of it."""
        return self.node.drbd.resources.get(self.resource.name)

    def disk_options(self, volume: Volume) -> Options:
        """The options of the disk; those of the peer device are apart on 9."""
        options = self.config.disk_options(self.resource, volume)
        return {name: options[name] for name in options if not (self.nine and name in PEER_DEVICE_9)}

    def peer_device_options(self, volume: Volume, peer: HostSection | None) -> Options:
        """The options of a peer device of 9, in the order of the file; and that one without a disk has no bitmap."""
        options = self.config.disk_options(self.resource, volume)
        bitmap = {"bitmap": "no"} if peer is not None and peer.volumes[volume.number].diskless else {}
        return {name: options[name] for name in reversed(options) if self.nine and name in PEER_DEVICE_9} | bitmap

    def net_options(self) -> Options:
        """The options of the connection."""
        return self.config.net_options(self.resource)

    # --- Single commands -------------------------------------------------------------------------------------------
    def new_resource(self) -> Command:
        """Make the resource."""
        node_id = [str(self.host.node_id)] if self.nine else []
        options = flags(self.config.resource_options(self.resource))
        return [self.drbdsetup, "new-resource", self.resource.name, *node_id, *options]

    def new_minor(self, volume: Volume) -> Command:
        """Make a device."""
        made = [self.drbdsetup, "new-minor", self.resource.name, str(volume.minor), str(volume.number)]
        return [*made, "--diskless"] if volume.diskless else made

    def drbdmeta(self, volume: Volume, *command: str) -> Command:
        """Anything that drbdmeta does to the metadata of a volume."""
        version = "v09" if self.nine else "v08"
        return ["drbdmeta", str(volume.minor), version, volume.meta_device, volume.drbdmeta_index, *command]

    def attach(self, volume: Volume) -> list[Command]:
        """Attach a volume, if it has a disk."""
        if volume.diskless:
            return []
        attach = [self.drbdsetup, "attach", str(volume.minor), volume.disk, volume.meta_device, volume.index_word]
        return [self.drbdmeta(volume, "apply-al"), [*attach, *flags(self.disk_options(volume))]]

    def detach(self, minor: int) -> Command:
        """Take the disk from a device that is to get another one."""
        return [self.drbdsetup, "detach", *(["--diskless"] if self.nine else []), str(minor)]

    def connect(self, peer: HostSection | None, *extra: str) -> Command:
        """Connect; with no single peer drbdadm-84 writes ``N/A`` (transcripts 090, 101)."""
        if self.nine:
            return [self.drbdsetup, "connect", *self.peer_words(peer), *extra]
        remote = peer.endpoint if peer is not None else "N/A"
        options = flags(self.net_options())
        return [self.drbdsetup, "connect", self.resource.name, self.host.endpoint, remote, *options, *extra]

    def peer_words(self, peer: HostSection | None) -> list[str]:
        """How commands name a connection: by addresses on 8.4, by the peer's node-id on 9."""
        if self.nine:
            return [self.resource.name, str(peer.node_id if peer is not None else 0)]
        return [self.host.endpoint, peer.endpoint if peer is not None else "N/A"]

    def new_peer(self, peer: HostSection) -> Command:
        """Make a connection of 9."""
        options = flags(self.net_options())
        return [self.drbdsetup, "new-peer", *self.peer_words(peer), f"--_name={peer.name}", *options]

    def new_path(self, peer: HostSection) -> Command:
        """Give a connection of 9 its addresses."""
        return [self.drbdsetup, "new-path", *self.peer_words(peer), self.host.endpoint, peer.endpoint]

    def net_options_defaults(self, peer: HostSection | None) -> Command:
        """Set the options of a connection to what the configuration says."""
        name = [f"--_name={peer.name}"] if self.nine and peer is not None else []
        options = flags(self.net_options())
        return [self.drbdsetup, "net-options", *self.peer_words(peer), "--set-defaults", *name, *options]


def adjust(side: Side) -> list[Step]:
    """What is missing or different, empty when nothing is."""
    steps = [*_resource_steps(side), *_device_steps(side), *_disk_steps(side)]
    if side.nine:
        steps += [step for peer in side.peers if peer is not None for step in _net_steps_9(side, peer)]
    else:
        steps += _net_steps_84(side)
    return [Step(stage, side.resource.name, command) for stage, command in steps]


def up(side: Side) -> list[Step]:
    """Everything from nothing; what is there already makes a command fail (transcript 053)."""
    volumes = side.host.volumes.values()
    # drbdadm-84 finishes the devices of one resource before it makes the next resource.
    devices = Stage.DEVICE if side.nine else Stage.RESOURCE
    steps = [(Stage.RESOURCE, side.new_resource()), *((devices, side.new_minor(volume)) for volume in volumes)]
    steps += [(Stage.DISK, command) for volume in volumes for command in side.attach(volume)]
    if side.nine:
        steps += [
            step for peer in side.peers if peer is not None for step in _new_peer_steps(side, peer, defaults=False)
        ]
    else:
        steps.append((Stage.CONNECT, side.connect(side.peer)))
    return [Step(stage, side.resource.name, command) for stage, command in steps]


def differs(section: str, wanted: Options, present: Mapping[str, str], generation: str) -> bool:
    """Whether options mean something else than what the kernel has; an option at its default may be left out."""
    kinds = SECTIONS[generation][section]
    return any(
        kinds[name].normal(wanted.get(name, kinds[name].default or ""))
        != kinds[name].normal(present.get(name, kinds[name].default or ""))
        for name in wanted.keys() | present.keys()
        if name in kinds
    )


def _resource_steps(side: Side) -> Staged:
    running = side.running
    if running is None:
        yield Stage.RESOURCE, side.new_resource()
        return
    wanted = side.config.resource_options(side.resource)
    if differs("options", wanted, running.options, side.node.drbd_version):
        command = [side.drbdsetup, "resource-options", side.resource.name, "--set-defaults", *flags(wanted)]
        yield Stage.RESOURCE_OPTIONS, command


def _device_steps(side: Side) -> Staged:
    """Devices that are missing, and devices that the configuration does not know."""
    running = side.running
    present = {} if running is None else running.devices
    for volume in side.host.volumes.values():
        found = present.get(volume.number)
        if found is None or found.minor != volume.minor:
            yield Stage.DEVICE, side.new_minor(volume)
    for number, device in present.items():
        volume_or_none = side.host.volumes.get(number)
        if volume_or_none is None or volume_or_none.minor != device.minor:
            if device.disk != Disk.DISKLESS:
                yield Stage.REMOVE_DEVICE, side.detach(device.minor)
            yield Stage.REMOVE_DEVICE, [side.drbdsetup, "del-minor", str(device.minor)]


def _disk_steps(side: Side) -> Staged:
    running = side.running
    for volume in side.host.volumes.values():
        device = running.devices.get(volume.number) if running is not None else None
        if volume.diskless:
            continue
        if device is None or device.disk == Disk.DISKLESS or device.minor != volume.minor:
            yield from ((Stage.DISK, command) for command in side.attach(volume))
        elif (volume.disk, volume.meta_device) != (device.backing, device.meta):
            yield Stage.REMOVE_DEVICE, side.detach(volume.minor)
            yield from ((Stage.DISK, command) for command in side.attach(volume))
        else:
            yield from _disk_option_steps(side, volume, device)


def _disk_option_steps(side: Side, volume: Volume, device: Device) -> Staged:
    wanted = side.disk_options(volume)
    if differs("disk", wanted, device.options, side.node.drbd_version):
        yield Stage.DISK, [side.drbdsetup, "disk-options", str(volume.minor), "--set-defaults", *flags(wanted)]


def _net_steps_84(side: Side) -> Staged:
    running = side.running
    connection = running.connection if running is not None else None
    if connection is None or connection.state == STANDALONE:
        yield Stage.CONNECT, side.connect(side.peer)
    elif [connection.local, connection.remote] != side.peer_words(side.peer):
        yield Stage.CONNECT, [side.drbdsetup, "disconnect", connection.local, connection.remote]
        yield Stage.CONNECT, side.connect(side.peer)
    elif differs("net", side.net_options(), connection.options, "8.4"):
        yield Stage.CONNECT, side.net_options_defaults(side.peer)


def _net_steps_9(side: Side, peer: HostSection) -> Staged:
    running = side.running
    links = [] if running is None else running.links
    connection = next((each for each in links if each.peer_node_id == peer.node_id), None)
    if running is None or connection is None:
        yield from _new_peer_steps(side, peer, defaults=True)
        return
    moved = (connection.local, connection.remote) != (side.host.endpoint, peer.endpoint)
    standalone = connection.state == STANDALONE
    if differs("net", side.net_options(), connection.options, "9"):
        yield Stage.NET_OPTIONS, side.net_options_defaults(peer)
    if moved:
        yield Stage.PATH, side.new_path(peer)
    if moved and connection.local:
        if not standalone:
            yield Stage.DISCONNECT, [side.drbdsetup, "disconnect", *side.peer_words(peer)]
        ends = [connection.local, connection.remote]
        yield Stage.REMOVE_PATH, [side.drbdsetup, "del-path", *side.peer_words(peer), *ends]
    if standalone or moved:
        yield Stage.CONNECT, side.connect(peer)
    yield from _peer_device_steps(side, peer, running, connection)


def _new_peer_steps(side: Side, peer: HostSection, *, defaults: bool) -> Staged:
    yield Stage.PEER, side.new_peer(peer)
    yield Stage.PATH, side.new_path(peer)
    yield Stage.CONNECT, side.connect(peer)
    for volume in side.host.volumes.values():
        options = side.peer_device_options(volume, peer)
        if options:
            yield Stage.PEER_DEVICE_OPTIONS, _peer_device_command(side, peer, volume, options, defaults=defaults)


def _peer_device_steps(
    side: Side, peer: HostSection, running: kernel.Resource, connection: kernel.Connection
) -> Staged:
    for volume in side.host.volumes.values():
        device = running.devices.get(volume.number)
        options = side.peer_device_options(volume, peer)
        of_copy = {} if device is None else device.peer_options
        if differs("disk", options, of_copy if connection is running.connection else connection.peer_options, "9"):
            yield Stage.PEER_DEVICE_OPTIONS, _peer_device_command(side, peer, volume, options, defaults=True)


def _peer_device_command(side: Side, peer: HostSection, volume: Volume, options: Options, *, defaults: bool) -> Command:
    to_defaults = ["--set-defaults"] if defaults else []
    place = [*side.peer_words(peer), str(volume.number)]
    return [side.drbdsetup, "peer-device-options", *place, *to_defaults, *flags(options)]
