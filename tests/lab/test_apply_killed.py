"""A run of state.apply that is ended in the middle of a layer, at its exact moment, is taken up by the next one."""

import pytest
from applying import assert_converged, begin_apply, converge, wait_for_the_end_of_all_jobs
from guests import at_home
from stopping import (
    BEFORE,
    Moment,
    arm,
    at_the_moment,
    disarm,
    kill_minion,
    start_minion,
    while_domain_appears,
)

from lab.cluster import NODES, Lab


def moments(node: str) -> dict[str, Moment]:
    """Where the run on a node is ended: one moment in every layer, in the order in which they come."""
    first = {"node1": "router", "node2": "mail"}[node]
    assert first in at_home(node)
    return {
        "volume created": Moment("lvcreate", ".", nth=3),
        "resource file written": Moment("drbdadm", "-c /dev/stdin dump", nth=2, done=BEFORE),
        "metadata created": Moment("drbdadm", "^create-md"),
        "marks changed": Moment("lvchange", "--deltag"),
        "resource up": Moment("drbdadm", "^adjust"),
        "first synchronisation started": Moment("drbdadm", "^primary --force"),
        "domain file written": Moment("xl", "^create -n", nth=2, done=BEFORE),
        "domain being created": Moment("xl", f"^create .*/{first}.cfg", done=while_domain_appears(first)),
    }


@pytest.mark.parametrize("victims", [["node1"], ["node1", "node2"]], ids=" and ".join)
def test_a_run_whose_minion_was_killed_in_every_layer_is_taken_up_by_the_next(bare: Lab, victims: list[str]) -> None:
    others = [node for node in NODES if node not in victims]
    for moment in moments("node1"):
        arm(bare, victims, [moments(node)[moment] for node in victims])
        begin_apply(bare)
        at_the_moment(bare, victims, lambda node: kill_minion(bare, node))
        disarm(bare, victims)
        start_minion(bare, victims)
        wait_for_the_end_of_all_jobs(bare, others)
    converge(bare)
    assert_converged(bare)


@pytest.mark.parametrize("victims", [["node2"], ["node1", "node2"]], ids=" and ".join)
def test_a_run_that_lost_power_is_taken_up_by_the_next(bare: Lab, victims: list[str]) -> None:
    for moment in ("metadata created", "first synchronisation started", "domain being created"):
        arm(bare, victims, [moments(node)[moment] for node in victims])
        begin_apply(bare)
        at_the_moment(bare, victims, bare.power_cut)
        bare.up()
        disarm(bare, victims)
        wait_for_the_end_of_all_jobs(bare, list(NODES))
    converge(bare)
    assert_converged(bare)
