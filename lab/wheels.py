"""Salt for the nodes: the distributions of the Python that runs this, version by version, as wheels.

No resolver is asked: what runs here together runs there together, also where an index lags behind a pin.
"""

import shutil
import sys
from collections.abc import Iterator
from hashlib import sha256
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lab import tool

INSTALLER = "pip"  # from its wheel: the nodes are left without one
VENV = "/opt/salt"


def salt_closure() -> dict[str, str]:
    """The version of Salt and of everything it requires, by name, as installed for this Python."""
    found: dict[str, str] = {}
    waiting = ["salt"]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name not in found:
            found[name] = distribution(name).version
            waiting += required(distribution(name).requires or [])
    return dict(sorted(found.items()))


def required(requirements: list[str]) -> Iterator[str]:
    """The names among the requirements of a distribution (PEP 508) that hold here without any extra."""
    for text in requirements:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield requirement.name


def fetch(cache: Path, log: Path, progress: tool.Progress) -> Path:
    """A directory under ``cache`` with the wheels of Salt and of the installer, made unless it is there."""
    wanted = [
        f"{name}=={version}" for name, version in {**salt_closure(), INSTALLER: distribution(INSTALLER).version}.items()
    ]
    whole = cache / sha256("\n".join(wanted).encode()).hexdigest()[:12]
    if whole.is_dir():
        return whole
    progress(f"Fetching Salt {distribution('salt').version} and what it needs: {len(wanted)} wheels")
    shutil.rmtree(cache, ignore_errors=True)
    begun = cache / "incomplete"
    begun.mkdir(parents=True)
    tool.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--disable-pip-version-check",
            "--no-deps",
            "--wheel-dir",
            str(begun),
            *wanted,
        ],
        log=log,
        advice="pip could not get Salt: can this Python's pip reach its index?",
    )
    return begun.rename(whole)


def install(wheels: Path, root: Path, log: Path) -> None:
    """Put Salt into the virtual environment /opt/salt of the system under ``root``, without the network."""
    inside = root / "wheels"
    shutil.copytree(wheels, inside)
    try:
        (pip,) = (wheel.name for wheel in inside.glob(f"{INSTALLER}-*.whl"))
        _inside(root, log, "python3", "-m", "venv", "--without-pip", VENV)
        _inside(
            root,
            log,
            *(f"{VENV}/bin/python", f"/wheels/{pip}/pip", "install", "--no-index", "--no-deps", "--no-cache-dir"),
            *("--root-user-action", "ignore", "--find-links", "/wheels"),
            *(f"{name}=={version}" for name, version in salt_closure().items()),
        )
    finally:
        shutil.rmtree(inside)


def _inside(root: Path, log: Path, *words: str) -> None:
    clean = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8"]
    tool.run(["chroot", str(root), *clean, *words], log=log, advice="This is a defect of lab/wheels.py.")
