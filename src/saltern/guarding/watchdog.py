"""Xen's own watchdog: it resets the machine from inside the hypervisor, whatever has become of the kernel and the guard.

One timer of two that a domain has (``SCHEDOP_watchdog``, xen/common/sched/core.c): number 0 makes one and tells its number, that
number winds it up again, and a timeout of 0 takes it away. It outlives the process, and a guard that is started again goes on
with it; two timers would be one too many, for nobody winds up the first. xenwatchdogd winds its timer up by itself, whatever
becomes of leases, and is no help.
"""

import ctypes
import errno
import os
from typing import Final, Protocol

from saltern.errors import FileError
from saltern.guarding.store import GuardStore
from saltern.run import Host

_NEW: Final = 0
_VERSION: Final = "/sys/hypervisor/version"
_REMEDY: Final = "A guard runs in Xen's Domain-0, as root, with the package libxenmisc of this version of Xen"


class Watchdog(Protocol):
    """What resets this machine when nobody winds it up any more."""

    def wind_up(self, timeout_s: int) -> None:
        """It resets the machine after that time, unless it is wound up again. Raises ``FileError`` where that cannot be had."""
        ...

    def disarm(self) -> None:
        """It resets nothing any more."""
        ...


class XenWatchdog:
    """The watchdog of Domain-0."""

    def __init__(self, host: Host, store: GuardStore) -> None:
        self._store = store
        self._number = store.watchdog()
        self._library = _library(host)
        self._handle = self._library.xc_interface_open(None, None, 0)
        if not self._handle:
            raise _failed("xc_interface_open", ctypes.get_errno())

    def wind_up(self, timeout_s: int) -> None:
        """See ``Watchdog``."""
        if self._number is not None and self._call(self._number, timeout_s) >= 0:
            return
        number = self._call(_NEW, timeout_s)
        if number < 0:
            raise _failed("xc_watchdog", ctypes.get_errno())
        self._store.keep_watchdog(number)
        self._number = number

    def disarm(self) -> None:
        """See ``Watchdog``."""
        if self._number is not None:
            if self._call(self._number, 0) < 0 and ctypes.get_errno() != errno.EINVAL:  # it is not in use
                raise _failed("xc_watchdog", ctypes.get_errno())
            self._store.keep_watchdog(None)
            self._number = None

    def _call(self, number: int, timeout_s: int) -> int:
        return int(self._library.xc_watchdog(self._handle, number, timeout_s))


def _library(host: Host) -> ctypes.CDLL:
    """The libxenctrl of the Xen that runs: others may be installed beside it (Debian's libxenmisc4.17 has libxenctrl.so.4.17)."""
    major, minor = host.read_text(f"{_VERSION}/major"), host.read_text(f"{_VERSION}/minor")
    if major is None or minor is None:
        raise FileError(_VERSION, "this machine does not run Xen", _REMEDY)
    name = f"libxenctrl.so.{major.strip()}.{minor.strip()}"
    try:
        library = ctypes.CDLL(name, use_errno=True)
    except OSError as error:
        raise FileError(name, f"it cannot be loaded ({error})", _REMEDY) from error
    library.xc_interface_open.restype = ctypes.c_void_p
    library.xc_interface_open.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint)
    library.xc_watchdog.restype = ctypes.c_int
    library.xc_watchdog.argtypes = (ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32)
    return library


def _failed(call: str, number: int) -> FileError:
    reason = "both timers are in use" if number == errno.ENOSPC else os.strerror(number)
    return FileError("Xen's watchdog", f"{call} failed: {reason}", _REMEDY)
