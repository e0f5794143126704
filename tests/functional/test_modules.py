"""The execution modules: what they tell of a converged node, and what they refuse."""

import pytest
from salt.exceptions import CommandExecutionError, SaltInvocationError
from salted import Cluster

from saltern import topology
from saltern.desired import part, slice_to_pillar
from saltern.model.places import AUTHORIZED_KEYS, stopped_file
from saltern.topology import files


def test_the_state_of_resources_can_be_asked_for_as_a_whole_and_one_by_one(converged: Cluster) -> None:
    node = converged["dom0"]
    assert sorted(node.run("drbd.status")) == ["dns", "mail", "mail-xvdb", "router", "vpn"]
    dns = node.run("drbd.status", "dns")
    assert (dns["role"], dns["devices"][0]["disk"], dns["connections"][0]["state"]) == (
        "Primary",
        "UpToDate",
        "Connected",
    )


def test_a_resource_that_is_not_there_is_an_error_and_not_an_empty_answer(converged: Cluster) -> None:
    with pytest.raises(CommandExecutionError, match="no resource 'nosuch'"):
        converged["dom0"].run("drbd.status", "nosuch")


def test_configuration_metadata_and_version_can_be_asked_for(converged: Cluster) -> None:
    node = converged["dom0"]
    assert node.run("drbd.configured")["dns"]["file"] == "/etc/drbd.d/dns.res"
    assert node.run("drbd.metadata", "dns")["state"] == "valid"
    assert node.run("drbd.version")["loaded"] is True


def test_volumes_and_groups_can_be_asked_for(converged: Cluster) -> None:
    node = converged["dom0"]
    assert node.run("lvm.volumes", "XEN")["XEN/dns"]["size_bytes"] == 2 * 1024**3
    assert node.run("lvm.volumes", "other") == {}
    assert 0 < node.run("lvm.groups")["XEN"]["free_bytes"] < 24 * 1024**3


def test_domains_and_memory_can_be_asked_for(converged: Cluster) -> None:
    node = converged["dom0"]
    assert sorted(domain["name"] for domain in node.run("xen.domains")) == ["dns", "router"]
    assert 0 < node.run("xen.memory") < 4 * 1024**3


def test_what_is_returned_is_plain_data(converged: Cluster) -> None:
    import json

    for function in ("drbd.status", "drbd.configured", "lvm.volumes", "xen.domains"):
        json.dumps(converged["dom0"].run(function))


def test_a_volume_is_created_and_grown_but_not_shrunk(converged: Cluster) -> None:
    node = converged["dom0"]
    node.run("lvm.volume_create", "XEN", "scratch", "1G")
    node.run("lvm.volume_extend", "XEN", "scratch", "2G")
    assert node.run("lvm.volumes")["XEN/scratch"]["size_bytes"] == 2 * 1024**3
    with pytest.raises(CommandExecutionError):
        node.run("lvm.volume_extend", "XEN", "scratch", "1G")


def test_a_volume_is_removed_only_when_it_is_named_twice(converged: Cluster) -> None:
    node = converged["dom0"]
    node.run("lvm.volume_create", "XEN", "scratch", "1G")
    for confirm in ({}, {"confirm": "yes"}, {"confirm": "XEN/other"}):
        with pytest.raises(SaltInvocationError, match="confirm=XEN/scratch"):
            node.run("lvm.volume_remove", "XEN", "scratch", **confirm)
    assert "XEN/scratch" in node.run("lvm.volumes")
    node.run("lvm.volume_remove", "XEN", "scratch", confirm="XEN/scratch")
    assert "XEN/scratch" not in node.run("lvm.volumes")


@pytest.mark.parametrize("size", ["1.5.2G", "large", "-1"])
def test_a_size_that_is_none_is_refused_before_anything_runs(converged: Cluster, size: str) -> None:
    with pytest.raises(CommandExecutionError):
        converged["dom0"].run("lvm.volume_create", "XEN", "scratch", size)
    assert converged["dom0"].commands() == []


def test_a_name_that_would_be_an_option_is_refused_before_anything_runs(converged: Cluster) -> None:
    with pytest.raises(CommandExecutionError, match="cannot be a name"):
        converged["dom0"].run("xen.domain_stop", "--all")
    assert converged["dom0"].commands() == []


def test_a_side_without_a_connection_is_not_promoted(converged: Cluster) -> None:
    node = converged["dom0m"]
    node.run("drbd.disconnect", "dns")
    with pytest.raises(CommandExecutionError, match="not connected"):
        node.run("drbd.primary", "dns")
    assert node.run("drbd.status", "dns")["role"] == "Secondary"


def test_a_second_primary_is_refused_by_drbd_and_its_words_are_passed_on(converged: Cluster) -> None:
    with pytest.raises(CommandExecutionError, match="Multiple primaries"):
        converged["dom0m"].run("drbd.primary", "dns")


