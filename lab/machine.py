"""One node as a QEMU machine under software emulation: its hardware, its power, and the text on its console."""

import re
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab import process
from lab.errors import LabError
from lab.files import copy_sparse, write_whole
from lab.monitor import Monitor
from lab.patience import patient, wait_until

MEMORY_MIB = 2048
DOM0_MIB = 900
DATA_DISK_BYTES = 2 * 1024**3
MASTER_ADDRESS = "10.0.2.100"  # at which a node finds the Salt master, on the ports that Salt uses by default
WITNESS_PORT = 7781  # at the same address, the default of a topology
BOARD_PORT = 443  # there as well, the management boards of all nodes
CONSOLE_LINES = 40
STOP_TRIES = 400
STOP_PAUSE_S = 0.02

# Every one of these has cost a day:
# smap, smep: with them dom0 crashes at boot under QEMU 7.2.
# xsave, avx...: with AVX, and with lazily saved FPU registers (eager-fpu below), registers of one domain reach another.
CPU = "max,-smap,-smep,-xsave,-avx,-avx2,-f16c,-fma,-rdtscp"
XEN = (
    f"dom0_mem={DOM0_MIB}M,max:{DOM0_MIB}M console=com1 com1=115200,8n1 noreboot no-real-mode edd=off vga=keep smt=0 "
    "spec-ctrl=no,eager-fpu xpti=no pv-l1tf=no loglvl=warning guest_loglvl=warning sched=credit ucode=no"
)
LINUX = (
    "root=/dev/vda console=hvc0 earlyprintk=xen quiet net.ifnames=0 mitigations=off nokaslr random.trust_cpu=on "
    "systemd.show_status=0 audit=0 selinux=0 apparmor=0"
)


@dataclass(frozen=True)
class Wiring:
    """Where a machine meets the rest: ports of loopback, and the directory of Unix sockets (short: 107 characters)."""

    ssh_port: int
    link_port: int
    partner_link_port: int
    publish_port: int
    return_port: int
    witness_port: int
    board_port: int
    sockets: Path


