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
from pathlib import Path


def main() -> None:
    """Start what each line of standard input asks for; when it ends, end everything."""
    remove: list[str] = []
    for line in sys.stdin:
        order = json.loads(line)
        remove += order["remove"]
        for daemon in order["daemons"]:
            with Path(daemon["log"]).open("wb") as log:
                subprocess.Popen(daemon["argv"], env=daemon["env"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    for directory in remove:
        shutil.rmtree(directory, ignore_errors=True)
    # Nothing in here is worth a graceful end, which takes a minion 6 to 10 seconds. This process is in the group too.
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
