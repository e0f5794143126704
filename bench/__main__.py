"""The figures, printed as one table: `make bench` prints those that any machine can, `make lab-bench` those of the lab.

`python -m bench PART` prints one part of either.
"""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from typing import Final

from bench.apply import apply
from bench.domain_fencing import TIMES as ORDERS
from bench.domain_fencing import domain_fencing
from bench.evacuation import evacuation
from bench.failover import TIMES as FAILOVERS
from bench.failover import failover
from bench.migration import TIMES as MIGRATIONS
from bench.migration import migration
from bench.on_lab import opened
from bench.takeover import TIMES as TAKEOVERS
from bench.takeover import takeover
from bench.topology import topology
from lab.cluster import Lab
from lab.errors import LabError

_REPEATED: Final = {
    "takeover": (takeover, TAKEOVERS, "from a loss that is seen to the start of what was lost"),
    "domain-fencing": (domain_fencing, ORDERS, "a domain is ended by order, on this node and on the other one"),
    "lab-migration": (
        lambda times: _on_lab(partial(migration, times=times)),
        MIGRATIONS,
        "a migration through Saltern beside `xl migrate`, on the lab",
    ),
    "lab-failover": (
        lambda times: _on_lab(partial(failover, times=times)),
        FAILOVERS,
        "a node loses its power, with guards and by hand, on the lab",
    ),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures, and prints a line for each figure.")
    parser.set_defaults(measure=_all)
    parts = parser.add_subparsers(metavar="PART", title="parts (where none is named, all but those of the lab)")
    for name, once, summary in (
        ("topology", topology, "from pillar dictionaries to compiled slices"),
        ("apply", apply, "an apply that changes nothing"),
        ("lab", partial(_on_lab, migration, evacuation, failover), "all that is measured on the lab"),
        ("lab-evacuation", partial(_on_lab, evacuation), "eight small domains leave a node, on the lab"),
    ):
        parts.add_parser(name, help=summary, description=summary).set_defaults(measure=once)
    for name, (repeated, times, summary) in _REPEATED.items():
        part = parts.add_parser(name, help=summary, description=summary)
        part.add_argument("-n", type=int, default=times, metavar="TIMES", help="how often (default: %(default)s)")
        part.set_defaults(measure=repeated)
    return parser


def _all() -> None:
    topology()
    apply()
    takeover()
    domain_fencing()
    print(
        "Left out is what is measured on real Xen, DRBD and LVM in the lab: `make lab-bench` does it, as root, in hours"
    )


def _on_lab(*measures: Callable[[Lab], None]) -> None:
    with opened() as lab:
        for measure in measures:
            measure(lab)


def main() -> None:
    """Measure what the command line asks for."""
    options = _parser().parse_args()
    measure: Callable[..., object] = options.measure
    if "n" in options:
        measure = partial(measure, options.n)
    try:
        measure()
    except LabError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
