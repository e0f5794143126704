"""The runners, on the master."""

from minions import NODES, Salted


def test_a_valid_topology_is_told_so(salted: Salted) -> None:
    code, told = salted.run("topology.validate")
    assert code == 0
    assert told["valid"] is True
    assert sorted(told["domains"]) == ["dns", "mail", "router", "vpn"]


def test_an_invalid_topology_ends_with_1_and_every_violation(salted: Salted) -> None:
    salted.edit("minor: 1\n", "minor: 2\n")
    salted.edit("vcpus: 2", "vcpu: 2")
    code, told = salted.run("topology.validate")
    assert code == 1
    assert told["valid"] is False
    assert len(told["violations"]) == 2


def test_a_topology_that_cannot_be_rendered_ends_with_1_and_the_reason(salted: Salted) -> None:
    salted.edit("  cluster: example", "  cluster: {{ nothing")
    code, told = salted.run("topology.validate")
    assert code == 1
    assert "Jinja" in told["error"]


def test_allocation_writes_what_is_missing_and_changes_no_number_that_is_there(salted: Salted) -> None:
    file = salted.pillar / "saltern" / "allocation.sls"
    before = file.read_text()
    assert salted.run("topology.allocate") == (0, {"file": str(file), "changed": False})
    salted.edit(
        "  domains:\n",
        "  domains:\n    new:\n      {home: dom0, partner: dom0m, memory: 64M, xl: {bootloader: pygrub}, "
        "disks: {xvda: {size: 1G}}}\n",
    )
    code, told = salted.run("topology.validate")
    assert code == 1
    assert all("topology.allocate" in violation for violation in told["violations"])
    assert salted.run("topology.allocate") == (0, {"file": str(file), "changed": True})
    after = file.read_text()
    assert set(before.splitlines()) <= set(after.splitlines())
    assert salted.run("topology.validate")[0] == 0


def test_a_node_that_is_not_there_is_told_with_those_that_are(salted: Salted) -> None:
    code, told = salted.run("topology.show", "nosuch")
    assert code == 1
    assert "dom0, dom0m" in told["error"]


def test_the_state_of_the_cluster_comes_as_data(converged: Salted) -> None:
    code, told = status(converged)
    assert code == 0
    assert told["wrong"] == told["noticed"] == []
    assert {name: list(domain["runs_on"]) for name, domain in told["domains"].items()} == {
        "router": ["dom0"],
        "dns": ["dom0"],
        "mail": ["dom0m"],
        "vpn": ["dom0m"],
    }


def status(salted: Salted) -> tuple[int, dict[str, dict[str, dict[str, object]]]]:
    return salted.run("cluster.status")


def test_what_is_wrong_is_told_in_words(converged: Salted) -> None:
    converged.on("dom0", "xl", "destroy", "dns")
    converged.on("dom0m", "drbdadm", "disconnect", "vpn")
    _, told = status(converged)
    assert any("dns: it runs nowhere" in text for text in told["wrong"])
    assert any("vpn" in text and "not connected" in text for text in told["wrong"])


def test_a_domain_in_no_topology_and_memory_that_waits_for_a_start_are_noticed(converged: Salted) -> None:
    configuration = converged.file("dom0", "/etc/xen/gw.cfg")
    configuration.write_text('name = "gw"\nmemory = 64\nbootloader = "pygrub"\n')
    converged.on("dom0", "xl", "create", "/etc/xen/gw.cfg")
    converged.on("dom0", "xl", "mem-set", "dns", "128m")
    _, told = status(converged)
    assert told["wrong"] == []
    assert told["noticed"] == [
        "domain dns: its memory of 256M takes effect at its next start; it runs with 128M",
        "dom0 runs gw, which is not in the topology",
    ]


def test_salts_own_functions_called_cluster_are_still_there(salted: Salted) -> None:
    code, told = salted.run("doc.runner")
    assert code == 0
    assert "cluster.members" in told
    assert "cluster.status" in told


def test_an_operation_is_shown_explained_and_watched(converged: Salted) -> None:
    assert converged.run("operation.begin", "0a1b2c", "dns")[0] == 0
    code, told = status(converged)
    assert code == 0
    assert [(each["domain"], each["state"]) for each in told["operations"]] == [("dns", "going on")]
    assert told["wrong"] == []
    code, told = converged.run("cluster.explain", "dns")
    assert code == 0
    assert told["where"][0] == "It runs on dom0, its home."
    assert "somebody works on it" in told["move"]["told"]
    assert told["next_apply"]["dom0"]["items"][-1]["comment"].startswith("dns is left alone: migrate of dns")
    assert not any(converged.changing_commands(node) for node in NODES)
    assert converged.run("cluster.explain", "nosuch")[0] == 1
    done = converged.master.salt_run_cli(timeout=120).run("cluster.watch", "interval=0.1", "count=2")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert sum("domain dns: runs on dom0" in line for line in lines) == 1
    assert any("migrate of dns from dom0 to dom0m" in line and line.endswith(": going on") for line in lines)
