"""A simulated pair of nodes with a small topology, converged as `salt '*' state.apply` does it: both at the same time."""

from collections.abc import Callable, Mapping
from typing import Any

import interleave
import yaml

from saltern import topology
from saltern.converge import Converge, Outcome
from saltern.model.desired import NodeSlice
from saltern.plan.items import Item
from saltern.run import Host
from saltern.sim import xl_config
from saltern.sim.drbd.kernel import Resource
from saltern.sim.model import DomainDisk, SimDomain, SimNode
from saltern.sim.world import NodeSpec, World
from saltern.topology.load import FIRST_DEVICE
from saltern.units import GIB

NODES = {"dom0": "192.168.1.190", "dom0m": "192.168.1.191"}
Outcomes = dict[Item, Outcome]

TOPOLOGY = """
saltern:
  nodes:
    dom0: {address: 192.168.1.190, volume_group: XEN}
    dom0m: {address: 192.168.1.191, volume_group: XEN}
  domains:
    router: {home: dom0, partner: dom0m, memory: 64M, xl: {bootloader: pygrub}, disks: {xvda: {size: 256M}}}
    dns:
      home: dom0
      partner: dom0m
      memory: 64M
      xl: {bootloader: pygrub}
      depends_on: [router]
      disks: {xvda: {size: 256M, minor: 1, port: 7792, meta_disk: "meta[1]"}}
    mail:
      home: dom0m
      partner: dom0
      memory: 64M
      xl: {bootloader: pygrub}
      disks: {xvda: {size: 256M}, xvdb: {size: 128M}}
"""


def slices(text: str = TOPOLOGY) -> dict[str, NodeSlice]:
    """The shares of a topology whose numbers are allocated on the spot."""
    pillar = yaml.safe_load(text)
    allocation = yaml.safe_load(topology.write_allocation(topology.load_and_allocate(pillar)))
    pillar["saltern"]["allocation"] = allocation["saltern"]["allocation"]
    return dict(topology.compile(pillar).slices)


def many_domains(count: int) -> str:
    """A topology with ``count`` domains of one disk each."""
    lines = TOPOLOGY.partition("  domains:")[0] + "  domains:\n"
    for number in range(count):
        lines += f"    d{number}: {{home: dom0, partner: dom0m, memory: 8M, xl: {{bootloader: pygrub}}, "
        lines += "disks: {xvda: {size: 8M}}}\n"
    return lines


def empty_world(drbd: str = "8.4", seed: int = 0) -> World:
    """Two powered nodes with empty volume groups."""
    return World.create(
        [
            NodeSpec(name=name, address=address, volume_group_size_bytes=64 * GIB, memory_bytes=8 * GIB, drbd=drbd)
            for name, address in NODES.items()
        ],
        seed=seed,
    )


def converge(
    world: World,
    shares: dict[str, NodeSlice],
    *,
    seed: int = 0,
    test: bool = False,
    wait_s: float = 60.0,
    hosts: dict[str, Any] | None = None,
) -> dict[str, Outcomes | None]:
    """Converge the nodes of ``shares`` at the same time, safety checked before every switch between them.

    A node whose run was killed has ``None``.
    """
    hosts = hosts or {name: world.host(name) for name in shares}

    def program(share: NodeSlice) -> Callable[[Host], Outcomes]:
        return lambda host: Converge(host, share, test=test, wait_s=wait_s).all()

    return interleave.Interleaving(world, seed, lambda: check_safety(world, shares)).run(
        {name: program(share) for name, share in shares.items()}, hosts
    )


def changes(outcomes: Outcomes | None) -> dict[str, Any]:
    """All changes of a run, as a user is told them."""
    assert outcomes is not None
    return {subject: change for outcome in outcomes.values() for subject, change in outcome.changes.items()}


def failures(outcomes: Outcomes | None) -> list[str]:
    """What went wrong in a run."""
    assert outcomes is not None
    return [f"{item}: {outcome.comment}" for item, outcome in outcomes.items() if outcome.result is False]


def running(world: World) -> dict[str, list[str]]:
    """Domain name to the nodes where it is live."""
    found: dict[str, list[str]] = {}
    for node in world.nodes.values():
        for domain in node.domains:
            if not (domain.shutdown or domain.ending):
                found.setdefault(domain.name, []).append(node.name)
    return found


def is_live(domain: SimDomain) -> bool:
    """Whether a guest executes on working disks, or would if somebody unpaused it.

    The moments of xl's own protocol are none: one that is being received waits for the one that is suspended.
    """
    waits = domain.suspended or domain.name.endswith("--incoming")
    return not (waits or domain.shutdown or domain.ending) and all(disk.usable for disk in domain.disks)


def check_safety(world: World, shares: Mapping[str, NodeSlice] | None = None) -> None:
    """The safety rules that hold at every moment of a convergence.

    Resources and volumes have the names that the topology gives them by itself, or those in ``shares``.
    """
    live = [domain.uuid for node in world.nodes.values() for domain in node.domains if is_live(domain)]
    assert len(live) == len(set(live)), "a domain is live twice"
    for node in world.nodes.values():
        for domain in (domain for domain in node.domains if not domain.zombie):
            for disk in domain.disks:
                assert disk.usable or not domain.running, f"{domain.name} was started on a dead disk"
                _check_disk(node, domain, disk, (shares or {}).get(node.name))
        for resource in node.drbd.resources.values():
            _check_connection(node, resource)
        for path, device in node.devices.items():
            assert len(device.writers) < 2, f"{path} of {node.name} was written by {device.writers}"


def _check_disk(node: SimNode, domain: SimDomain, disk: DomainDisk, share: NodeSlice | None) -> None:
    """A disk is what the domain's configuration says; on DRBD it is the resource and the volume that belong to it."""
    place = f"{disk.vdev} of {domain.name} on {node.name}"
    configured = [xl_config.disk(text, "").target for text in xl_config.list_of(domain.config, "disk")]
    assert disk.target in configured, f"{place} is {disk.target}, its configuration says {configured}"
    if not disk.path.startswith("/dev/drbd"):
        return
    found = node.drbd.by_minor(int(disk.path.removeprefix("/dev/drbd")))
    assert found is not None, f"{place} is {disk.path}, which is gone"
    resource, device = found
    resources, volumes = _belonging(node, domain, disk, share)
    assert resource.name in resources, f"{place} is resource {resource.name}"
    assert device.backing in ("", *volumes), f"{place} is on {device.backing}"


def _belonging(
    node: SimNode, domain: SimDomain, disk: DomainDisk, share: NodeSlice | None
) -> tuple[set[str], set[str]]:
    """The resources that may be a disk, and the volumes that may be below them."""
    name = domain.name.removesuffix("--incoming").removesuffix("--migratedaway")
    resources = {name if disk.vdev == FIRST_DEVICE else f"{name}-{disk.vdev}"}
    volumes = {f"/dev/{group}/{name}" for group in node.volume_groups for name in resources}
    spec = share.domains.get(name) if share is not None else None
    for wanted in spec.disks if spec is not None else ():
        if share is not None and wanted.device == disk.vdev:
            resources.add(wanted.resource)
            volumes.add(share.resources[wanted.resource].on(node.name).disk)
    return resources, volumes


def _check_connection(node: SimNode, resource: Resource) -> None:
    if resource.connection is not None and resource.connection.up:
        other = resource.connection.peer_resource
        assert other == resource.name, f"{resource.name} on {node.name} is connected to {other}"
