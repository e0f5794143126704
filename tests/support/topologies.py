"""Topologies for tests: a valid one, and fragments of YAML merged over it."""

import copy
from collections.abc import Collection, Mapping
from typing import Any

import yaml

from saltern import topology
from saltern.errors import TopologyError, Violation
from saltern.topology import lockfile

VALID = """
cluster: test
nodes:
  dom0: {address: 10.0.0.1, volume_group: XEN}
  dom0m: {address: 10.0.0.2, volume_group: XEN}
domains:
  a:
    home: dom0
    partner: dom0m
    memory: 256M
    disks: {xvda: {size: 1G}}
    interfaces: [{bridge: xenbr0}]
    xl: {bootloader: pygrub}
  b:
    home: dom0m
    partner: dom0
    memory: 256M
    disks: {xvda: {size: 1G}}
    interfaces: [{bridge: xenbr0}]
    xl: {bootloader: pygrub}
"""


def merged(base: Any, over: Any) -> Any:
    """``over`` written over ``base``; mappings are merged; the text ``TAKEN_AWAY`` takes a key away."""
    if not isinstance(base, dict) or not isinstance(over, dict):
        return over
    result = {**base, **{key: merged(base.get(key), value) for key, value in over.items()}}
    return {key: value for key, value in result.items() if value != TAKEN_AWAY}


TAKEN_AWAY = "<taken away>"


def pillar(fragment: str = "") -> dict[str, Any]:
    """The valid topology with a fragment of YAML over it."""
    return {"saltern": merged(yaml.safe_load(VALID), yaml.safe_load(fragment) or {})}


def allocated(data: Mapping[str, Any], forget: Collection[str] = ()) -> dict[str, Any]:
    """The pillar with its allocation in it, the entries of some domains forgotten before."""
    result = copy.deepcopy(dict(data))
    result["saltern"]["allocation"] = lockfile.to_pillar(topology.load_and_allocate(result, forget))
    return result


def found(data: Mapping[str, Any]) -> tuple[Violation, ...]:
    """The violations that allocating reports."""
    try:
        topology.load_and_allocate(data)
    except TopologyError as error:
        return error.violations
    return ()


def found_compiling(data: Mapping[str, Any]) -> tuple[Violation, ...]:
    """The violations that compiling reports."""
    try:
        topology.compile(data)
    except TopologyError as error:
        return error.violations
    return ()
