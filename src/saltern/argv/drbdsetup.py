"""Command lines that speak to the kernel alone, so that no mistake in any configuration file is in the way."""

from typing import Final

from saltern.argv.names import name
from saltern.model.running import Generation

_NO_FENCING: Final = "--fencing=dont-care"


def events2(resource: str) -> list[str]:
    """Read what the kernel runs under one name; ``saltern.parse.drbdsetup_events2`` understands the answer."""
    return ["drbdsetup", "events2", "--now", name(resource)]


def show(resource: str) -> list[str]:
    """Read the options and addresses of a resource in the kernel; ``saltern.parse.drbdsetup_show`` understands them."""
    return ["drbdsetup", "show", name(resource)]


def show_all() -> list[str]:
    """The same of all resources."""
    return ["drbdsetup", "show"]


def get_gi(resource: str, minor: int, peer_node_id: int, generation: Generation) -> list[str]:
    """Ask for the generation identifiers of an attached disk; ``saltern.parse.drbdmeta_gi`` understands the answer."""
    if generation is Generation.V84:
        return ["drbdsetup", "get-gi", str(minor)]
    return ["drbdsetup", "get-gi", name(resource), str(peer_node_id), "0"]


def primary(resource: str, minor: int, generation: Generation) -> list[str]:
    """Promote; 8.4 knows the device by its minor, 9 the resource by its name."""
    return ["drbdsetup", "primary", _subject(resource, minor, generation)]


def secondary(resource: str, minor: int, generation: Generation) -> list[str]:
    """Demote; DRBD refuses while something holds the device open (exit 11)."""
    return ["drbdsetup", "secondary", _subject(resource, minor, generation)]


def down(resource: str) -> list[str]:
    """Take the resource out of the kernel; DRBD refuses while something holds the device open (exit 11)."""
    return ["drbdsetup", "down", name(resource)]


def del_peer(resource: str, peer_node_id: int) -> list[str]:
    """Take a peer out of the kernel (DRBD 9)."""
    return ["drbdsetup", "del-peer", name(resource), str(peer_node_id)]


def allow_two_primaries(connection: tuple[str, str], allowed: bool) -> list[str]:
    """Allow both sides to be Primary, or no longer; the connected partner takes the change over (P_PROTOCOL_UPDATE).

    ``connection`` is what names it: the addresses of both sides for 8.4, resource and node-id of the partner for 9.
    """
    return ["drbdsetup", "net-options", *connection, f"--allow-two-primaries={'yes' if allowed else 'no'}"]


def resume_io(minor: int) -> list[str]:
    """Let the I/O of a resource go on that waits for its handler ``fence-peer``; whoever suspended it by hand is overruled."""
    return ["drbdsetup", "resume-io", str(minor)]


def detach_by_force(minor: int) -> list[str]:
    """Take the disk from a device, also from a Primary that has no other data; what waits for it does not end by that."""
    return ["drbdsetup", "detach", "--force", str(minor)]


def no_fencing_of_disk(minor: int) -> list[str]:
    """Let a Primary of 8.4 go on alone when it loses its partner, without asking."""
    return ["drbdsetup", "disk-options", str(minor), _NO_FENCING]


def no_fencing_of_connection(resource: str, peer_node_id: int) -> list[str]:
    """The same for 9."""
    return ["drbdsetup", "net-options", name(resource), str(peer_node_id), _NO_FENCING]


def _subject(resource: str, minor: int, generation: Generation) -> str:
    return str(minor) if generation is Generation.V84 else name(resource)
