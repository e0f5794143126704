"""xl answers as it did when it was recorded (tests/data/transcripts)."""

import re

import pytest
from contract_steps import Step, both, run_steps, synced
from contract_target import Target, transcript

RELEASE = ("node1", "drbdadm secondary dns")
TWO_PRIMARIES = both("drbdadm net-options --allow-two-primaries=yes dns")
BOTH_PRIMARY = [*TWO_PRIMARIES, ("node2", "drbdadm primary dns")]
SCRIPTED = [RELEASE, *TWO_PRIMARIES]
# A PVH guest, also where one that moves was recorded with a PV guest: Debian's Xen is built without shadow paging, which the live
# migration of a PV guest needs.
ON_NODE2 = ("node2", "xl create /etc/xen/dns-pvh-drbd.cfg")

# What is run before; dns is synchronised then, but for the cases that need no disk.
WITHOUT_DISK = {*range(103, 112), 167, 252, 256, 489}
CASES: dict[int, list[Step]] = {
    103: [],
    104: [],
    105: [],
    106: [],
    107: [],
    108: [],
    109: [],
    111: [],
    112: [],
    115: [("node2", "xl create /etc/xen/dns.cfg")],
    117: [("node1", "xl create /etc/xen/dns.cfg")],
    118: [
        ("node1", "xl create /etc/xen/nodisk.cfg; echo"),  # takes a number and fails
        ("node1", "xl create /etc/xen/dns.cfg"),
        ("node1", "sleep 14"),
    ],
    122: [("node1", "xl create /etc/xen/dns.cfg"), ("node1", "sleep 10")],
    126: [*BOTH_PRIMARY, ("node1", "xl create /etc/xen/dns-pvh.cfg")],
    129: [*BOTH_PRIMARY, ("node2", "xl create /etc/xen/dns-pvh.cfg")],
    157: [*SCRIPTED, ON_NODE2],
    163: [*SCRIPTED, ON_NODE2, ("node2", "sleep 5")],
    164: [*SCRIPTED, ON_NODE2, ("node2", "sleep 5")],
    166: [*SCRIPTED, ON_NODE2, ("node1", "xl create -p /etc/xen/other-dns.cfg"), ("node2", "sleep 5")],
    167: [("node1", "xl create -p /root/big.cfg")],
    168: [
        *SCRIPTED,
        ON_NODE2,
        ("node1", "xl create -p /root/big.cfg"),
        ("node1", "xl create -p /root/big3.cfg"),
        ("node2", "sleep 5"),
    ],
    171: [RELEASE, ON_NODE2],
    172: [*SCRIPTED, ON_NODE2],
    252: [],
    254: [("node1", "xl create /etc/xen/dns-pvh.cfg"), ("node1", "sleep 5")],
    256: [],
    489: [],
    495: [*SCRIPTED, ("node2", "xl create /etc/xen/dns-pv-drbd.cfg"), ("node2", "sleep 5")],
}

# A recorded line that does more than the contract is about: the part that counts.
COMMANDS = {167: "xl create -p /root/big2.cfg"}

GUEST = """
name = "{name}"
memory = {memory}
vcpus = 1
kernel = "/var/lib/lab/{kernel}"
ramdisk = "/var/lib/lab/initrd.img"
cmdline = "root=/dev/xvda console=hvc0 net.ifnames=0 lab.ip=10.77.0.50 lab.name=dns quiet mitigations=off nokaslr audit=0"
disk = [ {disk} ]
vif = [ 'mac=00:16:3e:00:00:50,bridge=xenbr0' ]
"""
PVH = 'type = "pvh"\ntsc_mode = "native"\n'
BARE = 'name = "{name}"\nmemory = {memory}\nkernel = "/var/lib/lab/vmlinuz"\n'
PHY = "'phy:/dev/drbd1,xvda,w'"
SCRIPT = "'vdev=xvda,script=block-drbd,target=dns'"

