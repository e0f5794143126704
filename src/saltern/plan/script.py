"""The plan for an empty node as a shell script, for review or for a host without Salt."""

import shlex
from collections.abc import Iterator, Mapping, Sequence

from saltern.argv.action import command_for
from saltern.model.action import Action, MarkVolume, StartFirstSync, WriteFile
from saltern.model.desired import NodeSlice, domain_file, resource_file
from saltern.model.observed import Lvm, Metadata, MetadataState, VolumeGroup, Xen
from saltern.model.places import CORE
from saltern.model.running import DrbdVersion, Generation
from saltern.plan.configuration import SCRIPTS
from saltern.plan.items import Item, Kind
from saltern.plan.project import (
    ADJUSTMENTS,
    CONFIGURED,
    LVM,
    MEMORY,
    RUNNING,
    VERSION,
    XEN,
    Part,
    file_at,
    metadata_of,
    operation_on,
    start_of,
)
from saltern.units import MIB

_END_OF_FILE = "SALTERN_END_OF_FILE"
_MODE = 0o600  # that of a new file, by the umask
_ENDLESS_BYTES = 2**62
_KERNELS = {Generation.V84: (8, 4, 11), Generation.V9: (9, 2, 0)}
_HEADINGS = {
    Kind.MODULE: "The DRBD module",
    Kind.VOLUME: "Logical volumes",
    Kind.RESOURCE_CONFIGURATION: "DRBD resources",
    Kind.METADATA: "DRBD metadata, on the volumes made above",
    Kind.ACTIVATION: "Resources up",
    Kind.FIRST_SYNCHRONISATION: "First synchronisation",
    Kind.SIZE: "Sizes",
    Kind.SCRIPT: "The scripts by which Xen attaches the disks of domains, and domains move",
    Kind.DOMAIN_CONFIGURATION: "Domains",
    Kind.DOMAIN: "Domains that belong here are started",
    Kind.ROLE: "Roles",
    Kind.TIE_BREAKER: "Resources that this node breaks ties for",
}


def empty_node(node_slice: NodeSlice, generation: Generation) -> dict[Part, object]:
    """Everything there is to know of a node that has its volume groups and nothing else."""
    groups = {
        volume.volume_group: VolumeGroup(
            name=volume.volume_group, size_bytes=_ENDLESS_BYTES, free_bytes=_ENDLESS_BYTES, extent_size_bytes=4 * MIB
        )
        for volume in node_slice.volumes
    }
    known: dict[Part, object] = {
        LVM: Lvm(volume_groups=groups, volumes={}),
        VERSION: DrbdVersion(kernel=_KERNELS[generation], loaded=False),
        RUNNING: {},
        CONFIGURED: {},
        ADJUSTMENTS: {},
        XEN: Xen(domains=()),
        MEMORY: _ENDLESS_BYTES,
    }
    known |= {metadata_of(name): Metadata(state=MetadataState.NO_DEVICE) for name in node_slice.resources}
    known |= {file_at(path): None for path in _files(node_slice)}
    known |= {part(name): None for name in node_slice.domains for part in (operation_on, start_of)}
    return known


def render(node_slice: NodeSlice, generation: Generation, actions: Mapping[Item, Sequence[Action]]) -> str:
    """The script; ``actions`` are those of each item of the empty node, in order."""
    return "\n".join([*_head(node_slice, generation), *_guards(node_slice), *_body(node_slice, actions), ""])


def _files(node_slice: NodeSlice) -> Iterator[str]:
    yield from (resource_file(name) for name in (*node_slice.resources, *node_slice.tie_breaks))
    yield from SCRIPTS if node_slice.domains else ()
    yield from (domain_file(name) for name in node_slice.domains)


def _head(node_slice: NodeSlice, generation: Generation) -> Iterator[str]:
    yield "#!/bin/bash"
    yield f"# Builds node {node_slice.node} of cluster {node_slice.cluster} from empty volume groups, for DRBD {generation}."
    yield "# Run it on both nodes of a pair at the same time: the home node of a disk waits for the other side."
    yield "# It refuses to run where anything that it would create is there already."
    yield "# It holds what the configurations hold, secrets as well: keep it as you keep them."
    yield "set -euo pipefail"
    yield "umask 077"


def _guards(node_slice: NodeSlice) -> Iterator[str]:
    yield ""
    yield "# --- Nothing may be there yet"
    yield 'refuse() { echo "refused: $1 exists; nothing was changed" >&2; exit 1; }'
    yield f'[ "$(uname -n)" = {shlex.quote(node_slice.node)} ] || ' + (
        f'{{ echo "refused: this is not {shlex.quote(node_slice.node)}" >&2; exit 1; }}'
    )
    yield f"[ -f {CORE}/saltern/__init__.py ] || " + (
        f'{{ echo "refused: the core is not in {CORE}: copy src/saltern there; nothing was changed" >&2; exit 1; }}'
    )
    for group in sorted({volume.volume_group for volume in node_slice.volumes}):
        yield f"vgs {shlex.quote(group)} > /dev/null"
    for volume in node_slice.volumes:
        path = shlex.quote(volume.path)
        yield f"[ ! -e {path} ] || refuse {path}"
    for file in map(shlex.quote, _files(node_slice)):
        yield f"[ ! -e {file} ] || refuse {file}"
    for domain in map(shlex.quote, node_slice.domains):
        yield f"! xl domid {domain} > /dev/null 2>&1 || refuse 'domain '{domain}"


def _body(node_slice: NodeSlice, actions: Mapping[Item, Sequence[Action]]) -> Iterator[str]:
    heading = None
    for item, each in actions.items():
        if each and item.kind is not heading:
            heading = item.kind
            yield f"\n# --- {_HEADINGS[item.kind]}"
        for action in each:
            yield from _lines(node_slice, item, action)
        if item.kind is Kind.RESOURCE_CONFIGURATION and item.name == list(node_slice.resources)[-1]:
            yield "# Stops here, before any metadata, when a number is in use by something else on this node."
            yield "drbdadm dump all > /dev/null"


def _lines(node_slice: NodeSlice, item: Item, action: Action) -> Iterator[str]:
    if isinstance(action, WriteFile):
        yield f"cat > {shlex.quote(action.path)} <<'{_END_OF_FILE}'"
        yield f"{action.text.rstrip()}\n{_END_OF_FILE}"
        if action.mode != _MODE:
            yield f"chmod {action.mode:o} {shlex.quote(action.path)}"
        return
    if isinstance(action, StartFirstSync):
        name = shlex.quote(action.resource)
        partner = node_slice.resources[action.resource].peer_of(node_slice.node).node
        yield f"echo {shlex.quote(f'waiting until {action.resource} is connected to {partner} and new on both sides')}"
        yield f'until [ "$(drbdadm dstate {name})" = Inconsistent/Inconsistent ]; do sleep 1; done'
    if isinstance(action, MarkVolume) and item.kind is Kind.FIRST_SYNCHRONISATION:
        yield f"echo {shlex.quote(f'waiting until the first synchronisation of {item.name} has started')}"
        yield f"until drbdadm dstate {shlex.quote(item.name)} | grep -q UpToDate; do sleep 1; done"
    yield shlex.join(command_for(action))
