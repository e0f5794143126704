"""A node is lost: its domains go on at its partner, once, with every record that anybody has seen."""

import signal
from collections.abc import Callable
from functools import partial

import pytest
from applying import converge, wait_until_up_to_date
from by_hand import assert_nobody_lives_twice, begin_to_watch, other, witnessed
from guests import boots, gaps, records, running, served, wait_for_another_record, wait_until_answering

from lab.cluster import NODES, Lab
from lab.errors import LabError
from lab.moments import guard, protected

LOST, PARTNER = NODES
ALL = ["dns", "mail", "router", "vpn"]
TAKEOVER_TIMEOUT_S = 400.0


def log(lab: Lab, node: str) -> str:
    """What the guard of a node has said."""
    return lab.on(node, "cat /var/log/saltern/guard-*.jsonl").stdout


def wait_until_taken_over(lab: Lab, by: str = PARTNER) -> None:
    lab.wait_until(lambda: running(lab, by) == ALL, f"everything runs on {by}", timeout_s=TAKEOVER_TIMEOUT_S)
    wait_until_answering(lab, ALL, node=by)
    wait_for_another_record(lab, ["dns"], node=by)


def assert_no_record_lost(lab: Lab, node: str) -> None:
    """What either node has ever seen of dns is on its disk, and nothing is there twice."""
    assert witnessed(lab) <= set((served(lab, "dns", "counter", node=node) or "").splitlines())
    assert gaps(records(lab, "dns", node=node)) == []


def assert_returned(lab: Lab) -> None:
    """The lost node is back: it starts nothing, an apply has its disks follow those of its partner, and both are protected."""
    assert running(lab, LOST) == []
    converge(lab)
    wait_until_up_to_date(lab)
    assert_both_protected(lab)
    assert running(lab, PARTNER) == ALL


def has_given_up(lab: Lab, node: str) -> bool:
    """Whether a node runs nothing any more: it has ended its domains, or was reset, which leaves a machine of the lab off."""
    try:
        return not lab.runs(node) or running(lab, node) == []
    except LabError:
        return False  # it may be reset in the middle of that


def is_alone_with(lab: Lab, node: str, domains: list[str]) -> bool:
    return guard(lab, node).get("alone") == domains


def assert_both_protected(lab: Lab) -> None:
    for node in NODES:
        lab.wait_until(partial(protected, lab, node), f"{node} is protected", timeout_s=TAKEOVER_TIMEOUT_S)


def lose_power(lab: Lab) -> None:
    lab.power_cut(LOST)


def lose_power_with_the_master(lab: Lab) -> None:
    lab.master.stop()
    lab.power_cut(LOST)


def lose_power_while_the_master_stands_still(lab: Lab) -> None:
    lab.master.signal(signal.SIGSTOP)
    lab.power_cut(LOST)


def master_comes_back(lab: Lab) -> None:
    lab.master.signal(signal.SIGCONT)
    lab.up()


LOSSES: dict[str, Callable[[Lab], None]] = {
    "its power is cut": lose_power,
    "its power is cut, and the master dies with it": lose_power_with_the_master,
    "its power is cut while the master stands still": lose_power_while_the_master_stands_still,
}


@pytest.mark.parametrize("loss", LOSSES)
def test_what_a_lost_node_ran_goes_on_at_its_partner_and_comes_home(guarded: Lab, loss: str) -> None:
    begin_to_watch(guarded, "dns")
    booted = {guest: boots(guarded, guest) for guest in ALL}

    LOSSES[loss](guarded)
    wait_until_taken_over(guarded)

    assert "is proven dead" in log(guarded, PARTNER)
    assert {guest: boots(guarded, guest, node=PARTNER) - booted[guest] for guest in ALL} == {
        "dns": 1, "router": 1, "mail": 0, "vpn": 0,
    }  # fmt: skip
    assert_no_record_lost(guarded, PARTNER)

    master_comes_back(guarded)  # the node gets its power as well
    assert_returned(guarded)
    for guest in ("router", "dns"):
        guarded.salt_run("state.orch", "migrate", f"pillar={{domain: {guest}}}")
    assert_nobody_lives_twice(guarded)
    assert running(guarded, LOST) == ["dns", "router"]
    wait_for_another_record(guarded, ["dns"], node=LOST)
    assert_no_record_lost(guarded, LOST)


def hang(lab: Lab) -> None:
    lab.freeze(LOST)


@pytest.mark.parametrize("loss", [lose_power, hang], ids=["its power is cut", "it hangs"])
def test_a_lost_node_is_switched_off_by_its_board_before_what_it_ran_goes_on(
    fenced: Lab, loss: Callable[[Lab], None]
) -> None:
    begin_to_watch(fenced, "dns")
    loss(fenced)
    wait_until_taken_over(fenced)

    assert not fenced.runs(LOST)
    told = log(fenced, PARTNER)
    assert told.index("fence_redfish has switched it off") < told.index("is to be started here")
    assert_no_record_lost(fenced, PARTNER)

    fenced.up()
    assert_returned(fenced)
    assert_nobody_lives_twice(fenced)
    assert_no_record_lost(fenced, PARTNER)


