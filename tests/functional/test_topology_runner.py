"""The runners as Salt loads them, on a copy of the example's pillar."""

import copy
import shutil
from pathlib import Path
from typing import Any

import pytest
import salt.loader
from saltfactories.utils.functional import Loaders

from saltern.run import LocalHost

RUNNERS = Path(__file__).parents[2] / "salt" / "_runners"


@pytest.fixture
def runners(loaders: dict[str, Loaders]) -> Any:
    options = copy.deepcopy(loaders["elsewhere"].opts)
    return salt.loader.runner({**options, "runner_dirs": [str(RUNNERS)]}, context={})


@pytest.fixture
def allocation(pillar: Path) -> Path:
    return pillar / "saltern" / "allocation.sls"


def edit(pillar: Path, old: str, new: str) -> None:
    path = pillar / "saltern" / "init.sls"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def move_router(pillar: Path) -> None:
    edit(
        pillar,
        "  domains:\n",
        "    dom1: {address: 192.168.1.192, volume_group: XEN, network: 192.168.1.0/24}\n  domains:\n",
    )
    edit(pillar, "      partner: dom0m\n", "      partner: dom1\n")


def test_a_moved_domain_is_refused_until_it_is_forgotten(runners: Any, pillar: Path, allocation: Path) -> None:
    before = allocation.read_text()
    move_router(pillar)
    for function in ("topology.validate", "topology.allocate"):
        told = runners[function]()
        assert told["retcode"] == 1
        (violation,) = told["violations"]
        assert violation.startswith("[domain-moved] saltern:domains:router:home")
        assert "salt-run topology.allocate forget=router" in violation
    assert allocation.read_text() == before
    assert runners["topology.allocate"](forget="router") == {"file": str(allocation), "changed": True}
    assert "node_ids: {dom0: 0, dom1: 1}" in allocation.read_text()
    assert runners["topology.validate"]()["valid"] is True


@pytest.mark.parametrize("forget", ["mail,vpn", "mail, vpn", ["mail", "vpn"]])
def test_domains_that_are_gone_are_forgotten_by_name_only(
    runners: Any, pillar: Path, allocation: Path, forget: str | list[str]
) -> None:
    path = pillar / "saltern" / "init.sls"
    path.write_text(path.read_text().partition("    vpn:\n")[0])
    assert runners["topology.allocate"]() == {"file": str(allocation), "changed": False}
    assert runners["topology.allocate"](forget=forget) == {"file": str(allocation), "changed": True}
    text = allocation.read_text()
    assert [name for name in ("dns", "mail", "router", "vpn") if f"      {name}:" in text] == ["dns", "router"]


def test_shares_go_to_the_job_cache_without_secrets(runners: Any, pillar: Path) -> None:
    edit(pillar, "      ping-int: 3\n", "      ping-int: 3\n      cram-hmac-alg: sha1\n      shared-secret: hunter2\n")
    edit(pillar, "        on_crash: restart\n", "        on_crash: restart\n        vfb: ['vnc=1,vncpasswd=hunter2']\n")
    shares = runners["topology.shares"]()
    assert shares["dom0"]["resources"]["dns"]["sections"]["net"]["shared-secret"] == "(hidden)"
    assert "hunter2" not in str(shares) + runners["topology.show"]()


def test_two_allocations_at_once_do_not_undo_each_other(runners: Any, pillar: Path, allocation: Path) -> None:
    move_router(pillar)
    before = allocation.read_text()
    with LocalHost().hold(f"{runners.opts['cachedir']}/saltern/allocation.lock"):
        told = runners["topology.allocate"](forget="router")
    assert told["retcode"] == 1
    assert "another `topology.allocate` is under way" in told["error"]
    assert allocation.read_text() == before
    assert runners["topology.allocate"](forget="router")["changed"] is True


def test_forgetting_what_has_no_entry_is_an_error_with_those_that_have_one(runners: Any, allocation: Path) -> None:
    before = allocation.read_text()
    told = runners["topology.allocate"](forget="dns,nosuch")
    assert told["retcode"] == 1
    assert told["error"] == "the allocation has no entry of nosuch; it has dns, mail, router, vpn"
    assert allocation.read_text() == before


def test_a_remake_is_planned_from_a_former_topology(
    runners: Any, pillar: Path, allocation: Path, tmp_path: Path
) -> None:
    before = Path(shutil.copytree(pillar / "saltern", tmp_path / "before"))
    move_router(pillar)
    refused = runners["topology.remake"](before=str(before))
    assert (refused["retcode"], refused["possible"]) == (1, False)
    assert "name `router@dom0m` in `destroy`" in refused["error"]
    plan = runners["topology.remake"](before=str(before / "init.sls"), destroy="router@dom0m")
    assert plan.splitlines()[-1] == "11 steps, no domain stops, router@dom0m is destroyed"
    (before / "allocation.sls").rename(tmp_path / "kept.sls")
    assert runners["topology.remake"](before=str(before))["retcode"] == 1
    named = runners["topology.remake"](str(before), ["router@dom0m"], str(tmp_path / "kept.sls"))
    assert named == plan


@pytest.mark.parametrize("named", [{"before": "/nowhere"}, {"allocation": "/nowhere"}])
def test_a_former_topology_that_does_not_exist_is_told_as_that(
    runners: Any, pillar: Path, named: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    told = runners["topology.remake"](**{"before": str(pillar / "saltern"), **named})
    assert told["retcode"] == 1
    assert told["error"].startswith("/nowhere does not exist; name ")
    assert "Template" not in capfd.readouterr().err


def test_the_entry_of_a_domain_whose_data_were_moved_follows(runners: Any, pillar: Path, allocation: Path) -> None:
    move_router(pillar)
    assert runners["topology.allocate"](moved="router") == {"file": str(allocation), "changed": True}
    assert "node_ids: {dom0: 0, dom1: 2}" in allocation.read_text()
    assert runners["topology.validate"]()["valid"] is True
