"""Every key of the topology, described once: the loader checks with it, the reference is generated from it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, NamedTuple

from saltern.guard.times import Times
from saltern.topology import drbd_options, values, xl_keys
from saltern.topology.values import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key: what it takes, what happens without it, what it means.

    ``default`` is the value, ``default_text`` its description where it depends on something else.
    """

    name: str
    kind: Kind
    meaning: str
    example: str = ""
    required: bool = False
    default: Any = None
    default_text: str = ""


@dataclass(frozen=True, kw_only=True)
class Section:
    """A mapping with known keys.

    ``passed_through`` are keys of another program, which ``page`` describes. ``owned`` are keys of it that are decided
    elsewhere: name -> what to do instead. ``misplaced`` are keys that belong into another section: name -> what to do.
    """

    path: str
    meaning: str
    keys: tuple[Key, ...] = ()
    passed_through: tuple[Key, ...] = ()
    page: str = ""
    owned: Mapping[str, str] = field(default_factory=dict)
    misplaced: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def by_name(self) -> dict[str, Key]:
        """All its keys by name."""
        return {key.name: key for key in (*self.keys, *self.passed_through)}

    @cached_property
    def required(self) -> frozenset[str]:
        """The names that must be there."""
        return frozenset(key.name for key in self.keys if key.required)

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """The value of every key where none is written; keys that are passed through have none."""
        return {key.name: key.default for key in self.keys}

    def is_complete(self, found: Mapping[str, Any]) -> bool:
        """Whether everything that is required was found."""
        return all(found[name] is not None for name in self.required)


class Row(NamedTuple):
    """One line of the reference."""

    path: str
    kind: str
    allowed: str
    default: str
    required: bool
    meaning: str
    example: str


def _drbd_option(section: str, option: str) -> Key:
    forced = drbd_options.FORCED.get((section, option))
    kind = values.SHARED_SECRET if option == "shared-secret" else values.OPTION
    if forced is not None:
        kind = values.one_of("unsafe-option", (forced.value,), forced.reason)
    return Key(name=option, kind=kind, meaning="See drbd.conf(5).")


def _drbd_section(name: str) -> Section:
    forced = {option for section, option in drbd_options.FORCED if section == name}
    return Section(
        path=f"saltern:drbd:{name}",
        meaning=f"Any option of the section `{name}` of drbd.conf(5) that Saltern does not decide.",
        passed_through=tuple(_drbd_option(name, option) for option in sorted(drbd_options.KNOWN[name] | forced)),
        page="drbd.conf(5)",
        owned={option: what for (section, option), what in drbd_options.OWNED.items() if section == name},
    )


DRBD_SECTIONS: Final = {name: _drbd_section(name) for name in drbd_options.KNOWN}

_IDENTITY: Final = (
    " Without `cram-hmac-alg` and `shared-secret`, each resource is given a pair of its own, so that it connects with nothing "
    "else."
)

DRBD: Final = Section(
    path="saltern:drbd",
    meaning="Options of DRBD for every disk; a domain and a disk can override each of them under a key of this name.",
    keys=(
        Key(
            name="protocol",
            kind=values.one_of("protocol", ("A", "B", "C")),
            default_text="C",
            meaning="When a write counts as done: C when it is on both disks. Live migration needs C.",
            example="C",
        ),
        *(
            Key(
                name=name,
                kind=values.MAPPING,
                default_text="none",
                meaning=f"Options of the section `{name}` of drbd.conf(5)." + (_IDENTITY if name == "net" else ""),
                example="{ping-int: 3}" if name == "net" else "",
            )
            for name in drbd_options.KNOWN
        ),
    ),
)

_RETURN: Final = values.one_of("return", ("manual", "automatic"))

