"""A small pair of nodes to plan for, and views of a node made of plain values."""

from collections.abc import Mapping
from typing import Any

from saltern.model.action import Promote
from saltern.model.desired import (
    DomainDisk,
    DomainSpec,
    NodeSlice,
    Purpose,
    Resource,
    ResourceHost,
    Volume,
)
from saltern.model.observed import LogicalVolume, Lvm, Metadata, MetadataState, VolumeGroup, Xen, XenDomain
from saltern.model.operation import Half, Operation, OperationKind, Standing
from saltern.model.places import BLOCK_SCRIPT, stopped_file
from saltern.model.running import (
    Connection,
    ConnectionState,
    Device,
    DiskState,
    DrbdVersion,
    Generation,
    PeerDevice,
    ReplicationState,
    Role,
    RunningResource,
)
from saltern.observe import Observation
from saltern.plan.project import (
    ADJUSTMENTS,
    CONFIGURED,
    LVM,
    MEMORY,
    RUNNING,
    VERSION,
    XEN,
    file_at,
    metadata_of,
    mode_at,
    operation_on,
    remake_of,
    start_of,
)
from saltern.render import block_script, drbd_resource, xl_config
from saltern.units import GIB, MIB

UUID = "6f3d2a10-93a5-5f0e-9d55-0a4f6f1d2c33"
BLANK = Metadata(state=MetadataState.BLANK)
NEW = Metadata(state=MetadataState.VALID, current=0x4)
USED = Metadata(state=MetadataState.VALID, current=0x46D643398844E986)


def pair_slice(node: str = "dom0", *, size_bytes: int = GIB, shared_meta: bool = False) -> NodeSlice:
    """What ``node`` of the pair dom0 (home) and dom0m should be: one domain, dns, with one disk."""
    meta = "meta" if shared_meta else "dns_meta"
    hosts = [
        ResourceHost(
            node=name,
            node_id=node_id,
            address=address,
            port=7792,
            minor=1,
            disk="/dev/XEN/dns",
            meta_device=f"/dev/XEN/{meta}",
            meta_index=1 if shared_meta else None,
        )
        for node_id, (name, address) in enumerate((("dom0", "192.168.1.190"), ("dom0m", "192.168.1.191")))
    ]
    return NodeSlice(
        migration_address="192.168.1.190" if node == "dom0" else "192.168.1.191",
        cluster="test",
        node=node,
        volumes=(
            Volume(volume_group="XEN", name="dns", size_bytes=size_bytes, purpose=Purpose.DATA),
            Volume(
                volume_group="XEN",
                name=meta,
                size_bytes=256 * MIB if shared_meta else 4 * MIB,
                purpose=Purpose.META,
            ),
        ),
        resources={
            "dns": Resource(
                name="dns",
                domain="dns",
                protocol="C",
                size_bytes=size_bytes,
                hosts=(hosts[0], hosts[1]),
                sections={},
            )
        },
        domains={
            "dns": DomainSpec(
                name="dns",
                uuid=UUID,
                home="dom0",
                partner="dom0m",
                memory_bytes=256 * MIB,
                vcpus=1,
                disks=(DomainDisk(device="xvda", resource="dns"),),
                interfaces=(),
                depends_on=(),
                order=100,
                xl={},
            )
        },
    )


def lvm(volumes: Mapping[str, tuple[int, set[str]]] | None = None, *, free_bytes: int = 10 * GIB) -> Lvm:
    """The group XEN with volumes: name -> (size, tags)."""
    return Lvm(
        volume_groups={
            "XEN": VolumeGroup(name="XEN", size_bytes=20 * GIB, free_bytes=free_bytes, extent_size_bytes=4 * MIB)
        },
        volumes={
            ("XEN", name): LogicalVolume(
                volume_group="XEN", name=name, size_bytes=size, active=True, open=False, tags=frozenset(tags)
            )
            for name, (size, tags) in (volumes or {}).items()
        },
    )


