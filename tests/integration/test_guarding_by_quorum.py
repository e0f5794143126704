"""Guards as real processes on three simulated nodes with DRBD 9: quorum by a tie-breaker is the proof, and nothing else."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import guarded
import pytest
from guarded import NODES, TOPOLOGY, Guarded
from pair import slices
from tied import ALL, THIRD, tied, tied_world

from demo.pace import soonest

SHARES = slices(tied(TOPOLOGY))
_DETECT_S = 2.0  # the simulated DRBD notices at once


class Tied(Guarded):
    """The two nodes that run what belongs there, and their guards; the tie-breaker has none."""

    def __init__(self, folder: Any) -> None:
        self.times = soonest(replace(guarded.times(), detect_s=_DETECT_S))
        super().__init__(folder, {name: SHARES[name] for name in NODES}, self.times)

    def write_settings(self, node: str, **changed: Any) -> None:
        super().write_settings(node, **{"witness": None, "quorum": True, **changed})

    def isolate(self, node: str) -> None:
        self.silence(node)
        with self.world() as world:
            for other in ALL.keys() - {node}:
                world.cut_link(node, other)


@pytest.fixture(scope="module")
def world() -> str:
    return tied_world(SHARES).to_json()


@pytest.fixture
def nodes(world: str) -> Iterator[Tied]:
    directory = guarded.directory()
    made = Tied(directory)
    try:
        made.build(world)
        made.start_fenced()
        yield made
    finally:
        made.close()
        guarded.remove(directory)


def never_twice(nodes: Tied, found: Callable[[], Any]) -> Callable[[], Any]:
    """The same question, with a look before it whether any domain lives on both nodes."""

    def asked() -> Any:
        for domain in ("dns", "mail"):
            assert len(nodes.live(domain)) < 2, f"{domain} lives twice"
        return found()

    return asked


def test_what_a_lost_node_ran_is_held_and_then_starts_on_its_partner(nodes: Tied) -> None:
    lost_s = time.monotonic()
    nodes.cut_power("dom0")
    nodes.eventually("dns runs on dom0m", never_twice(nodes, lambda: nodes.live("dns") == ["dom0m"]))
    assert time.monotonic() - lost_s > nodes.times.takeover_s
    nodes.eventually("it is told", never_twice(nodes, lambda: "domain dns: started" in nodes.log("dom0m")))
    assert nodes.live("mail") == ["dom0m"]
    assert [line for line in nodes.log("dom0m") if line.startswith("resources of dns")] == [
        "resources of dns: are Primary here"
    ]


def test_a_node_that_is_cut_off_stops_its_domains_before_they_start_elsewhere(nodes: Tied) -> None:
    nodes.isolate("dom0")
    nodes.eventually("dns starts on dom0m", never_twice(nodes, lambda: nodes.live("dns") == ["dom0m"]))
    assert nodes.domains("dom0") == []
    assert any("has ended" in line for line in nodes.log("dom0"))


def test_without_the_tie_breaker_nothing_happens(nodes: Tied) -> None:
    with nodes.world() as world:
        world.power_cut(THIRD)
    until_s = time.monotonic() + nodes.times.takeover_s + nodes.times.dead_s
    while time.monotonic() < until_s:
        assert (nodes.live("dns"), nodes.live("mail")) == (["dom0"], ["dom0m"])
        time.sleep(0.5)
    said = [line for node in NODES for line in nodes.log(node)]
    assert not [line for line in said if "resources of" in line or "has ended" in line]
