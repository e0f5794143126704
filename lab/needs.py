"""What the lab needs of the machine it runs on; what is missing is named with its package."""

import os
import shutil
import sys
from pathlib import Path

from lab.errors import LabError
from lab.tool import PATH

TO_RUN = {"qemu-system-x86_64": "qemu-system-x86", "socat": "socat", "ssh": "openssh-client"}
TO_BUILD = {"mmdebstrap": "mmdebstrap", "cpio": "cpio", "mke2fs": "e2fsprogs", "ssh-keygen": "openssh-client"}
PYTHON = (3, 11)
RELEASE = "bookworm"
DEBIAN_SOURCES = (Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list"))


def check_to_run() -> None:
    """Raises LabError, which names every program that running the lab needs and this machine lacks."""
    _refuse(_missing(TO_RUN))


def check_to_build() -> None:
    """Raises LabError, which names everything that building the image needs and this machine lacks."""
    _refuse([*_missing(TO_BUILD), *_not_root(), *_wrong_python(), *_no_sources()])


def debian_sources() -> list[Path]:
    """The files in which this machine names its own archives of Debian 12; none when it has another system."""
    return [path for path in DEBIAN_SOURCES if path.exists() and RELEASE in path.read_text(encoding="utf-8")]


def _refuse(problems: list[str]) -> None:
    if problems:
        raise LabError("the lab cannot be built or run here:\n" + "\n".join(f"  - {problem}" for problem in problems))


def _missing(programs: dict[str, str]) -> list[str]:
    return [
        f"{program} is missing: it is in Debian's package {package}; `make lab-packages` installs all that is needed"
        for program, package in programs.items()
        if shutil.which(program, path=PATH) is None
    ]


def _not_root() -> list[str]:
    if os.geteuid() == 0:
        return []
    return ["the image is built by root, for mmdebstrap installs packages in a chroot: run it with sudo"]


def _wrong_python() -> list[str]:
    if sys.version_info[:2] == PYTHON:
        return []
    found = f"{sys.version_info.major}.{sys.version_info.minor}"
    return [f"this is Python {found}; the nodes get the Salt of the Python that runs this, and Debian 12 has 3.11"]


def _no_sources() -> list[str]:
    if debian_sources():
        return []
    looked = " and ".join(map(str, DEBIAN_SOURCES))
    return [f"the nodes are Debian 12 ({RELEASE}) and are made from this machine's own sources; {looked} name none"]
