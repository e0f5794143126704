"""Guards and a witness as real processes on simulated nodes: what is lost comes back on the partner, once."""

from collections.abc import Iterator

import guarded
import pytest
from guarded import Guarded, eventually


@pytest.fixture(scope="module")
def world() -> str:
    return guarded.converged_world()


@pytest.fixture
def nodes(world: str) -> Iterator[Guarded]:
    directory = guarded.directory()
    made = Guarded(directory)
    made.build(world)
    yield made
    made.close()
    guarded.remove(directory)


def test_a_lost_nodes_domain_starts_on_its_partner_once(nodes: Guarded) -> None:
    nodes.start_all()
    nodes.cut_power("dom0")
    eventually("dns runs on dom0m", lambda: nodes.live("dns") == ["dom0m"])
    assert nodes.live("mail") == ["dom0m"]
    assert [line for line in nodes.log("dom0m") if line.startswith("node dom0: is proven dead")]
