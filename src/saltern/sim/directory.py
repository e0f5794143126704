"""The files of a simulated node that are real files under a directory, where drbdadm and xl look for them."""

import shutil
import sys
from collections.abc import Iterator, MutableMapping
from pathlib import Path

from saltern.sim.model import File

STANDARD_INPUT = "/dev/stdin"


class DirectoryFiles(MutableMapping[str, File]):
    """Paths of a node to (text, mode), read from and written to ``root``; iterating sees ``/etc`` only."""

    def __init__(self, root: str) -> None:
        self._root = Path(root)

    def _path(self, path: str) -> Path:
        """The real file; a path that leads into the root already is taken as it is."""
        if Path(path).is_relative_to(self._root):
            return Path(path)
        return self._root / path.lstrip("/")

    def __getitem__(self, path: str) -> File:
        if path == STANDARD_INPUT:
            return sys.stdin.read(), 0o600
        target = self._path(path)
        try:
            return target.read_text(encoding="utf-8", errors="surrogateescape"), target.stat().st_mode & 0o7777
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise KeyError(path) from error

    def __setitem__(self, path: str, file: File) -> None:
        target = self._path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(file[0], encoding="utf-8", errors="surrogateescape")
        target.chmod(file[1])

    def __delitem__(self, path: str) -> None:
        try:
            self._path(path).unlink()
        except FileNotFoundError as error:
            raise KeyError(path) from error

    def empty(self, directory: str) -> None:
        """Take away all that is in a directory."""
        shutil.rmtree(self._path(directory), ignore_errors=True)

    def __iter__(self) -> Iterator[str]:
        for target in sorted((self._root / "etc").rglob("*")):
            if target.is_file():
                yield f"/{target.relative_to(self._root)}"

    def __len__(self) -> int:
        return sum(1 for _ in self)
