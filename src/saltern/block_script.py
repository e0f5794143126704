"""The hotplug script of a domain's disk: libxl calls it before a domain is given the disk and after it was taken away.

Whatever starts, moves or reboots a domain passes here, also what a person types. It answers through xenstore
(docs/misc/block-scripts.txt of Xen); what goes wrong in whatever way is a refusal with its reason, never a promotion.
"""

import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from saltern import may_start
from saltern.argv import drbdsetup, xenstore
from saltern.errors import CommandFailed, ParseError, Refused, SalternError
from saltern.model import hotplug
from saltern.model.places import BLOCK_SCRIPT, HOTPLUG_LOG, told_to_stop
from saltern.model.running import Generation, RunningResource
from saltern.parse import drbd_version, drbdsetup_events2, drbdsetup_show
from saltern.plan import attach
from saltern.plan.attach import Act
from saltern.run import Completed, Host, LocalHost

_INCOMING: Final = "--incoming"
_MOVING: Final = (_INCOMING, "--migratedaway")
_DOM0: Final = "/local/domain/0/"
_BACKENDS: Final = f"{_DOM0}backend/vbd"
_BACKEND: Final = re.compile(rf"(?:{_DOM0})?backend/vbd/([0-9]+)/[0-9]+")
_DRBD_MAJOR: Final = 147  # linux/major.h
# libxl waits 40 s for the script (LIBXL_HOTPLUG_TIMEOUT): one command that hangs leaves time to undo and to say so.
_COMMAND_S: Final = 8.0
_RELEASE_S: Final = 5.0
_POLL_S: Final = 0.25
# A cable that was pulled for a moment is back by then, with DRBD's next attempt to connect; a node that boots is not yet.
_BACK_S: Final = 30.0
# A guard that is started again is back by then, with a lease; libxl waits for longer than that, and for what has to be done then.
_LEASE_S: Final = 10.0
_UNFINISHED: Final = (
    ""  # no status yet: `add` was killed, by libxl's own timeout perhaps, or could not undo what it did
)
_CONNECTED: Final = "connected"
_ENVIRONMENT: Final = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


class _NotUndone(SalternError):
    """After a refusal the disk may be Primary, and two primaries allowed: `remove` has to see to it."""


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """``block-saltern add`` and ``remove`` as libxl calls them, ``close RESOURCE`` for the end of a migration."""
    host = LocalHost(environment=_ENVIRONMENT)
    match argv:
        case ["add"]:
            return add(host, environ["XENBUS_PATH"])
        case ["remove"]:
            return remove(host, environ["XENBUS_PATH"])
        case ["close", resource]:
            return close(host, resource)
    print(f"usage: {BLOCK_SCRIPT} add | remove | close RESOURCE", file=sys.stderr)
    return 2


def add(host: Host, xenbus_path: str) -> int:
    """Make the disk ready and tell libxl its device, or tell why not; returns the exit code."""
    try:
        _attach(host, xenbus_path)
    except Exception as error:
        _refuse(host, xenbus_path, error)
        return 1
    return 0


def remove(host: Host, xenbus_path: str) -> int:
    """Make the disk Secondary when the domain was the last to use it; always 0, for libxl can do nothing about it."""
    try:
        _detach(host, xenbus_path)
    except Exception as error:
        _log(host, f"remove {xenbus_path}: {_line(error)}")
    return 0


def close(host: Host, resource: str) -> int:
    """Wait for the end of a migration, then allow one Primary only, on both sides.

    The kernels do not connect while one side allows two Primaries and the other does not. So what was opened on both sides is
    closed on both: a partner that is out of sight is given time to come back before it is closed here alone. While the window is
    open, to be Primary here is no proof (``attach``): alone it is closed under a guest that has arrived, or on a Secondary.
    """
    for pause_s in closing(host, resource):
        host.sleep(pause_s)
    return 0


def closing(host: Host, resource: str) -> Iterator[float]:
    """``close`` for whoever does something else meanwhile: yields how long there is nothing to do.

    What fails, or is not known, leaves the window as it is: it is told, and looked at again.
    """
    drbd = _Drbd(host, resource)
    begun_s = seen_s = host.now()
    told = ""
    while True:
        try:
            side = drbd.look()
            if side is None or drbd.forgot_options(side):
                return
            if attach.connected(side):
                seen_s = host.now()
            if attach.one_primary(side) or (host.now() - seen_s > _BACK_S and _settle_alone(drbd, side)):
                drbd.allow_two_primaries(side, drbd.show(), False)
                _log(host, hotplug.window_closed(resource, host.now() - begun_s))
                return
        except (SalternError, OSError) as error:
            if _line(error) != told:
                told = _line(error)
                _log(host, hotplug.window_left(resource, told))
        yield _POLL_S if host.now() - seen_s <= _BACK_S else _BACK_S


