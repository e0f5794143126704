"""Guards and a witness as processes on loopback, on simulated nodes whose tools are executables on the guards' PATH."""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

from demo.pace import fitting
from demo.ports import free_ports
from saltern.converge import Converge
from saltern.guard.times import Times
from saltern.guarding.local import NoGuard, ask
from saltern.guarding.plain import to_plain
from saltern.guarding.transport import make_key
from saltern.model.desired import NodeSlice
from saltern.model.places import CORE, GUARD_SCRIPT, GUARD_SETTINGS, WITNESS_SETTINGS
from saltern.plan.items import Item, Kind
from saltern.render import guard_script
from saltern.run import LocalHost
from saltern.sim import cluster, fence_agent, store
from saltern.sim.world import NodeSpec, World

WITNESS = "witness"
_SOURCE = str(Path(cluster.__file__).parents[2])
_LIBC = ctypes.CDLL(None)


def environment() -> dict[str, str]:
    """That of this process, in which Saltern is found."""
    return {**os.environ, "PYTHONPATH": _SOURCE}


def directory() -> Path:
    """A short one: the path of a Unix socket may have 107 characters."""
    return Path(tempfile.mkdtemp(prefix="saltern-"))


def remove(path: Path) -> None:
    """Take such a directory away."""
    shutil.rmtree(path, ignore_errors=True)


@cache
def times() -> Times:
    """As short as this machine allows at this moment: what is late because it is busy is no lost node."""
    folder = directory()
    cluster.create(str(folder), [NodeSpec(name="dom0", address="192.168.1.190")])
    found = fitting(folder / "dom0" / "bin" / "xl")
    remove(folder)
    return found


def is_whole(world: World) -> bool:
    """Whether both copies of everything are UpToDate and connected."""
    return all(
        resource.connected and all(device.disk.word == "UpToDate" for device in resource.devices.values())
        for node in world.nodes.values()
        for resource in node.drbd.resources.values()
    )


