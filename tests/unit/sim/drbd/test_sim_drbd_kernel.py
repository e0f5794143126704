"""What DRBD does and refuses, in both generations; numbers in brackets are transcripts."""

import re
from collections.abc import Callable

import pytest

from saltern.sim import drbd
from saltern.sim.drbd import store
from saltern.sim.drbd.kernel import Device, Disk, Resource
from saltern.sim.drbd.metadata import Metadata
from saltern.sim.model import BlockDevice
from saltern.sim.tools import Result
from saltern.sim.world import NodeSpec, World
from saltern.units import MIB

NODES = ("node1", "node2")
SIZE = 64 * MIB


class Pair:
    """Two nodes with the resource ``r`` on /dev/vdc, its metadata flexible on /dev/vdd."""

    def __init__(self, generation: str) -> None:
        self.generation = generation
        self.world = World.create(
            [NodeSpec(name=f"node{number}", address=f"10.0.0.{number}", drbd=generation) for number in (1, 2)]
        )
        self.world.resync_bytes_per_s = 16 * MIB
        for node in self.world.nodes.values():
            node.devices["/dev/vdc"] = BlockDevice(SIZE)
            node.devices["/dev/vdd"] = BlockDevice(4 * MIB)
        self.configure()

    def configure(
        self, net: str = "", disk: str = "", only: str = "", port: int = 7000, node_ids: tuple[int, int] = (0, 1)
    ) -> None:
        ids = [f"node-id {number};" if self.generation == "9" else "" for number in node_ids]
        hosts = "".join(
            f"on node{number} {{ {ids[number - 1]} device /dev/drbd1; disk /dev/vdc; meta-disk /dev/vdd; "
            f"address 10.0.0.{number}:{port}; }}\n"
            for number in (1, 2)
        )
        options = "options { auto-promote no; }" if self.generation == "9" else ""
        for name, node in self.world.nodes.items():
            if only in ("", name):
                text = f"resource r {{ net {{ {net} }} disk {{ {disk} }} {options}\n{hosts}}}\n"
                node.files["/etc/drbd.d/r.res"] = (text, 0o644)

    def adm(self, node: str, *words: str) -> Result:
        return drbd.run(self.world, node, ["drbdadm", *words, "r"])

    def ok(self, node: str, *words: str) -> None:
        result = self.adm(node, *words)
        assert result.returncode == 0, (words, result)

    def both(self, *words: str) -> None:
        for node in NODES:
            self.ok(node, *words)

    def wait(self, seconds: float = 5.0) -> None:
        self.world.advance(seconds)

    def resource(self, node: str) -> Resource:
        return self.world.nodes[node].drbd.resources["r"]

    def device(self, node: str) -> Device:
        return self.resource(node).devices[0]

    def meta(self, node: str) -> Metadata:
        return store.meta(self.world.nodes[node], self.device(node))

    def state(self, node: str) -> str:
        """Connection, roles and disks as a word."""
        resource, device = self.resource(node), self.device(node)
        assert resource.connection is not None
        connection = device.replication if resource.connected else resource.connection.state
        roles = f"{resource.role}/{resource.connection.peer_role}"
        return f"{connection} {roles} {device.disk.word}/{device.peer_disk.word}"

    def write(self, node: str, *blocks: int) -> bool:
        self.world.writes += 1
        return all(drbd.write(self.world, node, 1, block, self.world.writes) for block in blocks)

    def records(self, node: str) -> dict[int, int]:
        return self.world.nodes[node].devices["/dev/vdc"].records

    def lose_power(self, node: str) -> None:
        self.world.power_cut(node)
        self.wait()
        self.world.boot(node, drbd_service=False)

    def diverge(self, first: int = 2, second: int = 5) -> None:
        """Both write while they are disconnected, and are Secondary again."""
        self.world.cut_link(*NODES)
        self.wait()
        for node, count in zip(NODES, (first, second), strict=True):
            self.ok(node, "primary")
            assert self.write(node, *range(100, 100 + count))
            self.ok(node, "secondary")
        self.world.heal_link(*NODES)
        self.wait()


@pytest.fixture(params=["8.4", "9"])
def empty(request: pytest.FixtureRequest) -> Pair:
    return Pair(request.param)


@pytest.fixture
def new(empty: Pair) -> Pair:
    """Connected, both disks new."""
    empty.both("create-md")
    empty.both("up")
    empty.wait(1)
    return empty


@pytest.fixture
def pair(new: Pair) -> Pair:
    """Synchronised, both Secondary."""
    new.ok("node1", "primary", "--force")
    new.wait(10)
    new.ok("node1", "secondary")
    assert new.state("node1") == "Established Secondary/Secondary UpToDate/UpToDate"
    return new


# --- The first synchronisation -----------------------------------------------------------------------------------------
def test_two_new_disks_are_connected_and_inconsistent(new: Pair) -> None:
    """[056]"""
    for node in NODES:
        assert new.state(node) == "Established Secondary/Secondary Inconsistent/Inconsistent"
    assert new.adm("node1", "primary").returncode == 17


