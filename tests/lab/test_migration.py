"""`xl migrate` as a person types it, with no option in any file: the guest goes on, on one node, whatever is in the way.

Numbers are those of the recordings that show what happens without the block script.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from applying import NOTHING, apply, changes, failures, wait_until_up_to_date
from by_hand import (
    Watched,
    assert_refused,
    assert_settled,
    drbdadm,
    migrate,
    open_windows,
    other,
    wait_until_disconnected,
    xl,
)
from guests import HOMES, at_home, running

from lab.cluster import NODES, Lab


def configuration(lab: Lab, node: str, guest: str) -> dict[str, Any]:
    """A running domain as xl knows it: what it was created from, and would be created from after a reboot."""
    found: list[dict[str, Any]] = json.loads(lab.on(node, f"xl list --long {guest}").stdout)
    config: dict[str, Any] = found[0]["config"]
    return config


# --- Migrations that succeed ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("guest", ["dns", "mail"], ids=["one disk", "two disks"])
def test_a_running_guest_moves_to_the_partner_and_back(converged: Lab, guest: str) -> None:
    """169: success, and a guest with a dead disk. 170: refused, since two Primaries are not allowed."""
    home, away = HOMES[guest], other(HOMES[guest])
    for node in NODES:
        assert converged.on(node, "grep -r allow-two-primaries /etc", check=False).stdout == ""
    watched = Watched(converged, guest, home)
    before = configuration(converged, home, guest)

    moved = migrate(converged, guest, home)

    assert moved.returncode == 0, moved
    assert_settled(converged, guest, away)
    watched.assert_goes_on(away)
    assert configuration(converged, away, guest) == before
    assert running(converged, home) == [each for each in at_home(home) if each != guest]
    assert running(converged, away) == sorted([*at_home(away), guest])
    returned = apply(converged)
    assert failures(returned) == {node: {} for node in NODES}
    assert changes(returned) == NOTHING

    moved = migrate(converged, guest, away)

    assert moved.returncode == 0, moved
    assert_settled(converged, guest, home)
    watched.assert_goes_on(home)
    assert configuration(converged, home, guest) == before
    for node in NODES:
        assert running(converged, node) == at_home(node)


def test_a_guest_that_has_moved_reboots_where_it_is(converged: Lab) -> None:
    dns = Watched(converged, "dns", "node1")
    assert migrate(converged, "dns", "node1").returncode == 0

    converged.on("node2", "xl reboot dns")

    dns.assert_goes_on("node2", boots_more=1)
    assert_settled(converged, "dns", "node2")


# --- Migrations that are refused, and the guest goes on ------------------------------------------------------------------
@dataclass(frozen=True)
class Unfit:
    """What makes the disk unfit for a migration from node1 to node2, the reason that is told, and how to mend it."""

    reason: str
    spoil: Callable[[Lab], object]
    mend: Callable[[Lab], object]


def part(lab: Lab) -> None:
    """Both sides StandAlone, as after a split-brain."""
    lab.cut_link()
    wait_until_disconnected(lab)
    drbdadm(lab, "disconnect", "dns")
    lab.heal_link()


def on(node: str, command: str) -> Callable[[Lab], object]:
    return lambda lab: lab.on(node, command)


UNFIT = {
    "StandAlone": Unfit("it does not connect (StandAlone)", part, lambda lab: drbdadm(lab, "connect", "dns")),
    "Outdated on the target": Unfit(
        "its disk is Outdated here",
        on("node2", "drbdadm disconnect dns; drbdadm outdate dns"),
        on("node2", "drbdadm connect dns"),
    ),
    "Inconsistent on the target": Unfit(
        "its disk is Inconsistent here",
        on("node2", "drbdadm pause-sync dns; drbdadm invalidate dns"),
        on("node2", "drbdadm resume-sync dns"),
    ),
    "Diskless on the target": Unfit(
        "its disk is Diskless here", on("node2", "drbdadm detach dns"), on("node2", "drbdadm attach dns")
    ),
    "Diskless on the source": Unfit(
        "its disk is Diskless on the partner", on("node1", "drbdadm detach dns"), on("node1", "drbdadm attach dns")
    ),
}


@pytest.mark.parametrize("unfit", UNFIT)
def test_a_guest_goes_only_where_its_data_are_and_goes_on_where_it_was(converged: Lab, unfit: str) -> None:
    """261: exit 0, and the guest goes on with other data than its own."""
    dns = Watched(converged, "dns", "node1")
    UNFIT[unfit].spoil(converged)

    refused = migrate(converged, "dns", "node1")

    assert_refused(converged, "node2", refused, f"dns: {UNFIT[unfit].reason}")
    assert running(converged, "node2") == ["mail", "vpn"]
    assert not any(open_windows(converged).values())
    dns.assert_goes_on("node1")
    UNFIT[unfit].mend(converged)
    wait_until_up_to_date(converged)
    assert_settled(converged, "dns", "node1")


NO_ROOM = """
name = "{name}"
type = "pvh"
kernel = "/var/lib/lab/vmlinux"
memory = {memory}
"""


def test_a_target_that_is_not_known_changes_nothing(converged: Lab) -> None:
    """163"""
    dns = Watched(converged, "dns", "node1")
    assert xl(converged, "node1", "migrate dns nosuchhost").returncode == 1
    assert_settled(converged, "dns", "node1")
    dns.assert_goes_on("node1")


def test_a_name_that_is_taken_on_the_target_is_found_late_and_changes_nothing(converged: Lab) -> None:
    """166: the disk is attached on the target by then, and both sides are Primary."""
    dns = Watched(converged, "dns", "node1")
    converged.write_file("node2", "/root/taken.cfg", NO_ROOM.format(name="dns", memory=96))
    converged.on("node2", "xl create -p /root/taken.cfg")

    failed = migrate(converged, "dns", "node1")

    assert failed.returncode == 1
    assert "already exists" in failed.stderr
    assert_settled(converged, "dns", "node1")
    dns.assert_goes_on("node1")


def test_too_little_memory_on_the_target_changes_nothing(converged: Lab) -> None:
    """168"""
    dns = Watched(converged, "dns", "node1")
    free_mib = int(converged.on("node2", "xl info free_memory").stdout)
    converged.write_file("node2", "/root/big.cfg", NO_ROOM.format(name="big", memory=free_mib - 40))
    converged.on("node2", "xl create -p /root/big.cfg")

    assert migrate(converged, "dns", "node1").returncode == 1

    assert running(converged, "node2") == ["big", "mail", "vpn"]
    assert_settled(converged, "dns", "node1")
    dns.assert_goes_on("node1")
