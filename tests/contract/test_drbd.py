"""DRBD answers as it did when it was recorded (tests/data/transcripts).

Each case says what led to the recording, then runs the recorded command line and compares words and exit codes.
Counters, UUIDs and dates are different every time; the kernel log is not simulated.
"""

import shlex
from collections.abc import Callable

import pytest
from contract_steps import both_run, wait_for
from contract_target import Target, transcript
from contract_text import normal, words

NET = (
    "protocol C; allow-two-primaries; after-sb-0pri discard-least-changes; "
    "after-sb-1pri discard-secondary; after-sb-2pri disconnect; verify-alg sha1;"
)


# --- What leads to a recording -----------------------------------------------------------------------------------------
def make_volumes(target: Target, meta: str = "520M") -> None:
    both_run(target, "pvcreate /dev/vdb", "vgcreate XEN /dev/vdb", "lvcreate -n dns -L 256M XEN")
    both_run(target, f"lvcreate -n meta -L {meta} XEN", "lvcreate -n two -L 64M XEN")
    configure(target, NET)


def volumes(target: Target) -> None:
    target.start(make_volumes)


def common_section(target: Target) -> None:
    """What a node is configured with for all resources: nothing, in words."""
    volumes(target)
    target.write_file("node1", "/etc/drbd.d/global_common.conf", "global { usage-count no; }\ncommon { }\n")


def configure(target: Target, net: str, name: str = "dns", minor: int = 1, disk: str = "") -> None:
    """The resource as it stood then: its device statement on line 10 (transcript 212)."""
    hosts = "".join(
        f"""  on node{number} {{ device /dev/drbd{minor};
    disk /dev/XEN/{disk or name};
    address 10.77.0.{number}:{7791 + minor};
    meta-disk /dev/XEN/meta[{minor}];
  }}
"""
        for number in (1, 2)
    )
    for node in ("node1", "node2"):
        lines = "\n".join(f"    {option.strip()};" for option in net.split(";") if option.strip())
        text = f"resource {name} {{\n  net {{\n{lines}\n  }}\n{hosts}}}\n"
        target.write_file(node, f"/etc/drbd.d/{name}.res", text)


def small_meta(target: Target) -> None:
    make_volumes(target, "136M")


def small_created(target: Target) -> None:
    small_meta(target)
    both_run(target, "drbdadm create-md dns")


def slot_beyond_the_end(target: Target) -> None:
    small_created(target)
    target.run("node1", 'sed "s/meta.1./meta[2]/" /etc/drbd.d/dns.res > /root/d.conf')


def small_failed(target: Target) -> None:
    small_created(target)
    target.run("node1", "drbdadm up dns")


def created(target: Target) -> None:
    volumes(target)
    both_run(target, "drbdadm create-md dns")


def alone(target: Target) -> None:
    created(target)
    target.run("node1", "drbdadm up dns")


def together(target: Target) -> None:
    alone(target)
    target.run("node2", "drbdadm up dns")
    connected(target)


def connected(target: Target) -> None:
    wait_for(target, "node1", "drbdadm cstate dns", "Connected\n")


def alike(target: Target) -> None:
    wait_for(target, "node1", "drbdadm dstate dns", "UpToDate/UpToDate\n")


def slowly(target: Target) -> None:
    """Copying takes minutes from now on."""
    for node in ("node1", "node2"):
        text = target.run(node, "cat /etc/drbd.d/dns.res").stdout
        slow = "  disk {\n    c-plan-ahead 0;\n    resync-rate 1M;\n  }\n  net {"
        target.write_file(node, "/etc/drbd.d/dns.res", text.replace("  net {", slow))
    both_run(target, "drbdadm adjust dns")


def syncing(target: Target) -> None:
    together(target)
    slowly(target)
    both_run(target, "sleep 1")
    target.run("node1", "drbdadm primary --force dns; sleep 1")


def first_sync(target: Target) -> None:
    together(target)
    target.run("node1", "drbdadm primary --force dns")
    alike(target)


def synced(target: Target) -> None:
    """Both disks of dns are UpToDate, and node1 is Primary."""
    target.start(first_sync)


def both_primary(target: Target) -> None:
    synced(target)
    target.run("node2", "drbdadm primary dns")


def without_two_primaries(target: Target) -> None:
    synced(target)
    configure(target, NET.replace("allow-two-primaries; ", ""))


def adjusted(target: Target) -> None:
    without_two_primaries(target)
    both_run(target, "drbdadm adjust dns")


