"""What every simulated program starts with: it has the fork server run it, where there is one, and runs by itself where not.

Nothing is imported here that takes time: ``_socket`` is what ``socket`` is made of.
"""

import _socket
import marshal
import os
import sys
from collections.abc import Sequence

SERVER = "SALTERN_SIM_SERVER"  # the variable of the environment that names the socket of the server
DESCRIPTORS = 4  # standard input, output and error, and the working directory


def main(arguments: Sequence[str]) -> int:
    """As ``saltern.sim.executable.main``."""
    path = os.environ.get(SERVER)
    code = _ask(path, arguments) if path else None
    if code is None:
        from saltern.sim import executable

        return executable.main(arguments)
    return code


def _ask(path: str, arguments: Sequence[str]) -> int | None:
    """The exit code of a program that the server has run; ``None`` where no server answers."""
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        connection.connect(path)
    except OSError:
        return None
    if connection.fileno() < DESCRIPTORS - 1:
        return None  # it has taken the place of a stream that was closed
    mask = os.umask(0)
    os.umask(mask)
    request = marshal.dumps((list(arguments), dict(os.environb), mask))
    here = os.open(".", os.O_RDONLY)
    # An array of C's int, without the module array.
    descriptors = b"".join(each.to_bytes(4, sys.byteorder) for each in (0, 1, 2, here))
    connection.sendmsg([b"\0"], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, descriptors)])  # they go with a byte at least
    connection.sendall(request)
    answer = connection.recv(1)
    return answer[0] if answer else 1  # it was killed
