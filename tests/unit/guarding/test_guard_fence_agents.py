"""Fence agents as the guard runs them: what they are given, what counts as off, and that no option is told."""

import json
from collections.abc import Mapping
from pathlib import Path
from queue import SimpleQueue

import pytest

from saltern.errors import Refused
from saltern.guarding.agents import Agents, Fenced, switch_off, try_out
from saltern.guarding.events import Event
from saltern.guarding.journal import Journal
from saltern.model.topology import FenceAgent
from saltern.run import LocalHost

OPTIONS = {"ip": "10.0.9.190", "password": "hush=hush", "plug": "3", "lanplus": "1"}
_KEEPS = r"""
echo "arguments: $*" >>$given
options=$(cat)
printf '%s\n--\n' "$options" >>$given
action=${options##*action=}
"""


class Node:
    """A node with a program ``fence_test``, which keeps what it is given and then runs a script."""

    def __init__(self, root: Path) -> None:
        self.root, self.given = root, root / "given"
        self.host = LocalHost(root=str(root), environment={"PATH": f"{root}/bin:/usr/bin:/bin"})

    def install(self, script: str) -> None:
        program = self.root / "bin" / "fence_test"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\ngiven={self.given}\n{_KEEPS}\n{script}\n")
        program.chmod(0o755)

    def events(self) -> list[tuple[str, str, str]]:
        lines = [json.loads(line) for line in self.log().splitlines()]
        return [(line["event"], line["subject"], line["words"]) for line in lines if "event" in line]

    def log(self) -> str:
        return "".join(each.read_text() for each in (self.root / "var/log/saltern").glob("guard-*.jsonl"))


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def agent(options: Mapping[str, str] = OPTIONS, timeout_s: float = 60.0) -> FenceAgent:
    return FenceAgent(agent="fence_test", options=options, timeout_s=timeout_s)


def script(off: int, status: int) -> str:
    return f'case "$action" in off) exit {off};; status) exit {status};; esac; exit 9'


def test_an_agent_is_given_its_options_on_standard_input_and_asked_again_whether_the_node_is_off(node: Node) -> None:
    node.install(script(off=0, status=2))
    switch_off(node.host, "dom0", agent())
    options = "ip=10.0.9.190\npassword=hush=hush\nplug=3\nlanplus=1\nnodename=dom0\n"
    assert node.given.read_text() == "".join(
        f"arguments: \n{options}action={action}\n--\n" for action in ("off", "status")
    )


@pytest.mark.parametrize(
    ("off", "status", "why"),
    [
        (0, 0, "and then that it is on"),
        (0, 1, "has ended `status` with exit code 1"),
        (1, 2, "has ended `off` with exit code 1"),
        (2, 2, "has ended `off` with exit code 2"),
        (0, 3, "has ended `status` with exit code 3"),
    ],
)
def test_nothing_but_success_and_a_status_of_off_counts(node: Node, off: int, status: int, why: str) -> None:
    node.install(script(off, status))
    with pytest.raises(Refused, match="agent of dom0") as refused:
        switch_off(node.host, "dom0", agent())
    assert why in refused.value.reason


def test_an_agent_that_hangs_is_killed(node: Node) -> None:
    node.install("sleep 600")
    with pytest.raises(Refused, match=r"has not ended `status` within 0\.5 s"):
        try_out(node.host, "dom0", agent(timeout_s=0.5))


def test_an_agent_that_is_not_there_is_named_with_its_package(node: Node) -> None:
    with pytest.raises(Refused, match="no fence_test on this node; Debian has it in the package fence-agents"):
        try_out(node.host, "dom0", agent())


@pytest.mark.parametrize("status", [0, 2])
def test_an_agent_works_whether_its_node_is_on_or_off(node: Node, status: int) -> None:
    node.install(script(off=9, status=status))
    try_out(node.host, "dom0", agent())