def running(
    *,
    role: Role = Role.SECONDARY,
    disk: DiskState = DiskState.UP_TO_DATE,
    state: ConnectionState | None = ConnectionState.CONNECTED,
    peer_role: Role = Role.SECONDARY,
    peer_disk: DiskState = DiskState.UP_TO_DATE,
    replication: ReplicationState = ReplicationState.ESTABLISHED,
    size_bytes: int = GIB,
) -> dict[str, RunningResource]:
    """The resource dns in the kernel; ``state=None`` is a resource without any connection."""
    connection = Connection(
        peer_node_id=1,
        peer=None,
        state=state or ConnectionState.STANDALONE,
        role=peer_role,
        volumes={0: PeerDevice(replication=replication, disk=peer_disk)},
    )
    return {
        "dns": RunningResource(
            name="dns",
            role=role,
            suspended=False,
            devices={0: Device(minor=1, disk=disk, size_bytes=size_bytes)},
            connections=() if state is None else (connection,),
        )
    }


def domain(name: str | None = "dns", uuid: str = UUID, **flags: object) -> XenDomain:
    """A domain as the hypervisor shows it; ``flags`` such as ``paused=True``."""
    letters = dict.fromkeys(("running", "blocked", "paused", "shut_down", "suspended", "crashed", "dying"), False)
    told = {"domid": 7, "memory_bytes": 256 * MIB, "vcpus": 1, "cpu_time_s": 4.5}
    return XenDomain(name=name, uuid=uuid, **{**told, **letters, **flags})


def as_it_should_be(share: NodeSlice | None = None, generation: Generation = Generation.V84) -> dict[str, str | None]:
    """The files of a node that is configured as its share says, that of ``pair_slice`` unless given."""
    share = share or pair_slice()
    resources = {
        f"/etc/drbd.d/{name}.res": drbd_resource.render(resource, generation)
        for name, resource in share.resources.items()
    }
    domains = {f"/etc/xen/{name}.cfg": xl_config.render(domain) for name, domain in share.domains.items()}
    return {**resources, BLOCK_SCRIPT: block_script.render(), **domains}


MIGRATION = Operation(
    id="0a1b",
    kind=OperationKind.MIGRATE,
    domain="dns",
    uuid=UUID,
    half=Half.SOURCE,
    source="dom0",
    target="dom0m",
    address="192.168.1.191",
    resources=("dns",),
    owner="root on master",
    since="2026-11-26 10:00:00",
    renewed_s=1000.0,
    taken=True,
)


class _NoHost:
    """Fails a test whose step looks at something that the test did not give."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the step reads something that the test does not give ({name})")


def view(
    *,
    volumes: Lvm | None = None,
    kernel: tuple[int, int, int] = (8, 4, 11),
    resources: Mapping[str, RunningResource] | None = None,
    configured: Mapping[str, Any] | None = None,
    adjustments: Mapping[str, tuple[str, ...]] | None = None,
    domains: tuple[XenDomain, ...] = (),
    free_memory_bytes: int = 4 * GIB,
    metadata: Metadata | None = None,
    files: Mapping[str, str | None] | None = None,
    modes: Mapping[str, int] | None = None,
    host: Any = None,
    promoted: tuple[str, ...] = (),
    operation: Standing | None = None,
    stopped: str | None = None,
    against_start: str | None = None,
) -> Observation:
    """A view in which these things are known, and nothing else can be read."""
    known = Observation(host or _NoHost(), "dom0")
    known.assume(
        {
            LVM: volumes if volumes is not None else lvm(),
            VERSION: DrbdVersion(kernel=kernel, loaded=True),
            RUNNING: resources or {},
            CONFIGURED: configured or {},
            ADJUSTMENTS: adjustments or {},
            XEN: Xen(domains=domains),
            MEMORY: free_memory_bytes,
            operation_on("dns"): operation,
            remake_of("dns"): None,
            start_of("dns"): against_start,
            file_at(stopped_file("dns")): None if stopped is None else f"{UUID} {stopped}\n",
            **({metadata_of("dns"): metadata} if metadata is not None else {}),
            **{file_at(path): text for path, text in {**as_it_should_be(), **(files or {})}.items()},
            **{mode_at(path): mode for path, mode in {BLOCK_SCRIPT: block_script.MODE, **(modes or {})}.items()},
        }
    )
    for name in promoted:
        known.note(Promote(resource=name))
    return known
