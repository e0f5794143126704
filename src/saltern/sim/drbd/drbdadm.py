"""drbdadm(8) of both generations: reads the configuration, makes commands for drbdsetup and drbdmeta, runs them.

Checked against drbdadm-84 and drbdadm of drbd-utils 9.22 in their dry runs.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from saltern.sim.drbd import adjust, drbdmeta, drbdsetup, dump
from saltern.sim.drbd.adjust import Command, Side, Step
from saltern.sim.drbd.config import MAIN_FILE, Config, Resource, Volume, load
from saltern.sim.drbd.options import SECTIONS
from saltern.sim.drbd.syntax import ConfigError
from saltern.sim.tools import Result

if TYPE_CHECKING:
    from saltern.sim.world import SimNode, World

_VERSION: Final = (
    r"DRBDADM_BUILDTAG=GIT-hash:\ 409097fe02187f83790b88ac3e0d94f3c167adab"
    r"\ reproducible\ build\,\ 2023-01-09\ 14:51:18"
    "\n"
)
_VERSION_TAIL: Final = "DRBDADM_VERSION_CODE=0x091600\nDRBDADM_VERSION=9.22.0\n"
_UNSAFE: Final = re.compile(r"([^A-Za-z0-9_./:=@%+-])")
_ALWAYS_LOOPBACK: Final = ("127.0.0.1", "::1")

# Options that a command takes besides those of its section of the configuration.
_OPTIONS: Final = {
    "primary": ("force",),
    "create-md": ("force", "max-peers"),
    "connect": ("discard-my-data", "tentative"),
    "disconnect": ("force",),
    "down": ("force",),
    "new-current-uuid": ("clear-bitmap",),
    "verify": ("start", "stop"),
    "wipe-md": ("force",),
    "dump-md": ("force",),
    "status": ("verbose", "statistics"),
}
_OPTIONS_9: Final = {"resize": ("size", "assume-clean", "assume-peer-has-space"), "secondary": ("force",)}
_SECTIONS: Final = {
    "disk-options": "disk",
    "peer-device-options": "disk",
    "net-options": "net",
    "resource-options": "options",
    "attach": "disk",
    "connect": "net",
}


@dataclass
class Call:
    """A command line of drbdadm that is being answered, with what it has printed so far."""

    world: "World"
    node: "SimNode"
    command: str
    names: list[str]
    options: dict[str, str]
    dry_run: bool = False
    verbose: bool = False
    main_file: str = MAIN_FILE
    stdout: str = ""
    stderr: str = ""
    passed: list[str] = field(default_factory=list)  # options behind "--", which go to drbdsetup unseen

    @property
    def nine(self) -> bool:
        """Whether the node runs DRBD 9."""
        return self.node.drbd_version == "9"

    @property
    def extra(self) -> list[str]:
        """Options of the command line for the command underneath."""
        given = [f"--{name}" if value == "" else f"--{name}={value}" for name, value in self.options.items()]
        return [*given, *self.passed]

    def result(self, returncode: int) -> Result:
        """What the command ends with."""
        return Result(returncode, self.stdout, self.stderr)

    def execute(self, command: Command, *, quiet: bool = False, named: bool = True) -> int:
        """Run a command underneath, or print it in a dry run.

        ``quiet`` drops what it complains about; without ``named`` a command that fails is not repeated.
        """
        if self.dry_run or self.verbose:
            self.stdout += f"{' '.join(escaped(word) for word in command)}\n"
        if self.dry_run:
            return 0
        program = drbdmeta.run if command[0] == "drbdmeta" else drbdsetup.run
        result = program(self.world, self.node.name, command)
        self.stdout += result.stdout
        if not quiet:
            self.stderr += result.stderr
            if result.returncode >= 10 and named:
                line = " ".join(escaped(word) for word in command)
                self.stderr += f"Command '{line}' terminated with exit code {result.returncode}\n"
        return result.returncode


def escaped(word: str) -> str:
    """A word as drbdadm prints it in a command line."""
    return _UNSAFE.sub(r"\\\1", word)


class _BadUsage(Exception):
    """A command line that drbdadm does not take; it ends with 1."""


def run(world: "World", name: str, argv: Sequence[str]) -> Result:
    """Answer a command of drbdadm."""
    node = world.nodes[name]
    try:
        call = _parse(world, node, list(argv[1:]))
    except _BadUsage as error:
        return Result(1, "", str(error))
    if call.command in ("--version", "-V"):
        return Result(0, _version(node))
    try:
        config = load(node.files, call.main_file, node.drbd_version, node.name)
    except ConfigError as error:
        return Result(error.returncode, "", error.stderr)
    return _answer(call, config)


def _version(node: "SimNode") -> str:
    if node.drbd_version == "8.4":
        return f"{_VERSION}DRBDADM_API_VERSION=1\nDRBD_KERNEL_VERSION_CODE=0x08040b\n{_VERSION_TAIL}"
    kernel = "DRBD_KERNEL_VERSION_CODE=0x09020c\nDRBD_KERNEL_VERSION=9.2.12\n"
    return f"{_VERSION}DRBDADM_API_VERSION=2\n{kernel}{_VERSION_TAIL}"


# --- The command line --------------------------------------------------------------------------------------------------
def _parse(world: "World", node: "SimNode", words: list[str]) -> Call:
    call = Call(world, node, "", [], {})
    while words:
        word = words.pop(0)
        if word == "--":  # the historical way: drbdadm -- --assume-clean resize dns
            call.passed = [other for other in words if other.startswith("--")]
            words = [other for other in words if not other.startswith("--")]
        elif word in ("--version", "-V"):
            call.command = word
            return call
        elif word.startswith("-"):
            _take_option(call, word, words)
        elif not call.command:
            call.command = word
        else:
            call.names.append(word)
    if not call.command:
        raise _BadUsage(f"{_USAGE}No command specified\n")
    if call.command not in _COMMANDS or (call.command in _ONLY_9 and not call.nine):
        raise _BadUsage(f"drbdadm: Unknown command '{call.command}'\n")
    allowed = set(_known_options(node, call.command))
    for name, value in call.options.items():
        if name not in allowed:
            shown = f"--{name}" if value == "" else f"--{name}={value}"
            raise _BadUsage(f"drbdadm: unrecognized option '{shown}'\ntry 'drbdadm help'\n")
    return call


def _take_option(call: Call, word: str, words: list[str]) -> None:
    if word in ("-d", "--dry-run"):
        call.dry_run = True
    elif word in ("-v", "--verbose"):
        call.verbose = True
    elif word in ("-c", "--config-file"):
        call.main_file = words.pop(0) if words else MAIN_FILE
    elif word.startswith("--config-file="):
        call.main_file = word.partition("=")[2]
    elif word.startswith("--"):
        name, _, value = word.removeprefix("--").partition("=")
        call.options[name] = value
    else:
        raise _BadUsage(f"drbdadm: invalid option -- '{word[1:2]}'\ntry 'drbdadm help'\n")


def _known_options(node: "SimNode", command: str) -> Iterable[str]:
    yield from _OPTIONS.get(command, ())
    if node.drbd_version == "9":
        yield from _OPTIONS_9.get(command, ())
    if command in _SECTIONS:
        yield from SECTIONS[node.drbd_version][_SECTIONS[command]]
        yield "set-defaults"


# --- Choosing resources --------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class _Chosen:
    """A resource that a command is about, and the volumes of it."""

    side: Side
    volumes: tuple[Volume, ...]


def _answer(call: Call, config: Config) -> Result:
    if call.command == "sh-resources":
        names = [resource.name for resource in config.of(call.node.name)]
        separator = "\n" if call.nine else " "
        return Result(0, separator.join(names) + "\n" if names else "")
    if call.command in ("dump", "dump-xml"):
        return _dump(call, config)
    if call.command == "status" and call.nine and call.names in ([], ["all"]):
        return call.result(call.execute(["drbdsetup", "status", *call.extra]))
    if not config.resources:
        return Result(1, "", "no resources defined!\n")
    try:
        chosen = _choose(call, config)
    except _BadUsage as error:
        return Result(1, "", str(error))
    foreign = _foreign_addresses(call, [one.side for one in chosen])
    if foreign and not call.dry_run:
        return Result(10, "", foreign)
    if call.command in _OF_DISKS and any(volume.diskless for one in chosen for volume in one.volumes):
        return Result(10, "", f"The {call.command} command requires a local disk, but the configuration gives none.\n")
    return _COMMANDS[call.command](call, chosen)


def _choose(call: Call, config: Config) -> list[_Chosen]:
    names = call.names or (["all"] if call.command == "status" else [])
    if not names:
        raise _BadUsage(f"USAGE: drbdadm {call.command} [OPTION...] {{all|RESOURCE...}}\n")
    chosen = []
    for name in names:
        if name == "all":
            chosen += [_chosen(config, resource, call.node) for resource in config.of(call.node.name)]
            if not chosen:
                raise _BadUsage(
                    f"WARN: no normal resources defined for this host ({call.node.name})!?\n"
                    "Misspelled name of the local machine with the 'on' keyword ?\n"
                )
        else:
            chosen.append(_named(config, name, call.node))
    return chosen


def _chosen(config: Config, resource: Resource, node: "SimNode") -> _Chosen:
    side = Side(config, resource, node)
    return _Chosen(side, tuple(side.host.volumes.values()))


def _named(config: Config, name: str, node: "SimNode") -> _Chosen:
    """A resource by ``NAME``, ``NAME/VOLUME``, ``NAME:PEER`` or ``minor-NUMBER``."""
    base, _, number = name.partition(":")[0].partition("/")
    if name.startswith("minor-"):
        for resource in config.of(node.name):
            chosen = _chosen(config, resource, node)
            found = tuple(volume for volume in chosen.volumes if f"minor-{volume.minor}" == name)
            if found:
                return replace(chosen, volumes=found)
    wanted = config.resources.get(base)
    if wanted is None or wanted.host(node.name) is None:
        raise _BadUsage(f"'{name}' not defined in your config (for this host).\n")
    chosen = _chosen(config, wanted, node)
    if not number:
        return chosen
    found = tuple(volume for volume in chosen.volumes if str(volume.number) == number)
    if not found:
        nine = node.drbd_version == "9"
        text = f"Resource '{base}' has no volume {number}\n"
        raise _BadUsage(text if nine else f"'{name}' not defined in your config (for this host).\n")
    return replace(chosen, volumes=found)


def _foreign_addresses(call: Call, sides: Sequence[Side]) -> str:
    """Commands that use the own address want to find it on this host."""
    checking = {"dump", "dump-xml", "up", "adjust", "connect"} | ({"resize"} if not call.nine else set())
    if call.command not in checking or any("disable-ip-verification" in side.config.global_options for side in sides):
        return ""
    text = ""
    for side in sides:
        if side.host.address not in (call.node.address, *_ALWAYS_LOOPBACK):
            file = side.resource.file
            place = file if call.nine else f"{file.removeprefix('/etc/')}:{side.host.line}"
            text += f"{place}: in resource {side.resource.name}, on {side.host.name}:\n"
            text += f"\tIP {side.host.address} not found on this host.\n"
    return text


def _dump(call: Call, config: Config) -> Result:
    names = [name for name in call.names if name != "all"]
    for name in names:
        if name not in config.resources:
            text = "no resources defined!\n" if not config.resources else ""
            return Result(1, "", text or f"'{name}' not defined in your config (for this host).\n")
    resources = [config.resources[name] for name in names] or list(config.resources.values())
    mine = [Side(config, resource, call.node) for resource in resources if resource.host(call.node.name)]
    foreign = _foreign_addresses(call, mine)
    if foreign:
        return Result(10, "", foreign)
    if not config.resources and config.common is None and not config.global_options:
        return Result(0, f"# {call.main_file}\n" if call.command == "dump" else "")
    if call.command == "dump-xml":
        return Result(0, dump.dump_xml(config, resources))
    return Result(0, dump.dump(config, call.node.name, resources, everything=not names))


# --- Commands ------------------------------------------------------------------------------------------------------------
Builder = Callable[[Call, _Chosen], list[Command]]
Answer = Callable[[Call, list[_Chosen]], Result]


def _each(build: Builder) -> Answer:
    """Run what ``build`` makes for each resource; 20 and above stops at once, below that the worst is kept."""

    def answer(call: Call, chosen: list[_Chosen]) -> Result:
        worst = 0
        for one in chosen:
            for command in build(call, one):
                returncode = call.execute(command)
                worst = max(worst, returncode)
                if returncode >= 20:
                    return call.result(returncode)
                if returncode:
                    break
        return call.result(worst)

    return answer


def _of_minor(command: str) -> Answer:
    """A command of drbdsetup for each volume."""

    def build(call: Call, one: _Chosen) -> list[Command]:
        return [[one.side.drbdsetup, command, str(volume.minor), *call.extra] for volume in one.volumes]

    return _each(build)


def _of_resource(command: str, *, minors_on_84: bool) -> Answer:
    """A command of drbdsetup for the resource; 8.4 may want one for each volume instead."""

    def build(call: Call, one: _Chosen) -> list[Command]:
        if minors_on_84 and not call.nine:
            return [[one.side.drbdsetup, command, str(volume.minor), *call.extra] for volume in one.volumes]
        return [[one.side.drbdsetup, command, one.side.resource.name, *call.extra]]

    return _each(build)


def _of_connection(command: str) -> Answer:
    """A command of drbdsetup for each connection."""

    def build(call: Call, one: _Chosen) -> list[Command]:
        return [[one.side.drbdsetup, command, *one.side.peer_words(peer), *call.extra] for peer in one.side.peers]

    return _each(build)


def _of_peer_device(command: str) -> Answer:
    """A command of drbdsetup for each volume towards the peer: by minor on 8.4."""

    def build(call: Call, one: _Chosen) -> list[Command]:
        return [[one.side.drbdsetup, command, *_peer_device(call, one, volume), *call.extra] for volume in one.volumes]

    return _each(build)


def _peer_device(call: Call, one: _Chosen, volume: Volume) -> list[str]:
    """Towards the other copy."""
    return [*one.side.peer_words(one.side.peer), str(volume.number)] if call.nine else [str(volume.minor)]


def _of_metadata(command: str) -> Answer:
    """A command of drbdmeta for each volume."""

    def build(call: Call, one: _Chosen) -> list[Command]:
        return [one.side.drbdmeta(volume, command, *call.extra) for volume in one.volumes]

    return _each(build)


def _connect(call: Call, one: _Chosen) -> list[Command]:
    return [one.side.connect(peer, *call.extra) for peer in one.side.peers]


def _attach(_call: Call, one: _Chosen) -> list[Command]:
    return [command for volume in one.volumes for command in one.side.attach(volume)]


def _resize(call: Call, one: _Chosen) -> list[Command]:
    return [
        command
        for volume in one.volumes
        for command in (
            [one.side.drbdsetup, "resize", str(volume.minor), *call.extra],
            [one.side.drbdsetup, "check-resize", str(volume.minor)],
        )
    ]


def _wait_sync(_call: Call, one: _Chosen) -> list[Command]:
    return [[one.side.drbdsetup, "wait-sync-resource", one.side.resource.name]]


def _wait_connect(_call: Call, one: _Chosen) -> list[Command]:
    if one.side.nine:
        return [[one.side.drbdsetup, "wait-connect-resource", one.side.resource.name]]
    return [[one.side.drbdsetup, "wait-connect", str(volume.minor)] for volume in one.volumes]


def _create_md(call: Call, chosen: list[_Chosen]) -> Result:
    """Reads the old device UUID first, which is why a missing device is complained about twice (transcript 048)."""
    peers = [call.options.get("max-peers", "1")] if call.nine else []
    force = ["--force"] if "force" in call.options else []

    def build(_call: Call, one: _Chosen) -> list[Command]:
        return [one.side.drbdmeta(volume, "create-md", *peers, *force) for volume in one.volumes]

    if not call.dry_run:
        for one in chosen:
            for volume in one.volumes:
                if call.node.device(volume.meta_device) is None:
                    call.stderr += f"open({volume.meta_device}) failed: No such file or directory\n"
    return _each(build)(call, chosen)


def _new_current_uuid(call: Call, chosen: list[_Chosen]) -> Result:
    if any("/" not in name and not name.startswith("minor-") for name in call.names):
        name = call.names[0]
        return Result(
            1,
            "",
            "new-current-uuid requires a specific volume id, but none is specified.\n"
            f"Try 'new-current-uuid minor-<minor_number>' or 'new-current-uuid {name}/<vnr>'\n",
        )
    return _of_minor("new-current-uuid")(call, chosen)


def _kernel_or_metadata(command: str) -> Answer:
    """Ask the kernel, and where it does not know, the metadata. A refusal of the kernel is final."""

    def answer(call: Call, chosen: list[_Chosen]) -> Result:
        worst = 0
        for one in chosen:
            for volume in one.volumes:
                worst = max(worst, _try_both(call, one, volume, command))
        return call.result(worst)

    return answer


def _try_both(call: Call, one: _Chosen, volume: Volume, command: str) -> int:
    side = one.side
    gi = command in ("get-gi", "show-gi")
    peer = [f"--node-id={side.peer.node_id}"] if call.nine and gi and side.peer is not None else []
    words = _peer_device(call, one, volume) if gi else [str(volume.minor)]
    if call.nine and command == "outdate":
        words.insert(0, side.resource.name)
    before = call.stderr
    returncode = call.execute([side.drbdsetup, command, *words], quiet=command == "outdate", named=False)
    final = (17,) if command == "outdate" else (11, 17)
    if returncode in final or (returncode == 0 and not call.dry_run):
        return returncode
    call.stderr = before
    below = call.execute(side.drbdmeta(volume, *peer, command))
    return 5 if command == "outdate" and returncode == 5 and below else below


def _deferred(steps_of: Callable[[Side], list[Step]]) -> Answer:
    """``up`` and ``adjust``: all resources stage by stage; what fails ends its own resource, and the whole with 1."""

    def answer(call: Call, chosen: list[_Chosen]) -> Result:
        steps = [step for one in chosen for step in steps_of(one.side)]
        failed: set[str] = set()
        _warn_of_peers(call, [one.side for one in chosen])
        for step in sorted(steps, key=lambda step: step.stage):
            if step.resource not in failed and call.execute(step.command):
                failed.add(step.resource)
        return call.result(1 if failed else 0)

    return answer


def _warn_of_peers(call: Call, sides: Iterable[Side]) -> None:
    """A resource that has no single peer (transcripts 090, 101)."""
    for side in sides:
        if side.peer is not None:
            continue
        place = f"{side.resource.file}:{side.resource.line}: in resource {side.resource.name}:\n"
        if call.nine and len(side.resource.hosts) > 2:
            call.stderr += (
                f"Resource {side.resource.name}:\n\tUse explicit 'connection' sections "
                "(or a 'connection-mesh' section) with more than two 'on' sections.\n"
            )
        elif len(side.resource.hosts) < 2:
            call.stderr += f"{place}\tMissing section 'on <PEER> {{ ... }}'.\n"
        else:
            call.stderr += (
                f"{place}\tThere are multiple host sections for the peer node.\n"
                "\tUse the --peer option to select which peer section to use.\n"
            )


def _words(word_of: Callable[[Side, Volume], str]) -> Answer:
    """The ``sh-`` commands: one line for each volume."""

    def answer(_call: Call, chosen: list[_Chosen]) -> Result:
        lines = [word_of(one.side, volume) for one in chosen for volume in one.volumes]
        return Result(0, "".join(f"{line}\n" for line in lines))

    return answer


def _device_name(_side: Side, volume: Volume) -> str:
    return volume.device or f"/dev/drbd{volume.minor}"


def _cstate(_call: Call, one: _Chosen) -> list[Command]:
    if one.side.nine:
        return [[one.side.drbdsetup, "cstate", *one.side.peer_words(peer)] for peer in one.side.peers]
    return [[one.side.drbdsetup, "cstate", str(volume.minor)] for volume in one.volumes]


def _status(call: Call, one: _Chosen) -> list[Command]:
    return [[one.side.drbdsetup, "status", one.side.resource.name, *call.extra]]


_OF_DISKS: Final = ("attach", "get-gi", "show-gi", "create-md", "dump-md", "apply-al", "wipe-md")
_ONLY_9: Final = ("peer-device-options", "wait-sync")
_USAGE: Final = "USAGE: drbdadm COMMAND [OPTION...] {all|RESOURCE...}\n"
_COMMANDS: Final[Mapping[str, Answer]] = {
    "sh-resources": _words(lambda side, _volume: side.resource.name),  # answered before resources are chosen
    "dump": _words(lambda side, _volume: side.resource.name),
    "dump-xml": _words(lambda side, _volume: side.resource.name),
    "sh-resource": _words(lambda side, _volume: side.resource.name),
    "sh-dev": _words(_device_name),
    "sh-minor": _words(lambda _side, volume: str(volume.minor)),
    "sh-ll-dev": _words(lambda _side, volume: volume.disk),
    "sh-md-dev": _words(lambda _side, volume: volume.meta_device),
    "sh-md-idx": _words(lambda _side, volume: volume.index_word),
    "status": _each(_status),
    "role": _of_resource("role", minors_on_84=True),
    "primary": _of_resource("primary", minors_on_84=True),
    "secondary": _of_resource("secondary", minors_on_84=True),
    "cstate": _each(_cstate),
    "dstate": _kernel_or_metadata("dstate"),
    "get-gi": _kernel_or_metadata("get-gi"),
    "show-gi": _kernel_or_metadata("show-gi"),
    "outdate": _kernel_or_metadata("outdate"),
    "invalidate": _kernel_or_metadata("invalidate"),
    "invalidate-remote": _of_peer_device("invalidate-remote"),
    "verify": _of_peer_device("verify"),
    "pause-sync": _of_peer_device("pause-sync"),
    "resume-sync": _of_peer_device("resume-sync"),
    "suspend-io": _of_minor("suspend-io"),
    "resume-io": _of_minor("resume-io"),
    "up": _deferred(adjust.up),
    "adjust": _deferred(adjust.adjust),
    "down": _of_resource("down", minors_on_84=False),
    "attach": _each(_attach),
    "detach": _of_minor("detach"),
    "disk-options": _of_minor("disk-options"),
    "resource-options": _of_resource("resource-options", minors_on_84=False),
    "peer-device-options": _of_peer_device("peer-device-options"),
    "connect": _each(_connect),
    "disconnect": _of_connection("disconnect"),
    "net-options": _of_connection("net-options"),
    "wait-connect": _each(_wait_connect),
    "wait-sync": _each(_wait_sync),
    "resize": _each(_resize),
    "new-current-uuid": _new_current_uuid,
    "create-md": _create_md,
    "dump-md": _of_metadata("dump-md"),
    "apply-al": _of_metadata("apply-al"),
    "wipe-md": _of_metadata("wipe-md"),
}