@pytest.mark.parametrize(
    ("says", "shown"),
    [
        ("Connection timed out", "Connection timed out"),
        ("first\nConnection refused", "Connection refused"),
        ("Parse error: Ignoring unknown option 'password=hush=hush'", "what is not shown"),
        ("cannot reach 10.0.9.190", "what is not shown"),
        ("no outlet 3", "what is not shown"),
        ("at 10:13:30: failed", "at 10:13:30: failed"),
        ("see above\nlogin as admin:hush=hush@bmc", "see above"),
        ("", "nothing"),
    ],
)
def test_what_an_agent_says_is_told_without_any_of_its_options(node: Node, says: str, shown: str) -> None:
    (node.root / "says").write_text(says)
    node.install(f"cat {node.root}/says >&2; exit 1")
    with pytest.raises(Refused) as refused:
        try_out(node.host, "dom0", agent())
    assert f"and said: {shown}" in refused.value.reason
    assert "hush" not in str(refused.value)


class Telling(Journal):
    """A log that can be waited for."""

    def __init__(self, node: Node) -> None:
        super().__init__(node.host, "guard")
        self.said: SimpleQueue[str] = SimpleQueue()

    def say(self, subject: str, words: str, event: Event | None = None) -> bool:
        told = super().say(subject, words, event)
        self.said.put(subject)
        return told

    def wait_for(self, subject: str) -> None:
        while self.said.get(timeout=120) != subject:
            pass


class Several:
    """The one agent of a guard, and how its end is waited for."""

    def __init__(self, node: Node) -> None:
        self.journal, self.ends = Telling(node), SimpleQueue[None]()
        self.agents = Agents(node.host, {"dom0": agent()}, lambda: self.ends.put(None), self.journal)

    def fence(self) -> list[Fenced]:
        self.agents.fence("dom0")
        self.ends.get(timeout=120)
        return self.agents.ended()


def test_what_came_of_it_is_told_and_why_it_did_not_succeed(node: Node) -> None:
    one = Several(node)
    assert one.agents.trouble == {"dom0": "it was not tried out yet"}
    node.install(f"echo password=hush=hush; {script(off=1, status=0)}")
    assert one.fence() == [Fenced("dom0", off=False)]
    assert "with exit code 1" in str(one.agents.trouble["dom0"])
    node.install(script(off=0, status=2))
    assert one.fence() == [Fenced("dom0", off=True)]
    assert (one.agents.ended(), one.agents.trouble) == ([], {"dom0": None})
    assert "fence_test has switched it off, and says that it is off" in node.log()
    assert "hush" not in node.log()


def test_a_guard_tries_its_agents_out_when_it_begins(node: Node) -> None:
    node.install(script(off=9, status=0))
    one = Several(node)
    one.agents.start()
    one.journal.wait_for("agent of dom0")
    assert (one.agents.trouble, one.agents.ended()) == ({"dom0": None}, [])
    assert node.events() == []


def test_an_agent_that_does_not_work_when_it_is_tried_out_is_an_event(node: Node) -> None:
    one = Several(node)
    node.install("echo password=hush=hush >&2; echo no route to host >&2; exit 1")
    one.agents.start()
    one.journal.wait_for("agent of dom0")
    reason = "fence_test has ended `status` with exit code 1, and said: no route to host"
    assert node.events() == [("agent-fails", "agent of dom0", reason)]


BEGINS = ("fencing-begins", "node dom0", "its fence agent is asked to switch it off")
FENCED = ("node-fenced", "fencing of dom0", "fence_test has switched it off, and says that it is off")


def failed(code: int) -> tuple[str, str, str]:
    reason = f"fence_test has ended `off` with exit code {code}, and said: no route to host"
    return "fencing-failed", "fencing of dom0", reason


def test_an_attempt_its_failure_and_its_success_are_events_without_a_secret(node: Node) -> None:
    one = Several(node)
    says = "echo password=hush=hush >&2; echo no route to host >&2"
    for how in (f"{says}; exit 1", f"{says}; exit 1", f"{says}; exit 3", script(off=0, status=2)):
        node.install(how)
        one.fence()
    assert node.events() == [BEGINS, failed(1), failed(3), FENCED]
    assert "hush" not in node.log()


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("echo no route to host >&2; exit 1", failed(1)),
        (script(off=0, status=2), FENCED),
    ],
)
def test_of_a_node_that_was_heard_since_the_same_is_told_again(
    node: Node, how: str, told: tuple[str, str, str]
) -> None:
    one = Several(node)
    node.install(how)
    one.fence()
    one.journal.say("node dom0", "is heard")
    one.fence()
    assert node.events() == [BEGINS, told] * 2
