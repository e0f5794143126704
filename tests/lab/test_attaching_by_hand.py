"""What people type on the nodes to start domains, and who else asks for a disk: the block script gives it, or tells why not.

Numbers are those of the recordings that show what happens without it.
"""

import pytest
from applying import converge, replicas, wait_until_up_to_date
from by_hand import (
    PRIMARY_HERE,
    UNUSED,
    Watched,
    assert_nobody_lives_twice,
    assert_refused,
    assert_settled,
    create,
    drbdadm,
    end,
    open_windows,
    replica,
    wait_for_replica,
    wait_until_disconnected,
    xl,
)
from guests import running, wait_until_answering

from lab.cluster import NODES, Lab

SPLIT_BRAIN = "dmesg | grep --ignore-case split-brain"


# --- The domain runs on the partner --------------------------------------------------------------------------------------
def test_a_domain_that_runs_on_the_partner_is_refused_with_the_reason(converged: Lab) -> None:
    """112, 114: exit 0, and a guest that hangs on a disk that takes no writes."""
    dns = Watched(converged, "dns", "node1")
    before = {node: replicas(converged, node) for node in NODES}

    refused = create(converged, "node2", "dns")

    assert_refused(converged, "node2", refused, "dns: it is Primary on the partner, so a domain may be using it there")
    assert running(converged, "node2") == ["mail", "vpn"]
    assert {node: replicas(converged, node) for node in NODES} == before
    dns.assert_goes_on("node1")


@pytest.mark.parametrize("option", ["", "-p"], ids=["running", "paused"])
def test_two_primaries_that_are_allowed_by_hand_do_not_let_a_domain_start_twice(converged: Lab, option: str) -> None:
    """172: exit 0 on the second node as well."""
    dns = Watched(converged, "dns", "node1")
    drbdadm(converged, "net-options --allow-two-primaries=yes", "dns")
    assert open_windows(converged) == {"node1": ["dns"], "node2": ["dns"]}

    refused = xl(converged, "node2", f"create {option} /etc/xen/dns.cfg")

    assert_refused(converged, "node2", refused, "dns: it is Primary on the partner, so a domain may be using it there")
    assert running(converged, "node2") == ["mail", "vpn"]
    dns.assert_goes_on("node1")
    converge(converged)
    assert_settled(converged, "dns", "node1")


# --- The partner is out of sight -----------------------------------------------------------------------------------------
def test_nothing_is_started_in_a_partition_and_nothing_has_diverged_after_it(converged: Lab) -> None:
    """257-259: exit 0 on both sides, two running guests, and a split-brain when the cable is back."""
    end(converged, "node1", "dns")
    router = Watched(converged, "router", "node1")
    converged.cut_link()
    wait_until_disconnected(converged)

    for node, guest in (("node2", "router"), ("node1", "dns"), ("node2", "dns")):
        refused = create(converged, node, guest)
        assert_refused(converged, node, refused, f"{guest}: it is not connected", "unknown is not down")
        assert "ro:Secondary/Unknown ds:UpToDate/" in replica(converged, node, guest)

    router.assert_goes_on("node1")
    converged.heal_link()
    wait_until_up_to_date(converged)
    for node in NODES:
        assert converged.on(node, SPLIT_BRAIN, check=False).stdout == ""
    assert create(converged, "node1", "dns").returncode == 0
    assert_settled(converged, "dns", "node1")
    wait_until_answering(converged, ["dns"])


def test_a_cable_that_was_pulled_just_now_is_noticed_before_the_disk_is_given(converged: Lab) -> None:
    """257: DRBD still calls the partner Secondary, until it has asked it."""
    end(converged, "node1", "dns")
    converged.cut_link()

    refused = create(converged, "node1", "dns")

    assert refused.returncode != 0
    assert running(converged, "node1") == ["router"]
    assert "ro:Secondary/Unknown ds:UpToDate/" in replica(converged, "node1", "dns")
    converged.heal_link()
    wait_until_up_to_date(converged)
    assert create(converged, "node1", "dns").returncode == 0
    assert_settled(converged, "dns", "node1")


