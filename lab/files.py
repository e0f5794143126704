"""Files of the lab that are whole or not there, however their writer ends."""

import subprocess
from pathlib import Path

from lab.errors import LabError

PRIVATE = 0o700  # for the directory of a lab: disks and saved memory hold the keys by which its nodes let everybody in


def write_whole(path: Path, text: str) -> None:
    """Replace a file: whoever reads it finds the old text or the new one, also after a full disk and a kill."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)


def copy_sparse(source: Path, target: Path) -> None:
    """Copy a disk; where there is nothing in it, its copy takes no room either. Raises LabError where that fails."""
    argv = ["cp", "--sparse=always", "--reflink=auto", str(source), str(target)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"a disk of the lab could not be copied: {done.stderr.strip()}")
