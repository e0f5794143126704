"""A real master and its minions on simulated nodes, as a test talks to them."""

import getpass
import json
import os
import shlex
import shutil
import subprocess
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import salt
from saltfactories.daemons.master import SaltMaster
from saltfactories.daemons.minion import SaltMinion
from saltfactories.manager import FactoriesManager

from saltern.model.places import CORE
from saltern.sim import cluster, store
from saltern.sim.tools import changes_something
from saltern.sim.world import NodeSpec, World
from saltern.units import GIB

CHECKOUT = Path(__file__).parents[2]
NODES = {"dom0": "192.168.1.190", "dom0m": "192.168.1.191"}
Returned = dict[str, dict[str, dict[str, Any]]]
# A machine that has other work takes its time.
START_S = 600
_PATIENCE_S = 900


def common() -> dict[str, Any]:
    """What every master and every minion is configured with."""
    return {"user": getpass.getuser(), "enable_fqdns_grains": False, "log_level_logfile": "warning"}


def master_daemon(factories: FactoriesManager, name: str, pillar: Path, site: Path) -> SaltMaster:
    """A master with everything of the checkout, that pillar, and the states of a user's own in ``site``; it is not started."""
    return factories.salt_master_daemon(
        name,
        overrides={
            **common(),
            "file_roots": {"base": [str(CHECKOUT / path) for path in ("salt/states", "salt", "src")] + [str(site)]},
            "pillar_roots": {"base": [str(pillar)]},
            "pillar_dirs": [str(CHECKOUT / "salt/_pillar")],
            "runner_dirs": [str(CHECKOUT / "salt/_runners")],
            "states_dirs": [str(CHECKOUT / "salt/_states")],
            "ext_pillar": [{"saltern": {}}],
            "reactor": [
                {"salt/minion/*/start": [str(CHECKOUT / "reactor/return_automatic.sls")]},
                {"salt/beacon/*/saltern_peers/lost": [str(CHECKOUT / "reactor/peer_lost.sls")]},
            ],
            "worker_threads": 3,
        },
        start_timeout=START_S,
    )


def minion_settings(root: Path) -> dict[str, Any]:
    """What every minion is configured with, on a node under ``root``."""
    return {
        **common(),
        "enable_gpu_grains": False,
        "saltern": {"root": str(root)},
    }


def minion_python(home: Path) -> str:
    """A Python of a minion's own, which finds Salt, but neither Saltern nor pip."""
    venv.create(home, with_pip=False, symlinks=True)
    (library,) = home.glob("lib/python3*/site-packages")
    # Of a directory that a .pth file names, the .pth files are not read: an editable Saltern beside Salt is invisible.
    (library / "salt.pth").write_text(f"{Path(salt.__file__).parents[1]}\n")
    return str(home / "bin" / "python")


def node_daemon(master: SaltMaster, directory: Path, name: str) -> SaltMinion:
    """The minion of a node, with the tools of that on its PATH; it is not started."""
    root = directory / "nodes" / name
    minion = master.salt_minion_daemon(
        name,
        # An apply would ask the master for each kind of dynamic modules first; `bootstrap` has brought them.
        overrides={**minion_settings(root), "autoload_dynamic_modules": False},
        start_timeout=START_S,
    )
    minion.python_executable = minion_python(directory / "python" / name)
    minion.environ = {**os.environ, "PATH": f"{root}/bin:{os.environ['PATH']}"}
    return minion


