"""What the states see to: that a node has a key, what the guard is told, and a guard that runs with just that; or none at all.

Each function looks, does what is missing, and looks again; with ``test`` it only tells.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

from saltern.act import perform
from saltern.argv import drbdsetup, systemd
from saltern.errors import FileError, Refused
from saltern.guarding.local import NoGuard
from saltern.guarding.plain import to_plain
from saltern.guarding.settings import GuardSettings, WitnessSettings, parse_guard, parse_witness, read_guard
from saltern.guarding.told import Told
from saltern.guarding.transport import make_key, read_key
from saltern.model.action import WriteFile
from saltern.model.desired import RESOURCE_DIRECTORY, resource_file
from saltern.model.observed import Unit
from saltern.model.places import GUARD_ASIDE, GUARD_KEY, GUARD_SETTINGS, GUARD_UNIT, WITNESS_SETTINGS
from saltern.model.running import DiskState, Generation, RunningResource
from saltern.observe import Observation, generation, read_running, read_version
from saltern.parse import drbdsetup_show, systemctl_show
from saltern.plan.configuration import GUARD_SCRIPT_FILE, file_step
from saltern.plan.step import Change
from saltern.render import drbd_resource, guard_unit
from saltern.render.header import is_ours
from saltern.run import Host

PATIENCE_S: Final = 60.0
_POLL_S: Final = 0.5
_PRIVATE: Final = 0o600
_UNIT_FILE: Final = (GUARD_UNIT, guard_unit.render(), guard_unit.MODE)
Ask = Callable[
    ..., dict[str, Any]
]  # what the guard of this node answers to a word, and what that is about; raises ``NoGuard``


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is so of one thing, and what was changed for it; with ``test``, what would be. ``trouble`` tells what is missing."""

    comment: str
    changes: Mapping[str, Change] = field(default_factory=dict)
    trouble: str | None = None


def key(host: Host, *, test: bool) -> Kept:
    """Make the key pair of this machine, once. Raises ``Refused`` where others than root may read it, and ``FileError``."""
    mode = host.mode(GUARD_KEY)
    if mode is None:
        if not test:
            make_key(host)
        made: Change = {"old": None, "new": "a new key pair"}
        return Kept(comment="the key of this machine is made", changes={f"file {GUARD_KEY}": made})
    if mode & 0o077:
        raise Refused(
            f"file {GUARD_KEY}",
            f"others than root may read it (mode {mode:04o}), so it may be known elsewhere",
            "Remove it, and apply this machine and its partners again: a new one is made",
        )
    return Kept(comment=f"{GUARD_KEY} is there")


def public_key(host: Host) -> str | None:
    """The public half of the key pair of this machine, ``None`` before it is made. Raises ``FileError``."""
    return None if host.mode(GUARD_KEY) is None else read_key(host).public


def script(host: Host, *, test: bool) -> Kept:
    """Write the file by which guard, witness and DRBD's handler are run. Raises ``Refused`` when it is somebody else's."""
    return _files(host, [GUARD_SCRIPT_FILE], test=test)


def told(host: Host, found: Told, ask: Ask, *, test: bool) -> Kept:
    """Write what the guard, with its unit, or the witness of this machine is told. DRBD asks no more of what it is not told.

    Raises ``FileError`` for settings that it would refuse, and ``Refused`` where nobody's key is known to make any, where a
    Primary waits for an answer that it would not get, or where those who could take something over from here have not taken
    note in time that they must not.
    """
    if found.silent and test:
        return Kept(comment=f"what {' and '.join(found.silent)} would have told by then would be written")
    silent = _silent(found)
    if found.settings is None:
        raise Refused(*silent)
    kept = _write(host, found.settings, ask, test=test)
    return replace(kept, trouble=str(Refused(*silent))) if found.silent else kept


def _silent(found: Told) -> tuple[str, str, str]:
    names = " and ".join(found.silent)
    return f"machine {names}", "it has not told its key yet", f"Apply {names}, then this one again"


def _write(host: Host, settings: GuardSettings | WitnessSettings, ask: Ask, *, test: bool) -> Kept:
    text = json.dumps(to_plain(settings), indent=2) + "\n"
    if isinstance(settings, WitnessSettings):
        parse_witness(text, WITNESS_SETTINGS)
        return _private(host, WITNESS_SETTINGS, text, test=test)
    parse_guard(text, GUARD_SETTINGS)
    if settings.quorum:
        _require_quorum(host)
    told = set() if settings.quorum else {name for domain in settings.domains for name in domain.resources}
    return _both(
        _not_asked(host, told, ask, test=test),
        _files(host, [_UNIT_FILE], test=test),
        _private(host, GUARD_SETTINGS, text, test=test),
    )


