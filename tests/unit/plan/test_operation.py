"""An operation that nobody works on any more: what each node makes of its own half."""

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace

import pytest
from nodes import MIGRATION, UUID, domain, running

from saltern.errors import Refused
from saltern.model.action import Action, EndDomain, EndOperation, ForgetStop, StartDomain, UnpauseDomain, WriteFile
from saltern.model.observed import Xen
from saltern.model.operation import Half, Operation, OperationKind, Standing
from saltern.model.places import stopped_file
from saltern.model.running import ConnectionState, DiskState, Role, RunningResource
from saltern.plan import operation as plan
from saltern.plan.step import Wait

OVER = (EndOperation(domain="dns"),)


def found(name: str | None, **flags: object) -> Xen:
    return Xen(domains=(domain(name, **flags),))


def settle(
    operation: Operation,
    xen: Xen,
    resources: Mapping[str, RunningResource] | None = None,
    *,
    other_at_work: bool = True,
    held: bool = False,
) -> tuple[Action, ...] | Wait:
    left = Standing(operation=operation, alive=held, held=held, other_at_work=other_at_work)
    return plan.settle(left, xen, resources or {})


SUSPENDED = {"suspended": True, "shut_down": True}


@pytest.mark.parametrize(
    ("half", "xen", "settled"),
    [
        (Half.SOURCE, Xen(domains=()), OVER),
        (Half.SOURCE, found("dns", running=True), OVER),
        (Half.SOURCE, found("dns", blocked=True), OVER),
        (Half.SOURCE, found("dns", **SUSPENDED), (EndDomain(domain="dns"),)),
        (Half.SOURCE, found("dns--migratedaway", **SUSPENDED), (EndDomain(domain="dns--migratedaway"),)),
        (Half.TARGET, Xen(domains=()), OVER),
        (Half.TARGET, found("dns--incoming", paused=True), (EndDomain(domain="dns--incoming"),)),
        (Half.TARGET, found("dns", paused=True), (UnpauseDomain(domain="dns"),)),
        (Half.TARGET, found("dns", running=True), OVER),
    ],
)
def test_a_half_is_ended_or_goes_on_by_what_it_is(half, xen, settled) -> None:
    assert settle(replace(MIGRATION, half=half), xen) == settled


def test_of_a_stop_nothing_is_ended_that_has_never_run() -> None:
    """Whoever shuts a domain down creates none: somebody else is just doing so."""
    for half in Half:
        stop = replace(MIGRATION, kind=OperationKind.STOP, half=half)
        assert settle(stop, found("dns", paused=True, cpu_time_s=0.0)) == OVER
        assert settle(stop, found("dns", running=True)) == OVER


@pytest.mark.parametrize("kind", [OperationKind.OFFLINE, OperationKind.START])
@pytest.mark.parametrize(
    ("half", "xen", "settled"),
    [
        (Half.SOURCE, found("dns", running=True), OVER),
        (Half.SOURCE, found("dns", paused=True, cpu_time_s=0.0), OVER),
        (Half.TARGET, found("dns", running=True), OVER),
        (Half.TARGET, found("dns", paused=True), OVER),
        (Half.TARGET, found("dns", paused=True, cpu_time_s=0.0), (EndDomain(domain="dns"),)),
    ],
)
def test_of_a_start_only_what_has_never_run_is_ended(kind, half, xen, settled) -> None:
    assert settle(replace(MIGRATION, kind=kind, half=half), xen) == settled


@pytest.mark.parametrize("half", [Half.SOURCE, Half.TARGET])
def test_what_was_to_run_and_is_not_here_has_left_nothing_here(half) -> None:
    assert settle(replace(MIGRATION, kind=OperationKind.OFFLINE, half=half), Xen(domains=())) == OVER


NOWHERE = Xen(domains=())
KEPT = WriteFile(path=stopped_file("dns"), text=f"{UUID} stopped by root on master at {MIGRATION.since}\n", mode=0o600)


def test_what_was_shut_down_stays_stopped_whoever_has_lived_to_see_it() -> None:
    shut_down = replace(MIGRATION, kind=OperationKind.STOP, half=Half.SOURCE)
    assert settle(shut_down, NOWHERE) == (KEPT, *OVER)
    assert settle(replace(shut_down, taken=False), NOWHERE) == OVER


