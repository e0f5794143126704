"""A Salt master outside the nodes, on loopback, as docs/howto/real-nodes.md sets one up; and what its minions need."""

import getpass
import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from demo.prompt import salt_argv
from lab import process
from lab.errors import CommandFailed, LabError, TimedOut
from lab.machine import MASTER_ADDRESS
from lab.patience import patient, wait_until
from lab.ssh import Answer

CHECKOUT = Path(__file__).resolve().parent.parent
LOG_LINES = 20
ASK_S = 20.0
# Salt reads and checks its key some 25 times in an apply. In emulation that takes two seconds for one of 2048 bits, the
# least that Salt makes itself. These are for loopback, and thrown away with the lab.
MINION_KEY_BITS = 1024
PILLAR = CHECKOUT / "lab" / "pillar"


class Master:
    """The master in ``directory``; its keys, and those of its minions, are made once and kept there."""

    def __init__(self, directory: Path, sockets: Path, publish_port: int, return_port: int) -> None:
        self.directory = directory
        self.pillar = directory / "pillar"
        self.mine = directory / "cache" / "mine"
        self._sockets = sockets / "master"
        self._ports = {"publish_port": publish_port, "ret_port": return_port}
        self._record = directory / "pid"
        self._log = directory / "output"

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return process.running(self._record) is not None

    def prepare(self, nodes: Sequence[str], *, others: Sequence[str] = ()) -> None:
        """Make what is missing: keys, those of ``nodes`` accepted in advance, and a working copy of the pillar."""
        for node in (*nodes, *others):
            if not (self.keys / f"{node}.pub").exists():
                self._make_key(node)
        for node in nodes:
            self.accept(node)
        if not self.pillar.exists():
            self.renew_pillar()

    def accept(self, node: str) -> None:
        """Expect a minion from now on."""
        self._accepted(node).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.keys / f"{node}.pub", self._accepted(node))

    def expect_no_more(self, node: str) -> None:
        """Forget a minion that has ended, or `salt '*'` would wait for it; its key stays what it is."""
        self._accepted(node).unlink(missing_ok=True)

    def renew_pillar(self) -> None:
        """Replace the working copy of the pillar, with whatever was changed in it, by a new one."""
        shutil.rmtree(self.pillar, ignore_errors=True)
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

    def argv(self, program: str, configuration: Path | None = None) -> list[str]:
        """The command line of one of Salt's programs, without its arguments; with the configuration of this master by default."""
        return salt_argv(program, configuration or self.directory / "etc")

    @property
    def address(self) -> dict[str, object]:
        """Where a minion on this machine finds it, as Salt's options."""
        ports = {"publish_port": self._ports["publish_port"], "master_port": self._ports["ret_port"]}
        return {"master": "127.0.0.1", **ports}

    def salt(self, *arguments: str, timeout_s: float, check: bool = True, program: str = "salt") -> Answer:
        """Run `salt`, or another program of Salt's, with these arguments."""
        argv, allowed = [*self.argv(program), *arguments], patient(timeout_s)
        try:
            done = subprocess.run(argv, capture_output=True, text=True, timeout=allowed, check=False)
        except subprocess.TimeoutExpired as error:
            raise TimedOut(f"`{shlex.join(['salt', *arguments])}` has not ended after {allowed:g} s") from error
        if check and done.returncode != 0:
            raise CommandFailed("master", shlex.join(["salt", *arguments]), done.returncode, done.stdout, done.stderr)
        return Answer(done.returncode, done.stdout, done.stderr)

    def wait_for(self, nodes: Sequence[str], *, timeout_s: float) -> None:
        """Wait until all these minions answer. Raises LabError when they do not, or without master.

        They are asked again and again: what is published in the moment between connecting and subscribing, nobody hears.
        """
        silent = set(nodes)

        def none_is_silent() -> bool:
            silent.difference_update(self._answering(silent))
            return not silent

        try:
            wait_until(none_is_silent, "test.ping is answered", timeout_s=timeout_s)
        except TimedOut:
            names = " and ".join(sorted(silent))
            raise LabError(
                f"after {patient(timeout_s):g} s, `salt {names} test.ping` has no answer\n{self.log_tail()}"
            ) from None

    def _answering(self, nodes: Collection[str]) -> set[str]:
        """Those of the nodes that answer soon."""
        return set(self.job(nodes, "test.ping", timeout_s=ASK_S))

    def job(self, nodes: Collection[str], function: str, *arguments: str, timeout_s: float) -> dict[str, Any]:
        """Have a function run on minions; what those have returned that have answered in time, by node."""
        asked = [str(self.directory / "etc" / "master"), str(patient(timeout_s)), function, json.dumps(arguments)]
        argv = [sys.executable, "-m", "lab.answering", *asked, *sorted(nodes)]
        done = subprocess.run(argv, cwd=CHECKOUT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise CommandFailed("master", shlex.join(argv), done.returncode, done.stdout, done.stderr)
        answers: dict[str, Any] = json.loads(done.stdout)
        return answers

    def log_tail(self) -> str:
        """The end of the master's log, and where all of it is."""
        path = self.directory / "log"
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        return f"--- the end of the log of the master, {path}\n" + "\n".join(text.splitlines()[-LOG_LINES:])

    def minion_files(self, node: str) -> dict[str, str]:
        """The files of a minion on its node, by path: configuration and keys."""
        keys = self.keys
        return {
            "/etc/salt/minion.d/lab.conf": json.dumps(minion_settings(node), indent=2) + "\n",
            "/etc/salt/pki/minion/minion.pem": (keys / f"{node}.pem").read_text(encoding="ascii"),
            "/etc/salt/pki/minion/minion.pub": (keys / f"{node}.pub").read_text(encoding="ascii"),
        }

    def signal(self, number: int) -> None:
        """Send a signal to all its processes: to have it stand still, and go on."""
        process.signal_all(self._record, number)

    # --- What is written -----------------------------------------------------------------------------------------
    @property
    def keys(self) -> Path:
        """The keys of the minions."""
        return self.directory / "keys"

    def _accepted(self, node: str) -> Path:
        return self.directory / "pki" / "minions" / node

    def _make_key(self, node: str) -> None:
        self.keys.mkdir(parents=True, exist_ok=True)
        self.keys.chmod(0o700)
        key = rsa.generate_private_key(public_exponent=65537, key_size=MINION_KEY_BITS)
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (self.keys / f"{node}.pem").write_bytes(secret)
        (self.keys / f"{node}.pub").write_bytes(public)

    def _settings(self) -> dict[str, object]:
        return {
            "interface": "127.0.0.1",
            **self._ports,
            "worker_threads": 3,
            # To tell that it still works on an apply costs a node a quarter of a minute: it is asked seldom, and waited for.
            "timeout": int(patient(60)),
            "gather_job_timeout": int(patient(120)),
            "file_roots": {"base": [str(CHECKOUT / path) for path in ("salt/states", "salt", "src")]},
            "pillar_roots": {"base": [str(self.pillar)]},
            "pillar_dirs": [str(CHECKOUT / "salt/_pillar")],
            "runner_dirs": [str(CHECKOUT / "salt/_runners")],
            "states_dirs": [str(CHECKOUT / "salt/_states")],
            "ext_pillar": [{"saltern": {}}],
            "state_output": "mixed",
            "state_output_profile": False,
            "state_verbose": False,
            # At the prompt Salt 3008 calls its own key "invalid id master.pem" in every answer.
            "log_level": "critical",
            "log_level_logfile": "error",
            **own_places(self.directory, self._sockets, self.directory / "salt-master.pid"),
        }


def own_places(home: Path, sockets: Path, pidfile: Path) -> dict[str, object]:
    """Where one of Salt's daemons on this machine has everything that is its own: nothing of the machine's Salt is touched."""
    return {
        "user": getpass.getuser(),
        "root_dir": str(home),
        "pki_dir": str(home / "pki"),
        "cachedir": str(home / "cache"),
        "extension_modules": str(home / "extmods"),
        "log_file": str(home / "log"),
        "pidfile": str(pidfile),
        "sock_dir": str(sockets),
    }


def minion_settings(node: str) -> dict[str, object]:
    """The configuration of a minion, beside what is in its image."""
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
        "recon_default": 100,  # milliseconds: after a snapshot the connection is to be there again at once
        "recon_max": 1000,
        "recon_randomize": False,
        "return_retry_timer": 20,
        "return_retry_timer_max": 40,
        "return_retry_tries": 10,
        "log_level": "warning",
    }