def _require_quorum(host: Host) -> None:
    found = generation(read_version(host))
    if found is not Generation.V9:
        raise Refused(
            "guard",
            f"the topology takes over by quorum, which DRBD {found} has not",
            "Install DRBD 9 on this node, or write `witness` or `fencing` in `saltern:takeover`, in the place of `quorum`",
        )


def guard_runs(host: Host, ask: Ask, *, test: bool) -> Kept:
    """Have the guard run, now and after each boot, with the core and the settings that are on the disk.

    One that runs with others is asked to end, which it does when it is known elsewhere, and started again: nothing is reset,
    and no domain stops. Raises ``Refused`` when that does not come about in time.
    """
    if host.mode(GUARD_SETTINGS) is None and not test:
        raise Refused("guard", "it was not told anything yet", "See what the state before this one says")
    changes = dict(_service_changes(_unit(host), ask))
    if changes and not test:
        host.run(systemd.reload())
        host.run(systemd.enable())
        host.remove(GUARD_ASIDE)  # what it was for is done: the kernel and all files say the same
        host.run(systemd.start())
        if not _is_current(ask):
            host.run(systemd.restart())
        _await(host, "guard", lambda: _is_current(ask), "it does not run with the settings that are on the disk")
    return Kept(comment="the guard runs" + (" now" if changes else ""), changes=changes)


def guard_gone(host: Host, ask: Ask, *, test: bool) -> Kept:
    """End the guard in order, and take away what it was told; its key stays. Before that DRBD is told to ask it no more.

    Raises ``Refused`` when it does not end in time; it does later, by itself, when it is known elsewhere that it is off. It
    does not end while a Primary waits for its answer, nor, without a witness, before its partners are to end as well.
    """
    unasked = _not_asked(host, (), ask, test=test)
    there = [path for path in (GUARD_SETTINGS, GUARD_UNIT) if host.mode(path) is not None]
    if not there:
        return _both(unasked, Kept(comment="there is no guard on this node"))
    if not test:
        _await_partners(host, ask)
        host.run(systemd.disable())
        host.run(systemd.stop())
        _await(host, "guard", lambda: _is_gone(host), "it has not ended yet")
        for path in (*there, GUARD_ASIDE):
            host.remove(path)
        host.run(systemd.reload())
    gone: Change = {"old": "there", "new": None}
    ended = Kept(
        comment="this node is no longer guarded: what it runs is not taken over",
        changes={f"file {path}": gone for path in there},
    )
    return _both(unasked, ended)


# --- Fencing -----------------------------------------------------------------------------------------------------
def _not_asked(host: Host, told: Collection[str], ask: Ask, *, test: bool) -> Kept:
    """Have DRBD ask nobody of what the guard is not ``told``: others know it first, then the kernel, then the files.

    Else there would be a moment in which a partner takes over what is older than what was written alone here; or one in which a
    Primary that loses its partner waits for a handler that is not there.
    """
    asking = {name: text for name, text in _asking(host) if name not in told}
    if not asking:
        return Kept(comment="")
    version = read_version(host)
    running = read_running(host, version)
    _require_going_on(asking, running)
    _require_one_primary(host, asking, running)
    if not test:
        _step_aside(host, ask, asking)
        running = read_running(host, version)
        _require_going_on(asking, running)
        _require_one_primary(host, asking, running)
        for name, text in asking.items():
            for argv in _no_fencing(running.get(name), generation(version)):
                host.run(argv)
            perform(host, WriteFile(path=resource_file(name), text=drbd_resource.without_guard(text), mode=_PRIVATE))
    gone: Change = {"old": "the guard is asked", "new": "nobody is asked"}
    return Kept(
        comment=f"DRBD goes on alone with {', '.join(asking)} without asking",
        changes={f"fencing of {name}": gone for name in asking},
    )


def _require_going_on(names: Iterable[str], running: Mapping[str, RunningResource]) -> None:
    for name in names:
        if name in running and running[name].suspended:
            raise Refused(
                f"resource {name}",
                "its I/O is suspended: it may be waiting for an answer of the guard of this node, which would not come any more",
                "Bring its partner back, or see `cluster.explain` for what the guard waits for; then apply again",
            )


def _require_one_primary(host: Host, names: Iterable[str], running: Mapping[str, RunningResource]) -> None:
    """What moves while DRBD asks nobody would leave behind what is written out of sight of the node that it goes to."""
    for name in names:
        if name in running and drbdsetup_show.parse_two_primaries(host.run(drbdsetup.show(name)).stdout):
            raise Refused(
                f"resource {name}",
                "two Primaries are allowed: its domain is on its way",
                "Wait for its end; then apply again",
            )


def _step_aside(host: Host, ask: Ask, names: Iterable[str]) -> None:
    """Have the guard tell all who could take something over that they must not; one that is dead could not, and is started."""
    try:
        ask("status")
    except NoGuard:
        if host.mode(GUARD_SETTINGS) is None:
            return
        host.run(systemd.start())
    _await(
        host,
        "guard",
        lambda: _is_aside(ask, names),
        "nobody can be told yet that nothing is to be taken over from here",
    )