@pytest.mark.parametrize(
    ("side", "other_at_work", "settled"),
    [
        ({}, True, (KEPT, *OVER)),
        ({}, False, (KEPT, *OVER)),
        ({"peer_role": Role.PRIMARY}, True, "may still be shutting down on dom0"),
        ({"peer_role": Role.PRIMARY}, False, OVER),  # it was not obeyed
        ({"state": ConnectionState.CONNECTING}, False, "whether dns was shut down on dom0 is unknown"),
        ({"state": None}, False, "whether dns was shut down on dom0 is unknown"),
        ({"peer_role": Role.UNKNOWN}, False, "whether dns was shut down on dom0 is unknown"),  # it is just connecting
    ],
)
def test_the_other_node_keeps_a_domain_stopped_by_what_became_of_it(side, other_at_work, settled) -> None:
    waiting = replace(MIGRATION, kind=OperationKind.STOP, half=Half.TARGET)
    found_so = settle(waiting, NOWHERE, running(**side), other_at_work=other_at_work)
    if isinstance(settled, str):
        assert isinstance(found_so, Wait)
        assert settled in found_so.reason
    else:
        assert found_so == settled


def test_a_domain_with_some_of_its_disks_is_going_and_is_waited_for() -> None:
    waiting = replace(MIGRATION, kind=OperationKind.STOP, half=Half.TARGET, resources=("dns", "dns-xvdb"))
    sides = running(peer_role=Role.PRIMARY) | {"dns-xvdb": running()["dns"]}
    assert isinstance(settle(waiting, NOWHERE, sides, other_at_work=False), Wait)


@pytest.mark.parametrize(
    ("side", "settled"),
    [
        ({"peer_role": Role.PRIMARY}, (ForgetStop(domain="dns"), *OVER)),
        ({}, OVER),  # it was not started
        ({"state": ConnectionState.CONNECTING}, (ForgetStop(domain="dns"), *OVER)),
        ({"state": None}, (ForgetStop(domain="dns"), *OVER)),
    ],
)
def test_the_other_node_keeps_a_domain_no_longer_stopped_that_was_to_be_started(side, settled) -> None:
    waiting = replace(MIGRATION, kind=OperationKind.START, half=Half.SOURCE)
    assert settle(waiting, NOWHERE, running(**side), other_at_work=False) == settled
    assert settle(replace(waiting, taken=False), NOWHERE, running(**side)) == OVER


@pytest.mark.parametrize(
    ("side", "settled"),
    [
        ({"peer_role": Role.PRIMARY}, (ForgetStop(domain="dns"), *OVER)),
        ({}, OVER),
        ({"state": ConnectionState.CONNECTING}, "whether dns was started on dom0 meanwhile is unknown"),
        ({"state": None}, "whether dns was started on dom0 meanwhile is unknown"),
    ],
)
def test_a_node_that_was_lost_while_it_started_a_domain_sees_whether_the_other_one_has_done_so(side, settled) -> None:
    left = replace(MIGRATION, kind=OperationKind.START, half=Half.TARGET)
    assert (
        settle(left, NOWHERE, running(**side), held=True) == OVER
    )  # whoever has begun it knows that it was not started
    found_so = settle(left, NOWHERE, running(**side))
    if isinstance(settled, str):
        assert isinstance(found_so, Wait)
        assert settled in found_so.reason
    else:
        assert found_so == settled


def test_a_start_that_may_still_come_is_waited_for_before_it_counts_as_none() -> None:
    waiting = replace(MIGRATION, kind=OperationKind.START, half=Half.SOURCE)
    assert settle(replace(waiting, half=Half.TARGET), NOWHERE, running()) == OVER  # this node itself is no longer at it
    found_so = settle(waiting, NOWHERE, running())
    assert isinstance(found_so, Wait)
    assert (found_so.reason, "19 minutes" in found_so.remedy) == ("dns may still be starting on dom0m", True)


def test_a_resource_that_is_not_up_tells_nothing_of_the_other_node() -> None:
    waiting = replace(MIGRATION, kind=OperationKind.STOP, half=Half.TARGET)
    assert isinstance(settle(waiting, NOWHERE, {}), Wait)


def test_one_primary_disk_tells_that_it_runs_over_there_whatever_the_others_tell() -> None:
    waiting = replace(MIGRATION, kind=OperationKind.STOP, half=Half.TARGET, resources=("dns", "dns-xvdb"))
    assert settle(waiting, NOWHERE, running(peer_role=Role.PRIMARY), other_at_work=False) == OVER
    assert isinstance(settle(waiting, NOWHERE, running()), Wait)


def test_a_guest_that_is_shutting_down_is_waited_for_and_a_strange_one_is_for_a_person() -> None:
    stopping = replace(MIGRATION, kind=OperationKind.STOP)
    assert isinstance(settle(stopping, found("dns", shut_down=True)), Wait)
    with pytest.raises(Refused, match=r"cluster\.release"):
        settle(stopping, found("dns--incoming", paused=True))


