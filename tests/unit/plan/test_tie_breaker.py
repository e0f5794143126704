"""A third node breaks the ties of resources that it holds no copy of, and nothing happens to the copies for its sake."""

from dataclasses import replace

import pytest
from nodes import BLANK, GIB, MIB, lvm, pair_slice, running, view

from saltern.errors import Refused, RenderError
from saltern.model.action import AdjustResource, WriteFile
from saltern.model.desired import NodeSlice, TieBreaker
from saltern.model.observed import ConfiguredHost, ConfiguredResource, ConfiguredVolume
from saltern.model.running import ConnectionState, Device, DiskState, Generation, Role, RunningResource
from saltern.plan import activation
from saltern.plan.configuration import resource_step
from saltern.plan.items import Item, Kind, items, step
from saltern.plan.project import ADJUSTMENTS, RUNNING, configuration, project
from saltern.plan.volume import BLANK_TAG
from saltern.render import drbd_resource

V9 = (9, 2, 5)
PATH = "/etc/drbd.d/dns.res"
ITEM = Item(Kind.TIE_BREAKER, "dns")
ADJUST = (AdjustResource(resource="dns"),)

PAIR = pair_slice()
DNS = replace(PAIR.resources["dns"], tie_breaker=TieBreaker(node="third", address="192.168.1.192", port=7792, minor=1))
SIDE = replace(PAIR, resources={"dns": DNS})
THIRD = NodeSlice(
    cluster="test",
    node="third",
    migration_address="192.168.1.192",
    volumes=(),
    resources={},
    domains={},
    tie_breaks={"dns": DNS},
)
TEXT = drbd_resource.render(DNS, Generation.V9)
PLAIN = drbd_resource.render(PAIR.resources["dns"], Generation.V9)
OPTIONS = {"dns": ("drbdsetup resource-options dns --set-defaults --quorum=majority",)}


def diskless(*states: ConnectionState) -> dict[str, RunningResource]:
    """The resource in the kernel of the tie-breaker, which sees the two sides so."""
    (connection,) = running()["dns"].connections
    sides = tuple(connection._replace(peer_node_id=number, state=state) for number, state in enumerate(states))
    device = Device(minor=1, disk=DiskState.DISKLESS, size_bytes=0)
    return {"dns": running()["dns"]._replace(devices={0: device}, connections=sides)}


def side(third: ConnectionState | None = ConnectionState.CONNECTED, **parts: object) -> dict[str, RunningResource]:
    """The resource in the kernel of a side, which sees the tie-breaker so."""
    found = running(**parts)["dns"]
    (connection,) = running()["dns"].connections
    thirds = () if third is None else (connection._replace(peer_node_id=31, state=third),)
    return {"dns": found._replace(tie_breakers=thirds)}


# --- On the third node
def test_it_has_nothing_else_to_do_with_what_it_breaks_ties_for() -> None:
    """No scripts of Xen's either: it may have no Xen."""
    assert list(items(THIRD)) == [Item(Kind.MODULE), ITEM]


def test_it_is_configured_first_without_looking_for_volumes_or_metadata() -> None:
    found = step(ITEM, THIRD, view(kernel=V9, files={PATH: None}))
    assert found.actions == (WriteFile(path=PATH, text=TEXT, mode=0o600),)


def test_then_it_is_brought_up() -> None:
    assert step(ITEM, THIRD, view(kernel=V9, files={PATH: TEXT})).actions == ADJUST


def test_up_as_configured_it_is_left_alone() -> None:
    both = diskless(ConnectionState.CONNECTED, ConnectionState.CONNECTED)
    found = step(ITEM, THIRD, view(kernel=V9, files={PATH: TEXT}, resources=both))
    assert (found.actions, found.warning) == ((), None)


def test_a_side_that_it_does_not_see_is_told() -> None:
    one = diskless(ConnectionState.CONNECTED, ConnectionState.CONNECTING)
    found = step(ITEM, THIRD, view(kernel=V9, files={PATH: TEXT}, resources=one))
    assert found.actions == ()
    assert found.warning == "dns is not connected to dom0m"


def test_what_differs_from_its_configuration_is_adjusted() -> None:
    both = diskless(ConnectionState.CONNECTED, ConnectionState.STANDALONE)
    seen = view(kernel=V9, files={PATH: TEXT}, resources=both, adjustments={"dns": ("drbdsetup connect dns 1",)})
    assert step(ITEM, THIRD, seen).actions == ADJUST


def test_what_would_have_to_be_taken_apart_is_refused() -> None:
    both = diskless(ConnectionState.CONNECTED, ConnectionState.CONNECTED)
    seen = view(kernel=V9, files={PATH: TEXT}, resources=both, adjustments={"dns": ("drbdsetup del-peer dns 1",)})
    with pytest.raises(Refused, match="taken apart"):
        step(ITEM, THIRD, seen)


