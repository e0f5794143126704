"""What must be run to bring the kernel to the configuration: ``drbdadm adjust`` and ``up`` as lists of commands.

The order is that of drbdadm: all resources stage by stage (transcripts 040-043, 069, 080, 181, 188, 193, 222 for 8.4;
for 9 the dry run of drbdadm 9.22).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from saltern.sim.drbd import kernel
from saltern.sim.drbd.config import Config, HostSection, Options, Resource, Volume
from saltern.sim.drbd.kernel import STANDALONE, Device, Disk
from saltern.sim.drbd.options import PEER_DEVICE_9, SECTIONS

if TYPE_CHECKING:
    from saltern.sim.world import SimNode

Command = list[str]


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a stage, for a resource: when one fails, the rest of its resource is not run."""

    stage: int
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
        peers = resource.peers(node.name)
        self.peer: HostSection | None = peers[0] if len(peers) == 1 else None
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

    def peer_device_options(self, volume: Volume) -> Options:
        """The options of the peer device of 9, in the order of the file."""
        options = self.config.disk_options(self.resource, volume)
        return {name: options[name] for name in reversed(options) if self.nine and name in PEER_DEVICE_9}

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
        return [self.drbdsetup, "new-minor", self.resource.name, str(volume.minor), str(volume.number)]

    def drbdmeta(self, volume: Volume, *command: str) -> Command:
        """Anything that drbdmeta does to the metadata of a volume."""
        version = "v09" if self.nine else "v08"
        return ["drbdmeta", str(volume.minor), version, volume.meta_device, volume.drbdmeta_index, *command]

    def attach(self, volume: Volume) -> list[Command]:
        """Attach a volume."""
        attach = [self.drbdsetup, "attach", str(volume.minor), volume.disk, volume.meta_device, volume.index_word]
        return [self.drbdmeta(volume, "apply-al"), [*attach, *flags(self.disk_options(volume))]]

    def connect(self, *extra: str) -> Command:
        """Connect; with no single peer drbdadm-84 writes ``N/A`` (transcripts 090, 101)."""
        if self.nine:
            return [self.drbdsetup, "connect", *self.peer_words(), *extra]
        remote = self.peer.endpoint if self.peer is not None else "N/A"
        options = flags(self.net_options())
        return [self.drbdsetup, "connect", self.resource.name, self.host.endpoint, remote, *options, *extra]

    def peer_words(self) -> list[str]:
        """How commands name the connection: by addresses on 8.4, by the peer's node-id on 9."""
        if self.nine:
            return [self.resource.name, str(self.peer.node_id if self.peer is not None else 0)]
        return [self.host.endpoint, self.peer.endpoint if self.peer is not None else "N/A"]

    def new_peer(self) -> Command:
        """Make the connection of 9."""
        name = self.peer.name if self.peer is not None else ""
        options = flags(self.net_options())
        return [self.drbdsetup, "new-peer", *self.peer_words(), f"--_name={name}", *options]

    def new_path(self) -> Command:
        """Give the connection of 9 its addresses."""
        remote = self.peer.endpoint if self.peer is not None else "N/A"
        return [self.drbdsetup, "new-path", *self.peer_words(), self.host.endpoint, remote]

    def net_options_defaults(self) -> Command:
        """Set the options of the connection to what the configuration says."""
        name = [f"--_name={self.peer.name}"] if self.nine and self.peer is not None else []
        options = flags(self.net_options())
        return [self.drbdsetup, "net-options", *self.peer_words(), "--set-defaults", *name, *options]


def adjust(side: Side) -> list[Step]:
    """What is missing or different, empty when nothing is."""
    steps = _adjust_9(side) if side.nine else _adjust_84(side)
    return [Step(stage, side.resource.name, command) for stage, command in steps]


def up(side: Side) -> list[Step]:
    """Everything from nothing; what is there already makes a command fail (transcript 053)."""
    volumes = side.host.volumes.values()
    first = [(0, side.new_resource())]
    if side.nine:
        steps = [*first, *((1, side.new_minor(volume)) for volume in volumes)]
        steps += _peer_from_nothing(side, defaults=False)
        steps += [(5, command) for volume in volumes for command in side.attach(volume)]
        steps += [(6, side.connect())] if side.peer is not None else []
    else:
        steps = [*first, *((0, side.new_minor(volume)) for volume in volumes)]
        steps += [(2, command) for volume in volumes for command in side.attach(volume)]
        steps.append((3, side.connect()))
    return [Step(stage, side.resource.name, command) for stage, command in steps]


def differs(known: str, wanted: Options, present: Mapping[str, str], generation: str) -> bool:
    """Whether options mean something else than what the kernel has; an option at its default may be left out."""
    kinds = SECTIONS[generation][known]
    return any(
        kinds[name].normal(wanted[name]) != kinds[name].normal(present[name])
        if name in wanted and name in present
        else kinds[name].normal(wanted.get(name, present.get(name, ""))) != kinds[name].default
        for name in wanted.keys() | present.keys()
        if name in kinds
    )


