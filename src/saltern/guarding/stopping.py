"""Ending a domain at once, also one whose disks hold back what it has written last.

Then ``xl destroy`` succeeds, and leaves the domain dying, nameless, for as long as DRBD waits for its handler: no instruction of
it runs any more, but its disk stays open, and can neither be demoted nor be synchronised from a partner that has taken it over
(transcripts 482-487). So DRBD is made to fail what waits: the disk is taken from it by force, and the I/O resumed ("a multi-stage
forced down", drbd_adm_resume_io). Once the disk is gone no new generation of data begins, and it is attached again as after a
crash: what the activity log names is synchronised from the partner.

Only where the domain is dying: what its disks have already written is then told as written, and nobody must be left to hear that.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from saltern import operations
from saltern.act import perform
from saltern.argv import drbdsetup
from saltern.errors import Refused, SalternError
from saltern.guarding.settings import GuardedDomain
from saltern.model.action import AdjustResource, EndDomain, TakeDown
from saltern.model.observed import XenDomain
from saltern.model.running import DiskState, Role, RunningResource
from saltern.observe import read_running, read_version, read_xen
from saltern.run import Host

_DYING_S: Final = 5.0  # Xen takes the memory of a large guest back after xl has ended
_POLL_S: Final = 0.1


def stop(host: Host, domain: GuardedDomain) -> str:
    """End a domain at once; returns what was done, in words, when Xen no longer has it.

    Raises what the tools end with, and ``Refused`` for one that does not go away: what dies may still be writing.
    """
    found = _find(host, domain)
    if found is None:
        return "it is gone"
    if not found.dying:
        perform(host, EndDomain(domain=found.name or str(found.domid)))
        found = _find(host, domain)
    taken = _take_disks(host, domain) if found is not None and found.dying else []
    _wait_until(lambda: _find(host, domain) is None, host, domain, "it is still here after `xl destroy`")
    if not taken:
        return "ended"
    return f"ended; what its disks held back was given up. {_bring_back(host, domain, taken)}"


def take_up(host: Host, domains: Sequence[GuardedDomain]) -> Iterator[tuple[str, str]]:
    """Go on where a guard was killed that had taken the disks from a domain, which is gone since: its resources are Primary, and
    have none. Yields each such domain with what was done, in words. Two processes where there is none. Raises what a read raises.
    """
    running, xen = read_running(host, read_version(host)), read_xen(host)
    for domain in domains:
        sides = [running[name] for name in domain.resources if name in running]
        left = [side.name for side in sides if side.role is Role.PRIMARY and _is_diskless(side)]
        if left and xen.by_uuid(domain.uuid) is None:
            yield domain.name, f"its resources were left Primary without a disk. {_down_and_up(host, domain, left)}"


def _down_and_up(host: Host, domain: GuardedDomain, resources: Sequence[str]) -> str:
    """Not while somebody works on the domain: who starts it has made them Primary as well."""
    try:
        with operations.held(host, domain.name):
            for name in resources:
                perform(host, TakeDown(resource=name))
                perform(host, AdjustResource(resource=name))
    except (SalternError, OSError) as error:
        return f"They are left to the next `state.apply`: {error}"
    return "They are up again"


def _find(host: Host, domain: GuardedDomain) -> XenDomain | None:
    return read_xen(host).by_uuid(domain.uuid)


def _take_disks(host: Host, domain: GuardedDomain) -> list[str]:
    """Let fail what waits; returns of which resources."""
    waiting = _holding_back(host, domain)
    for side in waiting:
        for device in side.devices.values():
            if device.disk is not DiskState.DISKLESS:
                host.run(drbdsetup.detach_by_force(device.minor))
    # One that is only Failed still has a place for a new generation, which would be a split-brain.
    _wait_until(
        lambda: all(map(_is_diskless, _holding_back(host, domain))), host, domain, "DRBD does not let go of its disks"
    )
    for side in waiting:
        for device in side.devices.values():
            host.run(drbdsetup.resume_io(device.minor))
    return [side.name for side in waiting]


def _holding_back(host: Host, domain: GuardedDomain) -> list[RunningResource]:
    running = read_running(host, read_version(host))
    return [running[name] for name in domain.resources if name in running and running[name].suspended]


def _is_diskless(side: RunningResource) -> bool:
    return all(device.disk is DiskState.DISKLESS for device in side.devices.values())


def _wait_until(condition: Callable[[], bool], host: Host, domain: GuardedDomain, otherwise: str) -> None:
    deadline_s = host.now() + _DYING_S
    while not condition():
        if host.now() >= deadline_s:
            raise Refused(f"domain {domain.name}", otherwise, "It is tried again")
        host.sleep(_POLL_S)


def _bring_back(host: Host, domain: GuardedDomain, resources: Sequence[str]) -> str:
    """Have resources meet their partners again, from their disks; returns in words how that went.

    They are taken down by whoever ends the domain, as the block script makes them Secondary: a Primary must not be left. What
    brings them up again has the domain's lock.
    """
    try:
        for name in resources:
            perform(host, TakeDown(resource=name))
        with operations.held(host, domain.name):
            for name in resources:
                perform(host, AdjustResource(resource=name))
    except (SalternError, OSError) as error:
        return f"They stay down until the next `state.apply`: {error}"
    return "They are up again"
