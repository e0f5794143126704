"""Guards and a witness as processes on loopback, on two simulated nodes whose tools are executables on the guards' PATH."""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

import zmq
from fenced import TAKEOVER, fence_all
from pair import NODES, converge, failures, slices
from relay import Relay

from demo.pace import fitting
from demo.ports import free_ports
from saltern.guard.times import Times
from saltern.guarding.local import NoGuard, ask
from saltern.guarding.plain import to_plain
from saltern.model.places import CORE, GUARD_SCRIPT
from saltern.render import guard_script
from saltern.sim import cluster, store
from saltern.sim.world import NodeSpec, World

TOPOLOGY = """
saltern:
  nodes:
    dom0: {address: 192.168.1.190, volume_group: XEN}
    dom0m: {address: 192.168.1.191, volume_group: XEN}
  domains:
    dns: {home: dom0, partner: dom0m, memory: 64M, disks: {xvda: {size: 8M}, xvdb: {size: 8M}}}
    mail: {home: dom0m, partner: dom0, memory: 64M, disks: {xvda: {size: 8M}}}
"""
SHARES = slices(TOPOLOGY.replace("saltern:\n", TAKEOVER, 1))
WITNESS = "witness"
_SOURCE = str(Path(cluster.__file__).parents[2])
_LIBC = ctypes.CDLL(None)
_ENVIRONMENT = {**os.environ, "PYTHONPATH": _SOURCE}


def _die_with_parent() -> None:
    """A test that is killed leaves no guard behind, which would go on for ever."""
    _LIBC.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


@cache
def times() -> Times:
    """As short as this machine allows at this moment: what is late because it is busy is no lost node."""
    folder = directory()
    cluster.create(str(folder), [NodeSpec(name="dom0", address="192.168.1.190")])
    found = fitting(folder / "dom0" / "bin" / "xl")
    remove(folder)
    return found


def other(node: str) -> str:
    return next(name for name in NODES if name != node)