def both_secondary(target: Target) -> None:
    synced(target)
    target.run("node1", "drbdadm secondary dns")


def peer_gone(target: Target) -> None:
    both_secondary(target)
    target.power_cut("node2")
    wait_for(target, "node1", "drbdadm cstate dns", "WFConnection\n")


def write(target: Target, node: str, count: int, seek: int) -> None:
    """Write blocks of 4 KiB to the device."""
    target.run(node, f"dd if=/dev/urandom of=/dev/drbd1 bs=4k count={count} seek={seek} oflag=direct status=none")


def crashed_primary(target: Target) -> None:
    """node2 was Primary, wrote, and lost its power; node1 has taken over and written; node2 is back."""
    both_secondary(target)
    slowly(target)
    target.run("node2", "drbdadm primary dns")
    for block in (5, 3000, 9000):
        write(target, "node2", 1, block)
    target.run("node2", "sync")
    target.power_cut("node2")
    wait_for(target, "node1", "drbdadm cstate dns", "WFConnection\n")
    target.run("node1", "drbdadm primary dns")
    write(target, "node1", 4, 5)
    target.power_on("node2")


def invalidated(target: Target) -> None:
    both_secondary(target)
    slowly(target)
    target.run("node2", "drbdadm invalidate dns; sleep 1")


def left_inconsistent(target: Target) -> None:
    invalidated(target)
    target.run("node2", "drbdadm disconnect dns; sleep 1")


def reconnected(target: Target) -> None:
    left_inconsistent(target)
    target.run("node2", "drbdadm connect dns; sleep 1")


def forced_half_synchronised(target: Target) -> None:
    reconnected(target)
    target.run("node2", "drbdadm disconnect dns; drbdadm primary --force dns; drbdadm secondary dns; sleep 1")


def forced_and_connected(target: Target) -> None:
    forced_half_synchronised(target)
    target.run("node2", "drbdadm connect dns; sleep 3")


def runs_of(*numbers: int, after: Callable[[Target], None]) -> Callable[[Target], None]:
    """Everything that was recorded before."""

    def lead(target: Target) -> None:
        after(target)
        for number in numbers:
            recorded = transcript(number)
            target.run(recorded.node, recorded.command)

    return lead


def other_disk_options(target: Target) -> None:
    both_secondary(target)
    target.run("node1", "drbdadm disk-options --c-plan-ahead=0 --resync-rate=200M dns")


def one_primary_diverged(target: Target) -> None:
    both_secondary(target)
    target.run("node1", transcript(197).command)
    target.run("node2", "drbdadm disconnect dns; drbdadm primary dns")
    write(target, "node2", 3, 50000)
    target.run("node2", "drbdadm secondary dns")
    target.run("node1", transcript(199).command)


def grown_on_node1(target: Target) -> None:
    both_secondary(target)
    target.run("node1", "lvextend -q -L 320M /dev/XEN/dns")


def grown_to_320(target: Target) -> None:
    synced(target)
    both_run(target, "lvextend -q -L 320M /dev/XEN/dns")
    target.run("node1", "drbdadm resize dns")
    alike(target)


def on_384_grown_on_node1(target: Target) -> None:
    grown_to_320(target)
    both_run(target, "lvextend -q -L 384M /dev/XEN/dns")
    target.run("node1", "drbdadm resize dns")
    alike(target)
    configure(target, "protocol C;", "two", 2)


def on_384_grown_on_both(target: Target) -> None:
    on_384_grown_on_node1(target)
    target.run("node1", "lvextend -q -L 448M /dev/XEN/dns; drbdadm resize dns")
    slowly(target)


def broken_neighbour(target: Target) -> None:
    synced(target)
    for node in ("node1", "node2"):
        target.write_file(node, "/etc/drbd.d/bad.res", "resource bad {")


def two_up(target: Target) -> None:
    second_resource(target)
    target.run("node1", "drbdadm disk-options --resync-rate=200M dns; drbdadm up two; rm /etc/drbd.d/two.res")


def conflicting_neighbour(target: Target) -> None:
    """The second resource in the form it had then: everything of a host on one line, the device on line 2."""
    synced(target)
    hosts = "".join(
        f"  on node{number} {{ device /dev/drbd1; disk /dev/XEN/two; address 10.77.0.{number}:7793; "
        "meta-disk /dev/XEN/meta[2]; }\n"
        for number in (1, 2)
    )
    target.write_file("node1", "/etc/drbd.d/two.res", f"resource two {{\n{hosts}}}\n")