class Machine:
    """A machine with the disks ``NAME.root`` and ``NAME.data`` under ``run``; it runs on when this process ends."""

    def __init__(self, number: int, image: Path, run: Path, wiring: Wiring) -> None:
        self.number = number
        self.name = f"node{number}"
        self.wiring = wiring
        self.root_disk = run / f"{self.name}.root"
        self.data_disk = run / f"{self.name}.data"
        self.console = run / f"{self.name}.console"
        self._image = image
        self._log = run / f"{self.name}.qemu.log"
        self._disks_of = run / f"{self.name}.disks-of"
        self.record = run / f"{self.name}.pid"
        self._socket = wiring.sockets / f"{self.name}.qmp"

    @property
    def running(self) -> bool:
        """Whether its QEMU runs."""
        return process.running(self.record) is not None

    def new_disks(self) -> None:
        """Give it the disks of a machine that was just bought: the image, and an empty second one."""
        self.unmark_disks()
        for path in (self.root_disk, self.data_disk):
            path.unlink(missing_ok=True)
        copy_sparse(self._image / "base.img", self.root_disk)
        with self.data_disk.open("wb") as disk:
            disk.truncate(DATA_DISK_BYTES)
        self.mark_disks()

    def unmark_disks(self) -> None:
        """Have it without disks until they are marked: what is half written is none."""
        self._disks_of.unlink(missing_ok=True)

    def mark_disks(self) -> None:
        """Remember from which image its disks come."""
        write_whole(self._disks_of, image_identity(self._image))

    @property
    def has_disks(self) -> bool:
        """Whether it has disks, and they come from the image as it is now."""
        if not self._disks_of.exists():
            return False
        return self._disks_of.read_text(encoding="ascii") == image_identity(self._image)

    def start(self, *, incoming: Path | None = None, link: bool = True) -> None:
        """Switch it on; with ``incoming``, load that memory instead and stay stopped at the moment it was saved."""
        if self.running:
            raise LabError(f"{self.name} is running already")
        if not self.has_disks:
            raise LabError(
                f"{self.name} has no whole disks of this image; `lab reinstall {self.name}` gives it new ones"
            )
        self._socket.unlink(missing_ok=True)
        saved = [] if incoming is None else ["-incoming", f"exec:cat {shlex.quote(str(incoming))}"]
        process.spawn([*self.argv(), "-S", *saved], record=self.record, log=self._log)
        self.wait_for(self._socket.exists, "QEMU has opened its monitor", timeout_s=30)
        process.prefer(self.record)
        self.link(link)
        if incoming is None:
            self.resume()
        else:
            self.wait_for(lambda: self.status() != "inmigrate", "its memory has been loaded", timeout_s=120)

    def cut_power(self) -> None:
        """End it at once. What was written to its disks stays: they are raw files, behind the cache of this machine."""
        process.kill(self.record)

    def monitor(self) -> Monitor:
        """A connection to its monitor."""
        return Monitor(self._socket, patient(30))

    def status(self) -> str:
        """What QEMU is doing: running, paused, inmigrate, postmigrate ... (RunState of QMP)."""
        with self.monitor() as monitor:
            return str(monitor.execute("query-status")["status"])

    def stop(self) -> None:
        """Freeze it, so that its memory can be saved: its processor stands still, and what it has written is on its disks.

        In the middle of a domain with hardware virtualisation (SVM) QEMU would save what it does not load again ("vCPU set in
        guest-mode inconsistent"), so it is frozen while its processor is Xen's or dom0's.
        """
        with self.monitor() as monitor:
            for _ in range(STOP_TRIES):
                monitor.execute("stop")
                if xen_has_processor(monitor.execute("human-monitor-command", **{"command-line": "info registers"})):
                    return
                monitor.execute("cont")
                time.sleep(STOP_PAUSE_S)
        raise LabError(f"{self.name}: at {STOP_TRIES} moments in a row a domain had the processor; snapshot it later")

    def resume(self) -> None:
        """Let it run on."""
        with self.monitor() as monitor:
            monitor.execute("cont")

    def link(self, plugged: bool) -> None:
        """Plug or pull the cable to the other node."""
        self._plug("link", plugged)

    def outside(self, plugged: bool) -> None:
        """Plug or pull the cable to everybody else: the master, the witness, and the lab itself."""
        self._plug("outside", plugged)

    def _plug(self, cable: str, plugged: bool) -> None:
        with self.monitor() as monitor:
            monitor.execute("set_link", name=cable, up=plugged)

    def freeze(self) -> None:
        """Have it stand still, its clocks as well, until it is resumed."""
        with self.monitor() as monitor:
            monitor.execute("stop")

    def save_memory(self, path: Path) -> None:
        """Write the memory and all devices of the frozen machine to a file, for ``start(incoming=...)``."""
        with self.monitor() as monitor:
            monitor.execute("migrate-set-parameters", **{"max-bandwidth": 1 << 40})
            monitor.execute("migrate", uri=f"exec:cat > {shlex.quote(str(path))}")
        self.wait_for(self._saved, f"its memory is in {path}", timeout_s=120)

    def _saved(self) -> bool:
        with self.monitor() as monitor:
            found = monitor.execute("query-migrate")
        if found.get("status") in ("failed", "cancelled"):
            raise LabError(f"{self.name}: QEMU could not save its memory: {found.get('error-desc', 'no reason given')}")
        return bool(found.get("status") == "completed")

    def console_tail(self, lines: int = CONSOLE_LINES) -> str:
        """The last lines on its console, and where all of it is; also what QEMU itself complained about."""
        text = self.console.read_text(encoding="utf-8", errors="replace") if self.console.exists() else ""
        said = self._log.read_text(encoding="utf-8", errors="replace").strip() if self._log.exists() else ""
        tail = "\n".join(text.replace("\r", "").rstrip().splitlines()[-lines:]) or "(nothing on its console)"
        qemu = f"\n--- QEMU says\n{said}" if said else ""
        return f"--- the end of the console of {self.name}, all of it is in {self.console}\n{tail}{qemu}"

    def wait_for(self, holds: Callable[[], bool], what: str, *, timeout_s: float) -> None:
        """Wait until ``holds``; raises LabError as soon as QEMU has ended, TimedOut after ``timeout_s``."""

        def asked() -> bool:
            if not self.running:
                raise LabError(f"{self.name}: QEMU has ended before {what}\n{self.console_tail()}")
            return holds()

        wait_until(asked, f"{self.name}: {what}", timeout_s=timeout_s, interval_s=0.1)

    def argv(self) -> list[str]:
        """QEMU's command line."""
        wiring = self.wiring
        linux = f"{_escaped(self._image / 'vmlinux')} {LINUX} lab.node={self.number}"  # no comma in it
        outside = ["user,id=outside,restrict=on", f"hostfwd=tcp:127.0.0.1:{wiring.ssh_port}-:22"]
        # A process for each connection: the other form of guestfwd carries one connection in all.
        outside += [
            f"guestfwd=tcp:{MASTER_ADDRESS}:{port}-cmd:socat - TCP4:127.0.0.1:{at}"
            for port, at in (
                (4505, wiring.publish_port),
                (4506, wiring.return_port),
                (WITNESS_PORT, wiring.witness_port),
                (BOARD_PORT, wiring.board_port),
            )
        ]
        # A pair of UDP sockets, so that either side can come and go.
        link = f"socket,id=link,udp=127.0.0.1:{wiring.partner_link_port},localaddr=127.0.0.1:{wiring.link_port}"
        return [
            "qemu-system-x86_64",
            *("-kernel", str(self._image / "xen"), "-initrd", f"{linux},{_escaped(self._image / 'initrd.img')}"),
            # cache=unsafe spares this machine the flushes; a raw file still loses nothing when QEMU alone is killed.
            *("-drive", f"file={_escaped(self.root_disk)},if=none,id=root,cache=unsafe,discard=unmap,format=raw"),
            *("-drive", f"file={_escaped(self.data_disk)},if=none,id=data,cache=unsafe,discard=unmap,format=raw"),
            *("-netdev", ",".join(outside), "-netdev", link),
            *("-serial", f"file:{self.console}", "-qmp", f"unix:{self._socket},server=on,wait=off"),
            *hardware(self.number),
        ]