@pytest.mark.parametrize(
    ("side", "told"),
    [
        ({"state": None}, "no connection"),
        ({"state": ConnectionState.CONNECTING}, "unknown is not down"),
        ({"peer_role": Role.PRIMARY}, "Primary on the other node"),
        ({"disk": DiskState.OUTDATED}, "not UpToDate"),
    ],
)
def test_a_start_waits_for_proof_that_the_domain_runs_nowhere(side, told) -> None:
    starting = replace(MIGRATION, kind=OperationKind.START, half=Half.TARGET)
    wanted = plan.start(starting, Xen(domains=()), running(**side))
    assert isinstance(wanted, Wait)
    assert told in wanted.reason
    assert isinstance(plan.start(starting, Xen(domains=()), {}), Wait)
    assert plan.start(starting, Xen(domains=()), running()) == (StartDomain(domain="dns"),)
    assert plan.start(starting, found("dns", running=True), {}) == ()


@pytest.mark.parametrize("half", Half)
@pytest.mark.parametrize("xen", [found(None), found("dns", dying=True), found("dns--incoming", dying=True)])
def test_what_is_going_away_is_waited_for(half, xen) -> None:
    assert isinstance(settle(replace(MIGRATION, half=half), xen), Wait)


@pytest.mark.parametrize(("half", "name"), [(Half.SOURCE, "dns--incoming"), (Half.TARGET, "dns--migratedaway")])
def test_what_no_migration_leaves_is_for_a_person(half, name) -> None:
    with pytest.raises(Refused, match=r"cluster\.release"):
        settle(replace(MIGRATION, half=half), found(name, paused=True))


@pytest.mark.parametrize(
    ("held", "now_s", "alive"),
    [
        (True, 10**6, True),
        (False, 1000.0, True),
        (False, 1000.0 + plan.LEFT_AFTER_S - 1, True),
        (False, 1000.0 + plan.LEFT_AFTER_S, False),
        (False, 999.0, False),  # it was renewed before the last boot
    ],
)
def test_an_operation_lives_while_it_is_held_or_was_renewed_a_moment_ago(held, now_s, alive) -> None:
    assert plan.standing(MIGRATION, held=held, now_s=now_s).alive is alive


@pytest.mark.parametrize(
    ("now_s", "at_work"),
    [
        (1000.0, True),
        (1000.0 + 13 * 60 - 1, True),
        (1000.0 + 13 * 60, False),
        (60.0, True),  # the node has booted since, and nobody knows how long ago it was renewed
        (13 * 60.0, False),  # but that it is longer than this
    ],
)
def test_the_other_half_may_be_at_work_until_it_is_certain_that_its_time_is_over(now_s, at_work) -> None:
    stop = replace(MIGRATION, kind=OperationKind.STOP)
    assert plan.standing(stop, held=False, now_s=now_s).other_at_work is at_work


def test_an_operation_is_taken_up_only_long_before_it_counts_as_left() -> None:
    assert plan.is_ready(MIGRATION, 1000.0 + plan.TAKEN_UP_WITHIN_S - 1)
    assert not plan.is_ready(MIGRATION, 1000.0 + plan.TAKEN_UP_WITHIN_S)
    assert not plan.is_ready(MIGRATION, 999.0)
    assert plan.TAKEN_UP_WITHIN_S + 30 <= plan.LEFT_AFTER_S


def step(alive: bool, xen: Xen) -> object:
    standing = Standing(operation=MIGRATION, alive=alive)
    return plan.step(SimpleNamespace(name="dns"), SimpleNamespace(operation=lambda name: standing, xen=xen))


def test_what_somebody_works_on_is_left_alone_and_told() -> None:
    found_step = step(True, found("dns--migratedaway", **SUSPENDED))
    assert found_step.actions == ()
    assert "root on master" in found_step.comment


def test_what_was_left_is_settled_and_told_as_a_change() -> None:
    left = step(False, found("dns--migratedaway", **SUSPENDED))
    assert left.actions == (EndDomain(domain="dns--migratedaway"),)
    assert list(left.changes) == ["migrate of dns"]


@pytest.mark.parametrize("half", Half)
@pytest.mark.parametrize("kind", OperationKind)
@pytest.mark.parametrize(
    "xen", [found("dns", **SUSPENDED), found("dns--incoming", paused=True), found("dns", paused=True, cpu_time_s=0.0)]
)
def test_a_half_that_was_never_begun_has_left_nothing_of_what_is_seen(half, kind, xen) -> None:
    assert settle(replace(MIGRATION, kind=kind, half=half, taken=False), xen) == OVER
