"""The demo: two simulated Xen hosts, from an empty volume group to running domains, applied by a real Salt.

Exits with 1 when a step does not do what it should.
"""

import ctypes
import difflib
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from demo.cluster import Cluster, end_on_signals
from demo.guards import Guards
from saltern.sim import fork_server

WIDTH = 100
PR_SET_PDEATHSIG = 1  # prctl(2)
BOLD, CYAN = 1, 36  # Select Graphic Rendition of ECMA-48
MISTAKES = (
    ("minor: 1\n", "minor: 2\n"),
    ("partner: dom0\n      memory: 512M", "partner: dom0m\n      memory: 512M"),
    ("vcpus: 2", "vcpu: 2"),
)


class Unexpected(Exception):
    """A step did not do what it should."""


def heading(title: str, explanation: str) -> None:
    """Say what comes next."""
    print("\n" + emphasised(f"== {title} {'=' * (WIDTH - 4 - len(title))}", BOLD))
    print(textwrap.fill(explanation, WIDTH), end="\n\n", flush=True)


def emphasised(text: str, style: int) -> str:
    """``text`` in a style of the terminal, where standard output is one."""
    return f"\033[{style}m{text}\033[0m" if sys.stdout.isatty() else text


def expect(condition: bool, what: str) -> None:
    """Stop the demo when something is not so."""
    if not condition:
        raise Unexpected(what)


def shown(words: Sequence[str]) -> str:
    """A command line as a person would type it."""
    program, *arguments = words
    return " ".join([Path(program).name, *(f"'{word}'" if set(word) & set("*{ ") else word for word in arguments)])


def run(cluster: Cluster, *words: str) -> tuple[int, str]:
    """Run a command in front of the user; returns its exit code and its output. Meanwhile, what the nodes run is shown."""
    print(emphasised(f"$ {shown(words)}", CYAN), flush=True)
    with _Progress(cluster):
        done = subprocess.run(
            [str(cluster.bin / words[0]), *words[1:]],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            preexec_fn=_end_with_the_demo,
        )
    print(textwrap.indent(done.stdout.rstrip(), "  "), flush=True)
    return done.returncode, done.stdout


def _end_with_the_demo() -> None:
    """Ask Linux to kill this process when its parent dies, in whatever way."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class _Progress:
    """Shows, line by line, the commands that change something on the nodes, while something else is waited for."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._seen = {node: len(cluster.commands(node)) for node in cluster.nodes}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_exception: object) -> None:
        self._done.set()
        self._thread.join()

    def _follow(self) -> None:
        while not self._done.wait(0.2):
            self._show()
        self._show()

    def _show(self) -> None:
        for node in self._cluster.nodes:
            commands = self._cluster.commands(node)
            for command in commands[self._seen[node] :]:
                if command.changes:
                    print(f"    {node:6} {command.text}", flush=True)
            self._seen[node] = len(commands)


def apply_first(cluster: Cluster) -> None:
    """Two empty nodes are built."""
    heading(
        "From an empty volume group to running domains",
        "Both nodes have Xen, the DRBD module and the volume group XEN with nothing in it; their Python has Salt and not "
        "Saltern. One command brings the core to the nodes, creates volumes, metadata and resources, starts the first "
        "synchronisation and the domains. Below, the commands that the nodes run, as they run them; then Salt's own summary.",
    )
    code, output = run(cluster, "salt", "*", "state.apply")
    expect(code == 0, f"the first apply ended with exit code {code}")
    expect(len(re.findall(r"Failed: +0\n", output)) == len(cluster.nodes), "the first apply has failed states")


