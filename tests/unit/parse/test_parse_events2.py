from pathlib import Path

import pytest

from saltern.errors import ParseError
from saltern.model.running import (
    Connection,
    ConnectionState,
    Device,
    DiskState,
    PeerDevice,
    ReplicationState,
    Role,
    RunningResource,
)
from saltern.parse.drbdsetup_events2 import Happening, Kind, parse, parse_line

DATA = Path(__file__).parents[2] / "data" / "drbdsetup"
RESOURCE = "exists resource name:dns role:Primary suspended:no"
CONNECTION = "exists connection name:dns peer-node-id:1 conn-name:dom0m connection:Connected role:Secondary"
DEVICE = "exists device name:dns volume:0 minor:1 disk:UpToDate"
PEER_DEVICE = (
    "exists peer-device name:dns peer-node-id:1 conn-name:dom0m volume:0 replication:Established peer-disk:UpToDate"
)


def read(case: str) -> dict[str, RunningResource]:
    return parse((DATA / f"{case}.txt").read_text())


def text(*lines: str) -> str:
    return "\n".join([*lines, "exists -", ""])


def test_a_synchronisation_of_8_4_is_read_with_sizes_in_bytes() -> None:
    assert read("8.4-synctarget") == {
        "dns": RunningResource(
            name="dns",
            role=Role.SECONDARY,
            suspended=False,
            devices={0: Device(minor=1, disk=DiskState.INCONSISTENT, size_bytes=256 * 1024**2)},
            connections=(
                Connection(
                    peer_node_id=0,
                    peer=None,
                    state=ConnectionState.CONNECTED,
                    role=Role.PRIMARY,
                    volumes={
                        0: PeerDevice(
                            replication=ReplicationState.SYNC_TARGET,
                            disk=DiskState.UP_TO_DATE,
                            out_of_sync_bytes=256976 * 1024,
                        )
                    },
                ),
            ),
        )
    }


def test_without_statistics_the_sizes_are_unknown_not_zero() -> None:
    dns = read("8.4-connecting")["dns"]
    assert dns.devices[0].size_bytes is None
    assert dns.connections[0].volumes[0].out_of_sync_bytes is None


def test_standalone_shows_even_where_8_4_leaves_out_the_peer() -> None:
    (connection,) = read("8.4-standalone-split-brain")["dns"].connections
    assert (connection.peer, connection.state, connection.role) == (None, ConnectionState.STANDALONE, Role.UNKNOWN)
    assert connection.volumes[0].disk is DiskState.UNKNOWN


def test_nothing_up_is_an_empty_dictionary() -> None:
    assert read("8.4-nothing-up") == {}


def test_the_peer_of_drbd_9_has_a_name() -> None:
    (connection,) = read("9.2-connected")["dns"].connections
    assert (connection.peer_node_id, connection.peer, connection.role) == (1, "dom0m", Role.SECONDARY)


def test_split_brain_of_drbd_9_is_standalone() -> None:
    assert read("9.2-standalone-split-brain")["dns"].connections[0].state is ConnectionState.STANDALONE


def test_several_nodes_and_volumes_are_kept_apart() -> None:
    resources = read("9.2-three-nodes")
    mail = resources["mail"]
    assert {number: device.minor for number, device in mail.devices.items()} == {0: 10, 1: 11}
    assert [(c.peer, c.state, sorted(c.volumes)) for c in mail.connections] == [
        ("dom0m", ConnectionState.CONNECTED, [0, 1]),
        ("dom0x", ConnectionState.CONNECTING, [0, 1]),
    ]
    assert resources["router"].suspended
    assert resources["router"].connections == ()


