"""An operation that nobody works on any more: what each node makes of its own half."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from nodes import MIGRATION, domain, running

from saltern.errors import Refused
from saltern.model.action import EndDomain, EndOperation, StartDomain, UnpauseDomain
from saltern.model.observed import Xen
from saltern.model.operation import Half, OperationKind, Standing
from saltern.model.running import ConnectionState, DiskState, Role
from saltern.plan import operation as plan
from saltern.plan.step import Wait

OVER = (EndOperation(domain="dns"),)


def found(name: str | None, **flags: object) -> Xen:
    return Xen(domains=(domain(name, **flags),))


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
    assert plan.settle(replace(MIGRATION, half=half), xen) == settled


@pytest.mark.parametrize("kind", [OperationKind.OFFLINE, OperationKind.START, OperationKind.STOP])
@pytest.mark.parametrize(
    ("half", "xen", "settled"),
    [
        (Half.SOURCE, Xen(domains=()), OVER),
        (Half.SOURCE, found("dns", running=True), OVER),
        (Half.SOURCE, found("dns", paused=True, cpu_time_s=0.0), OVER),
        (Half.TARGET, Xen(domains=()), OVER),
        (Half.TARGET, found("dns", running=True), OVER),
        (Half.TARGET, found("dns", paused=True), OVER),
        (Half.TARGET, found("dns", paused=True, cpu_time_s=0.0), (EndDomain(domain="dns"),)),
    ],
)
def test_of_a_start_only_what_has_never_run_is_ended(kind, half, xen, settled) -> None:
    assert plan.settle(replace(MIGRATION, kind=kind, half=half), xen) == settled


def test_a_guest_that_is_shutting_down_is_waited_for_and_a_strange_one_is_for_a_person() -> None:
    stopping = replace(MIGRATION, kind=OperationKind.STOP)
    assert isinstance(plan.settle(stopping, found("dns", shut_down=True)), Wait)
    with pytest.raises(Refused, match=r"cluster\.release"):
        plan.settle(stopping, found("dns--incoming", paused=True))


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
    assert isinstance(plan.settle(replace(MIGRATION, half=half), xen), Wait)


@pytest.mark.parametrize(("half", "name"), [(Half.SOURCE, "dns--incoming"), (Half.TARGET, "dns--migratedaway")])
def test_what_no_migration_leaves_is_for_a_person(half, name) -> None:
    with pytest.raises(Refused, match=r"cluster\.release"):
        plan.settle(replace(MIGRATION, half=half), found(name, paused=True))


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
    assert plan.settle(replace(MIGRATION, kind=kind, half=half, taken=False), xen) == OVER
