"""What several contracts begin with: volumes, and a resource that is the same on both nodes."""

Step = tuple[str, str]  # node, command


def both(*commands: str) -> list[Step]:
    return [(node, command) for command in commands for node in ("node1", "node2")]


VOLUMES = both(
    "pvcreate /dev/vdb", "vgcreate XEN /dev/vdb", "lvcreate -n meta -L 264M XEN", "lvcreate -n dns -L 256M XEN"
)
SYNCED = [
    *VOLUMES,
    *both("modprobe drbd", "drbdadm create-md dns", "drbdadm up dns"),
    ("node1", "drbdadm primary --force dns"),
    ("node1", "sleep 60"),
]

DNS_RES = """
resource dns {
    net { protocol C; }
    on node1 { device /dev/drbd1; disk /dev/XEN/dns; address 10.77.0.1:7792; meta-disk /dev/XEN/meta[1]; }
    on node2 { device /dev/drbd1; disk /dev/XEN/dns; address 10.77.0.2:7792; meta-disk /dev/XEN/meta[1]; }
}
"""