def test_a_domain_is_started_under_the_conditions_of_the_state(converged: Cluster) -> None:
    node = converged["dom0"]
    node.run("xen.domain_destroy", "dns", confirm="dns")
    assert "started" in node.run("xen.domain_start", "dns")
    node.run("xen.domain_destroy", "dns", confirm="dns")
    node.run("drbd.disconnect", "dns")
    converged.world.cut_link("dom0", "dom0m")
    with pytest.raises(CommandExecutionError):
        node.run("xen.domain_start", "dns")
    assert [domain["name"] for domain in node.run("xen.domains")] == ["router"]


def test_a_domain_is_ended_only_when_it_is_named_twice(converged: Cluster) -> None:
    with pytest.raises(CommandExecutionError, match="confirm=dns"):
        converged["dom0"].run("xen.domain_destroy", "dns")
    assert len(converged["dom0"].run("xen.domains")) == 2


def test_a_lost_replica_is_given_up_only_when_it_is_named_twice_and_then_built_anew(converged: Cluster) -> None:
    node = converged["dom0m"]
    node.run("drbd.down", "router")
    node.run("lvm.volume_remove", "XEN", "router", confirm="XEN/router")
    refused = node.apply("lvm")["volume /dev/XEN/router volume.present"]
    assert refused["result"] is False
    assert "drbd.metadata_wipe router confirm=router" in refused["comment"]
    with pytest.raises(SaltInvocationError, match="confirm=router"):
        node.run("drbd.metadata_wipe", "router")
    node.run("drbd.metadata_wipe", "router", confirm="router")
    assert all(returned["result"] is True for returned in node.apply().values())
    assert node.run("drbd.status", "router")["connections"][0]["state"] == "Connected"


def test_metadata_of_a_healthy_replica_are_not_wiped(converged: Cluster) -> None:
    with pytest.raises(CommandExecutionError, match="attached"):
        converged["dom0m"].run("drbd.metadata_wipe", "router", confirm="router")
    converged["dom0m"].run("drbd.down", "router")
    with pytest.raises(CommandExecutionError, match="may hold the data"):
        converged["dom0m"].run("drbd.metadata_wipe", "router", confirm="router")


# --- The topology of now -----------------------------------------------------------------------------------------
def test_what_an_apply_would_do_is_told_of_the_topology_of_now_and_not_of_the_last_refresh(converged: Cluster) -> None:
    node = converged["dom0"]
    assert all(each["result"] for each in node.run("operation.explain", "dns")["items"])
    path = converged.pillar / "saltern" / "init.sls"
    path.write_text(path.read_text().replace("size: 2G\n          minor: 1", "size: 3G\n          minor: 1"))
    found = node.run("operation.explain", "dns")["items"]
    assert [each["item"] for each in found if each["changes"]][:1] == ["volume /dev/XEN/dns"]


def test_a_note_of_a_domain_that_has_just_come_is_no_strange_one_and_is_not_released(converged: Cluster) -> None:
    node = converged["dom0m"]
    new = "b5b7d1c0-33a4-4f43-8f0e-2d8d0d9a6c11"  # the same name, another domain
    note = f"{new} stopped by root at night\n"
    node.host.write_text(stopped_file("mail"), note, 0o600)
    assert "mail" in node.run("operation.entries")["strange"]
    path = converged.pillar / "saltern" / "allocation.sls"
    path.write_text(path.read_text().replace("7213da46-0fae-57c5-88a9-62f5e33f1d1c", new))
    told = node.run("operation.entries")
    assert (told["stopped"], told["strange"]) == ({"mail": "stopped by root at night"}, {})
    node.run("operation.release", "mail")
    assert node.host.read_text(stopped_file("mail")) == note


def test_a_partner_that_came_since_the_last_refresh_is_not_shut_out_by_a_remake(converged: Cluster) -> None:
    path = converged.pillar / "saltern"
    dns = part(topology.compile(files.read(path)).slices["dom0"], ["dns"])
    text = (path / "init.sls").read_text()
    new = "    elsewhere: {address: 192.168.1.192, volume_group: XEN}\n  domains:\n"
    new += (
        "    new: {home: dom0, partner: elsewhere, memory: 64M, xl: {bootloader: pygrub}, disks: {xvda: {size: 64M}}}\n"
    )
    (path / "init.sls").write_text(text.replace("  domains:\n", new, 1))
    (path / "allocation.sls").write_text(topology.write_allocation(topology.load_and_allocate(files.read(path))))
    keys = {"migration": "ssh-ed25519 AAAAC3Nz=", "host": ["ssh-ed25519 AAAAHost"]}
    node = converged["dom0"]
    node.run("remake.trust", slice_to_pillar(dns), {"dom0m": keys, "elsewhere": keys})
    let_in = node.host.read_text(AUTHORIZED_KEYS)
    assert [name for name in ("dom0m", "elsewhere") if f"migration-of-{name}" in let_in] == ["dom0m", "elsewhere"]
