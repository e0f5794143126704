"""The moments from which tests begin: made once, and made anew when what they were made from has changed."""

import json
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import yaml

from lab import witness
from lab.cluster import NODES, Lab
from lab.errors import LabError
from lab.machine import MASTER_ADDRESS
from lab.master import CHECKOUT, PILLAR
from lab.snapshot import tree_hash

BARE = "bare"
CONVERGED = "converged"
GUARDED = "guarded"
FENCED = "fenced"
# A machine under emulation is silent for seconds when it is busy, and an answer of its tools takes one: to end its domains and to
# get their disks from DRBD is a dozen of these.
LEASE = {"beat": 2, "dead": 10, "lease": 20, "watchdog": 30, "margin": 4, "takeover": 60}
TOPOLOGY = "saltern/init.sls"
ALLOCATION = "saltern/allocation.sls"
SOURCES = (PILLAR, CHECKOUT / "src" / "saltern", CHECKOUT / "salt")
APPLIES = 3  # what had to wait too long for its partner on a busy machine is taken up by the next one
SYNCHRONISED_TIMEOUT_S = 300.0
GUEST_TIMEOUT_S = 300.0
GUARD_TIMEOUT_S = 180.0


def bring(lab: Lab, name: str) -> None:
    """Put the lab to the moment BARE, CONVERGED, GUARDED or FENCED.

    BARE: both nodes as installed, their second disks empty, their minions answer, the pillar as it is in the source.
    CONVERGED: the topology of the lab was applied to that, every disk is synchronised, every domain has written to its disk.
    GUARDED: and a section `takeover`; the witness runs, and each node is protected.
    FENCED: the same with a fence agent for each node in the place of the witness.
    """
    lab.prepare()
    made_from = _made_from(name)
    if lab.has(name) and lab.about(name).get("made from") == made_from:
        lab.restore(name)
        return
    {BARE: _make_bare, CONVERGED: _make_converged, GUARDED: _make_guarded, FENCED: _make_fenced}[name](lab)
    lab.save(name, **{"made from": made_from})


def _made_from(name: str) -> str:
    files = tree_hash([PILLAR] if name == BARE else SOURCES)
    return f"{files} {json.dumps(LEASE)}" if name in (GUARDED, FENCED) else files


def _make_bare(lab: Lab) -> None:
    lab.master.renew_pillar()
    lab.reinstall(*NODES)


def _make_converged(lab: Lab) -> None:
    bring(lab, BARE)
    converge(lab)


def converge(lab: Lab) -> None:
    """Make of bare nodes what the topology in the master's pillar says, and wait until it is settled."""
    lab.make_volume_groups()
    apply(lab)
    wait_until_settled(lab)
    keep_modules(lab)


def wait_until_settled(lab: Lab) -> None:
    """Wait until both sides of every disk are UpToDate, and each domain answers to its home.

    Raises TimedOut, which says what has not come true.
    """
    for node in NODES:
        what = f"all disks are UpToDate, says {node}"
        lab.wait_until(partial(_synchronised, lab, node), what, timeout_s=SYNCHRONISED_TIMEOUT_S)
    for name, domain in topology(lab)["domains"].items():
        what = f"{name} answers over HTTP"
        lab.wait_until(partial(_answers, lab, domain), what, timeout_s=GUEST_TIMEOUT_S)


def topology(lab: Lab) -> dict[str, Any]:
    """The topology as it stands in the master's pillar: what is under `saltern`, without the allocation."""
    told = yaml.safe_load((lab.master.pillar / TOPOLOGY).read_text(encoding="utf-8"))
    found: dict[str, Any] = told["saltern"]
    return found


def _make_guarded(lab: Lab) -> None:
    """As docs/howto/survive-a-lost-node.md has it."""
    bring(lab, CONVERGED)
    _take_over(lab, {"witness": witness.section(MASTER_ADDRESS), "lease": LEASE})
    lab.start_witness()
    lab.salt(witness.NAME, "saltutil.sync_all")
    apply(lab, (*NODES, witness.NAME))
    lab.witness.stop()
    lab.start_witness()  # Salt starts engines when it starts itself
    wait_until_protected(lab)


def _make_fenced(lab: Lab) -> None:
    bring(lab, CONVERGED)
    _take_over(lab, {"fencing": lab.boards.section(MASTER_ADDRESS), "lease": LEASE})
    apply(lab)
    wait_until_protected(lab)


def _take_over(lab: Lab, takeover: dict[str, object]) -> None:
    """Put a section into the topology."""
    file = lab.master.pillar / TOPOLOGY
    text = file.read_text(encoding="utf-8")
    first = "  cluster: lab\n"
    file.write_text(text.replace(first, f"{first}  takeover: {json.dumps(takeover)}\n"), encoding="utf-8")


def wait_until_protected(lab: Lab) -> None:
    """Wait until the domains of each node would be taken over; raises TimedOut."""
    for node in NODES:
        lab.wait_until(partial(protected, lab, node), f"{node} is protected", timeout_s=GUARD_TIMEOUT_S)


def guard(lab: Lab, node: str) -> dict[str, Any]:
    """What the guard of a node tells; nothing while it does not answer."""
    answer = lab.on(node, "/usr/lib/saltern/guard guard status", check=False)
    told: dict[str, Any] = json.loads(answer.stdout) if answer.returncode == 0 else {}
    return told


def protected(lab: Lab, node: str) -> bool:
    """Whether the node's domains would be taken over."""
    told = guard(lab, node)
    return bool(told.get("protected")) and bool(told["seen"])


def apply(lab: Lab, minions: Sequence[str] = NODES) -> None:
    """Have minions apply all their states, until nothing has failed; raises LabError where that does not come about."""
    for _ in range(APPLIES):
        wrong = dict(_wrong(lab.job(minions, "state.apply"), minions))
        if not wrong:
            return
    raise LabError(f"after {APPLIES} runs of `salt '*' state.apply`: {json.dumps(wrong, indent=2)}")


def _wrong(returned: dict[str, Any], minions: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """What has not come about, by minion and state."""
    for minion in minions:
        states = returned.get(minion, "has not answered")
        if not isinstance(states, dict):
            yield minion, states
            continue
        yield from ((f"{minion} {name}", each["comment"]) for name, each in states.items() if each["result"] is False)


def keep_modules(lab: Lab) -> None:
    """The minions have Saltern's modules: asking for each of them before every apply takes a minute in emulation."""
    for node in NODES:
        lab.write_file(node, "/etc/salt/minion.d/modules.conf", "autoload_dynamic_modules: False\n")
        lab.on(node, "systemctl restart salt-minion")
    lab.master.wait_for(NODES, timeout_s=GUEST_TIMEOUT_S)


def _synchronised(lab: Lab, node: str) -> bool:
    told = lab.on(node, "drbdsetup events2 --now").stdout.splitlines()
    # Of each disk, a line of this side and a line of the partner's.
    disks = [line for line in told if line.startswith(("exists device ", "exists peer-device "))]
    return all("disk:UpToDate" in line for line in disks)


def _answers(lab: Lab, domain: dict[str, Any]) -> bool:
    (interface,) = domain["interfaces"]
    # Not its own option -T: busybox 1.35 ends with a segmentation fault there.
    request = f"timeout 5 busybox wget -q -O - http://{interface['ip']}/counter"
    return lab.on(domain["home"], request, check=False).stdout != ""