def apply_again(cluster: Cluster) -> None:
    """Nothing changes, and hardly anything is asked."""
    heading(
        "The same again",
        "Everything is as it should be, so nothing may change; and the nodes are asked only a handful of questions, "
        "however many domains they have.",
    )
    before = {node: len(cluster.commands(node)) for node in cluster.nodes}
    code, output = run(cluster, "salt", "*", "state.apply")
    expect(code == 0, f"the second apply ended with exit code {code}")
    expect("changed=" not in output, "the second apply changed something")
    for node in cluster.nodes:
        commands = cluster.commands(node)[before[node] :]
        print(f"  {node} ran {len(commands)} commands: {', '.join(command.text for command in commands)}")
        expect(not any(command.changes for command in commands), f"a command of the second apply could change {node}")
        expect(len(commands) <= 8, f"the second apply ran {len(commands)} commands on {node}")


def show_status(cluster: Cluster) -> None:
    """What a person would look at."""
    heading("The state of the cluster", "Asked from all nodes at once. `--out=json` gives the same as data.")
    code, output = run(cluster, "salt-run", "cluster.status")
    expect(code == 0 and not re.search("nowhere|unknown", output), "a domain does not run")


def repair(cluster: Cluster) -> None:
    """One drift, one change."""
    heading(
        "A domain dies",
        "Somebody ends the domain dns on dom0. A dry run tells what an apply would change; the apply does that and "
        "nothing else.",
    )
    code, _ = run(cluster, "on", "dom0", "xl", "destroy", "dns")
    expect(code == 0, "xl destroy failed")
    code, output = run(cluster, "salt", "dom0", "state.apply", "test=True")
    expect(
        "domain_running" in output and "unchanged=1" in output, "the dry run does not tell that dns would be started"
    )
    code, output = run(cluster, "salt", "*", "state.apply")
    expect(code == 0 and output.count("changed=1)") == 1, "the apply did not start dns, or did more than that")


def migrate(cluster: Cluster) -> None:
    """A running domain goes to the partner and comes home."""
    heading(
        "A domain moves",
        "dns moves to its partner while it runs: its disk is UpToDate on both nodes before, both sides are Primary for a moment "
        "only, and both nodes keep an entry of it until it is over. Then it comes home.",
    )
    for target in ("dom0m", "dom0"):
        code, _ = run(cluster, "salt-run", "state.orch", "migrate", f"pillar={{domain: dns, target: {target}}}")
        expect(code == 0, f"the migration to {target} ended with exit code {code}")
        code, output = run(cluster, "on", target, "xl", "list")
        expect(code == 0 and re.search("^dns ", output, re.MULTILINE) is not None, f"dns does not run on {target}")


def evacuate(cluster: Cluster) -> None:
    """A node is emptied, and its domains come home."""
    heading(
        "A node is emptied",
        "All that runs on dom0 moves to dom0m, so that dom0 can be maintained. First, what would be done; then, it is done; then "
        "everything returns to where it belongs.",
    )
    for words, there in (
        (("evacuate", "pillar={node: dom0}", "test=True"), True),
        (("evacuate", "pillar={node: dom0}"), False),
        (("return",), True),
    ):
        code, _ = run(cluster, "salt-run", "state.orch", *words)
        expect(code == 0, f"{' '.join(words)} ended with exit code {code}")
        code, output = run(cluster, "on", "dom0", "xl", "list")
        expect(code == 0 and ("\ndns " in output) == there, f"dns is not where it should be after {' '.join(words)}")


