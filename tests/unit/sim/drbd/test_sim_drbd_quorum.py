"""Quorum with a tie-breaker, as drbd_state.c of DRBD 9 counts it: who may write, who is promoted, and who is outdated by it."""

import json
import os
import subprocess
from itertools import permutations
from pathlib import Path

import pytest
from test_sim_drbd_configuration import lines

from saltern.model.running import DiskState
from saltern.parse.drbdsetup_events2 import parse
from saltern.sim import drbd
from saltern.sim.drbd.kernel import Disk, Resource
from saltern.sim.model import BlockDevice
from saltern.sim.tools import Result
from saltern.sim.world import NodeSpec, World
from saltern.units import MIB

ONE, OTHER, THIRD = "node1", "node2", "third"
IDS = {ONE: 0, OTHER: 1, THIRD: 31}
ADDRESSES = {ONE: "10.0.0.1", OTHER: "10.0.0.2", THIRD: "10.0.0.3"}
NO_QUORUM = (11, "r: State change failed: (-25) No quorum\n")


class Three:
    """Two nodes with a copy each, and a tie-breaker."""

    def __init__(self, *, up: bool = True) -> None:
        specs = [NodeSpec(name=name, address=address, drbd="9") for name, address in ADDRESSES.items()]
        self.world = World.create(specs)
        self.world.resync_bytes_per_s = 16 * MIB
        for node in (ONE, OTHER):
            devices = self.world.nodes[node].devices
            devices["/dev/vdc"], devices["/dev/vdd"] = BlockDevice(64 * MIB), BlockDevice(4 * MIB)
        for node in ADDRESSES if up else ():
            if node != THIRD:
                self.ok(node, "drbdmeta 1 v09 /dev/vdd flex-external create-md 2 --force")
            self.up(node)

    def up(self, node: str) -> None:
        """As drbdadm does it."""
        self.ok(node, f"drbdsetup new-resource r {IDS[node]} --quorum=majority --auto-promote=no")
        client = node == THIRD
        self.ok(node, f"drbdsetup new-minor r 1 0{' --diskless' if client else ''}")
        for peer in (name for name in ADDRESSES if name != node):
            self.ok(node, f"drbdsetup new-peer r {IDS[peer]} --_name={peer}")
            self.ok(node, f"drbdsetup new-path r {IDS[peer]} {self.endpoint(node, peer)} {self.endpoint(peer, node)}")
            if peer == THIRD:
                self.ok(node, f"drbdsetup peer-device-options r {IDS[peer]} 0 --set-defaults --bitmap=no")
        if not client:
            self.ok(node, "drbdmeta 1 v09 /dev/vdd flex-external apply-al")
            self.ok(node, "drbdsetup attach 1 /dev/vdc /dev/vdd flexible")
        for peer in (name for name in ADDRESSES if name != node):
            self.ok(node, f"drbdsetup connect r {IDS[peer]}")

    @staticmethod
    def endpoint(node: str, _peer: str) -> str:
        return f"ipv4:{ADDRESSES[node]}:7000"

    def run(self, node: str, command: str) -> Result:
        return drbd.run(self.world, node, command.split())

    def ok(self, node: str, command: str) -> str:
        result = self.run(node, command)
        assert result.returncode == 0, (node, command, result)
        return result.stdout

    def primary(self, node: str, *options: str) -> tuple[int, str]:
        """The exit code, and the first line of what is said."""
        result = self.run(node, " ".join(["drbdsetup", "primary", "r", *options]))
        return result.returncode, result.stderr.partition("\n")[0] + "\n" if result.stderr else ""

    def cut(self, *links: tuple[str, str], then_s: float = 5.0) -> None:
        for link in links:
            self.world.cut_link(*link)
        self.world.advance(then_s)

    def heal(self, *links: tuple[str, str], then_s: float = 5.0) -> None:
        for link in links:
            self.world.heal_link(*link)
        self.world.advance(then_s)

    def resource(self, node: str) -> Resource:
        return self.world.nodes[node].drbd.resources["r"]

    def disk(self, node: str) -> Disk:
        return self.resource(node).devices[0].disk

    def quorum(self) -> dict[str, bool]:
        return {node: self.resource(node).quorum for node in (ONE, OTHER)}

    def write(self, node: str, block: int = 1) -> bool:
        return drbd.write(self.world, node, 1, block, 7)


