"""A Salt master outside the nodes, on loopback, as docs/howto/real-nodes.md sets one up; and what its minions need."""

import getpass
import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lab import process
from lab.errors import CommandFailed, LabError
from lab.machine import MASTER_ADDRESS
from lab.patience import patient, wait_until
from lab.ssh import Answer

CHECKOUT = Path(__file__).resolve().parent.parent
PILLAR = CHECKOUT / "lab" / "pillar"


class Master:
    """The master in ``directory``; its keys, and those of its minions, are made once and kept there."""

    def __init__(self, directory: Path, sockets: Path, publish_port: int, return_port: int) -> None:
        self.directory = directory
        self.pillar = directory / "pillar"
        self._sockets = sockets / "master"
        self._ports = {"publish_port": publish_port, "ret_port": return_port}
        self._record = directory / "pid"
        self._log = directory / "output"

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return process.running(self._record) is not None

    def prepare(self, nodes: Sequence[str]) -> None:
        """Make what is missing: keys, accepted in advance, and a working copy of the pillar."""
        for node in nodes:
            self._make_key(node)
        if not self.pillar.exists():
            shutil.copytree(PILLAR, self.pillar)

    def start(self) -> None:
        """Start it, with its configuration written anew."""
        if self.running:
            return
        (self.directory / "etc").mkdir(parents=True, exist_ok=True)
        # JSON is YAML.
        (self.directory / "etc" / "master").write_text(json.dumps(self._settings(), indent=2), encoding="utf-8")
        process.spawn(self.argv("salt-master"), record=self._record, log=self._log)

    def stop(self) -> None:
        """End it at once, with all its processes."""
        process.kill(self._record)

    def argv(self, program: str) -> list[str]:
        """The command line of one of Salt's programs for this master, without its arguments."""
        # Salt 3008 reports objects of its own that it did not close, past all settings of its log.
        function = "salt_main" if program == "salt" else program.replace("-", "_")
        code = f"import logging, sys; logging.lastResort = None; sys.argv[0] = '{program}'; "
        code += f"from salt import scripts; scripts.{function}()"
        return [sys.executable, "-c", code, "-c", str(self.directory / "etc")]

    def salt(self, *arguments: str, timeout_s: float, check: bool = True) -> Answer:
        """Run `salt` with these arguments."""
        argv = [*self.argv("salt"), *arguments]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=patient(timeout_s), check=False)
        if check and done.returncode != 0:
            raise CommandFailed("master", shlex.join(["salt", *arguments]), done.returncode, done.stdout, done.stderr)
        return Answer(done.returncode, done.stdout, done.stderr)

    def wait_for(self, nodes: Sequence[str], *, timeout_s: float) -> None:
        """Wait until all these minions answer."""

        def answered() -> bool:
            if not self.running:
                said = self._log.read_text(encoding="utf-8", errors="replace")[-4000:]
                raise LabError(f"the Salt master has ended; its log is {self.directory / 'log'}\n{said}")
            done = self.salt(
                "-L", ",".join(nodes), "test.ping", "--out=json", "--static", "--timeout=3", timeout_s=60, check=False
            )
            return done.returncode == 0 and set(json.loads(done.stdout)) == set(nodes)

        wait_until(answered, f"{' and '.join(nodes)} answer `salt '*' test.ping`", timeout_s=timeout_s)

    def minion_files(self, node: str) -> dict[str, str]:
        """The files of a minion on its node, by path: configuration and keys."""
        keys = self.keys
        return {
            "/etc/salt/minion.d/lab.conf": json.dumps(_minion_settings(node), indent=2) + "\n",
            "/etc/salt/pki/minion/minion.pem": (keys / f"{node}.pem").read_text(encoding="ascii"),
            "/etc/salt/pki/minion/minion.pub": (keys / f"{node}.pub").read_text(encoding="ascii"),
        }

    # --- What is written -----------------------------------------------------------------------------------------
    @property
    def keys(self) -> Path:
        """The keys of the minions."""
        return self.directory / "keys"

    def _make_key(self, node: str) -> None:
        accepted = self.directory / "pki" / "minions" / node
        if accepted.exists():
            return
        self.keys.mkdir(parents=True, exist_ok=True)
        self.keys.chmod(0o700)
        subprocess.run(
            [*self.argv("salt-key"), f"--gen-keys={node}", f"--gen-keys-dir={self.keys}"],
            capture_output=True,
            check=True,
        )
        accepted.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.keys / f"{node}.pub", accepted)

    def _settings(self) -> dict[str, object]:
        home = self.directory
        return {
            "interface": "127.0.0.1",
            **self._ports,
            "worker_threads": 3,
            "timeout": patient(60),
            "gather_job_timeout": patient(30),
            "file_roots": {"base": [str(CHECKOUT / path) for path in ("salt/states", "salt", "src")]},
            "pillar_roots": {"base": [str(self.pillar)]},
            "pillar_dirs": [str(CHECKOUT / "salt/_pillar")],
            "runner_dirs": [str(CHECKOUT / "salt/_runners")],
            "ext_pillar": [{"saltern": {}}],
            "state_output": "mixed",
            "state_output_profile": False,
            "state_verbose": False,
            "log_level": "error",
            "user": getpass.getuser(),
            "root_dir": str(home),
            "pki_dir": str(home / "pki"),
            "cachedir": str(home / "cache"),
            "extension_modules": str(home / "extmods"),
            "log_file": str(home / "log"),
            "pidfile": str(home / "salt-master.pid"),
            "sock_dir": str(self._sockets),
        }


def _minion_settings(node: str) -> dict[str, object]:
    return {
        "id": node,
        "file_client": "remote",
        "master_type": "str",
        "master": MASTER_ADDRESS,
        # Not the one that the master tells: that is the port on loopback, another one in every lab.
        "publish_port": 4505,
        "enable_fqdns_grains": False,
        "enable_gpu_grains": False,
        "acceptance_wait_time": 1,
        # A snapshot ends every connection without telling either side: it is to be noticed, and made again, at once.
        "tcp_keepalive": True,
        "tcp_keepalive_idle": 3,
        "tcp_keepalive_intvl": 2,
        "tcp_keepalive_cnt": 2,
        "recon_default": 100,
        "recon_max": 1000,
        "recon_randomize": False,
        "log_level": "warning",
    }
