"""Command lines of DRBD. Reads of the kernel go to drbdsetup, which works also when no configuration can be read."""

from typing import Final

from saltern.argv.names import name
from saltern.model.desired import ResourceHost
from saltern.model.running import Generation

_METADATA_FORMAT: Final = {Generation.V84: "v08", Generation.V9: "v09"}


def _resource(resource: str) -> str:
    """The name of one resource; ``ValueError`` for ``all``, which drbdadm takes for every resource."""
    if resource == "all":
        raise ValueError("'all' would be every resource of the node; name one")
    return name(resource)


def modprobe() -> list[str]:
    """Load the kernel module; it changes nothing when it is loaded."""
    return ["modprobe", "drbd"]


def version() -> list[str]:
    """Ask which kernel module is installed; ``saltern.parse.drbd_version.parse_drbdadm`` understands the answer."""
    return ["drbdadm", "--version"]


def events2() -> list[str]:
    """Read all that the kernel runs; ``saltern.parse.drbdsetup_events2`` understands the answer."""
    return ["drbdsetup", "events2", "--now", "--statistics"]


def events() -> list[str]:
    """Be told, without end, what happens in the kernel; ``saltern.parse.drbdsetup_events2`` understands each line."""
    return ["drbdsetup", "events2"]


def dump_xml() -> list[str]:
    """Read the configuration; ``saltern.parse.drbdadm_dump_xml`` understands the answer."""
    return ["drbdadm", "dump-xml"]


def dump_stdin() -> list[str]:
    """Let drbdadm read a configuration from its standard input; it fails when it would not accept it."""
    return ["drbdadm", "-c", "/dev/stdin", "dump", "all"]


def adjust_dry_run_stdin(resource: str) -> list[str]:
    """Ask what adjusting one resource would run if standard input were its configuration."""
    return ["drbdadm", "-c", "/dev/stdin", "-d", "adjust", _resource(resource)]


def adjust_dry_run() -> list[str]:
    """Ask what adjusting everything would run; exit 1 when no resource is configured (transcript 082)."""
    return ["drbdadm", "-d", "adjust", "all"]


def get_gi(side: ResourceHost, peer_node_id: int, generation: Generation) -> list[str]:
    """Ask a meta-disk that no kernel holds for its identifiers; exit 1 and 20 are answers, see ``saltern.parse.drbdmeta_gi``.

    drbdmeta, not drbdadm: the answer must not depend on somebody's mistake in the configuration of another resource.
    """
    peer = [] if generation is Generation.V84 else [f"--node-id={peer_node_id}"]
    return ["drbdmeta", *_place(side.minor, generation, side.meta_device, side.meta_index), *peer, "get-gi"]


def wipe_md(minor: int, generation: Generation, meta_device: str, meta_index: int | None) -> list[str]:
    """Take metadata away; without a terminal and without ``--force`` drbdmeta would cancel."""
    return ["drbdmeta", *_place(minor, generation, meta_device, meta_index), "wipe-md", "--force"]


def _place(minor: int, generation: Generation, meta_device: str, meta_index: int | None) -> list[str]:
    version = "v08" if generation is Generation.V84 else "v09"
    return [str(minor), version, meta_device, "flex-external" if meta_index is None else str(meta_index)]


def create_md(resource: str, max_peers: int | None = None) -> list[str]:
    """Create metadata with room for ``max_peers`` peers (DRBD 9 only; ``None`` for 8.4).

    Never with ``--force``: without a terminal drbdadm then refuses, exit 1, to overwrite or to convert what is there.
    """
    room = [] if max_peers is None else [f"--max-peers={max_peers}"]
    return ["drbdadm", "create-md", *room, _resource(resource)]


def adjust(resource: str) -> list[str]:
    """Bring the kernel to what the configuration says."""
    return ["drbdadm", "adjust", _resource(resource)]


def primary(resource: str) -> list[str]:
    """Promote; DRBD refuses without good data or beside another Primary (exit 17 and 11)."""
    return ["drbdadm", "primary", _resource(resource)]


def primary_force(resource: str) -> list[str]:
    """Promote and declare the disk here the good one, whatever it holds."""
    return ["drbdadm", "primary", "--force", _resource(resource)]


def secondary(resource: str) -> list[str]:
    """Demote; DRBD refuses while something holds the device open (exit 11)."""
    return ["drbdadm", "secondary", _resource(resource)]


def outdate(resource: str) -> list[str]:
    """Mark the disk here as older than the other one; DRBD refuses for a side that is connected or Primary (exit 17)."""
    return ["drbdadm", "outdate", _resource(resource)]


def resize(resource: str) -> list[str]:
    """Use what both volumes have grown; without a Primary exit 10 (transcript 205 and following)."""
    return ["drbdadm", "resize", _resource(resource)]


def down(resource: str) -> list[str]:
    """Take the resource out of the kernel."""
    return ["drbdadm", "down", _resource(resource)]


def connect(resource: str) -> list[str]:
    """Connect to the peer."""
    return ["drbdadm", "connect", _resource(resource)]


def disconnect(resource: str) -> list[str]:
    """Disconnect from the peer."""
    return ["drbdadm", "disconnect", _resource(resource)]
