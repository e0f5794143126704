"""The root file system of a node: Debian's packages, what the how-to for real nodes says, and the files of ``node/``."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from lab import needs, tool

HERE = Path(__file__).resolve().parent
NODE = HERE / "node"
PACKAGES = HERE / "node-packages.txt"
MASKED_UNITS = HERE / "masked-units.txt"
# What dpkg does not unpack. Of the drivers, a quarter of a gigabyte, a node needs those of its few devices.
LEFT_OUT = ("/usr/share/man/*", "/usr/share/locale/*", "/usr/share/doc/*", "/lib/modules/*/kernel/sound/*")
DRIVERS = "/lib/modules/*/kernel/drivers/"
KEPT_DRIVERS = (
    "block/*",
    "char/hw_random/*",
    "dax/*",
    "md/*",
    "net/net_failover*",
    "net/virtio_net*",
    "net/xen-*",
    "virtio/*",
    "xen/*",
)
# docs/howto/real-nodes.md, for the nodes of which the files in node/ are written
XENDOMAINS = "\nXENDOMAINS_SAVE=\nXENDOMAINS_RESTORE=false\nXENDOMAINS_AUTO=\n"
PRIVATE = ("root/.ssh",)
# What the host's own configuration has left behind: its archives, its resolver, its name, and what was logged about them.
TRACES = (
    "etc/apt/sources.list",
    "etc/apt/sources.list.d",
    "etc/apt/auth.conf.d",
    "etc/apt/apt.conf.d/99mmdebstrap",
    "etc/resolv.conf",
    "etc/hostname",
    "var/lib/apt/lists",
    "var/cache/apt",
    "var/log",
)


def listed(path: Path) -> list[str]:
    """The lines of a list that hold a word, without its comments."""
    return [
        line.strip()
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.strip() and not line.startswith("#")
    ]


def install(root: Path, log: Path, progress: tool.Progress) -> None:
    """Make Debian under ``root`` from the sources of this machine, as a node of the lab."""
    progress(f"Installing Debian 12 with {len(listed(PACKAGES))} packages and what they need: the longest step")
    tool.run(
        mmdebstrap(root),
        log=log,
        advice="Does `apt-get update` work on this machine? The image is made from the same sources.",
        on_line=lambda line: progress(f"  {line[3:]}") if line.startswith("I: ") else None,
    )
    clean(root)
    configure(root, log)


def mmdebstrap(root: Path) -> list[str]:
    """The command line that installs the packages under ``root``, which does not exist yet."""
    filters = [f"path-exclude={pattern}" for pattern in (*LEFT_OUT, DRIVERS + "*")]
    filters += [f"path-include={DRIVERS}{pattern}" for pattern in KEPT_DRIVERS]
    # The node boots from a ram disk of our own; Debian's is small then, and made quickly.
    small = 'mkdir -p "$1/etc/initramfs-tools/conf.d"; echo MODULES=list > "$1/etc/initramfs-tools/conf.d/lab.conf"'
    return [
        *("mmdebstrap", "--mode=root", "--variant=minbase", f"--essential-hook={small}"),
        *("--aptopt=Apt::Install-Recommends false", *(f"--dpkgopt={each}" for each in filters)),
        "--include=" + ",".join(listed(PACKAGES)),
        *(needs.RELEASE, str(root), *map(str, needs.debian_sources())),
    ]


def clean(root: Path) -> None:
    """Take away what names the archives and the network of the machine on which the image is built."""
    for trace in TRACES:
        path = root / trace
        for file in path.rglob("*") if path.is_dir() else (path,):
            if not file.is_dir():  # the directories of logs and caches belong to their packages
                file.unlink(missing_ok=True)


def configure(root: Path, log: Path) -> None:
    """Make a node of the lab of the Debian under ``root``."""
    lay(NODE, root)
    with (root / "etc/default/xendomains").open("a", encoding="utf-8") as file:
        file.write(XENDOMAINS)
    units = root / "etc/systemd/system"
    for unit in listed(MASKED_UNITS):
        (units / unit).unlink(missing_ok=True)
        (units / unit).symlink_to("/dev/null")
    advice = "This is a defect of lab/debian.py."
    tool.run(["chroot", str(root), "systemctl", "disable", "drbd.service"], log=log, advice=advice)
    tool.run(["chroot", str(root), "systemctl", "enable", "lab-identity.service"], log=log, advice=advice)
    tool.run(["chroot", str(root), "ssh-keygen", "-A"], log=log, advice=advice)


def lay(tree: Path, root: Path, private: Iterable[str] = PRIVATE) -> None:
    """Copy a tree over ``root``, replacing files; every mode follows from what a file is, whatever the umask of the checkout."""
    root.mkdir(exist_ok=True)
    for source in sorted(tree.rglob("*")):
        name = source.relative_to(tree)
        target = root / name
        if source.is_dir():
            target.mkdir(exist_ok=True)
            target.chmod(0o700 if str(name) in private else 0o755)
            continue
        target.unlink(missing_ok=True)
        shutil.copyfile(source, target, follow_symlinks=False)
        if not source.is_symlink():
            target.chmod(0o755 if source.stat().st_mode & 0o100 else 0o644)
