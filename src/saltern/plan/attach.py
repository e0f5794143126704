"""Attaching a disk to a domain: whether this side of a resource may become Primary for it, and how.

Whatever starts a domain or receives one, also a person at a prompt, passes here by way of the block script of the disk.
"""

from collections.abc import Collection
from enum import StrEnum

from saltern.errors import Refused
from saltern.model.running import Connection, ConnectionState, DiskState, Role, RunningResource


class Act(StrEnum):
    """What the script does, in order; the first that fails ends it."""

    DEMOTE = "demote"  # the proof that nothing uses a Primary: DRBD refuses while it is held open
    ALLOW_TWO_PRIMARIES = "allow two primaries"
    ALLOW_ONE_PRIMARY = "allow one primary"
    PROMOTE = "promote"


def require_up(resource: str, side: RunningResource | None) -> RunningResource:
    """What the kernel runs under that name; raises ``Refused`` when it runs nothing."""
    if side is None:
        raise Refused(resource, "it is not up on this node", f"Bring it up with `drbdadm up {resource}`")
    return side


def require_own(side: RunningResource, others: Collection[int]) -> None:
    """Raises ``Refused`` when other domains of this node have the disk, or are being given it.

    Until its backend opens the device, DRBD does not know of a user, and would let it be taken away again.
    """
    if others:
        raise Refused(
            side.name,
            f"it is {side.role} here and in use: held open by domain {min(others)}, or being given to it at this moment",
            "See `xl list`; a disk belongs to one domain, and there it stands once",
        )


def decide(side: RunningResource, *, incoming: bool, window: bool) -> tuple[Act, ...]:
    """What makes a disk ready for a domain; ``incoming`` for one that is being received from the partner.

    ``window`` is whether this side allows two primaries now: a migration is going on, or was interrupted.
    Raises ``Refused``: what is not known to be safe is not done. To be Primary without a break is the proof that nobody else
    was, unless two were allowed; so a Primary goes on without its partner, and a Secondary does not.
    """
    _require_good(side)
    connection = _connection(side)
    if connection.state is not ConnectionState.CONNECTED:
        return _alone(side, connection, incoming, window)
    if incoming:
        return _arriving(side, connection)
    if connection.role is not Role.SECONDARY:
        raise Refused(
            side.name,
            f"it is {connection.role} on the partner, so a domain may be using it there",
            "Look at `xl list` on the partner; a running domain comes here by `xl migrate`",
        )
    return _unused(side, window)


def confirm(before: RunningResource, after: RunningResource, *, incoming: bool) -> None:
    """Look again after the promotion; raises ``Refused`` when what it was decided on is no longer so.

    A connection that still stands has told the partner that this side is Primary, which keeps the partner from promoting.
    """
    _require_good(after)
    expected = {_partner(_connection(before))}
    if not incoming:
        expected.add(Role.SECONDARY)
    connection = _connection(after)
    if after.role is not Role.PRIMARY or _partner(connection) not in expected:
        raise Refused(
            after.name,
            f"it changed in the moment of the promotion: it is now {after.role} here and {connection.role} on the partner, "
            f"{connection.state}",
            "Look at `drbdsetup status` on both nodes and try again",
        )


def two_primaries(side: RunningResource) -> bool:
    """True while both sides are known to be Primary: a migration is going on."""
    return side.role is Role.PRIMARY and any(_partner(each) is Role.PRIMARY for each in side.connections)


def one_primary(side: RunningResource) -> bool:
    """True when one side is known to be Secondary; sides that are just connecting have not told their roles yet."""
    return connected(side) and (
        side.role is Role.SECONDARY or all(_partner(each) is Role.SECONDARY for each in side.connections)
    )


def given_up(side: RunningResource) -> bool:
    """True when this side does not even try to connect."""
    return all(each.state is ConnectionState.STANDALONE for each in side.connections)


def connected(side: RunningResource) -> bool:
    """True while the partner is in sight."""
    return any(each.state is ConnectionState.CONNECTED for each in side.connections)


