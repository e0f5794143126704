"""Command lines of DRBD. Reads of the kernel go to drbdsetup, which works also when no configuration can be read."""

from typing import Final

from saltern.argv.names import name
from saltern.model.desired import ResourceHost
from saltern.model.observed import Generation

_METADATA_FORMAT: Final = {Generation.V84: "v08", Generation.V9: "v09"}


def modprobe() -> list[str]:
    """Load the kernel module; it changes nothing when it is loaded."""
    return ["modprobe", "drbd"]


def version() -> list[str]:
    """Ask which kernel module is installed; ``saltern.parse.drbd_version.parse_drbdadm`` understands the answer."""
    return ["drbdadm", "--version"]


def events2() -> list[str]:
    """Read all that the kernel runs; ``saltern.parse.drbdsetup_events2`` understands the answer."""
    return ["drbdsetup", "events2", "--now", "--statistics"]


def dump_xml() -> list[str]:
    """Read the configuration; ``saltern.parse.drbdadm_dump_xml`` understands the answer."""
    return ["drbdadm", "dump-xml"]


def dump_stdin() -> list[str]:
    """Let drbdadm read a configuration from its standard input; it fails when it would not accept it."""
    return ["drbdadm", "-c", "/dev/stdin", "dump", "all"]


def adjust_dry_run_stdin(resource: str) -> list[str]:
    """Ask what adjusting one resource would run if standard input were its configuration."""
    return ["drbdadm", "-c", "/dev/stdin", "-d", "adjust", name(resource)]


def adjust_dry_run() -> list[str]:
    """Ask what adjusting everything would run; exit 1 when no resource is configured (transcript 082)."""
    return ["drbdadm", "-d", "adjust", "all"]


def get_gi(side: ResourceHost, peer_node_id: int, generation: Generation) -> list[str]:
    """Ask for the generation identifiers on a meta-disk; exit 1 and 20 are answers, see ``saltern.parse.drbdmeta_gi``.

    Straight to drbdmeta, which reads no configuration: nobody's mistake in another resource stands in the way. It
    refuses while the disk is attached. The same command line as drbdadm's own (``drbdadm -d get-gi``).
    """
    index = "flex-external" if side.meta_index is None else str(side.meta_index)
    command = ["drbdmeta", str(side.minor), _METADATA_FORMAT[generation], name(side.meta_device), index]
    peer = [f"--node-id={peer_node_id}"] if generation is Generation.V9 else []
    return [*command, *peer, "get-gi"]


def create_md(resource: str, max_peers: int | None = None) -> list[str]:
    """Create metadata with room for ``max_peers`` peers (DRBD 9 only; ``None`` for 8.4).

    Never with ``--force``: without a terminal drbdadm then refuses, exit 1, to overwrite or to convert what is there.
    """
    room = [] if max_peers is None else [f"--max-peers={max_peers}"]
    return ["drbdadm", "create-md", *room, name(resource)]


def wipe_md(resource: str) -> list[str]:
    """Take metadata away; without a terminal and without ``--force`` drbdadm would cancel."""
    return ["drbdadm", "wipe-md", "--force", name(resource)]


def adjust(resource: str) -> list[str]:
    """Bring the kernel to what the configuration says."""
    return ["drbdadm", "adjust", name(resource)]


def primary(resource: str) -> list[str]:
    """Promote; DRBD refuses without good data or beside another Primary (exit 17 and 11)."""
    return ["drbdadm", "primary", name(resource)]


def primary_force(resource: str) -> list[str]:
    """Promote and declare the disk here the good one, whatever it holds."""
    return ["drbdadm", "primary", "--force", name(resource)]


def secondary(resource: str) -> list[str]:
    """Demote; DRBD refuses while something holds the device open (exit 11)."""
    return ["drbdadm", "secondary", name(resource)]


def resize(resource: str) -> list[str]:
    """Use what both volumes have grown; without a Primary exit 10 (transcript 205 and following)."""
    return ["drbdadm", "resize", name(resource)]


def down(resource: str) -> list[str]:
    """Take the resource out of the kernel."""
    return ["drbdadm", "down", name(resource)]


def connect(resource: str) -> list[str]:
    """Connect to the peer."""
    return ["drbdadm", "connect", name(resource)]


def disconnect(resource: str) -> list[str]:
    """Disconnect from the peer."""
    return ["drbdadm", "disconnect", name(resource)]
