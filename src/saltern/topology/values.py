"""How single values of a topology are read: one kind for each sort of value, exact, never a traceback.

YAML turns much of what people write into something else (``no`` into false, ``10:20:30:40:50:10`` into a number).
Each kind therefore says what it found in the words of the person who wrote it.
"""

import ipaddress
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from saltern.errors import SizeError
from saltern.model.topology import MetaDisk
from saltern.units import MIB, format_size, parse_size

MAX_SHOWN = 60


class Wrong(Exception):
    """A value that its kind does not accept. It never leaves the loader, which adds the path."""

    def __init__(self, rule: str, found: str, allowed: str, remedy: str) -> None:
        super().__init__(rule, found, allowed, remedy)
        self.rule, self.found, self.allowed, self.remedy = rule, found, allowed, remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A sort of value: its name, what is allowed in words, and the function that reads it or raises ``Wrong``."""

    name: str
    allowed: str
    read: Callable[[object], Any]


def describe(value: object) -> str:
    """What stands there, in words and never longer than a line."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true (or yes, on)" if value else "false (or no, off)"
    if isinstance(value, int):
        # Python refuses to print numbers of more than 4300 digits.
        return f"the number {value}" if abs(value) < 10**MAX_SHOWN else "a number that is far too large"
    if isinstance(value, float):
        return f"the number {value!r}"
    if isinstance(value, str):
        return f"the text {value[:MAX_SHOWN]!r}{'...' if len(value) > MAX_SHOWN else ''}"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    return f"a value of type {type(value).__name__}"


def _wrong_type(value: object, allowed: str) -> Wrong:
    if value is None:
        remedy = "write a value, or take the key out"
    elif isinstance(value, str):
        remedy = "write it without quotes"
    elif isinstance(value, bool):
        remedy = "YAML reads yes, no, on and off as booleans: write it in quotes"
    else:
        remedy = "write it in quotes, so that YAML reads it as text"
    return Wrong("type", describe(value), allowed, remedy)


def _matching(rule: str, allowed: str, pattern: str, remedy: str, reserved: Collection[str] = ()) -> Kind:
    fullmatch = re.compile(pattern, re.ASCII).fullmatch

    def read(value: object) -> str:
        if not isinstance(value, str):
            raise _wrong_type(value, allowed)
        if fullmatch(value) is None:
            raise Wrong(rule, describe(value), allowed, remedy)
        if value in reserved:
            raise Wrong(rule, f"the reserved name {value!r}", allowed, remedy)
        return value

    return Kind(name=rule, allowed=allowed, read=read)


def integer(rule: str, low: int, high: int) -> Kind:
    """A whole number from ``low`` to ``high``."""
    allowed = f"a whole number from {low} to {high}"

    def read(value: object) -> int:
        if type(value) is not int:
            remedy = "write it without quotes" if isinstance(value, str) else "write a whole number"
            raise Wrong("type", describe(value), allowed, remedy)
        if not low <= value <= high:
            raise Wrong(rule, describe(value), allowed, "choose another number")
        return value

    return Kind(name=rule, allowed=allowed, read=read)


def one_of(rule: str, choices: Collection[str], why: str = "choose one of these") -> Kind:
    """One of a few words; a boolean counts as ``yes`` or ``no``."""
    allowed = " or ".join(choices)

    def read(value: object) -> str:
        word = _BOOLEAN_WORDS[value] if isinstance(value, bool) else value
        if not isinstance(word, str):
            raise _wrong_type(value, allowed)
        if word not in choices:
            raise Wrong(rule, describe(value), allowed, why)
        return word

    return Kind(name=rule, allowed=allowed, read=read)


def number(rule: str, low: float, high: float, unit: str) -> Kind:
    """A number from ``low`` to ``high``, whole or not."""
    allowed = f"{unit} from {low:g} to {high:g}"

    def read(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            remedy = "write it without quotes" if isinstance(value, str) else "write a number"
            raise Wrong("type", describe(value), allowed, remedy)
        if not low <= value <= high:
            raise Wrong(rule, describe(value), allowed, "choose another number")
        return float(value)

    return Kind(name=rule, allowed=allowed, read=read)


_BOOLEAN_WORDS: Final = {True: "yes", False: "no"}
_parse_size = lru_cache(maxsize=4096)(parse_size)


def size(low_bytes: int, high_bytes: int, step_bytes: int = 1) -> Kind:
    """A size from ``low_bytes`` to ``high_bytes`` in whole multiples of ``step_bytes``; read as bytes."""
    allowed = f"a size from {format_size(low_bytes)} to {format_size(high_bytes)} such as 2G or 512M"
    if step_bytes > 1:
        allowed += f", in steps of {format_size(step_bytes)}"

    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, str | int):
            remedy = "write it as text with a unit, such as 1.5G" if isinstance(value, float) else "write a size"
            raise Wrong("type", describe(value), allowed, remedy)
        try:
            size_bytes = _parse_size(value) if isinstance(value, str) else value
        except SizeError as error:
            raise Wrong("size", f"{describe(value)} ({error.reason})", allowed, "write a size with a unit") from error
        if not low_bytes <= size_bytes <= high_bytes or size_bytes % step_bytes:
            remedy = "a number without a unit counts bytes: write the unit too" if isinstance(value, int) else ""
            raise Wrong("size", describe(value), allowed, remedy or "choose another size")
        return size_bytes

    return Kind(name="size", allowed=allowed, read=read)