CLUSTER: Final = Section(
    path="saltern",
    meaning="The whole cluster.",
    keys=(
        Key(
            name="cluster",
            kind=values.CLUSTER,
            default="cluster",
            meaning="The name of the cluster; several clusters can live under one master.",
            example="example",
        ),
        Key(
            name="drbd",
            kind=values.MAPPING,
            default_text="none",
            meaning="Options of DRBD for every disk.",
            example="{protocol: C}",
        ),
        Key(
            name="return",
            kind=_RETURN,
            default="manual",
            meaning="Whether domains that run on their partner return home by themselves when their home is back and their disks "
            "are UpToDate. It takes a reactor on the master. Never to a node that is in maintenance, and never what somebody has "
            "moved by name.",
            example="automatic",
        ),
        Key(
            name="takeover",
            kind=values.MAPPING,
            default_text="a lost node's domains are started by a person only",
            meaning="Whether, and on what proof, the partner of a lost node starts its domains by itself.",
        ),
        Key(
            name="tie_breaker",
            kind=values.NODE,
            default_text="none: DRBD has no quorum",
            meaning="The third node of every disk, for DRBD 9: a node that holds no domain. It has no disk of them, and is the "
            "third vote: a Primary that sees neither its partner nor this node is suspended. With `takeover` only by `quorum`.",
            example="third",
        ),
        Key(name="nodes", kind=values.MAPPING, required=True, meaning="The physical servers, by their host names."),
        Key(
            name="domains",
            kind=values.MAPPING,
            default={},
            default_text="none",
            meaning="The virtual machines, by their names.",
        ),
        Key(
            name="allocation",
            kind=values.MAPPING,
            default={},
            default_text="none",
            meaning="Where the data of every domain are, as `salt-run topology.allocate` wrote it. "
            "Not for editing by hand.",
        ),
    ),
)

TAKEOVER: Final = Section(
    path="saltern:takeover",
    meaning="A guard on each node takes over from a node that is proven dead: by leases, with a witness, or by an agent that has "
    "switched it off: one of the two is there, or both. Or by quorum, with a tie-breaker, and then neither.",
    keys=(
        Key(
            name="witness",
            kind=values.MAPPING,
            default_text="no leases: an agent for each node is the proof",
            meaning="The third vote. With it leases are the proof, and nobody takes anything over without it.",
        ),
        Key(
            name="fencing",
            kind=values.MAPPING,
            default={},
            default_text="no node is switched off",
            meaning="For each node the agent that switches it off. With a witness it is used in addition, and what it says "
            "proves nothing.",
        ),
        Key(
            name="quorum",
            kind=values.one_of("takeover-quorum", ("yes", "no")),
            default="no",
            meaning="Whether the quorum of DRBD 9 is the proof, with a `tie_breaker`: the partner has the disks of a lost node "
            "Primary for `lease:takeover` seconds before it starts anything. **It has never run on a kernel with DRBD 9.**",
            example="yes",
        ),
        Key(
            name="port",
            kind=values.PORT,
            default=7780,
            meaning="The TCP port of the guards, on the `address` of each node.",
            example="7780",
        ),
        Key(
            name="lease",
            kind=values.MAPPING,
            default={},
            default_text="times that fit each other",
            meaning="The times that the proof rests on.",
        ),
        Key(
            name="notify",
            kind=values.COMMAND,
            default=(),
            default_text="none",
            meaning="A command that each guard runs for its events, which come as JSON on standard input; it may take 30 s.",
            example="[/usr/local/sbin/tell-admin, --urgent]",
        ),
    ),
)

WITNESS: Final = Section(
    path="saltern:takeover:witness",
    meaning="A minion that is on neither side of any domain; normally that of the master.",
    keys=(
        Key(name="minion", kind=values.NODE, required=True, meaning="The id of the minion.", example="master"),
        Key(
            name="address",
            kind=values.ADDRESS,
            required=True,
            meaning="Where the nodes reach it; best by another way than the replication takes.",
            example="192.168.1.10",
        ),
        Key(name="port", kind=values.PORT, default=7781, meaning="Its TCP port.", example="7781"),
    ),
)


FENCING: Final = Section(
    path="saltern:takeover:fencing:NODE",
    meaning="What switches this node off. Its partners are given that, and nobody else.",
    keys=(
        Key(
            name="agent",
            kind=values.AGENT,
            required=True,
            meaning="A fence agent of ClusterLabs, in Debian those of the package `fence-agents`. It has the actions `off` and "
            "`status`.",
            example="fence_ipmilan",
        ),
        Key(
            name="options",
            kind=values.SECRET_MAPPING,
            default={},
            default_text="none",
            meaning="What the agent is given on its standard input, by the names that `AGENT -o metadata` tells. `action` and "
            "`nodename` come from the guard.",
            example="{ip: 10.0.9.190, username: saltern, password: ..., lanplus: 1}",
        ),
        Key(
            name="timeout",
            kind=values.AGENT_SECONDS,
            default=60.0,
            meaning="How long one run of it may take, in seconds; then it is killed, and counts as failed.",
            example="60",
        ),
    ),
)


def _time(name: str, default: float, meaning: str) -> Key:
    return Key(name=name, kind=values.SECONDS, default=default, meaning=meaning, example=f"{default:g}")


