"""What a step may know of the node it is about."""

from collections.abc import Mapping
from typing import Protocol

from saltern.model.desired import Resource
from saltern.model.observed import ConfiguredResource, Lvm, Metadata, SshKeys, Xen
from saltern.model.operation import Standing
from saltern.model.running import DrbdVersion, Generation, RunningResource


class View(Protocol):
    """A node as it is, or as it would be after what a dry run has foreseen.

    Reading a part raises what the reader raised: a part that could not be read is never empty.
    """

    @property
    def lvm(self) -> Lvm:
        """Volume groups and logical volumes."""
        ...

    @property
    def version(self) -> DrbdVersion:
        """The DRBD kernel module."""
        ...

    @property
    def generation(self) -> Generation:
        """The generation of DRBD on this node."""
        ...

    @property
    def running(self) -> Mapping[str, RunningResource]:
        """What the kernel runs, by resource name."""
        ...

    @property
    def configured(self) -> Mapping[str, ConfiguredResource]:
        """What drbdadm reads, by resource name, whoever wrote it."""
        ...

    @property
    def adjustments(self) -> Mapping[str, tuple[str, ...]]:
        """The commands that ``drbdadm adjust`` would run, by resource name."""
        ...

    def adjustments_with(self, resource: Resource, text: str) -> tuple[str, ...]:
        """The commands that ``drbdadm adjust`` would run for a resource if ``text`` were its configuration."""
        ...

    @property
    def xen(self) -> Xen:
        """The domains that the hypervisor knows."""
        ...

    @property
    def free_memory_bytes(self) -> int:
        """What the hypervisor can give to a new domain."""
        ...

    @property
    def shadow_paging(self) -> bool:
        """Whether the hypervisor can move a PV domain while that runs."""
        ...

    @property
    def promoted(self) -> frozenset[str]:
        """The resources that this run itself has made Primary."""
        ...

    def operation(self, domain: str) -> Standing | None:
        """What is being done with a domain, as this node has it: an operation, else its remake; ``None`` for nothing."""
        ...

    def remade(self, domain: str) -> Standing | None:
        """The remake that a domain is in, other than the one that looks; ``None`` for nothing."""
        ...

    def stopped(self, domain: str, uuid: str) -> str | None:
        """Who has stopped this domain, and when, so that it stays so; ``None`` when nobody has."""
        ...

    def placed(self, domain: str, uuid: str) -> str | None:
        """Who has put this domain on the node, and when, so that it stays here; ``None`` when nobody has."""
        ...

    def against_start(self, domain: str) -> str | None:
        """What the guard of the node has against a start of a domain, in words; ``None`` for nothing, or no guard."""
        ...

    def partner_keys(self, node: str) -> SshKeys | None:
        """What a partner has told of its keys; ``None`` when it has not yet."""
        ...

    @property
    def guarded(self) -> frozenset[str] | None:
        """The resources that the guard of this node is told of; ``None`` where there is none."""
        ...

    def metadata(self, resource: Resource) -> Metadata:
        """The metadata of this node's side of a resource."""
        ...

    def file(self, path: str) -> str | None:
        """The text of a file, ``None`` when there is none."""
        ...

    def mode(self, path: str) -> int | None:
        """The permissions of a file, ``None`` when there is none."""
        ...
