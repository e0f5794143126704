"""drbdsetup(8), of both generations: from a command line to the kernel and back to words and exit codes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from saltern.sim.drbd import control, drbdmeta, events, names, quorum, show, status, store
from saltern.sim.drbd.failure import Code, Failure
from saltern.sim.drbd.kernel import Connection, Device, Disk, Resource
from saltern.sim.drbd.metadata import FLEXIBLE, INTERNAL
from saltern.sim.tools import Result

if TYPE_CHECKING:
    from saltern.sim.world import SimNode, World

_SLOTS: Final = {"internal": INTERNAL, "flexible": FLEXIBLE, "flex-external": FLEXIBLE}
_COMMANDS_84: Final = (
    *("primary", "secondary", "attach", "disk-options", "detach", "connect", "net-options", "disconnect", "resize"),
    *("resource-options", "new-current-uuid", "invalidate", "invalidate-remote", "pause-sync", "resume-sync"),
    *("suspend-io", "resume-io", "outdate", "verify", "down", "state", "role", "sh-status", "cstate", "dstate"),
    *("show-gi", "get-gi", "show", "status", "check-resize", "events", "events2", "wait-connect", "wait-sync"),
    *("new-resource", "new-minor", "del-minor", "del-resource"),
)


@dataclass(frozen=True, slots=True)
class Call:
    """A command line that is being answered: plain words, and ``--name=value`` or ``--name`` options."""

    world: "World"
    node: "SimNode"
    command: str
    words: list[str]
    options: Mapping[str, str]

    def flag(self, name: str) -> bool:
        """Whether an option without a value was given."""
        return self.options.get(name, "no") != "no"

    def settings(self, *besides: str) -> dict[str, str]:
        """The options that are settings of the kernel."""
        return {name: value for name, value in self.options.items() if name not in ("set-defaults", "_name", *besides)}

    @property
    def nine(self) -> bool:
        """Whether the node runs DRBD 9."""
        return self.node.drbd_version == "9"


def run(world: "World", name: str, argv: Sequence[str]) -> Result:
    """Answer a command of drbdsetup."""
    node = world.nodes[name]
    node.module_loaded = True  # drbdsetup loads the module when it is not there
    words = [word for word in argv[1:] if not word.startswith("--")]
    options = dict(_option(word) for word in argv[1:] if word.startswith("--"))
    command = words.pop(0) if words else ""
    if command not in _COMMANDS:
        return Result(20, _usage(), f"{command}: invalid command\n" if command else "")
    call = Call(world, node, command, words, options)
    if "json" in options and not call.nine:  # transcript 063
        return Result(20, _usage(), f"{command}: unrecognized option '--json'\n")
    wanted, answer = _COMMANDS[command]
    if len(words) < wanted:
        return Result(20, "", "Missing first argument\n" if not words else f"{command}: missing arguments\n")
    try:
        return answer(call)
    except Failure as failure:
        return Result(failure.returncode, "", failure.message(_subject(call)))


def _option(word: str) -> tuple[str, str]:
    name, given, value = word.removeprefix("--").partition("=")
    return name, value if given else "yes"


def _subject(call: Call) -> str:
    """What a complaint begins with: the first argument, but ``??`` for addresses (transcript 181)."""
    return "??" if ":" in call.words[0] else call.words[0]


def _usage() -> str:
    rows = [_COMMANDS_84[at : at + 3] for at in range(0, len(_COMMANDS_84), 3)]
    table = "\n".join("    " + "".join(f"{name:<20}" for name in row) for row in rows)
    return (
        "\nUSAGE: drbdsetup command device arguments options\n\nDevice is usually /dev/drbdX or /dev/drbd/X.\n\n"
        f"Commands are:\n{table}\n\nTo get more details about a command issue 'drbdsetup help cmd'.\n\n"
    )


# --- Reading -----------------------------------------------------------------------------------------------------------
def _events2(call: Call) -> Result:
    """As with ``--now`` in any case: a command that is answered at once cannot go on listening."""
    wanted = call.words[0] if call.words else None
    if wanted not in (None, "all") and wanted not in call.node.drbd.resources:
        return Result(10, "", f"{wanted}: No such resource\n")
    return Result(0, events.events2_now(call.node, wanted, statistics=call.flag("statistics")))


def _status(call: Call) -> Result:
    wanted = call.words[0] if call.words else "all"
    resources = list(call.node.drbd.resources.values())
    if wanted != "all":
        found = call.node.drbd.resources.get(wanted)
        if found is None:
            return Result(10, "", f"{wanted}: No such resource\n")
        resources = [found]
    if call.flag("json"):
        return Result(0, status.status_json(call.node, resources))
    if not resources and call.nine:
        return Result(0, "# No currently configured DRBD found.\n")
    verbose, statistics = call.flag("verbose"), call.flag("statistics")
    texts = (status.status_text(call.node, one, verbose=verbose, statistics=statistics) for one in resources)
    return Result(0, "".join(texts))


def _show(call: Call) -> Result:
    wanted = call.words[0] if call.words else "all"
    found = [one for one in call.node.drbd.resources.values() if wanted in ("all", one.name)]
    if not found and wanted != "all":
        return Result(10, "", f"{wanted}: No such resource\n")
    return Result(0, "\n".join(show.show(call.node, resource) for resource in found))


def _role(call: Call) -> Result:
    if call.nine:
        return Result(0, f"{control.resource_of(call.node, call.words[0]).role}\n")
    resource, device = _device(call)
    if names.unconfigured(resource, device):
        return Result(0, "Unconfigured\n")
    return Result(0, f"{resource.role}/{names.peer_role(resource)}\n")


def _cstate(call: Call) -> Result:
    if call.nine:
        return Result(0, f"{_connection_of_9(call).connection_state}\n")
    resource, device = _device(call)
    if names.unconfigured(resource, device):
        return Result(0, "Unconfigured\n")
    return Result(0, f"{names.old_connection_state(resource, device)}\n")


def _dstate(call: Call) -> Result:
    resource, device = _device(call)
    if not call.nine and names.unconfigured(resource, device):
        return Result(0, "Unconfigured\n")
    if call.nine and resource.connection is None:
        return Result(0, f"{device.disk.word}\n")
    return Result(0, f"{device.disk.word}/{device.peer_disk.word}\n")


def _gi(call: Call) -> Result:
    """``get-gi MINOR`` and ``show-gi MINOR`` on 8.4, ``RESOURCE PEER VOLUME`` on 9."""
    if call.nine:
        resource = control.resource_of(call.node, call.words[0])
        found = resource.devices.get(int(call.words[2]))
        if found is None:
            raise Failure(Code.INVALID_REQUEST, "unknown volume")
        device = found
    else:
        _, device = _device(call)
    if not store.attached(device):
        return Result(10, "", f"{call.words[0]}: Device has no disk\n")
    remembered = store.meta(call.node, device)
    if call.command == "get-gi":
        return Result(0, drbdmeta.generation_line(remembered))
    return Result(0, drbdmeta.explained(remembered, ""))


# --- Resources and devices -----------------------------------------------------------------------------------------------
def _device(call: Call) -> tuple[Resource, Device]:
    """The device of the first argument: a minor number or ``/dev/drbd1``."""
    word = call.words[0].removeprefix("/dev/drbd")
    if not word.isdigit():
        raise Failure(Code.MINOR_INVALID, "unknown minor")
    return control.device_of(call.node, int(word))


def _new_resource(call: Call) -> Result:
    node_id = int(call.words[1]) if call.nine and len(call.words) > 1 else 0
    control.new_resource(call.node, call.words[0], node_id, call.settings())
    return Result()


def _new_minor(call: Call) -> Result:
    minor, volume = int(call.words[1]), int(call.words[2])
    control.new_minor(call.node, call.words[0], minor, volume, client=call.flag("diskless"))
    return Result()


def _del_minor(call: Call) -> Result:
    resource, device = _device(call)
    if device.disk != Disk.DISKLESS:
        raise Failure(Code.MINOR_CONFIGURED)
    del resource.devices[device.volume]
    return Result()


def _del_resource(call: Call) -> Result:
    resource = control.resource_of(call.node, call.words[0])
    if resource.devices:
        raise Failure(Code.RES_IN_USE)
    del call.node.drbd.resources[resource.name]
    return Result()


def _down(call: Call) -> Result:
    control.down(call.world, call.node, call.words[0])
    return Result()


def _attach(call: Call) -> Result:
    minor, data, meta, place = call.words[:4]
    for path in (data, meta):
        if call.node.device(path) is None:  # drbdsetup itself looks first (transcript 221)
            return Result(20, "", f"Can not open device '{path}': No such file or directory\n")
    slot = _SLOTS.get(place)
    control.attach(call.world, call.node, int(minor), data, meta, int(place) if slot is None else slot, call.settings())
    return Result()


def _detach(call: Call) -> Result:
    control.detach(call.world, call.node, *_device(call), force=call.flag("force"))
    return Result()


def _change(current: dict[str, str], call: Call) -> None:
    """New options; ``--set-defaults`` forgets those that are not named."""
    if call.flag("set-defaults"):
        current.clear()
    current.update(call.settings())


def _disk_options(call: Call) -> Result:
    _, device = _device(call)
    if not store.attached(device):
        raise Failure(Code.NO_DISK)
    _change(device.options, call)
    return Result()


def _resource_options(call: Call) -> Result:
    resource = control.resource_of(call.node, call.words[0])
    _change(resource.options, call)
    quorum.recount(call.world, call.node, resource)
    return Result()


def _peer_device_options(call: Call) -> Result:
    resource = control.resource_of(call.node, call.words[0])
    found = resource.devices.get(int(call.words[2]))
    if found is None:
        raise Failure(Code.INVALID_REQUEST, "unknown volume")
    peer_node_id = int(call.words[1])
    if call.options.get("bitmap") == "no":
        control.no_bitmap(resource, peer_node_id)
    tie = resource.ties.get(peer_node_id)
    _change(found.peer_options if tie is None else tie.peer_options, call)
    return Result()


# --- Roles and data --------------------------------------------------------------------------------------------------------
def _resource(call: Call) -> Resource:
    """The resource of the first argument, which is a minor number on 8.4."""
    return control.resource_of(call.node, call.words[0]) if call.nine else _device(call)[0]


def _primary(call: Call) -> Result:
    control.primary(call.world, call.node, _resource(call), force=call.flag("force"))
    return Result()


def _secondary(call: Call) -> Result:
    control.secondary(call.world, call.node, _resource(call))
    return Result()


def _outdate(call: Call) -> Result:
    minor = call.words[-1]
    resource, device = control.device_of(call.node, int(minor))
    control.outdate(call.world, call.node, resource, device)
    return Result()


def _invalidate(call: Call) -> Result:
    control.invalidate(call.world, call.node, *_device(call))
    return Result()


def _invalidate_remote(call: Call) -> Result:
    control.invalidate_remote(call.world, call.node, *_device(call))
    return Result()


def _resize(call: Call) -> Result:
    control.resize(
        call.world,
        call.node,
        int(call.words[0]),
        assume_clean=call.flag("assume-clean"),
        assume_peer_has_space=call.flag("assume-peer-has-space"),
    )
    return Result()


def _new_current_uuid(call: Call) -> Result:
    control.new_current_uuid(call.world, call.node, int(call.words[0]), clear_bitmap=call.flag("clear-bitmap"))
    return Result()


def _verify(call: Call) -> Result:
    control.verify(call.world, call.node, _minor_of_peer_device(call))
    return Result()


def _minor_of_peer_device(call: Call) -> int:
    """The minor number of ``MINOR`` on 8.4, of ``RESOURCE PEER VOLUME`` on 9."""
    if call.nine:
        return control.resource_of(call.node, call.words[0]).devices[int(call.words[2])].minor
    return int(call.words[0])


def _pause_sync(call: Call) -> Result:
    control.pause(call.world, call.node, _minor_of_peer_device(call), on=call.command == "pause-sync")
    return Result()


def _suspend_io(call: Call) -> Result:
    control.suspend_io(call.world, call.node, int(call.words[0]), on=call.command == "suspend-io")
    return Result()


# --- Connections -----------------------------------------------------------------------------------------------------------
def _connect(call: Call) -> Result:
    if call.nine:
        peer, discard = _connection_of_9(call), call.flag("discard-my-data")
        control.reconnect(call.world, call.node, peer.resource, peer.connection, discard_my_data=discard)
        return Result()
    name, local, remote = call.words[:3]
    options = call.settings("discard-my-data", "tentative")
    discard = call.flag("discard-my-data")
    control.connect(call.world, call.node, name, local, remote, options, discard_my_data=discard)
    return Result()


def _disconnect(call: Call) -> Result:
    if not call.nine:
        control.disconnect(call.world, call.node, control.connection_of(call.node, *call.words[:2]))
        return Result()
    peer = _connection_of_9(call)
    if peer.connection is peer.resource.connection:
        control.disconnect(call.world, call.node, peer.resource)
    else:
        control.untie(call.world, call.node, peer.resource, peer.connection)
    return Result()


def _net_options(call: Call) -> Result:
    if call.nine and (peer := _connection_of_9(call)).connection is not peer.resource.connection:
        _change(peer.connection.options, call)
        return Result()
    resource = _connection_of_9(call).resource if call.nine else control.connection_of(call.node, *call.words[:2])
    control.net_options(call.world, call.node, resource, call.settings(), set_defaults=call.flag("set-defaults"))
    return Result()


def _new_peer(call: Call) -> Result:
    resource = control.resource_of(call.node, call.words[0])
    name = call.options.get("_name", "")
    control.new_peer(resource, int(call.words[1]), name, call.settings())
    return Result()


def _new_path(call: Call) -> Result:
    control.new_path(call.node, _connection_of_9(call).connection, call.words[2], call.words[3])
    return Result()


def _del_path(call: Call) -> Result:
    control.del_path(_connection_of_9(call).connection)
    return Result()


def _del_peer(call: Call) -> Result:
    peer = _connection_of_9(call)
    _disconnect(call)
    if peer.connection is peer.resource.connection:
        peer.resource.connection = None
    else:
        del peer.resource.ties[peer.connection.peer_node_id]
    return Result()


@dataclass(frozen=True, slots=True)
class _Peer:
    """A connection of 9 as a command line names it: resource and node-id of the peer."""

    resource: Resource
    connection: Connection

    @property
    def connection_state(self) -> str:
        return self.connection.state


def _connection_of_9(call: Call) -> _Peer:
    resource = control.resource_of(call.node, call.words[0])
    for connection in resource.links:
        if connection.peer_node_id == int(call.words[1]):
            return _Peer(resource, connection)
    raise Failure(Code.INVALID_REQUEST, "unknown connection")


def _wait(call: Call) -> Result:
    """Let time pass until the peer is there, or the synchronisation done; at most ``--wfc-timeout``, or two minutes."""
    resource = (
        _resource(call) if not call.command.endswith("-resource") else control.resource_of(call.node, call.words[0])
    )
    left_s = float(call.options.get("wfc-timeout", 0)) or 120.0
    while left_s > 0 and not _arrived(resource, call.command):
        call.world.advance(0.1)
        left_s -= 0.1
    return Result(0 if _arrived(resource, call.command) else 5)


def _arrived(resource: Resource, command: str) -> bool:
    if command.startswith("wait-sync"):
        return resource.connected and not any(device.syncing for device in resource.devices.values())
    return resource.connected


def _nothing(_call: Call) -> Result:
    return Result()


# How many plain words a command needs, and who answers it.
_COMMANDS: Final[dict[str, tuple[int, Callable[[Call], Result]]]] = {
    "events2": (0, _events2),
    "status": (0, _status),
    "show": (0, _show),
    "role": (1, _role),
    "cstate": (1, _cstate),
    "dstate": (1, _dstate),
    "get-gi": (1, _gi),
    "show-gi": (1, _gi),
    "new-resource": (1, _new_resource),
    "new-minor": (3, _new_minor),
    "del-minor": (1, _del_minor),
    "del-resource": (1, _del_resource),
    "down": (1, _down),
    "attach": (4, _attach),
    "detach": (1, _detach),
    "disk-options": (1, _disk_options),
    "resource-options": (1, _resource_options),
    "peer-device-options": (3, _peer_device_options),
    "primary": (1, _primary),
    "secondary": (1, _secondary),
    "outdate": (1, _outdate),
    "invalidate": (1, _invalidate),
    "invalidate-remote": (1, _invalidate_remote),
    "resize": (1, _resize),
    "check-resize": (1, _nothing),
    "new-current-uuid": (1, _new_current_uuid),
    "verify": (1, _verify),
    "pause-sync": (1, _pause_sync),
    "resume-sync": (1, _pause_sync),
    "suspend-io": (1, _suspend_io),
    "resume-io": (1, _suspend_io),
    "connect": (2, _connect),
    "disconnect": (2, _disconnect),
    "net-options": (2, _net_options),
    "new-peer": (2, _new_peer),
    "new-path": (4, _new_path),
    "del-path": (2, _del_path),
    "del-peer": (2, _del_peer),
    "wait-connect": (1, _wait),
    "wait-sync": (1, _wait),
    "wait-connect-resource": (1, _wait),
    "wait-sync-resource": (1, _wait),
}