class _Drbd:
    """One resource, by way of the kernel alone."""

    def __init__(self, host: Host, resource: str) -> None:
        self.host, self.resource = host, resource

    def look(self) -> RunningResource | None:
        return drbdsetup_events2.parse(self._run(drbdsetup.events2(self.resource)).stdout).get(self.resource)

    def show(self) -> str:
        """What the kernel was told: ``drbdsetup_show`` understands it."""
        return self._run(drbdsetup.show(self.resource)).stdout

    def do(self, act: Act, side: RunningResource, shown: str) -> None:
        match act:
            case Act.DEMOTE:
                self._prove_unused(side)
            case Act.PROMOTE:
                self._run(drbdsetup.primary(self.resource, side.devices[0].minor, self._generation()))
            case Act.ALLOW_TWO_PRIMARIES:
                self.allow_two_primaries(side, shown, True)
            case Act.ALLOW_ONE_PRIMARY:
                self.allow_two_primaries(side, shown, False)

    def _prove_unused(self, side: RunningResource) -> None:
        try:
            self.secondary(side)
        except CommandFailed as error:
            said = error.stderr.strip() or error.stdout.strip()
            raise Refused(
                self.resource, f"it is Primary here and in use ({said})", "See in `xl list` which domain it belongs to"
            ) from error

    def secondary(self, side: RunningResource) -> None:
        self._run(drbdsetup.secondary(self.resource, side.devices[0].minor, self._generation()))

    def allow_two_primaries(self, side: RunningResource, shown: str, allowed: bool) -> None:
        self._run(drbdsetup.allow_two_primaries(self._connection(side, shown), allowed))

    def forgot_options(self, side: RunningResource) -> bool:
        """8.4 forgets a connection and its options when it is given up, 9 when it is deleted."""
        return attach.given_up(side) and (self._generation() is Generation.V84 or not side.connections)

    def _connection(self, side: RunningResource, shown: str) -> tuple[str, str]:
        if self._generation() is Generation.V84:
            return drbdsetup_show.parse_addresses(shown)
        return self.resource, str(side.connections[0].peer_node_id)

    def _generation(self) -> Generation:
        found = drbd_version.parse_proc_drbd(self.host.read_text("/proc/drbd") or "").generation
        if found is None:
            raise Refused("DRBD", "the loaded module is neither 8.4 nor 9", "Install the module of DRBD 8.4 or 9")
        return found

    def _run(self, argv: Sequence[str]) -> Completed:
        return self.host.run(argv, timeout_s=_COMMAND_S)


def _attach(host: Host, xenbus_path: str) -> None:
    resource, domain = _asked(host, xenbus_path)
    incoming = domain.endswith(_INCOMING)
    drbd = _Drbd(host, resource)
    before = attach.require_up(resource, drbd.look())
    shown = drbd.show()
    acts = attach.decide(before, incoming=incoming, window=drbdsetup_show.parse_two_primaries(shown))
    attach.require_own(before, _others(host, xenbus_path, resource))
    _require_lease(host, resource, arrives=incoming, apart=not attach.connected(before))
    done: list[Act] = []
    try:
        for act in acts:
            done.append(act)
            drbd.do(act, before, shown)
        attach.confirm(before, attach.require_up(resource, drbd.look()), incoming=incoming)
        if incoming:
            host.detach([BLOCK_SCRIPT, "close", resource])
        _connected(host, xenbus_path, before.devices[0].minor)
    except BaseException as error:
        try:
            _undo(drbd, before, shown, done)
        except Exception as trouble:
            raise _NotUndone(f"{_line(error)}; and it could not be undone: {_line(trouble)}") from error
        raise
    _log(host, hotplug.arriving(resource) if incoming else f"add {resource}: Primary")


def _require_lease(host: Host, resource: str, *, arrives: bool, apart: bool) -> None:
    """Raises ``Refused`` unless the guard of this node, where it has one, lets a domain run here.

    One that arrives is subject to the lease as one that starts: without it, it would be ended at once. A guard that is just being
    started again is waited for, but not by a guest that stands still meanwhile, and goes on where it was.
    """
    deadline_s = host.now() + (0.0 if arrives else _LEASE_S)
    while (against := may_start.against_attach(host, resource, arrives=arrives, apart=apart)) is not None:
        if host.now() >= deadline_s:
            raise Refused(
                resource, against, "See `guard.status` of this node, and whether its partner and the witness are there"
            )
        host.sleep(_POLL_S)


