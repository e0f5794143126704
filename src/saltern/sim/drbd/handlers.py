"""The handlers of a resource: what the kernel has drbdadm run (conn_khelper in drbd_nl.c, adm_khelper in drbdadm_main.c).

A handler is a program of the administrator's: nothing here can run it. ``World.outside`` does; without one the shell finds no
such program.
"""

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from saltern.sim.drbd.config import MAIN_FILE, Config, Resource, load
from saltern.sim.drbd.syntax import ConfigError

if TYPE_CHECKING:
    from saltern.sim.world import SimNode, World

FENCE_PEER: Final = "fence-peer"
_NOTHING_TO_RUN: Final = 0
_NOT_FOUND: Final = 127
_PATH: Final = "/sbin:/usr/sbin:/bin:/usr/bin"


class Call(NamedTuple):
    """A handler that is to be run on ``node``: what the shell is given, and in which environment."""

    node: str
    resource: str
    number: int
    command: str
    environ: dict[str, str]


class Outside(Protocol):
    """What can run programs that are no part of the simulation."""

    def run(self, call: Call) -> int:
        """Run it to its end; returns the exit code."""
        ...

    def start(self, call: Call) -> None:
        """Have it run while the world goes on; ``fencing.answered`` is told how it has ended."""
        ...


def run(world: "World", node: "SimNode", resource: str, number: int) -> int:
    """Run ``fence-peer`` of a resource; returns the exit code of drbdadm."""
    call = _call(node, resource, number)
    if isinstance(call, int):
        return call
    return _NOT_FOUND if world.outside is None else world.outside.run(call)


def start(world: "World", node: "SimNode", resource: str, number: int) -> None:
    """Start ``fence-peer`` of a resource."""
    from saltern.sim import processes

    processes.start(world, node, ("drbdadm", FENCE_PEER, resource, str(number)))


def begun(world: "World", node: "SimNode", resource: str, number: int) -> None:
    """The process that was started by ``start`` comes to run."""
    from saltern.sim.drbd import fencing

    call = _call(node, resource, number)
    if isinstance(call, int):
        fencing.answered(world, node, resource, number, call)
    elif world.outside is None:
        fencing.answered(world, node, resource, number, _NOT_FOUND)
    else:
        world.outside.start(call)


def _call(node: "SimNode", name: str, number: int) -> Call | int:
    """What drbdadm runs, or the exit code with which it ends without running anything."""
    try:
        config = load(node.files, MAIN_FILE, node.drbd_version, node.name)
    except ConfigError as error:
        return error.returncode
    resource = config.resources.get(name)
    if resource is None:
        return 1
    command = config.handlers(resource).get(FENCE_PEER)
    if command is None:
        return _NOTHING_TO_RUN
    return Call(node.name, name, number, command, _environ(config, resource, node))


def _environ(config: Config, resource: Resource, node: "SimNode") -> dict[str, str]:
    host, peers = resource.host(node.name), resource.peers(node.name)
    volumes = [] if host is None else list(host.volumes.values())
    found = {
        "HOME": "/",
        "TERM": "linux",
        "PATH": _PATH,
        "DRBD_CONF": config.file,
        "DRBD_RESOURCE": resource.name,
        "DRBD_MINOR": " ".join(str(each.minor) for each in volumes),
        "DRBD_VOLUME": " ".join(str(each.number) for each in volumes),
        "DRBD_LL_DISK": " ".join(each.disk for each in volumes),
    }
    for peer in peers:
        found |= {"DRBD_PEER_AF": peer.family, "DRBD_PEER_ADDRESS": peer.address}
    if node.drbd_version == "9":
        found |= {f"DRBD_NODE_ID_{each.node_id}": each.name for each in resource.hosts}
        found |= {"DRBD_MY_NODE_ID": "" if host is None else str(host.node_id)}
    return found
