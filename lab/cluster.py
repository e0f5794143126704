"""The lab as a whole: two nodes and their master, brought up, broken, saved and put back."""

import contextlib
import fcntl
import json
import os
import re
import shlex
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from demo.ports import free_ports
from lab import image, needs, patience
from lab.board import BoardService
from lab.errors import LabError
from lab.files import PRIVATE, write_whole
from lab.machine import MASTER_ADDRESS, Machine, Wiring
from lab.master import CHECKOUT, Master
from lab.snapshot import Snapshot, fingerprint
from lab.ssh import Answer, Ssh
from lab.witness import NAME, Witness

NODES = ("node1", "node2")
COMMAND_TIMEOUT_S = 120.0
BOOT_TIMEOUT_S = 240.0
MINION_TIMEOUT_S = 180.0
APPLY_TIMEOUT_S = 900.0
PILLAR_TREE = "pillar"
MINE_TREE = "mine"  # what the minions have told each other
SNAPSHOT_NAME = re.compile(r"[A-Za-z0-9_-]+")
WITNESS_TREE = "witness"  # in a snapshot where the witness ran
STATE = (
    "xl list", "cat /proc/drbd", "drbdsetup status", "lvs -a -o +tags", "dmesg | tail -n 25",
    "tail -n 15 /var/log/xen/xl-*.log /var/log/xen/*hotplug*.log 2>/dev/null",
    "tail -n 25 /var/log/salt/minion",
)  # fmt: skip

Progress = Callable[[str], None]


def usual_directory() -> Path:
    """Where the lab lives if nobody says otherwise: $SALTERN_LAB, or .lab in the checkout."""
    return Path(os.environ.get("SALTERN_LAB") or CHECKOUT / ".lab")


@dataclass(frozen=True)
class Ports:
    """The ports of loopback of one lab, chosen when it is brought up."""

    ssh: tuple[int, int]
    link: tuple[int, int]
    publish: int
    ret: int
    witness: int
    board: int