def test_a_peer_that_is_without_a_disk_on_purpose_is_no_partner() -> None:
    """As the kernel tells it of a peer with ``bitmap no``, connected or not (notify_peer_device_state_change, DRBD 9.2)."""
    third = CONNECTION.replace("peer-node-id:1 conn-name:dom0m", "peer-node-id:31 conn-name:third")
    peer_device = PEER_DEVICE.replace("peer-node-id:1 conn-name:dom0m", "peer-node-id:31 conn-name:third")
    for peer_disk in ("Diskless", "DUnknown"):
        none = f"{peer_device.replace('peer-disk:UpToDate', f'peer-disk:{peer_disk}')} peer-client:yes"
        lines = (RESOURCE, CONNECTION, third, DEVICE, f"{PEER_DEVICE} peer-client:no", none)
        found = parse(text(*lines))["dns"]
        assert [each.peer for each in found.connections] == ["dom0m"]
        assert [each.peer for each in found.tie_breakers] == ["third"]


def test_a_partner_that_has_lost_its_disk_is_still_the_partner() -> None:
    lost = PEER_DEVICE.replace("UpToDate", "Diskless")
    found = parse(text(RESOURCE, CONNECTION, DEVICE, f"{lost} peer-client:no"))["dns"]
    assert [each.peer for each in found.connections] == ["dom0m"]
    assert found.tie_breakers == ()


def test_a_word_for_a_client_that_is_not_known_is_no_answer() -> None:
    with pytest.raises(ParseError):
        parse(text(RESOURCE, CONNECTION, DEVICE, f"{PEER_DEVICE} peer-client:perhaps"))


def test_each_device_of_drbd_9_has_quorum_or_has_none_and_8_4_says_nothing_of_it() -> None:
    nine = read("9.2-three-nodes")
    assert [device.quorum for device in nine["mail"].devices.values()] == [True, True]
    assert [device.quorum for device in nine["router"].devices.values()] == [False]
    assert [device.quorum for device in read("8.4-synctarget")["dns"].devices.values()] == [None]


def test_a_word_for_quorum_that_is_not_known_is_no_answer() -> None:
    with pytest.raises(ParseError, match="perhaps"):
        parse(text(RESOURCE, f"{DEVICE} quorum:perhaps"))


@pytest.mark.parametrize(
    ("suspended", "lacks"), [("quorum", True), ("user,quorum", True), ("user", False), ("no", False)]
)
def test_io_that_is_held_back_for_want_of_quorum_is_told_as_that(suspended: str, lacks: bool) -> None:
    assert parse(text(RESOURCE.replace("suspended:no", f"suspended:{suspended}")))["dns"].lacks_quorum is lacks


def test_keys_that_are_new_to_us_are_passed_over() -> None:
    assert parse(text(f"{RESOURCE} some-new-key:a:b,c"))["dns"].role is Role.PRIMARY


@pytest.mark.parametrize(
    "happening",
    ["suspended:user", "suspended:no-data", "suspended:user,fencing", "suspended:quorum"],
)
def test_io_that_is_held_back_is_suspended_for_whatever_reason(happening: str) -> None:
    assert parse(text(RESOURCE.replace("suspended:no", happening)))["dns"].suspended


@pytest.mark.parametrize(
    ("told", "fails"), [("", False), (" force-io-failures:no", False), (" force-io-failures:yes", True)]
)
def test_a_resource_that_was_demoted_by_force_fails_its_io(told: str, fails: bool) -> None:
    assert parse(text(RESOURCE + told))["dns"].fails_io is fails


@pytest.mark.parametrize(
    ("suspended", "awaits"), [("fencing", True), ("user", False), ("user,fencing", False), ("no", False)]
)
def test_io_awaits_the_handler_when_nothing_else_holds_it_back(suspended: str, awaits: bool) -> None:
    assert parse(text(RESOURCE.replace("suspended:no", f"suspended:{suspended}")))["dns"].awaits_handler is awaits


