"""What the guests start from: one ram disk, in it the file systems that it installs on blank disks."""

import gzip
import shutil
import tempfile
from pathlib import Path

from lab import debian, ramdisk, tool

TREES = debian.HERE / "guest"
IMAGE_BYTES = 8 * 1024**2  # of a file system: less than the smallest disk that a topology of the lab has
START_BYTES = 4096  # what `blank` in guest/ramdisk/init looks at
APPLETS = (
    "cat",
    "cp",
    "cut",
    "date",
    "echo",
    "hostname",
    "httpd",
    "ip",
    "mkdir",
    "mount",
    "mv",
    "sh",
    "sleep",
    "sync",
    "tail",
)


def ram_disk(root: Path, image: Path, log: Path) -> None:
    """Make the guests' ram disk from the kernel modules and the busybox under ``root``."""
    with tempfile.TemporaryDirectory(dir=image.parent) as name:
        tree = Path(name) / "ramdisk"
        debian.lay(TREES / "ramdisk", tree)
        ramdisk.fill(tree, root, ["crc32c_generic", "xen-blkfront", "xen-netfront", "ext4"])
        # What the kernel runs when Xen asks the guest to end, here also where its init waits for ever.
        shutil.copytree(TREES / "root/sbin", tree / "sbin", ignore=shutil.ignore_patterns("init"))
        (tree / "images").mkdir()
        _add_image(tree / "images/system", _system(Path(name) / "system", root), log)
        _add_image(tree / "images/data", _empty(Path(name) / "data"), log)
        ramdisk.pack(tree, image)


def _system(tree: Path, root: Path) -> Path:
    """The tree of the guest's root file system."""
    debian.lay(TREES / "root", tree)
    for directory in ("bin", "data", "dev", "proc", "run", "sys", "var"):
        (tree / directory).mkdir()
    shutil.copy2(root / "bin/busybox", tree / "bin/busybox")
    for applet in APPLETS:
        (tree / "bin" / applet).symlink_to("busybox")
    return tree


def _empty(tree: Path) -> Path:
    tree.mkdir()
    return tree


def _add_image(image: Path, tree: Path, log: Path) -> None:
    """Write an ext4 file system with the files of ``tree`` as ``image.start`` and ``image.rest.gz``."""
    whole = image.with_suffix(".whole")
    with whole.open("wb") as file:
        file.truncate(IMAGE_BYTES)
    # Blocks of 1 KiB, for with them the journal takes 1 MiB.
    make = ["mke2fs", "-q", "-t", "ext4", "-b", "1024", "-J", "size=1", "-m", "0", "-d", str(tree), str(whole)]
    tool.run(make, log=log, advice="This is a defect of lab/guest.py.")
    content = whole.read_bytes()
    image.with_suffix(".start").write_bytes(content[:START_BYTES])
    image.with_suffix(".rest.gz").write_bytes(gzip.compress(content[START_BYTES:]))
    whole.unlink()
