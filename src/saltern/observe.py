"""Looking at a node: which command tells what, and the parser that reads it. Nothing here changes anything."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar, cast

from saltern import may_start
from saltern.argv import drbd as drbd_argv
from saltern.argv import drbdsetup
from saltern.argv import lvm as lvm_argv
from saltern.argv import xen as xen_argv
from saltern.desired import SLOT_BYTES
from saltern.errors import Refused, SalternError
from saltern.model.action import Action, Demote, Promote
from saltern.model.desired import Resource, ResourceHost, volume_key
from saltern.model.observed import ConfiguredResource, Hypervisor, Lvm, Metadata, MetadataState, SshKeys, Xen
from saltern.model.operation import Standing
from saltern.model.places import (
    GUARD_SETTINGS,
    HOST_KEYS,
    MIGRATION_KEY,
    operation_file,
    operation_lock,
    placed_file,
    remake_file,
    stopped_file,
)
from saltern.model.remake import Underway
from saltern.model.running import DiskState, DrbdVersion, Generation, RunningResource
from saltern.parse import (
    drbd_version,
    drbdadm_adjust,
    drbdadm_dump_xml,
    drbdmeta_gi,
    drbdsetup_events2,
    guard_settings,
    lvs,
    operation,
    remaking,
    vgs,
    xl_info,
    xl_list,
)
from saltern.plan import operation as operation_plan
from saltern.plan import project
from saltern.plan.project import Part
from saltern.run import Host

_PROC_DRBD = "/proc/drbd"
AskKeys = Callable[[str], SshKeys | None]
T = TypeVar("T")


def read_lvm(host: Host) -> Lvm:
    """All volume groups and logical volumes: two processes."""
    return Lvm(
        volume_groups=vgs.parse(host.run(lvm_argv.vgs()).stdout), volumes=lvs.parse(host.run(lvm_argv.lvs()).stdout)
    )


def read_version(host: Host) -> DrbdVersion:
    """The DRBD module: a file while it is loaded, one process to learn which one could be."""
    text = host.read_text(_PROC_DRBD)
    if text is not None:
        return drbd_version.parse_proc_drbd(text)
    return drbd_version.parse_drbdadm(host.run(drbd_argv.version()).stdout)


def generation(version: DrbdVersion) -> Generation:
    """The generation of DRBD to write configurations for. Raises ``Refused`` where there is none that Saltern serves."""
    if version.generation is None:
        found = "no drbd module" if version.kernel is None else "DRBD {}.{}.{}".format(*version.kernel)
        raise Refused("DRBD", f"this kernel has {found}", "Install the module of DRBD 8.4 or 9")
    return version.generation


def read_running(host: Host, version: DrbdVersion) -> Mapping[str, RunningResource]:
    """What the kernel runs: one process, none while the module is not loaded."""
    if not version.loaded:
        return {}
    return drbdsetup_events2.parse(host.run(drbd_argv.events2()).stdout)


def read_configured(host: Host) -> Mapping[str, ConfiguredResource]:
    """What drbdadm reads: one process."""
    return drbdadm_dump_xml.parse(host.run(drbd_argv.dump_xml()).stdout)


def read_adjustments(
    host: Host,
    node: str,
    configured: Mapping[str, ConfiguredResource],
    running: Mapping[str, RunningResource],
) -> Mapping[str, tuple[str, ...]]:
    """What ``drbdadm adjust all`` would run: one process, none where nothing is configured."""
    if not configured:
        return {}
    return drbdadm_adjust.parse(host.run(drbd_argv.adjust_dry_run()).stdout, configured, node, running)


def read_metadata(
    host: Host,
    node: str,
    resource: Resource,
    version: DrbdVersion,
    lvm: Lvm,
    running: Mapping[str, RunningResource],
) -> Metadata:
    """The metadata of this node's side: one process, none where there is no meta-disk.

    The kernel is asked while the disk is attached, for it then holds the meta-disk and drbdmeta does not get it. Otherwise
    drbdmeta reads the meta-disk. Neither needs a configuration, so nobody's mistake in another resource is in the way.
    """
    side = resource.on(node)
    peer_node_id = resource.peer_of(node).node_id
    if _is_attached(resource, side, running):
        asked = drbdsetup.get_gi(resource.name, side.minor, peer_node_id, generation(version))
        done = host.run(asked)
        return drbdmeta_gi.parse(done.returncode, done.stdout, done.stderr)
    volume = lvm.volumes.get(volume_key(side.meta_device))
    # Of a slot that begins beyond the end of the volume drbdmeta says "Device too small" and no more.
    if volume is None or (side.meta_index or 0) * SLOT_BYTES >= volume.size_bytes:
        return Metadata(state=MetadataState.NO_DEVICE)
    done = host.run(drbd_argv.get_gi(side, peer_node_id, generation(version)), allowed=(0, 1, 20))
    return drbdmeta_gi.parse(done.returncode, done.stdout, done.stderr)


def _is_attached(resource: Resource, side: ResourceHost, running: Mapping[str, RunningResource]) -> bool:
    """Whether the kernel holds the disk of this side; somebody else's resource of the same name has another minor."""
    found = running.get(resource.name)
    device = found.devices.get(0) if found is not None else None
    return device is not None and device.minor == side.minor and device.disk is not DiskState.DISKLESS