_TIMES: Final = Times()

LEASE: Final = Section(
    path="saltern:takeover:lease",
    meaning="In seconds. `takeover` is at least (`lease` + `watchdog`) * (1 + `drift`) / (1 - `drift`) + `margin`, or it would "
    "prove nothing. By quorum what DRBD takes to notice a loss comes to `lease` and `watchdog`: of each disk `ping-int`, "
    "`ping-timeout`, and `ko-count` times `timeout`, which are 52.5 s by default.",
    keys=(
        _time("beat", _TIMES.beat_s, "Between two signs of life of a node."),
        _time("dead", _TIMES.dead_s, "After so long without one a node counts as lost, which is no proof yet."),
        _time(
            "lease",
            _TIMES.lease_s,
            "For so long domains run on where neither partner nor witness answers; by quorum, without it.",
        ),
        _time(
            "watchdog",
            _TIMES.watchdog_s,
            "After so long more Xen resets the node, if they have not ended; whole seconds.",
        ),
        _time("takeover", _TIMES.takeover_s, "How long a partner waits, from the last sign of life on."),
        _time("margin", _TIMES.margin_s, "Between a decision and its command."),
        _time(
            "duel",
            _TIMES.duel_s,
            "Without a witness: for how much longer the node that runs fewer domains waits before it has the other one switched "
            "off.",
        ),
        Key(
            name="drift",
            kind=values.DRIFT,
            default=_TIMES.drift,
            meaning="By how much the clocks of two machines may differ in their speed.",
            example="0.01",
        ),
    ),
)

NODE: Final = Section(
    path="saltern:nodes:NODE",
    meaning="A physical server: a Xen dom0 and a Salt minion.",
    keys=(
        Key(
            name="address",
            kind=values.ADDRESS,
            required=True,
            meaning="The address that replication uses.",
            example="192.168.1.190",
        ),
        Key(
            name="migration_address",
            kind=values.ADDRESS,
            default_text="its `address`",
            meaning="The address where it takes domains in that move here while they run.",
            example="10.20.0.190",
        ),
        Key(
            name="volume_group",
            kind=values.VOLUME_GROUP,
            required=True,
            meaning="The LVM volume group for all volumes of this node.",
            example="XEN",
        ),
        Key(
            name="network",
            kind=values.NETWORK,
            default_text="not checked",
            meaning="The replication network; both nodes of a domain must be in the same.",
            example="192.168.1.0/24",
        ),
        Key(
            name="volume_group_size",
            kind=values.CAPACITY,
            default_text="not checked",
            meaning="The size of the volume group: everything placed here must fit.",
            example="100G",
        ),
        Key(
            name="memory",
            kind=values.CAPACITY,
            default_text="not checked",
            meaning="The memory that domains may use together: those at home here must fit.",
            example="8G",
        ),
    ),
)

DOMAIN: Final = Section(
    path="saltern:domains:DOMAIN",
    meaning="A Xen virtual machine.",
    keys=(
        Key(
            name="home",
            kind=values.NODE,
            required=True,
            meaning="The node where it belongs when all is well.",
            example="dom0",
        ),
        Key(
            name="partner",
            kind=values.NODE,
            required=True,
            meaning="The node that holds the replica of its disks.",
            example="dom0m",
        ),
        Key(name="memory", kind=values.MEMORY, required=True, meaning="Its memory.", example="256M"),
        Key(
            name="vcpus", kind=values.integer("vcpus", 1, 512), default=1, meaning="How many CPUs it has.", example="2"
        ),
        Key(
            name="order",
            kind=values.integer("order", 0, 1_000_000),
            default=100,
            meaning="Domains with a lower number start earlier, unless `depends_on` says otherwise.",
            example="10",
        ),
        Key(
            name="priority",
            kind=values.integer("priority", 0, 1_000_000),
            default=100,
            meaning="Where the memory of a partner does not hold everything of a lost node, domains with a higher number are "
            "started rather than others.",
            example="200",
        ),
        Key(
            name="depends_on",
            kind=values.NAMES,
            default=(),
            default_text="none",
            meaning="Domains that start before it.",
            example="[router]",
        ),
        Key(
            name="return",
            kind=_RETURN,
            default_text="that of the cluster",
            meaning="Whether it returns home by itself.",
            example="manual",
        ),
        Key(
            name="minion",
            kind=values.NODE,
            default_text="none",
            meaning="The id of the Salt minion in the guest, where it has one of the same master. `grow` has it grow the file "
            "system of a disk; it runs commands there as root.",
            example="dns.example.org",
        ),
        Key(
            name="uuid",
            kind=values.UUID,
            default_text="allocated",
            meaning="Its identity: what Saltern knows it by.",
            example="0c5be1a6-3f58-5d3c-a77c-2f6b2e8d9f10",
        ),
        Key(
            name="drbd",
            kind=values.MAPPING,
            default_text="that of the cluster",
            meaning="Options of DRBD for all its disks.",
            example="{net: {max-buffers: 8000}}",
        ),
        Key(
            name="disks",
            kind=values.MAPPING,
            required=True,
            meaning="Its disks, at least one, by the device that the guest sees.",
        ),
        Key(
            name="interfaces",
            kind=values.INTERFACES,
            default=(),
            default_text="none",
            meaning="Its network interfaces, in the order of the guest.",
        ),
        Key(
            name="xl",
            kind=values.MAPPING,
            default_text="none",
            meaning="Further keys of xl.cfg(5), each under its own name. A PV or PVH domain is booted by `kernel`, "
            "`bootloader` or `firmware`.",
            example="{type: pvh, kernel: /boot/vmlinuz}",
        ),
    ),
    misplaced=dict.fromkeys(xl_keys.XL_KEYS, "write it under `xl`"),
)

