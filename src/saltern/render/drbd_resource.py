"""The configuration of a DRBD resource (drbd.conf(5)), for either generation."""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from saltern.errors import RenderError
from saltern.model.desired import TIE_BREAKER_NODE_ID, Resource, ResourceHost, TieBreaker
from saltern.model.places import GUARD_SCRIPT
from saltern.model.running import Generation
from saltern.render.header import HEADER

_SECTIONS: Final = ("options", "net", "disk", "handlers")
# Where the generations differ (drbd.conf-8.4(5), drbd.conf-9.0(5), `drbdsetup xml-help`): options that stand in another
# section in the other one, and options that only one of them has. One topology serves both, so the latter are written
# for the generation that has them; for the other they would be a syntax error that stops drbdadm for every resource.
_MOVED: Final[Mapping[str, Mapping[Generation, str]]] = {
    "fencing": {Generation.V84: "disk", Generation.V9: "net"},
}
_ONLY: Final[Mapping[Generation, frozenset[str]]] = {
    Generation.V84: frozenset({"max-bio-bvecs", "unplug-watermark"}),
    Generation.V9: frozenset(
        {
            *("allow-remote-read", "transport", "disconnected", "quorum-lost"),
            *("auto-promote-timeout", "max-io-depth", "peer-ack-delay", "peer-ack-window"),
            *("on-no-quorum", "on-suspended-primary-outdated", "quorum", "quorum-minimum-redundancy"),
            *("twopc-retry-timeout", "twopc-timeout"),
        }
    ),
}
# What Saltern says itself: the one value that may stand in the topology as well, and why no other.
_OWN: Final[Mapping[tuple[str, str], tuple[str | None, str]]] = {
    ("net", "protocol"): (None, "it is the resource's `protocol`"),
    ("net", "allow-two-primaries"): ("no", "it is switched on for a migration only, never in the file"),
    ("options", "auto-promote"): ("no", "roles are Saltern's"),
}
# What makes DRBD ask the guard of its node: a Primary that loses its partner waits for the handler (drbd.conf(5)).
_GUARDED: Final[Mapping[str, Mapping[str, str]]] = {
    "net": {"fencing": "resource-and-stonith"},
    "handlers": {"fence-peer": f"{GUARD_SCRIPT} fence-peer"},
}
# What makes a side of a resource with a tie-breaker wait while it has lost quorum. drbd.conf-9.0(5): what is done without data
# goes before what is done without quorum, and is to be the same.
_QUORUM: Final[Mapping[str, Mapping[str, str]]] = {
    "options": {"quorum": "majority", "on-no-quorum": "suspend-io", "on-no-data-accessible": "suspend-io"}
}
# drbdadm_scanner.fl of both generations: what may stand without quotes, and what would then be read as a keyword.
_WORD: Final = re.compile(r"[A-Za-z0-9/._-]{1,128}")
_NAME: Final = re.compile(r"[A-Za-z/][A-Za-z0-9/._-]{0,127}")
_KEYWORDS: Final = frozenset(
    {
        *("address", "ask", "become-primary-on", "cmd-timeout-long", "cmd-timeout-medium", "cmd-timeout-short"),
        *("common", "connection", "connection-mesh", "device", "dialog-refresh", "disable-ip-verification", "disk"),
        *("flexible-meta-disk", "floating", "global", "handlers", "host", "hosts", "include", "inside", "ipv4", "ipv6"),
        *("meta-disk", "minor", "minor-count", "net", "no", "node-id", "on", "options", "outside", "path", "plugin"),
        *("port", "proxy", "resource", "sci", "sdp", "skip", "ssocks", "stacked-on-top-of", "startup", "syncer"),
        *("template-file", "usage-count", "via", "volume", "yes"),
    }
)
# Free text, which 8.4 reads back only in quotes where it looks like a number or a keyword.
_TEXT_OPTIONS: Final = frozenset({"shared-secret"})
_OPTION: Final = re.compile(r"[a-z][a-z0-9-]{0,63}")
_QUOTED_MAX: Final = 255


def render(resource: Resource, generation: Generation, *, guarded: bool = False) -> str:
    """The text of ``/etc/drbd.d/RESOURCE.res``: the same input always gives the same text.

    Where it is ``guarded``, DRBD asks the guard of the node before a side goes on alone. Raises ``RenderError`` for an option
    that Saltern keeps to itself, for a value that the file cannot hold, and for a tie-breaker where DRBD has no quorum.
    """
    if guarded:
        resource = _with(resource, _GUARDED)
    if resource.tie_breaker is not None:
        _require_quorum(resource, resource.tie_breaker, generation)
        resource = _with(resource, _QUORUM)
    sections = _sections(resource, generation)
    lines = [HEADER, f"resource {_name(resource, 'name', resource.name)} {{"]
    for section in _SECTIONS:
        lines += _section(resource, section, sections[section])
    for host in resource.hosts:
        lines += _host(resource, host, generation)
    if resource.tie_breaker is not None:
        lines += _third(resource, resource.tie_breaker)
    return "\n".join([*lines, "}", ""])


def _with(resource: Resource, added: Mapping[str, Mapping[str, str]]) -> Resource:
    """The resource with further options, which go before its own."""
    both = {name: {**resource.sections.get(name, {}), **options} for name, options in added.items()}
    return replace(resource, sections={**resource.sections, **both})


def _require_quorum(resource: Resource, tie_breaker: TieBreaker, generation: Generation) -> None:
    if generation is not Generation.V9:
        raise RenderError(
            resource.name, "tie_breaker", tie_breaker.node, f"DRBD {generation} has no quorum, DRBD 9 has"
        )


