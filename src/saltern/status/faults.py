"""What is wrong in a cluster, each with its remedy, and what is only to be noticed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from saltern.model.desired import DomainSpec
from saltern.model.operation import OperationKind
from saltern.model.places import operation_file
from saltern.status.answer import SILENT, Answer, Tree
from saltern.units import MIB, format_size

# The hypervisor counts pages of its own among those of a guest, and xl rounds to whole MiB.
MEMORY_TOLERANCE_BYTES: Final = 4 * MIB
MEMORY_TOLERANCE_PERCENT: Final = 2

SEE_WHETHER_IT_IS_UP: Final = "see whether the node and its minion are up"
HALVES: Final = ("incoming", "migratedaway")  # what xl calls a domain during a migration, behind its name and `--`
_BY_HAND: Final = "see docs/explanation/safety.md, What a person does by hand"
_GOING_AWAY: Final = "it is going away; look again in a moment"
_CONDITION_REMEDIES: Final = {
    "paused": "`xl unpause {name}` there lets it go on",
    "crashed": "look at it there, end it with `xl destroy {name}`, and apply",
    "suspended": f"`xl migrate` or `xl save` is at work, or was interrupted: {_BY_HAND}",
    "shut_down": _GOING_AWAY,
    "dying": _GOING_AWAY,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that is wrong: with what, what it is, and what to do about it."""

    about: str
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        return "; ".join(filter(None, (f"{self.about}: {self.what}", self.remedy)))


def of_nodes(answers: Mapping[str, Answer]) -> Iterator[Fault]:
    """Nodes that say nothing, or not everything."""
    for node, answer in answers.items():
        if answer.trouble:
            remedy = SEE_WHETHER_IT_IS_UP if answer.trouble == SILENT else ""
            yield Fault(about=node, what=answer.trouble, remedy=remedy)
        elif answer.operations_trouble:
            yield Fault(about=node, what=f"its operations are unknown: {answer.operations_trouble}")


def ends_what_is_left(operation: Tree) -> str:
    """The command that ends an operation that nobody works on any more; only a remake itself can go on with a remake."""
    if operation["kind"] == OperationKind.REMAKE:
        return "the same `salt-run state.orch remake` again takes it up"
    return f"`salt-run cluster.recover {operation['domain']}`"


def of_operations(operations: Sequence[Tree], answers: Mapping[str, Answer]) -> Iterator[Fault]:
    """Operations that nobody works on any more, as far as can be told, and entries that cannot be read."""
    for each in operations:
        about, nodes = f"domain {each['domain']}", " and ".join(each["nodes"])
        if each["state"] == "left half-done":
            yield Fault(about=about, what=f"left half-done: {each['text']}", remedy=ends_what_is_left(each))
        elif each["state"] == "unknown":
            what = f"left half-done on {nodes}, and the other node does not tell whether it works on it: {each['text']}"
            yield Fault(about=about, what=what, remedy="see whether the other node and its minion are up")
    for node, answer in answers.items():
        for domain, reason in answer.operations["unreadable"].items():
            what = f"the entry of its operation on {node} cannot be read: {reason}"
            yield Fault(about=f"domain {domain}", what=what, remedy=f"look at {operation_file(domain)} there")


def of_domain(name: str, domain: Tree, operations: Sequence[Tree]) -> Iterator[Fault]:
    """What is wrong with a domain and its disks, from its ``domain_state``.

    While any of ``operations`` is entered for it, its halves and two Primaries are no fault of their own; and while it is
    remade its disks are between two topologies.
    """
    kinds = [each["kind"] for each in operations if each["domain"] == name]
    yield from _whereabouts(name, domain, busy=bool(kinds))
    for disk in domain["disks"].values() if OperationKind.REMAKE not in kinds else ():
        yield from _disk(disk, busy=bool(kinds))


def _whereabouts(name: str, domain: Tree, *, busy: bool) -> Iterator[Fault]:
    about, runs_on, unseen = f"domain {name}", domain["runs_on"], domain["may_run_on"]
    halves = [node for node, condition in runs_on.items() if condition in HALVES]
    if len(runs_on) > 1 and not halves:
        what = f"it runs on {' and on '.join(runs_on)} at once"
        yield Fault(about=about, what=what, remedy="stop one of them, and compare the disks")
    elif not runs_on and unseen:
        what = f"nobody can tell whether it runs: nothing is known from {' and '.join(unseen)}"
        yield Fault(about=about, what=what, remedy="see what is told of these nodes")
    elif not runs_on and domain["stopped"] is None:
        yield Fault(about=about, what="it runs nowhere", remedy="`salt '*' state.apply` starts it, or tells why not")
    if busy:
        return
    if halves:
        where = " and ".join(f"{condition} on {node}" for node, condition in runs_on.items())
        what = f"it is {where}: `xl migrate` is at work, or was interrupted"
        yield Fault(about=about, what=what, remedy=_BY_HAND)
        return
    for node, condition in runs_on.items():
        if condition != "running":
            remedy = _CONDITION_REMEDIES.get(condition, "see what that is, and who has renamed it").format(name=name)
            yield Fault(about=about, what=f"it is {condition.replace('_', ' ')} on {node}", remedy=remedy)


def _disk(disk: Tree, *, busy: bool) -> Iterator[Fault]:
    about = f"resource {disk['resource']}"
    known = {node: side for node, side in disk["sides"].items() if side["role"] != "unknown"}
    if not busy and [side["role"] for side in known.values()].count("Primary") > 1:
        yield Fault(about=about, what="both sides are Primary", remedy=_BY_HAND)
    for node, side in known.items():
        (other,) = (each for each in disk["sides"] if each != node)
        found = _side(node, side, other, synchronises=disk["synchronised_percent"] is not None)
        if found is not None:
            yield Fault(about=about, what=found[0], remedy=found[1])


