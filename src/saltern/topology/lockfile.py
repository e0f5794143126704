"""The allocation file: where every domain is and with which numbers, in a YAML file that people commit with the topology.

It is pillar data under the same key as the topology, so that both merge into one dictionary.
"""

from collections.abc import Mapping
from typing import Any

import yaml

from saltern.topology import schema, values
from saltern.topology.allocate import NO_NUMBERS, Allocation, DiskNumbers, DomainNumbers
from saltern.topology.read import Reader
from saltern.topology.values import Wrong

HEADER = """\
# Which two nodes hold the data of each domain, its UUID and its numbers, also those that the topology writes itself.
# Commit it together with the topology. Written by `salt-run topology.allocate` (without Salt: `saltern allocate PATH`):
# change the topology, not this file. An entry stays when its domain or disk is taken out of the topology, because what is
# left on the nodes may still run, and holds these numbers. To give up the entry of a domain that runs nowhere:
# `salt-run topology.allocate forget=NAME` (without Salt: `saltern allocate --forget NAME PATH`).
"""

PATH = "saltern:allocation"
NODES_OF_A_DOMAIN = 2


def read(data: object, reader: Reader) -> Allocation:
    """The allocation from what stands under ``saltern:allocation``; violations go to ``reader``."""
    top = reader.section(schema.ALLOCATION, data, PATH)
    if top is None:
        return Allocation()
    entries = reader.named(values.NAME, top["domains"], f"{PATH}:domains")
    return Allocation(domains={name: _domain(entry, f"{PATH}:domains:{name}", reader) for name, entry in entries})


def _domain(data: object, path: str, reader: Reader) -> DomainNumbers:
    found = reader.section(schema.ALLOCATED_DOMAIN, data, path)
    if found is None:
        return DomainNumbers()
    disks = reader.named(values.DEVICE, found["disks"], f"{path}:disks")
    return DomainNumbers(
        uuid=found["uuid"],
        node_ids=_node_ids(found["node_ids"], f"{path}:node_ids", reader),
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
    return {"domains": {name: _domain_to_pillar(numbers) for name, numbers in sorted(allocation.domains.items())}}


def _domain_to_pillar(numbers: DomainNumbers) -> dict[str, Any]:
    disks = {device: _without_none(disk) for device, disk in sorted(numbers.disks.items()) if disk != NO_NUMBERS}
    parts: Mapping[str, Any] = {
        "uuid": numbers.uuid,
        "node_ids": dict(sorted(numbers.node_ids.items())),
        "macs": dict(sorted(numbers.macs.items())),
        "disks": disks,
    }
    return {name: part for name, part in parts.items() if part}


def _without_none(disk: DiskNumbers) -> dict[str, int | str]:
    slot = disk.meta_disk
    meta_disk = None if slot is None else f"{slot.volume}[{slot.index}]"
    numbers = {"minor": disk.minor, "port": disk.port, "meta_disk": meta_disk}
    return {name: number for name, number in numbers.items() if number is not None}


def write(allocation: Allocation) -> str:
    """The text of the file: sorted, a line for each disk, the same for the same allocation."""
    document = {"saltern": {"allocation": to_pillar(allocation)}}
    # The C emitter, where PyYAML was built with it, is several times faster; the text is the same.
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    body: str = yaml.dump(document, Dumper=dumper, default_flow_style=None, sort_keys=True, width=120)
    return f"{HEADER}{body}"
