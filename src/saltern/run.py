"""The one door to a node: the only place where a command runs or a file of the node is read or written.

Everything else takes a ``Host``, so that the same code runs on a real node and on a simulated one.
"""

import os
import signal
import stat
import subprocess
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from saltern.errors import CommandFailed, CommandMissing, CommandTimeout

DEFAULT_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that has ended with an exit code that its caller allows."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str


class Host(Protocol):
    """A node: its commands, its files, its clock."""

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str = "",
        allowed: Collection[int] = (0,),
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> Completed:
        """Run a command without a shell; it reads ``stdin`` from a plain file, never from a terminal.

        Raises ``CommandFailed`` for an exit code outside ``allowed``, ``CommandTimeout``, ``CommandMissing``.
        """
        ...

    def read_text(self, path: str) -> str | None:
        """The text of a file, ``None`` when there is no such file; any other failure raises ``OSError``."""
        ...

    def mode(self, path: str) -> int | None:
        """The permissions of a file, such as ``0o755``, ``None`` when there is none; any other failure raises ``OSError``."""
        ...

    def write_text(self, path: str, text: str, mode: int) -> None:
        """Replace a file as a whole: after a crash it is the old one or the new one."""
        ...

    def append_text(self, path: str, text: str) -> None:
        """Add to the end of a file, such as a log."""
        ...

    def detach(self, argv: Sequence[str]) -> None:
        """Start a command that goes on by itself, however its starter ends; raises ``CommandMissing``."""
        ...

    def now(self) -> float:
        """Seconds of a clock that never goes back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        ...


class LocalHost:
    """This machine. ``root`` stands before every path of a file, for nodes that are simulated in a directory."""

    def __init__(self, root: str = "/", environment: dict[str, str] | None = None) -> None:
        self._root = Path(root)
        self._environment = {**os.environ, **(environment or {}), "LC_ALL": "C"}

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str = "",
        allowed: Collection[int] = (0,),
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> Completed:
        """See ``Host.run``."""
        # Standard input is a file, not a pipe: xl reads a configuration from a plain file only (libxl_read_file_contents).
        with os.fdopen(os.memfd_create("stdin"), "w+", encoding="utf-8", errors="surrogateescape") as given:
            given.write(stdin)
            given.seek(0)
            process = self._start(argv, given)
        with process:
            try:
                stdout, stderr = process.communicate(timeout=timeout_s)
            except BaseException as error:
                os.killpg(process.pid, signal.SIGKILL)
                if isinstance(error, subprocess.TimeoutExpired):
                    raise CommandTimeout(tuple(argv), timeout_s) from error
                raise
        if process.returncode not in allowed:
            raise CommandFailed(tuple(argv), process.returncode, stdout, stderr)
        return Completed(tuple(argv), process.returncode, stdout, stderr)

    def _start(self, argv: Sequence[str], given: IO[str]) -> subprocess.Popen[str]:
        try:
            # A session of its own: when time is up, what the program has started ends with it.
            return subprocess.Popen(
                list(argv),
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="surrogateescape",
                env=self._environment,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise CommandMissing(tuple(argv)) from error

    def _path(self, path: str) -> Path:
        return self._root / path.lstrip("/")

    def read_text(self, path: str) -> str | None:
        """See ``Host.read_text``."""
        try:
            return self._path(path).read_text(encoding="utf-8", errors="surrogateescape")
        except FileNotFoundError:
            return None

    def mode(self, path: str) -> int | None:
        """See ``Host.mode``."""
        try:
            return stat.S_IMODE(self._path(path).stat().st_mode)
        except FileNotFoundError:
            return None

    def write_text(self, path: str, text: str, mode: int) -> None:
        """See ``Host.write_text``: a temporary file beside it, synced, then renamed over it."""
        target = self._path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        # A leading dot and no .res at the end: drbdadm and Xen must never read a half-written file.
        temporary = target.with_name(f".{target.name}.{os.getpid()}.new")
        temporary.unlink(missing_ok=True)  # left by a process of this number that was killed
        try:
            with os.fdopen(
                os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8"
            ) as stream:
                os.fchmod(stream.fileno(), mode)
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        directory = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def append_text(self, path: str, text: str) -> None:
        """See ``Host.append_text``."""
        target = self._path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("a", encoding="utf-8", errors="surrogateescape") as stream:
            stream.write(text)

    def detach(self, argv: Sequence[str]) -> None:
        """See ``Host.detach``: it keeps nothing of its starter's open, which somebody may be waiting to be closed."""
        nothing = subprocess.DEVNULL
        try:
            subprocess.Popen(
                list(argv), stdin=nothing, stdout=nothing, stderr=nothing, env=self._environment, start_new_session=True
            )
        except FileNotFoundError as error:
            raise CommandMissing(tuple(argv)) from error

    def now(self) -> float:
        """See ``Host.now``."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """See ``Host.sleep``."""
        time.sleep(seconds)