DISK: Final = Section(
    path="saltern:domains:DOMAIN:disks:DEVICE",
    meaning="A block device of the guest: a volume on each of two nodes, replicated by one DRBD resource.",
    keys=(
        Key(name="size", kind=values.DISK_SIZE, required=True, meaning="Its size. Volumes only grow.", example="2G"),
        Key(
            name="resource",
            kind=values.RESOURCE,
            default_text="the domain's name for xvda, else DOMAIN-DEVICE",
            meaning="The name of the DRBD resource and of its file.",
            example="dns",
        ),
        Key(
            name="volume",
            kind=values.VOLUME,
            default_text="the name of the resource",
            meaning="The logical volume, of the same name on both nodes.",
            example="dns",
        ),
        Key(
            name="minor",
            kind=values.MINOR,
            default_text="allocated",
            meaning="The number of the device: 1 for /dev/drbd1.",
            example="1",
        ),
        Key(
            name="port",
            kind=values.PORT,
            default_text="allocated",
            meaning="The TCP port of the replication, on both nodes.",
            example="7792",
        ),
        Key(
            name="node_ids",
            kind=values.NODE_IDS,
            default_text="allocated",
            meaning="The node-ids of DRBD 9: of the home, of the partner. The same for all disks of a domain.",
            example="[0, 1]",
        ),
        Key(
            name="meta_disk",
            kind=values.META_DISK,
            default_text="a volume of its own, RESOURCE_meta",
            meaning="A slot of 128 MiB in a volume that several disks share for their metadata; "
            "without a number the slot is allocated. Begin with 1: drbdmeta creates no others behind metadata in slot 0.",
            example="meta[1]",
        ),
        Key(
            name="drbd",
            kind=values.MAPPING,
            default_text="that of the domain",
            meaning="Options of DRBD for this disk.",
            example="{protocol: C}",
        ),
    ),
)

INTERFACE: Final = Section(
    path="saltern:domains:DOMAIN:interfaces:POSITION",
    meaning="A network interface of the guest; it takes the further keys of xl-network-configuration(5) too.",
    keys=(
        Key(name="bridge", kind=values.BRIDGE, required=True, meaning="The bridge on the node.", example="xenbr0"),
        Key(
            name="mac",
            kind=values.MAC,
            default_text="allocated",
            meaning="Its MAC address.",
            example="00:16:3e:12:34:56",
        ),
    ),
    passed_through=tuple(
        Key(name=name, kind=values.INTERFACE_OPTION, meaning="See xl-network-configuration(5).")
        for name in sorted(xl_keys.INTERFACE_KEYS)
    ),
    page="xl-network-configuration(5)",
)

XL: Final = Section(
    path="saltern:domains:DOMAIN:xl",
    meaning="Any key of xl.cfg(5) that Saltern does not write itself.",
    passed_through=tuple(
        Key(name=name, kind=values.XL_VALUE, meaning="See xl.cfg(5).") for name in sorted(xl_keys.XL_KEYS)
    ),
    page="xl.cfg(5)",
    owned={name: f"take it out: it is written as {where}" for name, where in xl_keys.OWNED.items()},
)

