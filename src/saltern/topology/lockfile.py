"""The allocation file: where the data of every domain are, in a YAML file that people commit with the topology.

It is pillar data under the same key as the topology, so that both merge into one dictionary.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml

from saltern.model.topology import MetaDisk
from saltern.topology import schema, values
from saltern.topology.allocate import NO_NUMBERS, Allocation, DiskNumbers, DomainNumbers, Retired
from saltern.topology.read import Reader
from saltern.topology.values import Kind, Wrong

HEADER = """\
# Where the data of each domain are: nodes, volume groups, resources, volumes, its UUID and its numbers, also those that the
# topology writes itself. Commit it together with the topology. Written by `salt-run topology.allocate` (without Salt:
# `saltern allocate PATH`): change the topology, not this file. Nothing in it changes, and an entry stays when its domain is
# taken out of the topology, because what is left on the nodes may still run, and holds these numbers. To give up the entry
# of a domain that runs nowhere, or of one disk: `salt-run topology.allocate forget=NAME`, `forget=NAME/DEVICE` (without
# Salt: `saltern allocate --forget NAME PATH`). Its numbers are then `retired`: nothing else is given them, because what is
# left on the nodes would connect with it. When nothing is left on a node, delete its lines under `retired` by hand.
"""

PATH = "saltern:allocation"
NODES_OF_A_DOMAIN = 2
# The kind of a retired number -> where it stands, and how it is read.
RETIRED_KEYS: Final[Mapping[str, tuple[str, Kind]]] = {
    "minor": ("minors", values.MINOR),
    "port": ("ports", values.PORT),
    "meta_disk": ("meta_disks", values.SLOT_IN_META_DISK),
}


def read(data: object, reader: Reader) -> Allocation:
    """The allocation from what stands under ``saltern:allocation``; violations go to ``reader``."""
    top = reader.section(schema.ALLOCATION, data, PATH)
    if top is None:
        return Allocation()
    entries = reader.named(values.NAME, top["domains"], f"{PATH}:domains")
    nodes = reader.named(values.NODE, top["retired"], f"{PATH}:retired")
    return Allocation(
        domains={name: _domain(entry, f"{PATH}:domains:{name}", reader) for name, entry in entries},
        retired=frozenset(
            each for node, numbers in nodes for each in _retired(node, numbers, f"{PATH}:retired:{node}", reader)
        ),
    )


def _retired(node: str, data: object, path: str, reader: Reader) -> Iterator[Retired]:
    found = reader.section(schema.RETIRED, data, path) or {}
    for kind, (key, numbers) in RETIRED_KEYS.items():
        owners: Mapping[Any, str] = reader.mapping(
            numbers, values.DISK_OF_A_DOMAIN, found.get(key, {}), f"{path}:{key}"
        )
        for number, owner in owners.items():
            yield Retired(node, kind, number, owner)


def _domain(data: object, path: str, reader: Reader) -> DomainNumbers:
    found = reader.section(schema.ALLOCATED_DOMAIN, data, path)
    if found is None:
        return DomainNumbers()
    disks = reader.named(values.DEVICE, found["disks"], f"{path}:disks")
    return DomainNumbers(
        uuid=found["uuid"],
        node_ids=_node_ids(found["node_ids"], f"{path}:node_ids", reader),
        volume_groups=reader.mapping(values.NODE, values.VOLUME_GROUP, found["volume_groups"], f"{path}:volume_groups"),
        macs=reader.mapping(values.INTERFACE_LABEL, values.MAC, found["macs"], f"{path}:macs"),
        disks={device: _disk(entry, f"{path}:disks:{device}", reader) for device, entry in disks},
    )


def _node_ids(data: Mapping[object, object] | None, path: str, reader: Reader) -> dict[str, int]:
    if data is None:
        return {}
    if len(data) != NODES_OF_A_DOMAIN:
        found = f"{len(data)} nodes"
        reader.refuse(path, Wrong("entry-nodes", found, "the two nodes of the domain", "restore what was committed"))
    return reader.mapping(values.NODE, values.NODE_ID, data, path)


def _disk(data: object, path: str, reader: Reader) -> DiskNumbers:
    found = reader.section(schema.ALLOCATED_DISK, data, path)
    return DiskNumbers() if found is None else DiskNumbers(**found)


def to_pillar(allocation: Allocation) -> dict[str, Any]:
    """The allocation as it stands under ``saltern:allocation``; empty parts are left out."""
    domains = {name: _domain_to_pillar(numbers) for name, numbers in sorted(allocation.domains.items())}
    retired = _retired_to_pillar(allocation)
    return {"domains": domains, **({"retired": retired} if retired else {})}


def _retired_to_pillar(allocation: Allocation) -> dict[str, Any]:
    nodes: dict[str, dict[str, dict[int | str, str]]] = {}
    for node, kind, number, owner in sorted(allocation.retired, key=str):
        place = number if isinstance(number, int) else _meta_disk_text(number)
        nodes.setdefault(node, {}).setdefault(RETIRED_KEYS[kind][0], {})[place] = owner
    return nodes


def _domain_to_pillar(numbers: DomainNumbers) -> dict[str, Any]:
    disks = {device: _without_none(disk) for device, disk in sorted(numbers.disks.items()) if disk != NO_NUMBERS}
    parts: Mapping[str, Any] = {
        "uuid": numbers.uuid,
        "node_ids": dict(sorted(numbers.node_ids.items())),
        "volume_groups": dict(sorted(numbers.volume_groups.items())),
        "macs": dict(sorted(numbers.macs.items())),
        "disks": disks,
    }
    return {name: part for name, part in parts.items() if part}


def _without_none(disk: DiskNumbers) -> dict[str, int | str]:
    numbers = {
        "resource": disk.resource,
        "volume": disk.volume,
        "minor": disk.minor,
        "port": disk.port,
        "meta_disk": None if disk.meta_disk is None else _meta_disk_text(disk.meta_disk),
    }
    return {name: number for name, number in numbers.items() if number is not None}


def _meta_disk_text(meta_disk: MetaDisk) -> str:
    return f"{meta_disk.volume}[{meta_disk.index}]" if meta_disk.shared else meta_disk.volume


def write(allocation: Allocation) -> str:
    """The text of the file: sorted, a line for each disk, the same for the same allocation."""
    document = {"saltern": {"allocation": to_pillar(allocation)}}
    # The C emitter, where PyYAML was built with it, is several times faster; the text is the same.
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    body: str = yaml.dump(document, Dumper=dumper, default_flow_style=None, sort_keys=True, width=1000)
    return f"{HEADER}{body}"
