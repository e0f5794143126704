"""Runs the daemons of the demo, and ends them when whoever started it is gone, in whatever way it went.

The pipe on standard input is the sign of life: it closes also when the demo is killed. The daemons and all that they
start stay in the process group of this process, which is in a session of its own, out of reach of Ctrl-C.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil


def main() -> None:
    """Start and end what each line of standard input asks for; when it ends, end everything."""
    remove: list[str] = []
    running: dict[str, subprocess.Popen[bytes]] = {}
    for line in sys.stdin:
        order = json.loads(line)
        remove += order["remove"]
        for name in running.keys() & set(order["end"]):
            _end(running.pop(name))
        for daemon in order["daemons"]:
            running[daemon["name"]] = _start(daemon)
    for directory in remove:
        shutil.rmtree(directory, ignore_errors=True)
    # Nothing in here is worth a graceful end, which takes a minion 6 to 10 seconds. This process is in the group too.
    os.killpg(0, signal.SIGKILL)


def _start(daemon: dict[str, Any]) -> subprocess.Popen[bytes]:
    with Path(daemon["log"]).open("ab") as log:
        return subprocess.Popen(daemon["argv"], env=daemon["env"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def _end(daemon: subprocess.Popen[bytes]) -> None:
    """A minion is a process with a child that does the work, and one more for each job."""
    for process in (*psutil.Process(daemon.pid).children(recursive=True), daemon):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    daemon.wait()


if __name__ == "__main__":
    main()
