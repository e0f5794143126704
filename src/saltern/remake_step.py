"""One step of a remake on one node: it looks, does what is not done yet, looks again, and tells what time has still to bring.

Asked for again it does nothing. What builds up are items of `state.apply`, of this node's own share of AFTER; what takes apart
is decided by ``saltern.plan.remake``.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from saltern.act import perform
from saltern.converge import Converge
from saltern.errors import Refused
from saltern.model.desired import NodeSlice, Resource
from saltern.model.observed import SshKeys
from saltern.model.remake import Kind, Step
from saltern.model.running import ConnectionState, DiskState, ReplicationState
from saltern.observe import AskKeys, Observation, read_own_keys
from saltern.plan import items, remake
from saltern.plan.items import Item
from saltern.plan.project import touched
from saltern.plan.step import Step as Taken
from saltern.plan.step import Wait
from saltern.remake_entries import at_work
from saltern.run import Host
from saltern.units import format_size

# How long an item waits for the partner, before the master is told what it waits for, and asks again.
_WAIT_S: Final = 20.0
_UP: Final = (items.Kind.RESOURCE_CONFIGURATION, items.Kind.METADATA, items.Kind.ACTIVATION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What came of a step on a node: what was ``done`` now, in words, and what it still ``waits`` for."""

    done: tuple[str, ...] = ()
    waits: tuple[str, ...] = ()


Share = Callable[[], NodeSlice]  # this node's share of AFTER; raises ``SliceError``


def take(host: Host, node: str, step: Step, *, number: int, uuid: str, share: Share, identifier: str) -> Told:
    """Take a step of the remake with that id. Raises ``Refused``, what a tool ends with, and ``SliceError``.

    ``number`` counts the steps of its domain from 1: told late, when it is counted as done, it is not taken again. What it takes
    apart may be there once more by then, made by a later step under the same name. ``uuid`` is that of the domain as it was;
    ``share`` is asked only for what the topology gives this node.
    """
    if step.domain is None or step.kind not in _STEPS:
        raise Refused(
            f"step {step.kind}", "it is not taken by a node", "Install the same version of Saltern everywhere"
        )
    with at_work(host, step.domain, identifier) as remaking:
        if number <= remaking.reached:
            raise Refused(
                step.words, f"{remaking.reached} of {remaking.steps} steps are done, this is {number}", "Go on"
            )
        return _STEPS[step.kind](_Node(host, node, step, uuid, share, identifier))


def settle_in(host: Host, domain: str, share: NodeSlice, identifier: str) -> Told:
    """In the end everything of the domain is as AFTER says; raises ``Refused`` with all that is not, and cannot be made so."""
    with at_work(host, domain, identifier):
        run = Converge(host, share, wait_s=_WAIT_S, ours=identifier)
        outcomes = run.domain(domain)
        wrong = [f"{item}: {outcome.comment}" for item, outcome in outcomes.items() if outcome.result is False]
        if wrong:
            raise Refused(f"domain {domain}", "; ".join(wrong), "See to that, then give the same command again")
        return Told(done=tuple(outcome.comment for outcome in outcomes.values() if outcome.changes))


def prepared(host: Host, node: str, volume_group: str) -> Told:
    """Whether a node has what it needs before anything is put there; raises ``Refused``, and what a tool ends with."""
    view = Observation(host, node)
    group = view.lvm.volume_groups.get(volume_group)
    if group is None:
        raise Refused(f"node {node}", f"it has no volume group {volume_group}", "See docs/howto/real-nodes.md")
    free = format_size(group.free_bytes)
    hypervisor = format_size(view.free_memory_bytes)
    return Told(done=(f"DRBD {view.generation}, {free} free in {volume_group}, {hypervisor} of memory free",))


def own_keys(host: Host, given: NodeSlice) -> SshKeys | None:
    """The public keys of a node that is to send domains, or to take them in; the pair is made where there is none."""
    _item(host, given, Item(items.Kind.MIGRATION_KEY), None)
    return read_own_keys(host)


