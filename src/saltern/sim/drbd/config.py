"""Reading a DRBD configuration as drbdadm does (drbd.conf(5)), for both generations.

Not read: stacked resources, floating addresses, proxies; and of several connections of a resource only a mesh of all its hosts.
"""

import fnmatch
import ipaddress
import posixpath
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

from saltern.sim.drbd.conflicts import Claims, check_addresses
from saltern.sim.drbd.options import PEER_DEVICE_9, SECTIONS, Option, parse_number
from saltern.sim.drbd.syntax import ConfigError, Word, Words

MAIN_FILE: Final = "/etc/drbd.conf"
PACKAGED: Final = {  # what the packages install, for nodes without files of their own
    "/etc/drbd.conf": 'include "drbd.d/global_common.conf";\ninclude "drbd.d/*.res";\n',
    "/etc/drbd.d/global_common.conf": "global { usage-count no; }\ncommon { }\n",
}

_SECTION_ORDER: Final = ("options", "net", "disk", "startup", "handlers")
_META: Final = re.compile(r"(?P<path>[^\[\]]+)(?:\[(?P<index>\d+)\])?")
_DEVICE: Final = re.compile(r"(?:/dev/)?drbd.*?(?P<minor>\d+)?")
_HOST_WORDS: Final = {
    "8.4": "disk | device | address | meta-disk | flexible-meta-disk",
    "9": "disk | device | address | meta-disk | flexible-meta-disk | node-id | skip",
}
_RESOURCE_WORDS: Final = {
    "8.4": "protocol | on | disk | net | syncer | startup | handlers | ignore-on | stacked-on-top-of",
    "9": "protocol | on | disk | net | syncer | startup | handlers | connection | ignore-on | stacked-on-top-of | skip",
}
_TOP_WORDS: Final = {
    "8.4": "global | common | resource | skip | include",
    "9": "global | common | resource | skip | include |\n\trequire-drbd-module-version-{eq,ne,gt,ge,lt,le}",
}

