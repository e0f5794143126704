"""The runner `cluster` as Salt loads it, with nodes whose answers come from the simulator."""

import contextlib
import copy
import os
import pty
import re
import sys
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import salt.client
import salt.loader
from nodes import MIGRATION
from salted import NODES, Cluster
from saltfactories.utils.functional import Loaders

from saltern import operations
from saltern.model.operation import OperationKind
from saltern.model.places import stopped_file
from saltern.plan.operation import LEFT_AFTER_S

RUNNERS = Path(__file__).parents[2] / "salt" / "_runners"


class Client:
    """Salt's client, as far as the runner uses it: each node is asked for one function, or for several in one call."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.silent: set[str] = set()
        self.missing: set[str] = set()

    def cmd(
        self, nodes: list[str], functions: Any, arguments: list[Any], kwarg: Any = None, **_named: Any
    ) -> dict[str, Any]:
        if isinstance(functions, str):
            said = self.cmd(nodes, [functions], [arguments], kwarg)
            return {
                node: {"ret": each[functions], "retcode": int("Traceback" in str(each[functions]))}
                for node, each in said.items()
            }
        return {
            node: {
                function: self._run(node, function, given, kwarg or {})
                for function, given in zip(functions, arguments, strict=True)
            }
            for node in nodes
            if node not in self.silent
        }

    def _run(self, node: str, function: str, arguments: list[Any], named: dict[str, Any]) -> Any:
        if function in self.missing:
            return "Traceback (most recent call last):\nTypeError: 'str' object is not callable\n"
        try:
            return self.cluster[node].run(function, *arguments, **named)
        except Exception:
            return traceback.format_exc()


@pytest.fixture
def client(converged: Cluster, monkeypatch: pytest.MonkeyPatch) -> Client:
    client = Client(converged)
    monkeypatch.setattr(salt.client, "get_local_client", lambda mopts: contextlib.nullcontext(client))
    return client


@pytest.fixture
def context() -> dict[str, Any]:
    return {}


@pytest.fixture
def runners(loaders: dict[str, Loaders], client: Client, context: dict[str, Any]) -> Any:
    options = copy.deepcopy(loaders["elsewhere"].opts)
    given = {"output": None, "timeout": 5, "runner_dirs": [str(RUNNERS)]}
    return salt.loader.runner({**options, **given}, context=context)


@pytest.fixture
def data(loaders: dict[str, Loaders], client: Client) -> Any:
    """The same with `--out=json`."""
    options = copy.deepcopy(loaders["elsewhere"].opts)
    return salt.loader.runner({**options, "output": "json", "runner_dirs": [str(RUNNERS)]}, context={})


def test_a_node_that_does_not_know_operations_yet_still_gives_the_rest(data: Any, client: Client) -> None:
    client.missing = {"operation.entries"}
    told = data["cluster.status"]()
    assert told["domains"]["dns"]["runs_on"] == {"dom0": "running"}
    assert told["wrong"] == [
        f"{node}: its operations are unknown: it has no operation.entries yet; state.apply brings it" for node in NODES
    ]


def test_a_domain_is_explained_in_the_words_of_a_dry_run_and_nothing_is_changed(
    data: Any, client: Client, converged: Cluster
) -> None:
    converged["dom0"].host.run(["xl", "destroy", "dns"])
    converged["dom0m"].host.run(["drbdadm", "disconnect", "vpn"])
    for name in NODES:
        converged[name].commands()
    told = {domain: data["cluster.explain"](domain) for domain in ("dns", "vpn")}
    assert not any(converged[name].changing_commands() for name in NODES)
    dry = converged["dom0"].apply(test=True)
    for domain in told:
        for item in told[domain]["next_apply"]["dom0"]["items"]:
            if item["kind"] in ("domain", "activation"):
                function = {"domain": "xen.domain_running", "activation": "drbd.resource_running"}[item["kind"]]
                (state,) = (
                    each for name, each in dry.items() if name.startswith(f"{domain} ") and name.endswith(function)
                )
                assert (item["result"], item["comment"]) == (state["result"], state["comment"])
    (started,) = (each for each in told["dns"]["next_apply"]["dom0"]["items"] if each["kind"] == "domain")
    assert (started["result"], started["comment"]) == (None, "dns is started")
    assert "StandAlone" in told["vpn"]["move"]["told"]


def test_what_a_silent_partner_would_have_told_is_unknown_and_no_error(
    runners: Any, client: Client, context: dict[str, Any]
) -> None:
    client.silent = {"dom0m"}
    text = runners["cluster.explain"]("dns")
    assert "It runs on dom0, its home." in text
    assert "Whether it runs on dom0m is unknown: the minion does not answer." in text
    assert "unknown: dom0m: the minion does not answer" in text
    assert "retcode" not in context


def test_nobody_asked_and_no_such_domain_end_with_1(runners: Any, client: Client, context: dict[str, Any]) -> None:
    client.silent = set(NODES)
    told = runners["cluster.explain"]("dns")
    assert (told["retcode"], "nobody can tell whether it runs" in told["error"]) == (1, True)
    assert context.pop("retcode") == 1
    told = runners["cluster.explain"]("nosuch")["error"]
    assert told == "the topology has no domain 'nosuch'; it has dns, mail, router, vpn"
    assert context.pop("retcode") == 1


def test_for_programs_the_answer_has_one_shape_whoever_answers(data: Any, client: Client) -> None:
    answered = data["cluster.explain"]("dns")
    client.silent = {"dom0m"}
    half = data["cluster.explain"]("dns")
    client.silent = set(NODES)
    silent = data["cluster.explain"]("dns")
    assert silent.pop("retcode") == 1
    assert answered.keys() == half.keys() == silent.keys()
    assert not {"retcode", "error"} & answered.keys()
    assert data["cluster.explain"]("nosuch").keys() == {"retcode", "error"}


def test_what_is_left_of_a_domain_that_the_topology_no_longer_has_is_shown_settled_and_released(
    runners: Any, client: Client, converged: Cluster, context: dict[str, Any]
) -> None:
    dom0m = converged["dom0m"].host
    ghost = replace(MIGRATION, domain="ghost", kind=OperationKind.STOP, taken=False)
    operations.begin(dom0m, ghost)
    operations.keep_stopped(dom0m, ghost)
    assert "stop of ghost on dom0, begun by root on master" in " ".join(runners["cluster.status"]().split())
    converged.world.advance(LEFT_AFTER_S)
    assert runners["cluster.recover"]("ghost") == {"dom0m": f"{ghost} was left half-done: it is over on this node"}
    assert "dom0m keeps a note about a domain ghost" in " ".join(runners["cluster.status"]().split())
    assert runners["cluster.release"]("ghost") == {"dom0m": f"taken away: {stopped_file('ghost')}"}
    assert "ghost" not in runners["cluster.status"]()
    assert "retcode" not in context
    assert "no node has an entry of it" in runners["cluster.recover"]("ghost")["error"]
    assert context.pop("retcode") == 1


# --- Watching ----------------------------------------------------------------------------------------------------
def test_without_a_terminal_a_line_tells_each_change(
    runners: Any,
    client: Client,
    converged: Cluster,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps = iter(
        (
            lambda: converged["dom0"].host.run(["xl", "pause", "dns"]),
            lambda: client.silent.add("dom0m"),
            lambda: client.silent.clear(),
        )
    )
    monkeypatch.setattr("time.sleep", lambda _seconds: next(steps)())
    assert runners["cluster.watch"](count=4) == ""
    lines = capsys.readouterr().out.splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", line) for line in lines)
    told = [line[20:] for line in lines]
    assert told.count("domain dns: runs on dom0") == 1
    assert "domain dns: runs on dom0 (paused) (was: runs on dom0)" in told
    assert any(re.fullmatch(r"node dom0m: does not answer \(last at [\d:]+\) \(was: answers\)", line) for line in told)
    assert any(re.fullmatch(r"node dom0m: answers \(was: does not answer .*\)", line) for line in told)


def output(terminal: int) -> Iterator[str]:
    """What appears on a terminal, until its last user has closed it."""
    with contextlib.suppress(OSError):
        while text := os.read(terminal, 65536):
            yield text.decode()


def test_on_a_terminal_the_screen_is_renewed_until_ctrl_c_which_is_no_error(
    runners: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("LINES", "30")
    child, terminal = pty.fork()
    if child == 0:
        code = 1
        with contextlib.suppress(BaseException):
            sys.stdout = os.fdopen(1, "w", closefd=False)
            code = 0 if runners["cluster.watch"](interval=0.2) == "" else 2
        os._exit(code)
    seen, interrupted = "", False
    for text in output(terminal):
        seen += text
        if seen.count("\033[H") >= 3 and not interrupted:
            os.write(terminal, b"\003")
            interrupted = True
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, seen
    screens = seen.split("\033[H")[1:]
    assert "every 0.2 s; Ctrl-C ends it" in screens[0]
    assert all("Cluster example: dom0 answers, dom0m answers" in each for each in screens[:2])
    assert seen.isascii()


FENCING = """\
  takeover:
    fencing:
      dom0: {agent: fence_simulated, options: {plug: dom0, password: hush-hush}}
      dom0m: {agent: fence_simulated, options: {plug: dom0m, password: hush-hush}}
