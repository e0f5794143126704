"""``drbdsetup events2``: what the kernel runs, in the same words for DRBD 8.4 and 9."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple, TypeVar

from saltern.errors import ParseError
from saltern.model.running import (
    Connection,
    ConnectionState,
    Device,
    DiskState,
    PeerDevice,
    ReplicationState,
    Role,
    RunningResource,
)
from saltern.parse.scalars import whole_number
from saltern.units import KIB

_TOOL = "drbdsetup events2"
_FENCING = "fencing"
_QUORUM = "quorum"
_SUSPENSIONS = frozenset({"user", "no-data", _FENCING, _QUORUM})
_YES = {"yes": True, "no": False}
# DRBD 8.4 has one connection for each resource and calls every peer by this word.
_NAMELESS_PEER = "peer"


class Happening(StrEnum):
    """The first word of a line."""

    EXISTS = "exists"
    CREATE = "create"
    CHANGE = "change"
    DESTROY = "destroy"
    CALL = "call"
    RESPONSE = "response"
    RENAME = "rename"


class Kind(StrEnum):
    """The second word of a line: what it is about. ``END`` is the dash after the last thing that exists."""

    RESOURCE = "resource"
    CONNECTION = "connection"
    DEVICE = "device"
    PEER_DEVICE = "peer-device"
    PATH = "path"
    HELPER = "helper"
    END = "-"


class Event(NamedTuple):
    """One line: what happened to what, and every ``key:value`` that it says."""

    happening: Happening
    kind: Kind
    fields: Mapping[str, str]


_Word = TypeVar("_Word", bound=StrEnum)


class _Resource:
    """A resource while its lines are read."""

    def __init__(self, role: Role, suspended: frozenset[str], *, fails_io: bool) -> None:
        self.role, self.suspended, self.fails_io = role, suspended, fails_io
        self.devices: dict[int, Device] = {}
        self.connections: dict[int, _Connection] = {}


class _Connection:
    """A connection while its lines are read."""

    def __init__(self, peer: str | None, state: ConnectionState, role: Role) -> None:
        self.peer, self.state, self.role = peer, state, role
        self.volumes: dict[int, PeerDevice] = {}
        self.clients: set[int] = set()  # the volumes that the peer has no disk of, on purpose


def parse_line(line: str) -> Event:
    """One line of the stream; raises ``ParseError`` for a happening, a kind or a form that is not known."""
    words = line.split()
    if len(words) < 2:
        raise ParseError(_TOOL, "a line is too short", line)
    happening = _word(Happening, words[0], "a happening", line)
    kind = _word(Kind, words[1], "a kind", line)
    fields: dict[str, str] = {}
    for word in words[2:]:
        key, colon, value = word.partition(":")
        if not (key and colon) or key in fields:
            raise ParseError(_TOOL, f"{word!r} is not a key with a value, or its key stands there twice", line)
        fields[key] = value
    return Event(happening=happening, kind=kind, fields=fields)


def parse(text: str) -> dict[str, RunningResource]:
    """All resources of ``drbdsetup events2 --now --statistics`` by name, sizes in bytes.

    Raises ``ParseError`` when the line ``exists -`` at the end is missing (the output is cut off), for unknown kinds
    and states, missing keys, duplicates and lines about something that was not introduced. Unknown keys are passed
    over: DRBD 9 adds some in every release. Source: transcripts 054, 061, 173, 192; drbdsetup_events2.c.
    """
    lines = text.splitlines()
    if not lines or lines[-1] != "exists -":
        raise ParseError(_TOOL, "the line `exists -` at the end is missing, so that something may be cut off", text)
    resources: dict[str, _Resource] = {}
    for line in lines[:-1]:
        event = parse_line(line)
        if event.happening is not Happening.EXISTS or event.kind is Kind.END:
            raise ParseError(_TOOL, "only lines about what exists are expected", line)
        try:
            _take(resources, event)
        except (KeyError, ValueError) as error:
            raise ParseError(_TOOL, f"a {event.kind} line: {error}", line) from error
    _check_whole(resources, text)
    return {name: _finish(name, resource) for name, resource in resources.items()}


def _take(resources: dict[str, _Resource], event: Event) -> None:
    """Add one line to what was read so far; ``KeyError`` and ``ValueError`` tell what is wrong with it."""
    fields = event.fields
    if event.kind is Kind.RESOURCE:
        _add(resources, fields["name"], _resource(fields), "resource")
        return
    resource = resources[fields["name"]]
    match event.kind:
        case Kind.DEVICE:
            _add(resource.devices, whole_number(fields["volume"]), _device(fields), "volume")
        case Kind.CONNECTION:
            _add(resource.connections, whole_number(fields["peer-node-id"]), _connection(fields), "connection")
        case Kind.PEER_DEVICE:
            connection = resource.connections[whole_number(fields["peer-node-id"])]
            volume = whole_number(fields["volume"])
            if volume not in resource.devices:
                raise ValueError(f"volume {volume} was not introduced by a device line")
            _add(connection.volumes, volume, _peer_device(fields), "volume")
            if _YES[fields.get("peer-client", "no")]:
                connection.clients.add(volume)
        case Kind.PATH:
            pass  # addresses are read from the configuration
        case _:
            raise ValueError("nothing of this kind can exist")


_Key = TypeVar("_Key", str, int)
_Value = TypeVar("_Value")


def _add(things: dict[_Key, _Value], key: _Key, thing: _Value, what: str) -> None:
    if key in things:
        raise ValueError(f"{what} {key} stands there twice")
    things[key] = thing


def _resource(fields: Mapping[str, str]) -> _Resource:
    return _Resource(
        role=Role(fields["role"]),
        suspended=_suspended(fields["suspended"]),
        fails_io=_YES[fields.get("force-io-failures", "no")],
    )


def _device(fields: Mapping[str, str]) -> Device:
    return Device(
        minor=whole_number(fields["minor"]),
        disk=DiskState(fields["disk"]),
        size_bytes=_kib(fields.get("size")),
        quorum=_YES[fields["quorum"]] if "quorum" in fields else None,
    )


def _connection(fields: Mapping[str, str]) -> _Connection:
    # A connection of 8.4 that is StandAlone has no conn-name at all (transcript 192).
    name = fields.get("conn-name", _NAMELESS_PEER)
    return _Connection(
        peer=None if name == _NAMELESS_PEER else name,
        state=ConnectionState(fields["connection"]),
        role=Role(fields["role"]),
    )


def _peer_device(fields: Mapping[str, str]) -> PeerDevice:
    return PeerDevice(
        replication=ReplicationState(fields["replication"]),
        disk=DiskState(fields["peer-disk"]),
        out_of_sync_bytes=_kib(fields.get("out-of-sync")),
    )


def _kib(text: str | None) -> int | None:
    return None if text is None else whole_number(text) * KIB


def _suspended(text: str) -> frozenset[str]:
    """The reasons."""
    reasons = frozenset() if text == "no" else frozenset(text.split(","))
    if not reasons <= _SUSPENSIONS:
        raise ValueError(f"suspended:{text} is not known")
    return reasons


def _word(words: type[_Word], text: str, what: str, line: str) -> _Word:
    try:
        return words(text)
    except ValueError as error:
        raise ParseError(_TOOL, f"{text!r} is not {what} that is known", line) from error


def _check_whole(resources: Mapping[str, _Resource], text: str) -> None:
    """Every connection must speak of every volume, and a minor belongs to one volume only."""
    minors: set[int] = set()
    for name, resource in resources.items():
        for device in resource.devices.values():
            if device.minor in minors:
                raise ParseError(_TOOL, f"minor {device.minor} stands there twice", text)
            minors.add(device.minor)
        for peer_node_id, connection in resource.connections.items():
            if connection.volumes.keys() != resource.devices.keys():
                reason = f"the connection of {name} to node-id {peer_node_id} does not speak of every volume"
                raise ParseError(_TOOL, reason, text)


def _finish(name: str, resource: _Resource) -> RunningResource:
    copies: list[Connection] = []
    tie_breakers: list[Connection] = []
    for peer_node_id, connection in sorted(resource.connections.items()):
        # drbdsetup says it of every peer that is configured so, connected or not (want_bitmap in drbd_state.c of 9.2).
        has_none = bool(connection.clients) and connection.clients == connection.volumes.keys()
        found = Connection(
            peer_node_id=peer_node_id,
            peer=connection.peer,
            state=connection.state,
            role=connection.role,
            volumes=connection.volumes,
        )
        (tie_breakers if has_none else copies).append(found)
    return RunningResource(
        name=name,
        role=resource.role,
        suspended=bool(resource.suspended),
        devices=resource.devices,
        connections=tuple(copies),
        awaits_handler=resource.suspended == {_FENCING},
        lacks_quorum=_QUORUM in resource.suspended,
        tie_breakers=tuple(tie_breakers),
        fails_io=resource.fails_io,
    )
