"""A simulated cluster in a directory: make it, look at it, and break it.

Every node is a directory with its files (``etc``, ``proc``) and its programs (``bin``: lvs, drbdadm, xl ...), which all
answer from one world in ``world.json``.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from saltern.errors import SizeError
from saltern.sim import store, tools
from saltern.sim.directory import DirectoryFiles
from saltern.sim.executable import install
from saltern.sim.world import NodeSpec, World
from saltern.units import format_size, parse_size

WORLD = "world.json"
_EXAMPLES = """examples:
  python -m saltern.sim.cluster create demo --node dom0=192.168.1.190 --node dom0m=192.168.1.191
  PATH=demo/dom0/bin:$PATH lvs
  python -m saltern.sim.cluster cut-link demo dom0 dom0m
  python -m saltern.sim.cluster power-cut demo dom0
  python -m saltern.sim.cluster boot demo dom0
  python -m saltern.sim.cluster status demo
"""


def create(directory: str, specs: Sequence[NodeSpec], *, seed: int = 0) -> Path:
    """Make a cluster in ``directory`` and return its world file. Raises ``FileExistsError`` where there is one."""
    folder = Path(directory).absolute()
    world_file = folder / WORLD
    if world_file.exists():
        raise FileExistsError(f"there is a cluster in {folder} already; remove the directory or choose another")
    folder.mkdir(parents=True, exist_ok=True)
    world = World.create(specs, seed=seed, time_s=time.time())
    for node in world.nodes.values():
        root = folder / node.name
        node.root = str(root)
        real = DirectoryFiles(node.root)
        for path, file in node.files.items():
            real[path] = file
        node.files = real
        install(node.root, str(world_file), node.name)
    store.save(world, str(world_file))
    return world_file


def status(world: World) -> str:
    """The state of every node and link, for people."""
    lines = []
    for node in world.nodes.values():
        if not node.powered:
            lines.append(f"{node.name} ({node.address}): no power")
            continue
        module = "loaded" if node.module_loaded else "not loaded"
        domains = ", ".join(domain.name for domain in node.domains) or "none"
        lines.append(f"{node.name} ({node.address}): up, DRBD {node.drbd_version} {module}, domains: {domains}")
        if node.module_loaded:
            shown = tools.run(world, node.name, ["drbdsetup", "status"])
            lines += [f"    {line}" for line in (shown.stdout + shown.stderr).splitlines() if line]
    lines += [f"link {' - '.join(sorted(link))}: cut" for link in sorted(world.cut_links, key=sorted)]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; 0 when it is done, 1 with a message on stderr when not."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "create":
            path = create(options.directory, _specs(options), seed=options.seed)
            sys.stdout.write(f"{path}\n")
            return 0
        with store.opened(str(Path(options.directory) / WORLD)) as world:
            sys.stdout.write(_act(world, options))
    except FileNotFoundError:
        return _fail(
            f"there is no cluster in {options.directory}; make one with: create {options.directory} --node ..."
        )
    except KeyError as error:
        return _fail(f"there is no node {error}; the nodes are in: status {options.directory}")
    except (FileExistsError, ValueError, SizeError) as error:
        return _fail(str(error))
    return 0


def _act(world: World, options: argparse.Namespace) -> str:
    if options.command == "power-cut":
        world.power_cut(options.node)
    elif options.command == "boot":
        world.boot(options.node)
    elif options.command == "cut-link":
        world.cut_link(*options.nodes)
    elif options.command == "heal-link":
        world.heal_link(*options.nodes)
    return status(world)


def _fail(message: str) -> int:
    sys.stderr.write(f"{message}\n")
    return 1


def _specs(options: argparse.Namespace) -> list[NodeSpec]:
    specs = []
    for text in options.node:
        name, equals, address = text.partition("=")
        if not (name and equals and address):
            raise ValueError(f"--node {text}: write NAME=ADDRESS, as in dom0=192.168.1.190")
        specs.append(
            NodeSpec(
                name=name,
                address=address,
                volume_group=options.volume_group,
                volume_group_size_bytes=parse_size(options.volume_group_size),
                memory_bytes=parse_size(options.memory),
                drbd=options.drbd,
            )
        )
    return specs


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m saltern.sim.cluster",
        description="A simulated cluster of Xen nodes in a directory.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, summary: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=summary, description=summary)
        added.add_argument("directory", help="the directory of the cluster")
        return added

    new = command("create", "make nodes with an empty volume group each")
    new.add_argument("--node", action="append", required=True, metavar="NAME=ADDRESS", help="a node; repeat for more")
    new.add_argument("--volume-group", default=NodeSpec.volume_group, help="its name (default: %(default)s)")
    new.add_argument("--volume-group-size", default=format_size(NodeSpec.volume_group_size_bytes), metavar="SIZE")
    new.add_argument(
        "--memory", default=format_size(NodeSpec.memory_bytes), metavar="SIZE", help="for domains, each node"
    )
    new.add_argument("--drbd", choices=("8.4", "9"), default=NodeSpec.drbd, help="generation (default: %(default)s)")
    new.add_argument("--seed", type=int, default=0, help="of the identifiers that are drawn (default: 0)")
    command("status", "show nodes, resources, domains and cut links")
    for name, summary in (
        ("power-cut", "take the power from a node"),
        ("boot", "give it its power back, and bring up its resources"),
    ):
        command(name, summary).add_argument("node")
    for name, summary in (("cut-link", "cut the link between two nodes"), ("heal-link", "mend it")):
        command(name, summary).add_argument("nodes", nargs=2, metavar="NODE")
    return parser


if __name__ == "__main__":
    sys.exit(main())
