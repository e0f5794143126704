"""What is typed for a migration without Saltern, with tools that only write down how they were called."""

import os
import subprocess
from pathlib import Path

from bench.ways import PLAIN, WAYS
from lab.ssh import Answer

SHOWN = """\
resource dns {
    _this_host { address ipv4 10.77.0.1:7792; }
    _remote_host { address ipv4 10.77.0.2:7792; }
}
"""
CALL = '#!/bin/bash\necho "$(basename $0) $*" >> {calls}\n'


class Here:
    """This machine in the place of a node, with tools of its own."""

    def __init__(self, directory: Path) -> None:
        self.calls = directory / "calls"
        self._environment = {**os.environ, "PATH": f"{directory}:{os.environ['PATH']}"}
        # Two Primaries are still there at the first attempt to forbid them.
        refused = f"[[ $* != *=no || $(grep -c =no {self.calls}) -gt 1 ]]"
        for name, more in (("xl", "sleep 0.2"), ("drbdadm", ""), ("drbdsetup", refused)):
            (directory / name).write_text(CALL.format(calls=self.calls) + more + "\n")
            (directory / name).chmod(0o755)

    def on(self, node: str, command: str, *, timeout_s: float = 10) -> Answer:
        assert node == "node1"
        if command == "drbdsetup show dns":
            return Answer(0, SHOWN, "")
        done = subprocess.run(
            ["bash", "-c", command],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=True,
        )
        return Answer(0, done.stdout, "")


def test_two_primaries_are_allowed_before_xl_and_forbidden_as_soon_as_one_side_is_secondary(tmp_path: Path) -> None:
    here = Here(tmp_path)
    done = WAYS[PLAIN](here, "dns", "node1")
    option = "drbdsetup net-options ipv4:10.77.0.1:7792 ipv4:10.77.0.2:7792 --allow-two-primaries"
    assert here.calls.read_text().splitlines() == [
        f"{option}=yes",
        "xl migrate dns node2",
        f"{option}=no",
        "drbdadm secondary dns",
        f"{option}=no",
    ]
    assert done.whole_s >= done.allowed_s >= 0.2
