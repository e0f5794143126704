from collections.abc import Callable

import pytest

from saltern.argv import drbd, drbdsetup, lvm, xen, xenstore
from saltern.argv.action import command_for
from saltern.model.action import (
    Action,
    AdjustResource,
    CreateMetadata,
    CreateVolume,
    Demote,
    Disconnect,
    EndDomain,
    EndOperation,
    ExtendVolume,
    ForgetPeer,
    ForgetStop,
    LoadDrbd,
    MakeMigrationKey,
    MarkOutdated,
    MarkVolume,
    Promote,
    RemoveFile,
    RemoveVolume,
    RenameVolume,
    ResizeResource,
    StartDomain,
    StartFirstSync,
    TakeDown,
    UnpauseDomain,
    WipeMetadata,
    WriteFile,
)
from saltern.model.desired import ResourceHost
from saltern.model.running import Generation

ACTIONS: list[tuple[Action, str]] = [
    (LoadDrbd(), "modprobe drbd"),
    (
        CreateVolume(volume_group="XEN", name="dns", size_bytes=268435456, tag="saltern.blank"),
        "lvcreate --yes --wipesignatures y --zero y --size 268435456b --addtag saltern.blank --name dns XEN",
    ),
    (
        CreateVolume(volume_group="XEN", name="meta", size_bytes=4194304),
        "lvcreate --yes --wipesignatures y --zero y --size 4194304b --name meta XEN",
    ),
    (ExtendVolume(volume_group="XEN", name="dns", size_bytes=402653184), "lvextend --size 402653184b XEN/dns"),
    (MarkVolume(volume_group="XEN", name="dns", remove="saltern.blank"), "lvchange --deltag saltern.blank XEN/dns"),
    (MarkVolume(volume_group="XEN", name="dns", remove="a", add="b"), "lvchange --deltag a --addtag b XEN/dns"),
    (
        WipeMetadata(
            resource="dns", minor=1, generation=Generation.V9, meta_device="/dev/XEN/dns_meta", meta_index=None
        ),
        "drbdmeta 1 v09 /dev/XEN/dns_meta flex-external wipe-md --force",
    ),
    (CreateMetadata(resource="dns"), "drbdadm create-md dns"),
    (CreateMetadata(resource="dns", max_peers=3), "drbdadm create-md --max-peers=3 dns"),
    (AdjustResource(resource="dns"), "drbdadm adjust dns"),
    (StartFirstSync(resource="dns"), "drbdadm primary --force dns"),
    (Promote(resource="dns"), "drbdadm primary dns"),
    (Demote(resource="dns"), "drbdadm secondary dns"),
    (ResizeResource(resource="dns"), "drbdadm resize dns"),
    (StartDomain(domain="dns"), "xl create /etc/xen/dns.cfg"),
    (EndDomain(domain="dns--incoming"), "xl destroy dns--incoming"),
    (UnpauseDomain(domain="dns"), "xl unpause dns"),
    (RenameVolume(volume_group="XEN", name="dns", new_name="names"), "lvrename XEN dns names"),
    (RemoveVolume(volume_group="XEN", name="dns"), "lvremove --yes XEN/dns"),
    (TakeDown(resource="dns"), "drbdsetup down dns"),
    (MarkOutdated(resource="dns"), "drbdadm outdate dns"),
    (Disconnect(resource="dns"), "drbdadm disconnect dns"),
    (ForgetPeer(resource="dns", peer_node_id=1), "drbdsetup del-peer dns 1"),
]


@pytest.mark.parametrize(("action", "command"), ACTIONS, ids=lambda value: type(value).__name__)
def test_an_action_is_one_command(action: Action, command: str) -> None:
    assert command_for(action) == command.split()


def test_a_key_is_made_without_a_passphrase_and_with_its_node_in_its_comment() -> None:
    made = command_for(MakeMigrationKey(node="dom0"))
    assert made[:6] == ["ssh-keygen", "-q", "-t", "ed25519", "-N", ""]
    assert made[6:] == ["-C", "saltern migration of dom0", "-f", "/etc/saltern/migration_key"]


@pytest.mark.parametrize(
    "action",
    [
        WriteFile(path="/etc/drbd.d/dns.res", text="", mode=0o600),
        RemoveFile(path="/etc/drbd.d/dns.res"),
        EndOperation(domain="dns"),
    ],
)
def test_a_file_is_written_or_removed_not_run(action: Action) -> None:
    with pytest.raises(ValueError, match="dns"):
        command_for(action)