def trust(host: Host, given: NodeSlice, own: NodeSlice | None, ask_keys: AskKeys) -> Told:
    """Let the partners of a node send domains to it: those that ``given`` names, and of its ``own`` share all that have keys."""
    known = (
        {}
        if own is None
        else {name: each for name, each in own.resources.items() if ask_keys(each.peer_of(own.node).node) is not None}
    )
    resources = {**known, **given.resources}
    return _item(host, replace(given, resources=resources), Item(items.Kind.TRUST), ask_keys)


def _item(host: Host, share: NodeSlice, item: Item, ask_keys: AskKeys | None) -> Told:
    outcome = Converge(host, share, ask_keys=ask_keys).item(item)
    if outcome.result is False:
        raise Refused(str(item), outcome.comment, "See to that, then give the same command again")
    return Told(done=(outcome.comment,) if outcome.actions else ())


@dataclass(frozen=True, slots=True)
class _Node:
    """A step and the node that takes it."""

    host: Host
    node: str
    step: Step
    uuid: str
    share: Share
    identifier: str

    @property
    def was(self) -> Resource:
        """The resource before the step."""
        return _there(self.step.was, "the resource as it was")

    @property
    def resource(self) -> Resource:
        """The resource that the step makes, without its secrets."""
        return _there(self.step.resource, "the resource")

    def look(self) -> Observation:
        """A new look at the node."""
        return Observation(self.host, self.node, ours=self.identifier)

    def apply(self, wanted: Iterable[Item]) -> Told:
        """Bring items to what this node's share of AFTER says; the first that cannot be ends it."""
        share = self.share()
        run = Converge(self.host, share, wait_s=_WAIT_S, ours=self.identifier)
        done = []
        for item in wanted:
            outcome = run.item(item)
            if outcome.result is False:
                raise Refused(str(item), outcome.comment, "See to that, then give the same command again")
            if outcome.actions:
                done.append(outcome.comment)
        return Told(done=tuple(done))

    def bring_about(self, decide: Callable[[Observation], Taken | Wait]) -> Told:
        """Do what is decided, and look again, until nothing is left to do, or it waits for something."""
        view = self.look()
        done: list[str] = []
        taken: Taken | None = None
        while True:
            found = decide(view)
            if isinstance(found, Wait):
                return Told(done=tuple(done), waits=(found.reason,))
            if not found.actions:
                return Told(done=tuple(done))
            if taken is not None and found.actions == taken.actions:
                raise Refused(self.step.words, "what was done had no effect", "Look at the logs of this node")
            for action in found.actions:
                try:
                    perform(self.host, action)
                finally:
                    view.forget(touched(action))
            done.append(found.comment)
            taken = found
            view.forget_all()


def _there(resource: Resource | None, what: str) -> Resource:
    if resource is None:
        raise Refused("step", f"{what} is missing in it", "Install the same version of Saltern everywhere")
    return resource


# --- Building up -------------------------------------------------------------------------------------------------
def _create_volumes(at: _Node) -> Told:
    remake.require_new(at.step.volumes, at.resource, at.node, at.look())
    return at.apply(Item(items.Kind.VOLUME, volume.path) for volume in at.step.volumes)


def _extend_volumes(at: _Node) -> Told:
    return at.apply(Item(items.Kind.VOLUME, volume.path) for volume in at.step.volumes)


def _bring_up(at: _Node) -> Told:
    return at.apply([Item(items.Kind.MODULE), *(Item(kind, at.resource.name) for kind in _UP)])


def _connect(at: _Node) -> Told:
    told = _bring_up(at)
    both = {host.node for host in at.resource.hosts} <= set(at.step.nodes)
    return Told(done=told.done, waits=tuple(_waits(at)) if both else ())


def _first_sync(at: _Node) -> Told:
    return at.apply([Item(items.Kind.FIRST_SYNCHRONISATION, at.resource.name)])


