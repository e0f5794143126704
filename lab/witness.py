"""A third machine, as far as the nodes can tell: a minion outside them, whose engine is the witness of their guards."""

import json
import shutil
from pathlib import Path

from lab import process
from lab.machine import WITNESS_PORT
from lab.master import Master, own_places

NAME = "witness"


class Witness:
    """The witness in ``directory``, which listens on ``port`` of loopback; it is set up as survive-a-lost-node.md has it."""

    def __init__(self, directory: Path, sockets: Path, master: Master, port: int) -> None:
        self.root = directory / "root"
        self._directory = directory
        self._sockets = sockets / NAME
        self._master = master
        self._port = port
        self._record = directory / "pid"
        self._configuration = directory / "etc"
        self._pidfile = directory / "salt-minion.pid"

    @property
    def running(self) -> bool:
        """Whether its minion runs."""
        return process.running(self._record) is not None

    def start(self) -> None:
        """Start its minion, with its configuration written anew; what it has promised is where it was."""
        if self.running:
            return
        self._master.accept(NAME)
        self.write_configuration()
        # Of one that was killed: while its number is still taken, Salt believes that it runs, and the next one ends.
        for left in (self._pidfile, *self._directory.glob("process_responsibility_*")):
            left.unlink(missing_ok=True)
        argv = self._master.argv("salt-minion", self._configuration)
        process.spawn(argv, record=self._record, log=self._directory / "output")

    def write_configuration(self) -> None:
        """Write what its minion is told, and its keys, which the master has accepted in advance."""
        pki = self._directory / "pki"
        pki.mkdir(parents=True, exist_ok=True)
        pki.chmod(0o700)
        for half in ("pem", "pub"):
            (pki / f"minion.{half}").unlink(missing_ok=True)
            shutil.copy(self._master.keys / f"{NAME}.{half}", pki / f"minion.{half}")
        (pki / "minion.pem").chmod(0o400)
        self._configuration.mkdir(exist_ok=True)
        text = json.dumps(self._settings(), indent=2)  # JSON is YAML
        (self._configuration / "minion").write_text(text, encoding="utf-8")

    def stop(self) -> None:
        """End it at once, as a power cut does; the master expects it no more."""
        process.kill(self._record)
        self._master.expect_no_more(NAME)

    def _settings(self) -> dict[str, object]:
        return {
            "id": NAME,
            "file_client": "remote",
            "master_type": "str",
            **self._master.address,
            "saltern": {"root": str(self.root)},
            # Where the nodes find it is known to the machines only: they forward that to here.
            "engines": [{"saltern_witness": {"address": "127.0.0.1", "port": self._port}}],
            "enable_fqdns_grains": False,
            "enable_gpu_grains": False,
            "log_level_logfile": "warning",
            **own_places(self._directory, self._sockets, self._pidfile),
        }


def section(address: str) -> dict[str, object]:
    """Who the witness is, in the `takeover` of a topology."""
    return {"minion": NAME, "address": address, "port": WITNESS_PORT}
