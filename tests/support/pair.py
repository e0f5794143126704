"""A simulated pair of nodes with a small topology, converged as `salt '*' state.apply` does it: both at the same time."""

from collections.abc import Callable
from typing import Any

import interleave
import yaml

from saltern import topology
from saltern.converge import Converge, Outcome
from saltern.model.desired import NodeSlice
from saltern.plan.items import Item
from saltern.run import Host
from saltern.sim.world import NodeSpec, World
from saltern.units import GIB

NODES = {"dom0": "192.168.1.190", "dom0m": "192.168.1.191"}
Outcomes = dict[Item, Outcome]

TOPOLOGY = """
saltern:
  nodes:
    dom0: {address: 192.168.1.190, volume_group: XEN}
    dom0m: {address: 192.168.1.191, volume_group: XEN}
  domains:
    router: {home: dom0, partner: dom0m, memory: 64M, disks: {xvda: {size: 256M}}}
    dns:
      home: dom0
      partner: dom0m
      memory: 64M
      depends_on: [router]
      disks: {xvda: {size: 256M, minor: 1, port: 7792, meta_disk: "meta[1]"}}
    mail:
      home: dom0m
      partner: dom0
      memory: 64M
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
        lines += f"    d{number}: {{home: dom0, partner: dom0m, memory: 8M, disks: {{xvda: {{size: 8M}}}}}}\n"
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

    return interleave.Interleaving(world, seed, lambda: check_safety(world)).run(
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
            if not domain.shutdown:
                found.setdefault(domain.name, []).append(node.name)
    return found


def check_safety(world: World) -> None:
    """The safety rules that hold at every moment of a convergence."""
    uuids = [domain.uuid for node in world.nodes.values() for domain in node.domains if not domain.shutdown]
    assert len(uuids) == len(set(uuids)), "a domain is live twice"
    for node in world.nodes.values():
        for domain in node.domains:
            assert all(disk.usable for disk in domain.disks), f"{domain.name} was started on a dead disk"
