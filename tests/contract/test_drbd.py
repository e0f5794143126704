"""DRBD answers as it did when it was recorded (tests/data/transcripts).

Each case says what led to the recording, then runs the recorded command line and compares words and exit codes.
Counters, UUIDs and dates are different every time; the kernel log is not simulated.
"""

import re
import shlex
from collections.abc import Callable

import pytest
from contract_target import Answer, SimulatorTarget, transcript

from saltern.sim import drbd
from saltern.units import MIB

NET = (
    "protocol C; allow-two-primaries; after-sb-0pri discard-least-changes; "
    "after-sb-1pri discard-secondary; after-sb-2pri disconnect; verify-alg sha1;"
)


class Shell(SimulatorTarget):
    """The simulator behind as much of a shell as the recordings of DRBD use."""

    def run(self, node: str, command: str) -> Answer:
        status, out, err = 0, "", ""
        for part in _split(command, ";"):
            for link in _split(part, "&&"):
                answer = self._pipe(node, link.replace("$?", str(status)))
                status, out, err = answer.returncode, out + answer.stdout, err + answer.stderr
                if status:
                    break
        return Answer(status, out, err)

    def _pipe(self, node: str, command: str) -> Answer:
        command, _, redirected = command.partition(">")
        first, *filters = _split(command, "|")
        answer = self._one(node, first.strip())
        out = answer.stdout
        for text in filters:
            out = _filter(shlex.split(text), out)
        return Answer(answer.returncode, "" if redirected else out, answer.stderr)

    def _one(self, node: str, command: str) -> Answer:
        argv = shlex.split(command)
        while argv[0] in ("time", "timeout"):
            argv = argv[1 if argv[0] == "time" else 2 :]
        if argv[0] in ("dmesg", "sync", "mkdir", "rm", "cp", "mkfs.ext4"):
            return Answer(0, "", "")
        if argv[0] == "sed":  # in transcript 223, which puts the old policy back
            configure_one(self, node, "discard-least-changes")
            return Answer(0, "", "")
        if argv[0] in ("dd", "mount", "umount", "blockdev"):
            return getattr(self, f"_{argv[0]}")(node, argv)
        if argv[0] == "tail":
            return Answer(0, _filter(argv[:2], self.world.read_file(node, argv[2]) or ""), "")
        return self._simple(node, shlex.join(argv))

    def _dd(self, node: str, argv: list[str]) -> Answer:
        words = dict(word.split("=") for word in argv[1:])
        minor = int(words["of"].removeprefix("/dev/drbd"))
        assert drbd.open(self.world, node, minor, "dd", True)
        for block in range(int(words["seek"]), int(words["seek"]) + int(words["count"])):
            self.world.writes += 1
            assert drbd.write(self.world, node, minor, block, self.world.writes)
        drbd.close(self.world, node, minor, "dd")
        return Answer(0, "", "")

    def _mount(self, node: str, argv: list[str]) -> Answer:
        if argv[1].startswith("/dev/drbd"):
            opened = drbd.open(self.world, node, int(argv[1].removeprefix("/dev/drbd")), "mount", True)
            return Answer(0 if opened else 32, "", "")
        self.world.nodes[node].devices[argv[1]].holders.append("mount")
        return Answer(0, "", "")

    def _umount(self, node: str, _argv: list[str]) -> Answer:
        drbd.close(self.world, node, 1, "mount")
        for device in self.world.nodes[node].devices.values():
            device.holders = [holder for holder in device.holders if holder != "mount"]
        return Answer(0, "", "")

    def _blockdev(self, node: str, argv: list[str]) -> Answer:
        found = self.world.nodes[node].drbd.by_minor(int(argv[2].removeprefix("/dev/drbd")))
        if found is None or not found[0].primary:
            return Answer(1, "", f"blockdev: cannot open {argv[2]}: Wrong medium type\n")
        return Answer(0, f"{found[1].size_sectors * 512}\n", "")


def _split(command: str, mark: str) -> list[str]:
    """Split at a mark outside of quotes."""
    parts = re.split(rf"{re.escape(mark)}(?=(?:[^\"']|\"[^\"]*\"|'[^']*')*$)", command)
    return [part.strip() for part in parts if part.strip()]


def _filter(argv: list[str], text: str) -> str:
    lines = text.splitlines(keepends=True)
    if argv[0] == "head":
        return "".join(lines[: int(argv[1].removeprefix("-"))])
    if argv[0] == "tail":
        return "".join(lines[-int(argv[1].removeprefix("-")) :])
    return "".join(line for line in lines if re.search(argv[-1], line))


