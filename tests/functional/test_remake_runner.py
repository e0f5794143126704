"""The runner `remake` as Salt loads it, on a copy of the example's pillar: what it tells before any node is asked."""

import copy
import shutil
from pathlib import Path
from typing import Any

import pytest
import salt.loader
from saltfactories.utils.functional import Loaders

RUNNERS = Path(__file__).parents[2] / "salt" / "_runners"


@pytest.fixture
def runners(loaders: dict[str, Loaders]) -> Any:
    options = copy.deepcopy(loaders["elsewhere"].opts)
    return salt.loader.runner({**options, "runner_dirs": [str(RUNNERS)]}, context={})


@pytest.fixture
def before(pillar: Path, tmp_path: Path) -> str:
    """The former topology; in the present one the replica of vpn is on a third node."""
    kept = str(shutil.copytree(pillar / "saltern", tmp_path / "before"))
    edit(pillar, "\n  domains:\n", "\n    dom1: {address: 192.168.1.192, volume_group: XEN}\n  domains:\n")
    edit(
        pillar,
        "    vpn:\n      home: dom0m\n      partner: dom0\n",
        "    vpn:\n      home: dom0m\n      partner: dom1\n",
    )
    return kept


def edit(pillar: Path, old: str, new: str) -> None:
    path = pillar / "saltern" / "init.sls"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_with_test_the_plan_is_told_and_nothing_is_recorded(
    runners: Any, pillar: Path, before: str, capsys: pytest.CaptureFixture[str]
) -> None:
    allocation = (pillar / "saltern" / "allocation.sls").read_text()
    told = runners["remake.carry_out"](before, destroy="vpn@dom0", test=True)
    assert told["comment"].splitlines()[-1] == "11 steps, no domain stops, vpn@dom0 is destroyed"
    assert len(told["changes"]) == 11
    assert capsys.readouterr().err == f"{told['comment']}\n"  # outputs that are short leave the comment out
    assert (pillar / "saltern" / "allocation.sls").read_text() == allocation


def test_what_destroys_and_is_not_named_is_refused_with_an_exit_code(runners: Any, before: str) -> None:
    for test in (True, False):
        told = runners["remake.carry_out"](before, test=test)
        assert told["retcode"] == 1
        assert "name `vpn@dom0` in `destroy`" in told["error"]


def test_metadata_that_would_move_are_refused_also_with_test(runners: Any, pillar: Path, tmp_path: Path) -> None:
    before = str(shutil.copytree(pillar / "saltern", tmp_path / "before"))
    edit(pillar, "          meta_disk: meta[1]\n", "          meta_disk: meta[2]\n")
    told = runners["remake.carry_out"](before, test=True)
    assert told["retcode"] == 1
    assert "from /dev/XEN/meta[1] to /dev/XEN/meta[2] on dom0" in told["error"]
    assert "docs/howto/remake.md#metadata-in-another-place" in told["error"]


def test_a_replacement_that_is_something_else_as_well_is_refused(runners: Any, pillar: Path, before: str) -> None:
    told = runners["remake.replace"]("vpn", "dom0", "dom1", before, test=True)
    assert told["comment"].splitlines()[-1] == "11 steps, no domain stops, vpn@dom0 is destroyed"
    edit(
        pillar,
        "    mail:\n      home: dom0m\n      partner: dom0\n      memory: 512M\n",
        "    mail:\n      home: dom0m\n      partner: dom0\n      memory: 256M\n",
    )
    told = runners["remake.replace"]("vpn", "dom0", "dom1", before, test=True)
    assert told["retcode"] == 1
    assert "another difference: mail is configured" in told["error"]


def test_a_replacement_that_the_present_topology_does_not_say_is_told_so(runners: Any, before: str) -> None:
    told = runners["remake.replace"]("vpn", "dom1", "dom0", before, test=True)
    assert told["retcode"] == 1
    assert told["error"].startswith(
        "domain vpn: its copies are on dom0m and dom0 in BEFORE, and on dom0m and dom1 in the present topology, "
        "which is no move from dom1 to dom0. "
    )
    told = runners["remake.replace"]("web", "dom1", "dom0", before, test=True)
    assert "it is not in BEFORE, which has dns, mail, router, vpn" in told["error"]


def test_both_topologies_are_read_without_what_they_keep_secret(runners: Any, pillar: Path, before: str) -> None:
    edit(pillar, "      ping-int: 3\n", "      ping-int: 3\n      cram-hmac-alg: sha1\n      shared-secret: hunter2\n")
    assert runners["topology.change"](before) == {key: ["dns", "mail", "router", "vpn"] for key in ("before", "after")}
    assert "hunter2" not in str(runners["remake.carry_out"](before, destroy="vpn@dom0", test=True))