def _die_with_parent() -> None:
    """Whoever is killed leaves no guard behind, which would go on for ever."""
    _LIBC.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Services:
    """Two nodes that run what belongs there by their ``shares``, their guards, and a witness."""

    def __init__(self, folder: Path, shares: Mapping[str, NodeSlice], times: Times) -> None:
        self.directory = folder
        self.patience_s = 60 + 8 * times.takeover_s
        self.world_file = str(folder / cluster.WORLD)
        self._shares, self._times = shares, times
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._keys: dict[str, str] = {}
        parties = (*shares, WITNESS)
        self._ports = dict(zip(parties, free_ports(len(parties)), strict=True))

    def eventually(self, what: str, found: Callable[[], Any]) -> Any:
        """Wait until something is so, and return it; it is looked at again and again."""
        deadline = time.monotonic() + self.patience_s
        while time.monotonic() < deadline:
            value = found()
            if value:
                return value
            time.sleep(0.2)
        said = [f"--- {name}\n{Path(self.directory, f'{name}.out').read_text()}" for name in self._processes]
        raise AssertionError(f"it did not come about that {what}, in {self.patience_s:.0f} s\n" + "\n".join(said))

    # --- Nodes -------------------------------------------------------------------------------------------------------
    def build(self, world_text: str) -> None:
        """Nodes in the state of a world that was made elsewhere, with keys and settings; nothing of the guard runs."""
        world = World.from_json(world_text)
        files = {name: dict(node.files) for name, node in world.nodes.items()}
        specs = [NodeSpec(name=name, address=node.address) for name, node in world.nodes.items()]
        cluster.create(str(self.directory), specs)
        for name, node in world.nodes.items():
            node.root = str(self.directory / name)
            with self.world() as made:
                node.files = made.nodes[name].files
            node.files.update(files[name])
        store.save(world, self.world_file)
        self._keys = {name: make_key(LocalHost(root=self.root(name))).public for name in (*self._shares, WITNESS)}
        for name in self._shares:
            self.write_settings(name)
        self._write(WITNESS, WITNESS_SETTINGS, self._witness_settings())

    def let_drbd_ask(self) -> None:
        """DRBD asks the guard of its node before a side goes on alone; the program that asks is there as a state brings it."""
        for name, share in self._shares.items():
            self.bring_handler(name)
            path = f"{self.root(name)}/bin:{os.environ['PATH']}"
            run = Converge(LocalHost(root=self.root(name), environment={"PATH": path}), share)
            outcomes = [run.item(Item(Kind.FENCING, resource)) for resource in share.resources]
            if not all(each.result for each in outcomes):
                said = "; ".join(each.comment for each in outcomes)
                raise AssertionError(f"DRBD of {name} does not ask its guard: {said}")

    def bring_handler(self, name: str) -> None:
        """The program by which DRBD asks, as a state brings it."""
        core = Path(self.root(name), CORE.lstrip("/"))
        core.mkdir(parents=True, exist_ok=True)
        (core / "saltern").symlink_to(Path(_SOURCE, "saltern"))
        script = Path(self.root(name), GUARD_SCRIPT.lstrip("/"))
        script.write_text(guard_script.render())
        script.chmod(guard_script.MODE)

    @contextmanager
    def world(self) -> Iterator[World]:
        """The world of the nodes, which waits meanwhile."""
        with store.opened(self.world_file) as world:
            yield world

    def root(self, name: str) -> str:
        """The directory that stands for ``/`` of a node, or of the machine of the witness."""
        return str(self.directory / name)

    def other(self, node: str) -> str:
        """The partner of a node."""
        return next(name for name in self._shares if name != node)

    def domains(self, node: str) -> list[str]:
        """What Xen has on a node."""
        with self.world() as world:
            return sorted(domain.name for domain in world.nodes[node].domains)

    @property
    def domains_at_home(self) -> dict[str, str]:
        """The node where each domain belongs, by domain."""
        return {each.name: each.home for share in self._shares.values() for each in share.domains.values()}

    def live(self, domain: str) -> list[str]:
        """The nodes with an instance of a domain that runs."""
        with self.world() as world:
            return [
                node.name
                for node in world.nodes.values()
                for each in node.domains
                if each.name == domain and not (each.shutdown or each.ending)
            ]

    def is_whole(self) -> bool:
        """Whether both copies of everything are UpToDate and connected."""
        with self.world() as world:
            return is_whole(world)

    def lines(self, name: str, service: str = "guard") -> list[dict[str, Any]]:
        """What a guard or the witness has said, as it stands in its log."""
        files = sorted(Path(self.root(name), "var/log/saltern").glob(f"{service}-*.jsonl"))
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]

    def log(self, name: str, service: str = "guard") -> list[str]:
        """The same, in words."""
        return [f"{line['subject']}: {line['words']}" for line in self.lines(name, service)]

    # --- Settings ----------------------------------------------------------------------------------------------------
    def write_settings(self, node: str, **changed: Any) -> None:
        """What the guard of a node is told; ``changed`` has what is to be otherwise."""
        partner = self.other(node)
        party = {"address": "127.0.0.1"}
        settings = {
            "version": 1,
            "node": node,
            "listen": {**party, "port": self._ports[node]},
            "partners": {partner: {**party, "port": self.port(node, partner), "key": self._keys[partner]}},
            "witness": {**party, "port": self.port(node, WITNESS), "key": self._keys[WITNESS]},
            "times": to_plain(self._times),
            "domains": [
                {
                    "name": each.name,
                    "uuid": each.uuid,
                    "partner": partner,
                    "resources": [disk.resource for disk in each.disks],
                    "memory_bytes": each.memory_bytes,
                }
                for each in self._shares[node].domains.values()
            ],
        }
        self._write(node, GUARD_SETTINGS, {**settings, **changed})

    def use_agents(self, password: str, *, timeout_s: float = 60.0, **changed: Any) -> None:
        """Each guard is told the agent that switches the other node off; without ``witness`` in what is changed there is none."""
        for node in self._shares:
            options = {"plug": self.other(node), "password": password}
            agent = {"agent": fence_agent.NAME, "options": options, "timeout_s": timeout_s}
            self.write_settings(node, fencing={self.other(node): agent}, **changed)

    def port(self, sender: str, to: str) -> int:
        """By which port one of them reaches another."""
        return self._ports[to]

    def _witness_settings(self) -> dict[str, Any]:
        listen = {"address": "127.0.0.1", "port": self._ports[WITNESS]}
        keys = {name: self._keys[name] for name in self._shares}
        return {"version": 1, "listen": listen, "nodes": keys, "times": to_plain(self._times)}

    def _write(self, name: str, path: str, content: object) -> None:
        LocalHost(root=self.root(name)).write_text(path, json.dumps(content), 0o600)

    # --- Processes ---------------------------------------------------------------------------------------------------
    def start(self, *names: str) -> None:
        """Start guards, or the witness."""
        for name in names:
            argv = ["-m", "saltern.sim.guard", str(self.directory), name]
            if name == WITNESS:
                code = "import sys; from saltern.guarding.command import main; sys.exit(main())"
                argv = ["-c", code, "witness", "--root", self.root(name)]
            with Path(self.directory, f"{name}.out").open("ab") as out:
                self._processes[name] = subprocess.Popen(
                    [sys.executable, *argv],
                    env=environment(),
                    stdout=out,
                    stderr=out,
                    stdin=subprocess.DEVNULL,
                    preexec_fn=_die_with_parent,
                )

    def start_all(self) -> None:
        """Guards and witness run, and each node is protected."""
        self.start(WITNESS, *self._shares)
        for node in self._shares:
            self.eventually(f"{node} is protected", partial(self.is_protected, node))

    def start_fenced(self) -> None:
        """Both guards run without the witness, see their node and each other, and their agents work."""
        self.start(*self._shares)
        for node in self._shares:
            self.eventually(f"the guard of {node} is ready", partial(self.is_fenced, node))

    def is_fenced(self, node: str) -> bool:
        """Whether a guard sees its node, has met the other one, and could switch that off."""
        status = self.status(node)
        return (
            status is not None
            and status["protected"]
            and status["seen"]
            and self.other(node) in status["met"]
            and not any(status["agents"].values())
        )

    def is_protected(self, node: str) -> bool:
        """Whether a node would be taken over, and is seen."""
        status = self.status(node)
        return status is not None and bool(status["protected"]) and bool(status["seen"])

    def status(self, node: str) -> dict[str, Any] | None:
        """What the guard of a node says of itself; ``None`` where none answers."""
        try:
            return self.ask(node, ask="status")
        except NoGuard:
            return None

    def ask(self, node: str, **question: object) -> dict[str, Any]:
        """What the guard of a node answers; raises ``NoGuard``."""
        return ask(self.root(node), question, 10.0)

    def is_alive(self, name: str) -> bool:
        """Whether the process runs."""
        return self._processes[name].poll() is None

    def kill(self, *names: str, how: signal.Signals = signal.SIGKILL) -> None:
        """End processes at once; what they started goes on."""
        for name in names:
            self._processes[name].send_signal(how)
        for name in names:
            self._processes[name].wait(self.patience_s)

    def cut_power(self, node: str) -> None:
        """The node is off, and so is every process on it."""
        with self.world() as world:
            world.power_cut(node)
        if self.is_alive(node):
            self.kill(node)

    def boot(self, node: str) -> None:
        """It has its power again, and its guard begins."""
        with self.world() as world:
            world.boot(node)
        self.start(node)

    def close(self) -> None:
        """No process is left."""
        for process in self._processes.values():
            process.kill()
            process.wait()