@pytest.fixture
def target() -> Shell:
    """Two fresh nodes to try commands on."""
    return Shell()


# --- What leads to a recording -----------------------------------------------------------------------------------------
def both(target: Shell, command: str) -> None:
    for node in ("node1", "node2"):
        answer = target.run(node, command)
        assert answer.returncode == 0, answer


def volumes(target: Shell, meta: str = "520M") -> None:
    both(target, "pvcreate /dev/vdb; vgcreate XEN /dev/vdb; lvcreate -n dns -L 256M XEN; modprobe drbd")
    both(target, f"lvcreate -n meta -L {meta} XEN; lvcreate -n two -L 64M XEN")
    configure(target, NET)


def configure(target: Shell, net: str, name: str = "dns", minor: int = 1, disk: str = "") -> None:
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


def small_meta(target: Shell) -> None:
    volumes(target, "136M")


def small_created(target: Shell) -> None:
    small_meta(target)
    both(target, "drbdadm create-md dns")


def slot_beyond_the_end(target: Shell) -> None:
    small_created(target)
    text = target.world.nodes["node1"].files["/etc/drbd.d/dns.res"][0]
    target.write_file("node1", "/root/d.conf", text.replace("meta[1]", "meta[2]"))


def small_failed(target: Shell) -> None:
    small_created(target)
    target.run("node1", "drbdadm up dns")


def created(target: Shell) -> None:
    volumes(target)
    both(target, "drbdadm create-md dns")


def alone(target: Shell) -> None:
    created(target)
    target.run("node1", "drbdadm up dns")


def together(target: Shell) -> None:
    alone(target)
    target.run("node2", "drbdadm up dns; sleep 1")


def syncing(target: Shell) -> None:
    together(target)
    target.world.resync_bytes_per_s = MIB
    target.run("node1", "drbdadm primary --force dns")


def synced(target: Shell) -> None:
    together(target)
    assert target.run("node1", "drbdadm primary --force dns; sleep 10").returncode == 0


def both_primary(target: Shell) -> None:
    synced(target)
    target.run("node2", "drbdadm primary dns")


def without_two_primaries(target: Shell) -> None:
    synced(target)
    configure(target, NET.replace("allow-two-primaries; ", ""))


def adjusted(target: Shell) -> None:
    without_two_primaries(target)
    both(target, "drbdadm adjust dns")


def both_secondary(target: Shell) -> None:
    synced(target)
    target.run("node1", "drbdadm secondary dns")


def peer_gone(target: Shell) -> None:
    both_secondary(target)
    target.world.power_cut("node2")
    target.world.advance(5)


def crashed_primary(target: Shell) -> None:
    """node2 was Primary, wrote, and lost its power; node1 has taken over and written; node2 is back."""
    both_secondary(target)
    target.run("node2", "drbdadm primary dns; dd of=/dev/drbd1 count=1 seek=5; dd of=/dev/drbd1 count=1 seek=3000")
    target.run("node2", "dd of=/dev/drbd1 count=1 seek=9000")
    target.world.power_cut("node2")
    target.world.advance(5)
    target.run("node1", "drbdadm primary dns; dd of=/dev/drbd1 count=4 seek=5")
    target.world.boot("node2", drbd_service=False)
    target.run("node2", "modprobe drbd")
    target.world.resync_bytes_per_s = MIB


def invalidated(target: Shell) -> None:
    both_secondary(target)
    target.world.resync_bytes_per_s = MIB
    target.run("node2", "drbdadm invalidate dns; sleep 1")


def left_inconsistent(target: Shell) -> None:
    invalidated(target)
    target.run("node2", "drbdadm disconnect dns; sleep 1")


def reconnected(target: Shell) -> None:
    left_inconsistent(target)
    target.run("node2", "drbdadm connect dns; sleep 1")


def forced_half_synchronised(target: Shell) -> None:
    reconnected(target)
    target.run("node2", "drbdadm disconnect dns; drbdadm primary --force dns; drbdadm secondary dns; sleep 1")


def forced_and_connected(target: Shell) -> None:
    forced_half_synchronised(target)
    target.run("node2", "drbdadm connect dns; sleep 3")


def runs_of(*numbers: int, after: Callable[[Shell], None]) -> Callable[[Shell], None]:
    """Everything that was recorded before."""

    def lead(target: Shell) -> None:
        after(target)
        for number in numbers:
            recorded = transcript(number)
            target.run(recorded.node, recorded.command)

    return lead


