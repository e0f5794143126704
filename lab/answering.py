"""Which minions answer soon: ``python -m lab.answering CONFIGURATION TIMEOUT_S NODE...`` prints their names as JSON.

`salt` itself waits for the silent ones as long as for an apply. A process of its own, since Salt changes the logging of
the one that imports it.
"""

import json
import sys
from collections.abc import Sequence

from salt.client import LocalClient


def main(argv: Sequence[str]) -> None:
    """Ask once, and print the names of those who have answered."""
    configuration, timeout_s, *nodes = argv
    limits = {"timeout": int(timeout_s), "gather_job_timeout": int(timeout_s)}
    answers = LocalClient(configuration).cmd(nodes, "test.ping", tgt_type="list", **limits)
    print(json.dumps(sorted(node for node, answer in answers.items() if answer is True)))


if __name__ == "__main__":
    main(sys.argv[1:])
