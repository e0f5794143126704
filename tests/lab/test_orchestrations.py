"""`salt-run state.orch` on real nodes: domains move, stop and start; what is killed half-way is settled by the next apply."""

from collections.abc import Callable

import pytest
from applying import LEFT_AFTER_S, converge, orchestrate, orchestrating, wait_until_up_to_date
from by_hand import Watched, assert_nobody_lives_twice, assert_settled, begin_to_watch, domains, witnessed
from guests import at_home, gaps, records, running, served, wait_for_another_record, wait_until_answering

from lab.cluster import NODES, Lab

SOURCE, TARGET = NODES
OPERATION = "/var/lib/saltern/operations/dns.json"
MOMENTS = {
    "while its memory is copied": "until xl domid dns--incoming; do sleep 0.1; done",
    "while both sides are Primary": "until grep ro:Primary/Primary /proc/drbd; do sleep 0.02; done",
}
# The runner is not among the nodes: it is ended by whoever started it. The brackets keep pkill from the shell it is started by.
FAULTS: dict[str, Callable[[Lab], object]] = {
    "the runner is killed": lambda lab: None,
    "the source's minion is killed": lambda lab: lab.on(SOURCE, "systemctl kill --signal=KILL salt-minion"),
    "xl is killed": lambda lab: lab.on(SOURCE, "pkill -KILL -f '[x]l migrate'"),
    "the sender is killed": lambda lab: lab.on(SOURCE, "pkill -KILL -f '[o]peration send'"),
    "the receiver is killed": lambda lab: lab.on(TARGET, "pkill -KILL -f '[o]peration receive'"),
    "the target loses its power": lambda lab: lab.power_cut(TARGET),
    "the source loses its power": lambda lab: lab.power_cut(SOURCE),
    "the cable is pulled": lambda lab: lab.cut_link(),
}


def entered(lab: Lab) -> list[str]:
    return [node for node in NODES if lab.on(node, f"test -e {OPERATION}", check=False).returncode == 0]


def test_a_running_guest_moves_and_comes_home_with_the_rest(converged: Lab) -> None:
    dns = Watched(converged, "dns", SOURCE)

    told = orchestrate(converged, "migrate", domain="dns")

    assert "two Primaries were allowed: dns for " in told, told
    assert entered(converged) == []
    assert_settled(converged, "dns", TARGET)
    dns.assert_goes_on(TARGET)

    orchestrate(converged, "return")

    assert_settled(converged, "dns", SOURCE)
    dns.assert_goes_on(SOURCE)
    for node in NODES:
        assert running(converged, node) == at_home(node)


def test_a_stopped_guest_stays_so_and_is_moved_offline(converged: Lab) -> None:
    wait_until_answering(converged, ["dns"])
    orchestrate(converged, "stop", domain="dns")
    converge(converged)
    assert "dns" not in running(converged, SOURCE)

    orchestrate(converged, "start", domain="dns")
    wait_until_answering(converged, ["dns"])
    orchestrate(converged, "migrate", domain="dns", offline=True)

    assert "dns" in running(converged, TARGET)
    assert_settled(converged, "dns", TARGET)
    wait_until_answering(converged, ["dns"], node=TARGET)
    assert gaps(records(converged, "dns", node=TARGET)) == []


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_killed_half_way_is_settled_by_the_next_apply(converged: Lab, fault: str, moment: str) -> None:
    begin_to_watch(converged, "dns")
    with orchestrating(converged, "migrate", domain="dns"):
        converged.on(TARGET, f"{{ {MOMENTS[moment]}; }} > /dev/null 2>&1")
        FAULTS[fault](converged)
    assert_nobody_lives_twice(converged)
    converged.heal_link()
    if fault == "the source's minion is killed":
        converged.on(SOURCE, "systemctl start salt-minion")  # its unit leaves that to a person
    converged.up()
    assert_nobody_lives_twice(converged)
    converged.on(SOURCE, f"sleep {LEFT_AFTER_S}", timeout_s=LEFT_AFTER_S + 60)

    if fault == "the cable is pulled" and moment == "while both sides are Primary":
        decide_split_brain(converged)
    converge(converged)

    assert_nobody_lives_twice(converged)
    assert entered(converged) == []
    (node,) = [node for node in NODES if any(each.name == "dns" and each.live for each in domains(converged, node))]
    wait_until_up_to_date(converged)
    assert_settled(converged, "dns", node)
    wait_until_answering(converged, ["dns"], node=node)
    wait_for_another_record(converged, ["dns"], node=node)
    assert witnessed(converged) <= set((served(converged, "dns", "counter", node=node) or "").splitlines())
    assert gaps(records(converged, "dns", node=node)) == []


def decide_split_brain(lab: Lab) -> None:
    """What DRBD calls one when a cable is cut while both sides are Primary; a person keeps the side where the guest lives."""
    for node in NODES:
        lab.salt(node, "operation.settle", "dns", check=False)
    if "cs:StandAlone" not in lab.on(SOURCE, "cat /proc/drbd").stdout + lab.on(TARGET, "cat /proc/drbd").stdout:
        return
    lives = [node for node in NODES if any(each.name == "dns" and each.live for each in domains(lab, node))]
    kept = [*lives, SOURCE][0]
    (dropped,) = [node for node in NODES if node != kept]
    lab.on(dropped, "drbdadm disconnect dns; drbdadm secondary dns && drbdadm connect --discard-my-data dns")
    lab.on(kept, "drbdadm disconnect dns; drbdadm connect dns")
