"""Disks of running domains grow: both volumes first, then DRBD, then what the guest sees; and never one side alone."""

import pytest
from applying import (
    apply,
    assert_converged,
    begin_apply,
    changes,
    converge,
    failures,
    orchestrate,
    wait_for_the_end_of_all_jobs,
    wait_until_up_to_date,
)
from guests import HOMES, boots, gaps, records, size, wait_for_another_record
from stopping import BEFORE as NOT_DONE
from stopping import Moment, arm, at_the_moment, disarm

from lab.cluster import NODES, Lab

MIB = 1024**2
# By the volume of the disk: its guest, its device there, and its DRBD device. Both have 64M in the lab's topology.
GROWING = {"dns": ("dns", "xvda", "/dev/drbd1"), "mail-xvdb": ("mail", "xvdb", "/dev/drbd3")}
BEFORE, LARGER = 64 * MIB, 96 * MIB


def enlarge(lab: Lab) -> None:
    """Write 96M for the disks that have 64M into the topology."""
    topology = lab.master.pillar / "saltern" / "init.sls"
    text = topology.read_text(encoding="utf-8")
    assert text.count("size: 64M") == len(GROWING)
    topology.write_text(text.replace("size: 64M", "size: 96M"), encoding="utf-8")


def bytes_of(lab: Lab, device: str) -> dict[str, int]:
    """The size of a device on each node, also of one that a Secondary lets nobody open; sysfs counts in sectors of 512 bytes."""
    line = f"cat /sys/class/block/$(basename $(realpath {device}))/size"
    return {node: int(lab.on(node, line).stdout) * 512 for node in NODES}


def everywhere(size_bytes: int) -> dict[str, int]:
    return dict.fromkeys(NODES, size_bytes)


def started(lab: Lab) -> dict[str, int]:
    return {guest: boots(lab, guest) for guest in HOMES}


def assert_grown(lab: Lab) -> None:
    """Volumes and devices have the new size on both nodes, and the guests see it."""
    for volume, (guest, disk, device) in GROWING.items():
        assert bytes_of(lab, f"/dev/XEN/{volume}") == everywhere(LARGER)
        assert bytes_of(lab, device) == everywhere(LARGER)
        lab.wait_until(
            lambda guest=guest, disk=disk: size(lab, guest, disk=disk) == LARGER, f"{guest} sees that {disk} has grown"
        )


def assert_never_stopped(lab: Lab, before: dict[str, int]) -> None:
    """No guest has booted again or left out a record, and each goes on writing."""
    wait_for_another_record(lab)
    assert started(lab) == before
    for guest in HOMES:
        assert gaps(records(lab, guest)) == []
    assert gaps(records(lab, "mail", disk="xvdb")) == []


def test_a_disk_grows_on_both_nodes_while_its_domain_runs(converged: Lab) -> None:
    before = started(converged)
    enlarge(converged)
    made = converge(converged)
    assert_grown(converged)
    assert {state for node in NODES for state in made[node]} == {
        *(f"volume /dev/XEN/{volume} volume.present" for volume in GROWING),
        *(f"{volume} size_used drbd.size_used" for volume in GROWING),
    }
    assert_converged(converged)
    assert_never_stopped(converged, before)


def test_a_disk_that_has_grown_on_one_side_only_waits_for_the_other(converged: Lab) -> None:
    before = started(converged)
    enlarge(converged)
    returned = apply(converged, target="node1")
    assert changes(returned)["node1"].keys() == {f"volume /dev/XEN/{volume} volume.present" for volume in GROWING}
    # Where dns is Primary; transcripts 207 and 215: drbdadm resize would succeed there, and do nothing.
    assert "node2" in failures(returned)["node1"]["dns size_used drbd.size_used"]
    for volume, (_, _, device) in GROWING.items():
        assert bytes_of(converged, f"/dev/XEN/{volume}") == {"node1": LARGER, "node2": BEFORE}
        assert bytes_of(converged, device) == everywhere(BEFORE)
    converge(converged)
    assert_grown(converged)
    assert_converged(converged)
    assert_never_stopped(converged, before)


def test_disks_that_have_grown_while_their_sides_were_cut_off_grow_when_they_meet(converged: Lab) -> None:
    before = started(converged)
    converged.cut_link()
    enlarge(converged)
    returned = apply(converged)
    failed = failures(returned)
    # Whoever is Primary: out of sight of each other, each side waits for the other one.
    for node in NODES:
        assert failed[node].keys() == {f"{volume} size_used drbd.size_used" for volume in GROWING}
    for volume, (_, _, device) in GROWING.items():
        assert bytes_of(converged, f"/dev/XEN/{volume}") == everywhere(LARGER)
        assert bytes_of(converged, device) == everywhere(BEFORE)
    converged.heal_link()
    wait_until_up_to_date(converged)
    converge(converged)
    assert_grown(converged)
    assert_converged(converged)
    assert_never_stopped(converged, before)


def test_one_disk_grows_by_its_own_command_and_the_others_stay(converged: Lab) -> None:
    before = started(converged)
    enlarge(converged)
    told = orchestrate(converged, "grow", domain="dns", disk="xvda", size="96M")
    assert "Failed:    0" in told, told
    assert bytes_of(converged, "/dev/drbd1") == everywhere(LARGER)
    assert bytes_of(converged, "/dev/XEN/mail-xvdb") == everywhere(BEFORE)
    converged.wait_until(lambda: size(converged, "dns") == LARGER, "dns sees that its disk has grown")
    assert_never_stopped(converged, before)


@pytest.mark.parametrize("victims", [["node1"], ["node1", "node2"]], ids=" and ".join)
@pytest.mark.parametrize(
    "moment",
    [
        Moment("lvextend", "."),
        Moment("drbdadm", "^resize", done=NOT_DONE),
        Moment("drbdadm", "^resize"),
    ],
    ids=["one volume has grown", "the volumes have grown", "DRBD uses the new room"],
)
def test_growth_goes_on_after_a_power_cut_between_any_two_steps(
    converged: Lab, moment: Moment, victims: list[str]
) -> None:
    written = {guest: records(converged, guest) for guest in HOMES}
    enlarge(converged)
    arm(converged, victims, [moment] * len(victims))
    begin_apply(converged)
    at_the_moment(converged, victims, converged.power_cut)
    converged.up()
    disarm(converged, victims)
    wait_for_the_end_of_all_jobs(converged)
    converge(converged)
    assert_grown(converged)
    assert_converged(converged)
    wait_for_another_record(converged)
    for guest in HOMES:
        now = records(converged, guest)
        assert set(written[guest]) <= set(now)
        assert gaps(now) == []
    assert gaps(records(converged, "mail", disk="xvdb")) == []