@pytest.mark.parametrize("node", NODES)
def test_a_disk_that_does_not_connect_is_not_given(converged: Lab, node: str) -> None:
    """260, 261: StandAlone is how a split-brain is left behind."""
    end(converged, "node1", "dns")
    converged.cut_link()
    wait_until_disconnected(converged)
    drbdadm(converged, "disconnect", "dns")
    converged.heal_link()

    refused = create(converged, node, "dns")

    assert_refused(
        converged, node, refused, "dns: it does not connect (StandAlone), so that the sides may have diverged"
    )
    assert "cs:StandAlone ro:Secondary/Unknown ds:UpToDate/" in replica(converged, node, "dns")


# --- The data are not good here ------------------------------------------------------------------------------------------
OUT_OF_DATE = {
    "Outdated": ("drbdadm disconnect dns; drbdadm outdate dns", "drbdadm connect dns"),
    "Inconsistent": ("drbdadm pause-sync dns; drbdadm invalidate dns", "drbdadm resume-sync dns"),
    "Diskless": ("drbdadm detach dns", "drbdadm attach dns"),
}


@pytest.mark.parametrize("disk", OUT_OF_DATE)
def test_a_domain_is_started_on_good_data_only(converged: Lab, disk: str) -> None:
    """184: nothing but --force makes such a disk Primary; the script never does."""
    spoil, repair = OUT_OF_DATE[disk]
    if disk != "Outdated":
        end(converged, "node1", "dns")
    converged.on("node2", spoil)
    wait_for_replica(converged, "node2", "dns", f"ds:{disk}/")

    refused = create(converged, "node2", "dns")

    assert_refused(converged, "node2", refused, f"dns: its disk is {disk} here", "Only UpToDate data are used")
    assert running(converged, "node2") == ["mail", "vpn"]
    assert "ro:Secondary/" in replica(converged, "node2", "dns")
    converged.on("node2", repair)
    wait_until_up_to_date(converged)


# --- Guests that reboot --------------------------------------------------------------------------------------------------
def test_a_guest_reboots_whether_or_not_its_partner_is_there(converged: Lab) -> None:
    dns = Watched(converged, "dns", "node1")
    converged.on("node1", "xl reboot dns")
    dns.assert_goes_on("node1", boots_more=1)
    assert_settled(converged, "dns", "node1")

    converged.power_cut("node2")
    wait_for_replica(converged, "node1", "dns", "ro:Primary/Unknown")
    converged.on("node1", "xl reboot dns")
    dns.assert_goes_on("node1", boots_more=2)

    converged.power_on("node2")
    converge(converged)
    assert_settled(converged, "dns", "node1")
    dns.assert_goes_on("node1", boots_more=2)


def test_a_guest_reboots_while_drbdadm_refuses_everything(converged: Lab) -> None:
    """212, 213: a mistake in one file blocks every command of drbdadm for every resource."""
    dns = Watched(converged, "dns", "node1")
    converged.write_file("node1", "/etc/drbd.d/hand.res", "resource hand {\n  on node1 {\n    device /dev/drbd9 disk\n")
    assert converged.on("node1", "drbdadm role dns", check=False).returncode != 0

    converged.on("node1", "xl reboot dns")

    dns.assert_goes_on("node1", boots_more=1)
    assert replica(converged, "node1", "dns") == PRIMARY_HERE


