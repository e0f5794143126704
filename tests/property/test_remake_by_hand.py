"""What the documents say of following a plan today: by hand where it says so, and by `state.apply`, on simulated nodes."""

import copy
from typing import Any

import pytest
import yaml
from fleet import SimFleet
from one_domain import exchange_keys
from pair import NODES, changes, check_safety, converge, failures, running
from topologies import allocated, merged

from saltern import controller, topology
from saltern.desired import compile_slices
from saltern.model.desired import NodeSlice, domain_file, resource_file
from saltern.model.operation import OperationKind
from saltern.model.topology import Cluster
from saltern.plan.selection import Selection
from saltern.sim.world import NodeSpec, World
from saltern.topology.remake import Kind, Step, remake
from saltern.units import GIB

TOPOLOGY = """
nodes:
  dom0: {address: 192.168.1.190, volume_group: XEN}
  dom0m: {address: 192.168.1.191, volume_group: XEN}
  dom1: {address: 192.168.1.192, volume_group: XEN}
domains:
  dns: {home: dom0, partner: dom0m, memory: 64M, xl: {bootloader: pygrub}, disks: {xvda: {size: 256M}}}
  mail: {home: dom0m, partner: dom0, memory: 64M, xl: {bootloader: pygrub}, disks: {xvda: {size: 128M}, xvdb: {size: 64M}}}
"""
GENERATIONS = pytest.mark.parametrize("drbd", ["8.4", "9"])


def clusters(fragment: str) -> tuple[Cluster, Cluster]:
    first = allocated({"saltern": yaml.safe_load(TOPOLOGY)})
    fragment = fragment.replace("UUID", first["saltern"]["allocation"]["domains"]["dns"]["uuid"])
    second = {"saltern": merged(copy.deepcopy(first["saltern"]), yaml.safe_load(fragment))}
    return topology.compile_change(first, second)


def built(before: Cluster, drbd: str) -> World:
    addresses = {**NODES, "dom1": "192.168.1.192"}
    world = World.create(
        [
            NodeSpec(name=name, address=address, volume_group_size_bytes=64 * GIB, memory_bytes=8 * GIB, drbd=drbd)
            for name, address in addresses.items()
        ],
        seed=0,
    )
    for outcomes in converge(world, compile_slices(before)).values():
        assert failures(outcomes) == []
    world.advance(60)
    return world


class Person:
    """Somebody who follows a plan: AFTER is in force from the first step on that `state.apply` does."""

    def __init__(self, world: World, after: dict[str, NodeSlice]) -> None:
        self.world = world
        self.after = after

    def follow(self, step: Step) -> None:
        by_hand: dict[Kind, Any] = {
            Kind.FREEZE: self.freeze,
            Kind.DOWN: self.take_down,
            Kind.DISCONNECT: self.disconnect,
            Kind.STOP: self.stop,
            Kind.RENAME_VOLUMES: self.rename,
            Kind.MIGRATE: self.migrate,
            Kind.REMOVE_REPLICA: self.remove,
            Kind.REMOVE_CONFIG: self.forget,
            Kind.SYNCHRONISE: self.wait,
            Kind.RECORD: lambda step: None,
            Kind.PREPARE_NODE: lambda step: None,
            Kind.RELEASE_NODE: lambda step: None,
        }
        by_hand.get(step.kind, self.apply)(step)

    def run(self, node: str, *command: str) -> None:
        self.world.host(node).run(list(command))

    def apply(self, step: Step) -> None:
        converge(self.world, self.after, wait_s=5)

    def freeze(self, step: Step) -> None:
        (node,) = step.nodes
        self.run(node, "drbdadm", "down", step.was.name)
        self.run(node, "drbdadm", "outdate", step.was.name)
        self.world.host(node).remove(resource_file(step.was.name))

    def take_down(self, step: Step) -> None:
        (node,) = step.nodes
        self.run(node, "drbdadm", "down", step.was.name)
        self.world.host(node).remove(resource_file(step.was.name))

    def disconnect(self, step: Step) -> None:
        for node in step.nodes:
            written = any(each.name == step.domain for each in self.world.nodes[step.was.peer_of(node).node].domains)
            self.run(node, "drbdadm", "disconnect", step.was.name)
            if written and len(step.nodes) > 1:
                self.run(node, "drbdadm", "outdate", step.was.name)
            if self.world.nodes[node].drbd_version == "9":
                self.run(node, "drbdsetup", "del-peer", step.was.name, str(step.was.peer_of(node).node_id))
            self.world.host(node).remove(resource_file(step.was.name))

    def stop(self, step: Step) -> None:
        (node,) = step.nodes
        self.run(node, "xl", "shutdown", "-w", step.domain)
        self.world.advance(60)

    def rename(self, step: Step) -> None:
        (node,) = step.nodes
        for old, new in zip(step.former, step.volumes, strict=True):
            self.run(node, "lvrename", old.volume_group, old.name, new.name)
            # The simulator keeps the names of the resources that wrote to a device; this one has another from here on.
            self.world.nodes[node].devices[new.path].writers.clear()

    def migrate(self, step: Step) -> None:
        source, target = step.nodes
        self.run(source, "xl", "migrate", step.domain, target)
        self.world.advance(60)

    def remove(self, step: Step) -> None:
        (node,) = step.nodes
        if step.was.name in self.world.nodes[node].drbd.resources and step.destroys[0].count("@") == 0:
            self.take_down(step)
        for volume in step.volumes:
            self.run(node, "lvremove", "--yes", f"{volume.volume_group}/{volume.name}")

    def forget(self, step: Step) -> None:
        (node,) = step.nodes
        self.world.host(node).remove(domain_file(step.domain))

    def wait(self, step: Step) -> None:
        self.apply(step)
        self.world.advance(60)