@pytest.mark.parametrize("case", sorted(path.stem for path in DATA.glob("*") if "stream" not in path.stem))
def test_output_cut_off_after_any_line_is_not_taken_for_the_whole(case: str) -> None:
    lines = (DATA / f"{case}.txt").read_text().splitlines(keepends=True)
    for kept in range(len(lines)):
        with pytest.raises(ParseError, match="cut off"):
            parse("".join(lines[:kept]))


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        pytest.param([RESOURCE, RESOURCE], "twice", id="a resource twice"),
        pytest.param([RESOURCE, DEVICE, DEVICE], "twice", id="a volume twice"),
        pytest.param([RESOURCE, CONNECTION, CONNECTION], "twice", id="a connection twice"),
        pytest.param([RESOURCE, CONNECTION, DEVICE, PEER_DEVICE, PEER_DEVICE], "twice", id="a peer's volume twice"),
        pytest.param(
            [RESOURCE, DEVICE, RESOURCE.replace("dns", "vpn"), DEVICE.replace("dns", "vpn")],
            "minor 1 stands there twice",
            id="a minor in two resources",
        ),
        pytest.param([DEVICE], "dns", id="a device of no resource"),
        pytest.param([CONNECTION], "dns", id="a connection of no resource"),
        pytest.param([RESOURCE, DEVICE, PEER_DEVICE], "1", id="a peer's volume without connection"),
        pytest.param([RESOURCE, CONNECTION, PEER_DEVICE], "not introduced", id="a peer's volume without device"),
        pytest.param([RESOURCE, CONNECTION, DEVICE], "every volume", id="a connection that leaves out a volume"),
        pytest.param([RESOURCE.replace("Primary", "Tertiary")], "Tertiary", id="a role not known"),
        pytest.param([RESOURCE.replace("suspended:no", "suspended:maybe")], "maybe", id="a suspension not known"),
        pytest.param([RESOURCE, DEVICE.replace("UpToDate", "Shiny")], "Shiny", id="a disk state not known"),
        pytest.param([RESOURCE.replace(" role:Primary", "")], "role", id="a resource without role"),
        pytest.param([RESOURCE, DEVICE.replace("minor:1", "minor:one")], "one", id="a minor that is no number"),
        pytest.param([RESOURCE, f"{DEVICE} size:-1"], "-1", id="a size below zero"),
        pytest.param([f"{RESOURCE} role:Secondary"], "twice", id="a key twice"),
        pytest.param([f"{RESOURCE} colonless"], "colonless", id="a word without value"),
        pytest.param(["exists gadget name:dns"], "gadget", id="a kind not known"),
        pytest.param(["happens resource name:dns"], "happens", id="a happening not known"),
        pytest.param([RESOURCE, "change resource name:dns role:Secondary"], "exists", id="a change in a snapshot"),
        pytest.param([RESOURCE, "exists helper name:dns helper:x"], "helper", id="a helper that exists"),
        pytest.param([RESOURCE, "exists -"], "exists", id="an end before the end"),
        pytest.param([RESOURCE, ""], "too short", id="an empty line"),
    ],
)
def test_what_is_not_understood_raises(lines: list[str], reason: str) -> None:
    with pytest.raises(ParseError, match=reason):
        parse(text(*lines))


@pytest.mark.parametrize("case", ["8.4-stream-peer-vanishes", "9.2-stream"])
def test_every_line_of_a_stream_is_understood(case: str) -> None:
    events = [parse_line(line) for line in (DATA / f"{case}.txt").read_text().splitlines()]
    assert events[0].happening is Happening.EXISTS
    assert Kind.END in {event.kind for event in events}
    assert all(event.kind is Kind.END or event.fields["name"] for event in events)


def test_a_line_of_the_stream_keeps_addresses_whole() -> None:
    event = parse_line("exists path name:dns local:ipv6:[fd00::1]:7794 peer:ipv6:[fd00::3]:7794 established:no")
    assert event.kind is Kind.PATH
    assert event.fields["local"] == "ipv6:[fd00::1]:7794"