BETWEEN, OF_ONE, OF_OTHER = (ONE, OTHER), (ONE, THIRD), (OTHER, THIRD)


@pytest.fixture
def three() -> Three:
    """Synchronised, all connected, node1 Primary."""
    made = Three()
    made.world.advance(2)
    assert made.primary(ONE, "--force") == (0, "")
    made.world.advance(10)
    assert made.quorum() == {ONE: True, OTHER: True}
    assert made.disk(OTHER) is Disk.UP_TO_DATE
    return made


# --- Counting --------------------------------------------------------------------------------------------------------
def test_all_see_each_other(three: Three) -> None:
    for node in ADDRESSES:
        assert [link.state for link in three.resource(node).links] == ["Connected"] * 2
    assert three.write(ONE)


def test_the_loss_of_the_tie_breaker_changes_nothing(three: Three) -> None:
    three.cut(OF_ONE, OF_OTHER)
    assert three.quorum() == {ONE: True, OTHER: True}
    assert three.write(ONE)


def test_a_primary_whose_partner_is_lost_goes_on_by_the_tie(three: Three) -> None:
    three.world.power_cut(OTHER)
    three.world.advance(5)
    assert three.resource(ONE).quorum
    assert three.write(ONE)


def test_a_primary_that_is_cut_off_is_suspended_and_goes_on_when_its_partner_is_back(three: Three) -> None:
    three.cut(BETWEEN, OF_ONE)
    assert not three.resource(ONE).quorum
    assert not three.write(ONE)
    assert "suspended:quorum" in three.ok(ONE, "drbdsetup events2 --now")
    three.heal(BETWEEN)
    assert three.resource(ONE).quorum
    assert three.write(ONE)
    assert "suspended:no" in three.ok(ONE, "drbdsetup events2 --now")


def test_nothing_is_written_alone_before_all_that_are_in_sight_have_answered(three: Three) -> None:
    three.cut(BETWEEN, OF_ONE, then_s=0.1)
    assert three.resource(ONE).quorum
    assert not three.write(ONE), "the partner is missed, and the tie-breaker believed to be there"
    three.heal(OF_ONE, then_s=0.1)
    assert three.write(ONE)
    assert three.disk(OTHER) is Disk.OUTDATED


def test_a_tie_breaker_keeps_quorum_and_gives_none_back(three: Three) -> None:
    three.cut(BETWEEN, OF_ONE)
    three.heal(OF_ONE)
    assert [tie.state for tie in three.resource(ONE).ties.values()] == ["Connected"]
    assert not three.resource(ONE).quorum


def test_who_has_lost_its_partner_first_and_the_tie_breaker_later_has_quorum_alone(three: Three) -> None:
    three.cut(BETWEEN, OF_OTHER)
    three.cut(OF_ONE)
    assert three.quorum() == {ONE: True, OTHER: False}
    assert three.write(ONE)


def test_who_has_lost_the_tie_breaker_first_has_none_without_its_partner(three: Three) -> None:
    three.cut(OF_ONE, OF_OTHER)
    three.cut(BETWEEN)
    assert three.quorum() == {ONE: False, OTHER: False}


def test_who_boots_alone_has_none(three: Three) -> None:
    three.world.power_cut(OTHER)
    three.cut(BETWEEN)
    three.world.boot(OTHER, drbd_service=False)
    three.up(OTHER)
    three.world.advance(5)
    assert [tie.state for tie in three.resource(OTHER).ties.values()] == ["Connected"]
    assert not three.resource(OTHER).quorum
    assert three.primary(OTHER) == NO_QUORUM


# --- Agreement -------------------------------------------------------------------------------------------------------
def test_a_copy_behind_the_tie_breaker_is_outdated_and_not_promoted(three: Three) -> None:
    three.cut(BETWEEN)
    assert three.disk(OTHER) is Disk.OUTDATED
    assert three.write(ONE)
    assert three.primary(OTHER)[0] != 0
    three.heal(BETWEEN, then_s=10)
    assert three.disk(OTHER) is Disk.UP_TO_DATE


def test_the_partner_of_a_lost_primary_is_promoted(three: Three) -> None:
    three.world.power_cut(ONE)
    three.world.advance(5)
    assert three.primary(OTHER) == (0, "")
    assert three.write(OTHER)