class Lab:
    """The lab in ``directory``; every method works from any process while the lab is up."""

    def __init__(self, directory: Path, progress: Progress = lambda text: None) -> None:
        self.directory = directory.resolve()
        self._progress = progress
        self._image = self.directory / "image"
        self._run = self.directory / "run"
        self._wiring_file = self._run / "wiring.json"
        self._cut_mark = self._run / "link-is-cut"
        self._up_mark = self._run / "is-up"
        self._unheard_mark = self._run / "minions-have-not-answered"
        if self._wiring_file.exists():
            self._wire()

    # --- Up and down ---------------------------------------------------------------------------------------------
    @property
    def is_up(self) -> bool:
        """Whether it was brought up as a whole and not ended since; a node may have lost its power on purpose."""
        return self._anything_runs() and self._up_mark.exists()

    def up(self) -> None:
        """Bring up whatever is down, on the disks that it had; new disks where there are none, or of another image."""
        self.prepare()
        with self._locked():
            missing = [machine for machine in self._machines.values() if not machine.running]
            for machine in missing:
                if not machine.has_disks:
                    machine.new_disks()
            self._each(self._boot, missing)
            self._wait_for_minions(NODES)
            self._up_mark.touch()

    def prepare(self) -> None:
        """Have all that the nodes need: programs, the image, the master. An image is not built anew while a node runs."""
        needs.check_to_run()
        with self._locked():
            if not self._anything_runs():
                image.build(self.directory, self._progress)
                self._choose_wiring()
            self.master.prepare(NODES, others=[NAME])
            self.master.start()
            self.boards.start()

    @contextlib.contextmanager
    def reserved(self) -> Iterator[None]:
        """Have the lab to itself: two runs of tests, or of the benchmark, would take the nodes from each other.

        It is down afterwards, unless it was up before. Raises LabError when another run has it.
        """
        self.directory.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        with (self.directory / "reserved.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise LabError(
                    f"tests or a benchmark run in the lab {self.directory}; SALTERN_LAB names another one"
                ) from None
            was_up = self.is_up
            try:
                yield
            finally:
                if not was_up:
                    self.down()

    def down(self) -> None:
        """End both nodes and the master at once. The disks stay, as after a power cut."""
        with self._locked():
            if not self._wiring_file.exists():
                return
            for node in NODES:
                self._cut_power(node)
            self.witness.stop()
            self.boards.stop()
            self.master.stop()
            shutil.rmtree(self._sockets, ignore_errors=True)
            self._wiring_file.unlink()

    # --- One node ------------------------------------------------------------------------------------------------
    def on(self, node: str, command: str, *, timeout_s: float = COMMAND_TIMEOUT_S, check: bool = True) -> Answer:
        """Run a line of bash as root on a node.

        Raises CommandFailed when ``check`` is set and it ends with another exit code than 0, TimedOut after ``timeout_s``.
        """
        return self.ssh(node).run(command, timeout_s=timeout_s, check=check)

    def write_file(self, node: str, path: str, text: str) -> None:
        """Put a file on a node, with the directories above it."""
        quoted = shlex.quote(path)
        line = f"mkdir -p $(dirname {quoted}) && cat > {quoted}"
        self.ssh(node).run(line, timeout_s=COMMAND_TIMEOUT_S, check=True, stdin=text)

    def power_cut(self, node: str) -> None:
        """Take the power from a node."""
        with self._locked():
            self._cut_power(node)

    def power_on(self, node: str) -> None:
        """Boot a node from the disks that it has; its minion is started, and nothing else."""
        with self._locked():
            self._boot(self._machine(node))
            self._wait_for_minions([node])

    def reinstall(self, *nodes: str) -> None:
        """Take the power from nodes, give them new disks, and boot them: nothing is left of what they were but the name."""
        with self._locked():
            machines = [self._machine(node) for node in nodes]
            for machine in machines:
                self._cut_power(machine.name)
                machine.new_disks()
            self._each(self._boot, machines)
            self._wait_for_minions(nodes)

    def ssh(self, node: str) -> Ssh:
        """The way to a node."""
        machine = self._machine(node)
        return Ssh(
            node,
            machine.wiring.ssh_port,
            self._image / "id_lab",
            self._image / "known_hosts",
            machine.wiring.sockets / f"{node}.ssh",
        )

    def make_volume_groups(self) -> None:
        """Make the volume group of the topology on every second disk that is still empty, as docs/howto/real-nodes.md does."""
        for node in NODES:
            self.on(node, "vgs --noheadings XEN >/dev/null 2>&1 || vgcreate --quiet XEN /dev/vdb")

    def start_witness(self) -> None:
        """Start the machine that is the third vote, and wait until its minion answers; `lab down` ends it."""
        with self._locked():
            self.witness.start()
        self.master.wait_for([NAME], timeout_s=MINION_TIMEOUT_S)

    # --- The link ------------------------------------------------------------------------------------------------
    def cut_link(self) -> None:
        """Pull the cable between the nodes."""
        self._plug(False)

    def heal_link(self) -> None:
        """Plug it in again."""
        self._plug(True)

    def isolate(self, node: str) -> None:
        """Pull every cable of a node: to the other one, to the master and the witness. Nothing can be asked of it then."""
        self._machine(node).outside(False)
        self.cut_link()

    def end_isolation(self, node: str) -> None:
        """Plug them in again; what was reset meanwhile has them all when it is switched on."""
        if self.runs(node):
            self._machine(node).outside(True)
            self._unheard_mark.touch()  # its minion connects anew, and does not hear what is published before that
        self.heal_link()

    def freeze(self, node: str) -> None:
        """Have a node stand still, its clocks as well."""
        self._machine(node).freeze()

    def thaw(self, node: str) -> None:
        """Let it go on as if nothing had been."""
        self._machine(node).resume()

    def _plug(self, plugged: bool) -> None:
        with self._locked():
            machines = [self._machine(node) for node in NODES]
            self._remember_link(plugged)
            for machine in machines:
                if machine.running:
                    machine.link(plugged)

    def _remember_link(self, plugged: bool) -> None:
        """For the nodes that are switched on later."""
        if plugged:
            self._cut_mark.unlink(missing_ok=True)
        else:
            self._cut_mark.touch()

    # --- Moments -------------------------------------------------------------------------------------------------
    def has(self, name: str) -> bool:
        """Whether there is a snapshot of that name that still fits image, machines and QEMU."""
        return self._snapshot(name).exists and not self._unfit(name)

    def save(self, name: str, **about: str) -> None:
        """Keep the whole lab as it is at this moment, under a name; ``about`` is kept with it."""
        with self._locked():
            machines = [self._machine(node) for node in NODES]
            for machine in machines:
                if not machine.running:
                    raise LabError(
                        f"{machine.name} is off, and a snapshot is of both nodes; `lab power-on {machine.name}`"
                    )
                self.on(machine.name, "sync")
            link = "cut" if self.link_is_cut else "plugged in"
            kept = {PILLAR_TREE: self.master.pillar, MINE_TREE: self.master.mine}
            if self.witness.running:
                kept[WITNESS_TREE] = self.witness.root
            self._snapshot(name).save(machines, kept, {**self._fingerprint(), "link": link, **about})

    def restore(self, name: str) -> None:
        """Go back to the moment of that name; whatever has happened since is gone.

        Its minions take most of a minute until they answer: who asks them first waits for that.
        """
        self.prepare()
        snapshot = self._snapshot(name)
        if not snapshot.exists:
            raise LabError(f"there is no snapshot {name!r}; there are: {', '.join(self.snapshots()) or 'none'}")
        if unfit := self._unfit(name):
            raise LabError(f"snapshot {name!r} belongs to another {' and another '.join(unfit)}; save it anew")
        with self._locked():
            self._up_mark.unlink(missing_ok=True)
            for node in NODES:
                self._cut_power(node)
            self.witness.stop()
            plugged = snapshot.about()["link"] == "plugged in"
            self._remember_link(plugged)
            kept = {
                PILLAR_TREE: self.master.pillar,
                MINE_TREE: self.master.mine,
                WITNESS_TREE: self.witness.root,
            }
            snapshot.restore(list(self._machines.values()), kept, link=plugged)
            if snapshot.has(WITNESS_TREE):
                self.witness.start()  # it listens before the nodes have missed it
            self._each(self._wake, list(self._machines.values()))
            self._unheard_mark.touch()
            self._up_mark.touch()

    def snapshots(self) -> list[str]:
        """The names of all snapshots."""
        return sorted(path.parent.name for path in self.directory.glob("snapshots/*/about.json"))

    def about(self, name: str) -> dict[str, str]:
        """What is known of a snapshot: what it belongs to, and what was told when it was saved."""
        return self._snapshot(name).about()

    def _snapshot(self, name: str) -> Snapshot:
        if not SNAPSHOT_NAME.fullmatch(name):
            raise LabError(f"{name!r} names no snapshot; allowed: letters, digits, `-` and `_`")
        return Snapshot(self.directory / "snapshots" / name)

    def _unfit(self, name: str) -> list[str]:
        then = self.about(name)
        return [what for what, value in self._fingerprint().items() if then.get(what) != value]

    def _fingerprint(self) -> dict[str, str]:
        return fingerprint(NODES, self._image, self._run / "master" / "keys")

    # --- Salt, and looking ---------------------------------------------------------------------------------------
    def salt(self, *arguments: str, timeout_s: float = APPLY_TIMEOUT_S, check: bool = True) -> Answer:
        """Run `salt` on the master."""
        self._hear_minions()
        return self.master.salt(*arguments, timeout_s=timeout_s, check=check)

    def job(self, nodes: Sequence[str], function: str, *arguments: str) -> dict[str, Any]:
        """Have a function run on nodes; what those have returned that have answered in time, by node."""
        self._hear_minions()
        return self.master.job(nodes, function, *arguments, timeout_s=APPLY_TIMEOUT_S)

    def salt_run(self, *arguments: str, timeout_s: float = APPLY_TIMEOUT_S, check: bool = True) -> Answer:
        """Run `salt-run` on the master."""
        self._hear_minions()
        return self.master.salt(*arguments, timeout_s=timeout_s, check=check, program="salt-run")

    def state(self, node: str) -> str:
        """All that a failure report should tell of a node; never raises LabError."""
        try:
            machine = self._machine(node)
            if not machine.running:
                return f"{node} is off\n{machine.console_tail()}"
        except LabError as error:
            return str(error)
        told: list[str] = []
        try:
            for command in STATE:
                answer = self.on(node, command, timeout_s=20, check=False)
                told.append(f"--- {command} [{answer.returncode}]\n{answer.stdout}{answer.stderr}".rstrip())
        except LabError as error:
            told += [str(error), machine.console_tail()]
        return "\n".join(told)

    def runs(self, node: str) -> bool:
        """Whether a node has power."""
        return self._wiring_file.exists() and self._machine(node).running

    @property
    def master_runs(self) -> bool:
        """Whether the master runs."""
        return self._wiring_file.exists() and self.master.running

    @property
    def link_is_cut(self) -> bool:
        """Whether the cable between the nodes is pulled."""
        return self._cut_mark.exists()

    def wait_until(self, condition: Callable[[], bool], what: str, *, timeout_s: float = COMMAND_TIMEOUT_S) -> None:
        """Ask again and again until ``condition`` holds; raises TimedOut, which says that ``what`` did not come true."""
        patience.wait_until(condition, what, timeout_s=timeout_s)

    # --- Inside --------------------------------------------------------------------------------------------------
    def _wire(self) -> None:
        told = json.loads(self._wiring_file.read_text(encoding="utf-8"))
        ports, self._sockets = Ports(**told["ports"]), Path(told["sockets"])
        self.master = Master(self._run / "master", self._sockets, ports.publish, ports.ret)
        self.witness = Witness(self._run / "witness", self._sockets, self.master, ports.witness)
        self._machines = {
            node: Machine(
                number,
                self._image,
                self._run,
                Wiring(
                    ports.ssh[at],
                    ports.link[at],
                    ports.link[1 - at],
                    ports.publish,
                    ports.ret,
                    ports.witness,
                    ports.board,
                    self._sockets,
                ),
            )
            for at, (number, node) in enumerate(enumerate(NODES, start=1))
        }
        records = {node: machine.record for node, machine in self._machines.items()}
        self.boards = BoardService(self._run / "boards", ports.board, records)

    def _choose_wiring(self) -> None:
        self._run.mkdir(parents=True, exist_ok=True)
        if self._wiring_file.exists():
            shutil.rmtree(self._sockets, ignore_errors=True)  # of a lab that ended in another way than by `down`
        for mark in (self._cut_mark, self._up_mark, self._unheard_mark):
            mark.unlink(missing_ok=True)
        # Not under the directory: the path of a Unix socket may have 107 characters at most.
        sockets = tempfile.mkdtemp(prefix="saltern-lab-")
        tcp, udp = free_ports(6), free_ports(2, socket.SOCK_DGRAM)
        ports = Ports((tcp[0], tcp[1]), (udp[0], udp[1]), *tcp[2:])
        write_whole(self._wiring_file, json.dumps({"ports": asdict(ports), "sockets": sockets}))
        self._wire()

    def _anything_runs(self) -> bool:
        if not self._wiring_file.exists():
            return False
        return self.master.running or any(machine.running for machine in self._machines.values())

    def _machine(self, node: str) -> Machine:
        if not self._wiring_file.exists():
            raise LabError("the lab is down; `make lab` brings it up")
        if node not in self._machines:
            raise LabError(f"there is no node {node!r}; the nodes are {' and '.join(NODES)}")
        return self._machines[node]

    def _boot(self, machine: Machine) -> None:
        begun = time.monotonic()
        machine.start(link=not self.link_is_cut)
        self._wait_for_xl(machine)
        self._progress(f"{machine.name}: `xl list` works, {time.monotonic() - begun:.0f} s after power on")
        self._set_clock(machine)
        for path, text in self.master.minion_files(machine.name).items():
            self.write_file(machine.name, path, text)
        self.on(machine.name, "chmod 400 /etc/salt/pki/minion/minion.pem; systemctl restart --no-block salt-minion")

    def _wait_for_xl(self, machine: Machine) -> None:
        ssh = self.ssh(machine.name)

        def works() -> bool:
            return ssh.answers() and ssh.run("xl list", timeout_s=60, check=False).returncode == 0

        try:
            machine.wait_for(works, "`xl list` works", timeout_s=BOOT_TIMEOUT_S)
        except LabError as error:
            raise LabError(f"{machine.name} did not boot: {error}\n{machine.console_tail()}") from None

    def _set_clock(self, machine: Machine) -> None:
        self.on(machine.name, f"date --set=@{time.time():.3f}")

    def _wake(self, machine: Machine) -> None:
        """What a node does not know after a snapshot: the time, and that its connections have ended."""
        self._set_clock(machine)
        self.on(machine.name, f"ss --kill --tcp dst {MASTER_ADDRESS}")

    def _hear_minions(self) -> None:
        """Wait for what ``restore`` has not waited for."""
        if self._unheard_mark.exists():
            self._wait_for_minions([node for node in NODES if self.runs(node)])
            self._unheard_mark.unlink()

    def _wait_for_minions(self, nodes: Sequence[str]) -> None:
        """Wait until each listens to the master, then until all answer; a job that nobody hears would cost more."""
        self._progress(f"waiting for {'the minion' if len(nodes) == 1 else 'the minions'} of {' and '.join(nodes)}")
        for node in nodes:
            what = "its minion listens to the master"
            self._machine(node).wait_for(partial(self._listens, node), what, timeout_s=MINION_TIMEOUT_S)
        self.master.wait_for(nodes, timeout_s=MINION_TIMEOUT_S)

    def _listens(self, node: str) -> bool:
        command = f"ss --no-header --tcp --numeric state established dst {MASTER_ADDRESS}:4505"
        return bool(self.on(node, command).stdout)

    def _cut_power(self, node: str) -> None:
        self.ssh(node).disconnect()
        self._machine(node).cut_power()

    def _each(self, do: Callable[[Machine], None], machines: list[Machine]) -> None:
        with ThreadPoolExecutor() as pool:
            list(pool.map(do, machines))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """One process at a time changes what runs."""
        self.directory.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        with (self.directory / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self._wiring_file.exists():
                self._wire()  # another process may have chosen it
            yield
