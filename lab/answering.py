"""What minions answer: ``python -m lab.answering CONFIGURATION TIMEOUT_S FUNCTION ARGUMENTS NODE...`` prints it as JSON, by node.

`salt` asks again and again whether a node is still at work, which costs an emulated one a quarter of a minute, and gives it up
when that is not answered in time. This only listens. A process of its own: Salt changes the logging of whoever imports it.
"""

import json
import sys
import time
from collections.abc import Collection, Sequence
from typing import Any

from salt.client import LocalClient

_LOOK_S = 5


def ask(
    configuration: str, timeout_s: float, function: str, arguments: Sequence[str], nodes: Collection[str]
) -> dict[str, Any]:
    """Have a function run on the nodes; what those have returned that have answered in time."""
    client = LocalClient(configuration)
    job = client.run_job(list(nodes), function, arguments, tgt_type="list", timeout=int(timeout_s), listen=True)
    deadline_s = time.monotonic() + timeout_s
    answers: dict[str, Any] = {}
    while job and not answers.keys() >= set(nodes) and time.monotonic() < deadline_s:
        told = client.event.get_event(wait=_LOOK_S, tag=f"salt/job/{job['jid']}/ret", match_type="startswith")
        if told:
            answers[told["id"]] = told["return"]
    return answers


def main(argv: Sequence[str]) -> None:
    """Ask, and print the answers."""
    configuration, timeout_s, function, arguments, *nodes = argv
    print(json.dumps(ask(configuration, float(timeout_s), function, json.loads(arguments), nodes)))


if __name__ == "__main__":
    main(sys.argv[1:])
