"""A process that has imported the simulated programs, and forks for each that is started: imports are nearly all they cost.

``with serving():`` is how tests and the demo have one: every program started with this environment is run by it. A program
dies with whoever has started it (its client, see ``fork_client``), as it would if it ran by itself.
"""

import fcntl
import gc
import marshal
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import IO, Final, NoReturn, cast

from saltern.sim import drbd, executable, fork_client, tools

_MODULE: Final = "saltern.sim.fork_server"
_PACKAGES: Final = str(Path(__file__).parents[2])
_WAITING: Final = 128  # connections that are not accepted yet


@contextmanager
def serving() -> Iterator[int]:
    """A server runs, whose process this gives, and the environment of this one names it."""
    server = subprocess.Popen(
        [sys.executable, "-m", _MODULE],
        env={**os.environ, "PYTHONPATH": _PACKAGES},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # it ends when this process does, not when a key is pressed
    )
    with server:
        asked, said = cast(IO[str], server.stdin), cast(IO[str], server.stdout)
        path = said.readline().strip()
        if not path:
            raise RuntimeError(f"the server of simulated programs has ended with {server.wait()}")
        before = os.environ.get(fork_client.SERVER)
        os.environ[fork_client.SERVER] = path
        try:
            yield server.pid
        finally:
            os.environ.pop(fork_client.SERVER)
            if before is not None:
                os.environ[fork_client.SERVER] = before
            asked.close()


def _serve() -> None:
    """Answer until standard input is closed, by the end of whoever holds its other side."""
    _import_programs()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # whoever ends is gone, and waited for by nobody
    # Short, as the path of a socket has to be, and of this user alone.
    with tempfile.TemporaryDirectory(prefix="saltern-sim-") as folder, socket.socket(socket.AF_UNIX) as listening:
        path = f"{folder}/server"
        listening.bind(path)
        listening.listen(_WAITING)
        gc.freeze()
        print(path, flush=True)
        while sys.stdin not in select.select([sys.stdin, listening], [], [])[0]:
            connection, _ = listening.accept()
            with connection:
                if os.fork() == 0:
                    listening.close()
                    _run(connection)


def _import_programs() -> None:
    for module in sorted(set(tools.PROGRAMS.values())):
        import_module(f"{tools.__package__}.{module}")
    for file in sorted(Path(drbd.__file__).parent.glob("[a-z]*.py")):
        import_module(f"{drbd.__name__}.{file.stem}")


def _run(connection: socket.socket) -> NoReturn:
    """Be the program that is asked for."""
    code = 1
    try:
        arguments = _become(connection)
        code = executable.main(arguments)
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(OSError):
            connection.send(bytes([code & 0xFF]))  # as the kernel passes it on
        os._exit(code & 0xFF)


def _become(connection: socket.socket) -> list[str]:
    """Take over what the client is, from the streams to the working directory, until its death; its arguments."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, descriptors, _, _ = socket.recv_fds(connection, 1, fork_client.DESCRIPTORS)
    with connection.makefile("rb") as stream:
        arguments, environ, mask = marshal.load(stream)  # noqa: S302 - nobody but this user reaches the socket
    for stands_for, given in enumerate(descriptors[:3]):
        os.dup2(given, stands_for)
    os.fchdir(descriptors[3])
    for given in descriptors:
        os.close(given)
    os.umask(mask)
    os.environb.clear()
    os.environb.update(environ)
    fcntl.fcntl(connection, fcntl.F_SETOWN, os.getpid())
    flags = fcntl.fcntl(connection, fcntl.F_GETFL)
    fcntl.fcntl(connection, fcntl.F_SETFL, flags | os.O_ASYNC)  # SIGIO ends this process
    if select.select([connection], [], [], 0)[0]:
        os.kill(os.getpid(), signal.SIGIO)  # the client was gone before
    return list(arguments)


if __name__ == "__main__":
    _serve()