def _await_partners(host: Host, ask: Ask) -> None:
    """Without a witness it is the partners that take note of an end: once the first is gone, the last would find nobody."""
    settings = None
    with suppress(FileError):  # whoever was told nothing that can be read does not run
        settings = read_guard(host, GUARD_SETTINGS)
    if settings is not None and settings.witness is None:
        partners = settings.partners.keys()
        names = " and ".join(partners)
        reason = f"without a witness guards end together, and {names}, to be applied as well, has not stepped aside"
        _await(host, "guard", lambda: _is_gone(host) or _are_aside(ask, partners), reason)


def _are_aside(ask: Ask, partners: Set[str]) -> bool:
    try:
        found = ask("status") if _is_aside(ask) else None
    except NoGuard:
        return False
    return found is not None and partners <= {*found["off"], *found["dead"]}


def _is_aside(ask: Ask, names: Iterable[str] = ()) -> bool:
    """Whether the guard has stepped aside, also for DRBD to ask no more about these resources."""
    try:
        return bool(ask("step aside", resources=list(names)).get("aside"))
    except NoGuard:
        return False


def _asking(host: Host) -> Iterator[tuple[str, str]]:
    """The resources about which DRBD asks the guard, and their files."""
    for file in host.names(str(RESOURCE_DIRECTORY)):
        text = host.read_text(str(RESOURCE_DIRECTORY / file)) if file.endswith(".res") else None
        if text is not None and is_ours(text) and drbd_resource.asks_guard(text):
            yield file.removesuffix(".res"), text


def _no_fencing(side: RunningResource | None, found: Generation) -> Iterator[list[str]]:
    """The commands by which the kernel goes on alone: for each disk of 8.4, for each connection of 9."""
    if side is None:
        return
    if found is Generation.V84:
        for minor in [each.minor for each in side.devices.values() if each.disk is not DiskState.DISKLESS]:
            yield drbdsetup.no_fencing_of_disk(minor)
    else:
        for connection in side.connections:
            yield drbdsetup.no_fencing_of_connection(side.name, connection.peer_node_id)


# --- Files -------------------------------------------------------------------------------------------------------
def _files(host: Host, files: list[tuple[str, str, int]], *, test: bool) -> Kept:
    view = Observation(host, "")
    kept = []
    for path, text, mode in files:
        step = file_step(path, text, mode, view)
        for action in () if test else step.actions:
            perform(host, action)
        kept.append(Kept(comment=step.comment, changes=step.changes))
    return _both(*kept)


def _private(host: Host, path: str, text: str, *, test: bool) -> Kept:
    found = host.read_text(path)
    if found == text and host.mode(path) == _PRIVATE:
        return Kept(comment=f"{path} is as it should be")
    if not test:
        perform(host, WriteFile(path=path, text=text, mode=_PRIVATE))
    written: Change = {"old": None if found is None else "different", "new": "written"}
    return Kept(comment=f"{path} is {'written' if found is None else 'rewritten'}", changes={f"file {path}": written})


def _both(*kept: Kept) -> Kept:
    changed = [each for each in kept if each.changes] or kept
    changes = {name: change for each in kept for name, change in each.changes.items()}
    return Kept(comment="; ".join(each.comment for each in changed if each.comment), changes=changes)


# --- The service -------------------------------------------------------------------------------------------------
def _unit(host: Host) -> Unit:
    return systemctl_show.parse(host.run(systemd.show()).stdout)


def _is_gone(host: Host) -> bool:
    return _unit(host).active_state in ("inactive", "failed")


def _service_changes(unit: Unit, ask: Ask) -> Iterator[tuple[str, Change]]:
    if not unit.enabled:
        yield f"service {systemd.GUARD} at boot", {"old": "not started", "new": "started"}
    if unit.active_state != "active":
        yield f"service {systemd.GUARD}", {"old": unit.active_state, "new": "active"}
    elif not _is_current(ask):
        yield f"service {systemd.GUARD}", {"old": "with what was replaced since", "new": "with what is on the disk"}


def _is_current(ask: Ask) -> bool:
    try:
        return bool(ask("status").get("current"))
    except NoGuard:
        return False


def _await(host: Host, subject: str, found: Callable[[], bool], reason: str) -> None:
    deadline_s = host.now() + PATIENCE_S
    while not found():
        if host.now() >= deadline_s:
            raise Refused(
                subject,
                f"{reason} after {PATIENCE_S:.0f} s",
                "It waits for the witness and its partners to take note before it ends, or steps aside. See "
                f"`journalctl -u {systemd.GUARD}`, then apply again",
            )
        host.sleep(_POLL_S)
