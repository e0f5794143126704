"""Commands on a node, as root over ssh: one connection that is kept, a timeout for each command."""

import contextlib
import shlex
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from lab.errors import CommandFailed, TimedOut
from lab.patience import patient

TIMED_OUT = 124  # timeout(1)


@dataclass(frozen=True)
class Answer:
    """What a command ended with."""

    returncode: int
    stdout: str
    stderr: str


class Ssh:
    """The way to one node. The connection is made when it is first needed, and lasts beyond this process."""

    def __init__(self, node: str, port: int, key: Path, known_hosts: Path, control: Path) -> None:
        self._node = node
        self._control = control
        self._base = [
            *("ssh", "-p", str(port), "-i", str(key), "-l", "root", "-o", "ControlPath=" + str(control)),
            *("-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-F", "none", "-o", "LogLevel=ERROR"),
            # Host keys are known by the name of the node: its port is another one in every lab.
            *("-o", f"UserKnownHostsFile={known_hosts}", "-o", f"HostKeyAlias={node}"),
            *("-o", "StrictHostKeyChecking=accept-new", "-o", "ConnectTimeout=10"),
            *("-o", "ServerAliveInterval=20", "-o", "ServerAliveCountMax=6"),
        ]

    def run(self, command: str, *, timeout_s: float, check: bool, stdin: str = "") -> Answer:
        """Run a line of bash. After ``timeout_s`` it is ended on the node, with all that it has started.

        Raises TimedOut, and CommandFailed when ``check`` is set and the exit code is not 0.
        """
        allowed = patient(timeout_s)
        self.connect()
        begun = time.monotonic()
        try:
            done = subprocess.run(
                [*self._base, "127.0.0.1", f"timeout --kill-after=10 {allowed:.0f} bash -c {shlex.quote(command)}"],
                input=stdin,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=allowed + patient(30),
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise TimedOut(f"{self._node} does not answer; it was to run `{command}`") from error
        if done.returncode == TIMED_OUT and time.monotonic() - begun >= allowed:
            raise TimedOut(f"{self._node}: `{command}` was ended after {allowed:.0f} s\n{done.stdout}{done.stderr}")
        if check and done.returncode != 0:
            raise CommandFailed(self._node, command, done.returncode, done.stdout, done.stderr)
        return Answer(done.returncode, done.stdout, done.stderr)

    def interactive(self, command: str, *, terminal: bool) -> int:
        """Run a line of shell, or a shell when it is empty, with the input and output of this process."""
        self.connect()
        argv = [*self._base, *(["-t"] if terminal else []), "127.0.0.1", *([command] if command else [])]
        return subprocess.run(argv, check=False).returncode

    def answers(self) -> bool:
        """Whether the node can be logged in to."""
        with contextlib.suppress(TimedOut):
            return self.run("true", timeout_s=10, check=False).returncode == 0
        return False

    def connect(self) -> None:
        """Make the connection that commands share, unless it is there; where that fails, the command itself tells why."""
        if self._control.exists():
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(
                [*self._base, "-M", "-N", "-f", "127.0.0.1"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # it would be held open for as long as the connection lasts
                stderr=subprocess.DEVNULL,
                timeout=patient(30),
                check=False,
            )

    def disconnect(self) -> None:
        """Close the connection, if there is one."""
        if self._control.exists():
            subprocess.run([*self._base, "-O", "exit", "127.0.0.1"], capture_output=True, check=False)
        self._control.unlink(missing_ok=True)