FILES = {
    "/etc/xen/dns.cfg": GUEST.format(name="dns", memory=128, kernel="vmlinuz", disk=PHY),
    "/etc/xen/nodisk.cfg": GUEST.format(name="dns", memory=128, kernel="vmlinuz", disk="'phy:/dev/drbd77,xvda,w'"),
    "/etc/xen/dns-pv-drbd.cfg": GUEST.format(name="dns", memory=128, kernel="vmlinuz", disk=SCRIPT),
    "/etc/xen/dns-pvh.cfg": PVH + GUEST.format(name="dns", memory=128, kernel="vmlinuz", disk=PHY),
    "/etc/xen/dns-pvh-drbd.cfg": PVH + GUEST.format(name="dns", memory=128, kernel="vmlinuz", disk=SCRIPT),
    "/etc/xen/other-dns.cfg": BARE.format(name="dns", memory=128),
    "/root/big.cfg": BARE.format(name="big", memory=900),
    "/root/big2.cfg": BARE.format(name="big2", memory=900),
    "/root/big3.cfg": BARE.format(name="big3", memory=100),
    "/root/cfg/nothing.cfg": 'name = "nothing"\ntype = "pvh"\nmemory = 64\n',
}
# The recordings come from several versions of this file.
DNS_CFG = {252: PVH + GUEST.format(name="dns", memory=128, kernel="vmlinux", disk=SCRIPT)}


def normal(text: str) -> list[str]:
    """Leave out what differs from run to run: numbers of domains and processes, times, addresses, time(1), the processor."""
    for pattern, word in (
        (r"(?m)^(real|user|sys)\t.*\n", ""),
        (r"(cpu_mhz +: )[\d.]+", r"\1MHZ"),
        (r"(hw_caps +: )[\w:]+", r"\1FEATURES"),
        (r"((?:xen_commandline|cc_compile_domain) +: ).*", r"\1WORDS"),
        (r"\bx86 (PV|HVM)\b", "x86 KIND"),
        (r"(?m)^(\S+ +)\d+( +\d+ +\d+ {5})-[b-]----( +)[\d.]+", r"\g<1>N\g<2>-b----\g<3>T"),
        (r"(?m)^(\S+ +)\d+( +\d+ +\d+ {5}[rbpscd-]{6} +)[\d.]+", r"\g<1>N\g<2>T"),
        (r"(?m)( -b- +)[\d.]+", r"\1T"),
        (r" +T\b", " T"),
        (r" +N\b", " N"),
        (r"([Dd]omain |Dom )\d+", r"\1N"),
        (r"\[\d+\]", "[PID]"),
        (r"info 0x3/0x0/\d+", "info 0x3/0x0/LENGTH"),
        (r"mfn 0x\w+", "mfn FRAME"),
        (r'"domid": [1-9]\d*', '"domid": N'),
        (r"\w{8}(-\w{4}){3}-\w{12}", "UUID"),
        (r"(\d:\d\d):\d\d", r"\1:SECONDS"),
    ):
        text = re.sub(pattern, word, text)
    return [line for line in text.splitlines() if line]


def mixed(text: str) -> list[str]:
    """Both ends of a migration write to the same terminal, and begin a line before they end it: their words mix in any order."""
    return sorted(" ".join(normal(text)).split())


def prepare(target: Target, steps: list[Step], *, disk: bool = True) -> None:
    if disk:
        target.start(synced)
    for node in ("node1", "node2"):
        for path, text in FILES.items():
            target.write_file(node, path, text)
    run_steps(target, steps)


@pytest.mark.parametrize("number", CASES)
def test_xl_answers_as_recorded(target: Target, number: int) -> None:
    recorded = transcript(number)
    prepare(target, CASES[number], disk=number not in WITHOUT_DISK)
    if number in DNS_CFG:
        target.write_file(recorded.node, "/etc/xen/dns.cfg", DNS_CFG[number])
    answer = target.run(recorded.node, COMMANDS.get(number, recorded.command))
    assert answer.returncode == recorded.answer.returncode
    assert normal(answer.stdout) == normal(recorded.answer.stdout)
    assert mixed(answer.stderr) == mixed(recorded.answer.stderr)