def test_a_resource_of_that_name_with_another_minor_is_not_taken_for_it() -> None:
    other = diskless(ConnectionState.CONNECTED, ConnectionState.CONNECTED)["dns"]
    theirs = {"dns": other._replace(devices={0: Device(minor=9, disk=DiskState.DISKLESS)})}
    with pytest.raises(Refused, match="runs with minor 9"):
        step(ITEM, THIRD, view(kernel=V9, files={PATH: None}, resources=theirs))


@pytest.mark.parametrize(("minor", "port", "what"), [(1, 9000, "minor 1 on third"), (9, 7792, "port 7792 on third")])
def test_a_number_that_something_else_has_there_is_refused(minor: int, port: int, what: str) -> None:
    volume = ConfiguredVolume(minor=minor, disk="/dev/XEN/x", meta_device="internal", meta_index=None)
    host = ConfiguredHost(node="third", address="192.168.1.192", port=port, volumes={0: volume})
    theirs = {"theirs": ConfiguredResource(name="theirs", file="/etc/drbd.d/theirs.res", hosts=(host,))}
    with pytest.raises(Refused, match=f"{what} belongs to resource theirs"):
        step(ITEM, THIRD, view(kernel=V9, files={PATH: None}, configured=theirs))


def test_drbd_8_4_has_no_quorum() -> None:
    with pytest.raises(RenderError, match=r"DRBD 8\.4 has no quorum"):
        step(ITEM, THIRD, view(files={PATH: None}))


def test_a_dry_run_foresees_it_up_and_connected() -> None:
    seen = view(kernel=V9, files={PATH: TEXT})
    parts = project(AdjustResource(resource="dns"), THIRD, seen)
    found = parts[RUNNING]["dns"]
    assert found.devices[0].disk is DiskState.DISKLESS
    assert [each.state for each in found.connections] == [ConnectionState.CONNECTED] * 2
    assert parts[ADJUSTMENTS] == {}


# --- On the sides
def test_a_resource_that_is_there_already_is_given_a_tie_breaker() -> None:
    there = {"dns": configuration(PAIR.resources["dns"])}
    found = resource_step(DNS, SIDE, view(kernel=V9, files={PATH: PLAIN}, configured=there))
    assert found.actions == (WriteFile(path=PATH, text=TEXT, mode=0o600),)


def test_a_tie_breaker_does_not_hide_a_copy_that_would_move() -> None:
    moved = replace(DNS, hosts=(DNS.hosts[0], replace(DNS.hosts[1], node="dom1")))
    there = {"dns": configuration(DNS)}
    with pytest.raises(Refused, match="its data are where it was made"):
        resource_step(moved, SIDE, view(kernel=V9, files={PATH: TEXT}, configured=there))


def test_a_new_side_with_a_tie_breaker_still_proves_that_its_volumes_are_blank() -> None:
    data = lvm({"dns": (GIB, set()), "dns_meta": (4 * MIB, {BLANK_TAG})})
    with pytest.raises(Refused, match="it may hold data"):
        resource_step(DNS, SIDE, view(kernel=V9, volumes=data, metadata=BLANK, files={PATH: None}))


def test_a_primary_without_its_partner_is_not_told_of_quorum() -> None:
    alone = side(role=Role.PRIMARY, state=ConnectionState.CONNECTING, peer_disk=DiskState.UNKNOWN)
    seen = view(kernel=V9, files={PATH: TEXT}, resources=alone, adjustments=OPTIONS)
    with pytest.raises(Refused, match="its guest could write no more"):
        activation.step(DNS, SIDE, seen)


def test_beside_its_partner_it_is() -> None:
    blank = lvm({"dns": (GIB, set()), "dns_meta": (4 * MIB, set())})
    both = side(role=Role.PRIMARY)
    seen = view(kernel=V9, volumes=blank, files={PATH: TEXT}, resources=both, adjustments=OPTIONS)
    assert activation.step(DNS, SIDE, seen).actions == ADJUST


@pytest.mark.parametrize("third", [None, ConnectionState.CONNECTING, ConnectionState.STANDALONE])
def test_a_tie_breaker_that_a_side_does_not_see_is_told(third: ConnectionState | None) -> None:
    found = activation.step(DNS, SIDE, view(kernel=V9, files={PATH: TEXT}, resources=side(third)))
    assert found.warning == "dns is not connected to its tie-breaker third: if its partner is lost, it is suspended"


def test_one_that_it_sees_is_not() -> None:
    assert activation.step(DNS, SIDE, view(kernel=V9, files={PATH: TEXT}, resources=side())).warning is None
