"""Which program of a node is answered by which part of the simulator."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, cast

from saltern.errors import CommandMissing

if TYPE_CHECKING:
    from saltern.sim.host import SimHost
    from saltern.sim.world import World


COMMAND_S = 0.05


@dataclass
class Result:
    """What a command ended with."""

    returncode: int = 0
    stdout: str = ""
    stderr: str = ""


class NeverEnds(Exception):
    """A command that waits for something that will not happen."""


# Each module has run(world, node, argv) -> Result; that of xl, which starts other programs, has run(host, argv).
# They are imported when first needed: a shim runs only one of them.
PROGRAMS = {
    **dict.fromkeys(
        ("pvcreate", "pvs", "vgcreate", "vgs", "lvcreate", "lvextend", "lvreduce", "lvresize", "lvremove", "lvrename"),
        "lvm",
    ),
    **dict.fromkeys(("lvchange", "lvs"), "lvm"),
    **dict.fromkeys(("drbdadm", "drbdsetup", "drbdmeta"), "drbd"),
    **dict.fromkeys(("modprobe", "rmmod"), "modules"),
    **dict.fromkeys(
        ("xenstore-read", "xenstore-write", "xenstore-rm", "xenstore-list", "xenstore-ls"),
        "xenstore",
    ),
    "xl": "xl",
    "ssh-keygen": "ssh_keygen",
}

_READS = (
    ("lvs",),
    ("vgs",),
    ("pvs",),
    ("xenstore-read",),
    ("xenstore-list",),
    ("xenstore-ls",),
    ("xl", "list"),
    ("xl", "info"),
    ("xl", "domid"),
    ("xl", "domname"),
    ("xl", "vm-list"),
    ("xl", "uptime"),
    ("xl", "network-list"),
    ("xl", "block-list"),
    ("xl", "vcpu-list"),
    ("xl", "dmesg"),
    ("xl", "create", "-n"),
    ("drbdadm", "-d"),
    ("drbdadm", "--dry-run"),
    ("drbdadm", "--version"),
    ("drbdadm", "-V"),
    *(("drbdadm", verb) for verb in ("dump", "dump-xml", "dump-md", "get-gi", "show-gi", "status", "role")),
    *(("drbdadm", verb) for verb in ("cstate", "dstate", "sh-dev", "sh-resources", "sh-resource")),
    *(("drbdsetup", verb) for verb in ("status", "events2", "show", "show-gi", "get-gi", "role", "cstate", "dstate")),
)


def changes_something(argv: Sequence[str]) -> bool:
    """Whether a command may change the node: all but the known reads do."""
    if argv[0] == "drbdmeta":
        return "get-gi" not in argv
    if list(argv[:2]) == ["drbdadm", "-c"]:
        argv = ["drbdadm", *argv[3:]]
    return not any(tuple(argv[: len(read)]) == read for read in _READS)


def listens(argv: Sequence[str]) -> bool:
    """Whether a command goes on listening, instead of ending with an answer."""
    return list(argv[:2]) == ["drbdsetup", "events2"] and "--now" not in argv


def run(world: "World", node: str, argv: Sequence[str], host: "SimHost | None" = None) -> Result:
    """Run a command on a node that is up; it takes 50 ms, or as long as it says. ``host`` is the door of its program.

    ``CommandMissing`` for a program that is not simulated, ``NeverEnds`` for a command that would hang.
    """
    program = argv[0].rpartition("/")[2]
    if program not in PROGRAMS:
        raise CommandMissing(tuple(argv))
    module = import_module(f"saltern.sim.{PROGRAMS[program]}")
    words = [program, *argv[1:]]
    answer = module.run(host or world.host(node), words) if program == "xl" else module.run(world, node, words)
    world.advance(COMMAND_S)
    return cast(Result, answer)
