"""What can be done to a node: each action is one command or one file, and can be repeated after a crash."""

from dataclasses import dataclass

from saltern.model.running import Generation


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadDrbd:
    """Load the kernel module."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateVolume:
    """Create a logical volume, marked by ``tag`` when it is not ``None``."""

    volume_group: str
    name: str
    size_bytes: int
    tag: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendVolume:
    """Grow a logical volume to ``size_bytes``; LVM itself refuses to shrink by this command."""

    volume_group: str
    name: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkVolume:
    """Change the marks of a logical volume, both at once: take ``remove`` away, put ``add`` on it."""

    volume_group: str
    name: str
    remove: str | None = None
    add: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameVolume:
    """Give a logical volume another name in its group."""

    volume_group: str
    name: str
    new_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveVolume:
    """Remove a logical volume and all that is on it; LVM refuses while something holds it open."""

    volume_group: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveFile:
    """Take a file away."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeDown:
    """Take a resource out of the kernel, whatever its configuration says; DRBD refuses while something uses it."""

    resource: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkOutdated:
    """Write into the metadata of a resource that is down that its data are older than those of its peer (drbdmeta outdate)."""

    resource: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnect:
    """End the connection to the partner; the disk stays attached."""

    resource: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetPeer:
    """Take a disconnected peer out of the kernel (DRBD 9), so that another one can have its place."""

    resource: str
    peer_node_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteFile:
    """Put ``text`` into ``path`` at once: whole and new, or not at all."""

    path: str
    text: str
    mode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateMetadata:
    """Create DRBD metadata where there are none. Never forced: drbdadm then refuses to overwrite by itself.

    ``max_peers`` is how many peers they have room for; ``None`` for DRBD 8.4, which has one.
    """

    resource: str
    max_peers: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WipeMetadata:
    """Take DRBD metadata away that describe data which are gone from this node; they are found without configuration."""

    resource: str
    minor: int
    generation: Generation
    meta_device: str
    meta_index: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustResource:
    """Bring the kernel to what the configuration says, from nothing where it must (drbdadm adjust)."""

    resource: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StartFirstSync:
    """Declare this side's new disk the good one (primary --force): only when both sides are provably new."""

    resource: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Promote:
    """Make this side Primary, never by force."""

    resource: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Demote:
    """Make this side Secondary."""

    resource: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResizeResource:
    """Tell a connected Primary to use what both volumes have grown."""

    resource: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StartDomain:
    """Create a domain from its configuration file."""

    domain: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeMigrationKey:
    """Make the key pair by which ``node`` sends domains; ssh-keygen refuses where there is one."""

    node: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndDomain:
    """End at once what a migration has left of a domain, under the name that it has."""

    domain: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpauseDomain:
    """Let a domain go on that has arrived."""

    domain: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetStop:
    """Take away the note that a domain is to stay stopped."""

    domain: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndOperation:
    """Take away the entry of an operation that is over on this node."""

    domain: str


Action = (
    LoadDrbd
    | CreateVolume
    | ExtendVolume
    | MarkVolume
    | WriteFile
    | CreateMetadata
    | WipeMetadata
    | AdjustResource
    | StartFirstSync
    | Promote
    | Demote
    | ResizeResource
    | StartDomain
    | MakeMigrationKey
    | EndDomain
    | UnpauseDomain
    | EndOperation
    | ForgetStop
    | RenameVolume
    | RemoveVolume
    | RemoveFile
    | TakeDown
    | MarkOutdated
    | Disconnect
    | ForgetPeer
)
