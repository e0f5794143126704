"""What the kernel answers when it refuses, in numbers, words and exit codes (drbd.h, drbd_strings.c, drbdsetup.c)."""

from enum import IntEnum


class Code(IntEnum):
    """Error numbers: above 100 the request was wrong, below 0 the change of state is not allowed."""

    LOCAL_ADDRESS = 102
    OPEN_DISK = 104
    OPEN_MD_DISK = 105
    DISK_TOO_SMALL = 111
    MD_DISK_TOO_SMALL = 112
    MD_INDEX_INVALID = 116
    MD_INVALID = 119
    DISCARD_IMPOSSIBLE = 123
    DISK_CONFIGURED = 124
    NET_CONFIGURED = 125
    MANDATORY_TAG = 126
    MINOR_INVALID = 127
    RESIZE_RESYNC = 130
    NO_PRIMARY = 131
    PAUSE_IS_SET = 135
    PAUSE_IS_CLEAR = 136
    NO_DISK = 138
    NOT_PROTOCOL_C = 139
    DATA_NOT_CURRENT = 150
    CONNECTED = 151
    STONITH_AND_PROTOCOL_A = 154
    RES_NOT_KNOWN = 158
    RES_IN_USE = 159
    MINOR_CONFIGURED = 160
    MINOR_OR_VOLUME_EXISTS = 161
    INVALID_REQUEST = 162
    NEED_ALLOW_TWO_PRIMARIES = 164
    MD_UNCLEAN = 165
    TWO_PRIMARIES = -1
    NO_UP_TO_DATE_DISK = -2
    NO_LOCAL_DISK = -4
    NO_REMOTE_DISK = -5
    PRIMARY_NOP = -7
    RESYNC_RUNNING = -8
    REFUSED_BY_PEER = -10
    IS_DISKLESS = -11
    DEVICE_IN_USE = -12
    NO_VERIFY_ALG = -14
    NEED_CONNECTION = -15
    LOWER_THAN_OUTDATED = -16
    TIMEOUT = -23
    WEAKLY_CONNECTED = -24
    NO_QUORUM = -25


_TEXTS = {
    Code.LOCAL_ADDRESS: "Local address(port) already in use.",
    Code.OPEN_DISK: "Can not open backing device.",
    Code.OPEN_MD_DISK: "Can not open meta device.",
    Code.DISK_TOO_SMALL: "Low.dev. smaller than requested DRBD-dev. size.",
    Code.MD_DISK_TOO_SMALL: "Meta device too small.",
    Code.MD_INDEX_INVALID: "Lower device / meta device / index combination invalid.",
    Code.MD_INVALID: (
        "No valid meta-data signature found.\n\n\t==> Use 'drbdadm create-md res' to initialize meta-data area. <==\n"
    ),
    Code.DISCARD_IMPOSSIBLE: "--discard-my-data not allowed when primary.",
    Code.DISK_CONFIGURED: "Device is attached to a disk (use detach first)",
    Code.NET_CONFIGURED: "Device has a net-config (use disconnect first)",
    Code.MANDATORY_TAG: "UnknownMandatoryTag",
    Code.MINOR_INVALID: "Device minor not allocated",
    Code.RESIZE_RESYNC: "Resize not allowed during resync.",
    Code.NO_PRIMARY: "Need one Primary node to resize.",
    Code.PAUSE_IS_SET: "Sync-pause flag is already set",
    Code.PAUSE_IS_CLEAR: "Sync-pause flag is already cleared",
    Code.NO_DISK: "Device does not have a disk-config",
    Code.NOT_PROTOCOL_C: "Protocol C required",
    Code.DATA_NOT_CURRENT: "Can only attach to the data we lost last (see kernel log).",
    Code.CONNECTED: "Need to be StandAlone",
    Code.STONITH_AND_PROTOCOL_A: "Fencing policy resource-and-stonith only with prot B or C allowed",
    Code.RES_NOT_KNOWN: "Unknown resource",
    Code.RES_IN_USE: "Resource still in use (delete all minors first)",
    Code.MINOR_CONFIGURED: "Minor still configured (down it first)",
    Code.MINOR_OR_VOLUME_EXISTS: "Minor or volume exists already (delete it first)",
    Code.INVALID_REQUEST: "Invalid configuration request",
    Code.NEED_ALLOW_TWO_PRIMARIES: ("Can not clear allow_two_primaries as long as\nthere a primaries on both sides"),
    Code.MD_UNCLEAN: "Unclean meta-data found.\nYou need to 'drbdadm apply-al res'\n",
    Code.TWO_PRIMARIES: "Multiple primaries not allowed by config",
    Code.NO_UP_TO_DATE_DISK: "Need access to UpToDate data",
    Code.NO_LOCAL_DISK: "Can not resync without local disk",
    Code.NO_REMOTE_DISK: "Can not resync without remote disk",
    Code.PRIMARY_NOP: "Refusing to be Primary while peer is not outdated",
    Code.RESYNC_RUNNING: "Can not start OV/resync since it is already active",
    Code.REFUSED_BY_PEER: "State change was refused by peer node",
    Code.IS_DISKLESS: "Device is diskless, the requested operation requires a disk",
    Code.DEVICE_IN_USE: "Device is held open by someone",
    Code.NO_VERIFY_ALG: "Need a verify algorithm to start online verify",
    Code.NEED_CONNECTION: "Need a connection to start verify or resync",
    Code.LOWER_THAN_OUTDATED: "Disk state is lower than outdated",
    Code.TIMEOUT: "Timeout in operation",
    Code.WEAKLY_CONNECTED: "Primary nodes must be strongly connected among each other",
    Code.NO_QUORUM: "No quorum",
}
_STATE_EXITS = {Code.NO_UP_TO_DATE_DISK: 17, Code.LOWER_THAN_OUTDATED: 5, Code.NO_LOCAL_DISK: 16}


class Failure(Exception):
    """The kernel refused; nothing was changed. ``info`` is what it adds as "additional info from kernel"."""

    def __init__(self, code: Code, info: str = "") -> None:
        super().__init__(f"{code.name} {info}".strip())
        self.code = code
        self.info = info

    @property
    def returncode(self) -> int:
        """What drbdsetup ends with."""
        return 10 if self.code > 0 else _STATE_EXITS.get(self.code, 11)

    def message(self, subject: str) -> str:
        """What drbdsetup prints about ``subject``, a minor number or a resource name."""
        kind = "Failure" if self.code > 0 else "State change failed"
        info = f"additional info from kernel:\n{self.info}\n" if self.info else ""
        return f"{subject}: {kind}: ({self.code.value}) {_TEXTS[self.code]}\n{info}"