def _resource_steps(side: Side) -> Iterator[tuple[int, Command]]:
    running = side.running
    if running is None:
        yield 0, side.new_resource()
        return
    wanted = side.config.resource_options(side.resource)
    if differs("options", wanted, running.options, side.node.drbd_version):
        yield 0, [side.drbdsetup, "resource-options", side.resource.name, "--set-defaults", *flags(wanted)]


def _device_steps(side: Side) -> Iterator[tuple[int, Command]]:
    """Devices that are missing, and devices that the configuration does not know."""
    running = side.running
    present = {} if running is None else running.devices
    for volume in side.host.volumes.values():
        found = present.get(volume.number)
        if found is None or found.minor != volume.minor:
            yield 1, side.new_minor(volume)
    for number, device in present.items():
        if number not in side.host.volumes:
            yield 0, [side.drbdsetup, "detach", str(device.minor)]
            yield 0, [side.drbdsetup, "del-minor", str(device.minor)]


def _disk_steps(side: Side, stage: int) -> Iterator[tuple[int, Command]]:
    running = side.running
    for volume in side.host.volumes.values():
        device = running.devices.get(volume.number) if running is not None else None
        if device is None or device.disk == Disk.DISKLESS:
            yield from ((stage, command) for command in side.attach(volume))
        elif not _same_place(volume, device):
            yield stage, [side.drbdsetup, "detach", str(volume.minor)]
            yield from ((stage, command) for command in side.attach(volume))
        else:
            wanted = side.disk_options(volume)
            if differs("disk", wanted, device.options, side.node.drbd_version):
                yield stage, [side.drbdsetup, "disk-options", str(volume.minor), "--set-defaults", *flags(wanted)]


def _same_place(volume: Volume, device: Device) -> bool:
    place = {"internal": -2, "flexible": -1}.get(volume.index_word)
    slot = int(volume.index_word) if place is None else place
    return (volume.disk, volume.meta_device, slot) == (device.backing, device.meta, device.slot)


def _adjust_84(side: Side) -> Iterator[tuple[int, Command]]:
    yield from _resource_steps(side)
    yield from _device_steps(side)
    yield from _disk_steps(side, 2)
    running = side.running
    connection = running.connection if running is not None else None
    if connection is None or connection.state == STANDALONE:
        yield 3, side.connect()
    elif [connection.local, connection.remote] != side.peer_words():
        yield 3, [side.drbdsetup, "disconnect", connection.local, connection.remote]
        yield 3, side.connect()
    elif differs("net", side.net_options(), connection.options, "8.4"):
        yield 3, side.net_options_defaults()


def _adjust_9(side: Side) -> Iterator[tuple[int, Command]]:
    yield from _resource_steps(side)
    yield from _device_steps(side)
    running = side.running
    connection = running.connection if running is not None else None
    if side.peer is not None:
        if running is None or connection is None:
            yield from _peer_from_nothing(side, defaults=True)
        else:
            yield from _peer_steps(side, running, connection)
    yield from _disk_steps(side, 5)
    if side.peer is not None and (connection is None or connection.state == STANDALONE):
        yield 6, side.connect()


def _peer_from_nothing(side: Side, *, defaults: bool) -> Iterator[tuple[int, Command]]:
    if side.peer is None:
        return
    yield 2, side.new_peer()
    yield 3, side.new_path()
    for volume in side.host.volumes.values():
        options = side.peer_device_options(volume)
        if options:
            yield 4, _peer_device_command(side, volume, options, defaults=defaults)


def _peer_device_command(side: Side, volume: Volume, options: Options, *, defaults: bool) -> Command:
    to_defaults = ["--set-defaults"] if defaults else []
    return [
        *(side.drbdsetup, "peer-device-options", *side.peer_words(), str(volume.number)),
        *(*to_defaults, *flags(options)),
    ]


def _peer_steps(side: Side, running: kernel.Resource, connection: kernel.Connection) -> Iterator[tuple[int, Command]]:
    if differs("net", side.net_options(), connection.options, "9"):
        yield 2, side.net_options_defaults()
    remote = side.peer.endpoint if side.peer is not None else ""
    if (connection.local, connection.remote) != (side.host.endpoint, remote):
        if connection.local:
            yield 3, [side.drbdsetup, "del-path", *side.peer_words(), connection.local, connection.remote]
        yield 3, side.new_path()
    for volume in side.host.volumes.values():
        device = running.devices.get(volume.number)
        options = side.peer_device_options(volume)
        if differs("disk", options, {} if device is None else device.peer_options, "9"):
            yield 4, _peer_device_command(side, volume, options, defaults=True)