def asks_guard(text: str) -> bool:
    """Whether a file that was rendered here has DRBD ask the guard."""
    return any(_HANDLER in line for line in text.splitlines())


def without_guard(text: str) -> str:
    """A file that was rendered here as it would be for a resource that is not guarded."""
    lines = [line for line in text.splitlines() if line.strip() not in (_HANDLER, _POLICY)]
    kept = [
        line
        for line, after, before in zip(lines, [*lines[1:], ""], ["", *lines[:-1]], strict=True)
        if not (_opens(line) and after == _END) and not (line == _END and _opens(before))
    ]
    return "\n".join([*kept, ""])


_POLICY: Final = "fencing resource-and-stonith;"
_HANDLER: Final = f'fence-peer "{GUARD_SCRIPT} fence-peer";'
_END: Final = "    }"


def _opens(line: str) -> bool:
    """Whether a line begins a section of options."""
    return line.strip().removesuffix(" {") in _SECTIONS


def _sections(resource: Resource, generation: Generation) -> dict[str, dict[str, str]]:
    """Every option in the section where this generation looks for it, Saltern's own first, then by name."""
    sections: dict[str, dict[str, str]] = {section: {} for section in _SECTIONS}
    sections["net"]["protocol"] = resource.protocol
    if generation is Generation.V9:
        sections["options"]["auto-promote"] = "no"
    for section, options in sorted(resource.sections.items()):
        if section not in sections:
            raise RenderError(resource.name, section, dict(options), f"the sections are {', '.join(_SECTIONS)}")
        for option, value in sorted(options.items()):
            if not _is_left_out(resource, section, option, value, generation):
                target = sections[_MOVED.get(option, {}).get(generation, section)]
                if option in target:
                    raise RenderError(resource.name, f"{section}/{option}", value, "another section has it as well")
                target[option] = value
    return sections


def _is_left_out(resource: Resource, section: str, option: str, value: str, generation: Generation) -> bool:
    """True for what Saltern says itself and for what this generation does not have."""
    if (section, option) in _OWN:
        allowed, reason = _OWN[section, option]
        if value != allowed:
            raise RenderError(resource.name, f"{section}/{option}", value, reason)
        return True
    return any(option in _ONLY[other] for other in Generation if other is not generation)


def _section(resource: Resource, section: str, options: Mapping[str, str]) -> Iterator[str]:
    if not options:
        return
    yield f"    {section} {{"
    for option, value in options.items():
        if _OPTION.fullmatch(option) is None:
            raise RenderError(resource.name, section, option, "an option is lower-case letters, digits and dashes")
        yield f"        {option} {_value(resource, section, option, value)};"
    yield "    }"


def _host(resource: Resource, host: ResourceHost, generation: Generation) -> Iterator[str]:
    def name(place: str, value: str) -> str:
        return _name(resource, f"{host.node}/{place}", value)

    index = "" if host.meta_index is None else f"[{host.meta_index}]"
    yield f"    on {name('node', host.node)} {{"
    if generation is Generation.V9:
        yield f"        node-id {host.node_id};"
    yield f"        device {host.device};"
    yield f"        disk {name('disk', host.disk)};"
    yield f"        address {_address(resource, host)};"
    yield f"        meta-disk {name('meta-disk', host.meta_device)}{index};"
    yield "    }"


def _third(resource: Resource, tie_breaker: TieBreaker) -> Iterator[str]:
    """The section of the tie-breaker, and that every node connects with every other: with three, drbdadm wants it written."""
    yield f"    on {_name(resource, 'tie_breaker', tie_breaker.node)} {{"
    yield f"        node-id {TIE_BREAKER_NODE_ID};"
    yield f"        device {tie_breaker.device};"
    yield "        disk none;"
    yield f"        address {_address(resource, tie_breaker)};"
    yield "    }"
    names = " ".join(_name(resource, "node", end.node) for end in resource.ends)
    yield "    connection-mesh {"
    yield f"        hosts {names};"
    yield "    }"


def _address(resource: Resource, host: ResourceHost | TieBreaker) -> str:
    try:
        address = ipaddress.ip_address(host.address)
    except ValueError as error:
        raise RenderError(resource.name, f"{host.node}/address", host.address, "not an IP address") from error
    if isinstance(address, ipaddress.IPv4Address):
        return f"{address}:{host.port}"
    if address.scope_id is not None:
        raise RenderError(
            resource.name, f"{host.node}/address", host.address, "a zone such as %eth0 has a meaning on one host only"
        )
    return f"ipv6 [{address}]:{host.port}"


def _value(resource: Resource, section: str, option: str, value: str) -> str:
    """The value of an option as drbdadm reads it back: numbers, `yes` and `no` without quotes."""
    place = f"{section}/{option}"
    if section == "handlers":
        return _name(resource, place, value)
    if _WORD.fullmatch(value) and option not in _TEXT_OPTIONS:
        return value
    return _quoted(resource, place, value)


def _name(resource: Resource, place: str, value: str) -> str:
    """A name, a path or a command as drbdadm reads it back, in quotes where it could be anything else."""
    if _NAME.fullmatch(value) and value not in _KEYWORDS:
        return value
    return _quoted(resource, place, value)


def _quoted(resource: Resource, place: str, value: str) -> str:
    # Inside quotes only the quote itself and the backslash are special (unescape() in shared_tool.c).
    text = re.sub(r'(["\\])', r"\\\1", value)
    if not value.isprintable() or len(text.encode()) > _QUOTED_MAX:
        reason = f"drbd.conf holds printable text of at most {_QUOTED_MAX} bytes in quotes"
        raise RenderError(resource.name, place, value, reason)
    return f'"{text}"'