def _undo(drbd: _Drbd, before: RunningResource, shown: str, done: Sequence[Act]) -> None:
    """After a failure: Secondary again, then one Primary only. Without the partner a Primary stays one, see ``attach``.

    A partner that has just gone out of sight has its side of the window open still; ``close`` gives it time to come back.
    """
    if Act.PROMOTE in done and (attach.connected(before) or Act.DEMOTE not in done):
        drbd.secondary(before)
    if Act.ALLOW_TWO_PRIMARIES in done:
        now = drbd.look()
        if now is not None and attach.connected(now):
            drbd.allow_two_primaries(now, shown, False)
        else:
            drbd.host.detach([BLOCK_SCRIPT, "close", drbd.resource])


def _detach(host: Host, xenbus_path: str) -> None:
    resource, domain, status = _left(host, xenbus_path)
    if status == "error":
        return  # what was refused has nothing to give back
    moving = domain.endswith(_MOVING)
    unfinished = status == _UNFINISHED
    if unfinished and domain.endswith(_INCOMING):
        host.detach([BLOCK_SCRIPT, "close", resource])
    drbd = _Drbd(host, resource)
    deadline_s = host.now() + _RELEASE_S
    while True:
        try:
            released = _release(drbd, _domid(xenbus_path), proof=not moving and not unfinished)
            _log(host, f"remove {resource}: {released}")
            return
        except SalternError as error:
            # blkback lets go of the device a moment after libxl calls the script.
            if host.now() >= deadline_s:
                raise Refused(resource, f"it stays Primary: {_line(error)}", "See what else uses it") from error
        host.sleep(_POLL_S)


def _settle_alone(drbd: _Drbd, side: RunningResource) -> bool:
    """Make a side Secondary that no domain has; false while one has it that is on its way, or is only just being given it.

    Raises while anything else holds it, and where xenstore does not tell who has it: until its backend opens the device, DRBD
    knows of no user, and would take it away from a domain that is just being given it.
    """
    users = _users(drbd.host, _given(drbd.host, drbd.resource))
    if any(user.status != _CONNECTED for user in users):
        return False
    names = [_read(drbd.host, f"/local/domain/{domid}/name")[0] for domid in {user.domid for user in users}]
    if not names:
        drbd.secondary(side)
    return not names or not all(name.endswith(_MOVING) for name in names)


def _release(drbd: _Drbd, domid: int, *, proof: bool) -> str:
    """``proof`` is false when to be Primary here says nothing of the partner.

    A domain that was on its way had both sides Primary, and a promotion that was not confirmed may have been made alone. Nor
    is it a proof while two are allowed, or where it is forgotten whether they were, whatever the domain is called by then. Of one
    that was told to stop, to stay so, none is kept: it is not to be started here again, and its partner has to see that it is
    down when it is back.
    """
    side = drbd.look()
    if side is None:
        return "it is not up"
    if proof and not attach.connected(side) and _keeps_proof(drbd, side, domid):
        return f"it stays {side.role}, since its partner is not connected"
    drbd.secondary(side)
    return "Secondary"


def _keeps_proof(drbd: _Drbd, side: RunningResource, domid: int) -> bool:
    if drbd.forgot_options(side) or drbdsetup_show.parse_two_primaries(drbd.show()):
        return False
    told = told_to_stop(domid)
    return told not in _children(drbd.host, told.rpartition("/")[0])  # a read of what is not there only fails


def _asked(host: Host, xenbus_path: str) -> tuple[str, str]:
    """The resource, and the name of its domain, which tells whether it is on its way (xl_migrate.c)."""
    resource, domain = _read(host, *_places(xenbus_path))
    return resource, domain


def _left(host: Host, xenbus_path: str) -> tuple[str, str, str]:
    """What ``_asked`` tells, and the status that `add` has left."""
    try:
        resource, domain, status = _read(host, *_places(xenbus_path), f"{xenbus_path}/hotplug-status")
    except CommandFailed:  # one of them is not there: the status, or this fails again
        return *_asked(host, xenbus_path), _UNFINISHED
    return resource, domain, status


def _places(xenbus_path: str) -> tuple[str, str]:
    return f"{xenbus_path}/params", f"/local/domain/{_domid(xenbus_path)}/name"


