"""Processes that outlive the one that started them, known again later by more than their number."""

import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.files import write_whole

PREFERRED_NICE = -15


def spawn(argv: Sequence[str], *, record: Path, log: Path, environment: Mapping[str, str] | None = None) -> None:
    """Start a process in a session of its own, with its output in ``log``; ``record`` is what knows it again."""
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        pid = os.posix_spawnp(
            argv[0],
            list(argv),
            os.environ if environment is None else environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, output, 1),
                (os.POSIX_SPAWN_DUP2, output, 2),
            ],
            setsid=True,
        )
    finally:
        os.close(output)
    try:
        write_whole(record, f"{pid} {_identity(pid)}\n")
    except BaseException:
        os.killpg(pid, signal.SIGKILL)  # nobody could end it any more
        os.waitpid(pid, 0)
        raise


def prefer(record: Path) -> None:
    """Give the recorded process the processor before others, as far as we may: time in it is the time of a node.

    Linux weighs sessions against each other before it looks at their processes (sched(7), autogroups), so both are told.
    """
    pid = running(record)
    if pid is None:
        return
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(f"{PREFERRED_NICE}", encoding="ascii")
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, int(thread.name), PREFERRED_NICE)


def running(record: Path) -> int | None:
    """The number of the process that was recorded, while it runs; None when it has ended, or was never started."""
    try:
        number, _, identity = record.read_text(encoding="ascii").strip().partition(" ")
    except FileNotFoundError:
        return None
    with contextlib.suppress(ChildProcessError):
        os.waitpid(int(number), os.WNOHANG)  # when it is a child of ours, it is there until its end has been read
    return int(number) if identity and identity == _identity(int(number)) else None


def kill(record: Path) -> None:
    """End the recorded process and all that it has started at once, as a power cut does, and forget it."""
    pid = running(record)
    if pid is not None:
        os.killpg(pid, signal.SIGKILL)  # it leads its own session, so also its own group
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)
    record.unlink(missing_ok=True)


def signal_all(record: Path, number: int) -> None:
    """Send a signal to the recorded process and all that it has started."""
    pid = running(record)
    if pid is not None:
        os.killpg(pid, number)


def _identity(pid: int) -> str:
    """What no later process of the same number has: the boot of this machine, and the start in ticks since then.

    Empty when there is no such process, or only its exit code is left of it (proc(5), fields 3 and 22 of ``stat``).
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(") ")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    if fields[0] in "ZX":
        return ""
    return f"{Path('/proc/sys/kernel/random/boot_id').read_text(encoding='ascii').strip()} {fields[19]}"