# --- A person takes over -------------------------------------------------------------------------------------------------
def test_a_person_takes_over_what_ran_on_a_dead_node_and_it_stays_there(converged: Lab) -> None:
    dns = Watched(converged, "dns", "node1")
    converged.power_cut("node1")
    wait_until_partner_is_lost(converged, "node2")

    refused = create(converged, "node2", "dns")
    assert_refused(converged, "node2", refused, "unknown is not down", "take over with `drbdadm primary dns`")
    converged.on("node2", "drbdadm primary dns")
    taken = create(converged, "node2", "dns")

    assert taken.returncode == 0, taken
    dns.assert_goes_on("node2", boots_more=1)
    converged.on("node2", "xl reboot dns")
    dns.assert_goes_on("node2", boots_more=2)

    converged.power_on("node1")
    converge(converged)
    wait_until_up_to_date(converged)
    assert_settled(converged, "dns", "node2")
    assert running(converged, "node1") == ["router"]
    assert running(converged, "node2") == ["dns", "mail", "vpn"]
    assert_nobody_lives_twice(converged)
    dns.assert_goes_on("node2", boots_more=2)
    refused = create(converged, "node1", "dns")
    assert_refused(converged, "node1", refused, "dns: it is Primary on the partner")


def wait_until_partner_is_lost(lab: Lab, node: str) -> None:
    lab.wait_until(
        lambda: not any("cs:Connected" in each for each in replicas(lab, node).values()),
        f"{node} notices that its partner is gone",
    )


# --- Who else asks for the disk ------------------------------------------------------------------------------------------
ATTACH_TO_DOM0 = "block-attach 0 vdev=xvdb,access=rw,script=block-saltern,target=dns"


def test_a_disk_is_given_to_one_user_on_a_node(converged: Lab) -> None:
    dns = Watched(converged, "dns", "node1")
    config = converged.on("node1", "cat /etc/xen/dns.cfg").stdout
    uuid = next(line for line in config.splitlines() if line.startswith("uuid"))
    twin = config.replace('"dns"', '"twin"', 1).replace(uuid, 'uuid = "6e2f9c4e-53b4-4c36-8f3a-5a5f0d7a2b11"')
    converged.write_file("node1", "/root/twin.cfg", twin)

    for command in ("create /root/twin.cfg", ATTACH_TO_DOM0):
        refused = xl(converged, "node1", command)
        assert_refused(converged, "node1", refused, "dns: it is Primary here and in use", "held open")

    assert running(converged, "node1") == ["dns", "router"]
    assert replica(converged, "node1", "dns") == PRIMARY_HERE
    dns.assert_goes_on("node1")


def test_dom0_is_given_a_disk_that_nobody_uses_and_gives_it_back(converged: Lab) -> None:
    end(converged, "node1", "dns")
    converged.on("node2", "modprobe xen-blkfront")

    converged.on("node2", f"xl {ATTACH_TO_DOM0}")
    converged.on("node2", "udevadm settle; test -b /dev/xvdb")
    assert replica(converged, "node2", "dns") == PRIMARY_HERE
    refused = create(converged, "node1", "dns")
    assert_refused(converged, "node1", refused, "dns: it is Primary on the partner")
    assert "it is Primary here and in use" in create(converged, "node2", "dns").stderr

    converged.on("node2", "xl block-detach 0 xvdb")
    wait_for_replica(converged, "node2", "dns", UNUSED)
    assert create(converged, "node1", "dns").returncode == 0
    assert_settled(converged, "dns", "node1")


# --- The script itself ---------------------------------------------------------------------------------------------------
def test_without_its_script_no_disk_is_given_and_state_apply_puts_it_back(converged: Lab) -> None:
    end(converged, "node1", "dns")
    converged.on("node1", "rm /etc/xen/scripts/block-saltern")

    assert create(converged, "node1", "dns").returncode != 0
    assert running(converged, "node1") == ["router"]
    assert replica(converged, "node1", "dns") == UNUSED

    made = converge(converged)["node1"]
    assert any("/etc/xen/scripts/block-saltern" in str(each) for each in made.values())
    assert_settled(converged, "dns", "node1")
    wait_until_answering(converged, ["dns"])