def healed_after_a_partition(target: Target) -> None:
    """Both sides were Primary and wrote while the link was cut (transcript 257)."""
    both_secondary(target)
    configure(target, NET.replace("protocol C;", "protocol C; ping-int 3; ping-timeout 10;"))
    both_run(target, "drbdadm adjust dns")
    target.cut_link()
    for node in ("node1", "node2"):
        wait_for(target, node, "drbdadm cstate dns", "WFConnection\n")
    both_run(target, "drbdadm primary dns")
    write(target, "node1", 20, 7)
    write(target, "node2", 14, 7)
    target.heal_link()
    for node in ("node1", "node2"):
        wait_for(target, node, "drbdadm cstate dns", "StandAlone\n")


def disk_gone(target: Target) -> None:
    second_resource(target)
    configure(target, "protocol C;", "two", 2, disk="gone")


def on_the_same_disk(target: Target) -> None:
    synced(target)
    configure(target, "protocol C;", "two", 2, disk="dns")


def second_resource(target: Target) -> None:
    synced(target)
    configure(target, "protocol C;", "two", 2)
    target.run("node1", "drbdadm create-md two")


def blank_ggg(target: Target) -> None:
    volumes(target)
    target.run("node1", "lvextend -L 640M /dev/XEN/meta")
    hosts = "".join(
        f" on node{number} {{ device /dev/drbd9; disk /dev/XEN/two; address 10.77.0.{number}:7799; meta-disk META; }}\n"
        for number in (1, 2)
    )
    text = f"resource ggg {{\n{hosts}}}\n"
    target.write_file("node1", "/root/g.conf", text.replace("META", "/dev/XEN/meta[3]"))
    target.write_file("node1", "/root/g2.conf", text.replace("META", "/dev/XEN/nosuch[3]"))


def after_power_cut(target: Target) -> None:
    synced(target)
    restart(target)


def slowly_after_power_cut(target: Target) -> None:
    synced(target)
    slowly(target)
    restart(target)


def restart(target: Target) -> None:
    target.run("node1", "sync")
    target.power_cut("node1")
    target.power_on("node1")


CASES: dict[int, Callable[[Target], None]] = {
    20: volumes,
    21: volumes,
    23: volumes,
    24: volumes,
    25: volumes,
    26: volumes,
    27: common_section,
    28: common_section,
    29: volumes,
    30: volumes,
    31: volumes,
    32: small_meta,
    34: small_created,
    35: small_created,
    36: created,
    37: created,
    38: created,
    39: small_meta,
    40: small_created,
    41: small_created,
    42: small_created,
    43: small_failed,
    45: small_failed,
    46: small_failed,
    48: slot_beyond_the_end,
    50: created,
    51: alone,
    52: alone,
    53: alone,
    54: alone,
    56: together,
    57: together,
    58: together,
    59: syncing,
    60: syncing,
    61: syncing,
    62: synced,
    63: synced,
    64: synced,
    67: both_primary,
    68: both_primary,
    69: without_two_primaries,
    70: without_two_primaries,
    71: without_two_primaries,
    72: adjusted,
    73: adjusted,
    74: adjusted,
    75: synced,
    174: peer_gone,
    177: crashed_primary,
    178: crashed_primary,
    180: both_secondary,
    181: invalidated,
    182: left_inconsistent,
    183: left_inconsistent,
    184: reconnected,
    185: forced_half_synchronised,
    186: forced_and_connected,
    188: both_secondary,
    189: both_secondary,
    190: both_secondary,
    191: runs_of(189, 190, after=both_secondary),
    192: runs_of(189, 190, 191, after=both_secondary),
    193: runs_of(189, 190, 191, 192, after=other_disk_options),
    194: runs_of(189, 190, 191, 192, after=both_secondary),
    195: runs_of(189, 190, 191, 192, 194, after=both_secondary),
    196: runs_of(189, 190, 191, 192, 194, 195, after=both_secondary),
    200: one_primary_diverged,
    204: runs_of(201, 202, 203, after=both_secondary),
    205: both_secondary,
    207: grown_on_node1,
    208: grown_on_node1,
    210: grown_to_320,
    212: conflicting_neighbour,
    213: broken_neighbour,
    214: synced,
    215: on_384_grown_on_node1,
    216: on_384_grown_on_both,
    217: on_the_same_disk,
    218: second_resource,
    221: disk_gone,
    222: two_up,
    223: both_secondary,
    248: synced,
    249: synced,
    250: synced,
    251: blank_ggg,
    255: volumes,
    258: healed_after_a_partition,
    259: healed_after_a_partition,
    262: after_power_cut,
    263: slowly_after_power_cut,
}


