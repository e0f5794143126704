"""The states, applied to both nodes of the example by Salt's own state system."""

import json

import pytest
from salted import LAYERS, NODES, Cluster, Returned


def failures(returned: Returned) -> dict[str, str]:
    return {state: each["comment"] for state, each in returned.items() if each["result"] is False}


def changes(returned: Returned) -> Returned:
    return {state: each["changes"] for state, each in returned.items() if each["changes"]}


def test_from_an_empty_volume_group_to_running_domains(cluster: Cluster) -> None:
    cluster.converge()
    running = {name: sorted(domain.name for domain in cluster.world.nodes[name].domains) for name in NODES}
    assert running == {"dom0": ["dns", "router"], "dom0m": ["mail", "vpn"]}


def test_applying_again_changes_nothing_and_asks_little(converged: Cluster) -> None:
    for name in NODES:
        converged[name].commands()
        assert changes(converged[name].apply()) == {}
        commands = converged[name].commands()
        assert len(commands) <= 8, commands
        assert len(set(commands)) == len(commands), "something was asked twice"


def test_a_dry_run_on_empty_nodes_tells_the_changes_of_the_real_run(cluster: Cluster) -> None:
    foreseen = {name: changes(cluster[name].apply(test=True)) for name in NODES}
    assert all(cluster[name].changing_commands() == [] for name in NODES)
    assert cluster.converge() == foreseen


def test_a_dry_run_of_what_is_in_order_foresees_nothing(converged: Cluster) -> None:
    for name in NODES:
        returned = converged[name].apply(test=True)
        assert all(each["result"] is True for each in returned.values())
        assert changes(returned) == {}


def test_layers_can_be_applied_one_at_a_time(cluster: Cluster) -> None:
    for layer in (*LAYERS, *LAYERS):
        for name in NODES:
            cluster[name].apply(layer)
    assert all(failures(cluster[name].apply()) == {} for name in NODES)
    assert all(changes(cluster[name].apply()) == {} for name in NODES)


def test_what_was_seen_in_one_run_is_not_believed_in_the_next(converged: Cluster) -> None:
    converged["dom0"].host.run(["xl", "destroy", "dns"])
    assert list(changes(converged["dom0"].apply("xen"))) == ["dns domain_running xen.domain_running"]


def test_a_minion_outside_the_topology_is_told_so(cluster: Cluster) -> None:
    (returned,) = cluster["elsewhere"].apply().values()
    assert returned["result"] is True
    assert "the topology does not name elsewhere" in str(returned)
    assert cluster["elsewhere"].commands() == []


@pytest.mark.parametrize("given", [{}, {"saltern": {"nodes": {"dom0": {}}}}])
def test_a_share_that_nobody_compiled_is_refused(
    cluster: Cluster, given: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    node = cluster["dom0"]
    (cluster.pillar / "saltern" / "init.sls").write_text(json.dumps(given))
    (cluster.pillar / "saltern" / "allocation.sls").write_text("{}")
    monkeypatch.setitem(node.loaders.opts, "ext_pillar", [])
    monkeypatch.setitem(node.loaders.opts, "pillar", {})
    assert len(failures(node.apply("lvm"))) == 1
    assert node.loaders.states.drbd.module_loaded(name="drbd").result is False
    assert node.commands() == []


def test_a_state_about_something_that_is_not_of_this_node_fails(cluster: Cluster) -> None:
    returned = cluster["dom0"].loaders.states.drbd.resource_running(name="nosuch")
    assert returned.result is False
    assert "the topology gives this node no such thing" in returned.comment
    assert cluster["dom0"].changing_commands() == []


def test_layers_can_be_applied_to_one_domain_alone(converged: Cluster) -> None:
    router = "      order: 10\n      disks:\n        xvda: {size: 1G}"
    converged.edit(router, router.replace("1G", "1088M"))
    converged.edit("          size: 2G\n          minor: 1", "          size: 2112M\n          minor: 1")
    for name in NODES:
        converged[name].commands()
    for name in (*NODES, *NODES):
        returned = converged[name].apply("lvm", "drbd", pillar={"saltern_domain": "dns"})
    assert failures(returned) == {}
    changing = [" ".join(command) for name in NODES for command in converged[name].changing_commands()]
    assert sorted({command.split()[0] for command in changing}) == ["drbdadm", "lvextend"]
    assert all("dns" in command for command in changing)
    assert "volume /dev/XEN/router volume.present" in changes(converged["dom0"].apply(test=True))


def test_a_domain_that_a_minion_has_no_share_in_is_not_taken_for_nothing_to_do(converged: Cluster) -> None:
    returned = converged["dom0"].apply("lvm", pillar={"saltern_domain": "dnss"})
    (failed,) = (each for each in returned.values() if each["result"] is False)
    assert "no such domain; it has router, dns" in failed["name"]
