"""``drbdadm -d adjust all``: what drbdadm would run so that the kernel becomes as the configuration says."""

import ipaddress
import re
import shlex
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from saltern.errors import ParseError
from saltern.model.observed import ConfiguredResource
from saltern.model.running import RunningResource
from saltern.parse.scalars import whole_number

_TOOL = "drbdadm -d adjust"
_PROGRAMS: Final = frozenset({"drbdsetup", "drbdsetup-84"})
_BY_NAME: Final = frozenset(
    {
        *("new-resource", "new-minor", "new-peer", "new-path"),
        *("del-resource", "del-peer", "del-path", "forget-peer", "down"),
        *("resource-options", "peer-device-options"),
    }
)
_BY_MINOR: Final = frozenset({"attach", "detach", "del-minor", "disk-options", "resize", "check-resize"})
# DRBD 9 names the resource and the peer's node-id; 8.4 names the two addresses, but for its connect, which has both.
_BY_NAME_OR_ADDRESSES: Final = frozenset({"connect", "disconnect", "net-options"})
_ENDPOINT: Final = re.compile(r"(?:ipv4|ipv6|sdp|ssocks|sci):\[?([^\[\]]+)\]?:([0-9]{1,5})")

_Endpoint = tuple[str, int]


@dataclass(frozen=True, slots=True)
class _Owners:
    """Which resource a name, a minor of this node, or an address of either side belongs to."""

    names: frozenset[str]
    minors: Mapping[int, str]
    here: Mapping[_Endpoint, str]
    there: Mapping[_Endpoint, str]


def parse(
    text: str,
    configured: Mapping[str, ConfiguredResource],
    node: str,
    running: Mapping[str, RunningResource] | None = None,
) -> dict[str, tuple[str, ...]]:
    """The lines of ``drbdadm -d adjust all`` by the resource that they are about; ``{}`` when all is as it should be.

    ``configured`` is what the same configuration holds (``drbdadm dump-xml``), ``node`` this host's name in it.
    ``running`` tells whose a minor is that only the kernel still has. A line of which this version cannot tell what it
    is about raises ``ParseError``. Source: drbdadm_adjust.c of 8.4 and 9, transcripts 040, 069, 188, 193.
    """
    if text and not text.endswith("\n"):
        raise ParseError(_TOOL, "the last line is not ended, so that something may be cut off", text)
    owners = _owners(configured, node, running or {})
    lines = text.splitlines()
    attributed = [(line, _resource_of(line, owners)) for line in lines]
    reconnected = _reconnected(attributed)
    result: defaultdict[str, list[str]] = defaultdict(list)
    for line, resource in attributed:
        if resource is None and not reconnected:
            raise ParseError(_TOOL, f"it is not known which resource `{line}` is about", text)
        # 8.4 ends a connection by its old addresses, which no configuration holds any longer. It belongs to one of
        # the resources that are connected anew; each of them is to be adjusted in any case.
        for name in [resource] if resource is not None else reconnected:
            result[name].append(line)
    return {name: tuple(commands) for name, commands in result.items()}


def _owners(configured: Mapping[str, ConfiguredResource], node: str, running: Mapping[str, RunningResource]) -> _Owners:
    minors = {device.minor: name for name, resource in running.items() for device in resource.devices.values()}
    here: dict[_Endpoint, str] = {}
    there: dict[_Endpoint, str] = {}
    for name, resource in configured.items():
        for host in resource.hosts:
            # A floating side is on whichever host has its address, so it may be here.
            is_here = host.node in (node, f"{host.address}:{host.port}")
            (here if is_here else there)[_canonical(host.address), host.port] = name
            if is_here:
                minors.update({volume.minor: name for volume in host.volumes.values()})
    return _Owners(names=frozenset(configured) | frozenset(running), minors=minors, here=here, there=there)


def _resource_of(line: str, owners: _Owners) -> str | None:
    """The resource a line is about, ``None`` for addresses that nobody has now; raises for anything not known."""
    try:
        program, *words = shlex.split(line)
        if program == "drbdmeta":
            return owners.minors[whole_number(words[0])]
        if program not in _PROGRAMS:
            raise ValueError(f"the program {program} is not known")
        verb, subject = words[0], words[1]
        if verb in _BY_MINOR:
            return owners.minors[whole_number(subject)]
        if verb not in _BY_NAME and verb not in _BY_NAME_OR_ADDRESSES:
            raise ValueError(f"the command {verb} is not known")
        if verb in _BY_NAME_OR_ADDRESSES and _ENDPOINT.fullmatch(subject):
            return owners.here.get(_endpoint(subject)) or owners.there.get(_endpoint(words[2]))
        if subject not in owners.names:
            raise ValueError(f"the resource {subject} is not known")
    except (ValueError, KeyError, IndexError) as error:
        raise ParseError(_TOOL, f"it is not known which resource this is about: {error!r}", line) from error
    return subject


def _reconnected(attributed: list[tuple[str, str | None]]) -> list[str]:
    """Resources that are connected by a line of this run, though the kernel has them already."""
    words = [(line.split(maxsplit=2)[1], resource) for line, resource in attributed]
    new = {resource for verb, resource in words if verb == "new-resource"}
    return [resource for verb, resource in words if verb == "connect" and resource is not None and resource not in new]


def _endpoint(text: str) -> _Endpoint:
    match = _ENDPOINT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text} is not an address")
    return _canonical(match[1]), int(match[2])


def _canonical(address: str) -> str:
    """One spelling for each IPv6 address: the kernel's and the administrator's may differ."""
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address