def other_disk_options(target: Shell) -> None:
    both_secondary(target)
    target.run("node1", "drbdadm disk-options --c-plan-ahead=0 --resync-rate=200M dns")


def one_primary_diverged(target: Shell) -> None:
    both_secondary(target)
    target.run("node1", transcript(197).command)
    target.run("node2", "drbdadm disconnect dns; drbdadm primary dns && dd of=/dev/drbd1 count=3 seek=50000")
    target.run("node2", "drbdadm secondary dns")
    target.run("node1", transcript(199).command)


def grown_on_node1(target: Shell) -> None:
    both_secondary(target)
    target.run("node1", "lvextend -q -L 320M /dev/XEN/dns")


def grown_to_320(target: Shell) -> None:
    synced(target)
    both(target, "lvextend -q -L 320M /dev/XEN/dns")
    target.run("node1", "drbdadm resize dns; sleep 2")


def on_384_grown_on_node1(target: Shell) -> None:
    grown_to_320(target)
    both(target, "lvextend -q -L 384M /dev/XEN/dns")
    target.run("node1", "drbdadm resize dns; sleep 2")
    configure(target, "protocol C;", "two", 2)


def on_384_grown_on_both(target: Shell) -> None:
    on_384_grown_on_node1(target)
    target.run("node1", "lvextend -q -L 448M /dev/XEN/dns; drbdadm resize dns")
    target.world.resync_bytes_per_s = MIB


def broken_neighbour(target: Shell) -> None:
    synced(target)
    for node in ("node1", "node2"):
        target.write_file(node, "/etc/drbd.d/bad.res", "resource bad {")


def two_up(target: Shell) -> None:
    second_resource(target)
    target.run("node1", "drbdadm disk-options --resync-rate=200M dns; drbdadm up two")
    del target.world.nodes["node1"].files["/etc/drbd.d/two.res"]


def conflicting_neighbour(target: Shell) -> None:
    """The second resource in the form it had then: everything of a host on one line, the device on line 2."""
    synced(target)
    hosts = "".join(
        f"  on node{number} {{ device /dev/drbd1; disk /dev/XEN/two; address 10.77.0.{number}:7793; "
        "meta-disk /dev/XEN/meta[2]; }\n"
        for number in (1, 2)
    )
    target.write_file("node1", "/etc/drbd.d/two.res", f"resource two {{\n{hosts}}}\n")


def healed_after_a_partition(target: Shell) -> None:
    """Both sides were Primary and wrote while the link was cut (transcript 257)."""
    both_secondary(target)
    configure(target, NET.replace("protocol C;", "protocol C; ping-int 3; ping-timeout 10;"))
    both(target, "drbdadm adjust dns")
    target.world.cut_link("node1", "node2")
    target.world.advance(5)
    target.run("node1", "drbdadm primary dns; dd of=/dev/drbd1 count=20 seek=7")
    target.run("node2", "drbdadm primary dns; dd of=/dev/drbd1 count=14 seek=7")
    target.world.heal_link("node1", "node2")
    target.world.advance(5)


def disk_gone(target: Shell) -> None:
    second_resource(target)
    configure(target, "protocol C;", "two", 2, disk="gone")


def policies_differ(target: Shell) -> None:
    both_secondary(target)
    configure_one(target, "node2", "disconnect")


def configure_one(target: Shell, node: str, policy: str) -> None:
    path = "/etc/drbd.d/dns.res"
    text = target.world.nodes[node].files[path][0]
    target.write_file(node, path, re.sub(r"after-sb-0pri .*", f"after-sb-0pri {policy};", text))


def on_the_same_disk(target: Shell) -> None:
    synced(target)
    configure(target, "protocol C;", "two", 2, disk="dns")


def second_resource(target: Shell) -> None:
    synced(target)
    configure(target, "protocol C;", "two", 2)
    target.run("node1", "drbdadm create-md two")


def blank_ggg(target: Shell) -> None:
    volumes(target)
    target.run("node1", "lvextend -L 640M /dev/XEN/meta")
    hosts = "".join(
        f" on node{number} {{ device /dev/drbd9; disk /dev/XEN/two; address 10.77.0.{number}:7799; meta-disk META; }}\n"
        for number in (1, 2)
    )
    text = f"resource ggg {{\n{hosts}}}\n"
    target.write_file("node1", "/root/g.conf", text.replace("META", "/dev/XEN/meta[3]"))
    target.write_file("node1", "/root/g2.conf", text.replace("META", "/dev/XEN/nosuch[3]"))


