"""Ram disks: busybox, an init, and the kernel modules it loads in order."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from lab import debian
from lab.errors import LabError


def modules_of(root: Path) -> Path:
    """The directory with the modules of the one kernel that is installed under ``root``."""
    (found,) = (root / "lib/modules").iterdir()
    return found


def load_order(modules_dep: str, names: Sequence[str]) -> list[str]:
    """Paths of the modules ``names`` with those they depend on, each after all that it depends on (modules.dep(5)).

    Raises LabError for a name that is not there.
    """
    needed = {path: later.split() for path, _, later in (line.partition(":") for line in modules_dep.splitlines())}
    paths = {Path(path).name.partition(".ko")[0].replace("-", "_"): path for path in needed}
    order: list[str] = []
    for name in names:
        path = paths.get(name.replace("-", "_"))
        if path is None:
            raise LabError(
                f"the kernel of the nodes has no module {name}: has KEPT_DRIVERS in lab/debian.py left it out?"
            )
        order += [each for each in (*reversed(needed[path]), path) if each not in order]
    return order


def fill(tree: Path, root: Path, modules: Sequence[str]) -> None:
    """Give a ram disk its busybox, and under ``modules/`` what it is to load, in the order of the file ``order``."""
    (tree / "bin").mkdir(exist_ok=True)
    shutil.copy2(root / "bin/busybox", tree / "bin/busybox")
    (tree / "modules").mkdir()
    source = modules_of(root)
    paths = load_order((source / "modules.dep").read_text(encoding="utf-8"), modules)
    for path in paths:
        shutil.copy(source / path, tree / "modules")
    (tree / "modules/order").write_text("".join(f"{Path(path).name}\n" for path in paths), encoding="utf-8")


def pack(tree: Path, image: Path) -> None:
    """Write ``tree`` as a compressed ram disk (cpio in the form newc, which Linux unpacks)."""
    names = "\n".join(sorted(str(path.relative_to(tree)) for path in tree.rglob("*")))
    with image.open("wb") as file:
        cpio = ["cpio", "--create", "--format=newc", "--owner=+0:+0", "--quiet"]
        archive = subprocess.run(cpio, cwd=tree, input=names.encode(), stdout=subprocess.PIPE, check=True)
        subprocess.run(["gzip", "-1"], input=archive.stdout, stdout=file, check=True)


def of_node(tree: Path, root: Path, image: Path) -> None:
    """Make the ram disk with which a node finds its root file system."""
    debian.lay(debian.HERE / "node-ramdisk", tree)
    fill(tree, root, ["crc32c_generic", "virtio_pci", "virtio_blk", "virtio_net", "ext4"])
    pack(tree, image)
