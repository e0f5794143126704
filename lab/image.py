"""The image of the nodes: built once for each content of what it is made from.

``DIRECTORY/image`` holds ``base.img`` (the whole disk of a node, raw ext4), ``xen``, ``vmlinux`` and ``initrd.img`` (what
QEMU starts), ``id_lab`` (the key with which root of the nodes is reached) and ``inputs`` (what it was made from). In
``base.img``, ``/var/lib/lab`` holds ``vmlinux`` and ``guest.img``, from which the guests start.
"""

import fcntl
import gzip
import lzma
import shutil
from hashlib import sha256
from pathlib import Path

from lab import debian, guest, needs, ramdisk, tool, wheels
from lab.errors import LabError

DISK_BYTES = 3 * 1024**3  # sparse: what is not used takes no room
TREES = ("node", "node-ramdisk", "guest")
CODE = ("debian.py", "guest.py", "image.py", "ramdisk.py", "wheels.py")
LISTS = ("node-packages.txt", "masked-units.txt")


def build(directory: Path, progress: tool.Progress = print) -> None:
    """Make ``directory/image``, unless what is there was made from the same inputs; takes about a minute.

    Raises LabError when something is missing here or a tool fails; the image that was there is then left as it is.
    """
    directory = directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "image.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another one may be building it
        made_from = inputs()
        image = directory / "image"
        if (image / "inputs").exists() and (image / "inputs").read_text(encoding="ascii") == made_from:
            return
        needs.check_to_build()
        unfinished = directory / "image.unfinished"
        _remove(unfinished, directory / "image.log")
        unfinished.mkdir()
        _make(unfinished, directory, progress)
        (unfinished / "inputs").write_text(made_from, encoding="ascii")
        shutil.rmtree(image, ignore_errors=True)
        unfinished.rename(image)
        progress("The image is ready")


def inputs() -> str:
    """A digest of all that the image is made from: lists, trees with their modes, code, and the versions of Salt's parts."""
    digest = sha256(repr(wheels.salt_closure()).encode())
    files = [debian.HERE / name for name in (*LISTS, *CODE)]
    files += [
        path
        for tree in TREES
        for path in sorted((debian.HERE / tree).rglob("*"))
        if not path.is_dir() or path.is_symlink()
    ]
    for path in files:
        content = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
        executable = not path.is_symlink() and bool(path.stat().st_mode & 0o100)
        digest.update(repr((str(path.relative_to(debian.HERE)), executable, content)).encode())
    return digest.hexdigest()


def elf_of(kernel: bytes) -> bytes:
    """The kernel inside a bzImage that is packed with xz, as Debian's is; raises LabError when there is none.

    Xen would unpack it at every start of a node and of a guest, which is slow in emulation.
    """
    start = kernel.find(b"\xfd7zXZ\x00")
    if start < 0:
        raise LabError("Debian's kernel is not packed with xz any more: lab/image.py must learn how it is packed now")
    return lzma.LZMADecompressor().decompress(kernel[start:])


def _remove(unfinished: Path, log: Path) -> None:
    """Remove what an interrupted build has left. Where that was killed, /proc and /sys of this machine are mounted in it."""
    advice = f"Something is still mounted there: `umount` what /proc/mounts names below {unfinished}, and begin again."
    tool.run(["rm", "-rf", "--one-file-system", str(unfinished)], log=log, advice=advice)


def _make(image: Path, directory: Path, progress: tool.Progress) -> None:
    log = directory / "image.log"
    log.write_text("")
    root = image / "root"
    salt = wheels.fetch(directory / "wheels", log, progress)
    debian.install(root, log, progress)
    progress("Installing Salt")
    wheels.install(salt, root, log)
    progress("Making what QEMU and the guests start from")
    _make_key(image, root, log)
    _make_boot_files(image, root, log)
    progress("Packing the disk")
    with (image / "base.img").open("wb") as file:
        file.truncate(DISK_BYTES)
    make = ["mke2fs", "-q", "-t", "ext4", "-J", "size=16", "-L", "lab", "-d", str(root), str(image / "base.img")]
    tool.run(make, log=log, advice="Is there room for another gigabyte?")
    shutil.rmtree(root)


def _make_key(image: Path, root: Path, log: Path) -> None:
    """The key by which the nodes let in the lab, and each other: xl migrates over ssh."""
    key = image / "id_lab"
    make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(key)]
    tool.run(make, log=log, advice="This is a defect of lab/image.py.")
    home = root / "root/.ssh"
    for source, target in ((key, "id_ed25519"), (key.with_suffix(".pub"), "authorized_keys")):
        shutil.copyfile(source, home / target)
        (home / target).chmod(0o600)


def _make_boot_files(image: Path, root: Path, log: Path) -> None:
    (kernel,) = (root / "boot").glob("vmlinuz-*")
    (xen,) = (root / "boot").glob("xen-*.gz")
    (image / "vmlinux").write_bytes(elf_of(kernel.read_bytes()))
    (image / "xen").write_bytes(gzip.decompress(xen.read_bytes()))
    tree = image / "ramdisk"
    ramdisk.of_node(tree, root, image / "initrd.img")
    shutil.rmtree(tree)
    place = root / "var/lib/lab"
    place.mkdir(parents=True)
    shutil.copyfile(image / "vmlinux", place / "vmlinux")
    guest.ram_disk(root, place / "guest.img", log)
