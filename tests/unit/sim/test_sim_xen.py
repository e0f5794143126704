"""Domains over time: what they write, how they end, what keeps them from starting."""

import pytest

from saltern.errors import CommandTimeout
from saltern.sim.host import SimHost
from saltern.sim.model import SimDomain
from saltern.sim.world import World

BOOT = 'bootloader = "pygrub"\n'


def start(host: SimHost, name: str = "dns", disk: str = "/dev/XEN/dns", extra: str = "") -> SimDomain:
    text = f'name = "{name}"\nmemory = 128\n{BOOT}disk = ["phy:{disk},xvda,w"]\n{extra}'
    host.write_text(f"/etc/xen/{name}.cfg", text, 0o644)
    host.run(["xl", "create", f"/etc/xen/{name}.cfg"])
    return host.world.nodes[host.name].domains[-1]


@pytest.fixture
def host(world: World) -> SimHost:
    """dom0 with one volume."""
    door = world.host("dom0")
    door.run(["lvcreate", "-n", "dns", "-L", "256M", "XEN"])
    return door


def names(host: SimHost) -> list[str]:
    return [domain.name for domain in host.world.nodes[host.name].domains]


def test_a_running_guest_writes_once_a_second_and_remembers_what_is_safe(host: SimHost) -> None:
    domain = start(host)
    host.sleep(5)
    device = host.world.nodes["dom0"].devices["/dev/XEN/dns"]
    assert len(device.records) == 5
    assert domain.disks[0].acknowledged == device.records
    host.run(["xl", "pause", "dns"])
    written = dict(device.records)
    host.sleep(5)
    assert device.records == written


def test_a_shutdown_takes_its_time_and_leaves_the_disk_free(host: SimHost) -> None:
    start(host)
    host.run(["xl", "shutdown", "dns"])
    assert names(host) == ["dns"]
    assert host.world.nodes["dom0"].devices["/dev/XEN/dns"].holders
    host.sleep(10)
    assert names(host) == []
    assert not host.world.nodes["dom0"].devices["/dev/XEN/dns"].holders


def test_waiting_for_a_shutdown_ends_before_the_domain_is_gone(host: SimHost) -> None:
    start(host)
    done = host.run(["xl", "shutdown", "-w", "dns"])
    assert done.stderr.splitlines()[-1] == "Domain 1 has been shut down, reason code 0"
    assert "--ps--" in host.run(["xl", "list"]).stdout


def test_a_reboot_gives_the_same_guest_another_number(host: SimHost) -> None:
    before = start(host)
    host.run(["xl", "reboot", "dns"])
    host.sleep(10)
    (after,) = host.world.nodes["dom0"].domains
    assert (after.name, after.uuid) == (before.name, before.uuid)
    assert after.domid == before.domid + 1
    old, new = before.disks[0].acknowledged, after.disks[0].acknowledged
    assert min(new.values()) > max(old.values())  # its memory is a new one: it knows only what it wrote itself


def test_a_reboot_reads_no_file_again(host: SimHost) -> None:
    before = start(host)
    host.run(["lvcreate", "-n", "other", "-L", "64M", "XEN"])
    host.write_text(
        "/etc/xen/dns.cfg", f'name = "dns"\nmemory = 64\n{BOOT}disk = ["phy:/dev/XEN/other,xvda,w"]\n', 0o644
    )
    host.run(["xl", "reboot", "dns"])
    host.sleep(10)
    (after,) = host.world.nodes["dom0"].domains
    assert after.domid != before.domid
    assert (after.memory_bytes, after.config) == (before.memory_bytes, before.config)
    assert [disk.path for disk in after.disks] == ["/dev/XEN/dns"]
    assert not host.world.nodes["dom0"].devices["/dev/XEN/other"].records


def test_a_guest_without_its_disk_hangs_and_never_shuts_down(host: SimHost) -> None:
    domain = start(host)
    domain.disks[0].usable = False
    with pytest.raises(CommandTimeout):
        host.run(["xl", "shutdown", "-w", "dns"])
    assert names(host) == ["dns"]
    host.run(["xl", "destroy", "dns"])
    assert names(host) == []


