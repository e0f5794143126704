"""A Salt master and two minions on loopback, each minion a simulated Xen node, all under one directory.

Everything runs as the current user on free ports. The Python of a minion is one of its own, which finds Salt but
neither Saltern nor pip: as on a real node, the core can only come from the master.
"""

import fcntl
import getpass
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from demo.ports import free_ports
from demo.prompt import salt_argv, write_script
from saltern.sim import cluster as simulated
from saltern.sim import tools
from saltern.sim.guard import loopback
from saltern.sim.systemctl import keeper
from saltern.sim.world import NodeSpec
from saltern.units import GIB

NODES = tuple(
    NodeSpec(name=name, address=address, volume_group_size_bytes=24 * GIB, memory_bytes=4 * GIB)
    for name, address in (("dom0", "192.168.1.190"), ("dom0m", "192.168.1.191"))
)
WITNESS = "witness"
WITNESS_ADDRESS = "192.168.1.192"
CHECKOUT = Path(__file__).resolve().parent.parent
START_TIMEOUT_S = 90.0
ON = """\
case $1 in
{choices}) ;;
*) set -- ;;
esac
if [ $# -lt 2 ]; then
    echo 'usage: on NODE COMMAND [ARGUMENT...], such as `on {last} xl list`; the nodes are: {nodes}' >&2
    exit 2
fi
node=$1; shift; PATH="{directory}/nodes/$node/bin:$PATH" exec "$@"
"""


class Command(NamedTuple):
    """A command that a node has run; ``changes`` tells whether it may have changed something."""

    text: str
    changes: bool