def test_forcing_one_of_two_new_disks_copies_everything_to_the_other(new: Pair) -> None:
    """[058-061]"""
    new.records("node2")[7] = 99
    new.ok("node1", "primary", "--force")
    assert new.state("node1") == "SyncSource Primary/Secondary UpToDate/Inconsistent"
    assert new.state("node2") == "SyncTarget Secondary/Primary Inconsistent/UpToDate"
    assert new.device("node1").sync_blocks == SIZE // 4096
    new.wait(2)
    assert 0 < new.meta("node1").out_of_sync.count < SIZE // 4096
    new.wait(3)
    assert new.state("node2") == "Established Secondary/Primary UpToDate/UpToDate"
    assert new.records("node2") == {}


def test_the_first_synchronisation_can_be_skipped(new: Pair) -> None:
    assert drbd.run(new.world, "node1", ["drbdadm", "new-current-uuid", "--clear-bitmap", "r/0"]).returncode == 0
    assert new.state("node2") == "Established Secondary/Secondary UpToDate/UpToDate"
    assert new.meta("node1").current == new.meta("node2").current


def test_a_new_disk_gets_everything_from_one_with_data(pair: Pair) -> None:
    """[263]: also when good metadata were wiped."""
    pair.ok("node1", "down")
    pair.ok("node1", "create-md", "--force")
    pair.ok("node1", "up")
    pair.wait(1)
    assert pair.state("node1").startswith("SyncTarget")
    pair.wait()
    assert pair.state("node1") == "Established Secondary/Secondary UpToDate/UpToDate"


def test_of_two_inconsistent_disks_the_one_with_a_history_leaves(pair: Pair) -> None:
    pair.world.resync_bytes_per_s = 0.001
    pair.ok("node2", "invalidate")
    pair.ok("node2", "disconnect")
    pair.ok("node1", "down")
    pair.ok("node1", "create-md", "--force")
    pair.ok("node1", "up")
    pair.ok("node2", "connect")
    pair.wait(0.5)
    assert pair.state("node2").startswith("StandAlone")
    pair.wait()
    assert pair.state("node1") == "Connecting Secondary/Unknown Inconsistent/DUnknown"


def test_a_half_synchronised_disk_can_be_declared_good_by_force(pair: Pair) -> None:
    """[184]"""
    pair.world.resync_bytes_per_s = 0.001
    pair.ok("node2", "invalidate")
    pair.ok("node2", "disconnect")
    assert pair.adm("node2", "primary").returncode == 17
    pair.ok("node2", "primary", "--force")
    assert pair.device("node2").disk is Disk.UP_TO_DATE


# --- Roles -------------------------------------------------------------------------------------------------------------
def test_only_one_side_becomes_primary(pair: Pair) -> None:
    """[073, 074]"""
    pair.ok("node1", "primary")
    for words in (["primary"], ["primary", "--force"]):
        result = pair.adm("node2", *words)
        assert result.returncode == 11
        assert "(-1) Multiple primaries not allowed by config" in result.stderr
    assert pair.state("node2") == "Established Secondary/Primary UpToDate/UpToDate"


def test_both_sides_become_primary_where_it_is_allowed(pair: Pair) -> None:
    """[067]; the permission cannot be taken back as long as both are."""
    pair.configure("allow-two-primaries;")
    pair.both("adjust")
    pair.both("primary")
    assert pair.state("node1") == "Established Primary/Primary UpToDate/UpToDate"
    pair.configure()
    assert pair.adm("node1", "adjust").returncode == 1
    pair.ok("node2", "secondary")
    pair.both("adjust")


def setup(pair: Pair, node: str, *words: str) -> Result:
    """drbdsetup on the connection: by its addresses for 8.4, by resource and node-id of the peer for 9."""
    mine = NODES.index(node)
    ends = [f"ipv4:10.0.0.{number}:7000" for number in (mine + 1, 2 - mine)]
    connection = ends if pair.generation == "8.4" else ["r", str(1 - mine)]
    return drbd.run(pair.world, node, ["drbdsetup", words[0], *connection, *words[1:]])


def allowed(pair: Pair) -> list[str]:
    """What either side has for allow-two-primaries."""
    connections = (pair.resource(node).connection for node in NODES)
    return [connection.options.get("allow-two-primaries", "no") for connection in connections if connection]


def two_primaries(pair: Pair, node: str, value: str) -> Result:
    return setup(pair, node, "net-options", f"--allow-two-primaries={value}")


def test_a_permission_given_at_run_time_reaches_the_connected_peer(pair: Pair) -> None:
    """P_PROTOCOL_UPDATE: set on one side, `drbdsetup show` tells it on both."""
    assert two_primaries(pair, "node2", "yes").returncode == 0
    for node in NODES:
        assert "allow-two-primaries\tyes;" in drbd.run(pair.world, node, ["drbdsetup", "show", "r"]).stdout
    pair.both("primary")
    pair.ok("node1", "secondary")
    assert two_primaries(pair, "node1", "no").returncode == 0
    assert allowed(pair) == ["no", "no"]
    assert pair.state("node2") == "Established Primary/Secondary UpToDate/UpToDate"