class Salted:
    """What a test can do with the master, the minions and the nodes under them."""

    def __init__(self, directory: Path, pillar: Path, master: SaltMaster, minions: dict[str, SaltMinion]) -> None:
        self.pillar = pillar
        self.master = master
        self.minions = minions
        self.directory = directory
        self._nodes = directory / "nodes"
        self._as_installed = directory / "minion-as-installed"
        self._as_installed.write_text("autoload_dynamic_modules: True\n")

    # --- Nodes ---------------------------------------------------------------------------------------------------
    @contextmanager
    def world(self) -> Iterator[World]:
        """The world of both nodes, to break something in it."""
        with store.opened(str(self._nodes / cluster.WORLD)) as world:
            yield world

    def empty(self, nodes: dict[str, str] = NODES, *, drbd: str = "8.4") -> None:
        """Make the nodes anew, each with an empty volume group and that DRBD; the core is left to those that have it."""
        cores = {node: self.directory / f"core-{node}" for node in nodes if self.core(node).exists()}
        for node, aside in cores.items():
            self.core(node).rename(aside)
        shutil.rmtree(self._nodes, ignore_errors=True)
        specs = [
            NodeSpec(name=name, address=address, volume_group_size_bytes=24 * GIB, memory_bytes=4 * GIB, drbd=drbd)
            for name, address in nodes.items()
        ]
        cluster.create(str(self._nodes), specs)
        for node, aside in cores.items():
            self.core(node).parent.mkdir(parents=True)
            aside.rename(self.core(node))

    def synchronise(self) -> None:
        """Let an hour pass on both nodes."""
        with self.world() as world:
            world.advance(3600)

    def restore(self, nodes: Path) -> None:
        """Put both nodes into a state that was copied before."""
        shutil.rmtree(self._nodes)
        shutil.copytree(nodes, self._nodes)
        for node in NODES:
            self._log(node).unlink(missing_ok=True)

    def on(self, node: str, *argv: str) -> str:
        """Run a tool on a node, as its administrator would, without leaving a trace in its log; returns what it prints."""
        log = self._log(node)
        before = log.read_text() if log.exists() else ""
        done = subprocess.run(
            [str(self._nodes / node / "bin" / argv[0]), *argv[1:]], capture_output=True, text=True, check=True
        )
        log.write_text(before)
        return done.stdout

    def file(self, node: str, path: str) -> Path:
        """A file of a node."""
        return self._nodes / node / path.lstrip("/")

    def domains(self, node: str) -> list[str]:
        """The names of the domains that run on a node."""
        return sorted(line.split()[0] for line in self.on(node, "xl", "list").splitlines()[2:])

    def commands(self, node: str) -> list[str]:
        """The commands run on a node since it was made or restored."""
        log = self._log(node)
        return log.read_text().splitlines() if log.exists() else []

    def changing_commands(self, node: str) -> list[str]:
        """Those of ``commands`` that may have changed something."""
        return [command for command in self.commands(node) if changes_something(shlex.split(command))]

    def _log(self, node: str) -> Path:
        return self._nodes / node / "var" / "log" / "commands.log"

    # --- Salt ----------------------------------------------------------------------------------------------------
    @contextmanager
    def joined(self, node: str) -> Iterator[None]:
        """One more node has a minion meanwhile, with modules and core."""
        minion = node_daemon(self.master, self.directory, node)
        minion.start()
        try:
            self.bootstrap()
            yield
        finally:
            minion.terminate()
            self.master.salt_key_cli().run("--yes", "--delete", node)  # or whatever comes next waits for it
            shutil.rmtree(self.directory / "python" / node)

    def salt(self, function: str, *arguments: str, target: str = "*", **named: Any) -> dict[str, Any]:
        """What the minions return, by minion."""
        done = self.master.salt_cli(timeout=_PATIENCE_S).run(function, *arguments, minion_tgt=target, **named)
        if target != "*":
            return {target: done.data}
        assert isinstance(done.data, dict), done
        return done.data

    def run(self, function: str, *arguments: str) -> tuple[int, Any]:
        """The exit code and the data of a runner."""
        done = self.master.salt_run_cli(timeout=_PATIENCE_S).run(function, *arguments)
        return done.returncode, done.data

    def apply(self, *arguments: str, target: str = "*", test: bool = False, fresh: bool = False) -> Returned:
        """``state.apply``; what each state returned, by minion and ``ID module.function``. Fails on a failed state."""
        found = self.try_apply(*arguments, target=target, test=test, fresh=fresh)
        failed = {
            f"{minion} {state}": each["comment"]
            for minion, states in found.items()
            for state, each in states.items()
            if each["result"] is False
        }
        assert not failed, json.dumps(failed, indent=2)
        return found

    def bootstrap(self) -> None:
        """Bring modules and core to the minions."""
        self.salt("saltutil.sync_all")
        self.apply("core")

    def core(self, node: str) -> Path:
        """Where the core is on a node, once it has been brought there."""
        return self.file(node, f"{CORE}/saltern")

    def link(self, node: str) -> Path:
        """Where the Python of a minion finds the core."""
        (library,) = (self.directory / "python" / node).glob("lib/python3*/site-packages")
        return library / "saltern"

    def apply_layers(self, target: str = "*") -> Returned:
        """Apply what makes up a node, layer after layer, without asking the master for newer files: the fast way."""
        return self.apply("migration.key,lvm,drbd,xen,migration", target=target)

    def try_apply(self, *arguments: str, target: str = "*", test: bool = False, fresh: bool = False) -> Returned:
        """The same, with failed states among what is returned; ``fresh`` minions are brought their modules by it."""
        options = {"test": "True"} if test else {}
        if fresh:
            options["localconfig"] = str(self._as_installed)
        returned = self.salt("state.apply", *arguments, target=target, **options)
        found: Returned = {}
        for minion, states in returned.items():
            assert isinstance(states, dict), f"{minion}: {states}"
            found[minion] = {}
            for key, value in states.items():
                module, identifier, _, function = key.split("_|-")
                found[minion][f"{identifier} {module}.{function}"] = value
        return found

    def site(self, name: str, text: str) -> None:
        """Write a state of the user's own."""
        (self.directory / "site" / name).write_text(text)

    def begin_apply(self) -> None:
        """Begin ``state.apply`` on all minions, and do not wait for its end."""
        done = self.master.salt_cli(timeout=_PATIENCE_S).run("--async", "state.apply", minion_tgt="*")
        assert done.returncode == 0, done

    def edit(self, old: str, new: str) -> None:
        """Replace what stands once in the topology."""
        path = self.pillar / "saltern" / "init.sls"
        text = path.read_text()
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the topology"
        path.write_text(text.replace(old, new))


def changes(returned: Returned) -> Returned:
    """The changes of the states that changed something, or would, by minion and state."""
    return {
        minion: {state: each["changes"] for state, each in states.items() if each["changes"]}
        for minion, states in returned.items()
    }
