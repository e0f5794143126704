"""What is on the nodes, as far as a remake changes it: each step is applied, and refuses to be applied where it does not fit.

A copy of data is known by what it is a copy of (``Copy.data``), whatever its volume is called; a step that would lose, mix up
or overwrite one fails.
"""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Any

from saltern.desired import compile_slices
from saltern.model.desired import DomainSpec, Purpose, Resource, volume_key
from saltern.model.topology import Cluster
from saltern.topology.remake import Kind, Step


@dataclass(frozen=True)
class Copy:
    data: tuple[str, str] | None  # UUID of the domain and device as it was in the beginning; None: blank
    complete: bool = True
    following: bool = True


@dataclass
class World:
    nodes: set[str]
    volumes: dict[tuple[str, str], Copy | None] = field(default_factory=dict)  # None: metadata
    sizes: dict[tuple[str, str], int] = field(default_factory=dict)
    slots: set[tuple[str, str, int]] = field(default_factory=set)  # with metadata in them
    resources: dict[tuple[str, str], Resource] = field(default_factory=dict)  # node and name: up, and its file there
    disconnected: set[tuple[str, str]] = field(default_factory=set)
    files: dict[tuple[str, str], DomainSpec] = field(default_factory=dict)
    running: dict[str, str] = field(default_factory=dict)  # UUID to node

    def copies(self) -> dict[tuple[str, str], list[Copy]]:
        found = defaultdict(list)
        for copy in self.volumes.values():
            if copy is not None and copy.data is not None:
                found[copy.data].append(copy)
        return found


def world_of(cluster: Cluster) -> World:
    world = World(nodes=set(cluster.nodes))
    for node, share in compile_slices(cluster).items():
        for volume in share.volumes:
            world.volumes[node, volume.path] = None
            world.sizes[node, volume.path] = volume.size_bytes
        for domain in share.domains.values():
            world.files[node, domain.name] = domain
            if domain.home == node:
                world.running[domain.uuid] = node
            for disk in domain.disks:
                resource = share.resources[disk.resource]
                host = resource.on(node)
                world.volumes[node, host.disk] = Copy(data=(domain.uuid, disk.device))
                world.resources[node, resource.name] = resource
                if host.meta_index is not None:
                    world.slots.add((node, host.meta_device, host.meta_index))
    return world


def apply(world: World, step: Step) -> None:
    """Do a step, or fail an assertion."""
    assert set(step.nodes) <= world.nodes or step.kind is Kind.PREPARE_NODE, step
    _STEPS[step.kind](world, step)


def _claims(world: World, node: str) -> list[Any]:
    found: list[Any] = []
    for (where, _), resource in world.resources.items():
        if where == node:
            host = resource.on(node)
            found += [("minor", host.minor), ("disk", host.disk)]
            if (node, resource.name) not in world.disconnected:
                found.append(("port", host.address, host.port))
            found.append(("meta", host.meta_device, host.meta_index))
    return found


def _set_up(world: World, node: str, resource: Resource) -> None:
    assert (node, resource.name) not in world.resources
    host = resource.on(node)
    assert isinstance(world.volumes[node, host.disk], Copy)
    assert (node, host.meta_device) in world.volumes
    assert host.meta_index is None or (node, host.meta_device, host.meta_index) in world.slots
    world.resources[node, resource.name] = resource
    claims = _claims(world, node)
    assert len(claims) == len(set(claims)), claims


def _take_down(world: World, step: Step) -> None:
    (node,) = step.nodes
    assert world.resources.pop((node, step.was.name)).on(node) == step.was.on(node)
    world.disconnected.discard((node, step.was.name))


def _prepare(world: World, step: Step) -> None:
    world.nodes.update(step.nodes)


def _create(world: World, step: Step) -> None:
    (node,) = step.nodes
    for volume in step.volumes:
        key = node, volume.path
        if volume.purpose is Purpose.META and step.resource.on(node).meta_index is not None:
            world.volumes.setdefault(key, None)
            world.sizes[key] = max(world.sizes.get(key, 0), volume.size_bytes)
        else:
            assert key not in world.volumes, f"{key} is there"
            world.volumes[key] = Copy(data=None) if volume.purpose is Purpose.DATA else None
            world.sizes[key] = volume.size_bytes


def _migrate(world: World, step: Step) -> None:
    source, target = step.nodes
    spec = world.files[target, step.domain]
    uuid = spec.uuid
    assert world.running[uuid] == source
    for disk in spec.disks:
        resource = world.resources.get((target, disk.resource))
        # A disk that only the next start takes up need not be complete.
        assert resource is not None
        copy = world.volumes[target, resource.on(target).disk]
        assert copy.data is None or (copy.complete and copy.following), step
    world.running[uuid] = target


