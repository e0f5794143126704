"""What states do around a guard on a node, through Salt's own loaders: key, script, and what others are told."""

from typing import Any

import pytest
from salted import Cluster

from saltern.model.places import GUARD_KEY, GUARD_SCRIPT

TAKEOVER = "  takeover:\n    witness: {minion: elsewhere, address: 192.168.1.192}\n"


@pytest.fixture
def guarded(cluster: Cluster) -> Cluster:
    """The example with automatic takeover; a minion that is no node is the witness."""
    cluster.edit("  nodes:\n    dom0:", f"{TAKEOVER}  nodes:\n    dom0:")
    return cluster


def results(returned: dict[str, Any]) -> dict[str, Any]:
    return {state: each["result"] for state, each in returned.items() if " guard." in state}


def test_a_node_of_a_topology_without_takeover_has_no_state_of_a_guard(cluster: Cluster) -> None:
    assert results(cluster["dom0"].apply("lvm", "guard.key", "guard")) == {}
    assert cluster["dom0"].run("guard.status") == {"configured": False}


def test_a_node_makes_its_key_once_and_tells_the_public_half_alone(guarded: Cluster) -> None:
    node = guarded["dom0"]
    assert node.run("guard.key") is None
    foreseen = node.apply("guard.key", test=True)
    assert set(results(foreseen).values()) == {None}
    assert node.host.read_text(GUARD_KEY) is None
    assert set(results(node.apply("guard.key")).values()) == {True}
    public = node.run("guard.key")
    assert len(public) == 40
    assert node.host.mode(GUARD_KEY) == 0o600
    assert node.host.mode(GUARD_SCRIPT) == 0o755
    assert public not in str(node.host.read_text(GUARD_KEY))
    assert all(each["changes"] == {} for each in node.apply("guard.key").values())
    assert node.run("guard.key") == public


def test_the_witness_is_given_its_share_and_nothing_of_a_node(guarded: Cluster) -> None:
    node = guarded["elsewhere"]
    share = node.loaders.modules["pillar.items"](unmask=True)["saltern"]
    assert list(share) == ["witness"]
    assert share["witness"]["nodes"] == ["dom0", "dom0m"]
    returned = node.apply("guard.witness", test=True)
    assert set(results(returned).values()) <= {None, True}
    assert "dom0 and dom0m" in str(returned)
    assert node.commands() == []
