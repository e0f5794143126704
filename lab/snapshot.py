"""The whole lab at one moment: memory and disks of both nodes, and trees of files beside them, kept to come back to."""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab.files import copy_sparse
from lab.machine import Machine, hardware, image_identity
from lab.master import minion_settings

ABOUT = "about.json"


class Snapshot:
    """A snapshot in its own directory; it is written beside it first, so that one is whole or not there."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @property
    def exists(self) -> bool:
        """Whether it was saved."""
        return (self._directory / ABOUT).exists()

    def save(self, machines: Sequence[Machine], trees: Mapping[str, Path], about: dict[str, str]) -> None:
        """Freeze all machines at one moment, keep what they are and the trees, each under its name, and let them run on."""
        partial = self._directory.with_name(self._directory.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for machine in machines:
            machine.stop()
        try:
            with ThreadPoolExecutor() as pool:
                list(pool.map(lambda machine: _save(machine, partial), machines))
            for name, tree in trees.items():
                if tree.exists():
                    shutil.copytree(tree, partial / name)
        finally:
            for machine in machines:
                machine.resume()
        (partial / ABOUT).write_text(json.dumps(about, indent=2), encoding="utf-8")
        self.delete()
        partial.rename(self._directory)

    def has(self, tree: str) -> bool:
        """Whether a tree of that name was kept."""
        return (self._directory / tree).is_dir()

    def restore(self, machines: Sequence[Machine], trees: Mapping[str, Path], *, link: bool) -> None:
        """Put machines, which are off, and the trees back to that moment, and let them run on. A tree that was not there goes."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda machine: _restore(machine, self._directory, link), machines))
        for name, tree in trees.items():
            shutil.rmtree(tree, ignore_errors=True)
            if self.has(name):
                shutil.copytree(self._directory / name, tree)
        for machine in machines:
            machine.resume()

    def about(self) -> dict[str, str]:
        """What was told about it when it was saved."""
        told: dict[str, str] = json.loads((self._directory / ABOUT).read_text(encoding="utf-8"))
        return told

    def delete(self) -> None:
        """Remove it."""
        shutil.rmtree(self._directory, ignore_errors=True)


def fingerprint(nodes: Sequence[str], image: Path, keys: Path) -> dict[str, str]:
    """What must be the same when a snapshot is restored, by what it is called in a message."""
    version = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, text=True, check=True).stdout
    return {
        "version of QEMU": version.splitlines()[0],
        "machines": _hash([hardware(number) for number, _ in enumerate(nodes, start=1)]),
        "image": image_identity(image),
        "minions": _hash([tree_hash([keys]), *(minion_settings(node) for node in nodes)]),
    }


def tree_hash(directories: Sequence[Path]) -> str:
    """A hash over the names and contents of all files under directories, leaving out what Python has compiled."""
    digest = hashlib.sha256()
    for directory in directories:
        for path in sorted(directory.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(directory)}\0{path.stat().st_size}\0".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()


def _hash(told: object) -> str:
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _save(machine: Machine, directory: Path) -> None:
    machine.save_memory(directory / f"{machine.name}.memory")
    copy_sparse(machine.root_disk, directory / f"{machine.name}.root")
    copy_sparse(machine.data_disk, directory / f"{machine.name}.data")


def _restore(machine: Machine, directory: Path, link: bool) -> None:
    machine.unmark_disks()
    copy_sparse(directory / f"{machine.name}.root", machine.root_disk)
    copy_sparse(directory / f"{machine.name}.data", machine.data_disk)
    machine.mark_disks()
    machine.start(incoming=directory / f"{machine.name}.memory", link=link)
