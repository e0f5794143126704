"""The allocation file: what was allocated, in a YAML file beside the topology that people commit.

It is pillar data under the same key as the topology, so that both merge into one dictionary.
"""

from collections.abc import Mapping
from typing import Any

import yaml

from saltern.topology import schema, values
from saltern.topology.allocate import NO_NUMBERS, Allocation, DiskNumbers, DomainNumbers
from saltern.topology.read import Reader

HEADER = """\
# Numbers that were allocated to the topology beside this file. Commit both together.
# Written by `salt-run topology.allocate` (without Salt: `saltern allocate PATH`): change the topology, not this file.
# What the topology writes itself is not in here. To free a number, remove its domain or its disk and allocate again.
"""

PATH = "saltern:allocation"


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
        node_ids=reader.mapping(values.NODE, values.NODE_ID, found["node_ids"], f"{path}:node_ids"),
        macs=reader.mapping(values.INTERFACE_LABEL, values.MAC, found["macs"], f"{path}:macs"),
        disks={device: _disk(entry, f"{path}:disks:{device}", reader) for device, entry in disks},
    )


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


def _without_none(disk: DiskNumbers) -> dict[str, int]:
    numbers = {"minor": disk.minor, "port": disk.port, "slot": disk.slot}
    return {name: number for name, number in numbers.items() if number is not None}


def write(allocation: Allocation) -> str:
    """The text of the file: sorted, a line for each disk, the same for the same allocation."""
    document = {"saltern": {"allocation": to_pillar(allocation)}}
    # The C emitter, where PyYAML was built with it, is several times faster; the text is the same.
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    body: str = yaml.dump(document, Dumper=dumper, default_flow_style=None, sort_keys=True, width=120)
    return f"{HEADER}{body}"
