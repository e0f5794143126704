"""What each minion is given of the topology, through Salt's own pillar compiler."""

import copy
from pathlib import Path
from typing import Any

import pytest
import salt.pillar
from saltfactories.utils.functional import Loaders

from saltern.desired import slice_from_pillar

TOPOLOGY = Path("saltern") / "init.sls"


def compile_pillar(
    loaders: Loaders, override: dict[str, Any] | None = None, master: str = "vm_master", minion_id: str | None = None
) -> dict[str, Any]:
    """The pillar as a master of that id compiles it for this minion."""
    options = copy.deepcopy(loaders.opts)
    del options["pillar"]  # a minion without a master would merge it in
    minion_id = minion_id or options["id"]
    options.update(id=master, __role="master")
    compiled = salt.pillar.get_pillar(options, options["grains"], minion_id, pillar_override=override).compile_pillar()
    assert isinstance(compiled, dict)
    return compiled


def edit(pillar: Path, old: str, new: str) -> None:
    path = pillar / TOPOLOGY
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize("node", ["dom0", "dom0m"])
def test_a_node_is_given_its_share_and_nothing_else(loaders: dict[str, Loaders], node: str) -> None:
    pillar = compile_pillar(loaders[node])
    assert set(pillar) == {"saltern", "saltern_core"}
    assert slice_from_pillar(pillar["saltern"]).node == node
    assert not {"nodes", "allocation", "drbd"} & set(pillar["saltern"])


def test_a_minion_outside_the_topology_is_given_nothing(loaders: dict[str, Loaders]) -> None:
    assert compile_pillar(loaders["elsewhere"]) == {"saltern": {}}


def test_domains_of_other_nodes_stay_on_the_master(loaders: dict[str, Loaders], pillar: Path) -> None:
    edit(pillar, "  domains:\n", "    elsewhere: {address: 192.168.1.192, volume_group: XEN}\n  domains:\n")
    share = slice_from_pillar(compile_pillar(loaders["elsewhere"])["saltern"])
    assert (share.domains, share.resources, share.volumes) == ({}, {}, ())


@pytest.mark.parametrize("override", [None, {"unrelated": 1}])
def test_an_invalid_topology_is_an_error_of_the_pillar_and_does_not_leak(
    loaders: dict[str, Loaders], pillar: Path, override: dict[str, Any] | None
) -> None:
    edit(pillar, "minor: 1\n", "minor: 2\n")
    edit(pillar, "vcpus: 2", "vcpu: 2")
    compiled = compile_pillar(loaders["dom0"], override)
    assert compiled["saltern"] == {}
    (error,) = compiled["_errors"]
    assert "recorded-changed" in error
    assert "saltern:domains:mail:vcpu" in error


def test_a_pillar_on_the_command_line_does_not_bring_the_topology_to_a_minion(loaders: dict[str, Loaders]) -> None:
    compiled = compile_pillar(loaders["elsewhere"], {"unrelated": 1})
    assert compiled == {"saltern": {}, "unrelated": 1}


def test_what_the_command_line_overrides_is_validated_too(loaders: dict[str, Loaders]) -> None:
    compiled = compile_pillar(loaders["dom0"], {"saltern": {"domains": {"mail": {"vcpu": 2}}}})
    assert "saltern:domains:mail:vcpu" in str(compiled["_errors"])


@pytest.mark.parametrize("master", ["vm_master", "salt"])  # as Salt calls it, and as `id` of its configuration does
def test_an_orchestration_of_the_master_is_given_nothing_and_not_stopped_by_an_invalid_topology(
    loaders: dict[str, Loaders], pillar: Path, master: str
) -> None:
    edit(pillar, "vcpus: 2", "vcpu: 2")
    for override in (None, {"unrelated": 1}):
        compiled = compile_pillar(loaders["dom0"], override, master=master, minion_id=master)
        assert compiled == {"saltern": {}, **(override or {})}
    assert "_errors" in compile_pillar(loaders["dom0"], master=master, minion_id="printer_master")
    edit(pillar, "  domains:\n", f"  takeover: {{witness: {{minion: {master}}}}}\n  domains:\n")
    assert "_errors" in compile_pillar(loaders["dom0"], master=master, minion_id=master)
    edit(pillar, f"minion: {master}", "minion: printer")
    assert "_errors" not in compile_pillar(loaders["dom0"], master=master, minion_id=master)
    edit(pillar, "    dom0:\n", f"    {master}:\n")
    assert "_errors" in compile_pillar(loaders["dom0"], master=master, minion_id=master)
