"""A node that was installed anew joins with state.apply, and is synchronised from its partner, never the other way."""

from applying import apply, assert_converged, converge, failures
from generations import generations, go_on
from guests import HOMES, at_home, boots, gaps, records, running, wait_for_another_record
from stopping import record_calls, recorded_calls

from lab.cluster import NODES, Lab

# By resource: its DRBD device and its volume.
DEVICES = {"router": 4, "dns": 1, "vpn": 5, "mail": 2, "mail-xvdb": 3}


def contents(lab: Lab, node: str) -> dict[str, str]:
    """The checksum of what is on each volume of data; meaningful while nobody writes."""
    names = " ".join(DEVICES)
    line = f"for each in {names}; do echo $each $(sha256sum < /dev/XEN/$each); done"
    return dict(each.split()[:2] for each in lab.on(node, line, timeout_s=300).stdout.splitlines())


def shut_down_all(lab: Lab) -> None:
    for node in NODES:
        for guest in running(lab, node):
            lab.on(node, f"xl shutdown {guest}")
    for node in NODES:
        lab.wait_until(lambda node=node: running(lab, node) == [], f"no domain is left on {node}", timeout_s=300)


def test_a_node_installed_anew_is_synchronised_from_its_partner_whose_domains_never_stop(converged: Lab) -> None:
    wait_for_another_record(converged)
    history = generations(converged, "node2")
    written = {guest: records(converged, guest) for guest in HOMES}
    started = {guest: boots(converged, guest) for guest in HOMES}

    converged.reinstall("node1")
    converged.make_volume_groups()
    record_calls(converged, "node1", "drbdadm")
    record_calls(converged, "node2", "drbdadm")

    # First without its partner: an empty home declares nothing good, and starts nothing.
    converged.cut_link()
    failed = failures(apply(converged, target="node1"))["node1"]
    assert {f"{guest} domain_running xen.domain_running" for guest in at_home("node1")} <= failed.keys()
    assert running(converged, "node1") == []
    converged.heal_link()

    converge(converged, most=5)

    assert_converged(converged)
    wait_for_another_record(converged)
    for node in NODES:
        assert [call for call in recorded_calls(converged, node) if "--force" in call or "discard" in call] == []
        assert go_on(history, generations(converged, node)), node
    for guest, home in HOMES.items():
        now = records(converged, guest)
        assert set(written[guest]) < set(now)
        assert gaps(now) == []
        assert boots(converged, guest) == started[guest] + (home == "node1")

    shut_down_all(converged)
    assert contents(converged, "node1") == contents(converged, "node2")