def _stop(world: World, step: Step) -> None:
    (node,) = step.nodes
    uuid = next(uuid for uuid, where in world.running.items() if where == node and _names(world, uuid, step.domain))
    del world.running[uuid]


def _names(world: World, uuid: str, name: str) -> bool:
    return any(spec.uuid == uuid and spec.name == name for spec in world.files.values())


def _start(world: World, step: Step) -> None:
    (node,) = step.nodes
    assert world.files[node, step.domain] == step.spec or _same_file(world.files[node, step.domain], step.spec)
    assert step.spec.uuid not in world.running
    for disk in step.spec.disks:
        resource = world.resources[node, disk.resource]
        copy = world.volumes[node, resource.on(node).disk]
        assert copy.complete and copy.following and copy.data is not None, step
    world.running[step.spec.uuid] = node


def _same_file(first: DomainSpec, second: DomainSpec) -> bool:
    neutral = {"home": "", "partner": "", "depends_on": (), "order": 0}
    return replace(first, **neutral) == replace(second, **neutral)


def _freeze(world: World, step: Step) -> None:
    (node,) = step.nodes
    key = node, step.was.on(node).disk
    _take_down(world, step)
    copy = world.volumes[key]
    assert copy.complete
    world.volumes[key] = replace(copy, following=False)


def _rename(world: World, step: Step) -> None:
    (node,) = step.nodes
    assert not any(
        resource.on(node).disk in {volume.path for volume in step.former}
        for (where, _), resource in world.resources.items()
        if where == node
    )
    for old, new in zip(step.former, step.volumes, strict=True):
        assert (node, new.path) not in world.volumes
        assert volume_key(old.path)[0] == volume_key(new.path)[0]
        world.volumes[node, new.path] = world.volumes.pop((node, old.path))
        world.sizes[node, new.path] = world.sizes.pop((node, old.path))


def _take_slot(world: World, node: str, resource: Resource) -> None:
    host = resource.on(node)
    if host.meta_index is not None:
        key = node, host.meta_device, host.meta_index
        assert key not in world.slots, f"{key} is taken"
        world.slots.add(key)
        assert world.sizes[node, host.meta_device] >= (host.meta_index + 1) * 128 * 1024**2


def _up(world: World, step: Step) -> None:
    (node,) = step.nodes
    _set_up(world, node, step.resource)


def _disconnect(world: World, step: Step) -> None:
    for node in step.nodes:
        assert world.resources[node, step.was.name].on(node) == step.was.on(node)
        world.disconnected.add((node, step.was.name))


def _connect(world: World, step: Step) -> None:
    for node in step.nodes:
        before = world.resources.pop((node, step.resource.name))
        host, then = before.on(node), step.resource.on(node)
        assert (host.minor, host.disk, host.meta_device, host.meta_index) == (
            then.minor,
            then.disk,
            then.meta_device,
            then.meta_index,
        )
        world.disconnected.remove((node, step.resource.name))
        _set_up(world, node, step.resource)


def _adjust(world: World, step: Step) -> None:
    for node in step.nodes:
        before = world.resources[node, step.resource.name]
        assert {before.on(node), before.peer_of(node)} == {step.resource.on(node), step.resource.peer_of(node)}
        world.resources[node, step.resource.name] = step.resource


def _join(world: World, step: Step) -> None:
    (node,) = step.nodes
    host = step.resource.on(node)
    assert world.volumes[node, host.disk] == Copy(data=None), "not blank"
    _take_slot(world, node, step.resource)
    _set_up(world, node, step.resource)
    world.volumes[node, host.disk] = Copy(data=None, complete=False)


def _both(step: Step) -> tuple[tuple[str, str], tuple[str, str]]:
    first, second = step.resource.hosts
    return (first.node, first.disk), (second.node, second.disk)


def _connected(world: World, resource: Resource) -> bool:
    sides = [world.resources.get((host.node, resource.name)) for host in resource.hosts]
    return all(side is not None and replace(side, size_bytes=resource.size_bytes) == resource for side in sides)


def _first_sync(world: World, step: Step) -> None:
    assert _connected(world, step.resource)
    for key in _both(step):
        assert world.volumes[key] == Copy(data=None, complete=False)
        world.volumes[key] = Copy(data=("new", step.resource.name))


def _synchronise(world: World, step: Step) -> None:
    (node,) = step.nodes
    assert _connected(world, step.resource)
    source, target = sorted(_both(step), key=lambda each: each[0] == node)
    good = world.volumes[source]
    assert good.complete and good.following and good.data is not None
    assert world.volumes[target] == Copy(data=None, complete=False)
    world.volumes[target] = good


