"""The story that CI runs: two bare nodes converge, a domain moves by hand, a node loses power and returns, no record is lost."""

from applying import NOTHING, apply, assert_converged, changes, converge, failures, wait_until_up_to_date
from by_hand import assert_settled, migrate
from guests import HOMES, at_home, boots, gaps, records, running, wait_for_another_record, wait_until_answering
from processes import counted

from lab.cluster import NODES, Lab
from lab.moments import keep_modules

# libxl ends a hotplug script after 40 s, whatever the machine (LIBXL_HOTPLUG_TIMEOUT, libxl_internal.h). On an emulated node the
# one of an interface can take longer. The guest goes on where it was then, and a person would try again.
LIBXL_GAVE_UP = "killing execution of /etc/xen/scripts/vif-bridge online because of timeout"
MIGRATIONS = 3


def test_from_bare_disks_to_domains_that_survive_a_migration_and_a_power_cut(bare: Lab) -> None:
    converge(bare)
    wait_until_up_to_date(bare)
    wait_until_answering(bare)
    for node in NODES:
        assert running(bare, node) == at_home(node)

    keep_modules(bare)  # they were brought by the first apply
    a_second_apply_changes_nothing(bare)
    written = {guest: records(bare, guest) for guest in HOMES}
    started = {guest: boots(bare, guest) for guest in HOMES}

    a_domain_migrates_by_hand(bare, written["dns"])
    assert boots(bare, "dns", node="node2") == started["dns"]
    written["dns"] = records(bare, "dns", node="node2")

    bare.power_cut("node2")
    wait_for_another_record(bare, ["router"])
    bare.power_on("node2")
    converge(bare)

    assert_converged(bare)
    wait_for_another_record(bare)
    for guest in HOMES:
        now = records(bare, guest)
        assert set(written[guest]) < set(now)
        assert gaps(now) == []
        assert boots(bare, guest) == started[guest] + (guest != "router")


def a_second_apply_changes_nothing(lab: Lab) -> None:
    with counted(lab) as tools:
        again = apply(lab)
    assert failures(again) == {node: {} for node in NODES}
    assert changes(again) == NOTHING
    # What there is to be read is read once, however many domains there are, and nothing is written.
    assert tools == {node: {"lvs": 1, "vgs": 1, "drbdsetup": 1, "drbdadm": 2, "xl": 1} for node in NODES}


def a_domain_migrates_by_hand(lab: Lab, written: list[int]) -> None:
    """With the tool of Xen alone: the block script makes its disk Primary there and Secondary here."""
    for _ in range(MIGRATIONS):
        moved = migrate(lab, "dns", "node1")
        if LIBXL_GAVE_UP not in moved.stderr:
            break
        assert_settled(lab, "dns", "node1")
    assert moved.returncode == 0, moved.stderr
    assert running(lab, "node1") == ["router"]
    assert running(lab, "node2") == ["dns", "mail", "vpn"]
    lab.wait_until(
        lambda: lab.on("node1", "drbdadm role dns").stdout == "Secondary/Primary\n",
        "dns is Primary on node2 alone",
    )
    wait_for_another_record(lab, ["dns"], node="node2")
    now = records(lab, "dns", node="node2")
    assert set(written) < set(now)
    assert gaps(now) == []