def read_xen(host: Host) -> Xen:
    """All domains: one process."""
    return Xen(domains=xl_list.parse(host.run(xen_argv.list_domains()).stdout))


def read_free_memory_bytes(host: Host) -> int:
    """What the hypervisor can give to a new domain: one process."""
    return _read_hypervisor(host).free_memory_bytes


def read_shadow_paging(host: Host) -> bool:
    """Whether the hypervisor can move a PV domain while that runs: one process."""
    return _read_hypervisor(host).shadow_paging


def _read_hypervisor(host: Host) -> Hypervisor:
    return xl_info.parse(host.run(xen_argv.info()).stdout)


def read_operation(host: Host, domain: str) -> Standing | None:
    """What is being done with a domain, as this node has it: a file, and no process."""
    text = host.read_text(operation_file(domain))
    if text is None:
        return None
    held = host.is_held(operation_lock(domain))
    return operation_plan.standing(operation.parse(text), held=held, now_s=host.now())


def read_remake(host: Host, domain: str) -> Underway | None:
    """The remake of a domain, as this node has it, also one that is over; ``None`` where there was none. No process."""
    text = host.read_text(remake_file(domain))
    if text is None:
        return None
    found = remaking.parse(text)
    held = host.is_held(operation_lock(domain))
    return Underway(remaking=found, standing=operation_plan.standing(found.operation, held=held, now_s=host.now()))


def read_remade(host: Host, domain: str, ours: str | None = None) -> Standing | None:
    """The remake that a domain is in; ``None`` where there is none, or it is over, or ``ours``."""
    found = read_remake(host, domain)
    if found is None or found.remaking.over or found.remaking.operation.id == ours:
        return None
    return found.standing


def read_standing(host: Host, domain: str) -> Standing | None:
    """What is being done with a domain: an operation, else the remake that it is in."""
    return read_operation(host, domain) or read_remade(host, domain)


def note_of(note: str | None, uuid: str) -> str | None:
    """What a note about a domain says, ``None`` for one that belongs to another UUID."""
    whose, _, said = (note or "").strip().partition(" ")
    return said if whose == uuid else None


def read_own_keys(host: Host) -> SshKeys | None:
    """What this node tells its partners of its keys; ``None`` before they are made."""
    migration = host.read_text(f"{MIGRATION_KEY}.pub")
    found = [host.read_text(path) for path in HOST_KEYS]
    keys = tuple(text.strip() for text in found if text is not None)
    return SshKeys(migration=migration.strip(), host=keys) if migration and keys else None


@dataclass(frozen=True, slots=True)
class _Failed:
    """What a read raised, in the place of what it would have told."""

    error: Exception


