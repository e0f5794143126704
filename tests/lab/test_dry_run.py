"""`salt '*' state.apply test=True` changes nothing on a node, whether it is bare or built."""

from applying import NOTHING, apply, changes, converge, failures

from lab.cluster import NODES, Lab

# All that Saltern could change, except what runs: the domains, whose seconds pass, are told by name, number and UUID.
LOOK = (
    "lvs --noheadings -o lv_name,lv_size,lv_tags,lv_attr,lv_uuid XEN",
    "sha256sum /etc/drbd.d/* /etc/xen/* /etc/xen/scripts/* 2> /dev/null",
    "stat -c '%n %Y %i' /etc/drbd.d /etc/xen /etc/drbd.d/* /etc/xen/*",
    "cat /sys/module/drbd/refcnt",
    "drbdsetup show",
    "drbdsetup events2 --now",
    "for each in $(drbdadm sh-resources); do drbdadm get-gi $each; done",
    "xl list -v | awk '{print $1, $2, $7}'",
)


def seen(lab: Lab) -> dict[str, dict[str, str]]:
    """What each of these commands tells on each node."""
    return {node: {line: lab.on(node, line, check=False).stdout for line in LOOK} for node in NODES}


def test_a_dry_run_on_bare_nodes_tells_what_an_apply_makes_and_changes_nothing(bare: Lab) -> None:
    apply(bare, "core")
    before = seen(bare)
    foreseen = apply(bare, test=True)
    assert seen(bare) == before
    assert failures(foreseen) == {node: {} for node in NODES}
    made = converge(bare)
    for node in NODES:
        assert changes(foreseen)[node].keys() == made[node].keys()


def test_a_dry_run_on_converged_nodes_foresees_nothing_and_changes_nothing(converged: Lab) -> None:
    before = seen(converged)
    foreseen = apply(converged, test=True)
    assert seen(converged) == before
    assert failures(foreseen) == {node: {} for node in NODES}
    assert changes(foreseen) == NOTHING
