"""The example cluster: dns comes out exactly as it was written by hand in 2008, the others as they are allocated."""

import subprocess
from pathlib import Path

import pytest
import yaml

from saltern import topology
from saltern.model.desired import Purpose, ResourceHost
from saltern.model.running import Generation
from saltern.render import drbd_resource
from saltern.topology import files, graph
from saltern.units import GIB, MIB

PILLAR = Path(__file__).parents[3] / "pillar" / "saltern"


@pytest.fixture(scope="module")
def compiled():
    return topology.compile(files.read(PILLAR))


def test_dns_is_the_historical_resource_on_both_nodes(compiled):
    expected = (
        ResourceHost(
            node="dom0",
            node_id=0,
            address="192.168.1.190",
            port=7792,
            minor=1,
            disk="/dev/XEN/dns",
            meta_device="/dev/XEN/meta",
            meta_index=1,
        ),
        ResourceHost(
            node="dom0m",
            node_id=1,
            address="192.168.1.191",
            port=7792,
            minor=1,
            disk="/dev/XEN/dns",
            meta_device="/dev/XEN/meta",
            meta_index=1,
        ),
    )
    for share in compiled.slices.values():
        dns = share.resources["dns"]
        assert (dns.protocol, dns.hosts, dns.on("dom0").device) == ("C", expected, "/dev/drbd1")


def test_the_shared_meta_disk_holds_the_slots_up_to_that_of_dns(compiled):
    for share in compiled.slices.values():
        (meta,) = (volume for volume in share.volumes if volume.name == "meta")
        assert (meta.purpose, meta.size_bytes) == (Purpose.META, 2 * 128 * MIB)


def test_the_others_have_a_metadata_volume_for_each_disk(compiled):
    for share in compiled.slices.values():
        meta = {volume.name for volume in share.volumes if volume.purpose is Purpose.META}
        assert meta == {"meta", "router_meta", "vpn_meta", "mail_meta", "mail-xvdb_meta"}


def test_both_nodes_have_every_domain_and_homes_on_both_sides(compiled):
    assert {tuple(share.domains) for share in compiled.slices.values()} == {("router", "dns", "mail", "vpn")}
    assert {domain.home for domain in compiled.cluster.domains.values()} == {"dom0", "dom0m"}


def test_mail_has_two_disks_and_its_own_rate_for_the_second(compiled):
    resources = compiled.slices["dom0"].resources
    assert [disk.resource for disk in compiled.slices["dom0"].domains["mail"].disks] == ["mail", "mail-xvdb"]
    assert resources["mail-xvdb"].sections["disk"] == {"c-max-rate": "50M"}
    assert "disk" not in resources["mail"].sections
    shared = ("ping-int", "verify-alg", "cram-hmac-alg")
    for option in shared:
        assert resources["mail-xvdb"].sections["net"][option] == resources["mail"].sections["net"][option]
    assert resources["mail-xvdb"].size_bytes == 4 * GIB


def test_the_allocation_file_is_what_the_allocator_writes():
    allocation = topology.load_and_allocate(files.read(PILLAR))
    assert topology.write_allocation(allocation) == (PILLAR / "allocation.sls").read_text()


def test_allocating_from_nothing_gives_the_same_file():
    pillar = files.read(PILLAR)
    del pillar["saltern"]["allocation"]
    written = yaml.safe_load(topology.write_allocation(topology.load_and_allocate(pillar)))
    assert written == yaml.safe_load((PILLAR / "allocation.sls").read_text())


@pytest.mark.needs_tool("dot")
def test_graphviz_draws_the_picture(compiled):
    drawn = subprocess.run(
        ["dot", "-Tsvg"], input=graph.dot(compiled.cluster), capture_output=True, text=True, check=True
    )
    assert drawn.stderr == ""
    for name in ("dom0m", "router", "5 resources"):
        assert name in drawn.stdout


@pytest.mark.needs_tool("drbdadm")
def test_drbdadm_reads_every_resource(compiled, tmp_path):
    resources = compiled.slices["dom0"].resources.values()
    text = "".join(drbd_resource.render(resource, Generation.V9) for resource in resources)
    (tmp_path / "drbd.conf").write_text(f"global {{ usage-count no; }}\n{text}")
    dumped = subprocess.run(
        ["drbdadm", "-c", str(tmp_path / "drbd.conf"), "dump"], capture_output=True, text=True, check=True
    )
    assert dumped.stdout.count("\nresource ") == len(resources)


def test_mermaid_names_every_node_domain_and_dependency(compiled):
    lines = graph.mermaid(compiled.cluster).splitlines()
    assert lines[0] == "flowchart LR"
    assert sum("subgraph" in line for line in lines) == 2
    assert sum("-.->" in line for line in lines) == 4
    assert sum("<==>|5 resources|" in line for line in lines) == 1
