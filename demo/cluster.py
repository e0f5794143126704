"""A Salt master and two minions on loopback, each minion a simulated Xen node, all under one directory.

Everything runs as the current user on free ports. The Python of a minion is one of its own, which finds Salt but
neither Saltern nor pip: as on a real node, the core can only come from the master.
"""

import getpass
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

NODES = ("dom0", "dom0m")
CHECKOUT = Path(__file__).resolve().parent.parent
START_TIMEOUT_S = 90.0


class Cluster:
    """Use as a context manager: at its end, no process is left."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.pillar = directory / "pillar"
        self.bin = directory / "bin"
        self._scripts = Path(sys.executable).parent
        self._sockets = ""
        self._keeper: subprocess.Popen[str] | None = None

    def __enter__(self) -> "Cluster":
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        shutil.copytree(CHECKOUT / "pillar", self.pillar)
        # Not under the directory: the path of a Unix socket may have 107 characters at most, and a checkout's any.
        self._sockets = tempfile.mkdtemp(prefix="saltern-")
        try:
            self._configure()
            self._start()
            self._wait_for_minions()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End every process of this cluster."""
        if self._keeper is not None and self._keeper.stdin is not None:
            self._keeper.stdin.close()
            self._keeper.wait()
        shutil.rmtree(self._sockets, ignore_errors=True)

    def salt(self, program: str, *arguments: str) -> list[str]:
        """The command line of ``salt``, ``salt-run`` or, for a node, ``salt-call``."""
        return [str(self.bin / program), *arguments]

    # --- Configuration -------------------------------------------------------------------------------------------
    def _configure(self) -> None:
        publish_port, return_port = _free_ports(2)
        self._daemon_configuration(
            "master",
            {
                "interface": "127.0.0.1",
                "publish_port": publish_port,
                "ret_port": return_port,
                "auto_accept": True,
                "worker_threads": 3,
                "timeout": 60,
                "file_roots": {"base": [str(CHECKOUT / path) for path in ("salt/states", "salt", "src")]},
                "pillar_roots": {"base": [str(self.pillar)]},
                "pillar_dirs": [str(CHECKOUT / "salt/_pillar")],
                "runner_dirs": [str(CHECKOUT / "salt/_runners")],
                "ext_pillar": [{"saltern": {}}],
                "state_output": "changes",
                "state_verbose": False,
                "log_level": "error",
            },
        )
        for node in NODES:
            self._daemon_configuration(
                node,
                {
                    "id": node,
                    "master": "127.0.0.1",
                    "master_port": return_port,
                    "publish_port": publish_port,
                    "acceptance_wait_time": 1,
                    "enable_fqdns_grains": False,
                    "enable_gpu_grains": False,
                    "saltern": {"root": str(self.root(node))},
                    "log_level": "error",
                },
            )
            self._node_python(node)
        self._commands()

    def root(self, node: str) -> Path:
        """The directory that stands for ``/`` of a simulated node."""
        return self.directory / node / "root"

    def _daemon_configuration(self, name: str, settings: Mapping[str, object]) -> None:
        home = self.directory / name
        places = {
            "root_dir": str(home),
            "pki_dir": str(home / "pki"),
            "cachedir": str(home / "cache"),
            "extension_modules": str(home / "extmods"),
            "log_file": str(home / "log"),
            "pidfile": str(home / "pid"),
            "sock_dir": str(Path(self._sockets) / name),
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
            self._command(
                program, [sys.executable, str(self._scripts / program), "-c", str(self.directory / "master/etc")]
            )

    def _command(self, name: str, argv: Sequence[str]) -> None:
        path = self.bin / name
        words = " ".join(f"'{word}'" for word in argv)
        path.write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="utf-8")
        path.chmod(0o755)

    # --- Processes -----------------------------------------------------------------------------------------------
    def _start(self) -> None:
        daemons = [self._daemon("master", "salt-master", sys.executable)]
        daemons += [self._daemon(node, "salt-minion", self._python(node)) for node in NODES]
        self._keeper = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("keeper.py"))],
            stdin=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        order = json.dumps({"daemons": daemons, "remove": [self._sockets]})
        print(order, file=self._keeper.stdin, flush=True)

    def _daemon(self, name: str, program: str, python: str) -> dict[str, object]:
        home = self.directory / name
        return {
            "argv": [python, str(self._scripts / program), "-c", str(home / "etc")],
            "env": self.environment(name),
            "log": str(home / "output"),
        }

    def environment(self, name: str) -> dict[str, str]:
        """The environment of a daemon: the simulated tools of its node come first on the PATH."""
        return {**os.environ, "PATH": f"{self.directory / name / 'bin'}:{os.environ['PATH']}"}

    def _wait_for_minions(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            asked = subprocess.run(
                self.salt("salt", "*", "test.ping", "--out=json", "--static", "--timeout=5"),
                capture_output=True,
                text=True,
                check=False,
            )
            if asked.returncode == 0 and set(json.loads(asked.stdout)) == set(NODES):
                return
            time.sleep(0.5)
        raise SystemExit(f"the minions did not come up within {START_TIMEOUT_S:g} s; see {self.directory}/*/output")


def _site_packages(package: str) -> str:
    return str(Path(str(import_module(package).__file__)).parent.parent)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
