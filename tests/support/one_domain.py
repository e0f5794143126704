"""A pair of nodes with one domain of two disks, converged, to be broken; and what must hold at every moment of that."""

from collections.abc import Mapping

from pair import NODES, check_safety, converge, empty_world, failures, slices

from saltern.converge import Converge
from saltern.model.desired import NodeSlice
from saltern.observe import read_own_keys
from saltern.plan.items import Item, Kind
from saltern.sim.drbd import store
from saltern.sim.drbd.kernel import Disk, Resource
from saltern.sim.model import SimDomain, SimNode
from saltern.sim.world import World

SHARES = slices("""
saltern:
  nodes:
    dom0: {address: 192.168.1.190, volume_group: XEN}
    dom0m: {address: 192.168.1.191, volume_group: XEN}
  domains:
    dns: {home: dom0, partner: dom0m, memory: 64M, xl: {bootloader: pygrub}, disks: {xvda: {size: 8M}, xvdb: {size: 8M}}}
""")
RESOURCES = sorted(SHARES["dom0"].resources)
SLOW = 8192.0  # bytes a second, so that a synchronisation lasts for seconds


class Worlds(dict[str, str]):
    """Converged worlds by generation, as JSON; a failing test does not print them."""

    def __repr__(self) -> str:
        return "(worlds)"


def converged() -> Worlds:
    """The pair for either generation."""
    found = Worlds()
    for drbd in ("8.4", "9"):
        world = empty_world(drbd)
        for outcomes in converge(world, SHARES).values():
            assert failures(outcomes) == []
        exchange_keys(world)
        world.advance(30)
        world.resync_bytes_per_s = SLOW
        found[drbd] = world.to_json()
    return found


def exchange_keys(world: World, shares: Mapping[str, NodeSlice] = SHARES) -> None:
    """What two states and Salt's mine do: each node makes its key, and lets that of the other in."""
    for kind in (Kind.MIGRATION_KEY, Kind.TRUST):
        for node, share in shares.items():
            ask = lambda name: read_own_keys(world.host(name))  # noqa: E731
            assert Converge(world.host(node), share, ask_keys=ask).item(Item(kind)).result


def other(node: str) -> str:
    return next(name for name in NODES if name != node)


# --- What must hold at every moment ------------------------------------------------------------------------------------
class Watch:
    """Looks at the world before every switch."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.primary = {
            (node.name, resource.name)
            for node in world.nodes.values()
            for resource in node.drbd.resources.values()
            if resource.primary
        }

    def __call__(self) -> None:
        check_safety(self.world, SHARES)
        for node in self.world.nodes.values():
            for domain in node.domains:
                if domain.running:
                    check_disks(node, domain)
            for resource in node.drbd.resources.values():
                self._check_promotion(node, resource)
        for name in RESOURCES:
            check_two_primaries(self.world, name)

    def _check_promotion(self, node: SimNode, resource: Resource) -> None:
        place = (node.name, resource.name)
        if not resource.primary:
            self.primary.discard(place)
        elif place not in self.primary:
            self.primary.add(place)
            assert resource.devices[0].disk is Disk.UP_TO_DATE, f"{place} is Primary on {resource.devices[0].disk.word}"


def check_disks(node: SimNode, domain: SimDomain) -> None:
    """A guest runs on Primary disks that hold all that it was told is written."""
    for disk in domain.disks:
        found = node.drbd.by_minor(int(disk.path.removeprefix("/dev/drbd")))
        assert found is not None and found[0].primary, f"{domain.name} runs on {node.name} on a Secondary"
        if found[1].disk is Disk.UP_TO_DATE:
            records = store.backing(node, found[1]).records
            for block, value in disk.acknowledged.items():
                assert records.get(block) == value, f"block {block} of {domain.name} on {node.name} is lost"


def check_two_primaries(world: World, name: str) -> None:
    """Both sides are used while a domain is on its way, or is left half-way, and at no other time.

    Where a window was left open, two scripts may promote at the same moment; each sees the other then, and gives way.
    """
    sides = [node.drbd.resources.get(name) for node in world.nodes.values()]
    if all(side is not None and side.primary and side.in_use for side in sides):
        domains = [domain for node in world.nodes.values() for domain in node.domains]
        moving = any(each.suspended or each.zombie or each.name.endswith("--incoming") for each in domains)
        assert moving, f"{name} is used on both nodes, without a migration"


def mend(world: World) -> None:
    """Everything is up and connected again, as far as it connects; a node with a zombie needs a new start for that."""
    world.heal_link(*NODES)
    world.resync_bytes_per_s = None
    for name, node in world.nodes.items():
        node.pins_pages = False
        if any(domain.zombie for domain in node.domains):
            world.power_cut(name)
            world.advance(60)
        world.boot(name)
    world.advance(120)


def windows(world: World) -> dict[str, list[str]]:
    """What each node has for allow-two-primaries, by resource."""
    return {
        name: [
            node.drbd.resources[name].connection.options.get("allow-two-primaries", "no")
            for node in world.nodes.values()
        ]
        for name in RESOURCES
    }


def decide_split_brain(world: World) -> None:
    """A person decides a split-brain, as a link that is cut while both sides are Primary leaves it: one has nothing to lose."""
    for name in RESOURCES:
        sides = {node.name: node.drbd.resources[name] for node in world.nodes.values()}
        if not any(side.connected for side in sides.values()):
            written = {host: world.nodes[host].devices[f"/dev/XEN/{name}"].records for host in sides}
            old, new = sorted(sides, key=lambda host: (sides[host].in_use, max(written[host].values(), default=0)))
            lost = {block for block, value in written[old].items() if value > written[new].get(block, 0)}
            assert not lost, f"{name} was written on both sides"
            world.host(old).run(["drbdadm", "secondary", name])
            world.host(old).run(["drbdadm", "connect", "--discard-my-data", name], allowed=range(256))
            world.host(new).run(["drbdadm", "connect", name], allowed=range(256))
    world.advance(60)