def test_every_kind_of_action_has_its_command() -> None:
    tried = {type(action) for action, _ in ACTIONS}
    assert tried | {WriteFile, RemoveFile, EndOperation, ForgetStop, MakeMigrationKey} == set(Action.__args__)


def test_only_the_first_synchronisation_and_what_is_asked_for_by_name_force_anything() -> None:
    forced = [type(action) for action, _ in ACTIONS if any("force" in word for word in command_for(action))]
    assert forced == [WipeMetadata, StartFirstSync]


@pytest.mark.parametrize(
    ("read", "command"),
    [
        (lvm.lvs, "lvs --reportformat json --units b --nosuffix --options vg_name,lv_name,lv_size,lv_attr,lv_tags"),
        (lvm.vgs, "vgs --reportformat json --units b --nosuffix --options vg_name,vg_size,vg_free,vg_extent_size"),
        (drbd.events2, "drbdsetup events2 --now --statistics"),
        (lambda: drbdsetup.events2("dns"), "drbdsetup events2 --now dns"),
        (lambda: drbdsetup.show("dns"), "drbdsetup show dns"),
        (lambda: xenstore.read("a", "b"), "xenstore-read a b"),
        (drbd.adjust_dry_run, "drbdadm -d adjust all"),
        (drbd.dump_xml, "drbdadm dump-xml"),
        (drbd.version, "drbdadm --version"),
        (xen.list_domains, "xl list -v"),
        (xen.info, "xl info"),
    ],
)
def test_reads_ask_for_what_the_parsers_understand(read: Callable[[], list[str]], command: str) -> None:
    assert read() == command.split()


@pytest.mark.parametrize(
    ("generation", "meta_index", "command"),
    [
        (Generation.V84, 1, "drbdmeta 7 v08 /dev/XEN/meta 1 get-gi"),
        (Generation.V84, None, "drbdmeta 7 v08 /dev/XEN/meta flex-external get-gi"),
        (Generation.V9, 0, "drbdmeta 7 v09 /dev/XEN/meta 0 --node-id=5 get-gi"),
        (Generation.V9, None, "drbdmeta 7 v09 /dev/XEN/meta flex-external --node-id=5 get-gi"),
    ],
)
def test_metadata_are_read_as_drbdadm_itself_would(
    generation: Generation, meta_index: int | None, command: str
) -> None:
    side = ResourceHost(
        node="dom0",
        node_id=4,
        address="192.168.1.190",
        port=7792,
        minor=7,
        disk="/dev/XEN/dns",
        meta_device="/dev/XEN/meta",
        meta_index=meta_index,
    )
    assert drbd.get_gi(side, 5, generation) == command.split()


@pytest.mark.parametrize(
    ("generation", "command"), [(Generation.V84, "drbdsetup get-gi 7"), (Generation.V9, "drbdsetup get-gi dns 5 0")]
)
def test_the_identifiers_of_an_attached_disk_are_asked_of_the_kernel(generation: Generation, command: str) -> None:
    assert drbdsetup.get_gi("dns", 7, 5, generation) == command.split()


@pytest.mark.parametrize("bad", ["", "-f", "--force", "-"])
def test_a_name_that_a_tool_would_read_as_an_option_is_refused(bad: str) -> None:
    attempts = [
        lambda: lvm.lvcreate(bad, "dns", 1),
        lambda: lvm.lvcreate("XEN", bad, 1),
        lambda: lvm.lvcreate("XEN", "dns", 1, tag=bad),
        lambda: lvm.lvextend(bad, "dns", 1),
        lambda: lvm.lvextend("XEN", bad, 1),
        lambda: lvm.mark("XEN", "dns", add=bad),
        lambda: lvm.mark("XEN", bad, remove="t"),
        lambda: lvm.lvremove("XEN", bad),
        *(
            lambda verb=verb: verb(bad)
            for verb in (
                *(drbd.create_md, drbd.adjust, drbd.primary, drbd.primary_force, drbd.secondary, drbd.resize),
                *(drbd.down, drbd.connect, drbd.disconnect),
                *(xen.create, xen.shutdown, xen.destroy, xen.pause, xen.unpause),
            )
        ),
    ]
    for attempt in attempts:
        with pytest.raises(ValueError, match="cannot be a name"):
            attempt()