CHANGES = {
    "home and partner are exchanged": ("domains: {mail: {home: dom0, partner: dom0m}}", []),
    "options": ("domains: {dns: {drbd: {net: {ping-int: 3}, protocol: A}}}", []),
    "a node goes": (
        "nodes: {dom0m: '<taken away>'}\ndomains: {dns: {partner: dom1}, mail: {home: dom1}}",
        ["dns@dom0m", "mail@dom0m"],
    ),
    "a domain is renamed": (
        "domains: {dns: '<taken away>', names: {uuid: UUID, home: dom0, partner: dom0m, memory: 64M, xl: {bootloader: pygrub}, "
        "disks: {xvda: {size: 256M, resource: dns, volume: dns}}}}",
        [],
    ),
    "a partner is replaced": ("domains: {dns: {partner: dom1}}", ["dns@dom0m"]),
    "a home is replaced": ("domains: {dns: {home: dom1}}", ["dns@dom0"]),
    "a disk is dropped and another grows": (
        "domains: {mail: {disks: {xvda: {size: 192M}, xvdb: '<taken away>'}}}",
        ["mail/xvdb"],
    ),
    "a resource and its volumes are renamed": ("domains: {dns: {disks: {xvda: {resource: names}}}}", []),
    "another minor and port": ("domains: {dns: {disks: {xvda: {minor: 77, port: 9999}}}}", []),
    "a domain goes and one comes": (
        "domains: {dns: '<taken away>', web: {home: dom1, partner: dom0, memory: 64M, xl: {bootloader: pygrub}, "
        "disks: {xvda: {size: 64M}}}}",
        ["dns"],
    ),
}


@GENERATIONS
@pytest.mark.parametrize("what", list(CHANGES))
def test_a_plan_that_is_followed_by_hand_ends_where_applying_changes_nothing(what: str, drbd: str) -> None:
    fragment, names = CHANGES[what]
    before, after = clusters(fragment)
    world = built(before, drbd)
    shares = compile_slices(after)
    person = Person(world, shares)
    for step in remake(before, after, names).steps:
        person.follow(step)
    world.advance(60)
    for node, outcomes in converge(world, shares).items():
        assert (failures(outcomes), changes(outcomes)) == ([], {}), node
    assert running(world) == {name: [domain.home] for name, domain in after.domains.items()}


@GENERATIONS
def test_a_topology_that_is_applied_before_its_plan_takes_nothing_apart(drbd: str) -> None:
    before, after = clusters(CHANGES["a partner is replaced"][0])
    world = built(before, drbd)
    roles = {
        name: str(node.drbd.resources["dns"].role) for name, node in world.nodes.items() if "dns" in node.drbd.resources
    }
    outcomes = converge(world, compile_slices(after), wait_s=5)
    assert any("its data are where it was made" in failure for failure in failures(outcomes["dom0"]))
    assert {name: str(world.nodes[name].drbd.resources["dns"].role) for name in roles} == roles
    assert running(world)["dns"] == ["dom0"]


@GENERATIONS
@pytest.mark.parametrize(("place", "other"), [("", "meta_disk: 'meta[1]'"), ("meta_disk: 'meta[1]'", "")])
def test_metadata_get_another_place_one_copy_after_the_other_while_the_domain_runs(
    place: str, other: str, drbd: str
) -> None:
    """What docs/howto/remake.md says of it."""
    before, after = (clusters(f"domains: {{dns: {{disks: {{xvda: {{{each}}}}}}}}}")[1] for each in (place, other))
    world, shares = built(before, drbd), compile_slices(after)
    for node, partner in (("dom0m", "dom0"), ("dom0", "dom0m")):
        if running(world)["dns"] == [node]:
            migrate(world, shares)
            assert running(world)["dns"] == [partner]
        host = world.host(node)
        host.run(["drbdadm", "down", "dns"])
        host.run(["drbdadm", "wipe-md", "dns", "--force"])
        host.remove(resource_file("dns"))
        host.run(["lvchange", "--addtag", "saltern.blank", "XEN/dns"])
        if not place:
            host.run(["lvremove", "--yes", "XEN/dns_meta"])
        assert failures(converge(world, {node: shares[node]}, wait_s=5)[node]) == []
        world.advance(60)
        check_safety(world)
    migrate(world, shares)
    for node, outcomes in converge(world, shares).items():
        assert (failures(outcomes), changes(outcomes)) == ([], {}), node
    assert running(world)["dns"] == ["dom0"]


def migrate(world: World, shares: dict[str, NodeSlice]) -> None:
    """`state.orch migrate`, with AFTER in force."""
    exchange_keys(world, {node: share for node, share in shares.items() if share.domains})
    fleet, selection = SimFleet(world, shares).fleet, Selection(kind=OperationKind.MIGRATE, domain="dns")
    controller.begin(fleet, selection, identifier="0a1b", owner="root on master", since="now")
    controller.carry_out(fleet, selection, identifier="0a1b", parallel=1, timeout_s=600)
