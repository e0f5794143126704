"""What somebody has changed by hand on a node, the next apply puts right; and it does nothing else."""

import re

import pytest
from minions import NODES, Salted, changes


def is_connected(salted: Salted, node: str, resource: str) -> bool:
    state = salted.on(node, "drbdadm", "cstate", resource).strip()
    return state == "Connected" or state.startswith("Sync")


def test_a_domain_that_was_ended_runs_again(converged: Salted) -> None:
    converged.on("dom0", "xl", "destroy", "dns")
    assert list(changes(converged.apply_layers())["dom0"]) == ["dns domain_running xen.domain_running"]
    assert converged.domains("dom0") == ["dns", "router"]


def test_a_resource_that_was_taken_down_is_up_again(converged: Salted) -> None:
    converged.on("dom0m", "drbdadm", "down", "dns")
    assert list(changes(converged.apply_layers())["dom0m"]) == ["dns resource_running drbd.resource_running"]
    assert is_connected(converged, "dom0m", "dns")


def test_a_connection_that_was_cut_by_hand_is_made_again(converged: Salted) -> None:
    converged.on("dom0m", "drbdadm", "disconnect", "dns")
    assert list(changes(converged.apply_layers())["dom0m"]) == ["dns resource_running drbd.resource_running"]
    assert is_connected(converged, "dom0", "dns")


def test_a_primary_that_no_domain_uses_is_demoted(converged: Salted) -> None:
    converged.on("dom0", "xl", "destroy", "dns")
    converged.on("dom0", "drbdadm", "secondary", "dns")
    converged.on("dom0m", "drbdadm", "primary", "dns")
    found = changes(converged.apply_layers(target="dom0m"))["dom0m"]
    assert list(found) == ["dns role_held drbd.role_held"]
    converged.apply_layers()
    assert converged.domains("dom0") == ["dns", "router"]


def test_a_configuration_edited_by_hand_is_written_again_and_reaches_the_kernel(converged: Salted) -> None:
    file = converged.file("dom0", "/etc/drbd.d/dns.res")
    text = file.read_text()
    assert "ping-int" in text
    file.write_text(re.sub(r"ping-int\s+\d+", "ping-int 9", text))
    converged.on("dom0", "drbdadm", "adjust", "dns")
    found = changes(converged.apply_layers())["dom0"]
    assert list(found) == [
        "dns resource_configured drbd.resource_configured",
        "dns resource_running drbd.resource_running",
    ]
    assert file.read_text() == text


def test_a_domain_configuration_edited_by_hand_is_written_again(converged: Salted) -> None:
    for node in NODES:
        file = converged.file(node, "/etc/xen/dns.cfg")
        text = file.read_text()
        file.write_text(text.replace("256", "512"))
        assert list(changes(converged.apply_layers(target=node))[node]) == [
            "dns domain_configured xen.domain_configured"
        ]
        assert file.read_text() == text


def test_a_volume_grown_by_hand_is_left_as_it_is(converged: Salted) -> None:
    converged.on("dom0", "lvextend", "--size", "3g", "XEN/dns")
    assert changes(converged.apply_layers()) == {"dom0": {}, "dom0m": {}}


def test_a_disk_that_grows_in_the_topology_grows_on_both_nodes(converged: Salted) -> None:
    converged.edit("xvda: {size: 2G}", "xvda: {size: 3G}")
    found = changes(converged.apply_layers())
    assert all("volume /dev/XEN/mail volume.present" in found[node] for node in NODES)
    assert "mail size_used drbd.size_used" in {**found["dom0"], **found["dom0m"]}
    assert changes(converged.apply_layers()) == {"dom0": {}, "dom0m": {}}


@pytest.mark.parametrize("path", ["/etc/drbd.d/dns.res", "/etc/xen/dns.cfg"])
def test_a_file_of_somebody_else_is_not_overwritten(salted: Salted, path: str) -> None:
    file = salted.file("dom0", path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("# mine\n")
    returned = salted.try_apply("drbd,xen", target="dom0", test=True)["dom0"]
    assert any(each["result"] is False and path in each["comment"] for each in returned.values())
    assert file.read_text() == "# mine\n"
