"""Guards with fence agents, as real processes on simulated nodes: without a witness nothing starts before a node is off."""

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import guarded
import pytest
from guarded import WITNESS, Guarded, other, times

from saltern.guarding.fence_peer import FENCED
from saltern.guarding.local import NoGuard, ask
from saltern.sim import fence_agent

SECRET = "hush-hush-4711"  # noqa: S105 - of a simulated agent


class Fenced(Guarded):
    """Two nodes whose guards have agents."""

    def use_agents(self, password: str, *, timeout_s: float = 60.0, **changed: Any) -> None:
        """The administrator's command is told what happens as well."""
        super().use_agents(password, timeout_s=timeout_s, **{"notify": [str(self._program())], **changed})

    def _program(self) -> Path:
        """The administrator's, which keeps what it is told."""
        program = self.directory / "tell"
        program.write_text(f"#!/bin/sh\ncat >>{self.directory}/told\n")
        program.chmod(0o755)
        return program

    def is_told(self, node: str, *events: str) -> None:
        """The administrator's command is given these by a guard, each once and in that order, whatever else it is given."""
        self.eventually(f"{events} are told", lambda: self._told(node, events) == [*events])

    def _told(self, node: str, events: Collection[str]) -> list[str]:
        kept = self.directory / "told"
        lines = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
        return [line["event"] for line in lines if line["node"] == node and line["event"] in events]

    def says(self, node: str, words: str) -> bool:
        """Whether a guard says that of its agent."""
        status = self.status(node)
        return status is not None and words in (status["agents"][other(node)] or "")

    def calls(self, node: str) -> list[str]:
        """How the agent was called there, and for what."""
        return Path(self.root(node), "var/log/fence.log").read_text().splitlines()

    def be(self, how: str) -> None:
        fence_agent.be(self.world_file, how)

    def lonely(self) -> bool:
        """Whether nothing of dom0 runs on dom0m."""
        return self.domains("dom0m") == ["mail"]


@pytest.fixture(scope="module")
def world() -> str:
    return guarded.converged_world()


@pytest.fixture
def nodes(world: str) -> Iterator[Fenced]:
    directory = guarded.directory()
    made = Fenced(directory)
    try:
        made.build(world)
        yield made
    finally:
        made.close()
        guarded.remove(directory)


def secrets_told(nodes: Fenced) -> list[str]:
    """The files in which the secret stands, beside those that are to have it."""
    return [
        str(path)
        for path in nodes.directory.rglob("*")
        if path.is_file() and path.name != "guard.json" and SECRET.encode() in path.read_bytes()
    ]


def says_dead(nodes: Fenced, node: str) -> dict[str, Any]:
    """What the guard of the other node answers when somebody says that this one is off."""
    try:
        return ask(nodes.root(other(node)), {"ask": "confirm dead", "node": node, "who": "anna"}, 60.0)
    except NoGuard as error:
        return {"error": str(error)}


def taken(reply: dict[str, Any]) -> dict[str, Any] | None:
    return None if "error" in reply else reply


def test_what_a_lost_node_ran_starts_when_the_agent_has_seen_it_off_and_stays_there_when_it_returns(
    nodes: Fenced,
) -> None:
    nodes.use_agents(SECRET, witness=None)
    nodes.start_fenced()
    nodes.cut_power("dom0")
    nodes.eventually("dns runs on dom0m", lambda: nodes.live("dns") == ["dom0m"])
    assert nodes.fence_peer("dom0m", "mail") == FENCED
    assert f"{fence_agent.NAME}: off dom0" in nodes.calls("dom0m")
    nodes.is_told("dom0m", "fencing-begins", "node-fenced", "node-dead", "domain-started")
    nodes.boot("dom0")
    nodes.eventually("dom0 no longer counts as dead", lambda: (nodes.status("dom0m") or {"dead": 1})["dead"] == {})
    assert nodes.live("dns") == nodes.live("mail") == ["dom0m"]
    assert secrets_told(nodes) == []


def test_a_node_that_nobody_hears_is_switched_off_before_anything_of_it_starts(nodes: Fenced) -> None:
    nodes.use_agents(SECRET, witness=None)
    nodes.start_fenced()
    nodes.be("fails")  # for as long as both try
    nodes.isolate("dom0")
    nodes.eventually("it is tried", lambda: any("off" in line.split() for line in nodes.calls("dom0m")))
    nodes.kill("dom0")  # the one that would win the duel, perhaps
    assert nodes.live("dns") == ["dom0"]
    nodes.be("well")
    nodes.eventually("dns starts on dom0m", lambda: nodes.live("dns") == ["dom0m"])
    with nodes.world() as world:
        assert not world.nodes["dom0"].powered


def test_where_the_agent_fails_nothing_starts_before_a_person_has_looked(nodes: Fenced) -> None:
    nodes.use_agents(SECRET, witness=None)
    nodes.start_fenced()
    nodes.eventually("it is heard", lambda: "it was heard, or replicated" in says_dead(nodes, "dom0")["error"])
    nodes.be("fails")
    nodes.cut_power("dom0")
    nodes.eventually("it says why", lambda: nodes.says("dom0m", "has ended `off` with exit code 1"))
    assert nodes.lonely()
    reply = nodes.eventually("it takes her word", lambda: taken(says_dead(nodes, "dom0")))
    assert reply == {"dead": "dom0", "who": "anna"}
    nodes.eventually("dns runs on dom0m", lambda: nodes.live("dns") == ["dom0m"])
    assert "node dom0: anna has looked, and says that it is off" in nodes.log("dom0m")
    nodes.is_told("dom0m", "fencing-begins", "fencing-failed", "death-confirmed", "node-dead", "domain-started")
    assert secrets_told(nodes) == []


def test_an_agent_that_hangs_is_given_up_and_asked_again(nodes: Fenced) -> None:
    nodes.use_agents(SECRET, witness=None, timeout_s=10 * times().beat_s)
    nodes.start_fenced()
    nodes.be("hangs")
    nodes.cut_power("dom0")
    nodes.eventually("it is given up", lambda: nodes.says("dom0m", "has not ended `off` within"))
    assert nodes.lonely()
    nodes.be("well")
    nodes.eventually("dns runs on dom0m", lambda: nodes.live("dns") == ["dom0m"])
    assert nodes.calls("dom0m").count(f"{fence_agent.NAME}: off dom0") > 1


def test_beside_a_lease_an_agent_that_lies_does_no_harm(nodes: Fenced) -> None:
    nodes.use_agents(SECRET)
    nodes.start_all()
    nodes.be("lies")
    nodes.isolate("dom0")

    def starts() -> bool:
        assert len(nodes.live("dns")) < 2, "dns lives twice"
        return nodes.live("dns") == ["dom0m"]

    nodes.eventually("dns starts on dom0m", starts)
    assert nodes.is_alive(WITNESS)
    assert nodes.domains("dom0") == []
    assert any("says that it is off" in line for line in nodes.log("dom0m"))
