"""Whether the core that a process has in memory is the one on disk, which a state may have replaced since.

A minion lives for months, and Python keeps what it has imported: of two cores with the same version, too.
"""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Final

_PACKAGE: Final = __name__.partition(".")[0]


def _files() -> Iterator[tuple[Path, int, int, int]]:
    for path in Path(__file__).parent.rglob("*.py"):
        found = path.stat()
        yield path, found.st_ino, found.st_mtime_ns, found.st_size


_AT_IMPORT: Final = frozenset(_files())


def is_current() -> bool:
    """Whether the files are those from which this process has its core."""
    try:
        return frozenset(_files()) == _AT_IMPORT
    except FileNotFoundError:  # it is being replaced in this moment
        return False


def current() -> ModuleType:
    """The package as its files say now, imported anew where they have changed.

    For files that Salt loads, before they import anything else. What others have of the core stays as it was.
    """
    if is_current():
        return sys.modules[_PACKAGE]
    for name in [name for name in sys.modules if name == _PACKAGE or name.startswith(f"{_PACKAGE}.")]:
        del sys.modules[name]
    package = importlib.import_module(_PACKAGE)
    importlib.import_module(__name__)  # before anything else, so that it knows of all that is replaced from now on
    return package
