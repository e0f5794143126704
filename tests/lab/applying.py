"""`salt '*' state.apply` and `salt-run state.orch` in the lab, what they told, and what was made of the nodes."""

import json
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from guests import HOMES, at_home, running, wait_until_answering

from lab.cluster import NODES, Lab

Returned = dict[str, dict[str, Any]]
NOTHING: Returned = {node: {} for node in NODES}
SYNCHRONISED_TIMEOUT_S = 600.0
ORCHESTRATION_TIMEOUT_S = 2400.0
JOBS_TIMEOUT_S = 600.0
LEFT_AFTER_S = 130  # an entry counts as left two minutes after its last sign of life


def apply(lab: Lab, *layers: str, target: str = "*", test: bool = False) -> Returned:
    """``state.apply``, of layers or of all: by node, what each state returned, by ``ID module.function``.

    A minion that has not answered is not among them. Fails when Salt itself refuses, with what it says.
    """
    nodes = [node for node in NODES if target in ("*", node) and lab.runs(node)]
    arguments = [*([",".join(layers)] if layers else []), *(["test=True"] if test else [])]
    returned = lab.job(nodes, "state.apply", *arguments)
    refused = {node: found for node, found in returned.items() if not isinstance(found, dict)}
    assert refused == {}, refused
    return {node: {_name(key): value for key, value in found.items()} for node, found in returned.items()}


def _name(key: str) -> str:
    module, identifier, _, function = key.split("_|-")
    return f"{identifier} {module}.{function}"


def begin_apply(lab: Lab) -> None:
    """``state.apply`` on all nodes, which nobody waits for."""
    lab.salt("*", "state.apply", "--async")


def wait_for_the_end_of_all_jobs(lab: Lab, nodes: Iterable[str] = NODES) -> None:
    """Until the runs on the nodes that were not touched have ended, since a minion has one run at a time."""
    for node in nodes:
        lab.wait_until(
            lambda node=node: "state.apply" not in lab.salt(node, "saltutil.running").stdout,
            f"the run on {node} ends",
            timeout_s=JOBS_TIMEOUT_S,
        )


def changes(returned: Returned) -> Returned:
    """The changes of the states that changed something, by node."""
    return {
        node: {state: each["changes"] for state, each in states.items() if each["changes"]}
        for node, states in returned.items()
    }


def failures(returned: Returned) -> dict[str, dict[str, str]]:
    """What the states that failed say, by node."""
    return {
        node: {state: each["comment"] for state, each in states.items() if each["result"] is False}
        for node, states in returned.items()
    }


def converge(lab: Lab, *, most: int = 3) -> Returned:
    """Apply until nothing fails, ``most`` times at most; returns the changes of all runs, by node and state."""
    made: Returned = {node: {} for node in NODES}
    for _ in range(most):
        returned = apply(lab)
        for node, states in changes(returned).items():
            made[node].update(states)
        failed = failures(returned)
        if set(returned) == set(NODES) and not any(failed.values()):
            return made
        print(f"applied again after {json.dumps(failed, indent=2)}, answered by {sorted(returned)}")
    raise AssertionError(f"after {most} runs of state.apply: {failed}, answered by {sorted(returned)}")


def orchestrate(lab: Lab, name: str, **pillar: object) -> str:
    """``salt-run state.orch`` to its good end; returns what it told."""
    answer = lab.salt_run("state.orch", name, f"pillar={json.dumps(pillar)}", timeout_s=ORCHESTRATION_TIMEOUT_S)
    return answer.stdout + answer.stderr


@contextmanager
def orchestrating(lab: Lab, name: str, **pillar: object) -> Iterator[subprocess.Popen[bytes]]:
    """``salt-run state.orch`` beside what the test does; it is killed, if it has not ended by itself."""
    argv = [*lab.master.argv("salt-run"), "state.orch", name, f"pillar={json.dumps(pillar)}"]
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def replicas(lab: Lab, node: str) -> dict[str, str]:
    """What each resource is on a node, in the words of /proc/drbd: connection, roles and disks, by minor."""
    lines = lab.on(node, "cat /proc/drbd").stdout.splitlines()
    found = (line.split() for line in lines if " cs:" in line)
    return {words[0].rstrip(":"): " ".join(words[1:4]) for words in found}


def is_up_to_date(lab: Lab) -> bool:
    """Whether on both nodes every resource is connected and both its disks are UpToDate."""
    both = [replicas(lab, node) for node in NODES]
    return all(
        found and all("cs:Connected" in each and "ds:UpToDate/UpToDate" in each for each in found.values())
        for found in both
    )


def wait_until_up_to_date(lab: Lab) -> None:
    """Wait until every resource is connected and UpToDate on both nodes."""
    lab.wait_until(lambda: is_up_to_date(lab), "all replicas are UpToDate", timeout_s=SYNCHRONISED_TIMEOUT_S)


def assert_converged(lab: Lab) -> None:
    """Everything is UpToDate, each domain runs at home and answers, no volume is marked, another apply changes nothing."""
    wait_until_up_to_date(lab)
    wait_until_answering(lab, HOMES)
    for node in NODES:
        assert running(lab, node) == at_home(node)
        assert "saltern." not in lab.on(node, "lvs --noheadings -o lv_name,lv_tags").stdout
    again = apply(lab)
    assert failures(again) == {node: {} for node in NODES}
    assert changes(again) == NOTHING
