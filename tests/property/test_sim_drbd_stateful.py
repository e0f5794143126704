"""Whatever is done to two simulated DRBD nodes, and whatever fails, DRBD's promises hold."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from saltern.sim import drbd
from saltern.sim.drbd import store
from saltern.sim.drbd.kernel import ESTABLISHED, STANDALONE, Device, Disk, Resource
from saltern.sim.model import BlockDevice
from saltern.sim.world import NodeSpec, World
from saltern.units import MIB

NODES = ("node1", "node2")
BLOCKS = 1024  # 4 MiB
POLICIES = (
    "disconnect",
    "discard-least-changes",
    "discard-zero-changes",
    "discard-younger-primary",
    "discard-older-primary",
)


def resource_file(generation: str, net: str) -> str:
    hosts = "".join(
        f"on node{number} {{ {f'node-id {number};' if generation == '9' else ''} device /dev/drbd1; disk /dev/vdc; "
        f"address 10.0.0.{number}:7000; meta-disk /dev/vdd; }}\n"
        for number in (1, 2)
    )
    options = "options { auto-promote no; }" if generation == "9" else ""
    return f"resource r {{ net {{ {net} }} {options}\n{hosts}}}\n"


class Pair(RuleBasedStateMachine):
    """Two nodes with one resource; ``generation`` is set by the tests below."""

    generation = "8.4"

    @initialize(
        synced=st.sampled_from((True, True, True, False)),
        seed=st.integers(0, 9),
        first=st.sampled_from(POLICIES),
        second=st.sampled_from(("disconnect", "discard-secondary")),
    )
    def build(self, synced: bool, seed: int, first: str, second: str) -> None:
        specs = [NodeSpec(name=f"node{number}", address=f"10.0.0.{number}", drbd=self.generation) for number in (1, 2)]
        self.alone: set[str] = set()  # who has written, or tried to, out of sight of the other one
        self.world = World.create(specs, seed=seed)
        self.world.resync_bytes_per_s = 2 * MIB
        for node in self.world.nodes.values():
            node.devices["/dev/vdc"] = BlockDevice(4 * MIB)
            node.devices["/dev/vdd"] = BlockDevice(4 * MIB)
            net = f"after-sb-0pri {first}; after-sb-1pri {second};"
            node.files["/etc/drbd.d/r.res"] = (resource_file(self.generation, net), 0o644)
            self.run(node.name, "create-md")
            self.run(node.name, "up")
        if synced:
            self.world.advance(1)
            self.run("node1", "primary", "--force")
            self.world.advance(5)
            self.run("node1", "secondary")

    def run(self, node: str, command: str, *options: str) -> int:
        if not self.world.nodes[node].powered:
            return -1
        return drbd.run(self.world, node, ["drbdadm", command, *options, "r"]).returncode

    def resource(self, node: str) -> Resource | None:
        return self.world.nodes[node].drbd.resources.get("r")

    def device(self, node: str) -> Device | None:
        resource = self.resource(node)
        return resource.devices.get(0) if resource is not None else None

    @rule(
        node=st.sampled_from(NODES),
        command=st.sampled_from(
            (
                "up",
                "down",
                "adjust",
                "connect",
                "disconnect",
                "secondary",
                "detach",
                "attach",
                "invalidate",
                "outdate",
                "resize",
            )
        ),
    )
    def administer(self, node: str, command: str) -> None:
        self.run(node, command)

    @rule(node=st.sampled_from(NODES))
    def promote(self, node: str) -> None:
        before = self.resource(node)
        was_primary = before is not None and before.primary  # and may have lost the good data since
        promoted = self.run(node, "primary") == 0
        resource, device = self.resource(node), self.device(node)
        if promoted and not was_primary:
            assert resource is not None and resource.primary
            assert device is not None
            assert Disk.UP_TO_DATE in (device.disk, device.peer_disk if resource.connected else None)

    @rule(node=st.sampled_from(NODES))
    def promote_by_force(self, node: str) -> None:
        self.run(node, "primary", "--force")

    @rule(node=st.sampled_from(NODES))
    def give_up_my_data(self, node: str) -> None:
        self.run(node, "connect", "--discard-my-data")

    @rule(node=st.sampled_from(NODES))
    def destroy_metadata(self, node: str) -> None:
        self.run(node, "create-md", "--force")

    @rule(node=st.sampled_from(NODES), block=st.integers(0, BLOCKS - 1 - 64))
    def write(self, node: str, block: int) -> None:
        if self.world.nodes[node].powered and drbd.open(self.world, node, 1, "guest", True):
            self.world.writes += 1
            drbd.write(self.world, node, 1, block, self.world.writes)
            drbd.close(self.world, node, 1, "guest")

    @rule(node=st.sampled_from(NODES), hold=st.booleans())
    def hold_open(self, node: str, hold: bool) -> None:
        if hold:
            drbd.open(self.world, node, 1, "holder", True)
        else:
            drbd.close(self.world, node, 1, "holder")

    @rule(node=st.sampled_from(NODES))
    def lose_power(self, node: str) -> None:
        self.world.power_cut(node)

    @rule(node=st.sampled_from(NODES), drbd_service=st.booleans())
    def boot(self, node: str, drbd_service: bool) -> None:
        self.world.boot(node, drbd_service=drbd_service)

    @rule()
    def cut(self) -> None:
        self.world.cut_link(*NODES)

    @rule()
    def heal(self) -> None:
        self.world.heal_link(*NODES)

    @rule()
    def part(self) -> None:
        """The link is cut for long enough to be noticed."""
        self.world.cut_link(*NODES)
        self.world.advance(3)

    @rule()
    def join(self) -> None:
        """Everything that can be connected is."""
        self.world.heal_link(*NODES)
        for node in NODES:
            self.world.boot(node)
            self.run(node, "adjust")
        self.world.advance(3)

    @rule(node=st.sampled_from(NODES), block=st.integers(0, BLOCKS - 1 - 64))
    def work_alone(self, node: str, block: int) -> None:
        """Be Primary for one write, and Secondary again."""
        if not self.talking():
            self.alone.add(node)
        self.run(node, "primary")
        self.write(node, block)
        self.run(node, "secondary")

    @rule(seconds=st.sampled_from((0.1, 0.5, 2.0, 20.0)))
    def wait(self, seconds: float) -> None:
        self.world.advance(seconds)

    @rule()
    def travel_through_json(self) -> None:
        self.world = self.world.copy()

    def talking(self) -> bool:
        resources = [self.resource(node) for node in NODES]
        return self.world.linked(*NODES) and all(resource is not None and resource.connected for resource in resources)

    @invariant()
    def one_primary_while_connected(self) -> None:
        if hasattr(self, "world") and self.talking():
            assert sum(self.world.nodes[node].drbd.resources["r"].primary for node in NODES) < 2

    @invariant()
    def good_connected_disks_are_the_same(self) -> None:
        if not hasattr(self, "world") or not self.talking():
            return
        devices = [self.device(node) for node in NODES]
        if not all(
            device is not None and device.disk == Disk.UP_TO_DATE and device.replication == ESTABLISHED
            for device in devices
        ):
            return
        nodes = [self.world.nodes[node] for node in NODES]
        if all(store.meta(node, device).out_of_sync.count == 0 for node, device in zip(nodes, devices, strict=True)):
            assert nodes[0].devices["/dev/vdc"].records == nodes[1].devices["/dev/vdc"].records

    @invariant()
    def each_side_knows_the_other(self) -> None:
        if not hasattr(self, "world") or not self.talking():
            return
        one, two = (self.world.nodes[node].drbd.resources["r"] for node in NODES)
        assert (one.connection.peer_role, two.connection.peer_role) == (two.role, one.role)
        for device, other in zip(one.devices.values(), two.devices.values(), strict=True):
            assert (device.peer_disk, other.peer_disk) == (other.disk, device.disk)

    @invariant()
    def every_answer_can_be_printed(self) -> None:
        for name, node in self.world.nodes.items() if hasattr(self, "world") else ():
            if node.powered:
                drbd.proc_drbd(self.world, name)
                for command in (
                    ["drbdsetup", "status", "--verbose", "--statistics"],
                    ["drbdsetup", "events2", "--now", "--statistics"],
                ):
                    assert drbd.run(self.world, name, command).returncode == 0
                assert drbd.run(self.world, name, ["drbdadm", "-d", "adjust", "all"]).returncode == 0

    @precondition(lambda self: hasattr(self, "world"))
    @rule(node=st.sampled_from(NODES))
    def adjust_leaves_nothing_to_adjust(self, node: str) -> None:
        """But the connection, where the peer was found and refused in the meantime; and the disk, where it was the peer that
        has refused what is on it: the kernel then goes on without (receive_state() in drbd_receiver.c, D_NEGOTIATING).
        """
        if self.world.nodes[node].powered and drbd.run(self.world, node, ["drbdadm", "adjust", "r"]).returncode == 0:
            left = drbd.run(self.world, node, ["drbdadm", "-d", "adjust", "r"]).stdout.splitlines()
            resource = self.resource(node)
            assert resource is not None and resource.connection is not None
            if resource.connection.state == STANDALONE:
                left = [line for line in left if line.split()[1] != "connect"]
            if self.is_refused(node):
                left = [line for line in left if "attach" not in line.split() and "apply-al" not in line.split()]
            assert left == []

    def is_refused(self, node: str) -> bool:
        """Whether a side that was attached is without its disk again, in sight of a peer that has another history."""
        resource, other = self.resource(node), next(name for name in NODES if name != node)
        mine, theirs = self.device(node), self.device(other)
        if resource is None or not resource.connected or mine is None or theirs is None:
            return False
        return mine.disk is Disk.DISKLESS and theirs.disk is not Disk.DISKLESS and {node, other} <= self.alone


class Pair9(Pair):
    generation = "9"


Pair.TestCase.settings = Pair9.TestCase.settings = settings(max_examples=80, stateful_step_count=50, deadline=None)
TestDrbd84 = Pair.TestCase
TestDrbd9 = Pair9.TestCase
