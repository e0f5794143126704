"""A disk is attached on data that are good, and where nobody else can be writing; everything else is refused, with its reason."""

from itertools import product

import pytest
from nodes import running

from saltern.errors import Refused
from saltern.model.running import ConnectionState, DiskState, Role, RunningResource
from saltern.plan.attach import Act, confirm, decide, one_primary, require_up, two_primaries

PRIMARY, SECONDARY, UNKNOWN = Role.PRIMARY, Role.SECONDARY, Role.UNKNOWN
CONNECTED = ConnectionState.CONNECTED
OUT_OF_SIGHT = [state for state in ConnectionState if state not in (CONNECTED, ConnectionState.STANDALONE)]


def side(**parts) -> RunningResource:
    return running(**parts)["dns"]


def alone(role: Role, state: ConnectionState = ConnectionState.CONNECTING) -> RunningResource:
    return side(role=role, state=state, peer_role=UNKNOWN, peer_disk=DiskState.UNKNOWN)


EVERY_SIDE = [
    (
        side(role=role, disk=disk, state=state, peer_role=peer_role, peer_disk=peer_disk)._replace(suspended=suspended),
        {"incoming": incoming, "window": window},
    )
    for role, disk, state, peer_role, peer_disk, suspended, incoming, window in product(
        Role, DiskState, [None, *ConnectionState], Role, DiskState, *[(False, True)] * 3
    )
]


def allowed(found: RunningResource, *, incoming: bool, window: bool) -> tuple[Act, ...] | None:
    try:
        return decide(found, incoming=incoming, window=window)
    except Refused:
        return None


def test_in_every_state_what_is_attached_is_good_and_used_by_nobody_else() -> None:
    for found, asked in EVERY_SIDE:
        if allowed(found, **asked) is None:
            continue
        (connection,) = found.connections
        assert found.devices[0].disk is DiskState.UP_TO_DATE
        assert not found.suspended
        assert connection.state is not ConnectionState.STANDALONE
        if connection.state is not CONNECTED:
            assert found.role is PRIMARY
            assert not asked["incoming"]
            assert not asked["window"], "it may be Primary on the partner too"
        elif asked["incoming"]:
            assert (found.role, connection.role) == (SECONDARY, PRIMARY)
            assert connection.volumes[0].disk is DiskState.UP_TO_DATE
        else:
            assert connection.role is SECONDARY


def test_in_every_state_two_primaries_are_allowed_for_an_arriving_domain_only() -> None:
    for found, asked in EVERY_SIDE:
        acts = allowed(found, **asked)
        assert acts is None or (Act.ALLOW_TWO_PRIMARIES in acts) == asked["incoming"]


def test_in_every_state_a_window_that_was_left_open_is_closed_before_a_domain_starts_but_never_under_another() -> None:
    for found, asked in EVERY_SIDE:
        acts = allowed(found, **asked)
        if acts is None or asked["incoming"]:
            continue
        assert (Act.ALLOW_ONE_PRIMARY in acts) == asked["window"]
        if Act.DEMOTE in acts and asked["window"]:
            assert acts.index(Act.DEMOTE) < acts.index(Act.ALLOW_ONE_PRIMARY)


def test_in_every_state_a_primary_is_demoted_first_so_that_drbd_tells_of_another_user() -> None:
    for found, asked in EVERY_SIDE:
        acts = allowed(found, **asked)
        assert acts is None or (acts[-1] is Act.PROMOTE and (acts[0] is Act.DEMOTE) == (found.role is PRIMARY))


@pytest.mark.parametrize("peer_disk", DiskState)
def test_beside_a_secondary_partner_a_good_disk_is_attached_however_the_partner_s_is(peer_disk) -> None:
    assert decide(side(peer_disk=peer_disk), incoming=False, window=False) == (Act.PROMOTE,)


def test_an_arriving_domain_gets_a_second_primary_beside_the_first() -> None:
    assert decide(side(peer_role=PRIMARY), incoming=True, window=False) == (Act.ALLOW_TWO_PRIMARIES, Act.PROMOTE)


@pytest.mark.parametrize("state", OUT_OF_SIGHT)
def test_without_the_partner_a_primary_beside_which_another_was_allowed_is_no_proof(state) -> None:
    with pytest.raises(
        Refused,
        match=r"two primaries are allowed .* may be running on the partner.*"
        r"drbdadm secondary dns.*certainly down.*drbdadm adjust dns",
    ):
        decide(alone(PRIMARY, state), incoming=False, window=True)


