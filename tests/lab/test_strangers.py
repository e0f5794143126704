"""What Saltern does not look after stays as it is, byte for byte; where it is in the way, the run says so and names both."""

import pytest
from applying import apply, assert_converged, converge, failures
from guests import running

from lab.cluster import NODES, Lab

# Volumes beside ours, a volume group beside ours with a volume of our name in it, and a replicated disk with a guest's data.
VOLUMES = """
modprobe loop
lvcreate --yes --size 8M --name precious XEN
truncate --size 40M /var/lib/other.img
vgcreate OTHER $(losetup --find --show /var/lib/other.img)
lvcreate --yes --size 8M --name dns OTHER
lvcreate --yes --size 8M --name theirs XEN
for each in XEN/precious OTHER/dns XEN/theirs; do dd if=/dev/urandom of=/dev/$each bs=1M count=4 conv=fsync; done
"""
BRING_UP = "drbdadm create-md --force {name} && drbdadm up {name}"
LOOK = (
    "cat /etc/drbd.d/theirs.res",
    "drbdsetup show theirs",
    "drbdadm role theirs; drbdadm cstate theirs; drbdadm dstate theirs",
    "drbdadm get-gi theirs",
    "lvs --noheadings -o vg_name,lv_name,lv_size,lv_tags,lv_attr,lv_uuid XEN/precious XEN/theirs OTHER",
    "vgs --noheadings -o vg_name,vg_uuid,vg_size,vg_seqno OTHER",
    "for each in XEN/precious OTHER/dns XEN/theirs; do sha256sum < /dev/$each; done",
)


def configuration(name: str, *, minor: int, port: int, disk: str) -> str:
    """A resource as somebody else writes one."""
    sections = "".join(
        f"    on node{number} {{ address 10.77.0.{number}:{port}; }}\n" for number in range(1, len(NODES) + 1)
    )
    head = f"    device /dev/drbd{minor}; disk {disk}; meta-disk internal;\n    net {{ protocol A; }}\n"
    return f"# by hand\nresource {name} {{\n{head}{sections}}}\n"


def bring_up(lab: Lab, name: str, text: str) -> None:
    for node in NODES:
        lab.write_file(node, f"/etc/drbd.d/{name}.res", text)
        lab.on(node, BRING_UP.format(name=name))


def seen(lab: Lab) -> dict[str, dict[str, str]]:
    """What each of these commands tells on each node."""
    return {node: {line: lab.on(node, line).stdout for line in LOOK} for node in NODES}


@pytest.fixture
def inhabited(bare: Lab) -> Lab:
    """Bare nodes on which somebody has volumes and a replicated disk, which is Primary on node1."""
    for node in NODES:
        bare.on(node, VOLUMES)
    bring_up(bare, "theirs", configuration("theirs", minor=50, port=7850, disk="/dev/XEN/theirs"))
    bare.on("node1", "drbdadm primary --force theirs")
    bare.wait_until(
        lambda: all("UpToDate/UpToDate" in bare.on(node, "drbdadm dstate theirs").stdout for node in NODES),
        "their disk is UpToDate",
    )
    return bare


def test_volumes_groups_and_resources_of_somebody_else_stay_as_they_are(inhabited: Lab) -> None:
    before = seen(inhabited)
    converge(inhabited)
    assert seen(inhabited) == before
    assert_converged(inhabited)
    assert seen(inhabited) == before


def test_a_number_that_somebody_else_uses_is_refused_and_names_both(inhabited: Lab) -> None:
    minor_of_dns, port_of_vpn = 1, 7791
    for node in NODES:
        inhabited.on(node, "lvcreate --yes --size 8M --name a XEN; lvcreate --yes --size 8M --name b XEN")
    bring_up(inhabited, "minor-taken", configuration("minor-taken", minor=minor_of_dns, port=7851, disk="/dev/XEN/a"))
    bring_up(inhabited, "port-taken", configuration("port-taken", minor=52, port=port_of_vpn, disk="/dev/XEN/b"))
    before = seen(inhabited)

    for _ in range(2):  # what is not in the way is built by the first run or by the second
        failed = failures(apply(inhabited))

    for node in NODES:
        assert "minor-taken" in failed[node]["dns resource_configured drbd.resource_configured"]
        assert "port-taken" in failed[node]["vpn resource_configured drbd.resource_configured"]
        assert {state.split()[0] for state in failed[node]} == {"dns", "vpn"}
        drbd = inhabited.on(node, "cat /etc/drbd.d/minor-taken.res /etc/drbd.d/port-taken.res; ls /etc/drbd.d").stdout
        assert drbd.count("# by hand") == 2
        assert "dns.res" not in drbd
        assert "vpn.res" not in drbd
    assert running(inhabited, "node1") == ["router"]
    assert running(inhabited, "node2") == ["mail"]
    assert seen(inhabited) == before

    for node in NODES:
        inhabited.on(node, "for each in minor-taken port-taken; do drbdadm down $each; rm /etc/drbd.d/$each.res; done")
    converge(inhabited)
    assert_converged(inhabited)
    assert seen(inhabited) == before