def _configure_domain(world: World, step: Step) -> None:
    (node,) = step.nodes
    former = world.files.get((node, step.domain))
    # A file of the same name is that of the same domain, or of what it was before its UUID changed.
    assert former is None or former.uuid == step.spec.uuid or former.uuid not in world.running
    for disk in step.spec.disks:
        assert (node, disk.resource) in world.resources, step
    world.files[node, step.domain] = step.spec


def _remove_config(world: World, step: Step) -> None:
    (node,) = step.nodes
    spec = world.files.pop((node, step.domain))
    assert world.running.get(spec.uuid) != node


def _extend(world: World, step: Step) -> None:
    (node,) = step.nodes
    for volume in step.volumes:
        assert world.sizes[node, volume.path] <= volume.size_bytes
        world.sizes[node, volume.path] = volume.size_bytes


def _grow(world: World, step: Step) -> None:
    assert _connected(world, step.resource)
    for key in _both(step):
        assert world.volumes[key].complete
        assert world.sizes[key] >= step.resource.size_bytes
    for host in step.resource.hosts:
        world.resources[host.node, step.resource.name] = step.resource


def _remove_replica(world: World, step: Step) -> None:
    (node,) = step.nodes
    host = step.was.on(node)
    if (node, step.was.name) in world.resources and world.resources[node, step.was.name].on(node).disk == host.disk:
        assert all(
            step.was.name not in {disk.resource for disk in spec.disks}
            for (where, _), spec in world.files.items()
            if world.running.get(spec.uuid) == node == where
        ), "in use"
        _take_down(world, step)
    for volume in step.volumes:
        del world.volumes[node, volume.path]
        del world.sizes[node, volume.path]
    if host.meta_index is not None:
        world.slots.remove((node, host.meta_device, host.meta_index))


def _nothing(world: World, step: Step) -> None:
    """Nothing on the nodes that is looked at here."""


def _release(world: World, step: Step) -> None:
    (node,) = step.nodes
    if step.words.endswith("taken away"):
        assert all(where != node for where, _ in world.resources)
        assert all(copy is None for (where, _), copy in world.volumes.items() if where == node)
        world.nodes.remove(node)


_STEPS = {
    Kind.PREPARE_NODE: _prepare,
    Kind.CREATE_VOLUMES: _create,
    Kind.MIGRATE: _migrate,
    Kind.STOP: _stop,
    Kind.FREEZE: _freeze,
    Kind.DOWN: _take_down,
    Kind.RENAME_VOLUMES: _rename,
    Kind.UP: _up,
    Kind.DISCONNECT: _disconnect,
    Kind.CONNECT: _connect,
    Kind.ADJUST: _adjust,
    Kind.JOIN: _join,
    Kind.FIRST_SYNC: _first_sync,
    Kind.SYNCHRONISE: _synchronise,
    Kind.CONFIGURE_DOMAIN: _configure_domain,
    Kind.REMOVE_CONFIG: _remove_config,
    Kind.START: _start,
    Kind.EXTEND_VOLUMES: _extend,
    Kind.GROW: _grow,
    Kind.REMOVE_REPLICA: _remove_replica,
    Kind.RECORD: _nothing,
    Kind.RELEASE_NODE: _release,
}


def assert_is(world: World, cluster: Cluster, leftovers: set[tuple[str, str]]) -> None:
    """The world is what the cluster says, and beside it nothing but ``leftovers``."""
    wanted = world_of(cluster)
    assert world.nodes == wanted.nodes
    assert world.volumes.keys() - leftovers == wanted.volumes.keys()
    for key, size_bytes in wanted.sizes.items():
        assert world.sizes[key] >= size_bytes
    assert world.slots == wanted.slots
    # Neither its file nor the kernel tells whose a resource is: one of a domain that is renamed can stay as it is.
    assert {key: replace(spec, domain="") for key, spec in world.resources.items()} == {
        key: replace(spec, domain="") for key, spec in wanted.resources.items()
    }
    assert world.disconnected == set()
    assert {key: replace(spec, depends_on=(), order=0, home="", partner="") for key, spec in world.files.items()} == {
        key: replace(spec, depends_on=(), order=0, home="", partner="") for key, spec in wanted.files.items()
    }
    assert world.running == wanted.running
    for (node, _), resource in world.resources.items():
        mine, theirs = (world.volumes[host.node, host.disk] for host in resource.hosts)
        assert mine == theirs and mine.complete and mine.following, (node, resource.name)