# --- Names -------------------------------------------------------------------------------------------------------
# They become file names, DRBD resource names and arguments of xl: `all` means every resource to drbdadm, digits alone
# are a domain id to xl, and the two endings are what xl calls a domain in the middle of a migration.
NAME: Final = _matching(
    "name",
    "1 to 48 letters, digits, `_`, `.` and `-`, at least one of them a letter, and a letter or a digit first",
    r"(?!.*--(?:incoming|migratedaway)$)(?=.*[A-Za-z])[A-Za-z0-9][A-Za-z0-9_.-]{0,47}",
    "choose another name (`all`, `Domain-0` and names of migrating domains are reserved)",
    reserved=frozenset({"all", "Domain-0"}),
)
RESOURCE: Final = _matching(
    "name", NAME.allowed.replace("48", "64"), r"(?=.*[A-Za-z])[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", "choose another name",
    reserved=frozenset({"all"}),
)  # fmt: skip
NODE: Final = _matching(
    "name",
    "the host name that `uname -n` prints: at most 64 letters, digits, `_`, `.` and `-`",
    r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,62}[A-Za-z0-9])?",
    "write the host name",
)
CLUSTER: Final = _matching(
    "name", NAME.allowed, r"(?=.*[A-Za-z])[A-Za-z0-9][A-Za-z0-9_.-]{0,47}", "choose another name"
)
DEVICE: Final = _matching(
    "device",
    "a device of the guest such as xvda, sdb or hda, with a partition number where wanted",
    r"(?:xvd[a-z]{1,2}|sd[a-p]|hd[a-d])(?:[1-9][0-9]?)?",
    "write xvda for the first disk, xvdb for the second",
)
BRIDGE: Final = _matching(
    "bridge",
    "the name of a bridge such as xenbr0: at most 15 characters",  # IFNAMSIZ of Linux, with the zero at its end
    r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,14}",
    "write the bridge's name",
)
DISK_OF_A_DOMAIN: Final = _matching(
    "name", "a domain and its device such as dns/xvda", r"[A-Za-z0-9_.-]{1,48}/[a-z]{3,5}[0-9]{0,2}", "allocate again"
)
INTERFACE_LABEL: Final = _matching(
    "bridge", "a bridge such as xenbr0, or xenbr0/2", r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,70}", "allocate again"
)

# lvm(8), VALID NAMES.
_LVM_RESERVED = (
    "_cdata|_cmeta|_corig|_cpool|_cvol|_imeta|_iorig|_mimage|_mlog|_pmspare|_rimage|_rmeta|_tdata|_tmeta|_vdata|"
    "_vorigin|_wcorig"
)
_LVM_NAME = r"(?!\.\.?$)[A-Za-z0-9_+.][A-Za-z0-9_+.-]{0,126}"
VOLUME: Final = _matching(
    "lvm-name",
    "a name of lvm(8): letters, digits, `_`, `+`, `.` and `-`, none of its reserved names, no `-` first",
    rf"(?!snapshot|pvmove)(?!.*(?:{_LVM_RESERVED})){_LVM_NAME}",
    "choose another name for the volume",
)
VOLUME_GROUP: Final = _matching(
    "lvm-name", "a name of lvm(8): letters, digits, `_`, `+`, `.` and `-`, no `-` first", _LVM_NAME, "write its name"
)


