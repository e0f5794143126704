"""Programs of the host that build the image: their output goes to a log, and its end into the error."""

import os
import subprocess
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from lab.errors import LabError

SHOWN_LINES = 15
# mke2fs and chroot are where not every root looks.
PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"

Progress = Callable[[str], None]


def run(words: Sequence[str], *, log: Path, advice: str, on_line: Progress = lambda line: None) -> None:
    """Run a program without input; every line it prints is appended to ``log`` and given to ``on_line``.

    Raises LabError with the last lines and ``advice`` when it cannot be started or its exit code is not 0.
    """
    last: deque[str] = deque(maxlen=SHOWN_LINES)
    with log.open("a") as file:
        print("$", *words, file=file, flush=True)
        try:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                env={**os.environ, "PATH": PATH, "LC_ALL": "C.UTF-8"},
            )
        except OSError as error:
            raise LabError(f"{words[0]} does not start: {error.strerror}. {advice}") from None
        with process:
            for line in process.stdout or ():
                file.write(line)
                last.append(line.rstrip())
                on_line(line.rstrip())
    if process.returncode:
        shown = "\n".join(f"    {line}" for line in last)
        ended = f"{words[0]} ended with exit code {process.returncode}; the end of what it printed:"
        raise LabError(f"{ended}\n{shown}\n{advice} (all of it: {log})")
