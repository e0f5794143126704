"""How long an order takes by which a domain is ended, on its own node and on the other one: real guards, on simulated nodes.

What Saltern takes is told apart from what `xl` takes, which is simulated, and a Python that reads the whole world each time.
"""

import time
from collections.abc import Iterator
from typing import Final, NamedTuple

from bench.clocks import taken_s
from bench.guarded import Pair, pair
from bench.rows import print_ms, print_ratio
from saltern.argv import xen
from saltern.guarding import asked
from saltern.model.desired import domain_file
from saltern.run import LocalHost
from saltern.sim import tools

TIMES: Final = 1000


class Order(NamedTuple):
    """Seconds of one order: until `xl destroy` is issued, until the domain is known to be gone; and what `xl` took of both."""

    issued_s: float
    issued_programs_s: float
    gone_s: float
    programs_s: float

    @property
    def ours_s(self) -> float:
        """What Saltern has taken."""
        return self.gone_s - self.programs_s


def _order(nodes: Pair, by: str, node: str, domain: str) -> Order:
    """Order it by the guard of a node, and see how long it takes until that says that the domain is gone."""
    clock, root = nodes.clocks[node], nodes.root(by)
    clock.runs()
    begun_s = time.time()
    asked.fence_domain(LocalHost(root=root), root, domain, node)
    ended_s = time.time()
    runs = [run for run in clock.runs() if run.text.startswith("xl ")]
    destroyed_s = min(run.begun_s for run in runs if run.text.startswith("xl destroy "))
    return Order(
        issued_s=destroyed_s - begun_s,
        issued_programs_s=taken_s(runs, begun_s, destroyed_s),
        gone_s=ended_s - begun_s,
        programs_s=taken_s(runs, begun_s, ended_s),
    )


def _start(nodes: Pair, node: str, domain: str) -> None:
    """What was ended runs again. Without a process: that of Xen's tool is not what is measured."""
    with nodes.world() as world:
        done = tools.run(world, node, xen.create(domain_file(domain)))
    if done.returncode:
        raise AssertionError(f"{domain} is not started again: {done.stderr}")


def _measure(nodes: Pair, times: int, *, local: bool) -> Iterator[Order]:
    """Domains by turns, each ordered by its own node or by the other one."""
    homes = nodes.domains_at_home
    for number in range(times):
        domain = list(homes)[number % len(homes)]
        node = homes[domain]
        yield _order(nodes, node if local else nodes.other(node), node, domain)
        _start(nodes, node, domain)


def domain_fencing(times: int = TIMES) -> None:
    """Measure so many orders of each kind, and print a line of the table for each figure."""
    with pair(domains=2) as nodes:
        for where, local in (("on this node", True), ("on the other node", False)):
            found = list(_measure(nodes, times, local=local))
            print_ms(f"{where}: `xl destroy` issued", [each.issued_s for each in found])
            print_ms(f"{where}: gone, and known to be", [each.gone_s for each in found])
            print_ms(f"{where}: of which simulated programs took", [each.programs_s for each in found])
            print_ms(f"{where}: Saltern's own", [each.ours_s for each in found])
            print_ratio(
                f"{where}: times as long as the programs alone",
                [each.gone_s for each in found],
                [each.programs_s for each in found],
            )