# --- Numbers that are allocated or written ------------------------------------------------------------------------
MINOR: Final = integer("minor", 0, 255)  # the bound of DRBD 8.4, so that a topology fits both generations
PORT: Final = integer("port", 1, 65535)
SECONDS: Final = number("lease", 0, 86_400, "seconds")
DRIFT: Final = number("lease", 0, 0.1, "a fraction")
AGENT_SECONDS: Final = number("fence-agent", 1, 3600, "seconds")
NODE_ID: Final = integer("node-id", 0, 31)  # DRBD_PEERS_MAX of DRBD 9
MAX_SLOT: Final = 255
SLOT: Final = integer("meta-disk", 0, MAX_SLOT)

_META_DISK: Final = re.compile(r"(?P<volume>[^\[\]]+)(?:\[(?P<index>[0-9]{1,3})\])?", re.ASCII)
_META_DISK_ALLOWED: Final = f"a volume and its slot such as meta[1] (0 to {MAX_SLOT}), or meta alone to be given a slot"


def _read_meta_disk(value: object) -> MetaDisk:
    if not isinstance(value, str):
        raise _wrong_type(value, _META_DISK_ALLOWED)
    match = _META_DISK.fullmatch(value)
    if match is None:
        raise Wrong("meta-disk", describe(value), _META_DISK_ALLOWED, "write it as meta[1]")
    index = None if match["index"] is None else SLOT.read(int(match["index"]))
    return MetaDisk(volume=VOLUME.read(match["volume"]), index=index, shared=True)


META_DISK: Final = Kind(name="meta-disk", allowed=_META_DISK_ALLOWED, read=_read_meta_disk)


def _read_slot(value: object) -> MetaDisk:
    meta_disk = _read_meta_disk(value)
    if meta_disk.index is None:
        raise Wrong("meta-disk", describe(value), SLOT_IN_META_DISK.allowed, "allocate again")
    return meta_disk


def _read_recorded_meta_disk(value: object) -> MetaDisk:
    meta_disk = _read_meta_disk(value)
    return meta_disk if meta_disk.index is not None else MetaDisk(volume=meta_disk.volume)


SLOT_IN_META_DISK: Final = Kind(name="meta-disk", allowed="a volume and its slot such as meta[1]", read=_read_slot)
RECORDED_META_DISK: Final = Kind(
    name="meta-disk",
    allowed="a volume of its own such as dns_meta, or a shared one and its slot such as meta[1]",
    read=_read_recorded_meta_disk,
)


def _read_node_ids(value: object) -> tuple[int, int]:
    allowed = "two different numbers from 0 to 31, home first: [0, 1]"
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise Wrong("type", describe(value), allowed, "write both, in brackets")
    home, partner = NODE_ID.read(value[0]), NODE_ID.read(value[1])
    if home == partner:
        raise Wrong("node-id", f"the number {home} for both nodes", allowed, "give each node its own")
    return home, partner


NODE_IDS: Final = Kind(name="node-ids", allowed="two different numbers from 0 to 31, home first", read=_read_node_ids)


# --- Addresses ---------------------------------------------------------------------------------------------------
_MAC: Final = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}", re.IGNORECASE | re.ASCII)
_MAC_ALLOWED: Final = "a unicast MAC address such as 00:16:3e:12:34:56"


def _read_mac(value: object) -> str:
    if type(value) is int:
        remedy = "YAML reads digits and colons as one number: write the address in quotes"
        raise Wrong("type", describe(value), _MAC_ALLOWED, remedy)
    if not isinstance(value, str):
        raise _wrong_type(value, _MAC_ALLOWED)
    if _MAC.fullmatch(value) is None:
        raise Wrong("mac", describe(value), _MAC_ALLOWED, "write six pairs of hexadecimal digits with colons between")
    if int(value[1], 16) & 1:
        raise Wrong("mac", f"the group address {value}", _MAC_ALLOWED, "the first pair must be even")
    return value.lower()


MAC: Final = Kind(name="mac", allowed=_MAC_ALLOWED, read=_read_mac)

UUID: Final = _matching(
    "uuid",
    "a UUID in lower case such as 0c5be1a6-3f58-5d3c-a77c-2f6b2e8d9f10",
    r"(?!00000000-0000-0000-0000-000000000000$)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "write it as `uuidgen` prints it",
)


def _read_address(value: object) -> str:
    allowed = "an IPv4 or IPv6 address such as 192.168.1.190"
    if not isinstance(value, str):
        raise _wrong_type(value, allowed)
    try:
        address = ipaddress.ip_address(value)
    except ValueError as error:
        raise Wrong("address", describe(value), allowed, "write the address, not a host name") from error
    if "%" in value or not _is_reachable(address):
        raise Wrong("address", describe(value), allowed, "write an address that the partner can connect to")
    return str(address)


