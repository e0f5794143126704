"""The simulated cluster as a whole: its nodes, the links between them, and its time."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_DNS, uuid5

from saltern.model.places import DRBD_HELPER, HOST_KEYS
from saltern.sim.directory import DirectoryFiles
from saltern.sim.model import (
    EXTENT_BYTES,
    BlockDevice,
    DomainDisk,
    LogicalVolume,
    Process,
    SimDomain,
    SimNode,
    VolumeGroup,
)

if TYPE_CHECKING:
    from saltern.sim.drbd.handlers import Outside
    from saltern.sim.host import SimHost

__all__ = ["BlockDevice", "NodeSpec", "SimDomain", "SimNode", "VolumeGroup", "World"]

BOOT_ID = "/proc/sys/kernel/random/boot_id"
PHYSICAL_DEVICE = "/dev/vdb"
_MASK = 2**64 - 1
_MAX_STEPS = 60


@dataclass(frozen=True, kw_only=True)
class NodeSpec:
    """A node to simulate; ``volume_group`` is empty for a node whose disk has no LVM on it yet.

    ``volume_group_size_bytes`` is rounded down to extents of 4 MiB. ``memory_bytes`` is what domains may use together.
    ``drbd`` is ``"8.4"`` or ``"9"``. Xen has ``shadow_paging`` unless it was built without, as Debian's is.
    """

    name: str
    address: str
    volume_group: str = "XEN"
    volume_group_size_bytes: int = 64 * 1024**3
    memory_bytes: int = 8 * 1024**3
    drbd: str = "8.4"
    shadow_paging: bool = True


@dataclass
class World:
    """Nodes, cut links and virtual time. Deterministic: the same seed and the same commands give the same world."""

    seed: int = 0
    time_s: float = 0.0
    drawn: int = 0  # how many random numbers have been given out
    writes: int = 0  # every write of every guest has a number of its own
    awoken: int = 0  # how often a process has run by itself
    nodes: dict[str, SimNode] = field(default_factory=dict)
    cut_links: set[frozenset[str]] = field(default_factory=set)
    resync_bytes_per_s: float | None = None  # how fast DRBD copies, whatever its options say
    management_network: bool = False  # nodes reach each other, but for replication, by another way than their link
    offset_s: float = 0.0  # of the clock of the machine whose programs use the nodes as well, where there are such
    interleaved: bool = False  # somebody else than time lets processes run
    outside: "Outside | None" = None  # runs what is no part of the simulation

    @classmethod
    def create(cls, specs: Sequence[NodeSpec], *, seed: int = 0, time_s: float = 0.0) -> "World":
        """A world of nodes that boot at ``time_s``: volume groups are empty, the DRBD module is not loaded."""
        from saltern.sim.drbd import DrbdNode
        from saltern.sim.ssh_keygen import public_key

        world = cls(seed=seed, time_s=time_s)
        for spec in specs:
            node = SimNode(
                name=spec.name,
                address=spec.address,
                memory_bytes=spec.memory_bytes,
                shadow_paging=spec.shadow_paging,
                drbd_version=spec.drbd,
                drbd=DrbdNode(),
                booted_s=time_s,
            )
            extents = spec.volume_group_size_bytes // EXTENT_BYTES
            node.devices[PHYSICAL_DEVICE] = BlockDevice((extents + 1) * EXTENT_BYTES)
            if spec.volume_group:
                node.physical_volumes[PHYSICAL_DEVICE] = world.lvm_uuid()
                node.volume_groups[spec.volume_group] = VolumeGroup(
                    spec.volume_group, world.lvm_uuid(), extents, [PHYSICAL_DEVICE]
                )
            node.files[HOST_KEYS[0]] = (public_key(f"host {spec.name}", f"root@{spec.name}"), 0o644)
            world.nodes[spec.name] = node
        return world

    # --- Time and faults -----------------------------------------------------------------------------------------
    def advance(self, seconds: float) -> None:
        """Let time pass on every node, in steps of one second (longer ones where that would be very many)."""
        from saltern.sim import drbd, processes, xen

        step_s = max(1.0, seconds / _MAX_STEPS)
        while seconds > 0:
            self.time_s += min(step_s, seconds)
            seconds -= step_s
            drbd.let_failed_go(self)
            drbd.advance(self)
            xen.advance(self)
            processes.advance(self)

    def power_cut(self, name: str) -> None:
        """Take the power from a node: files, volumes and metadata stay, everything else is gone."""
        from saltern.sim import drbd

        node = self.nodes[name]
        drbd.power_cut(self, name)
        node.powered = False
        node.module_loaded = False
        node.power_cuts += 1
        node.domains = []
        node.xenstore = {}
        node.processes = []
        node.held = {}
        node.services = {}
        node.next_domid = 1
        _empty(node, "/run")
        for device in node.devices.values():
            device.holders.clear()

    def boot(self, name: str, *, drbd_service: bool = True) -> None:
        """Give a node without power its power back: volume groups are active, no domain runs.

        drbd.service brings up what is configured; without it not even the DRBD module is loaded.
        """
        from saltern.sim import drbd

        node = self.nodes[name]
        if node.powered:
            return
        node.powered = True
        node.booted_s = self.time_s
        if drbd_service:
            drbd.start_service(self, name)

    def cut_link(self, a: str, b: str) -> None:
        """Cut the replication link between two nodes."""
        self.cut_links.add(self._link(a, b))

    def heal_link(self, a: str, b: str) -> None:
        """Mend the replication link between two nodes."""
        self.cut_links.discard(self._link(a, b))

    def linked(self, a: str, b: str) -> bool:
        """Whether two nodes are up and can talk to each other."""
        return self.nodes[a].powered and self.nodes[b].powered and frozenset((a, b)) not in self.cut_links

    def reachable(self, a: str, b: str) -> bool:
        """Whether one node can log in to the other."""
        return self.linked(a, b) or (self.management_network and self.nodes[a].powered and self.nodes[b].powered)

    def _link(self, a: str, b: str) -> frozenset[str]:
        for name in (a, b):
            if name not in self.nodes:
                raise KeyError(name)
        return frozenset((a, b))

    # --- Nodes ---------------------------------------------------------------------------------------------------
    def host(self, name: str) -> "SimHost":
        """A new door to a node: ``saltern.run.Host`` in this process and in virtual time."""
        from saltern.sim.host import SimHost

        if name not in self.nodes:
            raise KeyError(name)
        return SimHost(self, name)

    def node_at(self, host: str) -> SimNode | None:
        """The node with that name or address."""
        for node in self.nodes.values():
            if host in (node.name, node.address):
                return node
        return None

    def read_file(self, name: str, path: str) -> str | None:
        """The text of a node's file, or ``None``; what is under ``/proc`` or ``/sys`` follows from its state."""
        from saltern.sim import drbd

        node = self.nodes[name]
        if path == "/proc/drbd":
            return drbd.proc_drbd(self, name) if node.module_loaded else None
        if path == BOOT_ID:
            # One for each boot: random(4) makes it as long as the kernel runs.
            return f"{uuid5(NAMESPACE_DNS, f'{self.seed} {name} {node.power_cuts}')}\n"
        found = node.files.get(path)
        if path == DRBD_HELPER:
            return (found[0] if found else "/sbin/drbdadm\n") if node.module_loaded else None
        return None if found is None else found[0]

    # --- Identifiers ---------------------------------------------------------------------------------------------
    def random64(self) -> int:
        """The next 64 random bits of this world (splitmix64 of the seed and a count)."""
        self.drawn += 1
        z = (self.seed * 0xD1342543DE82EF95 + self.drawn * 0x9E3779B97F4A7C15) & _MASK
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)

    def uuid(self) -> str:
        """A random UUID, such as a domain gets when its configuration names none."""
        text = f"{self.random64():016x}{self.random64():016x}"
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-8{text[17:20]}-{text[20:]}"

    def lvm_uuid(self) -> str:
        """A random identifier in LVM's form: 32 letters and digits in seven groups."""
        alphabet = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
        bits = self.random64() << 128 | self.random64() << 64 | self.random64()
        letters = "".join(alphabet[bits // 62**place % 62] for place in range(32))
        ends = (0, 6, 10, 14, 18, 22, 26, 32)
        return "-".join(letters[start:end] for start, end in pairwise(ends))

    # --- JSON ----------------------------------------------------------------------------------------------------
    def to_json(self) -> str:
        """The whole world as text; files of nodes that live in a directory stay there."""
        links = [sorted(link) for link in self.cut_links]
        return json.dumps(
            vars(self) | {"cut_links": sorted(links), "outside": None}, default=_plain, separators=(",", ":")
        )

    @classmethod
    def from_json(cls, text: str) -> "World":
        """The world that ``to_json`` wrote."""
        fields = json.loads(text)
        fields["nodes"] = {name: _node(node) for name, node in fields["nodes"].items()}
        fields["cut_links"] = {frozenset(link) for link in fields["cut_links"]}
        fields["interleaved"] = False
        return cls(**fields)

    def copy(self) -> "World":
        """Another world in the same state, to try something from here more than once."""
        return World.from_json(self.to_json())


def _empty(node: SimNode, directory: str) -> None:
    """Take the files in a directory away: it is in memory only."""
    if isinstance(node.files, DirectoryFiles):
        node.files.empty(directory)
        return
    for path in [path for path in node.files if path.startswith(f"{directory}/")]:
        del node.files[path]


def _plain(value: object) -> object:
    if isinstance(value, SimNode):
        files = {} if value.root else dict(value.files)
        return vars(value) | {"files": files, "log": [], "held": {}, "services": {}, "drbd": value.drbd.to_json()}
    to_json = getattr(value, "to_json", None)
    return vars(value) if to_json is None else to_json()


def _numbered(mapping: dict[str, Any]) -> dict[int, Any]:
    return {int(number): value for number, value in mapping.items()}


def _device(fields: dict[str, Any]) -> BlockDevice:
    from saltern.sim.drbd.metadata import Metadata

    fields["records"] = _numbered(fields["records"])
    fields["metadata"] = {int(slot): Metadata.from_json(found) for slot, found in fields["metadata"].items()}
    return BlockDevice(**fields)


def _volume_group(fields: dict[str, Any]) -> VolumeGroup:
    fields["volumes"] = {name: LogicalVolume(**volume) for name, volume in fields["volumes"].items()}
    fields["leftovers"] = [_device(device) for device in fields["leftovers"]]
    return VolumeGroup(**fields)


def _disk(fields: dict[str, Any]) -> DomainDisk:
    fields["acknowledged"] = _numbered(fields["acknowledged"])
    return DomainDisk(**fields)


def _domain(fields: dict[str, Any]) -> SimDomain:
    fields["disks"] = [_disk(disk) for disk in fields["disks"]]
    return SimDomain(**fields)


def _process(fields: dict[str, Any]) -> Process:
    return Process(tuple(fields["argv"]), fields["wakes_s"])


def _node(fields: dict[str, Any]) -> SimNode:
    from saltern.sim.drbd import DrbdNode

    fields["drbd"] = DrbdNode.from_json(fields["drbd"])
    if fields["root"]:
        fields["files"] = DirectoryFiles(fields["root"])
    else:
        fields["files"] = {path: (text, mode) for path, (text, mode) in fields["files"].items()}
    fields["devices"] = {path: _device(device) for path, device in fields["devices"].items()}
    fields["volume_groups"] = {name: _volume_group(group) for name, group in fields["volume_groups"].items()}
    fields["domains"] = [_domain(domain) for domain in fields["domains"]]
    fields["processes"] = [_process(process) for process in fields["processes"]]
    return SimNode(**fields)