def test_nobody_is_promoted_while_the_tie_breaker_has_not_noticed_that_the_other_node_is_gone(three: Three) -> None:
    three.cut(BETWEEN, OF_ONE, then_s=0.1)
    for link in three.resource(OTHER).links:
        link.silent_since_s = three.world.time_s - 10 if link.peer == ONE else None
    three.world.advance(0.1)
    assert three.primary(OTHER) == (11, "r: State change failed: (-23) Timeout in operation\n")
    three.world.advance(5)
    assert three.primary(OTHER) == (0, "")


def test_a_primary_seen_from_afar_keeps_all_others_from_it(three: Three) -> None:
    three.ok(ONE, "drbdsetup secondary r")
    three.cut(BETWEEN)
    assert three.disk(OTHER) is Disk.UP_TO_DATE
    assert three.primary(ONE) == (0, "")
    assert three.disk(OTHER) is Disk.OUTDATED
    assert three.resource(ONE).devices[0].peer_disk is Disk.OUTDATED
    three.resource(OTHER).devices[0].disk = Disk.UP_TO_DATE
    assert three.primary(OTHER)[1] == (
        "r: State change failed: (-24) Primary nodes must be strongly connected among each other\n"
    )


def test_a_suspended_primary_does_not_meet_the_tie_breaker_of_another_one(three: Three) -> None:
    three.cut(BETWEEN, OF_ONE)
    assert three.primary(OTHER) == (0, "")
    three.heal(OF_ONE, then_s=20)
    assert [tie.state for tie in three.resource(ONE).ties.values()] == ["Connecting"]
    assert three.quorum() == {ONE: False, OTHER: True}


def test_a_primary_that_is_suspended_and_old_stays_apart_from_the_newer_copy(three: Three) -> None:
    three.cut(BETWEEN, OF_ONE)
    assert three.primary(OTHER) == (0, "")
    assert three.write(OTHER)
    three.heal(BETWEEN, OF_ONE, then_s=20)
    assert not three.resource(ONE).connected
    assert not three.write(ONE)


@pytest.mark.parametrize("order", range(6))
def test_in_whatever_order_links_are_lost_and_come_back_one_side_writes_at_most(three: Three, order: int) -> None:
    links = [*permutations((BETWEEN, OF_ONE, OF_OTHER))][order]
    for change in (three.cut, three.heal):
        for link in links:
            change(link, then_s=3)
            three.primary(OTHER)
            apart = not three.resource(ONE).connected
            assert not (apart and three.write(ONE) and three.write(OTHER, 2))


# --- What is said of it ----------------------------------------------------------------------------------------------
def test_saltern_reads_what_it_says(three: Three) -> None:
    [side] = parse(three.ok(ONE, "drbdsetup events2 --now --statistics")).values()
    assert [each.peer for each in side.connections] == [OTHER]
    assert [(each.peer, each.volumes[0].disk) for each in side.tie_breakers] == [(THIRD, DiskState.DISKLESS)]
    three.cut(BETWEEN, OF_ONE)
    [side] = parse(three.ok(ONE, "drbdsetup events2 --now --statistics")).values()
    assert side.lacks_quorum
    assert [each.peer for each in side.tie_breakers] == [THIRD]


def test_events2_tells_quorum_clients_and_who_may_be_promoted(three: Three) -> None:
    three.cut(BETWEEN, OF_ONE)
    cut_off, there, third = (three.ok(node, "drbdsetup events2 --now") for node in ADDRESSES)
    assert "disk:UpToDate client:no quorum:no" in cut_off
    assert "may_promote:no" in cut_off
    assert "may_promote:yes" in there
    assert (
        "peer-node-id:31 conn-name:third volume:0 replication:Established peer-disk:Diskless peer-client:yes" in there
    )
    assert "disk:Diskless client:yes quorum:yes" in third


def test_status_and_show_have_all_of_them(three: Three) -> None:
    status = three.ok(ONE, "drbdsetup status r")
    assert "  third role:Secondary\n    peer-disk:Diskless\n" in status
    [found] = json.loads(three.ok(ONE, "drbdsetup status r --json"))
    assert [each["name"] for each in found["connections"]] == [OTHER, THIRD]
    assert found["connections"][1]["peer_devices"][0]["peer-client"] is True
    assert "bitmap          \tno;" in three.ok(ONE, "drbdsetup show r")
    assert "disk\t\t\tnone;" in three.ok(THIRD, "drbdsetup show r")


