"""Simulated nodes between two topologies: what a remake starts from, its runner, and what must hold at every moment of it."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from fleet import SimFleet
from one_domain import Worlds, check_disks, exchange_keys
from pair import NODES, changes, check_safety, converge, failures, running
from topologies import allocated, merged

from saltern import remaking, topology
from saltern.desired import compile_slices
from saltern.model.places import remake_file
from saltern.model.topology import Cluster
from saltern.remaking import Run
from saltern.sim.drbd.kernel import Disk
from saltern.sim.host import SimHost
from saltern.sim.model import BlockDevice
from saltern.sim.world import NodeSpec, World
from saltern.topology.remake import Kind, remake
from saltern.units import GIB

TOPOLOGY = """
nodes:
  dom0: {address: 192.168.1.190, volume_group: XEN}
  dom0m: {address: 192.168.1.191, volume_group: XEN}
  dom1: {address: 192.168.1.192, volume_group: XEN}
domains:
  dns: {home: dom0, partner: dom0m, memory: 64M, xl: {bootloader: pygrub}, disks: {xvda: {size: 64M, meta_disk: "meta[1]"}}}
  mail: {home: dom0m, partner: dom0, memory: 64M, xl: {bootloader: pygrub}, disks: {xvda: {size: 64M}, xvdb: {size: 32M}}}