def take_over(cluster: Cluster) -> None:
    """A node is lost, its domains come back on its partner, and go home when it is back."""
    heading(
        "A node is lost",
        "Automatic takeover is written into the topology: a guard on each node, and a witness, which is the machine of the "
        "master. The times of the leases are short ones, for this demo.",
    )
    guards = Guards(cluster)
    print(guards.into_topology())
    code, _ = run(cluster, "salt", "*", "state.apply")
    expect(code == 0, f"the apply that brings the guards ended with exit code {code}")
    for node in cluster.nodes:
        _await(guards, f"{node} is protected", partial(guards.is_protected, node))
    code, output = run(cluster, "salt-run", "cluster.status")
    expect(code == 0, "the status does not show that all is well")
    there, left = "dom0m", "dom0"
    print(f"  The power of {left} is cut now. What the guard of {there} says, by the seconds since then:\n", flush=True)
    guards.heard(there)
    guards.cut_power(left)
    _await(guards, f"dns runs on {there}", lambda: guards.where("dns") == [there], says=there)
    code, output = run(cluster, "on", there, "xl", "list")
    expect(code == 0 and len(re.findall("^dns ", output, re.MULTILINE)) == 1, f"dns does not run on {there} once")
    print(f"  {left} has its power again. It starts nothing by itself, and is synchronised:\n", flush=True)
    guards.heard(left)
    guards.boot(left)
    _await(guards, "all is synchronised", guards.is_whole, says=left)
    _await(guards, f"{left} is protected", partial(guards.is_protected, left), says=left)
    expect(guards.where("dns") == [there], f"dns was started by the node that came back, or has left {there}")
    cluster.wait_for_minions(left)
    code, _ = run(cluster, "salt-run", "state.orch", "return")
    expect(code == 0 and guards.where("dns") == [left], "dns has not come home")


def _await(guards: Guards, what: str, found: Callable[[], bool], says: str = "") -> None:
    """Wait until something is so; meanwhile, what the guard of the node ``says`` comes is shown."""
    begun_s = time.monotonic()
    while not found():
        took_s = time.monotonic() - begun_s
        expect(took_s < guards.patience_s, f"it did not come about that {what}, in {took_s:.0f} s")
        time.sleep(0.2)
        for line in guards.heard(says) if says else ():
            print(f"    {took_s:4.1f}  {line}", flush=True)
    if says:
        print(f"    {time.monotonic() - begun_s:4.1f}  {what}\n", flush=True)


def refuse(cluster: Cluster) -> None:
    """Everything wrong at once, and no node touched."""
    heading(
        "An invalid topology",
        "Three mistakes are written into a copy of the topology: dns is to change the minor that it was made with, mail "
        "becomes its own partner, and a key is misspelt. They are found on the master, all at once, before any node is touched.",
    )
    topology = cluster.pillar / "saltern" / "init.sls"
    valid = topology.read_text(encoding="utf-8")
    invalid = valid
    for right, wrong in MISTAKES:
        expect(invalid.count(right) == 1, f"the example topology has {right!r} not exactly once")
        invalid = invalid.replace(right, wrong)
    for line in difflib.unified_diff(valid.splitlines(), invalid.splitlines(), n=0, lineterm=""):
        if line[0] in "+-" and line[1] == " ":
            print(f"  {line}")
    topology.write_text(invalid, encoding="utf-8")
    before = {node: len(cluster.commands(node)) for node in cluster.nodes}
    try:
        code, output = run(cluster, "salt", "*", "state.apply")
    finally:
        topology.write_text(valid, encoding="utf-8")
    expect(
        code != 0 and output.count("invalid topology") == len(cluster.nodes),
        "the topology was not refused on every node",
    )
    for word in ("[recorded-changed]", "[home-is-partner]", "vcpu"):
        expect(word in output, f"the refusal does not tell of {word}")
    expect(
        all(len(cluster.commands(node)) == before[node] for node in cluster.nodes), "a node was touched all the same"
    )
    print("\n  No node has run a single command.")


def main() -> int:
    """Run the steps in order; 0 when each did what it should, 1 when one did not, 130 after Ctrl-C."""
    end_on_signals()
    heading(
        "Starting",
        "A Salt master and two minions on loopback, as the current user, with everything under .demo in the checkout. Each "
        "minion is a simulated Xen host: its LVM, DRBD and Xen tools answer from a model, Salt is real.",
    )
    try:
        with fork_server.serving(), Cluster() as cluster:
            for step in (apply_first, show_status, apply_again, repair, migrate, evacuate, refuse, take_over):
                step(cluster)
            heading(
                "The end", "All steps did what they should. `make demo-shell` keeps such a cluster up to play with."
            )
    except (Unexpected, TimeoutError) as error:
        print(f"\nNot as it should be: {error}. The logs are left under .demo until the next start.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; nothing is left running.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
