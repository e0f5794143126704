"""What an apply costs that changes nothing: processes on the node, and seconds beside the same number of empty states.

Run it with `python -m bench.apply`. Salt is real, with a master and
a minion; the tools of the node are simulated, and what they take is part of the seconds.
"""

import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.converged import converge
from demo.cluster import Cluster
from saltern.sim import store
from saltern.sim.cluster import WORLD
from saltern.sim.world import NodeSpec
from saltern.topology import compile as compile_topology
from saltern.topology import load_and_allocate, lockfile
from saltern.units import GIB

SIZES = (20, 200)
ROUNDS = 5
NODES = tuple(
    NodeSpec(name=name, address=address, volume_group_size_bytes=4096 * GIB, memory_bytes=512 * GIB)
    for name, address in (("dom0", "192.168.1.190"), ("dom0m", "192.168.1.191"))
)


def topology(domains: int) -> dict[str, Any]:
    """Two nodes that share all domains, with numbers allocated."""
    names = [node.name for node in NODES]
    pillar: dict[str, Any] = {
        "saltern": {
            "cluster": "bench",
            "nodes": {node.name: {"address": node.address, "volume_group": "XEN"} for node in NODES},
            "domains": {
                f"vm{number:03}": {
                    "home": names[number % 2],
                    "partner": names[1 - number % 2],
                    "memory": "512M",
                    "disks": {"xvda": {"size": "1G"}},
                    "interfaces": [{"bridge": "xenbr0"}],
                    "xl": {"bootloader": "pygrub"},
                }
                for number in range(domains)
            },
        }
    }
    pillar["saltern"]["allocation"] = lockfile.to_pillar(load_and_allocate(pillar))
    return pillar


def apply() -> None:
    """Measure every size, and print a line of the table for each figure."""
    for domains in SIZES:
        with tempfile.TemporaryDirectory() as directory:
            pillar = Path(directory)
            (pillar / "saltern.sls").write_text(json.dumps(topology(domains)))
            (pillar / "top.sls").write_text(json.dumps({"base": {"*": ["saltern"]}}))
            with Cluster(NODES, pillar) as cluster:
                _converge(cluster, topology(domains))
                for what, figure in _measure(cluster, domains):
                    print(f"{domains:>7} domains  {what:<36} {figure}", flush=True)


def _converge(cluster: Cluster, pillar: dict[str, Any]) -> None:
    """As ``converge``, for nodes in directories."""
    with store.opened(str(cluster.directory / "nodes" / WORLD)) as world:
        real = {name: node.files for name, node in world.nodes.items()}
        for node in world.nodes.values():
            node.files = {}  # in memory: standard input of a node in a directory is that of this process
        converge(world, compile_topology(pillar).slices)
        for name, node in world.nodes.items():
            real[name].update({path: file for path, file in node.files.items() if path.startswith("/etc/")})
            node.files = real[name]


def _measure(cluster: Cluster, domains: int) -> Iterator[tuple[str, str]]:
    node = cluster.nodes[0]
    states = _states(cluster, "state.apply")  # brings core and modules; what follows changes nothing
    empty = "".join(f"state {number}:\n  test.nop: []\n" for number in range(states))
    (cluster.states / "empty.sls").write_text(empty)
    # Applied through a top file as well: synchronising modules and matching a top file cost the same for both.
    (cluster.states / "empty_top.sls").write_text("base: {'*': [empty]}\n")
    before = len(cluster.commands(node))
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(_seconds(cluster, "state.apply"))
        theirs.append(_seconds(cluster, "state.top", "empty_top.sls"))
    processes = (len(cluster.commands(node)) - before) / ROUNDS
    ratio = statistics.median(ours) / statistics.median(theirs)
    yield "states of one node", f"{states:8}"
    yield "processes, nothing to change", f"{processes:8g}"
    yield "state.apply, nothing to change", f"{statistics.median(ours):8.3f} s"
    yield "state.apply, as many empty states", f"{statistics.median(theirs):8.3f} s"
    yield "times as long", f"{ratio:8.2f}"


def _states(cluster: Cluster, *function: str) -> int:
    done = subprocess.run(
        [str(cluster.bin / "salt-call"), "--out=json", *function], stdout=subprocess.PIPE, text=True, check=True
    )
    returned = json.loads(done.stdout)["local"]
    return len(returned)


def _seconds(cluster: Cluster, *function: str) -> float:
    start = time.perf_counter()
    subprocess.run([str(cluster.bin / "salt-call"), *function], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


if __name__ == "__main__":
    apply()