def after_power_cut(target: Shell) -> None:
    synced(target)
    target.world.power_cut("node1")
    target.world.boot("node1", drbd_service=False)
    target.run("node1", "modprobe drbd")
    target.world.advance(5)
    target.world.resync_bytes_per_s = MIB


CASES: dict[int, Callable[[Shell], None]] = {
    20: volumes,
    21: volumes,
    23: volumes,
    24: volumes,
    25: volumes,
    26: volumes,
    27: volumes,
    28: volumes,
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
    223: policies_differ,
    248: synced,
    249: synced,
    250: synced,
    251: blank_ggg,
    255: volumes,
    258: healed_after_a_partition,
    259: healed_after_a_partition,
    262: after_power_cut,
    263: after_power_cut,
}


# What the recorded command line did with sed or ssh, done by hand.
def each(*commands: str) -> str:
    """A loop of the recordings, written out."""
    return "; ".join(f'drbdadm {command}; echo "drbdadm {command}: rc=$?"' for command in commands)


INSTEAD = {
    48: "drbdadm -c /root/d.conf create-md --force dns",
    212: each("status dns", "role dns", "adjust dns", "primary dns", "up two", "sh-resources"),
    214: each("status nosuch", "role nosuch", "adjust nosuch", "up nosuch", "dump nosuch"),
    223: "drbdadm disconnect dns; drbdadm adjust dns; echo rc=$?; sleep 3; drbdadm status; sed; "
    "drbdadm adjust dns; sleep 3; drbdadm status",
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
# Recordings of configurations that are good or bad; each shows the file first.
CONFIGURATIONS = (*range(78, 88), *range(89, 99), 100, 101, 102)

COUNTERS = re.compile(r"\b(ns|nr|dw|dr|al|bm|ep|read|written|al-writes|received|sent|pending|unacked|pe|ua):\d+")


def normal(text: str, *, exact_sync: bool = True) -> str:
    """Without what is different every time; the kernel log, domains and the times that bash prints are left out."""
    text = re.sub(r"(?m)^(Name +ID|Domain-0|dns +\d).*\n", "", text)
    text = re.sub(r"(?m)^(\[ *\d+\.\d+\].*|real\t.*|user\t.*|sys\t.*|# \d{4}-\d\d-\d\d.*|# \d+ s)\n?", "", text)
    text = re.sub(r"(?<![0-9A-F])(?!0{15}[04])[0-9A-F]{16}\b", "UUID", text)
    text = re.sub(r"(?m)^([^:\n]+:[^:\n]+):[^:\n]+:[^:\n]+(:\d:\d:\d:\d:\d:\d:\d)$", r"\1:HISTORY\2", text)
    text = re.sub(r"\bdone:[\d.]+", "done:N", COUNTERS.sub(r"\1:N", text))
    text = re.sub(r"\[[=>.]+\] sync'ed: +[\d.]+% \(\d+/(\d+)\)K\n\tfinish: .*", r"progress of \1", text)
    text = re.sub(r" congested:yes", "", text)
    return text if exact_sync else re.sub(r"\b(oos|out-of-sync):\d+", r"\1:N", text)


def words(text: str) -> list[str]:
    """The lines of standard error; bash puts an empty one before the times that it prints."""
    return [line for line in normal(text).splitlines() if line]


@pytest.mark.parametrize("number", CASES)
def test_drbd_answers_as_recorded(target: Shell, number: int) -> None:
    CASES[number](target)
    recorded = transcript(number)
    answer = target.run(recorded.node, INSTEAD.get(number, recorded.command))
    exact = not target.world.resync_bytes_per_s
    assert normal(answer.stdout, exact_sync=exact) == normal(recorded.answer.stdout, exact_sync=exact)
    assert words(answer.stderr) == words(recorded.answer.stderr)
    assert answer.returncode == recorded.answer.returncode


@pytest.mark.parametrize("number", CONFIGURATIONS)
def test_drbdadm_judges_a_configuration_as_recorded(target: Shell, number: int) -> None:
    recorded = transcript(number)
    path = shlex.split(recorded.command.partition(";")[0])[1]
    text = recorded.answer.stdout.partition("--- drbdadm dump:\n")[0]
    target.write_file("node1", path, text)
    answer = target.run("node1", recorded.command)
    assert answer.stdout == recorded.answer.stdout
    assert answer.stderr == recorded.answer.stderr
    assert answer.returncode == recorded.answer.returncode
