"""Real nodes as a target of the contract: the lab, taken back for each case to bare nodes or to a moment that cases share."""

import re
from collections.abc import Callable

from contract_target import Answer, Target

from lab.cluster import NODES, Lab
from lab.moments import BARE, bring

PATIENCE_S = 300
# What the guests of the recordings start from, by the names that it has here.
_GUEST_FILES = "cd /var/lib/lab && ln -sf vmlinux vmlinuz && ln -sf guest.img initrd.img"
# Programs, with their first arguments, after which nodes are what they were.
_READ = re.compile(
    r"(cat|echo|sleep|head|tail|grep"
    r"|(time )?drbdadm( -c \S+)? (-d|dump|dump-xml|status|role|cstate|dstate|get-gi|show-gi|sh-\S+|--version)"
    r"|drbdsetup (events2|status|show)|drbdmeta \d+ \S+ \S+ \S+ get-gi|lvs|vgs|pvs"
    r"|xl (list|info|create -n|domid|domname|vm-list|uptime|network-list|block-list|vcpu-list))\b"
)


class Moments:
    """Where the nodes of a lab stand: the name of a snapshot, while nothing has been changed since.

    Their minions are stopped: no case speaks to them, and waiting for them would take as long as the case.
    """

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._kept: set[str] = set()
        self._at = ""

    def bare(self) -> None:
        """Nodes with nothing on their second disks."""
        self.after(self._stop_minions, "contract-bare")

    def after(self, lead: Callable[[], None], name: str) -> None:
        """Nodes to which ``lead`` was done, which is done once in the life of this object."""
        if name not in self._kept:
            lead()
            self.lab.save(name)
            self._kept.add(name)
        elif self._at != name:
            self.lab.restore(name)
        self._at = name

    def _stop_minions(self) -> None:
        bring(self.lab, BARE)
        for node in NODES:
            self.lab.on(node, f"systemctl stop salt-minion; {_GUEST_FILES}")

    def changed(self) -> None:
        """The nodes stand at no known moment any more."""
        self._at = ""


class LabTarget:
    """The two nodes of a lab, for one case."""

    def __init__(self, moments: Moments) -> None:
        self._moments = moments
        self._started = False

    def start(self, lead: Callable[[Target], None]) -> None:
        """See ``Target.start``."""
        name = f"contract-{lead.__module__}-{lead.__name__}".replace("_", "-")
        self._moments.after(lambda: lead(self), name)
        self._started = True

    def run(self, node: str, command: str) -> Answer:
        """See ``Target.run``."""
        nodes = self._nodes(touched=not _reads(command))
        done = nodes.on(node, command, timeout_s=PATIENCE_S, check=False)
        return Answer(done.returncode, done.stdout, done.stderr)

    def write_file(self, node: str, path: str, text: str) -> None:
        """See ``Target.write_file``."""
        self._nodes(touched=not path.startswith("/root/")).write_file(node, path, text)

    def cut_link(self) -> None:
        """See ``Target.cut_link``."""
        self._nodes(touched=True).cut_link()

    def heal_link(self) -> None:
        """See ``Target.heal_link``."""
        self._nodes(touched=True).heal_link()

    def power_cut(self, node: str) -> None:
        """See ``Target.power_cut``."""
        self._nodes(touched=True).power_cut(node)

    def power_on(self, node: str) -> None:
        """See ``Target.power_on``."""
        self._nodes(touched=True).power_on(node)

    def _nodes(self, *, touched: bool) -> Lab:
        """The nodes: bare ones, if the case did not start from anything else."""
        if not self._started:
            self._moments.bare()
            self._started = True
        if touched:
            self._moments.changed()
        return self._moments.lab


def _reads(command: str) -> bool:
    """Whether a line of shell only looks; files under /root are nobody's."""
    unquoted = re.sub(r"'[^']*'|\"[^\"]*\"", "''", command)
    return all(_READ.match(part.strip()) for part in re.split(r"[;|]|&&", unquoted) if part.strip())