class Cluster:
    """Use as a context manager: at its end, no process is left, and after an error only the directory."""

    def __init__(self, nodes: Sequence[NodeSpec] = NODES, pillar: Path = CHECKOUT / "pillar") -> None:
        self.nodes = [node.name for node in nodes]
        self._specs = nodes
        self._pillar_source = pillar
        self.directory, self._lock = _own_directory(CHECKOUT / ".demo")
        self.pillar = self.directory / "pillar"
        self.states = self.directory / "states"
        self.bin = self.directory / "bin"
        # Not under the directory: the path of a Unix socket may have 107 characters at most, and a checkout's any.
        self.sockets = Path(tempfile.mkdtemp(prefix="saltern-"))
        self._keeper: subprocess.Popen[str] | None = None

    def __enter__(self) -> "Cluster":
        try:
            shutil.copytree(self._pillar_source, self.pillar)
            self.states.mkdir()
            simulated.create(str(self.directory / "nodes"), self._specs)
            self._configure()
            self._start()
            self.wait_for_minions(*self.nodes)
        except BaseException as error:
            self.__exit__(type(error))
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_exception: object) -> None:
        self.stop()
        if kind is None or not issubclass(kind, Exception):
            shutil.rmtree(self.directory, ignore_errors=True)

    def stop(self) -> None:
        """End every process of this cluster; the guards first, who would write into what is taken away."""
        for group in filter(None, (keeper(self.root(node)) for node in self.nodes)):
            os.killpg(group, signal.SIGKILL)
        if self._keeper is not None and self._keeper.stdin is not None:
            self._keeper.stdin.close()
            self._keeper.wait()
        shutil.rmtree(self.sockets, ignore_errors=True)
        os.close(self._lock)

    def commands(self, node: str) -> list[Command]:
        """Every command that a node has run so far, whoever asked for it."""
        log = self.root(node) / "var" / "log" / "commands.log"
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        return [Command(line, tools.changes_something(shlex.split(line))) for line in lines]

    def begin_witness(self) -> None:
        """A minion on the machine of the master: what the engine there reads, the states write on it."""
        self._configure_minion(WITNESS)
        self.start_minion(WITNESS)
        self.wait_for_minions(WITNESS)

    def start_minion(self, name: str) -> None:
        """The minion of a machine starts, from the beginning where it runs."""
        self._order([self._minion(name)], end=[name])

    def end_minion(self, name: str) -> None:
        """It ends without a word, and so does all that it was doing; one that does not run is let be."""
        self._order([], end=[name])

    def root(self, node: str) -> Path:
        """The directory that stands for ``/`` of a simulated node; its tools are in ``bin``."""
        return self.directory / "nodes" / node

    # --- Configuration -------------------------------------------------------------------------------------------
    def _configure(self) -> None:
        publish_port, return_port = free_ports(2)
        self._daemon_configuration(
            "master",
            {
                "interface": "127.0.0.1",
                "publish_port": publish_port,
                "ret_port": return_port,
                "auto_accept": True,
                "worker_threads": 3,
                "timeout": 60,
                "file_roots": {
                    "base": [str(self.states), *(str(CHECKOUT / path) for path in ("salt/states", "salt", "src"))]
                },
                "pillar_roots": {"base": [str(self.pillar)]},
                "pillar_dirs": [str(CHECKOUT / "salt/_pillar")],
                "runner_dirs": [str(CHECKOUT / "salt/_runners")],
                "states_dirs": [str(CHECKOUT / "salt/_states")],
                "engines_dirs": [str(CHECKOUT / "salt/_engines")],
                # It waits until there is a witness, see `begin_witness`.
                "engines": [{"saltern_witness": {"address": loopback(WITNESS_ADDRESS)}}],
                "saltern": {"root": str(self.root(WITNESS))},
                "ext_pillar": [{"saltern": {}}],
                "state_output": "mixed",
                "state_output_profile": False,
                "state_verbose": False,
                "log_level": "error",
            },
        )
        self._ports = {"master_port": return_port, "publish_port": publish_port}
        for node in self.nodes:
            self._configure_minion(node)
        self._commands()

    def _configure_minion(self, name: str) -> None:
        self._daemon_configuration(
            name,
            {
                **self._ports,
                "id": name,
                "master": "127.0.0.1",
                "acceptance_wait_time": 1,
                "enable_fqdns_grains": False,
                "enable_gpu_grains": False,
                "saltern": {"root": str(self.root(name))},
                "log_level": "error",
            },
        )
        self._node_python(name)

    def _daemon_configuration(self, name: str, settings: Mapping[str, object]) -> None:
        home = self.directory / name
        places = {
            "root_dir": str(home),
            "pki_dir": str(home / "pki"),
            "cachedir": str(home / "cache"),
            "extension_modules": str(home / "extmods"),
            "log_file": str(home / "log"),
            "pidfile": str(home / "pid"),
            "sock_dir": str(self.sockets / name),
            "user": getpass.getuser(),
        }
        (home / "etc").mkdir(parents=True)
        # JSON is YAML. `salt` and `salt-run` read `master`, a minion and `salt-call` read `minion`.
        kind = "master" if name == "master" else "minion"
        (home / "etc" / kind).write_text(json.dumps({**settings, **places}, indent=2), encoding="utf-8")

    def _node_python(self, node: str) -> None:
        home = self.directory / node / "python"
        venv.create(home, with_pip=False, symlinks=True)
        (library,) = home.glob("lib/python3*/site-packages")
        # A directory named in a .pth file is searched, but its own .pth files are not read: an editable installation of
        # Saltern beside Salt stays invisible.
        (library / "salt.pth").write_text(_site_packages("salt") + "\n", encoding="utf-8")

    def _python(self, node: str) -> str:
        return str(self.directory / node / "python" / "bin" / "python")

    def _commands(self) -> None:
        """Commands for people: Salt's own, and the tools of a node."""
        self.bin.mkdir()
        for program in ("salt", "salt-run"):
            self._command(program, self._salt(program, "master", sys.executable))
        # The tools are simulated, so `on NODE` only chooses whose come first on the PATH.
        self._script("saltern", f'exec "{Path(sys.executable).parent}/saltern" "$@"')
        names = {"choices": "|".join(self.nodes), "nodes": ", ".join(self.nodes), "last": self.nodes[-1]}
        self._script("on", ON.format(directory=self.directory, **names))
        first = self.nodes[0]
        self._command("salt-call", self._salt("salt-call", first, self._python(first)), node=first)
        for program in tools.PROGRAMS:
            self._command(program, [str(self.root(first) / "bin" / program)])

    def _salt(self, program: str, name: str, python: str) -> list[str]:
        return salt_argv(program, self.directory / name / "etc", python)

    def _command(self, name: str, argv: Sequence[str], node: str | None = None) -> None:
        path = f'PATH="{self.root(node)}/bin:$PATH" ' if node else ""
        self._script(name, f'{path}exec {shlex.join(argv)} "$@"')

    def _script(self, name: str, line: str) -> None:
        write_script(self.bin / name, line)

    # --- Processes -----------------------------------------------------------------------------------------------
    def _start(self) -> None:
        self._keeper = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("keeper.py"))],
            stdin=subprocess.PIPE,
            text=True,
            start_new_session=True,
            pass_fds=[self._lock],
        )
        daemons = [self._daemon("master", "salt-master", sys.executable)]
        daemons += [self._minion(node) for node in self.nodes]
        # Guards belong to the nodes, not to this demo; they end when this is gone, as it is when the power of a node is cut.
        services = [str(self.root(node) / "run" / "systemd") for node in self.nodes]
        self._order(daemons, [str(self.sockets), *services])

    def _order(
        self, daemons: Sequence[Mapping[str, object]], remove: Sequence[str] = (), end: Sequence[str] = ()
    ) -> None:
        """Have the keeper end and start daemons now, and take directories away in the end."""
        if self._keeper is None or self._keeper.stdin is None:
            raise RuntimeError("the cluster is not up")
        print(json.dumps({"daemons": daemons, "remove": remove, "end": end}), file=self._keeper.stdin, flush=True)

    def _minion(self, name: str) -> dict[str, object]:
        return self._daemon(name, "salt-minion", self._python(name))

    def _daemon(self, name: str, program: str, python: str) -> dict[str, object]:
        home = self.directory / name
        return {
            "name": name,
            "argv": self._salt(program, name, python),
            "env": self._environment(name),
            "log": str(home / "output"),
        }

    def _environment(self, name: str) -> dict[str, str]:
        """The environment of a daemon: on a minion, the simulated tools of its node come first."""
        path = os.environ["PATH"]
        return {**os.environ, "PATH": f"{self.root(name)}/bin:{path}" if name in self.nodes else path}

    def wait_for_minions(self, *names: str) -> None:
        """Wait until they answer; raises ``TimeoutError``."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            asked = subprocess.run(
                [str(self.bin / "salt"), "-L", ",".join(names), "test.ping", "--out=json", "--static", "--timeout=5"],
                capture_output=True,
                text=True,
                check=False,
            )
            if asked.returncode == 0 and set(json.loads(asked.stdout)) == set(names):
                return
            time.sleep(0.5)
        raise TimeoutError(f"the minions did not come up within {START_TIMEOUT_S:g} s; see {self.directory}/*/log")


def end_on_signals() -> None:
    """Let SIGTERM and SIGHUP, which a terminal sends when it is closed, end this process as an exception does."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup sets it
            signal.signal(number, _end)


def _end(number: int, _frame: object) -> None:
    # Cleaning up is not interrupted by the next one.
    for each in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + number)


def _own_directory(home: Path) -> tuple[Path, int]:
    """A new directory under ``home``, and its open lock; what runs that have ended left there is removed.

    The lock is on the directory itself, and ends with the last process that holds it, however that ends: this one and
    the keeper.
    """
    home.mkdir(exist_ok=True)
    guard = os.open(home, os.O_RDONLY)
    try:
        # Else the new directory of another run would look abandoned until it is locked.
        fcntl.flock(guard, fcntl.LOCK_EX)
        for directory in home.iterdir():
            _sweep(directory)
        directory = Path(tempfile.mkdtemp(dir=home, prefix=""))
        lock = os.open(directory, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        return directory, lock
    finally:
        os.close(guard)


def _sweep(directory: Path) -> None:
    try:
        lock = os.open(directory, os.O_RDONLY)
    except OSError:  # it has just been removed by the run that it belongs to
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(directory, ignore_errors=True)
    except BlockingIOError:  # its run goes on
        pass
    finally:
        os.close(lock)


def _site_packages(package: str) -> str:
    return str(Path(str(import_module(package).__file__)).parent.parent)