@pytest.mark.parametrize("state", OUT_OF_SIGHT)
def test_without_the_partner_a_primary_goes_on_and_a_secondary_does_not(state) -> None:
    assert decide(alone(PRIMARY, state), incoming=False, window=False) == (Act.DEMOTE, Act.PROMOTE)
    with pytest.raises(Refused, match=r"unknown is not down.*drbdadm primary dns"):
        decide(alone(SECONDARY, state), incoming=False, window=False)


@pytest.mark.parametrize(
    ("found", "incoming", "said"),
    [
        (side()._replace(suspended=True), False, "suspended"),
        (side()._replace(fails_io=True), False, "fails all its I/O"),
        (side()._replace(devices={}), False, "0 volumes"),
        (side()._replace(devices={1: side().devices[0]}), False, "volume 0"),
        (side()._replace(devices={0: side().devices[0], 1: side().devices[0]}), False, "2 volumes"),
        (side()._replace(connections=side().connections * 2), False, "2 connections"),
        (side(state=None), False, "StandAlone"),
        (side(state=ConnectionState.STANDALONE), True, "StandAlone"),
        (side(disk=DiskState.OUTDATED), True, "Outdated here"),
        (side(disk=DiskState.INCONSISTENT), False, "Inconsistent here"),
        (side(peer_role=PRIMARY), False, "Primary on the partner"),
        (side(peer_role=UNKNOWN), False, "Unknown on the partner"),
        (side(), True, "nothing runs there"),
        (side(peer_role=PRIMARY, peer_disk=DiskState.INCONSISTENT), True, "Inconsistent on the partner"),
        (side(role=PRIMARY, peer_role=PRIMARY), True, "Primary on both nodes"),
        (alone(SECONDARY), True, "not connected"),
        (alone(PRIMARY), True, "not connected"),
    ],
)
def test_a_refusal_names_the_resource_and_what_was_found(found, incoming, said) -> None:
    with pytest.raises(Refused, match=rf"^dns: .*{said}"):
        decide(found, incoming=incoming, window=False)


def test_a_resource_that_is_not_up_is_refused() -> None:
    with pytest.raises(Refused, match="not up"):
        require_up("dns", None)


@pytest.mark.parametrize(
    ("before", "after", "incoming"),
    [
        (side(), side(role=PRIMARY), False),
        (alone(PRIMARY), alone(PRIMARY, ConnectionState.UNCONNECTED), False),
        (alone(PRIMARY), side(role=PRIMARY), False),
        (side(peer_role=PRIMARY), side(role=PRIMARY, peer_role=PRIMARY), True),
    ],
)
def test_a_promotion_holds_while_the_partner_is_as_it_was_or_came_back_as_secondary(before, after, incoming) -> None:
    confirm(before, after, incoming=incoming)


@pytest.mark.parametrize(
    ("before", "after", "incoming"),
    [
        (side(), side(), False),
        (side(), alone(PRIMARY), False),
        (side(), side(role=PRIMARY, state=ConnectionState.STANDALONE), False),
        (side(), side(role=PRIMARY, disk=DiskState.FAILED), False),
        (side(), side(role=PRIMARY)._replace(suspended=True), False),
        (alone(PRIMARY), alone(SECONDARY), False),
        (alone(PRIMARY), side(role=PRIMARY, peer_role=PRIMARY), False),
        (side(peer_role=PRIMARY), side(role=PRIMARY), True),
        (side(peer_role=PRIMARY), alone(PRIMARY), True),
    ],
)
def test_a_promotion_on_what_is_no_longer_so_is_refused(before, after, incoming) -> None:
    with pytest.raises(Refused):
        confirm(before, after, incoming=incoming)


def test_two_primaries_are_known_only_while_the_partner_is_in_sight() -> None:
    assert two_primaries(side(role=PRIMARY, peer_role=PRIMARY))
    assert not two_primaries(side(role=PRIMARY))
    assert not two_primaries(side(peer_role=PRIMARY))
    assert not two_primaries(side(role=PRIMARY, peer_role=PRIMARY, state=ConnectionState.NETWORK_FAILURE))


def test_one_primary_is_known_only_when_the_partner_has_told_its_role() -> None:
    assert one_primary(side(role=PRIMARY))
    assert one_primary(side(peer_role=PRIMARY))
    assert not one_primary(side(role=PRIMARY, peer_role=PRIMARY))
    assert not one_primary(side(role=PRIMARY, peer_role=UNKNOWN))
    assert not one_primary(alone(PRIMARY))
