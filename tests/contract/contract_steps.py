"""What several contracts begin with: volumes, and a resource that is the same on both nodes."""

from contract_target import Target

Step = tuple[str, str]  # node, command

WAIT_S = 120


def both(*commands: str) -> list[Step]:
    return [(node, command) for command in commands for node in ("node1", "node2")]


def run_steps(target: Target, steps: list[Step]) -> None:
    for node, command in steps:
        answer = target.run(node, command)
        assert answer.returncode == 0, (node, command, answer)


def both_run(target: Target, *commands: str) -> None:
    run_steps(target, both(*commands))


def wait_for(target: Target, node: str, command: str, stdout: str) -> None:
    """Wait until a command prints exactly that."""
    for _ in range(WAIT_S):
        shown = target.run(node, command).stdout
        if shown == stdout:
            return
        target.run(node, "sleep 1")
    raise AssertionError(f"{node}: {command} printed {shown!r} for {WAIT_S} s, and never {stdout!r}")


VOLUMES = both(
    "pvcreate /dev/vdb", "vgcreate XEN /dev/vdb", "lvcreate -n meta -L 264M XEN", "lvcreate -n dns -L 256M XEN"
)

DNS_RES = """
resource dns {
    net { protocol C; }
    on node1 { device /dev/drbd1; disk /dev/XEN/dns; address 10.77.0.1:7792; meta-disk /dev/XEN/meta[1]; }
    on node2 { device /dev/drbd1; disk /dev/XEN/dns; address 10.77.0.2:7792; meta-disk /dev/XEN/meta[1]; }
}
"""


def synced(target: Target) -> None:
    """Both disks of dns are UpToDate, and node1 is Primary."""
    for node in ("node1", "node2"):
        target.write_file(node, "/etc/drbd.d/dns.res", DNS_RES)
    run_steps(target, VOLUMES)
    both_run(target, "drbdadm create-md dns", "drbdadm up dns")
    wait_for(target, "node1", "drbdadm cstate dns", "Connected\n")
    run_steps(target, [("node1", "drbdadm primary --force dns")])
    wait_for(target, "node1", "drbdadm dstate dns", "UpToDate/UpToDate\n")