def test_one_disk_serves_one_guest(host: SimHost) -> None:
    start(host)
    host.write_text("/etc/xen/two.cfg", f'name="two"\n{BOOT}disk=["/dev/XEN/dns,raw,xvda,rw"]\n', 0o644)
    refused = host.run(["xl", "create", "/etc/xen/two.cfg"], allowed=(3,))
    assert "Device /dev/XEN/dns is mounted in a guest domain,\nand so cannot be mounted now." in refused.stderr
    assert names(host) == ["dns"]
    assert host.world.nodes["dom0"].devices["/dev/XEN/dns"].holders == ["xen-1"]


def test_memory_that_is_not_there_is_not_given(world: World) -> None:
    host = world.host("dom0")
    assert host.run(["xl", "info", "free_memory"]).stdout == "8192\n"
    host.write_text("/root/big.cfg", f'name="big"\nmemory=8000\n{BOOT}', 0o644)
    host.write_text("/root/more.cfg", f'name="more"\nmemory=193\n{BOOT}', 0o644)
    host.run(["xl", "create", "-q", "/root/big.cfg"])
    assert host.run(["xl", "info", "free_memory"]).stdout == "192\n"
    assert "Cannot allocate memory" in host.run(["xl", "create", "/root/more.cfg"], allowed=(3,)).stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("memory = 5\n", "Domain name must be specified."),
        ('name = "a"\nuuid = "12"\n', "Failed to parse UUID: 12"),
        ("name = a\n", "Failed to parse config: Invalid argument"),
        (
            f'name = "a"\n{BOOT}disk = ["xvda,rw,what=else"]\n',
            "unknown parameter: near `what=e' in `xvda,rw,what=else'",
        ),
        ('name = "a"\ntsc_mode = "often"\n', 'invalid value "often" for "tsc_mode"'),
    ],
)
def test_a_configuration_that_xl_refuses_starts_nothing(world: World, text: str, message: str) -> None:
    host = world.host("dom0")
    host.write_text("/etc/xen/a.cfg", text, 0o644)
    refused = host.run(["xl", "create", "/etc/xen/a.cfg"], allowed=(1,))
    assert message in refused.stderr
    assert names(host) == []


@pytest.mark.parametrize("dry", [[], ["-n"]], ids=["create", "dry run"])
@pytest.mark.parametrize(
    ("boot", "message"),
    [
        ("", "Neither kernel nor bootloader specified"),
        ('type = "pv"\n', "Neither kernel nor bootloader specified"),
        ('type = "pvh"\nramdisk = "/initrd"\n', "Neither kernel nor bootloader specified"),
        ('builder = "generic"\n', "Neither kernel nor bootloader specified"),
        ('kernel = ["/vmlinuz"]\n', "Neither kernel nor bootloader specified"),
        ('disk = ["xvda,rw,what=else"]\n', "Neither kernel nor bootloader specified"),
        ('kernel = "/vmlinuz"\nfirmware = "pvgrub64"\n', "ERROR: both kernel and firmware specified"),
        ('type = "pvh"\nfirmware = "ovmf"\n', "ERROR: only pvgrub{32|64} supported as firmware options"),
    ],
)
def test_a_domain_that_nothing_boots_is_refused_before_its_disks_are_read(
    world: World, boot: str, message: str, dry: list[str]
) -> None:
    """[488-490], and parse_config_data() in tools/xl/xl_parse.c"""
    host = world.host("dom0")
    host.write_text("/etc/xen/a.cfg", f'name = "a"\n{boot}', 0o644)
    refused = host.run(["xl", "create", *dry, "/etc/xen/a.cfg"], allowed=(1,))
    assert (refused.returncode, refused.stdout, refused.stderr.splitlines()[-1]) == (1, "", message)
    assert names(host) == []


