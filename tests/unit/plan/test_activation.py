"""Resources are brought up as configured, and never on metadata that are not theirs."""

import pytest
from nodes import BLANK, NEW, USED, domain, lvm, pair_slice, running, view

from saltern.errors import Refused
from saltern.model.action import AdjustResource, Demote, LoadDrbd
from saltern.model.running import ConnectionState, DiskState, DrbdVersion, Role
from saltern.plan.activation import module_step, step
from saltern.plan.project import VERSION, configuration
from saltern.plan.volume import BLANK_TAG, NEW_TAG
from saltern.units import GIB, MIB

SLICE = pair_slice()
DNS = SLICE.resources["dns"]
CONFIGURED = {"dns": configuration(DNS)}
ADJUST = (AdjustResource(resource="dns"),)


def volumes(*, marked: bool = False):
    tags = {BLANK_TAG} if marked else set()
    return lvm({"dns": (GIB, tags), "dns_meta": (4 * MIB, tags)})


def look(**parts):
    return step(DNS, SLICE, view(volumes=parts.pop("volumes", volumes()), configured=CONFIGURED, **parts))


@pytest.mark.parametrize("metadata", [NEW, USED])
def test_a_resource_that_is_down_is_brought_up(metadata) -> None:
    new = lvm({"dns": (GIB, {NEW_TAG} if metadata is NEW else set()), "dns_meta": (4 * MIB, set())})
    assert look(volumes=new, metadata=metadata).actions == ADJUST


def test_new_metadata_that_somebody_made_on_a_volume_with_data_are_not_connected() -> None:
    with pytest.raises(Refused, match="it may hold data"):
        look(metadata=NEW)


@pytest.mark.parametrize("state", [None, ConnectionState.STANDALONE])
def test_a_resource_that_does_not_connect_is_told_to(state) -> None:
    assert look(resources=running(state=state)).actions == ADJUST


def test_a_resource_without_its_disk_is_attached() -> None:
    assert look(resources=running(disk=DiskState.DISKLESS), metadata=USED).actions == ADJUST


def test_what_the_kernel_does_differently_from_the_configuration_is_adjusted() -> None:
    assert look(resources=running(), adjustments={"dns": ("drbdsetup-84 net-options ...",)}).actions == ADJUST


def test_nothing_is_adjusted_while_a_domain_is_on_its_way() -> None:
    moving = running(role=Role.PRIMARY, peer_role=Role.PRIMARY)
    found = look(resources=moving, adjustments={"dns": ("drbdsetup-84 net-options ... --allow-two-primaries=no",)})
    assert found.actions == ()
    assert "migration" in found.warning


WINDOW = {"dns": ("drbdsetup-84 net-options ... --set-defaults --protocol=C",)}
LEFT = running(role=Role.PRIMARY, state=ConnectionState.CONNECTING, peer_role=Role.UNKNOWN)


def test_a_primary_that_was_one_of_two_is_made_secondary_before_nothing_tells_of_it_any_more() -> None:
    assert look(resources=LEFT, adjustments=WINDOW).actions == (Demote(resource="dns"), *ADJUST)


@pytest.mark.parametrize("state", [None, ConnectionState.STANDALONE])
def test_a_primary_whose_connection_was_given_up_is_made_secondary_before_it_connects(state) -> None:
    given_up = running(role=Role.PRIMARY, state=state, peer_role=Role.UNKNOWN)
    assert look(resources=given_up).actions == (Demote(resource="dns"), *ADJUST)
    assert look(resources=given_up, domains=(domain(),)).actions == ADJUST
    assert look(resources=given_up, domains=(domain("dns--migratedaway"),)).actions == ()


def test_a_primary_whose_domain_runs_here_stays_one() -> None:
    assert look(resources=LEFT, adjustments=WINDOW, domains=(domain(),)).actions == ADJUST


@pytest.mark.parametrize(
    "left", [{"name": "dns--migratedaway"}, {"suspended": True, "shut_down": True}, {"dying": True}]
)
def test_what_a_migration_has_left_of_a_domain_keeps_the_window_of_its_disk(left) -> None:
    found = look(resources=LEFT, adjustments=WINDOW, domains=(domain(**left),))
    assert found.actions == ()
    assert "xl list" in found.warning


@pytest.mark.parametrize(
    "line",
    [
        "drbdsetup-84 disconnect ipv4:192.168.1.190:7792 ipv4:192.168.1.191:7792",
        "drbdsetup-84 detach 1",
        "drbdsetup del-peer dns 1",
        "drbdsetup del-path dns 1 ipv4:192.168.1.190:7792 ipv4:192.168.1.191:7792",
    ],
)
def test_a_running_resource_is_never_taken_apart(line) -> None:
    with pytest.raises(Refused, match="taken apart"):
        look(resources=running(), adjustments={"dns": (line,)})


@pytest.mark.parametrize("state", [ConnectionState.CONNECTED, ConnectionState.CONNECTING])
def test_a_resource_that_is_up_is_left_alone_whether_its_partner_is_there_or_not(state) -> None:
    assert look(resources=running(state=state)).actions == ()


def test_a_resource_whose_partner_is_out_of_sight_is_told_of() -> None:
    assert look(resources=running()).warning is None
    assert "nothing is replicated" in look(resources=running(state=ConnectionState.CONNECTING)).warning


def test_a_resource_without_metadata_is_not_brought_up() -> None:
    with pytest.raises(Refused):
        look(metadata=BLANK)


@pytest.mark.parametrize("metadata", [BLANK, NEW])
def test_a_volume_that_is_still_marked_as_blank_is_not_attached_yet(metadata) -> None:
    with pytest.raises(Refused, match="not complete"):
        look(volumes=volumes(marked=True), metadata=metadata)


def test_a_new_empty_volume_is_never_attached_by_the_metadata_of_a_lost_one() -> None:
    with pytest.raises(Refused, match="describe data that are gone"):
        look(volumes=volumes(marked=True), metadata=USED)


def test_a_resource_that_is_not_configured_is_not_brought_up() -> None:
    with pytest.raises(Refused, match="not configured"):
        step(DNS, SLICE, view(volumes=volumes(), metadata=USED, files={"/etc/drbd.d/dns.res": None}))


@pytest.mark.parametrize(
    ("version", "actions"),
    [
        (DrbdVersion(kernel=(8, 4, 11), loaded=True), ()),
        (DrbdVersion(kernel=(9, 2, 8), loaded=False), (LoadDrbd(),)),
    ],
)
def test_the_module_is_loaded_once(version, actions) -> None:
    found = view()
    found.assume({VERSION: version})
    assert module_step(found).actions == actions


def test_a_node_without_a_module_is_refused() -> None:
    found = view()
    found.assume({VERSION: DrbdVersion(kernel=None, loaded=False)})
    with pytest.raises(Refused, match="no drbd module"):
        module_step(found)