def test_a_world_with_ties_is_plain_data(three: Three) -> None:
    again = World.from_json(three.world.to_json())
    for node in ADDRESSES:
        assert again.nodes[node].drbd == three.world.nodes[node].drbd


def test_it_is_taken_down_and_comes_back(three: Three) -> None:
    three.ok(THIRD, "drbdsetup down r")
    three.world.advance(3)
    assert [tie.state for tie in three.resource(ONE).ties.values()] == ["Connecting"]
    three.up(THIRD)
    three.world.advance(5)
    assert [tie.state for tie in three.resource(ONE).ties.values()] == ["Connected"]


# --- drbdadm ---------------------------------------------------------------------------------------------------------
HOSTS = "".join(
    f"on {node} {{ node-id {IDS[node]}; device /dev/drbd1; address {ADDRESSES[node]}:7000;"
    f" {'disk none;' if node == THIRD else 'disk /dev/vdc; meta-disk /dev/vdd;'} }}\n"
    for node in ADDRESSES
)
CONFIGURATION = f"""global {{ disable-ip-verification; usage-count no; }}
resource r {{
options {{ quorum majority; auto-promote no; }} disk {{ resync-rate 10M; }} net {{ protocol C; }}
{HOSTS}connection-mesh {{ hosts {" ".join(ADDRESSES)}; }}
}}
"""


def real(path: Path, node: str, shown: Path, *arguments: str) -> tuple[int, list[str], list[str]]:
    """What drbdadm says on that node to what the kernel shows."""
    environment = os.environ | {
        "__DRBD_NODE__": node,
        "DRBD_DRIVER_VERSION_OVERRIDE": "9.2.12",
        "FAKE_DRBDSETUP_SHOW": str(shown),
    }
    done = subprocess.run(
        ["drbdadm", "-c", str(path), *arguments], capture_output=True, text=True, env=environment, check=False
    )
    return done.returncode, lines(done.stdout), lines(done.stderr)


@pytest.mark.parametrize("node", ADDRESSES)
def test_drbdadm_makes_of_a_mesh_what_the_real_one_makes(tmp_path: Path, node: str) -> None:
    path, shown = tmp_path / "drbd.conf", tmp_path / "shown"
    path.write_text(CONFIGURATION)
    shown.write_text("")
    world = World.create([NodeSpec(name=node, address=ADDRESSES[node], drbd="9")])
    world.nodes[node].files[str(path)] = (CONFIGURATION, 0o644)
    for arguments in (
        *(
            ("-d", command, "r")
            for command in ("up", "adjust", "create-md", "connect", "disconnect", "cstate", "primary")
        ),
        ("dump",),
        ("dump-xml",),
    ):
        answer = drbd.run(world, node, ["drbdadm", "-c", str(path), *arguments])
        found = (answer.returncode, lines(answer.stdout), lines(answer.stderr))
        assert found == real(path, node, shown, *arguments), arguments


def test_drbdadm_brings_it_up_and_has_nothing_to_adjust_then(tmp_path: Path) -> None:
    three = Three(up=False)
    path, shown = tmp_path / "drbd.conf", tmp_path / "shown"
    path.write_text(CONFIGURATION)
    for node in ADDRESSES:
        three.world.nodes[node].files["/etc/drbd.conf"] = (CONFIGURATION, 0o644)
        if node != THIRD:
            three.ok(node, "drbdadm create-md --max-peers=2 --force r")
        three.ok(node, "drbdadm up r")
    three.world.advance(5)
    for node in ADDRESSES:
        assert [link.state for link in three.resource(node).links] == ["Connected"] * 2
        assert three.ok(node, "drbdadm -d adjust r") == ""
        shown.write_text(three.ok(node, "drbdsetup show"))
        assert real(path, node, shown, "-d", "adjust", "r")[:2] == (0, [])
    three.ok(ONE, "drbdadm disconnect r")
    assert [link.state for link in three.resource(ONE).links] == ["StandAlone"] * 2
    three.ok(ONE, "drbdadm adjust r")
    three.world.advance(5)
    assert [link.state for link in three.resource(ONE).links] == ["Connected"] * 2