class Observation:
    """A ``View`` of a real (or simulated) node: each part is read when it is first asked for, and kept until forgotten.

    A read that failed is kept as well, and raises again: a tool that hangs costs its time limit once, not once a state.
    ``ours`` is the id of the remake that looks, and finds no entry in its own.
    """

    def __init__(self, host: Host, node: str, ask_keys: AskKeys | None = None, *, ours: str | None = None) -> None:
        self._host = host
        self._ours = ours
        self._node = node
        self._ask_keys = ask_keys
        self._parts: dict[Part, object] = {}
        self._promoted: set[str] = set()

    def forget(self, parts: Iterable[Part]) -> None:
        """Read these parts again when they are next asked for."""
        for part in parts:
            self._parts.pop(part, None)

    def forget_all(self) -> None:
        """Read everything again."""
        self._parts.clear()

    def assume(self, parts: Mapping[Part, object]) -> None:
        """Take these values as what was read: the foresight of a dry run."""
        self._parts.update(parts)

    def note(self, action: Action) -> None:
        """Remember what this run itself has done to roles."""
        if isinstance(action, Promote):
            self._promoted.add(action.resource)
        if isinstance(action, Demote):
            self._promoted.discard(action.resource)

    @property
    def promoted(self) -> frozenset[str]:
        """See ``View``."""
        return frozenset(self._promoted)

    def _part(self, part: Part, read: Callable[[], T]) -> T:
        if part not in self._parts:
            try:
                self._parts[part] = read()
            except (SalternError, OSError) as error:
                self._parts[part] = _Failed(error)
        found = self._parts[part]
        if isinstance(found, _Failed):
            raise found.error
        return cast(T, found)

    @property
    def lvm(self) -> Lvm:
        """See ``View``."""
        return self._part(project.LVM, lambda: read_lvm(self._host))

    @property
    def version(self) -> DrbdVersion:
        """See ``View``."""
        return self._part(project.VERSION, lambda: read_version(self._host))

    @property
    def generation(self) -> Generation:
        """See ``View``."""
        return generation(self.version)

    @property
    def running(self) -> Mapping[str, RunningResource]:
        """See ``View``."""
        return self._part(project.RUNNING, lambda: read_running(self._host, self.version))

    @property
    def configured(self) -> Mapping[str, ConfiguredResource]:
        """See ``View``."""
        return self._part(project.CONFIGURED, lambda: read_configured(self._host))

    @property
    def adjustments(self) -> Mapping[str, tuple[str, ...]]:
        """See ``View``."""
        return self._part(
            project.ADJUSTMENTS, lambda: read_adjustments(self._host, self._node, self.configured, self.running)
        )

    def adjustments_with(self, resource: Resource, text: str) -> tuple[str, ...]:
        """See ``View``: one process."""
        done = self._host.run(drbd_argv.adjust_dry_run_stdin(resource.name), stdin=text)
        configured = {resource.name: project.configuration(resource)}
        return drbdadm_adjust.parse(done.stdout, configured, self._node, self.running).get(resource.name, ())

    @property
    def xen(self) -> Xen:
        """See ``View``."""
        return self._part(project.XEN, lambda: read_xen(self._host))

    @property
    def free_memory_bytes(self) -> int:
        """See ``View``."""
        return self._part(project.MEMORY, lambda: read_free_memory_bytes(self._host))

    @property
    def shadow_paging(self) -> bool:
        """See ``View``."""
        return self._part(project.SHADOW_PAGING, lambda: read_shadow_paging(self._host))

    def operation(self, domain: str) -> Standing | None:
        """See ``View``: a file, and no process."""
        found = self._part(project.operation_on(domain), lambda: read_operation(self._host, domain))
        return found or self.remade(domain)

    def remade(self, domain: str) -> Standing | None:
        """See ``View``: a file, and no process."""
        return self._part(project.remake_of(domain), lambda: read_remade(self._host, domain, self._ours))

    def stopped(self, domain: str, uuid: str) -> str | None:
        """See ``View``: a file, and no process."""
        return note_of(self.file(stopped_file(domain)), uuid)

    def placed(self, domain: str, uuid: str) -> str | None:
        """See ``View``: a file, and no process."""
        return note_of(self.file(placed_file(domain)), uuid)

    def against_start(self, domain: str) -> str | None:
        """See ``View``: a question, and no process."""
        return self._part(project.start_of(domain), lambda: may_start.against_start(self._host, domain))

    def partner_keys(self, node: str) -> SshKeys | None:
        """See ``View``: Salt brings them from node to node; without it nobody tells anything."""
        ask = self._ask_keys
        return None if ask is None else self._part(project.keys_of(node), lambda: ask(node))

    @property
    def guarded(self) -> frozenset[str] | None:
        """See ``View``: a file, and no process."""
        text = self.file(GUARD_SETTINGS)
        return None if text is None else guard_settings.parse(text)

    def metadata(self, resource: Resource) -> Metadata:
        """See ``View``."""
        return self._part(
            project.metadata_of(resource.name),
            lambda: read_metadata(self._host, self._node, resource, self.version, self.lvm, self.running),
        )

    def file(self, path: str) -> str | None:
        """See ``View``."""
        return self._part(project.file_at(path), lambda: self._host.read_text(path))

    def mode(self, path: str) -> int | None:
        """See ``View``."""
        return self._part(project.mode_at(path), lambda: self._host.mode(path))
