"""How long it takes from pillar dictionaries to compiled slices, beside `drbdadm dump` of the same resources.

Run it with `python -m bench.topology`, or call ``topology()`` for rows of (what, domains, seconds).
"""

import gc
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from saltern.desired import compile_slices
from saltern.model.desired import NodeSlice
from saltern.model.running import Generation
from saltern.render.drbd_resource import render
from saltern.topology import compile as compile_topology
from saltern.topology import lockfile
from saltern.topology.allocate import allocate, complete
from saltern.topology.bulk import many_objects
from saltern.topology.load import load
from saltern.topology.validate import violations

SIZES = (1_000, 3_000, 10_000)
NODES = 200
_T = TypeVar("_T")


class Row(NamedTuple):
    """One line of the table."""

    what: str
    domains: int
    seconds: float


def pillar(domains: int, nodes: int = NODES) -> dict[str, Any]:
    """A cluster whose domains are spread over pairs of nodes: home by turns, partners at three distances."""
    return {
        "saltern": {
            "cluster": "bench",
            "drbd": {"protocol": "C", "net": {"ping-int": 3}},
            "nodes": {
                f"node{number:03}": {
                    "address": f"10.0.{number // 250}.{number % 250 + 1}",
                    "network": "10.0.0.0/16",
                    "volume_group": "XEN",
                    "volume_group_size": "10T",
                    "memory": "512G",
                }
                for number in range(nodes)
            },
            "domains": {f"vm{number:05}": _domain(number, nodes) for number in range(domains)},
        }
    }


def _domain(number: int, nodes: int) -> dict[str, Any]:
    home = number % nodes
    partner = (home + 1 + number // nodes % 3) % nodes
    return {
        "home": f"node{home:03}",
        "partner": f"node{partner:03}",
        "memory": "512M",
        "vcpus": 1,
        "depends_on": [f"vm{number - 1:05}"] if number % 10 else [],
        "disks": {"xvda": {"size": f"{number % 4 + 1}G"}},
        "interfaces": [{"bridge": "xenbr0"}],
        "xl": {"type": "pvh", "kernel": "/boot/guest/vmlinuz", "on_crash": "restart"},
    }


def _timed(what: str, domains: int, step: Callable[[], _T]) -> tuple[Row, _T]:
    gc.collect()  # the rubbish of the step before is not this one's
    start = time.perf_counter()
    with many_objects():  # as the functions do that are made of these steps
        result = step()
    return Row(what, domains, time.perf_counter() - start), result


def measure(domains: int) -> tuple[list[Row], dict[str, NodeSlice]]:
    """The steps for a cluster of that size, from dictionaries without an allocation to the slices of all nodes."""
    data = pillar(domains)
    loading, loaded = _timed("load", domains, lambda: load(data))
    allocating, (allocation, exhausted) = _timed(
        "allocate", domains, lambda: allocate(loaded.cluster, loaded.allocation)
    )
    completing, cluster = _timed("complete", domains, lambda: complete(loaded.cluster, allocation))
    validating, found = _timed("validate", domains, lambda: violations(loaded, allocation, cluster, exhausted))
    if found:
        raise AssertionError(f"the topology of the benchmark is invalid: {found[0]}")
    compiling, slices = _timed("compile", domains, lambda: compile_slices(cluster))
    rows = [loading, allocating, completing, validating, compiling]
    rows.append(Row("total", domains, sum(row.seconds for row in rows)))
    # As the master finds it later: with the allocation in the pillar.
    data["saltern"]["allocation"] = lockfile.to_pillar(allocation)
    rows.append(_timed("topology.compile with an allocation", domains, lambda: compile_topology(data))[0])
    return rows, slices


def drbdadm(domains: int, slices: dict[str, NodeSlice]) -> Iterator[Row]:
    """`drbdadm dump` of the same resources, where it is installed: it stops at the first conflict it finds."""
    if shutil.which("drbdadm") is None:
        return
    resources = {name: resource for share in slices.values() for name, resource in share.resources.items()}
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "drbd.conf"
        text = "".join(render(resource, Generation.V9) for resource in resources.values())
        file.write_text(f"global {{ usage-count no; }}\n{text}")
        command = ["drbdadm", "-c", str(file), "dump", "all"]
        yield _timed("drbdadm dump", domains, lambda: subprocess.run(command, capture_output=True, check=True))[0]


def topology(sizes: Sequence[int] = SIZES) -> list[Row]:
    """All rows, printed as they come."""
    measure(sizes[0])  # warm up: imports, caches of regular expressions
    rows = []
    for domains in sizes:
        measured, slices = measure(domains)
        for row in [*measured, *drbdadm(domains, slices)]:
            print(f"{row.domains:>7} domains  {row.what:<36} {row.seconds:8.3f} s", flush=True)
            rows.append(row)
    return rows


if __name__ == "__main__":
    topology()
