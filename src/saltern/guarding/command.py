"""``saltern guard``, ``saltern witness`` and ``saltern fence-peer``; a node has them as ``/usr/lib/saltern/guard``."""

import argparse
import getpass
import json
import os
from collections.abc import Callable, Sequence
from typing import Any, Final

from saltern.errors import SalternError
from saltern.guarding import fence_peer
from saltern.guarding.local import ask
from saltern.model.places import GUARD_SETTINGS, WITNESS_SETTINGS

_ANSWER_S: Final = 10.0
Parsers = Any  # argparse keeps its type to itself


def add(commands: Parsers, root: str = "/") -> None:
    """The three commands, for a parser of command lines. ``root`` is that of the node where nothing else is said."""
    summary = f"guard this node as {GUARD_SETTINGS} says: keep its leases, take over what is lost"
    guard = _command(commands, "guard", summary, _guard, root)
    guard.add_argument(
        "verb",
        nargs="?",
        choices=("run", "status", "pause", "resume", "stop", "key"),
        default="run",
        help="run: be the guard (default). status: ask it, in JSON. pause, resume: take nothing over, and again. stop: end it "
        "when its partners have taken note. key: make the key pair where there is none, and print the public half",
    )
    _command(commands, "witness", f"be the third vote for the nodes in {WITNESS_SETTINGS}", _witness, root)
    summary = "answer DRBD whether a resource goes on without its partner"
    handler = _command(commands, "fence-peer", summary, _fence_peer, root)
    handler.add_argument(
        "--patience",
        metavar="SECONDS",
        type=float,
        default=fence_peer.PATIENCE_S,
        help="how long to wait for an answer (default: %(default)g)",
    )


def _command(
    commands: Parsers, name: str, summary: str, function: Callable[[argparse.Namespace], int], root: str
) -> Any:
    parser = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
    parser.add_argument(
        "--root", metavar="DIRECTORY", default=root, help="stands before every path of a file (default: %(default)s)"
    )
    parser.set_defaults(command=function, json=False)
    return parser


def main(arguments: Sequence[str] | None = None, root: str = "/") -> int:
    """Run one of the commands on the node whose files are under ``root``; returns its exit code."""
    parser = argparse.ArgumentParser(prog="guard", description="Guard a node, witness for nodes, or answer DRBD.")
    add(parser.add_subparsers(metavar="COMMAND", required=True), root)
    options = parser.parse_args(arguments)
    try:
        return int(options.command(options))
    except (SalternError, OSError) as error:
        parser.exit(2, f"guard: {error}\n")


# ZeroMQ is not loaded before it is needed: DRBD waits for its handler, and who only asks may not have it.
def _guard(options: argparse.Namespace) -> int:
    match options.verb:
        case "run":
            from saltern.guarding.processes import run_guard

            run_guard(options.root)
        case "key":
            from saltern.guarding.processes import public_key

            print(public_key(options.root))
        case "pause":
            _print(ask(options.root, {"ask": "pause", "who": getpass.getuser()}, _ANSWER_S))
        case verb:
            _print(ask(options.root, {"ask": verb}, _ANSWER_S))
    return 0


def _print(reply: dict[str, Any]) -> None:
    print(json.dumps(reply, indent=2))


def _witness(options: argparse.Namespace) -> int:
    from saltern.guarding.processes import run_witness

    run_witness(options.root)
    return 0


def _fence_peer(options: argparse.Namespace) -> int:
    return fence_peer.run(os.environ, options.root, options.patience)
