"""Stopping a run of Salt at an exact moment: a tool in front of the real one, which does not return from one of its calls."""

import shlex
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from lab.cluster import Lab

# The minion's PATH has /usr/local/sbin first.
FRONT = "/usr/local/sbin"
REAL = "/usr/sbin"
HERE = "/run/stopped-here"
CALLS = "/run/calls"
REACHED_TIMEOUT_S = 600.0

BEFORE = ""
AFTER = '"$real" "$@"'


@dataclass(frozen=True)
class Moment:
    """The ``nth`` call of ``tool`` whose arguments match ``pattern``, an extended regular expression, and what is done of it."""

    tool: str
    pattern: str
    nth: int = 1
    done: str = AFTER

    def front(self) -> str:
        """The script that stands before the tool."""
        pattern = self.pattern.replace(" ", "\\ ")  # bash reads it without quotes, else it would be no pattern
        return f"""#!/bin/bash
real={REAL}/{self.tool}
if [[ "$*" =~ {pattern} ]]; then
    echo "$*" >> {CALLS}
    if [ "$(wc -l < {CALLS})" = {self.nth} ]; then
        {self.done or ":"}
        echo $$ > {HERE}.new && mv {HERE}.new {HERE}
        exec sleep 100000
    fi
fi
exec "$real" "$@"
"""


def while_domain_appears(domain: str) -> str:
    """What is done of `xl create`: it is begun, and goes on by itself when the domain is there."""
    return f'"$real" "$@" > /dev/null 2>&1 & until "$real" domid {domain} > /dev/null 2>&1; do sleep 0.1; done'


def arm(lab: Lab, nodes: Collection[str], moments: Collection[Moment]) -> None:
    """Put the tool of each node's moment before the real one; ``nodes`` and ``moments`` belong together."""
    for node, moment in zip(nodes, moments, strict=True):
        lab.on(node, f"rm -f {HERE} {CALLS}")
        lab.write_file(node, f"{FRONT}/{moment.tool}", moment.front())
        lab.on(node, f"chmod 755 {FRONT}/{moment.tool}")


def at_the_moment(lab: Lab, nodes: Collection[str], do: Callable[[str], None]) -> None:
    """On each of the nodes do something as soon as its moment has come; on all at once."""

    def wait_and_do(node: str) -> None:
        reached = f"test -e {HERE}"
        lab.wait_until(
            lambda: lab.on(node, reached, check=False).returncode == 0,
            f"the run on {node} reaches its moment",
            timeout_s=REACHED_TIMEOUT_S,
        )
        do(node)

    with ThreadPoolExecutor() as pool:
        list(pool.map(wait_and_do, nodes))


def kill_minion(lab: Lab, node: str) -> None:
    """End the minion of a node with everything of Salt that runs there, at once; what tools it has started go on."""
    lab.on(node, f"kill -9 $(pgrep -f '[/]opt/salt/bin/salt-minion') $(cat {HERE})")


def disarm(lab: Lab, nodes: Collection[str]) -> None:
    """Take the tools away again."""
    for node in nodes:
        lab.on(node, f"grep -l {shlex.quote(CALLS)} {FRONT}/* | xargs -r rm")


def start_minion(lab: Lab, nodes: Collection[str]) -> None:
    """Start the minions again, as a person does, and wait until they answer."""
    for node in nodes:
        lab.on(node, "systemctl restart salt-minion")
    lab.up()


def record_calls(lab: Lab, node: str, *tools: str) -> None:
    """From now on write down every call of these tools."""
    for tool in tools:
        script = f'#!/bin/bash\necho "{tool} $*" >> /root/calls\nexec {REAL}/{tool} "$@"\n'
        lab.write_file(node, f"{FRONT}/{tool}", script)
        lab.on(node, f"chmod 755 {FRONT}/{tool}; touch /root/calls")


def recorded_calls(lab: Lab, node: str) -> list[str]:
    """The calls that were written down, each with its arguments."""
    return lab.on(node, "cat /root/calls").stdout.splitlines()
