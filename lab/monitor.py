"""QEMU's monitor: JSON over a Unix socket (QEMU's docs/interop/qmp-spec)."""

import json
import socket
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lab.errors import LabError, TimedOut


class Monitor:
    """One connection; QEMU serves one at a time, so it is opened for a task and closed after it."""

    def __init__(self, path: Path, timeout_s: float) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout_s)
        try:
            self._socket.connect(str(path))
            self._stream = self._socket.makefile("rw", encoding="utf-8")
            self._read()  # the greeting
            self.execute("qmp_capabilities")
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stream.close()
        self._socket.close()

    def execute(self, command: str, **arguments: object) -> Any:
        """Run one command; returns what QEMU returns. Raises LabError with QEMU's own words when it refuses."""
        json.dump({"execute": command, "arguments": arguments}, self._stream)
        self._stream.write("\n")
        self._stream.flush()
        while True:
            answer = self._read()
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise LabError(f"QEMU refuses {command}: {answer['error']['desc']}")
            # whatever else comes is an event, told to everybody

    def _read(self) -> dict[str, Any]:
        try:
            line = self._stream.readline()
        except TimeoutError as error:
            raise TimedOut(f"QEMU does not answer at {self._path}") from error
        if not line:
            raise LabError(f"QEMU has closed its monitor {self._path}")
        answer: dict[str, Any] = json.loads(line)
        return answer