"""
ADDRESSES = {**NODES, "dom1": "192.168.1.192"}
CHANGES: dict[str, tuple[str, list[str]]] = {
    "a partner is replaced": ("domains: {dns: {partner: dom1}}", ["dns@dom0m"]),
    "a home is replaced": ("domains: {dns: {home: dom1}}", ["dns@dom0"]),
    "a disk is dropped and another grows": (
        "domains: {mail: {disks: {xvda: {size: 96M}, xvdb: '<taken away>'}}}",
        ["mail/xvdb"],
    ),
    "a domain goes": ("domains: {dns: '<taken away>'}", ["dns"]),
    "a domain goes and one of its name comes": (
        "domains: {dns: {uuid: 1b4e28ba-2fa1-41d2-883f-0016d3cca427, memory: 32M}}",
        ["dns"],
    ),
    "a domain comes": (
        "domains: {web: {home: dom1, partner: dom0, memory: 64M, xl: {bootloader: pygrub}, disks: {xvda: {size: 64M}}}}",
        [],
    ),
    "a domain is renamed": (
        "domains: {dns: '<taken away>', names: {uuid: UUID, home: dom0, partner: dom0m, memory: 64M, xl: {bootloader: pygrub}, "
        "disks: {xvda: {size: 64M, meta_disk: 'meta[1]'}}}}",
        [],
    ),
    "a resource and its volumes are renamed": ("domains: {dns: {disks: {xvda: {resource: names, volume: names}}}}", []),
    "another minor and port": ("domains: {dns: {disks: {xvda: {minor: 77, port: 9999}}}}", []),
    "another port": ("domains: {mail: {disks: {xvda: {port: 9999}}}}", []),
    "home and partner are exchanged": ("domains: {mail: {home: dom0, partner: dom0m}}", []),
    "options": ("domains: {dns: {drbd: {net: {ping-int: 3}, protocol: A}}}", []),
    "a node goes": (
        "nodes: {dom0m: '<taken away>'}\ndomains: {dns: {partner: dom1}, mail: {home: dom1}}",
        ["dns@dom0m", "mail@dom0m"],
    ),
    "another volume group": ("nodes: {dom0m: {volume_group: FAST}}", ["dns@dom0m", "mail@dom0m"]),
    "another volume group, and a domain goes": (
        "nodes: {dom0m: {volume_group: FAST}}\ndomains: {mail: '<taken away>'}",
        ["dns@dom0m", "mail"],
    ),
    "a disk is made anew": ("domains: {mail: {disks: {xvdb: {size: 16M}}}}", ["mail/xvdb"]),
}


NOT_BY_A_PROGRAM = "a home is replaced and a disk comes"
_NOT_BY_A_PROGRAM: tuple[str, list[str]] = ("domains: {dns: {home: dom1, disks: {xvdb: {size: 16M}}}}", ["dns@dom0"])


class Killed(Exception):
    """The runner is gone."""


def pillars(fragment: str) -> tuple[dict[str, Any], dict[str, Any]]:
    first = allocated({"saltern": yaml.safe_load(TOPOLOGY)})
    fragment = fragment.replace("UUID", first["saltern"]["allocation"]["domains"]["dns"]["uuid"])
    second = {"saltern": merged(copy.deepcopy(first["saltern"]), yaml.safe_load(fragment) or {})}
    return first, second


def clusters(fragment: str) -> tuple[Cluster, Cluster]:
    return topology.compile_change(*pillars(fragment))


def as_before() -> Worlds:
    """The nodes as BEFORE says, for either generation of DRBD."""
    found = Worlds()
    before, _ = clusters("")
    shares = compile_slices(before)
    for drbd in ("8.4", "9"):
        world = World.create(
            [
                NodeSpec(name=name, address=address, volume_group_size_bytes=8 * GIB, memory_bytes=2 * GIB, drbd=drbd)
                for name, address in ADDRESSES.items()
            ],
            seed=0,
        )
        world.nodes["dom0m"].devices["/dev/nvme0n1"] = BlockDevice(8 * GIB)
        world.host("dom0m").run(["vgcreate", "FAST", "/dev/nvme0n1"])
        for outcomes in converge(world, shares).values():
            assert failures(outcomes) == []
        exchange_keys(world, {node: share for node, share in shares.items() if share.domains})
        world.advance(60)
        found[drbd] = world.to_json()
    return found


class Remade(SimFleet):
    """The nodes, a remake of them, and what must hold at every moment. ``kill_at`` ends the runner after that many answers."""

    def __init__(self, world: World, what: str) -> None:
        fragment, names = {**CHANGES, NOT_BY_A_PROGRAM: _NOT_BY_A_PROGRAM}[what]
        before, after = clusters(fragment)
        super().__init__(world, compile_slices(before))
        self.change(before, after, names)
        assert self.plan.refusals == ()
        self.kill_at: int | None = None
        self.crash: tuple[str, int] | None = None
        self.spent = 0
        self.last: SimHost | None = None
        self.lose_answer = False
        self.answered = 0
        self.runs = 0
        self.recorded: list[Mapping[str, Sequence[str]]] = []

    def change(self, before: Cluster, after: Cluster, names: Sequence[str]) -> None:
        """What is to be remade; the nodes are as ``before`` says."""
        self.before, self.after, self.names = before, after, names
        self.before_shares, self.after_shares = compile_slices(before), compile_slices(after)
        self.shares = self.before_shares
        self.plan = remake(before, after, names)
        self._copies = self._find_copies()

    def _ask(self, nodes: Sequence[str], function: str, *args: Any) -> dict[str, Any]:
        if self.kill_at == self.answered and not self.lose_answer:
            raise Killed
        answers = super()._ask(nodes, function, *args)
        if self.kill_at == self.answered:
            raise Killed
        self.answered += 1
        self.check()
        return answers

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.check()

    def check(self) -> None:
        self._follow_names()
        try:
            check_safety(self.world, self.after_shares)
        except AssertionError:  # names of disks are those of one topology or of the other
            check_safety(self.world, self.before_shares)
        for node in self.world.nodes.values():
            for domain in node.domains:
                if domain.running:
                    check_disks(node, domain)
        for uuid, volumes in self._copies.items():
            assert any(self._is_whole(*place) for place in volumes), f"no complete copy of {uuid}"

    def _follow_names(self) -> None:
        """The simulator keeps the names of the resources that wrote to a device; a renamed one is the same."""
        downs = {(step.domain, step.disk): step.was.name for step in self.plan.steps if step.kind is Kind.DOWN}
        for step in self.plan.steps:
            if step.kind is Kind.UP and self.world.nodes[step.nodes[0]].devices.get(
                step.resource.on(step.nodes[0]).disk
            ):
                device = self.world.nodes[step.nodes[0]].devices[step.resource.on(step.nodes[0]).disk]
                former = {downs[step.domain, step.disk]} - {step.resource.name}
                device.writers[:] = [writer for writer in device.writers if writer not in former]

    def _find_copies(self) -> dict[tuple[str, str], list[tuple[str, str, str]]]:
        """Where the copies may be of what must not be lost: node, volume and resource, by domain and device of BEFORE."""
        kept = {}
        for share in self.before_shares.values():
            for name, spec in share.domains.items():
                for disk in spec.disks:
                    if {name, f"{name}/{disk.device}"} & set(self.names):
                        continue
                    places = kept.setdefault((spec.uuid, disk.device), [])
                    resource = share.resources[disk.resource]
                    places.append((share.node, resource.on(share.node).disk, resource.name))
                    places += [
                        (node, other.resources[each.resource].on(node).disk, each.resource)
                        for node, other in self.after_shares.items()
                        for theirs in other.domains.values()
                        for each in theirs.disks
                        if (theirs.uuid, each.device) == (spec.uuid, disk.device)
                    ]
        return kept

    def _is_whole(self, name: str, path: str, resource: str) -> bool:
        """UpToDate, or out of service with metadata that say so."""
        node = self.world.nodes[name]
        group, _, volume = path.removeprefix("/dev/").partition("/")
        if volume not in node.volume_groups[group].volumes:
            return False
        side = node.drbd.resources.get(resource)
        return side is None or 0 not in side.devices or side.devices[0].disk is Disk.UP_TO_DATE

    def _host(self, node: str) -> SimHost:
        """A node whose program is killed at the change that ``crash`` tells, counted over all that the remake asks."""
        host = super()._host(node)
        if self.crash is not None:
            kind, change = self.crash
            self.spent += self.last.changes if self.last is not None else 0
            getattr(host, kind)(change - self.spent)
            self.last = host
        return host

    def is_entered(self) -> bool:
        names = [name for part in self.parts() for name in part.names]
        return any(remake_file(name) in node.files for node in self.world.nodes.values() for name in names)

    def parts(self) -> list[remaking.Part]:
        return list(remaking.parts_of(self.plan, self.before, self.after, self.names))

    def carry_out(self) -> list[str]:
        self.runs += 1
        run = Run(
            fleet=self.fleet,
            record=self._record,
            run_id=f"{self.runs:08x}",
            owner="root on master",
            since="2026-11-26 10:00:00",
            timeout_s=600,
        )
        return remaking.carry_out(run, self.before, self.after, self.plan, self.names)

    def _record(self, what: Mapping[str, Sequence[str]]) -> None:
        self.recorded.append(what)
        self.shares = self.after_shares

    def assert_is_after(self) -> None:
        shares = self.after_shares
        self.world.advance(60)
        for node, outcomes in converge(self.world, shares).items():
            assert (failures(outcomes), changes(outcomes)) == ([], {}), node
        assert running(self.world) == {name: [domain.home] for name, domain in self.after.domains.items()}
        for node, simulated in self.world.nodes.items():
            wanted = {volume.path for volume in shares[node].volumes} if node in shares else set()
            wanted |= {left.path for left in self.plan.leftovers if left.node == node}
            there = {f"/dev/{group}/{name}" for group, each in simulated.volume_groups.items() for name in each.volumes}
            assert there == wanted, node
            resources = set(shares[node].resources) if node in shares else set()
            assert set(simulated.drbd.resources) == resources, node