def is_without_disk(connection: Connection) -> bool:
    """True when the partner is in sight and has no disk: DRBD 8.4 then calls a copy UpToDate that is Consistent or Outdated.

    (``sanitize_state``: "D_CONSISTENT and D_OUTDATED vanish when we get connected".)
    """
    there = connection.volumes[0].disk if 0 in connection.volumes else None
    return connection.state is ConnectionState.CONNECTED and there in (DiskState.DISKLESS, DiskState.FAILED)


def _require_good(side: RunningResource) -> None:
    if side.devices.keys() != {0}:
        raise Refused(
            side.name, f"it has {len(side.devices)} volumes", "A disk of a domain is a resource with volume 0 only"
        )
    if side.suspended:
        raise Refused(side.name, "its I/O is suspended", "`drbdsetup status` tells the reason")
    if side.fails_io:
        raise Refused(
            side.name,
            "it fails all its I/O: it was made Secondary by force while something had it open, and has still",
            f"End what has it open; then `drbdsetup status {side.name}` no longer tells `force-io-failures:yes`",
        )
    if side.devices[0].disk is not DiskState.UP_TO_DATE:
        raise Refused(
            side.name,
            f"its disk is {side.devices[0].disk} here",
            "Only UpToDate data are used: connect it to the partner and let it synchronise",
        )


def _connection(side: RunningResource) -> Connection:
    """The one connection there is to the partner."""
    if len(side.connections) > 1:
        raise Refused(side.name, f"it has {len(side.connections)} connections", "A disk of a domain has one partner")
    if not side.connections or side.connections[0].state is ConnectionState.STANDALONE:
        raise Refused(
            side.name,
            "it does not connect (StandAlone), so that the sides may have diverged",
            "`dmesg` on both nodes tells why; decide which side's data are kept",
        )
    return side.connections[0]


def _partner(connection: Connection) -> Role:
    """The role of the partner, unknown when it is out of sight."""
    return connection.role if connection.state is ConnectionState.CONNECTED else Role.UNKNOWN


def _alone(side: RunningResource, connection: Connection, incoming: bool, window: bool) -> tuple[Act, ...]:
    if incoming:
        raise Refused(
            side.name,
            f"it is not connected ({connection.state}), and a domain arrives only where the data are the same on both nodes",
            "See to the replication network, then migrate again",
        )
    if side.role is not Role.PRIMARY:
        raise Refused(
            side.name,
            f"it is not connected ({connection.state}), so the domain may be running on the partner: unknown is not down",
            "Bring the partner, or the link to it, back; only when it is certainly down, take over with "
            f"`drbdadm primary {side.name}` and start again",
        )
    if window:
        raise Refused(
            side.name,
            f"it is not connected ({connection.state}), and two primaries are allowed since a migration that was interrupted: "
            "the domain may be running on the partner, although it is Primary here",
            f"Look at `xl list` on the partner; where the domain is there, run `drbdadm secondary {side.name}` here. Only when "
            f"the partner is certainly down, take over with `drbdadm adjust {side.name}` and start again",
        )
    return _unused(side, window)


def _arriving(side: RunningResource, connection: Connection) -> tuple[Act, ...]:
    if connection.role is not Role.PRIMARY:
        raise Refused(
            side.name,
            f"it is {connection.role} on the partner, so nothing runs there that could arrive here",
            "Start the domain on one node, then migrate it",
        )
    if side.role is not Role.SECONDARY:
        raise Refused(
            side.name,
            "it is Primary on both nodes already",
            "Another migration is going on, or was interrupted: look at `xl list` on both nodes",
        )
    there = connection.volumes[0].disk
    if there is not DiskState.UP_TO_DATE:
        raise Refused(side.name, f"its disk is {there} on the partner", "Let it synchronise, then migrate again")
    return (Act.ALLOW_TWO_PRIMARIES, Act.PROMOTE)


def _unused(side: RunningResource, window: bool) -> tuple[Act, ...]:
    proof = (Act.DEMOTE,) if side.role is Role.PRIMARY else ()
    end = (Act.ALLOW_ONE_PRIMARY,) if window else ()
    return (*proof, *end, Act.PROMOTE)
