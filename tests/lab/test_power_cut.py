"""Nodes that lose power while their guests write: no metadata are created again, and no data go back (transcripts 262-264)."""

import pytest
from applying import assert_converged, converge
from generations import generations, go_on
from guests import HOMES, boots, gaps, records, wait_for_another_record
from stopping import record_calls, recorded_calls

from lab.cluster import NODES, Lab


@pytest.mark.parametrize("victims", [["node1"], ["node2"], ["node1", "node2"]], ids=" and ".join)
def test_metadata_and_data_go_on_where_the_power_was_cut(converged: Lab, victims: list[str]) -> None:
    wait_for_another_record(converged)
    histories = {node: generations(converged, node) for node in NODES}
    written = {guest: records(converged, guest) for guest in HOMES}
    started = {guest: boots(converged, guest) for guest in HOMES}

    for node in victims:
        converged.power_cut(node)
    converged.up()
    for node in NODES:
        assert go_on(histories[node], generations(converged, node)), node
        record_calls(converged, node, "drbdadm", "drbdmeta")
    converge(converged)

    assert_converged(converged)
    wait_for_another_record(converged)
    for node in NODES:
        assert go_on(histories[node], generations(converged, node)), node
        calls = recorded_calls(converged, node)
        assert calls != []
        assert [call for call in calls if "create-md" in call or "wipe-md" in call or "--force" in call] == []
    for guest, home in HOMES.items():
        now = records(converged, guest)
        assert set(written[guest]) < set(now)
        assert gaps(now) == []
        assert boots(converged, guest) == started[guest] + (home in victims)