def test_a_permission_is_not_taken_back_while_both_are_primary(pair: Pair) -> None:
    """ERR_NEED_ALLOW_TWO_PRI of drbd_nl.c."""
    two_primaries(pair, "node1", "yes")
    pair.both("primary")
    refused = two_primaries(pair, "node2", "no")
    assert refused.returncode == 10
    assert (
        "Failure: (164) Can not clear allow_two_primaries as long as\nthere a primaries on both sides" in refused.stderr
    )
    assert allowed(pair) == ["yes", "yes"]


def test_two_primaries_need_protocol_c(pair: Pair) -> None:
    setup(pair, "node1", "net-options", "--protocol=A")
    refused = two_primaries(pair, "node2", "yes")
    assert refused.returncode == 10
    assert "(139) Protocol C required" in refused.stderr


def test_what_a_peer_out_of_sight_was_not_told_keeps_the_sides_from_connecting(pair: Pair) -> None:
    """The kernel logs `incompatible allow-two-primaries settings`, and both sides stand alone."""
    two_primaries(pair, "node1", "yes")
    pair.world.cut_link(*NODES)
    assert two_primaries(pair, "node1", "no").returncode == 0
    assert allowed(pair) == ["no", "yes"]
    pair.wait()
    pair.world.heal_link(*NODES)
    pair.wait()
    assert [pair.state(node).split()[0] for node in NODES] == ["StandAlone", "StandAlone"]


def test_a_peer_that_did_not_answer_for_a_moment_is_told_when_it_does(pair: Pair) -> None:
    """As long as the connection stands, nothing that was sent is lost."""
    two_primaries(pair, "node1", "yes")
    pair.world.cut_link(*NODES)
    pair.wait(0.2)
    two_primaries(pair, "node1", "no")
    pair.wait(0.2)
    pair.world.heal_link(*NODES)
    pair.wait()
    assert allowed(pair) == ["no", "no"]
    assert pair.state("node1").startswith("Established")


def test_a_device_in_use_stays_primary(pair: Pair) -> None:
    """[075]"""
    pair.ok("node1", "primary")
    assert drbd.open(pair.world, "node1", 1, "guest", True)
    for words in (["secondary"], ["down"]):
        result = pair.adm("node1", *words)
        assert result.returncode == 11
        assert "(-12) Device is held open by someone" in result.stderr
    drbd.close(pair.world, "node1", 1, "guest")
    pair.ok("node1", "down")


def test_a_secondary_cannot_be_opened(pair: Pair) -> None:
    """[076]"""
    assert not drbd.open(pair.world, "node1", 1, "guest", True)
    assert drbd.role(pair.world, "node1", 1) == "Secondary"
    assert drbd.role(pair.world, "node1", 2) is None


def test_an_inconsistent_disk_is_promoted_beside_a_good_peer(pair: Pair) -> None:
    """[180]; its data are then read from the peer."""
    pair.world.resync_bytes_per_s = 0.001
    pair.ok("node2", "invalidate")
    pair.ok("node2", "primary")
    assert pair.write("node2", 5)
    assert pair.records("node1") == pair.records("node2")
    pair.world.cut_link(*NODES)
    assert not pair.write("node2", 6)


