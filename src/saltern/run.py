"""The one door to a node: the only place where a command runs or a file of the node is read or written.

Everything else takes a ``Host``, so that the same code runs on a real node and on a simulated one. It is loaded at every start of
the block script, in the pause of a migration: hence ``os`` and not ``pathlib``, which was a tenth of that start.
"""

import fcntl
import os
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import IO, NamedTuple, Protocol

from saltern.errors import CommandFailed, CommandMissing, CommandTimeout

DEFAULT_TIMEOUT_S = 120.0
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LOCK_TRIES, _LOCK_PAUSE_S = 20, 0.02
_ANSWER_BYTES = 256 * 1024


class Completed(NamedTuple):
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

    def names(self, path: str) -> list[str]:
        """The names of what is in a directory, sorted, none where there is none; any other failure raises ``OSError``."""
        ...

    def mode(self, path: str) -> int | None:
        """The permissions of a file, such as ``0o755``, ``None`` when there is none; any other failure raises ``OSError``."""
        ...

    def write_text(self, path: str, text: str, mode: int) -> None:
        """Replace a file as a whole: after a crash it is the old one or the new one."""
        ...

    def create_text(self, path: str, text: str, mode: int) -> None:
        """Make a file as a whole where there is none; raises ``FileExistsError``. Of two who try, one succeeds."""
        ...

    def append_text(self, path: str, text: str) -> None:
        """Add to the end of a file, such as a log."""
        ...

    def remove(self, path: str) -> None:
        """Take a file away; it is no error when it is not there."""
        ...

    def hold(self, path: str) -> AbstractContextManager[None]:
        """Hold a file for as long as the context, or the life of this process, lasts; raises ``BlockingIOError``."""
        ...

    def is_held(self, path: str) -> bool:
        """Whether a living process holds a file by ``hold``."""
        ...

    def detach(self, argv: Sequence[str]) -> None:
        """Start a command that goes on by itself, however its starter ends; raises ``CommandMissing``."""
        ...

    def ask(self, path: str, question: str, timeout_s: float) -> str:
        """What the service behind a socket of the node answers, a packet each way; raises ``OSError`` where none does."""
        ...

    def now(self) -> float:
        """Seconds of a clock that never goes back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        ...


class LocalHost:
    """This machine. ``root`` stands before every path of a file, for nodes that are simulated in a directory.

    With ``bound``, what it runs dies with this process, however that ends.
    """

    def __init__(self, root: str = "/", environment: dict[str, str] | None = None, *, bound: bool = False) -> None:
        self._root = root.rstrip("/")
        self._environment = {**os.environ, **(environment or {}), "LC_ALL": "C"}
        self._before_exec = _bound_to(os.getpid()) if bound else None

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
                preexec_fn=self._before_exec,
            )
        except FileNotFoundError as error:
            raise CommandMissing(tuple(argv)) from error

    def _path(self, path: str) -> str:
        return f"{self._root}/{path.lstrip('/')}"

    def read_text(self, path: str) -> str | None:
        """See ``Host.read_text``."""
        try:
            with open(self._path(path), encoding="utf-8", errors="surrogateescape") as stream:
                return stream.read()
        except FileNotFoundError:
            return None

    def names(self, path: str) -> list[str]:
        """See ``Host.names``."""
        try:
            return sorted(os.listdir(self._path(path)))
        except FileNotFoundError:
            return []

    def mode(self, path: str) -> int | None:
        """See ``Host.mode``."""
        try:
            return stat.S_IMODE(os.stat(self._path(path)).st_mode)
        except FileNotFoundError:
            return None

    def write_text(self, path: str, text: str, mode: int) -> None:
        """See ``Host.write_text``: a temporary file beside it, synced, then renamed over it."""
        with self._written(path, text, mode) as (temporary, target):
            os.replace(temporary, target)

    def create_text(self, path: str, text: str, mode: int) -> None:
        """See ``Host.create_text``: linked into its place, which fails where there is something."""
        with self._written(path, text, mode) as (temporary, target):
            os.link(temporary, target)

    @contextmanager
    def _written(self, path: str, text: str, mode: int) -> Iterator[tuple[str, str]]:
        """A file that is whole and on disk, to be put into its place; what is left of it afterwards is taken away."""
        target = self._path(path)
        directory, name = os.path.split(target)
        os.makedirs(directory, exist_ok=True)
        # A leading dot and no .res at the end: drbdadm and Xen must never read a half-written file.
        temporary = f"{directory}/.{name}.{os.getpid()}.new"
        _unlink(temporary)  # left by a process of this number that was killed
        try:
            with os.fdopen(
                os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8"
            ) as stream:
                os.fchmod(stream.fileno(), mode)
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            yield temporary, target
        finally:
            _unlink(temporary)
        _sync(directory)

    def append_text(self, path: str, text: str) -> None:
        """See ``Host.append_text``."""
        target = self._path(path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "a", encoding="utf-8", errors="surrogateescape") as stream:
            stream.write(text)

    def sync(self, path: str) -> None:
        """Have what was added to a file on the disk, where a loss of power leaves it. Raises ``OSError``."""
        _sync(self._path(path))

    def remove(self, path: str) -> None:
        """See ``Host.remove``."""
        target = self._path(path)
        _unlink(target)
        directory = os.path.dirname(target)
        if os.path.exists(directory):
            _sync(directory)

    @contextmanager
    def hold(self, path: str) -> Iterator[None]:
        """See ``Host.hold``: by flock(2), which ends with the last process that has the file open."""
        target = self._path(path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        lock = os.open(target, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _lock(lock)
            yield
        finally:
            os.close(lock)

    def is_held(self, path: str) -> bool:
        """See ``Host.is_held``."""
        try:
            lock = os.open(self._path(path), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
        return False

    def detach(self, argv: Sequence[str]) -> None:
        """See ``Host.detach``: it keeps nothing of its starter's open, which somebody may be waiting to be closed."""
        nothing = subprocess.DEVNULL
        program, *rest = argv
        try:
            subprocess.Popen(
                [self._path(program), *rest],
                stdin=nothing,
                stdout=nothing,
                stderr=nothing,
                env=self._environment,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise CommandMissing(tuple(argv)) from error

    def ask(self, path: str, question: str, timeout_s: float) -> str:
        """See ``Host.ask``."""
        import socket  # not before it is needed: most nodes have nothing to be asked

        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as way:
            way.settimeout(timeout_s)
            way.connect(self._path(path))
            way.send(question.encode())
            answer = way.recv(_ANSWER_BYTES)
        if not answer:
            raise ConnectionResetError(f"{path} was closed without an answer")
        return answer.decode(errors="replace")

    def serve(self, argv: Sequence[str]) -> "Served":
        """Start a command on this process's own input and output; raises ``CommandMissing``."""
        try:
            return Served(subprocess.Popen(list(argv), env=self._environment, preexec_fn=self._before_exec))
        except FileNotFoundError as error:
            raise CommandMissing(tuple(argv)) from error

    def follow(self, argv: Sequence[str]) -> Iterator[str]:
        """The lines that a command prints, as they come, until it ends; it dies with the thread that has asked."""
        try:
            process = subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
                errors="surrogateescape",
                env=self._environment,
                preexec_fn=_bound_to(os.getpid()),
            )
        except FileNotFoundError as error:
            raise CommandMissing(tuple(argv)) from error
        with process:
            try:
                yield from process.stdout or ()
            finally:
                process.kill()

    def now(self) -> float:
        """See ``Host.now``."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """See ``Host.sleep``."""
        time.sleep(seconds)


class Served:
    """A command that runs beside this process."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def ended(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()


def _bound_to(parent: int) -> Callable[[], None]:
    """What a child does first, so that it dies when its parent does, in whatever way (prctl(2))."""
    import ctypes  # not before it is needed: the block script binds nothing

    def bind() -> None:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it has died before
            os._exit(1)

    return bind


def _lock(opened: int) -> None:
    """Have a file to oneself; somebody who only looks whether it is held has it for a moment as well (``is_held``)."""
    for _ in range(_LOCK_TRIES):
        with suppress(BlockingIOError):
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(_LOCK_PAUSE_S)
    fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _unlink(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)


def _sync(path: str) -> None:
    """Have what was done to a file, or to the entries of a directory, on disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
