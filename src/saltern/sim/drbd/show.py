"""``drbdsetup show``: the options that differ from their defaults, as the kernel holds them (transcript 062)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from saltern.sim.drbd.kernel import STANDALONE, Connection, Device, Resource
from saltern.sim.drbd.metadata import FLEXIBLE, INTERNAL
from saltern.sim.drbd.options import SECTIONS, Option

if TYPE_CHECKING:
    from saltern.sim.world import SimNode


def show(node: "SimNode", resource: Resource) -> str:
    """The configuration of a resource as the kernel has it."""
    known = SECTIONS[node.drbd_version]
    name = f'"{resource.name}"' if node.drbd_version == "9" else resource.name
    lines = [f"resource {name} {{", *_section("    ", "options", resource.options, known["options"])]
    lines += _show_9(resource, known) if node.drbd_version == "9" else _show_84(resource, known)
    return "\n".join([*lines, "}"]) + "\n"


def _show_84(resource: Resource, known: Mapping[str, Mapping[str, Option]]) -> list[str]:
    lines = []
    connection = resource.connection
    configured = connection is not None and connection.state != STANDALONE
    if connection is not None and configured:
        lines += _section("    ", "net", connection.options, known["net"])
        lines += ["    _remote_host {", f"        address\t\t\t{_address(connection.remote)};", "    }"]
    lines.append("    _this_host {")
    if connection is not None and configured:
        lines.append(f"        address\t\t\t{_address(connection.local)};")
    for device in resource.devices.values():
        lines += _volume(device, known["disk"])
    return [*lines, "    }"]


def _show_9(resource: Resource, known: Mapping[str, Mapping[str, Option]]) -> list[str]:
    lines = ["    _this_host {", f"        node-id\t\t\t{resource.node_id};"]
    for device in resource.devices.values():
        lines += _volume(device, known["disk"])
    lines.append("    }")
    for link in resource.links:
        lines += _connection(resource, link, known)
    return lines


def _connection(resource: Resource, connection: Connection, known: Mapping[str, Mapping[str, Option]]) -> list[str]:
    lines = ["    connection {", f"        _peer_node_id {connection.peer_node_id};"]
    if connection.local:
        lines += ["        path {", f"            _this_host {_address(connection.local)};"]
        lines += [f"            _remote_host {_address(connection.remote)};", "        }"]
    net = _section("        ", "net", connection.options, known["net"])
    lines += [*net[:-1], f'            _name           \t"{connection.peer_name}";', net[-1]]
    for device in resource.devices.values():
        lines += [f"        volume {device.volume} {{"]
        options = device.peer_options if connection is resource.connection else connection.peer_options
        section = _section("            ", "disk", options, known["disk"])
        bitmap = [] if connection.bitmap else [f"                {'bitmap':<16}\tno;"]
        lines += [*section[:-1], *bitmap, section[-1], "        }"]
    standalone = ["        _is_standalone;"] if connection.state == STANDALONE else []
    return [*lines, *standalone, "    }"]


def _volume(device: Device, known: Mapping[str, Option]) -> list[str]:
    lines = [f"        volume {device.volume} {{", f"            device\t\t\tminor {device.minor};"]
    if device.client:
        lines.append("            disk\t\t\tnone;")
    if device.backing:
        place = {FLEXIBLE: "", INTERNAL: ""}.get(device.slot, f" [ {device.slot} ]")
        meta = "internal" if device.slot == INTERNAL else f'"{device.meta}"{place}'
        lines += [f'            disk\t\t\t"{device.backing}";', f"            meta-disk\t\t\t{meta};"]
        lines += _section("            ", "disk", device.options, known)
    return [*lines, "        }"]


def _section(indent: str, name: str, options: Mapping[str, str], known: Mapping[str, Option]) -> list[str]:
    lines = [f"{indent}{name} {{"]
    for option, kind in known.items():
        value = options.get(option)
        if value is not None and kind.normal(value) != kind.default:
            lines.append(f"{indent}    {option:<16}\t{_value(value, kind)};")
    return [*lines, f"{indent}}}"]


def _value(value: str, kind: Option) -> str:
    if kind.kind == "text":
        return f'"{value}"'
    return kind.normal(value) + kind.unit if kind.kind == "number" else value


def _address(endpoint: str) -> str:
    family, _, rest = endpoint.partition(":")
    return f"{family} {rest}"