ALLOCATION: Final = Section(
    path="saltern:allocation",
    meaning="The record of where the data of every domain are. Nothing of it changes unless it is forgotten by name: "
    "`salt-run topology.allocate forget=NAME`, `forget=NAME/DEVICE` (without Salt: `saltern allocate --forget NAME PATH`).",
    keys=(
        Key(
            name="domains",
            kind=values.MAPPING,
            default={},
            default_text="none",
            meaning="By domain, also those that are no longer in the topology: what is left of them on the nodes may "
            "still run, and holds their numbers.",
        ),
        Key(
            name="retired",
            kind=values.MAPPING,
            default={},
            default_text="none",
            meaning="By node, the numbers of what was forgotten, each with the disk that had it. Nothing else is given them, "
            "because what is left on the node would connect with it. Delete the lines of a node by hand when nothing is "
            "left on it.",
        ),
    ),
)

RETIRED: Final = Section(
    path="saltern:allocation:retired:NODE",
    meaning="The numbers of forgotten disks on one node.",
    keys=tuple(
        Key(name=name, kind=values.MAPPING, default={}, default_text="none", meaning=meaning, example=example)
        for name, meaning, example in (
            ("minors", "By minor, the disk that had it.", "{1: dns/xvda}"),
            ("ports", "By port, the disk that had it.", "{7792: dns/xvda}"),
            ("meta_disks", "By slot in a shared meta-disk, the disk that had it.", "{'meta[1]': dns/xvda}"),
        )
    ),
)

ALLOCATED_DOMAIN: Final = Section(
    path="saltern:allocation:domains:DOMAIN",
    meaning="The entry of one domain.",
    keys=(
        Key(name="uuid", kind=values.UUID, default_text="none", meaning="Its UUID."),
        Key(
            name="node_ids",
            kind=values.MAPPING,
            required=True,
            meaning="The two nodes that hold its data, and the node-id of each. Home and partner can be exchanged in the "
            "topology, but other nodes are refused until the domain is forgotten.",
            example="{dom0: 0, dom0m: 1}",
        ),
        Key(
            name="volume_groups",
            kind=values.MAPPING,
            default={},
            default_text="none",
            meaning="The volume group that holds its volumes on each of the two nodes.",
            example="{dom0: XEN, dom0m: XEN}",
        ),
        Key(
            name="macs",
            kind=values.MAPPING,
            default={},
            default_text="none",
            meaning="The MAC address of each interface, by its bridge; the second on the same bridge is `xenbr0/2`.",
        ),
        Key(
            name="disks",
            kind=values.MAPPING,
            default={},
            default_text="none",
            meaning="By device.",
        ),
    ),
)

ALLOCATED_DISK: Final = Section(
    path="saltern:allocation:domains:DOMAIN:disks:DEVICE",
    meaning="What one disk is on the nodes.",
    keys=(
        Key(name="resource", kind=values.RESOURCE, default_text="none", meaning="The DRBD resource.", example="dns"),
        Key(name="volume", kind=values.VOLUME, default_text="none", meaning="The logical volume.", example="dns"),
        Key(name="minor", kind=values.MINOR, default_text="none", meaning="The minor."),
        Key(name="port", kind=values.PORT, default_text="none", meaning="The TCP port."),
        Key(
            name="meta_disk",
            kind=values.RECORDED_META_DISK,
            default_text="none",
            meaning="The volume of its own for its metadata, or the slot in a shared one.",
            example="meta[1]",
        ),
    ),
)

SECTIONS: Final = (
    CLUSTER,
    DRBD,
    *DRBD_SECTIONS.values(),
    TAKEOVER,
    WITNESS,
    FENCING,
    LEASE,
    NODE,
    DOMAIN,
    DISK,
    INTERFACE,
    XL,
    ALLOCATION,
    ALLOCATED_DOMAIN,
    ALLOCATED_DISK,
    RETIRED,
)


def rows() -> Iterator[Row]:
    """Every key for the reference, in reading order; the keys of other programs' files come as one row for each page."""
    for section in SECTIONS:
        for key in section.keys:
            default = "" if key.required else key.default_text or str(key.default)
            path = f"{section.path}:{key.name}"
            yield Row(path, key.kind.name, key.kind.allowed, default, key.required, key.meaning, key.example)
        if section.passed_through:
            names = ", ".join(key.name for key in section.passed_through)
            yield Row(f"{section.path}:KEY", "passed through", names, "none", False, f"See {section.page}.", "")