# What the recorded command line did with sed or ssh, done by hand.
def each(*commands: str) -> str:
    """A loop of the recordings, written out."""
    return "; ".join(f'drbdadm {command}; echo "drbdadm {command}: rc=$?"' for command in commands)


INSTEAD = {
    48: "drbdadm -c /root/d.conf create-md --force dns",
    212: each("status dns", "role dns", "adjust dns", "primary dns", "up two", "sh-resources"),
    214: each("status nosuch", "role nosuch", "adjust nosuch", "up nosuch", "dump nosuch"),
    258: 'drbdadm status; echo "status rc=$?"; drbdadm role dns; drbdadm cstate dns; drbdadm dstate dns; tail -2 /proc/drbd; '
    "drbdadm -d adjust dns",
    259: 'drbdadm status; echo "status rc=$?"; drbdadm role dns; drbdadm cstate dns; drbdadm dstate dns; tail -2 /proc/drbd; '
    "drbdadm -d adjust dns",
    213: 'drbdadm status dns; echo "status dns rc=$?"; drbdadm role dns; echo "role dns rc=$?"; drbdsetup status; '
    'echo "drbdsetup status rc=$?"',
    221: 'drbdadm adjust two; echo "adjust rc=$?"; drbdadm up two; echo "up rc=$?"; drbdadm create-md two; '
    'echo "create-md rc=$?"; drbdadm status; drbdadm down two',
    222: 'drbdadm -d adjust all; echo "rc=$?"; drbdadm adjust all; drbdadm status; echo; drbdsetup status; drbdadm down two; '
    'echo "down rc=$?"; drbdsetup down two; echo "drbdsetup down rc=$?"',
    251: 'drbdadm -c /root/g.conf dump-md ggg; echo "dump-md rc=$?"; drbdadm -c /root/g.conf get-gi ggg; '
    'echo "get-gi rc=$?"; drbdadm -c /root/g.conf cstate ggg; echo "cstate rc=$?"; '
    'drbdadm -c /root/g2.conf get-gi ggg; echo "missing meta device: get-gi rc=$?"',
    217: 'drbdadm create-md --force two; echo "create-md rc=$?"; drbdadm up two; echo "up rc=$?"; '
    "drbdadm status; drbdadm down two",
    193: "drbdadm status; cat /proc/drbd | tail -3; drbdadm cstate dns; drbdadm dstate dns; drbdadm role dns; "
    "drbdadm -d adjust dns; drbdadm show-gi dns | head -8",
}
# While blocks are being copied, how many are left is different every time.
COPYING = {59, 60, 61, *range(178, 187), 216, 263}
# Their first look comes in the moment after `up`: whether the other side is seen by then is a matter of speed.
HASTY = {178}
# Recordings of configurations that are good or bad; each shows the file first.
CONFIGURATIONS = (*range(78, 88), *range(89, 99), 100, 101, 102)


@pytest.mark.parametrize("number", CASES)
def test_drbd_answers_as_recorded(target: Target, number: int) -> None:
    CASES[number](target)
    recorded = transcript(number)
    answer = target.run(recorded.node, INSTEAD.get(number, recorded.command))
    exact = number not in COPYING
    found, expected = (
        text.partition("\n\n")[2] if number in HASTY else text for text in (answer.stdout, recorded.answer.stdout)
    )
    assert normal(found, exact_sync=exact) == normal(expected, exact_sync=exact)
    assert words(answer.stderr) == words(recorded.answer.stderr)
    assert answer.returncode == recorded.answer.returncode


@pytest.mark.parametrize("number", CONFIGURATIONS)
def test_drbdadm_judges_a_configuration_as_recorded(target: Target, number: int) -> None:
    recorded = transcript(number)
    path = shlex.split(recorded.command.partition(";")[0])[1]
    text = recorded.answer.stdout.partition("--- drbdadm dump:\n")[0]
    target.write_file("node1", path, text)
    answer = target.run("node1", recorded.command)
    assert answer.stdout == recorded.answer.stdout
    assert answer.stderr == recorded.answer.stderr
    assert answer.returncode == recorded.answer.returncode