def _is_reachable(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address is one of a single host that another can connect to."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return False
    special = address.is_multicast or address.is_unspecified or address.is_loopback
    # 0.0.0.0/8 (RFC 6890). IPv6 needs to know on which link; 169.254.0.0/16 may be that of a crossover cable.
    nowhere = address.is_link_local if address.version == 6 else int(address) < 2**24
    return not special and not nowhere and int(address) != 2**32 - 1


ADDRESS: Final = Kind(name="address", allowed="an IPv4 or IPv6 address", read=_read_address)


def _read_network(value: object) -> str:
    allowed = "a network such as 192.168.1.0/24"
    if not isinstance(value, str):
        raise _wrong_type(value, allowed)
    try:
        return str(ipaddress.ip_network(value))
    except ValueError as error:
        raise Wrong("network", describe(value), allowed, "write the first address and the prefix length") from error


NETWORK: Final = Kind(name="network", allowed="a network in CIDR notation", read=_read_network)


# --- What is passed through to configuration files ----------------------------------------------------------------
# Quotes and backslashes end or change a quoted string in drbd.conf and xl.cfg alike; what cannot be printed cannot be
# reviewed either.
_UNSAFE: Final = frozenset("\"'\\")
_MAX_TEXT_BYTES: Final = 255  # the longest word that drbdadm reads
_PLAIN: Final = "printable text of at most 255 bytes without quotes and backslashes, or a whole number"


def _plain_text(value: str, allowed: str) -> str:
    # The order matters: what is printable can be encoded.
    if not value.isprintable() or not _UNSAFE.isdisjoint(value) or value != value.strip() or not value:
        remedy = "write it without these characters, not empty and without blanks at its ends"
        raise Wrong("unsafe-text", describe(value), allowed, remedy)
    if len(value.encode()) > _MAX_TEXT_BYTES:
        raise Wrong("unsafe-text", describe(value), allowed, "write a shorter text, or put it into a file")
    return value


def _read_option(value: object) -> str:
    if isinstance(value, bool):
        return _BOOLEAN_WORDS[value]
    if isinstance(value, int) and abs(value) < 2**63:
        return str(value)
    if not isinstance(value, str):
        raise Wrong("type", describe(value), _PLAIN, "write text, a whole number, yes or no")
    return _plain_text(value, _PLAIN)


OPTION: Final = Kind(name="option", allowed=_PLAIN, read=_read_option)

# --- Fence agents (FenceAgentAPI.md of ClusterLabs) ----------------------------------------------------------------
AGENT: Final = _matching(
    "fence-agent",
    "the name of a fence agent such as fence_ipmilan: `fence_` and small letters, digits and `_`",
    r"fence_[a-z0-9_]{1,58}",
    "write the name of the program, without its directory",
)
_OPTION_NAME: Final = _matching(
    "fence-agent",
    "an option that the agent's `-o metadata` has, such as ip: small letters, digits, `_` and `-`",
    r"[a-z][a-z0-9_-]{0,63}",
    "write it as the agent's metadata do",
)
_BY_THE_GUARD: Final = frozenset({"action", "option", "nodename"})
_TELLS_SECRETS: Final = frozenset({"verbose", "verbose_level", "debug", "debug_file"})


def _read_agent_option_name(value: object) -> str:
    name: str = _OPTION_NAME.read(value)
    word = name.replace("-", "_")
    if word in _BY_THE_GUARD:
        remedy = "take it out: the guard gives it to the agent"
        raise Wrong("fence-agent", f"the option {name!r}", "other options", remedy)
    if word in _TELLS_SECRETS:
        remedy = "take it out: with it the agent writes what it is given into the log; try it by hand instead"
        raise Wrong("fence-agent", f"the option {name!r}", "other options", remedy)
    return name


AGENT_OPTION_NAME: Final = Kind(name="fence-agent", allowed=_OPTION_NAME.allowed, read=_read_agent_option_name)
_MAX_AGENT_OPTION: Final = 1024
_HIDDEN: Final = "a value that is not shown, as it may be a secret"
_AGENT_OPTION_ALLOWED: Final = (
    f"a line of printable text of at most {_MAX_AGENT_OPTION} characters without blanks or a pair of quotes around it, a whole "
    "number, yes or no"
)


def _read_agent_option(value: object) -> str:
    """An option of an agent as text; what is wrong is not shown."""
    if isinstance(value, bool):
        return _BOOLEAN_WORDS[value]
    found = str(value) if isinstance(value, int) and abs(value) < 2**63 else value
    if not isinstance(found, str):
        raise Wrong("type", _HIDDEN, _AGENT_OPTION_ALLOWED, "write text, a whole number, yes or no")
    # Agents take blanks at both ends away, and a pair of quotes.
    quoted = len(found) > 1 and found[0] == found[-1] == '"'
    if not found or len(found) > _MAX_AGENT_OPTION or not found.isprintable() or found != found.strip() or quoted:
        raise Wrong("fence-agent", _HIDDEN, _AGENT_OPTION_ALLOWED, "write it so, or use the agent's password_script")
    return found


AGENT_OPTION: Final = Kind(name="option", allowed=_AGENT_OPTION_ALLOWED, read=_read_agent_option)

_MAX_SECRET_BYTES: Final = 63  # SHARED_SECRET_MAX of drbd.h, with the zero at its end


def _read_shared_secret(value: object) -> str:
    text = _read_option(value)
    if len(text.encode()) > _MAX_SECRET_BYTES:
        raise Wrong("unsafe-text", describe(text), SHARED_SECRET.allowed, "write a shorter one")
    return text


SHARED_SECRET: Final = Kind(name="option", allowed=_PLAIN.replace("255", "63"), read=_read_shared_secret)


def _read_interface_option(value: object) -> str:
    text = _read_option(value)
    if "," in text:
        raise Wrong("unsafe-text", describe(text), f"{_PLAIN}; no comma", "xl splits at commas: write it without")
    return text


INTERFACE_OPTION: Final = Kind(name="option", allowed=f"{_PLAIN}; no comma", read=_read_interface_option)

MAX_NESTING: Final = 4


def _read_xl(value: object, depth: int = 0) -> object:
    allowed = f"{_PLAIN}, yes or no, or a list of these"
    if isinstance(value, int) and abs(value) < 2**63:
        return int(value)  # a BOOLEAN of xl.cfg(5) is a number
    if isinstance(value, str):
        return _plain_text(value, allowed)
    if isinstance(value, list | tuple) and depth < MAX_NESTING:
        return [_read_xl(item, depth + 1) for item in value]
    raise Wrong("type", describe(value), allowed, "write it as xl.cfg(5) tells")


XL_VALUE: Final = Kind(name="xl value", allowed="text, a whole number, yes or no, or a list of these", read=_read_xl)


# --- Containers: what is inside is read by the loader --------------------------------------------------------------
def _read_mapping(value: object) -> Mapping[object, object]:
    if not isinstance(value, Mapping):
        raise Wrong("type", describe(value), "a mapping", "write `name: value` lines below it, or {} for none")
    return value


MAPPING: Final = Kind(name="mapping", allowed="a mapping", read=_read_mapping)


def _read_secret_mapping(value: object) -> Mapping[object, object]:
    if not isinstance(value, Mapping):
        raise Wrong("type", _HIDDEN, "a mapping", "write `name: value` lines below it, or {} for none")
    return value


SECRET_MAPPING: Final = Kind(name="mapping", allowed="a mapping", read=_read_secret_mapping)


def _read_list(value: object) -> list[object] | tuple[object, ...]:
    if not isinstance(value, list | tuple):
        raise Wrong("type", describe(value), "a list", "write it in brackets, [] for none")
    return value


def _read_interfaces(value: object) -> list[object] | tuple[object, ...]:
    if isinstance(value, Mapping):
        raise Wrong("type", describe(value), "a list", "write a list: `- bridge: xenbr0`")
    return _read_list(value)


INTERFACES: Final = Kind(name="list", allowed="a list", read=_read_interfaces)


def _read_names(value: object) -> tuple[str, ...]:
    return tuple(dict.fromkeys(NAME.read(name) for name in _read_list(value)))


NAMES: Final = Kind(name="names", allowed="a list of names of domains", read=_read_names)

_COMMAND_ALLOWED: Final = "a list of a program by its absolute path and its arguments"


def _read_command(value: object) -> tuple[str, ...]:
    words = tuple(OPTION.read(word) for word in _read_list(value))
    if not words or not words[0].startswith("/"):
        found = "an empty list" if not words else describe(words[0])
        raise Wrong("command", found, _COMMAND_ALLOWED, "write the path of the program first, in a list")
    return words


COMMAND: Final = Kind(name="command", allowed=_COMMAND_ALLOWED, read=_read_command)

DISK_SIZE: Final = size(4 * MIB, 1024**5)  # one extent of LVM; 1 PiB is the limit of DRBD
MEMORY: Final = size(4 * MIB, 1024**5, MIB)  # xl counts memory in MiB
CAPACITY: Final = size(MIB, 1024**6)
