"""`salt-run state.orch replace`, with a real master and three simulated nodes."""

import json

from minions import Salted, changes

PILLAR = {"domain": "vpn", "from": "dom0", "to": "dom1"}


def replace(three: Salted, *arguments: str, **pillar: str) -> tuple[int, str]:
    told = {**PILLAR, "before": str(three.directory / "before"), **pillar}
    code, said = three.run("state.orch", "replace", f"pillar={json.dumps(told)}", *arguments)
    return code, json.dumps(said)


def volumes(three: Salted, node: str) -> list[str]:
    return three.on(node, "lvs", "--noheadings", "-o", "lv_name").split()


def test_a_copy_moves_to_another_node_while_the_domain_runs_and_nothing_else_is_allowed(three: Salted) -> None:
    code, told = replace(three)
    assert (code, "which is no move from dom0 to dom1" in told) == (1, True), told  # the topology does not say so yet
    three.edit("partner: dom0\n", "partner: dom1\n")
    code, told = replace(three, "test=True")
    assert (code, "its copy of vpn/xvda stays there, frozen" in told) == (0, True)
    assert volumes(three, "dom1") == []
    three.edit("memory: 64M", "memory: 96M")
    code, told = replace(three)
    assert (code, "another difference: vpn is configured on dom0m" in told) == (1, True), told
    assert volumes(three, "dom1") == []
    three.edit("memory: 96M", "memory: 64M")

    code, told = replace(three)
    assert code == 0, told
    assert {node: three.domains(node) for node in ("dom0", "dom0m", "dom1")} == {
        "dom0": [],
        "dom0m": ["vpn"],
        "dom1": [],
    }
    assert [volumes(three, node) for node in ("dom0", "dom1")] == [[], ["vpn", "vpn_meta"]]
    assert three.run("topology.validate")[0] == 0  # the allocation has followed
    assert not any(changes(three.apply("lvm,drbd,xen")).values())
    code, told = replace(three)
    assert (code, "nothing is to be done" in told) == (0, True)
