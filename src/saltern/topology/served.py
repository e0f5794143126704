"""What the master serves of the core, as one value that a node can compare with what it has."""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

NOT_SERVED: Final = re.compile(r"__pycache__|^topology/|^sim/|^cli")
_MODE: Final = 0o644


def digest(roots: Iterable[str]) -> str | None:
    """SHA-256 over the path, mode and SHA-256 of each file that a node gets, from the first of the ``roots`` with a core.

    ``salt/states/core/init.sls`` makes the same of what is on the node. ``None`` where no root has one, such as with gitfs.
    """
    for root in roots:
        core = Path(root) / "saltern"
        if (core / "__init__.py").is_file():
            return hashlib.sha256("\n".join(sorted(_lines(core))).encode()).hexdigest()
    return None


def _lines(core: Path) -> Iterable[str]:
    for path in core.rglob("*.py"):
        name = path.relative_to(core).as_posix()
        if not NOT_SERVED.search(name):
            yield f"{name} {_MODE} {hashlib.sha256(path.read_bytes()).hexdigest()}"