def hardware(number: int) -> list[str]:
    """What a snapshot depends on of the command line of a machine: nothing in it names a port or a directory."""
    return [
        *("-name", f"node{number}", "-machine", "pc", "-accel", "tcg,thread=multi,tb-size=512", "-cpu", CPU),
        *("-smp", "1", "-m", str(MEMORY_MIB), "-nographic", "-nodefaults", "-no-reboot", "-display", "none"),
        *("-append", XEN),  # QEMU passes it on as it is, with its commas
        *("-device", "virtio-blk-pci,drive=root", "-device", "virtio-blk-pci,drive=data"),
        *("-device", f"virtio-net-pci,netdev=outside,mac=52:54:00:00:00:0{number},romfile="),
        *("-device", f"virtio-net-pci,netdev=link,mac=52:54:00:00:01:0{number},romfile="),
        *("-device", "virtio-rng-pci"),
    ]


def image_identity(image: Path) -> str:
    """What is another one when the image was built again, without reading gigabytes."""
    files = [
        (path.name, path.stat()) for path in (image / name for name in ("base.img", "xen", "vmlinux", "initrd.img"))
    ]
    return repr([(name, stat.st_size, stat.st_mtime_ns) for name, stat in files])


def xen_has_processor(registers: str) -> bool:
    """Whether the processor runs Xen or a paravirtualised domain such as dom0, from what QEMU prints of its registers.

    Both have the interrupt descriptor table that is part of Xen (XEN_VIRT_START, xen/arch/x86/include/asm/config.h);
    a domain with hardware virtualisation has one of its own.
    """
    return re.search(r"^IDT=\s+ffff82d0", registers, re.MULTILINE) is not None


def _escaped(path: Path) -> str:
    """A path inside a list of options that QEMU splits at commas."""
    return str(path).replace(",", ",,")
