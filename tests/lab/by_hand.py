"""What a person types at the prompt of a node to start, move and end domains, and what then holds on both nodes."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial

from applying import replicas
from guests import ADDRESSES, boots, gaps, records, served, wait_for_another_record, wait_until_answering

from lab.cluster import NODES, Lab
from lab.ssh import Answer

MINORS = {"router": "4", "dns": "1", "vpn": "5", "mail": "2", "mail-xvdb": "3"}
DISKS = {"router": ["router"], "dns": ["dns"], "vpn": ["vpn"], "mail": ["mail", "mail-xvdb"]}
PRIMARY_HERE = "cs:Connected ro:Primary/Secondary ds:UpToDate/UpToDate"
PRIMARY_THERE = "cs:Connected ro:Secondary/Primary ds:UpToDate/UpToDate"
UNUSED = "cs:Connected ro:Secondary/Secondary ds:UpToDate/UpToDate"
HOTPLUG_LOG = "/var/log/xen/xen-hotplug.log"
XL_TIMEOUT_S = 300.0


def other(node: str) -> str:
    """The other node."""
    return next(each for each in NODES if each != node)


# --- What is typed -------------------------------------------------------------------------------------------------------
def xl(lab: Lab, node: str, arguments: str) -> Answer:
    """``xl`` with these words, whatever it ends with."""
    return lab.on(node, f"xl {arguments}", timeout_s=XL_TIMEOUT_S, check=False)


def create(lab: Lab, node: str, guest: str) -> Answer:
    """``xl create`` of the file that the topology has made."""
    return xl(lab, node, f"create /etc/xen/{guest}.cfg")


def migrate(lab: Lab, guest: str, source: str) -> Answer:
    """``xl migrate`` to the other node."""
    return xl(lab, source, f"migrate {guest} {other(source)}")


def end(lab: Lab, node: str, guest: str) -> None:
    """``xl destroy``, and wait until its disks are given back."""
    lab.on(node, f"xl destroy {guest}")
    for disk in DISKS[guest]:
        wait_for_replica(lab, node, disk, UNUSED)


def drbdadm(lab: Lab, command: str, *resources: str, nodes: Collection[str] = NODES) -> None:
    """A command of ``drbdadm`` for resources on nodes."""
    for node in nodes:
        for resource in resources:
            lab.on(node, f"drbdadm {command} {resource}")


# --- What is seen --------------------------------------------------------------------------------------------------------
def replica(lab: Lab, node: str, resource: str) -> str:
    """A resource in the words of /proc/drbd: connection, roles and disks."""
    return replicas(lab, node)[MINORS[resource]]


def wait_for_replica(lab: Lab, node: str, resource: str, expected: str) -> None:
    """Wait until a resource is seen like that; part of the words is enough."""
    lab.wait_until(lambda: expected in replica(lab, node, resource), f"{resource} is {expected} on {node}")


def wait_until_disconnected(lab: Lab) -> None:
    """Wait until each node has noticed, for every resource, that it does not see its partner."""
    for node in NODES:
        lab.wait_until(
            lambda node=node: not any("cs:Connected" in each for each in replicas(lab, node).values()),
            f"{node} notices that its partner is out of sight",
        )


def open_windows(lab: Lab) -> dict[str, list[str]]:
    """The resources that two Primaries are allowed for now, by node."""
    shown = {node: lab.on(node, "drbdsetup show").stdout for node in NODES if lab.runs(node)}
    return {
        node: [part.split()[0] for part in text.split("resource ")[1:] if "allow-two-primaries" in part]
        for node, text in shown.items()
    }


@dataclass(frozen=True)
class Domain:
    """A domain as `xl list -v` shows it."""

    name: str
    domid: int
    state: str
    uuid: str

    @property
    def live(self) -> bool:
        """Whether its processors run or may: it is not paused, shut down, suspended, crashed or dying."""
        return not set("pscd") & set(self.state)


def domains(lab: Lab, node: str) -> list[Domain]:
    """The domains of a node, also half ones, without dom0."""
    lines = [line.split() for line in lab.on(node, "xl list -v").stdout.splitlines()[2:]]
    return [Domain(words[0], int(words[1]), words[4], words[6]) for words in lines]


def assert_nobody_lives_twice(lab: Lab) -> None:
    """At most one live domain for each UUID."""
    live = [each.uuid for node in NODES if lab.runs(node) for each in domains(lab, node) if each.live]
    assert sorted(live) == sorted(set(live))


def logged(lab: Lab, node: str) -> str:
    """What the block script has written down on a node."""
    return lab.on(node, f"cat {HOTPLUG_LOG}", check=False).stdout


def assert_refused(lab: Lab, node: str, answer: Answer, *reasons: str) -> None:
    """xl failed, and both its output and the log of the block script on ``node`` tell why."""
    assert answer.returncode != 0, answer
    last = logged(lab, node).splitlines()[-1:]
    for reason in reasons:
        assert reason in " ".join(answer.stderr.split()), answer.stderr
        assert reason in " ".join(line for line in logged(lab, node).splitlines() if " refused: " in line), last


def assert_settled(lab: Lab, guest: str, node: str) -> None:
    """The guest's disks become Primary on this node only, UpToDate on both, and two Primaries are allowed nowhere."""
    for disk in DISKS[guest]:
        wait_for_replica(lab, node, disk, PRIMARY_HERE)
        wait_for_replica(lab, other(node), disk, PRIMARY_THERE)
    lab.wait_until(lambda: not any(open_windows(lab).values()), "two Primaries are allowed nowhere")