Options = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A volume of one host; ``index`` is ``None`` for flexible metadata, ``meta`` is ``internal`` for internal ones."""

    number: int
    line: int
    device: str = ""
    minor: int = -1
    disk: str = ""
    meta: str = ""
    index: int | None = None
    implicit: bool = True
    options: Options = field(default_factory=dict)

    @property
    def meta_device(self) -> str:
        """The block device that holds the metadata."""
        return self.disk if self.meta == "internal" else self.meta

    @property
    def diskless(self) -> bool:
        """Whether it is without a disk on purpose."""
        return self.disk == "none"

    @property
    def index_word(self) -> str:
        """The place as ``drbdsetup attach`` wants it."""
        if self.meta == "internal":
            return "internal"
        return "flexible" if self.index is None else str(self.index)

    @property
    def drbdmeta_index(self) -> str:
        """The place as ``drbdmeta`` wants it."""
        return "flex-external" if self.index_word == "flexible" else self.index_word


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSection:
    """An ``on`` section."""

    name: str
    line: int
    node_id: int | None = None
    family: str = "ipv4"
    address: str = ""
    port: int = 0
    volumes: Mapping[int, Volume] = field(default_factory=dict)

    @property
    def diskless(self) -> bool:
        """Whether it holds no copy of anything."""
        return all(volume.diskless for volume in self.volumes.values())

    @property
    def endpoint(self) -> str:
        """The address as drbdsetup takes it: ``ipv4:10.0.0.1:7792``, ``ipv6:[fd01::1]:7792``."""
        address = f"[{self.address}]" if self.family == "ipv6" else self.address
        return f"{self.family}:{address}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A resource as it is written; ``volumes`` are those outside of host sections, their options count for all hosts.

    In a ``mesh`` each host is connected with each other one.
    """

    name: str
    file: str
    line: int
    hosts: tuple[HostSection, ...] = ()
    sections: Mapping[str, Options] = field(default_factory=dict)
    connection: Mapping[str, Options] = field(default_factory=dict)
    volumes: Mapping[int, Volume] = field(default_factory=dict)
    mesh: bool = False

    def host(self, node: str) -> HostSection | None:
        """The section of a node."""
        return next((host for host in self.hosts if host.name == node), None)

    def peers(self, node: str) -> list[HostSection]:
        """The sections of all other nodes."""
        return [host for host in self.hosts if host.name != node]


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A whole configuration; ``resources`` in the order of the files."""

    file: str
    generation: str
    global_options: Mapping[str, str]
    common: Mapping[str, Options] | None
    resources: Mapping[str, Resource]

    def of(self, node: str) -> list[Resource]:
        """The resources that have a side on a node."""
        return [resource for resource in self.resources.values() if resource.host(node)]

    def _merged(self, resource: Resource, section: str) -> Options:
        common = (self.common or {}).get(section, {})
        own = resource.sections.get(section, {})
        return _before(common, own)

    def resource_options(self, resource: Resource) -> Options:
        """The ``options`` that apply, in the order in which drbdadm passes them on."""
        return self._merged(resource, "options")

    def net_options(self, resource: Resource) -> Options:
        """The ``net`` options that apply, in the order in which drbdadm passes them on."""
        merged = self._merged(resource, "net")
        if self.generation == "8.4":
            return merged
        return _before(merged, resource.connection.get("net", {}))

    def handlers(self, resource: Resource) -> Options:
        """The ``handlers`` that apply, by name."""
        return self._merged(resource, "handlers")

    def disk_options(self, resource: Resource, volume: Volume) -> Options:
        """The ``disk`` options that apply, in the order in which drbdadm passes them on."""
        options = _before(self._merged(resource, "disk"), volume.options)
        general = resource.volumes.get(volume.number)
        return _before(general.options, options) if general is not None else options


def _before(inherited: Options, own: Options) -> Options:
    """Own options preceded by the inherited ones that they do not replace, each put in front of the last."""
    return {name: inherited[name] for name in reversed(inherited) if name not in own} | own


def load(files: Mapping[str, tuple[str, int]], main_file: str, generation: str, node: str) -> Config:
    """Read the configuration on ``node``, ``ConfigError`` when drbdadm refuses it."""
    directory = posixpath.dirname(main_file)
    included = ("/etc/drbd.d/", f"{directory}/")
    texts = {path: files[path][0] for path in files if path != main_file and path.startswith(included)}
    with suppress(KeyError):
        texts[main_file] = files[main_file][0]  # once: it may be standard input
    if main_file == MAIN_FILE:
        texts = PACKAGED | texts
    outcome = _load(main_file, generation, node, tuple(sorted(texts.items())))
    if isinstance(outcome, ConfigError):
        raise outcome
    return outcome


@lru_cache(maxsize=512)
def _load(main_file: str, generation: str, node: str, texts: tuple[tuple[str, str], ...]) -> Config | ConfigError:
    try:
        return _Reader(dict(texts), main_file, generation, node).config()
    except ConfigError as error:
        return error.with_traceback(None)


class _Reader:
    """Reads one configuration, with everything it includes, from front to back."""

    def __init__(self, texts: Mapping[str, str], main_file: str, generation: str, node: str) -> None:
        self._node = node
        self._texts = texts
        self._main_file = main_file
        self._generation = generation
        self._options = SECTIONS[generation]
        self._claims = Claims()
        self._late: list[tuple[str, str, str]] = []  # claims that drbdadm 9 checks when everything is read
        self._complaints: list[str] = []
        self._global: dict[str, str] = {}
        self._common: dict[str, Options] | None = None
        self._resources: dict[str, Resource] = {}

    def config(self) -> Config:
        """Everything that was read."""
        text = self._texts.get(self._main_file)
        if text is None:
            raise ConfigError(f"Can not open '{self._main_file}': No such file or directory.\n", 2)
        self._file(Words(text, self._name_of(self._main_file), self._generation), self._main_file)
        for claim in self._late:
            self._claims.claim(*claim)
        if self._generation == "9":
            check_addresses(self._resources.values())
        if self._complaints:
            raise ConfigError("".join(self._complaints))
        return Config(
            file=self._main_file,
            generation=self._generation,
            global_options=self._global,
            common=self._common,
            resources=self._resources,
        )

    def _name_of(self, path: str) -> str:
        """drbdadm works in /etc and calls included files by the name in the include statement (transcript 212)."""
        return path.removeprefix("/etc/") if path.startswith("/etc/drbd.d/") else path

    def _file(self, words: Words, path: str) -> None:
        while not words.peek().at_end:
            word = words.next()
            if word.text == "include":
                self._include(words, path)
            elif word.text == "global":
                self._global_section(words)
            elif word.text == "common":
                words.expect("{")
                self._common = self._common or {}
                self._body(words, self._common_statement)
            elif word.text == "resource":
                self._resource(words, path, words.value())
            elif word.text == "skip":
                self._skip(words)
            else:
                raise words.unexpected(word, _TOP_WORDS[self._generation])

    def _include(self, words: Words, path: str) -> None:
        pattern = words.value()
        words.expect(";")
        full = posixpath.join(posixpath.dirname(path), pattern.text)
        found = sorted(
            name
            for name in self._texts
            if fnmatch.fnmatchcase(name, full) and "/" not in name[len(posixpath.dirname(full)) + 1 :]
        )
        if not found and not any(mark in full for mark in "*?["):
            raise ConfigError(f"{words.file}:{pattern.line}: Failed to open include file '{pattern.text}'.\n")
        for name in found:
            self._file(Words(self._texts[name], self._name_of(name), self._generation), name)

    def _body(self, words: Words, statement: Callable[[Words, Word], None]) -> None:
        """Statements up to the closing brace. The end of the file closes a resource as well (transcript 213)."""
        while not words.take("}"):
            if words.peek().at_end:
                return
            statement(words, words.next())

    def _skip(self, words: Words) -> None:
        while not words.peek().at_end and words.peek().text != "{":
            words.next()
        depth = 0
        while not words.peek().at_end:
            depth += {"{": 1, "}": -1}.get(words.next().text, 0)
            if depth == 0:
                return

    def _global_section(self, words: Words) -> None:
        words.expect("{")
        while not words.take("}"):
            name = words.next()
            if name.text in ("usage-count", "minor-count", "dialog-refresh") or name.text.startswith("cmd-timeout-"):
                self._global[name.text] = words.value().text
            elif name.text in ("disable-ip-verification", "udev-always-use-vnr"):
                self._global[name.text] = ""
            else:
                raise words.unexpected(name, "dialog-refresh | minor-count | disable-ip-verification")
            words.expect(";")

    # --- Options ---------------------------------------------------------------------------------------------------
    def _common_statement(self, words: Words, word: Word) -> None:
        assert self._common is not None  # noqa: S101 - set by the caller
        if word.text == "protocol":
            self._protocol(words, self._common)
        elif word.text in self._options:
            self._section(words, word.text, self._common)
        else:
            raise words.unexpected(word, "protocol | disk | net | syncer | startup | handlers", number=True)

    def _protocol(self, words: Words, sections: dict[str, Options]) -> None:
        """The historical place of the protocol, outside of the net section."""
        value = words.value()
        self._check_value(words, "protocol", self._options["net"]["protocol"], value)
        words.expect(";")
        sections.setdefault("net", {})["protocol"] = value.text

    def _section(self, words: Words, section: str, sections: dict[str, Options]) -> None:
        words.expect("{")
        known = self._options[section]
        options = sections.setdefault(section, {})
        while not words.take("}"):
            name = words.next()
            if name.text not in known:
                raise words.unexpected(name, self._expected(section))
            options[name.text] = self._option_value(words, name, known[name.text])

    def _expected(self, section: str) -> str:
        """What a complaint calls for; drbdadm 9 names the options of some sections, of the disk section only some."""
        if self._generation == "8.4" or section == "net":
            return "an option keyword"
        return " | ".join(name for name in self._options[section] if section != "disk" or name in PEER_DEVICE_9)

    def _option_value(self, words: Words, name: Word, option: Option) -> str:
        if option.kind == "boolean" and words.take(";"):
            return "yes"
        value = words.value()
        self._check_value(words, name.text, option, value)
        words.expect(";")
        return value.text

    def _check_value(self, words: Words, name: str, option: Option, value: Word) -> None:
        fault = _fault(option, value.text)
        if not fault:
            return
        if self._generation == "9":
            shown = value.text if len(value.text) <= 20 else f"{value.text[:20]}..."
            raise ConfigError(
                f"{words.file}:{value.line}: Parse error: while parsing value ('{shown}')\nfor {name}. {fault}\n"
            )
        if option.kind == "boolean":
            raise words.unexpected(value, "yes | no | ;")
        if name == "protocol":
            raise ConfigError(f"unknown protocol '{value.text}', should be one of A,B,C\n")
        if option.kind == "number" and parse_number(value.text, option.unit) is None:
            raise ConfigError(f"{value.text} is not a valid number\n", 20)
        if option.kind == "number":
            number = parse_number(value.text, option.unit)
            raise ConfigError(
                f"{words.file}:{value.line}: {name} {value.text} => {number} out of range "
                f"[{option.low}..{option.high}]{option.unit}.\n"
            )
        # drbdadm-84 does not check names of policies; the kernel does, later (transcript 079).

    # --- Resources -------------------------------------------------------------------------------------------------
    def _resource(self, words: Words, path: str, name: Word) -> None:
        self._claims.claim("resource section", name.text, f"{words.file}:{name.line}")
        words.expect("{")
        draft = _Draft(name.text, path, name.line)

        def statement(words: Words, word: Word) -> None:
            if word.text in self._options and words.peek().text == "{":
                self._claims.claim(f"{word.text} section", f"{name.text}:{word.text}", f"{words.file}:{word.line}")
                self._section(words, word.text, draft.sections)
            elif word.text == "on":
                self._host(words, draft, words.value())
            elif word.text == "protocol":
                self._protocol(words, draft.sections)
            elif word.text == "volume":
                self._volume(words, draft.volumes, draft.fallback)
            elif word.text in ("connection", "connection-mesh") and self._generation == "9":
                self._connection(words, draft, mesh=word.text == "connection-mesh")
            elif word.text in ("device", "disk", "meta-disk", "flexible-meta-disk"):
                draft.fallback = self._volume_statement(words, word, draft.fallback)
            else:
                raise words.unexpected(word, _RESOURCE_WORDS[self._generation], number=True)

        self._body(words, statement)
        self._finish(words, draft)

    def _connection(self, words: Words, draft: "_Draft", *, mesh: bool) -> None:
        """A mesh or connection section; its hosts are taken to be those of the resource."""
        draft.mesh |= mesh
        words.expect("{")

        def statement(words: Words, word: Word) -> None:
            if word.text in ("net", "disk") and words.peek().text == "{":
                self._section(words, word.text, draft.connection)
            elif word.text in ("hosts", "host"):
                while not words.take(";"):
                    words.value()
            else:
                raise words.unexpected(word, "hosts | host | net | disk", number=True)

        self._body(words, statement)

    def _host(self, words: Words, draft: "_Draft", name: Word) -> None:
        key = f"{draft.name}: on {name.text}"
        self._claims.claim("host section", key, f"{words.file}:{name.line}")
        words.expect("{")
        host = _HostDraft(name.text, name.line)
        while not words.take("}"):
            word = words.next()
            if word.text == "address":
                host.family, host.address, host.port = self._address(words)
                self._claim_address(words, host, word.line)
            elif word.text == "node-id" and self._generation == "9":
                host.node_id = int(words.value().text)
                words.expect(";")
                self._claims.claim("node-id", f"{draft.name}:{host.node_id}", f"{words.file}:{word.line}")
            elif word.text == "volume":
                self._volume(words, host.volumes, Volume(number=0, line=word.line))
            elif word.text in ("device", "disk", "meta-disk", "flexible-meta-disk"):
                keyword = "meta-disk" if word.text == "flexible-meta-disk" else word.text
                statement = f"{draft.name}:{name.text}:{keyword}"
                self._claims.claim(f"{keyword} statement", statement, f"{words.file}:{word.line}")
                host.own = self._volume_statement(words, word, host.own or Volume(number=0, line=word.line))
                self._claim_minor(words, host, host.own)
            else:
                raise words.unexpected(word, _HOST_WORDS[self._generation])
        draft.hosts.append(host)
        if self._generation == "8.4":
            self._settle(words, draft, host)

    def _volume(self, words: Words, volumes: dict[int, Volume], base: Volume) -> None:
        number = words.value()
        words.expect("{")
        volume = replace(base, number=int(number.text), line=number.line, implicit=False)
        options: dict[str, Options] = {}
        while not words.take("}"):
            word = words.next()
            if word.text == "disk" and words.peek().text == "{":
                self._section(words, "disk", options)
            elif word.text in ("device", "disk", "meta-disk", "flexible-meta-disk"):
                volume = self._volume_statement(words, word, volume)
            else:
                raise words.unexpected(word, "device | disk | meta-disk | flexible-meta-disk")
        volumes[volume.number] = replace(volume, options=options.get("disk", {}))

    def _volume_statement(self, words: Words, word: Word, volume: Volume) -> Volume:
        if word.text == "device":
            return self._device(words, volume)
        value = words.value()
        if word.text == "disk":
            words.expect(";")
            return replace(volume, disk=value.text)
        text = value.text
        if words.peek().text.startswith("["):
            text += words.next().text
        match = _META.fullmatch(text)
        if match is None:
            raise words.unexpected(value, "internal | <device>")
        words.expect(";")
        index = match.group("index")
        return replace(volume, meta=match.group("path"), index=None if index is None else int(index))

    def _device(self, words: Words, volume: Volume) -> Volume:
        device, minor = "", ""
        if words.peek().text != "minor":
            name = words.value()
            device = name.text
            match = _DEVICE.fullmatch(device)
            if match is None:
                self._complaints.append(
                    f"{words.file}:{name.line}: device name must start with /dev/drbd\n"
                    "\t(/dev/ is optional, but drbd is required)\n"
                )
            else:
                device = device if device.startswith("/dev/") else f"/dev/{device}"
                minor = match.group("minor") or ""
        line = words.peek().line
        if words.take("minor"):
            minor = words.value().text
        if not words.take(";"):
            raise words.unexpected(words.next(), "minor | ;")
        if not minor.isdigit():
            self._complaints.append(f"{words.file}:{line}: no minor given nor device name contains a minor number\n")
            minor = "0"
        return replace(volume, device=device, minor=int(minor))

    def _address(self, words: Words) -> tuple[str, str, int]:
        family = "ipv4"
        word = words.value()
        if word.text in ("ipv4", "ipv6"):
            family = word.text
            word = words.value()
        address, _, port = word.text.rpartition(":")
        try:
            parsed = ipaddress.ip_address(address.strip("[]"))
        except ValueError:
            found = Word(address or word.text, word.line)
            raise words.unexpected(found, "ssocks | sdp | ipv4 | ipv6 | <ipv4 address> ") from None
        words.expect(";")
        if not 1 <= int(port) <= 65535:
            fault = f"{words.file}:{word.line}: port {port} => {int(port)} out of range [1..65535].\n"
            self._complaints.append(fault * 2)
        return family, str(parsed), int(port)

    def _finish(self, words: Words, draft: "_Draft") -> None:
        if self._generation == "9":
            if not draft.hosts:
                raise ConfigError(
                    f"{draft.path}:{draft.line}: in resource {draft.name}:\n"
                    f"\ta host sections ('on {self._node} {{ ... }}') is missing.\n"
                )
            for host in draft.hosts:
                self._settle(words, draft, host)
            _fill_node_ids(draft.hosts)
        self._check_become_primary(draft)
        self._resources[draft.name] = Resource(
            name=draft.name,
            file=draft.path,
            line=draft.line,
            hosts=tuple(host.section() for host in draft.hosts),
            sections={name: draft.sections[name] for name in _SECTION_ORDER if name in draft.sections},
            connection=draft.connection,
            volumes=draft.volumes,
            mesh=draft.mesh,
        )

    def _check_become_primary(self, draft: "_Draft") -> None:
        startup, net = draft.sections.get("startup", {}), draft.sections.get("net", {})
        both = self._generation == "8.4" and startup.get("become-primary-on") == "both"
        if both and net.get("allow-two-primaries") != "yes":
            self._complaints.append(
                f"{draft.path}:{draft.line}: in resource {draft.name}:\n"
                "become-primary-on is set to both, but allow-two-primaries is not set.\n"
            )

    def _settle(self, words: Words, draft: "_Draft", host: "_HostDraft") -> None:
        """A host section is complete: fill in what the resource says for all hosts, then check and claim."""
        host.fill(draft, "internal" if self._generation == "9" else "")
        here = f"{words.file if self._generation == '8.4' else draft.path}:{host.line}"
        where = f"{here}: in resource {draft.name}, on {host.name} {{ ... }}: "
        for missing in host.missing():
            self._complaints.append(f"{where}'{missing}' keyword missing.\n")
        for volume in host.volumes.values():
            self._claim_minor(words, host, volume)
            if volume.meta and volume.meta != "internal":
                claim = ("meta-disk", f"{host.name}:{volume.meta}[{volume.index_word}]", f"{words.file}:{volume.line}")
                if self._generation == "8.4":
                    self._claims.claim(*claim)
                else:
                    self._late.append(claim)

    def _claim_minor(self, words: Words, host: "_HostDraft", volume: Volume) -> None:
        """As soon as the minor is read; drbdadm 9 has forgotten the line."""
        if volume.minor >= 0 and volume.minor not in host.claimed_minors:
            host.claimed_minors.add(volume.minor)
            where = f"{words.file}:{volume.line if self._generation == '8.4' else 0}"
            self._claims.claim("device-minor", f"device-minor:{host.name}:{volume.minor}", where)

    def _claim_address(self, words: Words, host: "_HostDraft", line: int) -> None:
        """On 8.4 as soon as it is read; every host has loopback addresses of its own."""
        if self._generation == "8.4":
            own = f"{host.name}:" if ipaddress.ip_address(host.address).is_loopback else ""
            self._claims.claim("IP", f"{own}{host.address}:{host.port}", f"{words.file}:{line}")


def _fault(option: Option, value: str) -> str:
    """What drbdadm 9 finds wrong with a value, empty when nothing."""
    if option.kind == "text":
        return f"Value is too long.\nmax len: {option.high}" if option.too_long(value) else ""
    if option.kind == "boolean" and value not in ("yes", "no"):
        return "Value is not 'yes' or 'no'."
    if option.kind == "number" or (option.numbers and value not in option.choices):
        number = parse_number(value, option.unit)
        if number is None:
            return "Value is not a number."
        if option.kind == "number" and number < option.low:
            return "Value is too small."
        return "Value is too big." if option.kind == "number" and number > option.high else ""
    if option.kind == "choice" and value not in option.choices:
        return f"Value is not valid.\nAllowed values are: {' | '.join(option.choices)}"
    return ""


def _fill_node_ids(hosts: list["_HostDraft"]) -> None:
    """drbdadm 9 numbers hosts without a node-id itself, the last one first."""
    free = (number for number in range(len(hosts) * 2) if number not in {host.node_id for host in hosts})
    for host in reversed(hosts):
        if host.node_id is None:
            host.node_id = next(free)


@dataclass
class _HostDraft:
    name: str
    line: int
    node_id: int | None = None
    family: str = "ipv4"
    address: str = ""
    port: int = 0
    own: Volume | None = None  # the volume of statements that stand in no volume section
    volumes: dict[int, Volume] = field(default_factory=dict)
    claimed_minors: set[int] = field(default_factory=set)

    def fill(self, draft: "_Draft", meta: str) -> None:
        """Take over what the resource says for all of its hosts; ``meta`` is where metadata are that nobody placed."""
        if self.own is not None:
            base = draft.fallback
            self.volumes[0] = replace(
                self.own,
                device=self.own.device or base.device,
                minor=self.own.minor if self.own.minor >= 0 else base.minor,
                disk=self.own.disk or base.disk,
                meta=self.own.meta or base.meta,
                index=self.own.index if self.own.meta else base.index,
            )
        elif not self.volumes and draft.volumes:
            self.volumes = {number: replace(volume, options={}) for number, volume in draft.volumes.items()}
        elif not self.volumes:
            self.volumes[0] = replace(draft.fallback, line=self.line)
        self.volumes = {
            number: volume if volume.diskless else replace(volume, meta=volume.meta or meta)
            for number, volume in self.volumes.items()
        }

    def missing(self) -> list[str]:
        """The keywords that must be there and are not (transcript 087)."""
        missing = []
        for volume in self.volumes.values():
            missing += ["device"] * (volume.minor < 0) + ["disk"] * (not volume.disk)
            missing += ["meta-disk", "meta-index"] * (not volume.meta and not volume.diskless)
        return missing + ["address"] * (not self.address)

    def section(self) -> HostSection:
        """The finished section."""
        return HostSection(
            name=self.name,
            line=self.line,
            node_id=self.node_id,
            family=self.family,
            address=self.address,
            port=self.port,
            volumes=dict(sorted(self.volumes.items())),
        )


@dataclass
class _Draft:
    name: str
    path: str
    line: int
    hosts: list[_HostDraft] = field(default_factory=list)
    sections: dict[str, Options] = field(default_factory=dict)
    connection: dict[str, Options] = field(default_factory=dict)
    volumes: dict[int, Volume] = field(default_factory=dict)
    mesh: bool = False
    fallback: Volume = field(default_factory=lambda: Volume(number=0, line=0))
