"""``drbdadm dump`` and ``dump-xml``: the configuration as drbdadm has understood it (transcripts 027, 028)."""

import re
from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Final

from saltern.sim.drbd.config import Config, HostSection, Options, Resource, Volume
from saltern.sim.drbd.options import PEER_DEVICE_9

_PLAIN: Final = re.compile(r"[A-Za-z0-9_./:-]+")


_ENTITIES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"})


def _attribute(text: str) -> str:
    """A quoted value; the module of the standard library that does this takes 20 ms to import."""
    return f'"{text.translate(_ENTITIES)}"'


def dump(config: Config, node: str, names: Iterable[Resource], *, everything: bool) -> str:
    """As a configuration file."""
    text = _head(config) if everything else ""
    for resource in names:
        ignored = "not ignored" if resource.host(node) else "ignored"
        text += f"# resource {resource.name} on {node}: {ignored}, not stacked\n"
        text += f"# defined at {resource.file}:{resource.line}\n"
        text += "\n".join(_resource(config, resource)) + "\n\n"
    return text


def _head(config: Config) -> str:
    lines = [f"# {config.file}"]
    if config.global_options:
        lines += ["global {", *(f"    {' '.join(option).strip()};" for option in config.global_options.items())]
        lines += ["    cmd-timeout-medium 600;", "    cmd-timeout-long 0;"] if config.generation == "8.4" else []
        lines += ["}", ""]
    if config.common is not None:
        lines += ["common {", *_sections(config.common, config.generation), "}", ""]
    return "\n".join(lines) + "\n"


def _resource(config: Config, resource: Resource) -> list[str]:
    lines = [f"resource {resource.name} {{"]
    for host in resource.hosts:
        lines += [f"    on {host.name} {{"]
        if config.generation == "9":
            lines.append(f"        node-id {host.node_id};")
        for volume in host.volumes.values():
            lines += _volume(volume)
        address = f"[{host.address}]" if host.family == "ipv6" else host.address
        lines += [f"        {'address':<16} {host.family} {address}:{host.port};", "    }"]
    if resource.mesh:
        names = " ".join(host.name for host in resource.hosts)
        lines += ["    connection-mesh {", f"        hosts {names};", "    }"]
    return [*lines, *_sections(resource.sections, config.generation), "}"]


def _volume(volume: Volume) -> list[str]:
    place = "" if volume.index is None else f" [{volume.index}]"
    device = f"{volume.device} minor {volume.minor}" if volume.device else f"minor {volume.minor}"
    width = 16 if volume.implicit else 12
    lines = [f"{'device':<{width}} {device};", f"{'disk':<{width}} {volume.disk};"]
    if not volume.diskless:
        lines.append(f"{'meta-disk':<{width if volume.meta == 'internal' else 16}} {volume.meta}{place};")
    if volume.implicit:
        return [f"        {line}" for line in lines]
    if volume.options:
        options = (f"    {name:<12} {_quoted(value):>3};" for name, value in volume.options.items())
        lines = ["disk {", *options, "}", *lines]
    return [f"        volume {volume.number} {{", *(f"            {line}" for line in lines), "        }"]


def _ordered(sections: Mapping[str, Options], generation: str) -> Iterable[tuple[str, Options]]:
    """The sections that say something; 9 puts what belongs to the peer device behind the rest of the disk section."""
    for name in ("options", "net", "disk", "startup", "handlers"):
        options = sections.get(name, {})
        if name == "disk" and generation == "9":
            of_peer = {option: value for option, value in options.items() if option in PEER_DEVICE_9}
            options = {option: value for option, value in options.items() if option not in of_peer} | of_peer
        if options:
            yield name, options


def _sections(sections: Mapping[str, Options], generation: str) -> list[str]:
    lines = []
    for name, options in _ordered(sections, generation):
        lines.append(f"    {name} {{")
        lines += [f"        {option:<16} {_quoted(value):>3};" for option, value in options.items()]
        lines.append("    }")
    return lines


def _quoted(value: str) -> str:
    return value if _PLAIN.fullmatch(value) else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def dump_xml(config: Config, names: Iterable[Resource]) -> str:
    """As XML."""
    lines = [f"<config file={_attribute(config.file)}>", *_xml_global(config)]
    if config.common is not None:
        lines += ["    <common>", *_xml_sections(config.common, config.generation), "    </common>"]
    for resource in names:
        lines += _xml_resource(config, resource)
    return "\n".join([*lines, "</config>"]) + "\n"


def _xml_resource(config: Config, resource: Resource) -> list[str]:
    place = _attribute(f"{resource.file}:{resource.line}")
    lines = [f"    <resource name={_attribute(resource.name)} conf-file-line={place}>"]
    for host in resource.hosts:
        lines += [f"        <host name={_attribute(host.name)}>"]
        for volume in host.volumes.values():
            lines += _xml_volume(volume, config.generation)
        lines += [f"            {_xml_address(host)}", "        </host>"]
    if config.generation == "9" and (resource.mesh or len(resource.hosts) == 2):
        for pair in combinations(resource.hosts, 2):
            ends = (f"            <host name={_attribute(host.name)}>{_xml_address(host)}</host>" for host in pair)
            lines += ["        <connection>", *ends, "        </connection>"]
    return [*lines, *_xml_sections(resource.sections, config.generation), "    </resource>"]


def _xml_global(config: Config) -> list[str]:
    """The few global options that count besides those of the tool itself."""
    lines = []
    if "minor-count" in config.global_options:
        lines.append(f'        <minor-count count="{config.global_options["minor-count"]}"/>')
    if "disable-ip-verification" in config.global_options:
        lines.append("        <disable-ip-verification/>")
    return ["    <global>", *lines, "    </global>"] if lines else []


def _xml_volume(volume: Volume, generation: str) -> list[str]:
    lines = [f'            <volume vnr="{volume.number}">']
    lines += [f"        {line}" for line in _xml_sections({"disk": volume.options}, generation)]
    return [
        *lines,
        f'                <device minor="{volume.minor}">{volume.device}</device>',
        *_xml_disk(volume),
        "            </volume>",
    ]


def _xml_disk(volume: Volume) -> list[str]:
    index = "" if volume.index is None else f' index="{volume.index}"'
    meta = [] if volume.diskless else [f"                <meta-disk{index}>{volume.meta}</meta-disk>"]
    return [f"                <disk>{volume.disk}</disk>", *meta]


def _xml_address(host: HostSection) -> str:
    return f'<address family="{host.family}" port="{host.port}">{host.address}</address>'


def _xml_sections(sections: Mapping[str, Options], generation: str) -> list[str]:
    return [line for name, options in _ordered(sections, generation) for line in _xml_section(name, options)]


def _xml_section(name: str, options: Options) -> list[str]:
    rows = (f"            <option name={_attribute(key)} value={_attribute(value)}/>" for key, value in options.items())
    return [f'        <section name="{name}">', *rows, "        </section>"]
