"""Which DRBD this node has: ``/proc/drbd`` while the module is loaded, ``drbdadm --version`` before."""

import re
from typing import Final

from saltern.errors import ParseError
from saltern.model.running import DrbdVersion

_PROC: Final = re.compile(r"version: ([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})[^\s()]* \(api:[^()]+\)")
_CODE: Final = re.compile(r"DRBD_KERNEL_VERSION_CODE=0x([0-9a-f]{6})")


def parse_proc_drbd(text: str) -> DrbdVersion:
    """The loaded module, from the first line of ``/proc/drbd`` (transcript 021)."""
    match = _PROC.fullmatch(text.partition("\n")[0])
    if match is None:
        raise ParseError("/proc/drbd", "the first line does not tell the version", text)
    return DrbdVersion(kernel=(int(match[1]), int(match[2]), int(match[3])), loaded=True)


def parse_drbdadm(text: str) -> DrbdVersion:
    """The module that drbdadm finds installed; 0x000000 means none (transcript 020).

    It does not tell whether the module is loaded: only ``/proc/drbd`` does, so that ``loaded`` is false here.
    """
    codes = [match[1] for match in map(_CODE.fullmatch, text.splitlines()) if match]
    if len(codes) != 1:
        raise ParseError("drbdadm --version", "not one line DRBD_KERNEL_VERSION_CODE", text)
    major, minor, patch = bytes.fromhex(codes[0])
    return DrbdVersion(kernel=(major, minor, patch) if any((major, minor, patch)) else None, loaded=False)