class Watched:
    """A guest that goes on, or has moved, without a boot and without a lost record: what it was is compared with what it is."""

    def __init__(self, lab: Lab, guest: str, node: str) -> None:
        wait_until_answering(lab, [guest], node=node)
        self._lab, self._guest = lab, guest
        self._boots = boots(lab, guest, node=node)
        self._records = {disk: self._lines(disk, node) for disk in self._disks()}

    def assert_goes_on(self, node: str, *, boots_more: int = 0) -> None:
        """It answers to ``node``, writes on every disk, has all records, and has booted as often more as told."""
        wait_until_answering(self._lab, [self._guest], node=node)
        wait_for_another_record(self._lab, [self._guest], node=node)
        assert boots(self._lab, self._guest, node=node) == self._boots + boots_more
        for disk, before in self._records.items():
            now = self._lines(disk, node)
            assert before <= now
            assert len(before) < len(now), f"{disk} takes no writes"
            assert gaps(records(self._lab, self._guest, disk=disk, node=node)) == []

    def _disks(self) -> list[str]:
        return ["xvda", "xvdb"][: len(DISKS[self._guest])]

    def _lines(self, disk: str, node: str) -> set[str]:
        path = "counter" if disk == "xvda" else "data/counter"
        return set((served(self._lab, self._guest, path, node=node) or "").splitlines())


# --- Witnesses -----------------------------------------------------------------------------------------------------------
_WITNESS = """
while :; do
    timeout 2 busybox wget -q -O /root/seen.new http://{address}/counter && tail -n 3 /root/seen.new >> /root/seen
    sleep 1
done
"""


def begin_to_watch(lab: Lab, guest: str) -> None:
    """From now on both nodes write down what the guest serves; nobody but the cable may keep them from it."""
    for node in NODES:
        lab.write_file(node, "/root/witness", _WITNESS.format(address=ADDRESSES[guest]))
        lab.on(node, "touch /root/seen; setsid --fork bash /root/witness < /dev/null > /dev/null 2>&1")
        lab.wait_until(partial(_has_seen, lab, node), f"{node} sees what {guest} serves")


def _has_seen(lab: Lab, node: str) -> bool:
    return lab.on(node, "test -s /root/seen", check=False).returncode == 0


def witnessed(lab: Lab) -> set[str]:
    """All records that a node with power has ever seen; a last one that was cut off with the power counts for nothing."""
    seen = [lab.on(node, "cat /root/seen").stdout for node in NODES if lab.runs(node)]
    return {line for text in seen for line in text[: text.rfind("\n") + 1].splitlines()}
