"""The command ``saltern``: the topology without Salt, for a terminal, a pre-commit hook or CI."""

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from saltern import __version__, topology
from saltern.converge import Converge
from saltern.desired import slice_to_pillar
from saltern.errors import FileError, NoTopology, SalternError, TopologyError
from saltern.guarding import command as guarding
from saltern.model.desired import NodeSlice
from saltern.model.running import Generation
from saltern.plan import script
from saltern.plan.items import items
from saltern.run import LocalHost
from saltern.secrets import masked
from saltern.topology import files, graph
from saltern.topology.capacity import losses
from saltern.topology.remake import remake
from saltern.topology.remake.show import data_of
from saltern.topology.remake.show import text_of as plan_of
from saltern.topology.show import text_of

_EPILOG = """\
PATH is a topology file or a directory with an init.sls in it; the allocation is read from allocation.sls beside it.
Exit codes: 0 all is well, 1 the topology is invalid or no YAML (or, with `allocate --check`, not allocated; or `remake` refuses),
2 wrong usage, or a file that cannot be read, or that has Jinja in it.

examples:
  saltern validate pillar/saltern
  saltern allocate pillar/saltern
  saltern allocate --forget dns pillar/saltern
  saltern show pillar/saltern dom0
  saltern graph pillar/saltern --format svg > cluster.svg
  saltern script dom0 pillar/saltern > build-dom0.sh
  saltern remake before/saltern pillar/saltern --destroy dns@dom0m
"""
_FORGET = """\
give up what the file says of this domain (dns) or of one disk (dns/xvdb), which must run nowhere: where the data are, the
UUID and the numbers; what is in the topology is allocated anew. The numbers stay reserved as `retired`: when nothing is left
on a node, delete its lines there by hand. Nothing is given up otherwise, also not when a domain is taken out of the
topology. Can be repeated"""
_MOVED = """\
what the file says of this domain (dns) follows the topology, because its data were moved so: nodes, volume groups, volumes,
names, numbers. What it had elsewhere stays reserved as `retired`. Can be repeated"""
_DESTROY = """\
plan the destruction of this domain (dns), of one disk (dns/xvdb), or of the copy on a node that is replaced (dns@dom0m); what
would be destroyed and is not named is refused. Can be repeated"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except TopologyError as error:
        return _invalid(error, as_json=options.json)
    except (SalternError, OSError) as error:
        print(f"saltern: {error}", file=sys.stderr)
        return 1 if isinstance(error, NoTopology) else 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="saltern",
        description="Check, number, show and draw the topology of a Xen and DRBD cluster, without Salt.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"saltern {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    validate = _command(commands, "validate", _validate, "check the topology; tells every violation at once")
    _path(validate)
    _json(validate)
    allocate = _command(
        commands, "allocate", _allocate, "give numbers to what has none, and keep them in allocation.sls"
    )
    _path(allocate)
    _json(allocate)
    allocate.add_argument("--check", action="store_true", help="write nothing; exit 1 when the file would change")
    allocate.add_argument("--forget", metavar="NAME", action="append", default=[], help=_FORGET)
    allocate.add_argument("--moved", metavar="NAME", action="append", default=[], help=_MOVED)
    show = _command(commands, "show", _show, "show the cluster, or what one node should be")
    _path(show)
    _json(show)
    show.add_argument("node", metavar="NODE", nargs="?", help="only what this node is given")
    draw = _command(commands, "graph", _graph, "draw the cluster: nodes, domains, replication, dependencies")
    _path(draw)
    draw.add_argument("--format", choices=("dot", "mermaid", "svg"), default="dot", help="svg needs Graphviz")
    plan = _command(commands, "script", _script, "print the plan for an empty node as a shell script")
    plan.add_argument("node", metavar="NODE", help="the node to build")
    _path(plan)
    plan.add_argument(
        "--drbd", choices=[str(each) for each in Generation], default="8.4", help="the DRBD generation (default: 8.4)"
    )
    change = _command(
        commands, "remake", _remake, "plan what brings the nodes from one topology to another; nothing is done"
    )
    change.add_argument(
        "before", metavar="BEFORE", type=Path, help="the topology as the nodes are, with its allocation"
    )
    change.add_argument("after", metavar="AFTER", type=Path, help="the topology as they shall be")
    change.add_argument(
        "--allocation", metavar="FILE", type=Path, help="the allocation of BEFORE, where it is not the one beside it"
    )
    change.add_argument("--destroy", metavar="NAME", action="append", default=[], help=_DESTROY)
    _json(change)
    guarding.add(commands)
    return parser


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, function: object, summary: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
    parser.set_defaults(command=function, json=False)
    return parser


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="answer in JSON, for programs")


def _path(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", metavar="PATH", type=Path, help="the topology: a file, or a directory with init.sls")


def _invalid(error: TopologyError, *, as_json: bool) -> int:
    if as_json:
        found = [{"rule": each.rule, "paths": each.paths, "found": each.found} for each in error.violations]
        detailed = [
            {**short, "allowed": each.allowed, "remedy": each.remedy}
            for short, each in zip(found, error.violations, strict=True)
        ]
        print(json.dumps({"valid": False, "violations": detailed}, indent=2))
    else:
        print(error, file=sys.stderr)
    return 1


def _compiled(options: argparse.Namespace) -> topology.Compiled:
    return topology.compile(files.read(options.path))


def _share(options: argparse.Namespace, compiled: topology.Compiled) -> NodeSlice:
    if options.node not in compiled.slices:
        known = ", ".join(sorted(compiled.slices))
        raise FileError(str(options.path), f"it has no node {options.node!r}", f"Its nodes are {known}")
    return compiled.slices[options.node]


def _validate(options: argparse.Namespace) -> int:
    cluster = _compiled(options).cluster
    fatal = [", ".join(loss.lost) for loss in losses(cluster) if loss.survivable is False]
    if options.json:
        counts = {
            "nodes": len(cluster.nodes),
            "domains": len(cluster.domains),
            "fatal_losses": fatal,
            "takeover": cluster.takeover is not None,
        }
        print(json.dumps({"valid": True, "cluster": cluster.name, **counts}, indent=2))
        return 0
    print(f"{cluster.name}: {len(cluster.nodes)} nodes, {len(cluster.domains)} domains: valid")
    if cluster.takeover is None:
        print("note: there is no `takeover`: what a lost node ran is started by a person only")
    for lost in fatal:
        print(f"note: the memory of the other nodes does not hold everything that runs on {lost}")
    return 0


def _allocate(options: argparse.Namespace) -> int:
    target = files.allocation_file(options.path)
    text = topology.write_allocation(
        topology.load_and_allocate(files.read(options.path), options.forget, options.moved)
    )
    changed = not target.exists() or target.read_text(encoding="utf-8") != text
    if changed and not options.check:
        LocalHost().write_text(str(target.absolute()), text, 0o644)
    if options.json:
        print(json.dumps({"file": str(target), "changed": changed}))
    elif not changed:
        print(f"{target} is complete; nothing was changed")
    else:
        print(f"{target} would change: run `saltern allocate`" if options.check else f"{target} was written; commit it")
    return 1 if changed and options.check else 0


def _show(options: argparse.Namespace) -> int:
    compiled = _compiled(options)
    chosen = compiled.slices if options.node is None else {options.node: _share(options, compiled)}
    if options.json:
        print(json.dumps({name: masked(slice_to_pillar(share)) for name, share in chosen.items()}, indent=2))
    else:
        print("\n\n".join(text_of(share) for share in chosen.values()))
    return 0


def _graph(options: argparse.Namespace) -> int:
    cluster = _compiled(options).cluster
    if options.format == "mermaid":
        print(graph.mermaid(cluster), end="")
        return 0
    picture = graph.dot(cluster)
    if options.format == "svg":
        program = shutil.which("dot")
        if program is None:
            raise FileError("dot", "Graphviz is not installed", "Install it, or ask for --format dot or mermaid")
        picture = subprocess.run([program, "-Tsvg"], input=picture, capture_output=True, text=True, check=True).stdout
    print(picture, end="")
    return 0


def _script(options: argparse.Namespace) -> int:
    share = _share(options, _compiled(options))
    generation = Generation(options.drbd)
    plan = Converge(LocalHost(), share, test=True, known=script.empty_node(share, generation))
    outcomes = {item: plan.item(item) for item in items(share)}
    refused = [f"{item}: {each.comment}" for item, each in outcomes.items() if each.result is False]
    if refused:
        # What comes after it is refused because of it.
        print(f"saltern: {refused[0]}", file=sys.stderr)
        return 1
    actions = {item: each.actions for item, each in outcomes.items()}
    print(script.render(share, generation, actions), end="")
    return 0


def _remake(options: argparse.Namespace) -> int:
    before, after = topology.compile_change(files.read(options.before, options.allocation), files.read(options.after))
    found = remake(before, after, options.destroy)
    if options.json:
        print(json.dumps(data_of(found), indent=2))
    else:
        print(plan_of(found), file=sys.stderr if found.refusals else sys.stdout)
    return 1 if found.refusals else 0
