"""The cluster of the demo, kept up while a shell runs, with its commands on the PATH."""

import sys

from demo.cluster import Cluster, end_on_signals
from demo.control import Control
from demo.prompt import shell
from saltern.sim import fork_server

WELCOME = """
A Salt master and the minions {nodes}; nothing has been applied yet. Files are under {directory},
which is $D in here; the topology and its allocation are in $P, {pillar}.

  salt '*' state.apply              from an empty volume group to running domains
  salt '*' state.apply test=True    what would change, after you have changed something
  salt-run cluster.status           who runs where, and what is wrong
  salt-run cluster.watch            the same, all the time
  salt-run cluster.explain dns      why it is where it is, and what an apply would do about it
  salt-run state.orch migrate pillar='{{domain: dns, target: {last}}}'
                                    move it while it runs; without `target` it goes to the
                                    other node, from wherever it runs: given twice, there and back
  salt-run topology.validate        after you have edited $P/init.sls
  salt-call state.apply drbd        one layer, seen from {first}
  xl list; drbdadm status; lvs      the tools of {first}
  on {last} xl list                  those of {last}
  guards                            write automatic takeover into the topology: apply it, and lose a node
  power-cut {first}; power-on {first}     its power is cut, and comes back

The cluster ends with this shell.
"""


def main() -> int:
    """Start the cluster, then a shell; returns 0 however the last command in it ended."""
    end_on_signals()
    print("Starting a Salt master and two minions ...", flush=True)
    with fork_server.serving(), Cluster() as cluster:
        first, *_, last = cluster.nodes
        pillar = cluster.pillar / "saltern"
        print(
            WELCOME.format(
                nodes=" and ".join(cluster.nodes),
                directory=cluster.directory,
                pillar=pillar,
                first=first,
                last=last,
            )
        )
        control = Control(cluster)
        shell("saltern", cluster.bin, {"P": str(pillar), "D": str(cluster.directory)})
        control.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
