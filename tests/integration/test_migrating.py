"""`salt-run state.orch migrate` and what an interruption leaves, with a real master and two simulated nodes."""

import json

import pytest
from minions import NODES, Salted

from saltern.model.places import operation_file


def migrate(salted: Salted, **pillar: object) -> tuple[int, object]:
    return salted.run("state.orch", "migrate", f"pillar={json.dumps({'domain': 'dns', **pillar})}")


def test_a_running_domain_moves_to_its_partner_and_home_again_and_nothing_is_left(converged: Salted) -> None:
    for target, where in (("", "dom0m"), ("dom0m", "dom0m"), ("dom0", "dom0")):
        code, told = migrate(converged, **({"target": target} if target else {}))
        assert code == 0, told
        assert [node for node in NODES if "dns" in converged.domains(node)] == [where]
    code, told = converged.run("cluster.recover", "dns")
    assert (code, set(told.values())) == (0, {"nothing is left of an operation on dns"})


def test_a_domain_that_cannot_move_is_left_and_the_reason_told(converged: Salted) -> None:
    converged.on("dom0", "drbdadm", "disconnect", "dns")
    code, told = migrate(converged)
    assert code == 1
    assert "StandAlone" in json.dumps(told)
    assert "dns" in converged.domains("dom0")
    assert not any(converged.file(node, operation_file("dns")).exists() for node in NODES)


def test_a_word_that_is_not_known_moves_nothing_and_what_is_in_the_pillar_of_the_master_is_no_such_word(
    converged: Salted,
) -> None:
    topology = converged.pillar / "saltern" / "init.sls"
    topology.write_text(f"{topology.read_text()}\nsite: here\n")
    code, told = migrate(converged, ofline=True)
    assert code == 1
    assert "the pillar of the command has ofline; allowed: domain, target, offline" in json.dumps(told)
    assert "dns" in converged.domains("dom0")
    code, told = migrate(converged)
    assert code == 0, told
    assert "dns" in converged.domains("dom0m")


def test_a_second_operation_is_refused_and_an_abandoned_one_settled_by_the_next_apply(converged: Salted) -> None:
    code, told = converged.run("operation.begin", "0a1b2c", "dns")
    assert code == 0, told
    code, told = migrate(converged)
    assert code == 1
    assert "somebody works on it" in json.dumps(told)
    for node in NODES:
        file = converged.file(node, operation_file("dns"))
        file.write_text(json.dumps({**json.loads(file.read_text()), "renewed_s": 0.0}))
    assert converged.run("operation.plan", "dns")[0] == 1
    converged.apply_layers()
    assert not any(converged.file(node, operation_file("dns")).exists() for node in NODES)
    assert "dns" in converged.domains("dom0")


def test_a_plan_is_told_and_nothing_is_done(converged: Salted) -> None:
    code, told = converged.run("state.orch", "evacuate", 'pillar={"node": "dom0"}', "test=True")
    assert code == 0, told
    assert "dns moves from dom0 to dom0m" in json.dumps(told)
    assert "dns" in converged.domains("dom0")
    assert not any(converged.file(node, operation_file("dns")).exists() for node in NODES)


def test_a_node_is_evacuated_and_its_domains_return(converged: Salted) -> None:
    before = {node: converged.domains(node) for node in NODES}
    code, told = converged.run("state.orch", "evacuate", 'pillar={"node": "dom0"}')
    assert code == 0, told
    assert (converged.domains("dom0"), converged.domains("dom0m")) == (
        [],
        sorted(name for names in before.values() for name in names),
    )
    code, told = converged.run("state.orch", "return")
    assert code == 0, told
    assert {node: converged.domains(node) for node in NODES} == before


def test_what_is_stopped_stays_so_until_it_is_started_elsewhere_or_moved_offline(converged: Salted) -> None:
    code, told = converged.run("state.orch", "stop", 'pillar={"domain": "dns"}')
    assert code == 0, told
    converged.apply_layers()
    assert not any("dns" in converged.domains(node) for node in NODES)
    code, told = converged.run("state.orch", "start", 'pillar={"domain": "dns"}')
    assert code == 0, told
    assert migrate(converged, offline=True)[0] == 0
    assert [node for node in NODES if "dns" in converged.domains(node)] == ["dom0m"]


@pytest.mark.parametrize("test", [False, True])
def test_a_hook_that_does_not_exist_is_refused_before_anything_is_done(converged: Salted, test: bool) -> None:
    before = {node: converged.domains(node) for node in NODES}
    code, told = converged.run("state.orch", "rolling", 'pillar={"hook": "no.such"}', f"test={test}")
    assert code == 1
    assert "there is no orchestration no.such; write it as salt://no/such.sls" in json.dumps(told)
    assert {node: converged.domains(node) for node in NODES} == before


def test_one_node_after_the_other_is_emptied_maintained_and_filled_again(converged: Salted) -> None:
    before = {node: converged.domains(node) for node in NODES}
    converged.site("maintenance.sls", MAINTENANCE.replace("DIRECTORY", str(converged.directory)))
    code, told = converged.run("state.orch", "rolling", 'pillar={"hook": "maintenance"}')
    assert code == 0, told
    for node in NODES:
        found = (converged.directory / f"{node}.domains").read_text()
        assert not any(name in found for names in before.values() for name in names)
    assert {node: converged.domains(node) for node in NODES} == before


MAINTENANCE = """
what runs there:
  salt.function:
    - name: cmd.run
    - tgt: {{ pillar['node'] }}
    - arg: ['xl list > DIRECTORY/{{ pillar['node'] }}.domains']
"""


def test_a_disk_grows_to_what_the_topology_gives_it(converged: Salted) -> None:
    pillar = {"domain": "router", "disk": "xvda", "size": "2G"}
    code, told = converged.run("state.orch", "grow", f"pillar={json.dumps(pillar)}")
    assert code == 1
    assert "Write `size: 2G` at saltern:domains:router:disks:xvda" in json.dumps(told)
    topology = (converged.pillar / "saltern" / "init.sls").read_text()
    router, rest = topology.split("xvda: {size: 1G}", 1)
    (converged.pillar / "saltern" / "init.sls").write_text(f"{router}xvda: {{size: 2G}}{rest}")
    code, told = converged.run("state.orch", "grow", f"pillar={json.dumps(pillar)}")
    assert code == 0, told
    assert "2G on dom0, 2G on dom0m" in json.dumps(told)