def test_a_plain_disk_migrates_to_a_secondary_without_a_word_and_is_dead_there(target: Target) -> None:
    recorded = transcript(169)
    prepare(target, [RELEASE, ("node2", "drbdadm primary dns")])
    assert target.run("node2", "xl create /etc/xen/dns-pvh.cfg").returncode == 0
    answer = target.run("node2", "xl migrate dns node1")
    assert answer.returncode == 0
    assert mixed(answer.stderr) == mixed(recorded.answer.stderr)
    assert "dns" not in target.run("node2", "xl list").stdout
    assert "dns" in target.run("node1", "xl list").stdout
    # State 6 is XenbusStateClosed: the backend could not open the device.
    assert target.run("node1", "xl block-list dns").stdout.splitlines()[1].split()[3] == "6"
    assert target.run("node2", "drbdadm role dns").stdout == "Primary/Secondary\n"


def test_the_drbd_script_refuses_a_migration_without_two_primaries(target: Target) -> None:
    recorded = transcript(170)
    prepare(target, [RELEASE, ON_NODE2])
    answer = target.run("node2", "xl migrate dns node1")
    assert answer.returncode == 1
    assert mixed(answer.stderr) == mixed(recorded.answer.stderr)
    assert "dns" in target.run("node2", "xl list").stdout
    assert "dns" not in target.run("node1", "xl list").stdout
    assert target.run("node2", "drbdadm role dns").stdout == "Primary/Secondary\n"


@pytest.fixture
def split_brain(target: Target) -> Target:
    """The guest runs on both nodes, as a naive failover in a partition leaves it (transcripts 257-259)."""
    prepare(target, [RELEASE, ("node1", "xl create /etc/xen/dns-pvh-drbd.cfg")])
    target.cut_link()
    target.run("node2", "sleep 30")
    recorded = transcript(257)
    answer = target.run("node2", "xl create -q /etc/xen/dns-pvh-drbd.cfg; echo rc=$?; xl list; drbdadm role dns")
    assert normal(answer.stdout) == normal(recorded.answer.stdout[recorded.answer.stdout.index("rc=0") :])
    assert normal(answer.stderr) == normal(recorded.answer.stderr)
    target.heal_link()
    target.run("node1", "sleep 30")
    return target


@pytest.mark.parametrize("number", [258, 259])
def test_a_failover_without_proof_of_death_ends_in_a_split_brain_that_status_does_not_show(
    split_brain: Target, number: int
) -> None:
    recorded = transcript(number)
    split_brain.run("node1", "xl mem-set dns 120")
    shown = "xl list; drbdadm status; echo status rc=$?; drbdadm role dns; drbdadm cstate dns; drbdadm dstate dns"
    expected = recorded.answer.stdout[: recorded.answer.stdout.index(" 1: cs:")]
    if number == 259:  # its memory was set before the recording of the other one
        split_brain.run("node2", "sleep 5")
    answer = split_brain.run(recorded.node, shown)
    assert answer.returncode == 0
    assert normal(answer.stdout) == normal(expected)


def test_a_migration_to_a_node_that_runs_the_guest_already_is_refused_by_the_drbd_script(split_brain: Target) -> None:
    recorded = transcript(260)
    answer = split_brain.run("node1", "xl migrate dns node2")
    assert answer.returncode == 1
    assert mixed(answer.stderr) == mixed(recorded.answer.stderr)
    assert "dns" in split_brain.run("node1", "xl list").stdout


def test_a_migration_between_diverged_disks_succeeds_without_a_word(split_brain: Target) -> None:
    recorded = transcript(261)
    split_brain.run("node2", "xl destroy dns")
    answer = split_brain.run("node1", "xl migrate dns node2; echo rc=$?; xl list")
    assert mixed(answer.stderr) == mixed(recorded.answer.stderr)
    assert "dns" not in answer.stdout
    after = split_brain.run("node2", "drbdadm role dns; drbdadm cstate dns")
    assert after.stdout == "Primary/Unknown\nStandAlone\n"
