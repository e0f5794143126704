"""A ram disk loads its modules in an order in which each finds what it needs."""

import subprocess
from pathlib import Path

import pytest

from lab import ramdisk
from lab.errors import LabError

# modules.dep(5), as depmod of kmod 30 writes it: what comes last is to be loaded first.
MODULES_DEP = """\
kernel/crypto/crc32c_generic.ko:
kernel/fs/mbcache.ko:
kernel/fs/jbd2/jbd2.ko: kernel/crypto/crc32c_generic.ko
kernel/fs/ext4/ext4.ko: kernel/fs/mbcache.ko kernel/fs/jbd2/jbd2.ko kernel/crypto/crc32c_generic.ko
kernel/drivers/block/xen-blkfront.ko:
"""


def test_a_module_comes_after_all_that_it_depends_on_and_once() -> None:
    order = [Path(path).stem for path in ramdisk.load_order(MODULES_DEP, ["jbd2", "ext4", "xen_blkfront"])]
    assert sorted(order) == ["crc32c_generic", "ext4", "jbd2", "mbcache", "xen-blkfront"]
    assert order.index("crc32c_generic") < order.index("jbd2") < order.index("ext4")
    assert order.index("mbcache") < order.index("ext4")


def test_a_module_that_the_kernel_does_not_have_is_named() -> None:
    with pytest.raises(LabError, match="btrfs"):
        ramdisk.load_order(MODULES_DEP, ["btrfs"])


@pytest.mark.needs_tool("cpio")
def test_what_was_packed_is_what_linux_unpacks(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "bin").mkdir(parents=True)
    (tree / "bin/busybox").write_bytes(b"\x7fELF")
    (tree / "bin/busybox").chmod(0o755)
    (tree / "bin/sh").symlink_to("busybox")
    ramdisk.pack(tree, tmp_path / "image")
    unpacked = subprocess.run(["gzip", "-dc", tmp_path / "image"], capture_output=True, check=True).stdout
    assert unpacked.startswith(b"070701")  # newc, of Documentation/driver-api/early-userspace/buffer-format.rst
    (tmp_path / "out").mkdir()
    subprocess.run(["cpio", "-i", "--quiet"], cwd=tmp_path / "out", input=unpacked, check=True)
    assert (tmp_path / "out/bin/sh").read_bytes() == b"\x7fELF"
    assert (tmp_path / "out/bin/busybox").stat().st_mode & 0o777 == 0o755