"""


@pytest.fixture
def fenced(converged: Cluster) -> Cluster:
    """The example with fence agents and no witness; no guard runs."""
    converged.edit("  nodes:\n    dom0:", f"{FENCING}  nodes:\n    dom0:")
    return converged


def test_a_pause_of_which_a_guard_did_not_hear_ends_with_1(
    runners: Any, fenced: Cluster, context: dict[str, Any]
) -> None:
    told = runners["cluster.pause"]()
    assert (told.pop("retcode"), list(told)) == (1, list(NODES))
    assert all("no guard answers on this node" in each for each in told.values())
    assert context == {"retcode": 1}


def test_that_a_node_is_dead_has_to_be_said_twice(runners: Any, fenced: Cluster, context: dict[str, Any]) -> None:
    for confirm in (None, "dom0m"):
        told = runners["cluster.confirm_dead"]("dom0", confirm)["error"]
        assert "by writing its name twice" in told
        assert ("the second name is 'dom0m', and the first is 'dom0'" in told) == (confirm is not None)
    assert context == {"retcode": 1}


def test_without_guards_nobody_can_be_told_that_a_node_is_dead(runners: Any, context: dict[str, Any]) -> None:
    for confirm in ("dom0", "dom0m", None):
        told = runners["cluster.confirm_dead"]("dom0", confirm)["error"]
        assert told == "no node has a guard: the topology has no `saltern:takeover`"
    assert context == {"retcode": 1}


def test_the_guards_of_the_partners_are_told_that_a_node_is_dead(
    runners: Any, fenced: Cluster, context: dict[str, Any]
) -> None:
    told = runners["cluster.confirm_dead"]("dom0", "dom0")
    assert list(told) == ["retcode", "dom0m"], "from here `salt-run` has its exit code"
    assert (told["retcode"], "no guard answers on this node" in told["dom0m"]) == (1, True)
    assert context == {"retcode": 1}


def test_a_node_is_given_what_switches_its_partner_off_and_nothing_of_it_is_shown(
    runners: Any, fenced: Cluster
) -> None:
    share = fenced["dom0"].loaders.modules["pillar.items"](unmask=True)["saltern"]
    assert share["guard"]["fencing"]["dom0m"]["secret_options"] == {"plug": "dom0m", "password": "hush-hush"}
    assert list(share["guard"]["fencing"]) == ["dom0m"]
    assert "hush" not in str(runners["topology.shares"]())


def test_a_domain_is_ended_by_way_of_its_other_node_or_else_of_the_node_itself(
    runners: Any, client: Client, converged: Cluster, context: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no node has a guard" in runners["cluster.fence_domain"]("dns", "dom0")["error"]
    assert context.pop("retcode") == 1
    takeover = "  takeover:\n    witness: {minion: elsewhere, address: 192.168.1.192}\n"
    converged.edit("  nodes:\n    dom0:", f"{takeover}  nodes:\n    dom0:")
    asked = []

    def answer(node: str, function: str, arguments: list[Any], _named: dict[str, Any]) -> dict[str, Any]:
        asked.append((node, function, arguments))
        return {"gone": True}

    monkeypatch.setattr(client, "_run", answer)
    assert runners["cluster.fence_domain"]("dns", "dom0") == {"gone": True}
    client.silent = {"dom0m"}
    assert runners["cluster.fence_domain"]("dns", "dom0") == {"gone": True}
    assert asked == [(node, "guard.fence_domain", ["dns", "dom0"]) for node in ("dom0m", "dom0")]
    assert "retcode" not in context
    client.silent = set(NODES)
    assert "nothing is known of dns" in runners["cluster.fence_domain"]("dns", "dom0")["error"]
    assert context.pop("retcode") == 1
    told = runners["cluster.fence_domain"]("dns", "elsewhere")["error"]
    assert told == "the topology has no node 'elsewhere'; it has dom0, dom0m"
    told = runners["cluster.fence_domain"]("nosuch", "dom0")["error"]
    assert told == "the topology has no domain 'nosuch'; it has dns, mail, router, vpn"