def _side(node: str, side: Mapping[str, str], other: str, *, synchronises: bool) -> tuple[str, str] | None:
    """What is wrong with one side, and the remedy."""
    alone = f"{node} is not connected to the other side ({side['connection']})"
    if side["role"] == "down":
        return f"it is not up on {node}", "`salt '*' state.apply` brings it up, or tells why not"
    if side["io"] == "without quorum":
        what = f"it has no quorum on {node}, so its I/O is suspended: a guest there waits with what it writes"
        return (
            what,
            f"it goes on when {node} sees {other} again; see which of its links are down, also that to the tie-breaker",
        )
    if side["io"] == "suspended":
        what = f"its I/O is suspended on {node}: a guest there waits with what it writes"
        return (
            what,
            f"it goes on when {other} is back, or the guard of {node} has proof; `cluster.explain` tells what it lacks",
        )
    if side["connection"] == "StandAlone":
        return f"{alone}: cut by hand, or a split-brain", "see docs/howto/refusals.md"
    if side["connection"] != "Connected":
        return alone, f"see whether {other} and the link to it are up"
    if side["disk"] == "Diskless":
        return f"the disk on {node} is Diskless", "see `dmesg` there, and docs/howto/rebuild-a-replica.md"
    if side["disk"] != "UpToDate" and not synchronises:
        new = (
            "`salt '*' state.apply` synchronises it when it is new; otherwise "
            if side["disk"] == "Inconsistent"
            else ""
        )
        return f"the disk on {node} is {side['disk']}", f"{new}`dmesg` on both nodes tells why it is not synchronised"
    if side["tie_breaker"] not in ("none", "Connected"):
        what = (
            f"{node} is not connected to the tie-breaker ({side['tie_breaker']}): it would be suspended without {other}"
        )
        return what, "see whether the tie-breaker and the link to it are up"
    return None


def of_impostors(specs: Mapping[str, DomainSpec], answers: Mapping[str, Answer]) -> Iterator[Fault]:
    """Domains that have the name of one of the topology, and another UUID."""
    for node, found in _everything(answers):
        spec = specs.get(found["name"])
        if spec and spec.uuid != found["uuid"]:
            what = f"{node} runs another domain of this name (its UUID is {found['uuid']}, the topology's {spec.uuid})"
            remedy = "see which one has your data, and stop the other"
            yield Fault(about=f"domain {spec.name}", what=what, remedy=remedy)


# --- What is to be noticed ---------------------------------------------------------------------------------------
def noticed(spec: DomainSpec, answers: Mapping[str, Answer]) -> Iterator[str]:
    """What a person should know of a domain that is in order."""
    notes = {answer.operations["stopped"].get(spec.name) for answer in answers.values()} - {None}
    start = f"`salt-run state.orch start pillar='{{domain: {spec.name}}}'`"
    if notes and not list(running(spec, answers)):
        yield f"domain {spec.name}: it stays {notes.pop()}; {start} starts it"
    elif notes:
        yield f"domain {spec.name}: it runs, and a node keeps it {notes.pop()}; {start} takes that away"
    for node, found in running(spec, answers):
        # While it comes in from another node, it has another name, and not yet all of its memory.
        if found["name"] != spec.name:
            continue
        if node != spec.home:
            placed = answers[node].operations["placed"].get(spec.name)
            yield f"domain {spec.name}: it runs on {node}, away from its home {spec.home}{f', {placed}' if placed else ''}"
        if _differs(found["memory_bytes"], spec.memory_bytes):
            wanted, has = format_size(spec.memory_bytes), format_size(found["memory_bytes"])
            yield f"domain {spec.name}: its memory of {wanted} takes effect at its next start; it runs with {has}"


def strangers(specs: Mapping[str, DomainSpec], answers: Mapping[str, Answer]) -> Iterator[str]:
    """Domains that are in no topology."""
    known = {spec.uuid for spec in specs.values()}
    for node, found in _everything(answers):
        if found["uuid"] not in known and found["name"] not in specs:
            yield f"{node} runs {found['name'] or found['uuid']}, which is not in the topology"


def maintained(maintenance: Mapping[str, str]) -> Iterator[str]:
    """Nodes that are in maintenance."""
    for node, note in maintenance.items():
        end = f"`salt-run state.orch return pillar='{{node: {node}}}'`"
        yield f"{node} is in maintenance, {note}: nothing returns to it by itself until {end}"


def strange_notes(answers: Mapping[str, Answer]) -> Iterator[str]:
    """Notes of domains that are not, or no longer, in the topology of their node: they come to light when such a domain does."""
    for node, answer in answers.items():
        for domain, note in answer.operations["strange"].items():
            yield (
                f"{node} keeps a note about a domain {domain} that the topology does not give it: {note}; "
                f"`salt-run cluster.release {domain}` takes it away"
            )


def running(domain: DomainSpec, answers: Mapping[str, Answer]) -> Iterator[tuple[str, Tree]]:
    """The nodes on which a domain is, in whatever condition."""
    return ((node, found) for node, found in _everything(answers) if found["uuid"] == domain.uuid)


def _everything(answers: Mapping[str, Answer]) -> Iterator[tuple[str, Tree]]:
    return ((node, found) for node, answer in answers.items() for found in answer.domains)


def _differs(found_bytes: int, wanted_bytes: int) -> bool:
    tolerance_bytes = max(MEMORY_TOLERANCE_BYTES, wanted_bytes * MEMORY_TOLERANCE_PERCENT // 100)
    return abs(found_bytes - wanted_bytes) > tolerance_bytes
