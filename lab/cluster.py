"""The lab as a whole: two nodes and their master, brought up, broken, saved and put back."""

import contextlib
import fcntl
import json
import shlex
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from lab import patience
from lab.errors import LabError
from lab.machine import Machine, Wiring
from lab.master import Master
from lab.snapshot import Snapshot, fingerprint, image_identity
from lab.ssh import Answer, Ssh

NODES = ("node1", "node2")
COMMAND_TIMEOUT_S = 120.0
BOOT_TIMEOUT_S = 240.0
MINION_TIMEOUT_S = 180.0
APPLY_TIMEOUT_S = 900.0
STATE = (
    "xl list", "cat /proc/drbd", "drbdsetup status", "lvs -a -o +tags", "dmesg | tail -n 25",
    "tail -n 15 /var/log/xen/xl-*.log /var/log/xen/*hotplug*.log 2>/dev/null",
    "tail -n 25 /var/log/salt/minion",
)  # fmt: skip

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Ports:
    """The ports of loopback of one lab, chosen when it is brought up."""

    ssh: tuple[int, int]
    link: tuple[int, int]
    publish: int
    ret: int


class Lab:
    """The lab in ``directory``; every method works from any process while the lab is up."""

    def __init__(self, directory: Path, progress: Progress = lambda text: None) -> None:
        self.directory = directory.resolve()
        self._progress = progress
        self._image = self.directory / "image"
        self._run = self.directory / "run"
        self._wiring_file = self._run / "wiring.json"
        self._cut_mark = self._run / "link-is-cut"
        if self._wiring_file.exists():
            self._wire()

    # --- Up and down ---------------------------------------------------------------------------------------------
    @property
    def is_up(self) -> bool:
        """Whether the master and both nodes run."""
        return self._wiring_file.exists() and self.master.running and all(m.running for m in self._machines.values())

    def up(self) -> None:
        """Bring up whatever is down, on the disks that it had; new disks where there are none, or of another image."""
        with self._locked():
            if not self._anything_runs():
                self._choose_wiring()
            self._start_master()
            missing = [machine for machine in self._machines.values() if not machine.running]
            self._new_disks_where_needed(missing)
            self._each(lambda machine: self._boot(machine), missing)
            self.master.wait_for(NODES, timeout_s=MINION_TIMEOUT_S)

    def down(self) -> None:
        """End both nodes and the master at once. The disks stay, as after a power cut."""
        with self._locked():
            if not self._wiring_file.exists():
                return
            for node in NODES:
                self._cut_power(node)
            self.master.stop()
            shutil.rmtree(self._sockets, ignore_errors=True)
            self._wiring_file.unlink()
            self._cut_mark.unlink(missing_ok=True)

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
            self.master.wait_for([node], timeout_s=MINION_TIMEOUT_S)

    def reinstall(self, node: str) -> None:
        """Take the power from a node, give it new disks, and boot it: nothing is left of what it was but its name."""
        with self._locked():
            self._cut_power(node)
            self._machine(node).new_disks()
            self._boot(self._machine(node))
            self.master.wait_for([node], timeout_s=MINION_TIMEOUT_S)

    def ssh(self, node: str) -> Ssh:
        """The way to a node."""
        machine = self._machine(node)
        return Ssh(
            node,
            machine.wiring.ssh_port,
            self._image / "id_lab",
            self._run / "known_hosts",
            machine.wiring.sockets / f"{node}.ssh",
        )

    # --- The link ------------------------------------------------------------------------------------------------
    def cut_link(self) -> None:
        """Pull the cable between the nodes."""
        self._cut_mark.touch()
        self._plug(False)

    def heal_link(self) -> None:
        """Plug it in again."""
        self._cut_mark.unlink(missing_ok=True)
        self._plug(True)

    def _plug(self, plugged: bool) -> None:
        for machine in self._machines.values():
            if machine.running:
                machine.link(plugged)

    # --- Moments -------------------------------------------------------------------------------------------------
    def has(self, name: str) -> bool:
        """Whether there is a snapshot of that name that still fits image, machines and QEMU."""
        return self._snapshot(name).exists and not self._unfit(name)

    def save(self, name: str, **about: str) -> None:
        """Keep the whole lab as it is at this moment, under a name; ``about`` is kept with it."""
        with self._locked():
            for node in NODES:
                self.on(node, "sync")
            link = "cut" if self._cut_mark.exists() else "plugged"
            facts = {**self._fingerprint(), "link": link, **about}
            self._snapshot(name).save(list(self._machines.values()), self.master.pillar, facts)

    def restore(self, name: str) -> None:
        """Go back to the moment of that name; whatever has happened since is gone."""
        snapshot = self._snapshot(name)
        if not snapshot.exists:
            raise LabError(f"there is no snapshot {name!r}; there are: {', '.join(self.snapshots()) or 'none'}")
        if unfit := self._unfit(name):
            raise LabError(f"snapshot {name!r} belongs to another {' and another '.join(unfit)}; save it anew")
        with self._locked():
            if not self._anything_runs():
                self._choose_wiring()
            self._start_master()
            for node in NODES:
                self._cut_power(node)
            cut = snapshot.about()["link"] == "cut"
            self._cut_mark.touch() if cut else self._cut_mark.unlink(missing_ok=True)
            snapshot.restore(list(self._machines.values()), self.master.pillar, link=not cut)
            self._each(self._set_clock, list(self._machines.values()))
            self.master.wait_for(NODES, timeout_s=MINION_TIMEOUT_S)

    def snapshots(self) -> list[str]:
        """The names of all snapshots."""
        return sorted(path.parent.name for path in self.directory.glob("snapshots/*/about.json"))

    def about(self, name: str) -> dict[str, str]:
        """What is known of a snapshot: what it belongs to, and what was told when it was saved."""
        return self._snapshot(name).about()

    def _snapshot(self, name: str) -> Snapshot:
        return Snapshot(self.directory / "snapshots" / name)

    def _unfit(self, name: str) -> list[str]:
        then = self.about(name)
        return [what for what, value in self._fingerprint().items() if then.get(what) != value]

    def _fingerprint(self) -> dict[str, str]:
        return fingerprint(range(1, len(NODES) + 1), self._image, self._run / "master" / "keys")

    # --- Salt, and looking ---------------------------------------------------------------------------------------
    def salt(self, *arguments: str, timeout_s: float = APPLY_TIMEOUT_S, check: bool = True) -> Answer:
        """Run `salt` on the master."""
        return self.master.salt(*arguments, timeout_s=timeout_s, check=check)

    def state(self, node: str) -> str:
        """All that a failure report should tell of a node; never raises."""
        machine = self._machine(node)
        if not machine.running:
            return f"{node} is off\n{machine.console_tail()}"
        told = [f"=== {node}"]
        for command in STATE:
            try:
                answer = self.on(node, command, timeout_s=20, check=False)
                told.append(f"--- {command} [{answer.returncode}]\n{answer.stdout}{answer.stderr}".rstrip())
            except LabError as error:
                return "\n".join([*told, f"--- {command}\n{error}", machine.console_tail()])
        return "\n".join(told)

    def wait_until(self, condition: Callable[[], bool], what: str, *, timeout_s: float = COMMAND_TIMEOUT_S) -> None:
        """Ask again and again until ``condition`` holds; raises TimedOut, which says that ``what`` did not come true."""
        patience.wait_until(condition, what, timeout_s=timeout_s)

    # --- Inside --------------------------------------------------------------------------------------------------
    def _wire(self) -> None:
        told = json.loads(self._wiring_file.read_text(encoding="utf-8"))
        ports, self._sockets = Ports(**told["ports"]), Path(told["sockets"])
        self.master = Master(self._run / "master", self._sockets, ports.publish, ports.ret)
        self._machines = {
            node: Machine(
                number,
                self._image,
                self._run,
                Wiring(ports.ssh[at], ports.link[at], ports.link[1 - at], ports.publish, ports.ret, self._sockets),
            )
            for at, (number, node) in enumerate(enumerate(NODES, start=1))
        }

    def _choose_wiring(self) -> None:
        self._run.mkdir(parents=True, exist_ok=True)
        # Not under the directory: the path of a Unix socket may have 107 characters at most.
        sockets = tempfile.mkdtemp(prefix="saltern-lab-")
        tcp, udp = _free_ports(socket.SOCK_STREAM, 4), _free_ports(socket.SOCK_DGRAM, 2)
        ports = Ports((tcp[0], tcp[1]), (udp[0], udp[1]), tcp[2], tcp[3])
        self._wiring_file.write_text(json.dumps({"ports": asdict(ports), "sockets": sockets}), encoding="utf-8")
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

    def _start_master(self) -> None:
        self.master.prepare(NODES)
        self.master.start()

    def _new_disks_where_needed(self, machines: list[Machine]) -> None:
        mark = self._run / "image"
        identity = image_identity(self._image)
        other = not mark.exists() or mark.read_text(encoding="ascii") != identity
        if other:
            (self._run / "known_hosts").unlink(missing_ok=True)
        self._each(lambda machine: machine.new_disks(), [m for m in machines if other or not m.root_disk.exists()])
        mark.write_text(identity, encoding="ascii")

    def _boot(self, machine: Machine) -> None:
        begun = time.monotonic()
        machine.start(link=not self._cut_mark.exists())
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

    def _cut_power(self, node: str) -> None:
        self.ssh(node).disconnect()
        self._machine(node).cut_power()

    def _each(self, do: Callable[[Machine], None], machines: list[Machine]) -> None:
        with ThreadPoolExecutor() as pool:
            list(pool.map(do, machines))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """One process at a time changes what runs."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self._wiring_file.exists():
                self._wire()  # another process may have chosen it
            yield


def _free_ports(kind: socket.SocketKind, count: int) -> list[int]:
    sockets = [socket.socket(socket.AF_INET, kind) for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
