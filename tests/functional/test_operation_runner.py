"""The runner of operations, loaded by Salt's own loader: what a person sees of it."""

import contextlib
import copy
from pathlib import Path
from typing import Any

import pytest
import salt.client
import salt.loader
from saltfactories.utils.functional import Loaders

from saltern import controller, growth
from saltern.units import GIB

RUNNERS = Path(__file__).parents[2] / "salt" / "_runners"


@pytest.fixture
def context() -> dict[str, Any]:
    return {}


@pytest.fixture
def runners(loaders: dict[str, Loaders], context: dict[str, Any]) -> Any:
    options = copy.deepcopy(loaders["elsewhere"].opts)
    return salt.loader.runner({**options, "timeout": 5, "runner_dirs": [str(RUNNERS)]}, context=context)


def test_a_dry_run_of_what_is_in_its_place_says_so(
    runners: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(salt.client, "get_local_client", lambda mopts: contextlib.nullcontext(None))
    monkeypatch.setattr(controller, "look", lambda fleet, specs: {name: {} for name in specs})
    monkeypatch.setattr(controller.plan, "decide", lambda selection, specs, surveys: ())
    assert runners["operation.begin"]("0a1b2c3d", domain="dns", target="dom0", test=True)["changes"] == {}
    assert "dns runs on dom0 already\n" in capsys.readouterr().err


@pytest.mark.parametrize("test", [False, True])
def test_what_a_disk_has_and_what_is_to_be_run_in_the_guest_is_seen_also_where_nothing_has_changed(
    runners: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], test: bool
) -> None:
    """Outputs that leave out what has changed nothing show no comment of a state."""
    has = growth.Growth(domain="dns", device="xvda", resource="dns", has_bytes={"dom0": GIB}, size_bytes=GIB)
    monkeypatch.setattr(salt.client, "get_local_client", lambda mopts: contextlib.nullcontext(None))
    monkeypatch.setattr(growth, "seen", lambda fleet, domain, disk: has)
    told = runners["operation.grown"]("dns", "xvda", test=test)
    assert told["changes"] == {}
    said = capsys.readouterr().err
    assert said == f"{told['comment']}\n"
    assert said.startswith("dns/xvda: 1G on dom0; the topology gives it 1G; ")


@pytest.mark.parametrize("by", [KeyboardInterrupt, SystemExit])  # the latter is what Salt makes of Ctrl-C
def test_who_interrupts_an_operation_is_told_in_one_line_that_it_goes_on_and_where_to_look(
    runners: Any, context: dict[str, Any], monkeypatch: pytest.MonkeyPatch, by: type[BaseException]
) -> None:
    class Client:
        def run_job(self, *_args: Any, **_named: Any) -> None:
            raise by(0)

    monkeypatch.setattr(salt.client, "get_local_client", lambda mopts: contextlib.nullcontext(Client()))
    told = runners["operation.carry_out"]("0a1b2c3d", domain="dns")
    assert (told["retcode"], context["retcode"]) == (1, 1)
    assert told["error"].startswith("interrupted: what the nodes have begun goes on by itself")
    assert "`salt-run cluster.status`" in told["error"]
    assert "\n" not in told["error"]


@pytest.mark.parametrize(
    ("function", "given", "told"),
    [
        ("begin", {"kind": "migrate with offline: no"}, "migrate with offline: no: there is no such kind"),
        ("synchronise", {"timeout": "soon"}, "timeout: it is 'soon'. Give seconds from 0"),
        ("synchronise", {"timeout": float("nan")}, "timeout: it is nan"),
        ("carry_out", {"at_a_time": "two"}, "at_a_time: it is 'two'. Give a whole number from 1 on"),
        ("carry_out", {"timeout": -1}, "timeout: it is -1"),
    ],
)
def test_what_is_no_number_is_refused_before_any_node_is_asked(
    runners: Any, monkeypatch: pytest.MonkeyPatch, function: str, given: dict[str, Any], told: str
) -> None:
    monkeypatch.setattr(salt.client, "get_local_client", lambda mopts: contextlib.nullcontext(None))
    assert told in runners[f"operation.{function}"]("0a1b2c3d", domain="dns", **given)["error"]


@pytest.mark.parametrize("function", ["ready", "return_automatic"])
def test_a_time_that_would_never_be_over_is_refused(
    runners: Any, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    monkeypatch.setattr(salt.client, "get_local_client", lambda mopts: contextlib.nullcontext(None))
    assert "timeout: it is inf" in runners[f"operation.{function}"]("dom0", timeout=float("inf"))["error"]


@pytest.mark.parametrize("function", ["ready", "empty"])
def test_a_dry_run_that_looks_at_nothing_does_not_say_what_is_so(
    runners: Any, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    monkeypatch.setattr(salt.client, "get_local_client", lambda mopts: contextlib.nullcontext(None))
    told = runners[f"operation.{function}"]("dom0", test=True)
    assert told["comment"].startswith("it would be made sure that ")
    assert told["changes"] == {}