class Guarded:
    """Two nodes that run what belongs there, their guards, and a witness."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.patience_s = 60 + 8 * times().takeover_s
        self.world_file = str(directory / cluster.WORLD)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._keys: dict[str, str] = {}
        self._ports = dict(zip((*NODES, WITNESS), free_ports(3), strict=True))
        ways = [(node, to) for node in NODES for to in (*NODES, WITNESS) if to != node]
        self._relays = {(node, to): Relay(self._ports[to]) for node, to in ways}

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
        for name in (*NODES, WITNESS):
            self._keys[name] = self._make_key(name)
        for name in NODES:
            self.write_settings(name)
            self._bring_handler(name)
        self._write(WITNESS, "etc/saltern/witness.json", self._witness_settings())

    def _bring_handler(self, name: str) -> None:
        """The program by which DRBD asks, as a state brings it."""
        core = Path(self.root(name), CORE.lstrip("/"))
        core.mkdir(parents=True, exist_ok=True)
        (core / "saltern").symlink_to(Path(_SOURCE, "saltern"))
        script = Path(self.root(name), GUARD_SCRIPT.lstrip("/"))
        script.write_text(guard_script.render())
        script.chmod(guard_script.MODE)

    @contextmanager
    def world(self) -> Iterator[World]:
        with store.opened(self.world_file) as world:
            yield world

    def root(self, name: str) -> str:
        return str(self.directory / name)

    def domains(self, node: str) -> list[str]:
        with self.world() as world:
            return sorted(domain.name for domain in world.nodes[node].domains)

    def live(self, domain: str) -> list[str]:
        """The nodes with an instance of a domain that runs."""
        with self.world() as world:
            return [
                node.name
                for node in world.nodes.values()
                for each in node.domains
                if each.name == domain and not (each.shutdown or each.ending)
            ]

    def log(self, name: str, service: str = "guard") -> list[str]:
        """What a guard or the witness has said, in words."""
        files = sorted(Path(self.root(name), "var/log/saltern").glob(f"{service}-*.jsonl"))
        lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
        return [f"{line['subject']}: {line['words']}" for line in lines]

    # --- Settings ----------------------------------------------------------------------------------------------------
    def write_settings(self, node: str, **changed: Any) -> None:
        partner = other(node)
        party = {"address": "127.0.0.1"}
        ports = {to: relay.port for (sender, to), relay in self._relays.items() if sender == node}
        share = SHARES[node]
        settings = {
            "version": 1,
            "node": node,
            "listen": {**party, "port": self._ports[node]},
            "partners": {partner: {**party, "port": ports[partner], "key": self._keys[partner]}},
            "witness": {**party, "port": ports[WITNESS], "key": self._keys[WITNESS]},
            "times": to_plain(times()),
            "domains": [
                {
                    "name": each.name,
                    "uuid": each.uuid,
                    "partner": partner,
                    "resources": [disk.resource for disk in each.disks],
                    "memory_bytes": each.memory_bytes,
                }
                for each in share.domains.values()
            ],
        }
        self._write(node, "etc/saltern/guard.json", {**settings, **changed})

    def _witness_settings(self) -> dict[str, Any]:
        listen = {"address": "127.0.0.1", "port": self._ports[WITNESS]}
        keys = {name: self._keys[name] for name in NODES}
        return {"version": 1, "listen": listen, "nodes": keys, "times": to_plain(times())}

    def _write(self, name: str, path: str, content: object) -> None:
        target = Path(self.root(name), path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(content))

    def _make_key(self, name: str) -> str:
        public, secret = zmq.curve_keypair()
        target = Path(self.root(name), "etc/saltern/guard_key")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(secret.decode())
        return public.decode()

    # --- Processes ---------------------------------------------------------------------------------------------------
    def start(self, *names: str) -> None:
        for name in names:
            argv = ["-m", "saltern.sim.guard", str(self.directory), name]
            if name == WITNESS:
                code = "import sys; from saltern.guarding.command import main; sys.exit(main())"
                argv = ["-c", code, "witness", "--root", self.root(name)]
            with Path(self.directory, f"{name}.out").open("ab") as out:
                self._processes[name] = subprocess.Popen(
                    [sys.executable, *argv],
                    env=_ENVIRONMENT,
                    stdout=out,
                    stderr=out,
                    stdin=subprocess.DEVNULL,
                    preexec_fn=_die_with_parent,
                )

    def start_all(self) -> None:
        """Guards and witness run, and each node is protected."""
        self.start(WITNESS, *NODES)
        for node in NODES:
            self.eventually(f"{node} is protected", partial(self.is_protected, node))

    def is_protected(self, node: str) -> bool:
        status = self.status(node)
        return status is not None and bool(status["protected"]) and bool(status["seen"])

    def status(self, node: str) -> dict[str, Any] | None:
        try:
            return ask(self.root(node), {"ask": "status"}, 10.0)
        except NoGuard:
            return None

    def ask(self, node: str, **question: object) -> dict[str, Any]:
        return ask(self.root(node), question, 10.0)

    def is_alive(self, name: str) -> bool:
        return self._processes[name].poll() is None

    def kill(self, *names: str, how: signal.Signals = signal.SIGKILL) -> None:
        """End processes at once; what they started goes on."""
        for name in names:
            self._processes[name].send_signal(how)
        for name in names:
            self._processes[name].wait(self.patience_s)

    def signal(self, name: str, how: signal.Signals) -> None:
        self._processes[name].send_signal(how)

    def wait_for_end(self, name: str) -> int:
        return self._processes[name].wait(self.patience_s)

    def cut_power(self, node: str) -> None:
        """The node is off, and so is every process on it."""
        with self.world() as world:
            world.power_cut(node)
        if self.is_alive(node):
            self.kill(node)

    def boot(self, node: str) -> None:
        with self.world() as world:
            world.boot(node)
        self.start(node)

    def isolate(self, node: str) -> None:
        """Nothing comes from the node, and nothing comes to it."""
        self.silence(node)
        with self.world() as world:
            world.cut_link(*NODES)

    def silence(self, node: str) -> None:
        """Its guard is not heard, and hears nothing; DRBD is connected."""
        for way, relay in self._relays.items():
            if node in way:
                relay.cut()

    def run(self, node: str, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """What somebody types on a node."""
        argv = [f"{self.root(node)}/bin/{program}", *arguments]
        return subprocess.run(argv, capture_output=True, text=True, check=False)

    def mend(self) -> None:
        """Every wire is whole again."""
        for relay in self._relays.values():
            relay.mend()
        with self.world() as world:
            world.heal_link(*NODES)

    def fence_peer(self, node: str, resource: str) -> int:
        """The exit code of DRBD's handler."""
        code = "import sys; from saltern.guarding.command import main; sys.exit(main())"
        argv = [sys.executable, "-c", code, "fence-peer", "--root", self.root(node), "--patience", "30"]
        return subprocess.run(argv, env={**_ENVIRONMENT, "DRBD_RESOURCE": resource}, check=False).returncode

    def watchdog_is_armed(self, node: str) -> bool:
        return Path(self.root(node), "proc/xen/watchdog").exists()

    def close(self) -> None:
        for relay in self._relays.values():
            relay.close()
        for process in self._processes.values():
            process.kill()
            process.wait()


def converged_world() -> str:
    """A world in which both nodes run what belongs there, and DRBD asks their guards, as JSON."""
    from pair import empty_world

    world = empty_world()
    for outcomes in converge(world, SHARES).values():
        assert failures(outcomes) == []
    world.advance(3600)
    fence_all(world, SHARES)
    return world.to_json()


def directory() -> Path:
    """A short one: the path of a Unix socket may have 107 characters."""
    return Path(tempfile.mkdtemp(prefix="saltern-"))


def remove(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
