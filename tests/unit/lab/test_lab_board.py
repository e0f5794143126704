"""The boards of the lab take the power from the right machine, for who knows the password; a real agent asks them."""

import http.client
import ssl
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.ports import free_ports
from lab import process
from lab.board import FORCE_OFF, USER, BoardService, system_uri
from lab.patience import wait_until
from saltern.errors import Refused
from saltern.guarding.agents import switch_off, try_out
from saltern.model.topology import FenceAgent
from saltern.run import LocalHost

NODES = ("node1", "node2")
GUESSED = "guessed-by-somebody"


class Bench:
    """Two processes that stand for machines, and their boards."""

    def __init__(self, directory: Path) -> None:
        (self.port,) = free_ports(1)
        self.records = {node: directory / f"{node}.pid" for node in NODES}
        for record in self.records.values():
            process.spawn(["sleep", "600"], record=record, log=directory / "log")
        self.service = BoardService(directory / "boards", self.port, self.records)
        self.service.start()
        wait_until(self.answers, "the boards answer", timeout_s=30)

    def close(self) -> None:
        self.service.stop()
        for record in self.records.values():
            process.kill(record)

    @property
    def password(self) -> str:
        (found,) = {str(each["options"]["password"]) for each in self.section.values()}
        return found

    @property
    def section(self) -> dict[str, Any]:
        found: dict[str, Any] = self.service.section("127.0.0.1")
        return found

    def agent(self, node: str, **other: Any) -> FenceAgent:
        """As the topology of the lab has it, but for the port: there the machine forwards it."""
        given = self.section[node]
        options = {**given["options"], "ipport": self.port, **other}
        return FenceAgent(
            agent=given["agent"], options={name: str(value) for name, value in options.items()}, timeout_s=60.0
        )

    def ask(self, verb: str, uri: str, body: str = "", password: str | None = None) -> int:
        context = ssl.create_default_context(cafile=str(self.service.certificate))
        context.check_hostname = False
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=context)
        words = f"{USER}:{self.password if password is None else password}"
        connection.request(verb, uri, body, {"Authorization": f"Basic {b64encode(words.encode()).decode()}"})
        return connection.getresponse().status

    def answers(self) -> bool:
        try:
            return self.ask("GET", "/redfish/v1") == 200
        except OSError:
            return False

    def running(self) -> list[str]:
        return [node for node, record in self.records.items() if process.running(record) is not None]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


def reset(node: str) -> str:
    return f"{system_uri(node)}/Actions/ComputerSystem.Reset"


def test_a_board_takes_the_power_from_its_own_machine(bench: Bench) -> None:
    assert bench.ask("POST", reset("node1"), f'{{"ResetType": "{FORCE_OFF}"}}') == 204
    assert bench.running() == ["node2"]


@pytest.mark.parametrize("body", ["", "{}", "[]", "null", '{"ResetType": "On"}', '{"ResetType": ["ForceOff"]}'])
def test_what_is_not_understood_is_refused_and_takes_nothing(bench: Bench, body: str) -> None:
    assert bench.ask("POST", reset("node1"), body) == 400
    assert bench.running() == ["node1", "node2"]


def test_who_does_not_know_the_password_is_told_nothing_and_takes_nothing(bench: Bench) -> None:
    assert bench.ask("GET", system_uri("node1"), password=GUESSED) == 401
    assert bench.ask("POST", reset("node1"), f'{{"ResetType": "{FORCE_OFF}"}}', password=GUESSED) == 401
    assert bench.running() == ["node1", "node2"]


def test_there_is_no_other_machine(bench: Bench) -> None:
    assert bench.ask("GET", system_uri("node3")) == 404
    assert bench.ask("POST", reset("node3"), f'{{"ResetType": "{FORCE_OFF}"}}') == 404


@pytest.mark.needs_tool("fence_redfish")
def test_an_agent_of_clusterlabs_switches_a_node_off_as_the_guard_has_it(bench: Bench) -> None:
    host = LocalHost()
    try_out(host, "node1", bench.agent("node1"))
    switch_off(host, "node1", bench.agent("node1"))
    assert bench.running() == ["node2"]
    switch_off(host, "node1", bench.agent("node1"))  # what is off already is off
    with pytest.raises(Refused, match="exit code 1") as refused:
        switch_off(host, "node2", bench.agent("node2", password=GUESSED))
    assert GUESSED not in str(refused.value)
    assert bench.running() == ["node2"]


def test_boards_that_are_started_again_keep_their_password(bench: Bench) -> None:
    before = bench.section
    bench.service.stop()
    assert not bench.answers()
    bench.service.start()
    wait_until(bench.answers, "the boards answer", timeout_s=30)
    assert bench.section == before
