"""The cluster of the demo, kept up while a shell runs, with its commands on the PATH."""

import os
import subprocess
import sys

from demo.cluster import Cluster

WELCOME = """
A Salt master and the minions {nodes}; nothing has been applied yet. Files are under {directory}.

  salt '*' state.apply              from an empty volume group to running domains
  salt '*' state.apply test=True    what would change, after you have changed something
  salt-run cluster.status           who runs where, and what is wrong
  salt-run topology.validate        after you have edited {pillar}
  salt-call state.apply drbd        one layer, seen from {first}
  xl list; drbdadm status; lvs      the tools of {first}
  on {last} xl list                  those of {last}

The cluster ends with this shell.
"""


def main() -> int:
    """Start the cluster, then a shell; returns the exit code of the shell."""
    print("Starting a Salt master and two minions ...", flush=True)
    with Cluster() as cluster:
        first, *_, last = cluster.nodes
        print(
            WELCOME.format(
                nodes=" and ".join(cluster.nodes),
                directory=cluster.directory,
                pillar=cluster.pillar / "saltern" / "init.sls",
                first=first,
                last=last,
            )
        )
        environment = {**os.environ, "PATH": f"{cluster.bin}:{os.environ['PATH']}", "PS1": "saltern$ "}
        shell = [os.environ.get("SHELL", "/bin/sh")]
        if shell[0].endswith("bash"):
            shell.append("--norc")  # it could put something else first on the PATH
        return subprocess.run(shell, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