# --- Writing and losing each other -------------------------------------------------------------------------------------
def test_what_a_connected_primary_writes_is_on_both_sides(pair: Pair) -> None:
    pair.ok("node1", "primary")
    assert pair.write("node1", 1, 2, 3)
    assert pair.records("node1") == pair.records("node2") != {}
    assert not pair.write("node1", SIZE // 4096)
    assert not pair.write("node2", 1)


def test_what_was_written_alone_is_copied_later(pair: Pair) -> None:
    """[178, 179, 195]"""
    pair.ok("node1", "primary")
    pair.world.cut_link(*NODES)
    assert pair.write("node1", 1, 2, 3)
    assert pair.meta("node1").out_of_sync.count == 3
    assert pair.meta("node1").bitmap_uuid != 0
    pair.wait()
    assert pair.state("node1") == "Connecting Primary/Unknown UpToDate/DUnknown"
    pair.world.resync_bytes_per_s = 4096
    pair.world.heal_link(*NODES)
    pair.wait(1)
    assert pair.device("node2").sync_blocks == 3
    assert pair.state("node2") == "SyncTarget Secondary/Primary Inconsistent/UpToDate"
    pair.wait()
    assert pair.records("node1") == pair.records("node2") != {}
    assert pair.meta("node1").bitmap_uuid == 0


def test_a_lost_peer_goes_unnoticed_for_a_moment(pair: Pair) -> None:
    """[173]: NetworkFailure, then Connecting."""
    pair.world.cut_link(*NODES)
    pair.wait(0.5)
    assert pair.state("node1").startswith("Established")
    pair.wait(1)
    pair.wait(0.1)
    assert pair.state("node1") in (
        "NetworkFailure Secondary/Unknown UpToDate/DUnknown",
        "Connecting Secondary/Unknown UpToDate/DUnknown",
    )
    pair.wait(1)
    assert pair.state("node1") == "Connecting Secondary/Unknown UpToDate/DUnknown"


def test_metadata_that_the_kernel_holds_are_read_through_the_kernel(pair: Pair) -> None:
    """[270]"""
    minor, version = "1", pair.meta("node1").version
    busy = "open(/dev/vdd) failed: Device or resource busy\n\nExclusive open failed. Do it anyways?\n"
    held = ["drbdmeta", minor, version, "/dev/vdd", "flex-external", "--node-id=1", "get-gi"]
    refused = drbd.run(pair.world, "node1", held)
    assert refused == Result(20, "Operation canceled.\n", f"{busy}stdin not a TTY, not waiting for confirmation\n")
    forced = drbd.run(pair.world, "node1", [*held, "--force"])
    assert forced.stderr == (
        f"{busy}*** confirmation forced via --force option ***\n# Output might be stale, since minor 1 is attached\n"
    )
    of_kernel = {"v08": [minor], "v09": ["r", "1", "0"]}[version]
    assert drbd.run(pair.world, "node1", ["drbdsetup", "get-gi", *of_kernel]) == Result(0, forced.stdout)
    pair.ok("node1", "down")
    assert drbd.run(pair.world, "node1", held).returncode == 0


def test_a_survivor_is_promoted_at_once(pair: Pair) -> None:
    """[174]"""
    pair.ok("node2", "primary")
    pair.world.power_cut("node2")
    pair.ok("node1", "primary")
    assert pair.state("node1").endswith("Primary/Unknown UpToDate/DUnknown")


def test_a_crashed_primary_brings_its_activity_log_back(pair: Pair) -> None:
    """[177, 178]: every extent of 4 MiB that was written lately is copied again."""
    pair.ok("node2", "primary")
    assert pair.write("node2", 0, 1025, 4096)
    pair.lose_power("node2")
    assert "1:1:1" in drbd.run(pair.world, "node2", ["drbdadm", "get-gi", "r"]).stdout
    assert drbd.run(pair.world, "node2", ["drbdadm", "dump-md", "r"]).stderr == (
        'Found meta data is "unclean", please apply-al first\n'
    )
    pair.ok("node1", "primary")
    pair.world.resync_bytes_per_s = 0.001
    up = pair.adm("node2", "up")
    assert up.stderr == "Marked additional 12 MB as out-of-sync based on AL.\n"
    pair.wait(1)
    assert pair.state("node2") == "SyncTarget Secondary/Primary Inconsistent/UpToDate"
    assert pair.device("node2").sync_blocks == 3 * 1024


def test_a_crashed_primary_without_a_successor_is_the_source(pair: Pair) -> None:
    pair.ok("node1", "primary")
    assert pair.write("node1", 3)
    pair.lose_power("node1")
    pair.world.resync_bytes_per_s = 0.001
    pair.ok("node1", "up")
    pair.wait(1)
    assert pair.state("node1") == "SyncSource Secondary/Secondary UpToDate/Inconsistent"


def test_a_rebooted_peer_is_found_again(pair: Pair) -> None:
    pair.world.power_cut("node2")
    pair.world.boot("node2", drbd_service=False)
    pair.wait(1)
    assert pair.state("node1").split()[0] in ("Unconnected", "Connecting")
    pair.ok("node2", "up")
    pair.wait(2)
    assert pair.state("node1") == "Established Secondary/Secondary UpToDate/UpToDate"


def test_a_node_that_boots_brings_up_what_is_configured_and_makes_nothing_primary(pair: Pair) -> None:
    pair.ok("node2", "primary")
    pair.world.power_cut("node2")
    pair.wait()
    pair.world.boot("node2")
    pair.wait()
    assert pair.state("node2") == "Established Secondary/Secondary UpToDate/UpToDate"


def test_a_node_that_boots_without_the_service_holds_nothing(pair: Pair) -> None:
    pair.world.power_cut("node2")
    pair.world.boot("node2", drbd_service=False)
    pair.wait()
    assert not pair.world.nodes["node2"].drbd.resources
    assert not pair.world.nodes["node2"].module_loaded


@pytest.mark.parametrize("text", ["resource r {", "resource r { frob; }"])
def test_a_node_that_boots_with_an_unreadable_configuration_brings_up_nothing(pair: Pair, text: str) -> None:
    pair.world.power_cut("node2")
    pair.world.nodes["node2"].files["/etc/drbd.d/s.res"] = (text, 0o644)
    pair.world.boot("node2")
    assert pair.world.nodes["node2"].module_loaded
    assert not pair.world.nodes["node2"].drbd.resources


def test_a_boot_brings_up_the_other_resources_when_one_lacks_its_disk(pair: Pair) -> None:
    ids = ("node-id 0;", "node-id 1;") if pair.generation == "9" else ("", "")
    hosts = "".join(
        f"on node{number} {{ {ids[number - 1]} device /dev/drbd2; disk /dev/nosuch; meta-disk internal; "
        f"address 10.0.0.{number}:7001; }}\n"
        for number in (1, 2)
    )
    pair.world.power_cut("node2")
    pair.world.nodes["node2"].files["/etc/drbd.d/a.res"] = (f"resource a {{ {hosts} }}", 0o644)
    pair.world.boot("node2")
    pair.wait()
    assert pair.state("node2").startswith("Established")


# --- Split-brain -------------------------------------------------------------------------------------------------------
def test_a_split_brain_leaves_both_alone(pair: Pair) -> None:
    """[192, 193]"""
    pair.diverge()
    for node in NODES:
        assert pair.state(node) == "StandAlone Secondary/Unknown UpToDate/DUnknown"
    pair.wait(60)
    assert pair.records("node1") != pair.records("node2")


def test_a_split_brain_is_solved_by_giving_one_side_up(pair: Pair) -> None:
    """[194, 195]"""
    pair.diverge()
    pair.ok("node2", "connect", "--discard-my-data")
    pair.ok("node1", "connect")
    pair.wait()
    assert pair.state("node1") == "Established Secondary/Secondary UpToDate/UpToDate"
    assert pair.records("node2") == pair.records("node1")
    assert sorted(pair.records("node1")) == [100, 101]


def test_a_primary_cannot_give_its_data_up(pair: Pair) -> None:
    """[194]"""
    pair.diverge()
    pair.ok("node2", "primary")
    result = pair.adm("node2", "connect", "--discard-my-data")
    assert result.returncode == 10
    assert "(123) --discard-my-data not allowed when primary." in result.stderr


def test_a_policy_discards_the_side_with_fewer_changes(pair: Pair) -> None:
    """[204]"""
    pair.configure("after-sb-0pri discard-least-changes;")
    pair.both("adjust")
    pair.diverge(first=2, second=5)
    assert pair.state("node1") == "Established Secondary/Secondary UpToDate/UpToDate"
    assert sorted(pair.records("node1")) == [100, 101, 102, 103, 104]


def test_sides_that_want_different_things_do_not_connect(pair: Pair) -> None:
    """[223]"""
    pair.configure("after-sb-0pri discard-least-changes;", only="node2")
    pair.ok("node2", "disconnect")
    pair.ok("node2", "adjust")
    pair.wait()
    assert pair.state("node1").startswith("StandAlone")
    assert pair.state("node2").startswith("StandAlone")


def reconnect_with(pair: Pair, first: str, second: str) -> list[str]:
    """The connections of both sides, a while after each was given net options of its own."""
    pair.configure(first, only="node1")
    pair.configure(second, only="node2")
    pair.both("disconnect")
    pair.write("node1", 3)
    pair.both("adjust")
    pair.wait(30)
    return [pair.state(node).split()[0] for node in NODES]


SHA1 = "cram-hmac-alg sha1; shared-secret one;"


@pytest.mark.parametrize(("first", "second"), [(SHA1, SHA1), ("shared-secret one;", "shared-secret two;")])
def test_sides_that_authenticate_each_other_or_do_not_ask_meet(pair: Pair, first: str, second: str) -> None:
    assert reconnect_with(pair, first, second) == ["Established", "Established"]


@pytest.mark.parametrize("primary", [True, False])
def test_sides_with_different_secrets_stand_alone(pair: Pair, primary: bool) -> None:
    """drbd_do_auth(): both see the wrong answer, and do not try again."""
    if primary:
        pair.ok("node1", "primary")
    assert reconnect_with(pair, SHA1, SHA1.replace("one", "two")) == ["StandAlone", "StandAlone"]
    before = pair.records("node2").copy()
    pair.write("node1", 4)
    pair.wait(60)
    assert pair.records("node2") == before
    pair.configure(SHA1)
    pair.both("adjust")
    pair.wait()
    assert pair.state("node1").startswith("Established")


def test_a_side_that_asks_for_no_secret_goes_on_looking_for_one_that_does(pair: Pair) -> None:
    """One takes the other's first packet for a refusal, the other the challenge for a broken protocol."""
    assert reconnect_with(pair, SHA1, "") == ["StandAlone", "Connecting"]


def test_sides_with_different_algorithms_go_on_trying(pair: Pair) -> None:
    """An answer of another length counts as a fault of the network."""
    states = reconnect_with(pair, SHA1, SHA1.replace("sha1", "sha256"))
    assert set(states) <= {"Connecting", "Unconnected"}


def test_a_new_secret_counts_from_the_next_connection_on(pair: Pair) -> None:
    pair.configure(SHA1)
    pair.ok("node1", "adjust")
    pair.wait()
    assert pair.resource("node1").connection.options["shared-secret"] == "one"
    assert pair.state("node1").startswith("Established")
    pair.world.cut_link(*NODES)
    pair.wait()
    pair.world.heal_link(*NODES)
    pair.wait(10)
    assert not pair.resource("node1").connected
    pair.ok("node2", "adjust")
    pair.ok("node1", "adjust")
    pair.wait(10)
    assert pair.state("node1").startswith("Established")


def test_a_secret_that_is_too_long_is_refused(pair: Pair) -> None:
    """By drbdadm 9, and on 8.4 by the kernel."""
    pair.both("disconnect")
    pair.configure(f"cram-hmac-alg sha1; shared-secret {'s' * 64};")
    refused = pair.adm("node1", "adjust")
    if pair.generation == "9":
        assert refused.returncode == 10
        assert "for shared-secret. Value is too long.\nmax len: 63\n" in refused.stderr
    else:
        assert refused.returncode == 1
        assert "r: Failure: (126) UnknownMandatoryTag\n" in refused.stderr
    assert pair.state("node1").startswith("StandAlone")


# --- Node-ids of 9 -----------------------------------------------------------------------------------------------------
ONLY_9 = pytest.mark.parametrize("empty", ["9"], indirect=True)


@ONLY_9
def test_metadata_belong_to_the_node_id_that_attached_them_first(pair: Pair) -> None:
    assert [pair.meta(node).node_id for node in NODES] == [0, 1]
    pair.both("down")
    assert "node-id 1;" in pair.adm("node2", "dump-md").stdout
    pair.configure(node_ids=(1, 0))
    refused = pair.adm("node2", "up")
    assert refused.returncode == 1
    assert "1: Failure: (119) No valid meta-data signature found." in refused.stderr
    assert "additional info from kernel:\nambiguous node id: meta-data: 1, config: 0\n" in refused.stderr
    assert pair.device("node2").disk is Disk.DISKLESS
    pair.ok("node2", "down")
    pair.ok("node2", "create-md", "--force")
    assert "node-id -1;" in pair.adm("node2", "dump-md").stdout
    pair.ok("node2", "up")


@ONLY_9
def test_sides_that_expect_other_node_ids_do_not_meet(pair: Pair) -> None:
    """drbd_do_features(): "Peer presented a node_id of 2 instead of 0"."""
    pair.ok("node1", "down")
    pair.configure(node_ids=(2, 1), only="node1")
    pair.ok("node1", "create-md", "--force")
    pair.ok("node1", "up")
    pair.wait(30)
    for node in NODES:
        assert pair.state(node).split()[0] in ("Connecting", "Unconnected")


def test_only_metadata_of_9_know_a_node_id(empty: Pair) -> None:
    empty.both("create-md")
    empty.both("up")
    assert [empty.meta(node).node_id for node in NODES] == ([-1, -1] if empty.generation == "8.4" else [0, 1])


# --- Disks -------------------------------------------------------------------------------------------------------------
def test_a_disk_that_is_in_use_is_not_attached(empty: Pair) -> None:
    """[217, 218]"""
    empty.both("create-md")
    empty.world.nodes["node1"].devices["/dev/vdc"].holders.append("mount")
    result = empty.adm("node1", "up")
    assert result.returncode == 1
    assert "(104) Can not open backing device." in result.stderr
    assert empty.device("node1").disk is Disk.DISKLESS


def test_metadata_that_are_in_use_are_not_attached(empty: Pair) -> None:
    empty.both("create-md")
    empty.world.nodes["node1"].devices["/dev/vdd"].holders.append("mount")
    assert "(105) Can not open meta device." in empty.adm("node1", "up").stderr


def test_a_missing_disk_is_told_by_name(empty: Pair) -> None:
    """[221]"""
    empty.both("create-md")
    del empty.world.nodes["node1"].devices["/dev/vdc"]
    result = empty.adm("node1", "adjust")
    assert result.returncode == 1
    assert result.stderr.startswith("Can not open device '/dev/vdc': No such file or directory\n")


def test_a_disk_that_shrank_is_not_attached(pair: Pair) -> None:
    pair.ok("node1", "down")
    pair.world.nodes["node1"].devices["/dev/vdc"].size_bytes = SIZE // 2
    result = pair.adm("node1", "up")
    assert "(111) Low.dev. smaller than requested DRBD-dev. size." in result.stderr


def test_a_disk_that_shrinks_while_attached_goes_unnoticed(pair: Pair) -> None:
    """[211]"""
    pair.world.nodes["node1"].devices["/dev/vdc"].size_bytes = SIZE // 2
    pair.wait()
    assert pair.state("node1") == "Established Secondary/Secondary UpToDate/UpToDate"


def test_devices_are_let_go_of_when_the_resource_goes_down(pair: Pair) -> None:
    devices = pair.world.nodes["node1"].devices
    assert devices["/dev/vdc"].holders == devices["/dev/vdd"].holders == ["drbd1"]
    pair.ok("node1", "down")
    assert devices["/dev/vdc"].holders == devices["/dev/vdd"].holders == []


def test_a_primary_without_a_disk_works_on_the_peer(pair: Pair) -> None:
    pair.ok("node1", "primary")
    pair.ok("node1", "detach")
    assert pair.write("node1", 4)
    assert 4 in pair.records("node2")
    assert 4 not in pair.records("node1")
    pair.ok("node1", "attach")
    pair.wait()
    assert pair.state("node1") == "Established Primary/Secondary UpToDate/UpToDate"
    assert pair.records("node1") == pair.records("node2")


def test_data_that_are_older_are_called_up_to_date_by_a_partner_that_has_lost_its_disk(pair: Pair) -> None:
    """sanitize_state of 8.4: "D_CONSISTENT and D_OUTDATED vanish when we get connected"; 9 has made an end of that."""
    called = {"8.4": "UpToDate", "9": "Outdated"}[pair.world.nodes["node2"].drbd_version]
    pair.ok("node2", "disconnect")
    pair.ok("node2", "outdate")
    pair.ok("node1", "primary")
    assert pair.write("node1", 4)
    pair.ok("node1", "secondary")
    pair.ok("node1", "detach")
    pair.ok("node2", "connect")
    pair.wait()
    assert pair.state("node2") == f"Established Secondary/Secondary {called}/Diskless"
    assert 4 not in pair.records("node2")
    pair.ok("node1", "attach")
    pair.wait()
    assert pair.state("node2") == "Established Secondary/Secondary UpToDate/UpToDate"
    assert 4 in pair.records("node2")


def test_a_primary_alone_keeps_its_disk(pair: Pair) -> None:
    pair.ok("node2", "down")
    pair.ok("node1", "primary")
    assert pair.adm("node1", "detach").returncode == 17


def test_outdated_data_are_not_promoted(pair: Pair) -> None:
    pair.ok("node2", "disconnect")
    assert pair.adm("node2", "outdate").returncode == 0
    assert pair.adm("node2", "primary").returncode == 17
    pair.ok("node2", "down")
    pair.ok("node2", "up")
    assert pair.device("node2").disk is Disk.OUTDATED
    pair.wait()
    assert pair.state("node2") == "Established Secondary/Secondary UpToDate/UpToDate"


def test_where_fencing_is_on_the_secondary_that_leaves_a_primary_is_outdated(empty: Pair) -> None:
    option = "fencing resource-only;"
    empty.configure(**({"net": option} if empty.generation == "9" else {"disk": option}))
    empty.both("create-md")
    empty.both("up")
    empty.wait(1)
    empty.ok("node1", "primary", "--force")
    empty.wait(10)
    empty.ok("node2", "disconnect")
    assert empty.device("node2").disk is Disk.OUTDATED
    assert empty.device("node1").peer_disk is Disk.OUTDATED


def test_where_fencing_is_on_a_side_alone_does_not_trust_its_data(empty: Pair) -> None:
    option = "fencing resource-only;"
    empty.configure(**({"net": option} if empty.generation == "9" else {"disk": option}))
    empty.both("create-md")
    empty.both("up")
    empty.wait(1)
    empty.ok("node1", "primary", "--force")
    empty.wait(10)
    empty.ok("node1", "secondary")
    empty.world.cut_link(*NODES)
    empty.wait()
    refused = empty.adm("node1", "primary")
    assert refused.returncode == 11
    assert "(-7) Refusing to be Primary while peer is not outdated" in refused.stderr


# --- Size --------------------------------------------------------------------------------------------------------------
def grow(pair: Pair, *nodes: str) -> None:
    for node in nodes:
        pair.world.nodes[node].devices["/dev/vdc"].size_bytes = 2 * SIZE


def test_growing_needs_a_primary(pair: Pair) -> None:
    """[205]"""
    grow(pair, *NODES)
    result = pair.adm("node1", "resize")
    assert result.returncode == 10
    assert "(131) Need one Primary node to resize." in result.stderr


def test_one_side_that_has_grown_changes_nothing(pair: Pair) -> None:
    """[215]"""
    grow(pair, "node1")
    pair.ok("node1", "primary")
    pair.ok("node1", "resize")
    assert pair.device("node1").size_sectors * 512 == SIZE


def test_both_sides_that_have_grown_are_used_and_synchronised(pair: Pair) -> None:
    """[216]"""
    grow(pair, *NODES)
    pair.ok("node1", "primary")
    pair.ok("node1", "resize")
    assert pair.device("node2").size_sectors * 512 == 2 * SIZE
    assert pair.state("node1") == "SyncSource Primary/Secondary UpToDate/Inconsistent"
    assert pair.device("node1").sync_blocks == SIZE // 4096
    assert "(130) Resize not allowed during resync." in pair.adm("node1", "resize").stderr
    pair.wait(10)
    assert pair.state("node2") == "Established Secondary/Primary UpToDate/UpToDate"


def test_what_is_known_to_be_clean_is_not_synchronised(pair: Pair) -> None:
    """[210]"""
    grow(pair, *NODES)
    pair.ok("node1", "primary")
    assert drbd.run(pair.world, "node1", ["drbdadm", "--", "--assume-clean", "resize", "r"]).returncode == 0
    assert pair.state("node1") == "Established Primary/Secondary UpToDate/UpToDate"
    assert pair.meta("node1").out_of_sync.count == 0


def test_metadata_limit_the_size(empty: Pair) -> None:
    """A bitmap sector for each 16 MiB, after 72 sectors."""
    for node in empty.world.nodes.values():
        node.devices["/dev/vdc"].size_bytes = 10**12
        node.devices["/dev/vdd"].size_bytes = (72 + 8) * 512
    empty.both("create-md")
    empty.both("up")
    assert empty.device("node1").size_sectors * 512 == 8 * 16 * MIB


def test_the_smaller_side_counts(empty: Pair) -> None:
    empty.world.nodes["node2"].devices["/dev/vdc"].size_bytes = SIZE // 2
    empty.both("create-md")
    empty.both("up")
    empty.wait(1)
    assert {empty.device(node).size_sectors * 512 for node in NODES} == {SIZE // 2}


def test_a_peer_that_is_too_small_is_not_connected(pair: Pair) -> None:
    pair.ok("node2", "down")
    pair.world.nodes["node2"].devices["/dev/vdc"].size_bytes = SIZE // 2
    pair.ok("node2", "create-md", "--force")
    pair.ok("node2", "up")
    pair.wait()
    assert pair.state("node1").startswith("StandAlone")


# --- Adjusting ---------------------------------------------------------------------------------------------------------
CHANGES: list[Callable[[Pair], None]] = [
    lambda pair: pair.configure("ping-int 3;"),
    lambda pair: pair.configure(disk="on-io-error pass_on; resync-rate 5M;"),
    lambda pair: pair.configure("allow-two-primaries;", "al-extents 301;"),
    lambda pair: pair.configure(port=7005),
]


@pytest.mark.parametrize("change", CHANGES)
def test_adjusting_brings_the_kernel_to_the_configuration(pair: Pair, change: Callable[[Pair], None]) -> None:
    """[069-072]"""
    change(pair)
    assert pair.adm("node1", "-d", "adjust").stdout != ""
    assert pair.adm("node1", "adjust").returncode == 0
    assert pair.adm("node2", "adjust").returncode == 0
    assert pair.adm("node1", "-d", "adjust").stdout == ""
    pair.wait()
    assert pair.state("node1") == "Established Secondary/Secondary UpToDate/UpToDate"


def test_a_value_in_another_unit_needs_no_adjustment(pair: Pair) -> None:
    pair.configure(disk="resync-rate 10M;")
    pair.both("adjust")
    pair.configure(disk="resync-rate 10240k;")
    assert pair.adm("node1", "-d", "adjust").stdout == ""


def test_a_default_that_is_spelt_out_needs_no_adjustment(pair: Pair) -> None:
    pair.configure("protocol C; ping-int 10; allow-two-primaries no;")
    assert pair.adm("node1", "-d", "adjust").stdout == ""


def test_a_world_travels_through_json_in_every_state(pair: Pair) -> None:
    pair.ok("node1", "primary")
    pair.world.cut_link(*NODES)
    assert pair.write("node1", 1)
    copy = pair.world.copy()
    assert copy.to_json() == pair.world.to_json()
    for world in (copy, pair.world):
        world.heal_link(*NODES)
        world.advance(5)
    assert copy.to_json() == pair.world.to_json()


# --- 9 alone -----------------------------------------------------------------------------------------------------------
def test_9_promotes_by_itself_when_a_device_is_opened() -> None:
    pair = Pair("9")
    for node in pair.world.nodes.values():
        text, mode = node.files["/etc/drbd.d/r.res"]
        node.files["/etc/drbd.d/r.res"] = (text.replace("auto-promote no;", ""), mode)
    pair.both("create-md")
    pair.both("up")
    pair.wait(1)
    assert not drbd.open(pair.world, "node1", 1, "guest", True)
    pair.ok("node1", "primary", "--force")
    pair.wait(10)
    pair.ok("node1", "secondary")
    assert drbd.open(pair.world, "node1", 1, "guest", True)
    assert drbd.role(pair.world, "node1", 1) == "Primary"
    assert not drbd.open(pair.world, "node2", 1, "guest", True)
    drbd.close(pair.world, "node1", 1, "guest")
    assert drbd.role(pair.world, "node1", 1) == "Secondary"


def test_9_tells_what_may_be_promoted() -> None:
    pair = Pair("9")
    pair.both("create-md")
    pair.both("up")
    pair.wait(1)

    def told(node: str) -> str:
        text = drbd.run(pair.world, node, ["drbdsetup", "events2", "--now"]).stdout
        found = re.search(r"may_promote:(\w+ promotion_score:\d+)", text)
        assert found is not None
        return found.group(1)

    assert told("node1") == "no promotion_score:0"
    pair.ok("node1", "primary", "--force")
    pair.wait(10)
    assert told("node2") == "no promotion_score:10102"
    pair.ok("node1", "secondary")
    assert told("node2") == "yes promotion_score:10102"
