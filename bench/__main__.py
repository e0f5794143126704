"""The figures, printed as one table: `make bench` prints all, `python -m bench PART` one part of them."""

import argparse
from collections.abc import Callable
from functools import partial
from typing import Final

from bench.apply import apply
from bench.domain_fencing import TIMES as ORDERS
from bench.domain_fencing import domain_fencing
from bench.takeover import TIMES as TAKEOVERS
from bench.takeover import takeover
from bench.topology import topology

_REPEATED: Final = {
    "takeover": (takeover, TAKEOVERS, "from a loss that is seen to the start of what was lost"),
    "domain-fencing": (domain_fencing, ORDERS, "a domain is ended by order, on this node and on the other one"),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures, and prints a line for each figure.")
    parser.set_defaults(measure=_all)
    parts = parser.add_subparsers(metavar="PART", title="parts (all of them where none is named)")
    for name, once, summary in (
        ("topology", topology, "from pillar dictionaries to compiled slices"),
        ("apply", apply, "an apply that changes nothing"),
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


def main() -> None:
    """Measure what the command line asks for."""
    options = _parser().parse_args()
    measure: Callable[..., object] = options.measure
    if "n" in options:
        measure = partial(measure, options.n)
    measure()


if __name__ == "__main__":
    main()