def _synchronise(at: _Node) -> Told:
    waits = tuple(_waits(at))
    return Told(waits=waits) if waits else _first_sync(at)  # its volume is no longer a new one


def _grow(at: _Node) -> Told:
    told = at.apply([Item(items.Kind.SIZE, at.resource.name)])
    side = at.look().running.get(at.resource.name)
    size_bytes = side.devices[0].size_bytes if side is not None and 0 in side.devices else None
    if size_bytes is None or size_bytes < at.resource.size_bytes:
        return Told(done=told.done, waits=(f"{at.resource.name} has {format_size(size_bytes or 0)}",))
    return Told(done=told.done, waits=tuple(_waits(at)))


def _configure_domain(at: _Node) -> Told:
    scripts = (item for item in items.items(at.share()) if item.kind is items.Kind.SCRIPT)
    return at.apply([*scripts, Item(items.Kind.DOMAIN_CONFIGURATION, at.step.domain or "")])


def _waits(at: _Node) -> Iterator[str]:
    """What time has to bring before both copies are connected and UpToDate."""
    name = at.resource.name
    side = at.look().running.get(name)
    connection = side.connections[0] if side is not None and side.connections else None
    if side is None or connection is None or connection.state is not ConnectionState.CONNECTED:
        yield f"{name} is not connected on {at.node} ({'down' if connection is None else connection.state})"
        return
    peer = connection.volumes.get(0)
    disks = (side.devices[0].disk if 0 in side.devices else DiskState.DISKLESS, peer and peer.disk)
    still = peer is not None and peer.replication in (ReplicationState.ESTABLISHED, ReplicationState.OFF)
    if still and disks == (DiskState.UP_TO_DATE, DiskState.UP_TO_DATE):
        return
    percent = ""
    if peer is not None and peer.out_of_sync_bytes is not None:
        done = 1 - min(1.0, peer.out_of_sync_bytes / at.resource.size_bytes)
        percent = f", {100 * done:.1f} %"
    yield f"{name} is {disks[0]} on {at.node} and {disks[1] or 'DUnknown'} on the other node{percent}"


# --- Taking apart ------------------------------------------------------------------------------------------------
def _disconnect(at: _Node) -> Told:
    follows = len(at.step.nodes) > 1 and at.node == at.step.nodes[0]
    return at.bring_about(lambda view: remake.disconnect(at.was, at.node, view, follows=follows))


def _remove_replica(at: _Node) -> Told:
    frozen = any("@" in name for name in at.step.destroys)
    if not at.step.destroys:
        raise Refused(at.step.words, "nobody has named what it destroys", "Name it in `destroy`")
    return at.bring_about(lambda view: remake.remove_replica(at.was, at.step.volumes, at.node, frozen, view))


_STEPS: Final[Mapping[Kind, Callable[[_Node], Told]]] = {
    Kind.CREATE_VOLUMES: _create_volumes,
    Kind.JOIN: _bring_up,
    Kind.UP: _bring_up,
    Kind.ADJUST: _bring_up,
    Kind.CONNECT: _connect,
    Kind.FIRST_SYNC: _first_sync,
    Kind.SYNCHRONISE: _synchronise,
    Kind.EXTEND_VOLUMES: _extend_volumes,
    Kind.GROW: _grow,
    Kind.CONFIGURE_DOMAIN: _configure_domain,
    Kind.FREEZE: lambda at: at.bring_about(lambda view: remake.freeze(at.was, at.node, view)),
    Kind.DOWN: lambda at: at.bring_about(lambda view: remake.down(at.was, at.node, view)),
    Kind.DISCONNECT: _disconnect,
    Kind.RENAME_VOLUMES: lambda at: at.bring_about(lambda view: remake.rename(at.step.former, at.step.volumes, view)),
    Kind.REMOVE_REPLICA: _remove_replica,
    Kind.REMOVE_CONFIG: lambda at: at.bring_about(
        lambda view: remake.remove_config(at.step.domain or "", at.uuid, view)
    ),
}
