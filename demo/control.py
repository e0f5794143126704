"""The commands of the demo's shell that change the cluster itself: guards for it, and the power of its nodes.

What keeps the cluster up carries them out, so that all that they start ends with it; `python -m demo.control SOCKET COMMAND...`
asks it to, by a socket that only its user can reach.
"""

import json
import socket
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from socketserver import StreamRequestHandler, UnixStreamServer
from typing import Final

from demo.cluster import CHECKOUT, Cluster
from demo.guards import Guards
from demo.prompt import write_script

_PROTECTED: Final = """\
This stands in the topology now, and the minion `witness` runs, which is no node:

{section}
Now `salt '*' state.apply` brings the guards. Short as these leases are, a takeover takes {takeover_s:g} seconds or more."""


class Refusal(Exception):
    """A command that cannot be carried out, with the reason in words."""


class Control:
    """Listens for these commands as long as the cluster is up; ``close`` ends that."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._guards: Guards | None = None
        path = cluster.sockets / "control"
        does: Mapping[str, Callable[[Sequence[str]], str]] = {
            "guards": self._begin_guards,
            "power-cut": self._cut_power,
            "power-on": self._boot,
        }
        self._server = UnixStreamServer(str(path), _handler(does))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        for name in does:
            program = f'PYTHONPATH="{CHECKOUT}" exec "{sys.executable}" -m demo.control "{path}" {name} "$@"'
            write_script(cluster.bin / name, program)

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()

    def _begin_guards(self, given: Sequence[str]) -> str:
        if given:
            raise Refusal("usage: guards")
        guards = self._found()
        try:
            section = guards.into_topology()
        except ValueError as error:
            raise Refusal(str(error)) from error
        return _PROTECTED.format(section=section, takeover_s=guards.takeover_s)

    def _cut_power(self, given: Sequence[str]) -> str:
        node = self._node("power-cut", given)
        if not self._found().is_on(node):
            raise Refusal(f"{node} has no power; `power-on {node}` gives it back")
        self._found().cut_power(node)
        return f"{node} is off, and so is all that ran on it."

    def _boot(self, given: Sequence[str]) -> str:
        node = self._node("power-on", given)
        if self._found().is_on(node):
            raise Refusal(f"{node} has power; `power-cut {node}` takes it")
        self._found().boot(node)
        self._cluster.wait_for_minions(node)
        return f"{node} is up, and its minion answers."

    def _node(self, command: str, given: Sequence[str]) -> str:
        nodes = self._cluster.nodes
        if len(given) != 1 or given[0] not in nodes:
            raise Refusal(f"usage: {command} NODE; the nodes are {', '.join(nodes)}")
        return given[0]

    def _found(self) -> Guards:
        if self._guards is None:
            self._guards = Guards(self._cluster)
        return self._guards


def _handler(does: Mapping[str, Callable[[Sequence[str]], str]]) -> type[StreamRequestHandler]:
    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            command, *given = json.loads(self.rfile.readline())
            try:
                answer = {"said": does[command](given), "code": 0}
            except (Refusal, OSError) as refusal:
                answer = {"said": str(refusal), "code": 1}
            with suppress(OSError):  # whoever asked may be gone
                self.wfile.write(json.dumps(answer).encode())

    return Handler


def main(arguments: Sequence[str]) -> int:
    """Have one command carried out; the exit code is 1 where it was not."""
    path, *command = arguments
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        connection.sendall(json.dumps(command).encode() + b"\n")
        answer = json.load(connection.makefile("rb"))
    print(answer["said"], file=sys.stderr if answer["code"] else sys.stdout)
    return int(answer["code"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