def test_both_nodes_go_on_when_only_the_link_between_them_is_cut(guarded: Lab) -> None:
    begin_to_watch(guarded, "dns")
    before = {node: running(guarded, node) for node in NODES}
    booted = {guest: boots(guarded, guest) for guest in ALL}

    guarded.cut_link()
    for node in NODES:
        guarded.wait_until(
            partial(is_alone_with, guarded, node, before[node]),
            f"{node} goes on alone with what it runs",
            timeout_s=TAKEOVER_TIMEOUT_S,
        )
    wait_for_another_record(guarded, ["dns", "router"], node=LOST)
    wait_for_another_record(guarded, ["mail", "vpn"], node=PARTNER)
    assert {node: running(guarded, node) for node in NODES} == before
    for node in NODES:
        assert guard(guarded, node)["dead"] == {}

    guarded.heal_link()
    wait_until_up_to_date(guarded)
    guarded.wait_until(lambda: all(is_alone_with(guarded, node, []) for node in NODES), "nobody is alone any more")
    assert {guest: boots(guarded, guest) for guest in ALL} == booted
    assert_no_record_lost(guarded, LOST)


def test_a_node_that_nobody_can_reach_gives_up_what_its_partner_takes_over(guarded: Lab) -> None:
    begin_to_watch(guarded, "dns")
    guarded.isolate(LOST)
    wait_until_taken_over(guarded)

    guarded.end_isolation(LOST)
    assert has_given_up(guarded, LOST)
    assert guarded.runs(LOST), "it had to be reset"
    assert_returned(guarded)
    assert_nobody_lives_twice(guarded)
    assert_no_record_lost(guarded, PARTNER)
    assert "has ended: the domain is ended at once" in log(guarded, LOST)


def test_a_node_that_stood_still_writes_nothing_any_more_and_ends_what_its_partner_has_taken_over(guarded: Lab) -> None:
    begin_to_watch(guarded, "dns")
    guarded.freeze(LOST)
    wait_until_taken_over(guarded)

    guarded.thaw(LOST)
    guarded.wait_until(lambda: has_given_up(guarded, LOST), "nothing runs there any more")
    assert guarded.runs(LOST), "it had to be reset"
    assert_returned(guarded)
    assert_nobody_lives_twice(guarded)
    assert_no_record_lost(guarded, PARTNER)


def test_a_guard_that_is_killed_is_back_and_nothing_has_stopped(guarded: Lab) -> None:
    booted = {guest: boots(guarded, guest) for guest in ALL}
    before = guarded.on(LOST, "systemctl show --property=MainPID --value saltern-guard").stdout
    guarded.on(LOST, f"kill -9 {before.strip()}")
    guarded.wait_until(
        lambda: (
            guarded.on(LOST, "systemctl show --property=MainPID --value saltern-guard").stdout not in ("0\n", before)
        ),
        "the guard runs again",
    )
    assert_both_protected(guarded)
    wait_for_another_record(guarded)
    assert {guest: boots(guarded, guest) for guest in ALL} == booted
    assert "is proven dead" not in log(guarded, other(LOST))


def test_a_copy_whose_disk_was_away_is_not_started_from_when_the_node_that_wrote_on_is_lost(guarded: Lab) -> None:
    """DRBD asks nobody when the disk of a connected node goes away, and calls the copy Consistent when it is attached again."""
    begin_to_watch(guarded, "dns")
    guarded.on(PARTNER, "drbdadm detach dns")
    guarded.wait_until(partial(is_alone_with, guarded, LOST, ["dns"]), f"{LOST} writes dns alone, and knows it")
    wait_for_another_record(guarded, ["dns"], node=LOST)

    guarded.power_cut(LOST)
    guarded.wait_until(
        lambda: "router" in running(guarded, PARTNER),
        f"router runs on {PARTNER}",
        timeout_s=TAKEOVER_TIMEOUT_S,
    )
    guarded.on(PARTNER, "drbdadm attach dns")
    guarded.wait_until(
        lambda: "had gone on alone with it" in str(guard(guarded, PARTNER).get("refused", {}).get("dns")),
        f"{PARTNER} tells why it does not start dns",
    )
    assert guarded.on(PARTNER, "drbdadm dstate dns").stdout.startswith("Consistent")
    assert guard(guarded, PARTNER)["domains"]["dns"]["not_startable"] is None, "its copy does not say so"
    assert running(guarded, PARTNER) == ["mail", "router", "vpn"]

    guarded.up()
    converge(guarded)
    wait_until_up_to_date(guarded)
    guarded.wait_until(lambda: "dns" in running(guarded, LOST), f"dns runs on {LOST}", timeout_s=TAKEOVER_TIMEOUT_S)
    wait_until_answering(guarded, ["dns"], node=LOST)
    assert_nobody_lives_twice(guarded)
    assert_no_record_lost(guarded, LOST)