def _domid(xenbus_path: str) -> int:
    match = _BACKEND.fullmatch(xenbus_path)
    if match is None:
        raise ParseError("libxl", "XENBUS_PATH is not that of a disk", xenbus_path)
    return int(match[1])


def _others(host: Host, xenbus_path: str, resource: str) -> set[int]:
    """The domids that were given the same resource, or are about to be."""
    own = _DOM0 + xenbus_path.removeprefix(_DOM0)
    given = _given(host, resource)
    if own not in given:
        raise ParseError(
            "xenstore", f"the disk itself, {own}, is not among those that were given {resource}", str(given)
        )
    return {user.domid for user in _users(host, [place for place in given if place != own])}


class _User(NamedTuple):
    """Whose disk it is, or is to be; ``status`` is that of the script, empty while that is at work."""

    domid: int
    status: str


def _given(host: Host, resource: str) -> list[str]:
    """Where a resource was given to a domain, or is about to be: libxl writes this before it calls the script.

    Not by `xenstore-ls`: of each disk that reads fifteen values and more, and a node that is busy with taking domains over has
    no time for that. Where one has gone away meanwhile, or was given nothing, as an empty drive, those are read that have
    something.
    """
    with suppress(CommandFailed):
        return _with_params(host, resource, _disks(host))
    places = _disks(host)
    keys = set(_children(host, *places))
    return _with_params(host, resource, [place for place in places if f"{place}/params" in keys])


def _with_params(host: Host, resource: str, places: Sequence[str]) -> list[str]:
    params = _read(host, *(f"{place}/params" for place in places)) if places else []
    return [place for place, value in zip(places, params, strict=True) if value == resource]


def _disks(host: Host) -> list[str]:
    """Every disk of every domain. To list what is not there fails as anything else does: only the list above it tells."""
    try:
        return _children(host, *_children(host, _BACKENDS))
    except CommandFailed:
        if _is_there(host, _BACKENDS):
            raise
        return []


def _is_there(host: Host, path: str) -> bool:
    """Whether xenstore has a place below that of dom0, which is always there."""
    above = path.rpartition("/")[0]
    return (f"{above}/" == _DOM0 or _is_there(host, above)) and path in _children(host, above)


def _children(host: Host, *paths: str) -> list[str]:
    return host.run(xenstore.children(*paths), timeout_s=_COMMAND_S).stdout.splitlines() if paths else []


def _users(host: Host, places: Sequence[str]) -> list[_User]:
    """Who has these disks, without those who were refused them."""
    users = []
    for place in places:
        match = _BACKEND.fullmatch(place)
        if match is None:
            raise ParseError("xenstore-list", "it is not the place of a disk", place)
        try:
            (status,) = _read(host, f"{place}/hotplug-status")
        except CommandFailed:
            status = _UNFINISHED
        if status != "error":
            users.append(_User(int(match[1]), status))
    return users


def _read(host: Host, *paths: str) -> list[str]:
    values = host.run(xenstore.read(*paths), timeout_s=_COMMAND_S).stdout.splitlines()
    if len(values) != len(paths):
        raise ParseError("xenstore-read", f"not {len(paths)} lines", "\n".join(values))
    return values


def _connected(host: Host, xenbus_path: str, minor: int) -> None:
    values = {
        "physical-device-path": f"/dev/drbd{minor}",
        "physical-device": f"{_DRBD_MAJOR:x}:{minor:x}",
        "hotplug-status": _CONNECTED,
    }
    _write(host, xenbus_path, values)


def _refuse(host: Host, xenbus_path: str, error: Exception) -> None:
    with suppress(SalternError, OSError):
        status = _UNFINISHED if isinstance(error, _NotUndone) else "error"
        _write(host, xenbus_path, {"hotplug-error": _line(error), "hotplug-status": status})
    _log(host, f"add {xenbus_path} refused: {_line(error)}")


def _write(host: Host, xenbus_path: str, values: Mapping[str, str]) -> None:
    named = {f"{xenbus_path}/{key}": value for key, value in values.items()}
    host.run(xenstore.write(named), timeout_s=_COMMAND_S)


def _line(error: BaseException) -> str:
    """What went wrong, in one line; anything but our own errors by its kind as well."""
    text = str(error) if isinstance(error, SalternError) else f"{type(error).__name__}: {error}"
    return " ".join(text.split())


def _log(host: Host, text: str) -> None:
    with suppress(OSError):
        host.append_text(HOTPLUG_LOG, f"{time.strftime('%Y-%m-%d %H:%M:%S')} block-saltern: {text}\n")