@pytest.mark.parametrize(
    "boot",
    [
        'kernel = "/vmlinuz"\n',
        'type = "pvh"\nkernel = "/vmlinuz"\n',
        'type = "pvh"\nbootloader = "pygrub"\n',
        'firmware = "pvgrub64"\n',
        'type = "hvm"\n',
        'type = "hvm"\nkernel = "/vmlinuz"\nfirmware = "uefi"\n',
        'builder = "hvm"\n',
    ],
)
def test_a_domain_starts_with_a_kernel_a_boot_loader_or_firmware(world: World, boot: str) -> None:
    host = world.host("dom0")
    host.write_text("/etc/xen/a.cfg", f'name = "a"\n{boot}', 0o644)
    host.run(["xl", "create", "/etc/xen/a.cfg"])
    assert names(host) == ["a"]


def test_a_disk_that_is_no_list_is_left_out_with_a_warning(world: World) -> None:
    """[430]"""
    host = world.host("dom0")
    host.write_text("/etc/xen/a.cfg", f'name = "a"\ndisk = "phy:/dev/a,xvda,w"\n{BOOT}', 0o644)
    assert "/etc/xen/a.cfg:2: warning: parameter `disk' is" in host.run(["xl", "create", "/etc/xen/a.cfg"]).stderr
    assert names(host) == ["a"]


def test_a_dry_run_creates_nothing(host: SimHost) -> None:
    host.write_text("/etc/xen/dns.cfg", f'name="dns"\n{BOOT}', 0o644)
    assert '"name": "dns"' in host.run(["xl", "create", "-n", "/etc/xen/dns.cfg"]).stdout
    assert names(host) == []
    assert host.changes == 2  # the volume and the file


def test_a_uuid_from_the_configuration_is_kept(host: SimHost) -> None:
    uuid = "f9c4a00a-3a73-4fa6-9e80-713ef3b46dfb"
    start(host, extra=f'uuid = "{uuid.upper()}"\n')
    row = host.run(["xl", "list", "-v", "dns"]).stdout.splitlines()[1].split()
    assert row[-3:] == [uuid, "-", "-"]
    assert uuid in host.run(["xl", "vm-list"]).stdout


@pytest.mark.parametrize(
    "verb", ["list", "create", "destroy", "shutdown", "migrate", "pause", "rename", "info", "dmesg"]
)
def test_an_unknown_option_is_refused(world: World, verb: str) -> None:
    refused = world.host("dom0").run(["xl", verb, "--nosuch", "a", "b"], allowed=(2,))
    assert refused.stderr == f"{verb}: unrecognized option '--nosuch'\n"


def test_an_unknown_verb_is_refused(world: World) -> None:
    refused = world.host("dom0").run(["xl", "frobnicate"], allowed=(1,))
    assert refused.stderr == "command not implemented\n"


def test_a_migration_carries_memory_over_and_leaves_one_instance(world: World) -> None:
    hosts = [world.host("dom0"), world.host("dom0m")]
    for host in hosts:
        host.run(["lvcreate", "-n", "dns", "-L", "256M", "XEN"])
    domain = start(hosts[0])
    world.advance(3)
    hosts[0].run(["xl", "migrate", "dns", "192.168.1.191"])
    assert names(hosts[0]) == []
    (arrived,) = world.nodes["dom0m"].domains
    assert (arrived.name, arrived.uuid) == ("dns", domain.uuid)
    assert arrived.running
    # These plain volumes are not replicated: the guest misses what it wrote on the other side.
    lost = arrived.disks[0].acknowledged.items() - world.nodes["dom0m"].devices["/dev/XEN/dns"].records.items()
    assert lost


@pytest.mark.parametrize("before", ["shutdown", "pause"])
def test_a_guest_that_cannot_stand_still_is_not_migrated(world: World, before: str) -> None:
    hosts = [world.host("dom0"), world.host("dom0m")]
    for host in hosts:
        host.run(["lvcreate", "-n", "dns", "-L", "256M", "XEN"])
    start(hosts[0])
    hosts[0].run(["xl", before, "dns"])
    failed = hosts[0].run(["xl", "migrate", "dns", "dom0m"], allowed=(1,))
    assert failed.stderr.endswith("Migration failed, failed to suspend at sender.\n")
    assert names(hosts[0]) == (["dns"] if before == "pause" else [])
    assert names(hosts[1]) == []
