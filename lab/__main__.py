"""The lab at the command line: `make lab`, and the command `lab` at its prompt."""

import argparse
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from demo.prompt import shell, write_script
from lab import transcript
from lab.cluster import NODES, Lab, usual_directory
from lab.errors import LabError
from lab.master import CHECKOUT

TRANSCRIPTS = CHECKOUT / "tests" / "data" / "transcripts"
WELCOME = """
The nodes node1 and node2 and a Salt master. `exit` leaves them running, `make lab-down` ends them.
The topology is in $P; edit it there, it is a copy of lab/pillar.

  salt '*' state.apply           from empty volume groups to running domains
  salt-run cluster.status        who runs where, and what is wrong
  on node1 xl list               a command on a node, as root
  on node2                       a shell there
  lab status                     what is up, and the snapshots
  lab power-cut node2            takes its power; `lab power-on node2` gives it back
  lab cut-link                   pulls the cable between the nodes; `lab heal-link` plugs it in
  lab save NAME                  keeps everything as it is now; `lab restore NAME` comes back to it
  lab record node1 NAME xl list  runs a command and writes it into tests/data/transcripts
  lab reinstall node2            a new machine of the same name, with empty disks

All that is emulated: a command takes a second, an apply a minute.
"""


def main(words: Sequence[str] | None = None) -> int:
    """Do one command; returns an exit code. What goes wrong is told in one message, without a traceback."""
    arguments = _parser().parse_args(words)
    try:
        code: int = arguments.run(Lab(arguments.directory or usual_directory(), _progress()), arguments)
    except (LabError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lab", description=__doc__)
    parser.add_argument("--directory", type=Path, help="where the lab lives: $SALTERN_LAB, or .lab in the checkout")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: Callable[[Lab, argparse.Namespace], int], told: str, *operands: str) -> None:
        command = commands.add_parser(name, help=told, description=told)
        command.set_defaults(run=run)
        for operand in operands:
            command.add_argument(operand, choices=NODES if operand == "node" else None)

    add("shell", _shell, "bring up whatever is down, and run a shell with the commands of the lab")
    add("up", _up, "bring up whatever is down")
    add("down", _do(lambda lab, _: lab.down()), "end the nodes and the master; the disks stay")
    add("status", _status, "what is up, and which snapshots there are")
    add("power-cut", _do(lambda lab, given: lab.power_cut(given.node)), "take the power from a node", "node")
    add("power-on", _do(lambda lab, given: lab.power_on(given.node)), "boot a node from its disks", "node")
    add("reinstall", _do(lambda lab, given: lab.reinstall(given.node)), "boot a node from new disks", "node")
    add("cut-link", _do(lambda lab, _: lab.cut_link()), "pull the cable between the nodes")
    add("heal-link", _do(lambda lab, _: lab.heal_link()), "plug it in again")
    add("save", _do(lambda lab, given: lab.save(given.name)), "keep everything as it is now", "name")
    add("restore", _do(lambda lab, given: lab.restore(given.name)), "go back to what was kept", "name")
    record = commands.add_parser("record", help="run a command on a node, and write it into tests/data/transcripts")
    record.add_argument("node", choices=NODES)
    record.add_argument("name", help="what it shows, in a few words joined by hyphens")
    record.add_argument("command", nargs=argparse.REMAINDER)
    record.set_defaults(run=_record)
    on = commands.add_parser("on", help="run a command on a node, or a shell when none is given")
    on.add_argument("node", choices=NODES)
    on.add_argument("command", nargs=argparse.REMAINDER)
    on.set_defaults(run=_on)
    return parser


def _progress() -> Callable[[str], None]:
    begun = time.monotonic()
    return lambda text: print(f"[{time.monotonic() - begun:5.0f} s] {text}", flush=True)


def _do(step: Callable[[Lab, argparse.Namespace], None]) -> Callable[[Lab, argparse.Namespace], int]:
    def run(lab: Lab, given: argparse.Namespace) -> int:
        step(lab, given)
        return 0

    return run


def _up(lab: Lab, _given: argparse.Namespace) -> int:
    if not lab.is_up:
        lab.up()
        lab.make_volume_groups()
    return 0


def _shell(lab: Lab, given: argparse.Namespace) -> int:
    _up(lab, given)
    commands = lab.directory / "run" / "bin"
    commands.mkdir(exist_ok=True)
    for program in ("salt", "salt-run"):
        write_script(commands / program, f'exec {shlex.join(lab.master.argv(program))} "$@"')
    ours = shlex.join([sys.executable, "-m", "lab", "--directory", str(lab.directory)])
    ours = f"PYTHONPATH={shlex.quote(str(CHECKOUT))} exec {ours}"
    write_script(commands / "lab", f'{ours} "$@"')
    write_script(commands / "on", f'{ours} on "$@"')
    print(WELCOME)
    shell("lab", commands, {"P": str(lab.master.pillar / "saltern")})
    return 0


def _on(lab: Lab, given: argparse.Namespace) -> int:
    ssh = lab.ssh(given.node)
    if not lab.runs(given.node):
        raise LabError(f"{given.node} is off; `lab power-on {given.node}`")
    command = " ".join(given.command)  # as ssh(1) does: quoted as a whole, it is a line of shell on the node
    return ssh.interactive(command, terminal=sys.stdin.isatty())


def _record(lab: Lab, given: argparse.Namespace) -> int:
    path = transcript.record(lab, given.node, given.name, " ".join(given.command), TRANSCRIPTS)
    print(f"{path.read_text(encoding='utf-8')}{path}")
    return 0


def _status(lab: Lab, _given: argparse.Namespace) -> int:
    for node in NODES:
        print(f"{node:9} {'on' if lab.runs(node) else 'off'}")
    print(f"{'master':9} {'on' if lab.master_runs else 'off'}")
    print(f"{'link':9} {'cut' if lab.link_is_cut else 'plugged in'}")
    for name in lab.snapshots():
        fits = "" if lab.has(name) else ", which no longer fits the image, the machines or QEMU"
        print(f"{'snapshot':9} {name}{fits}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
