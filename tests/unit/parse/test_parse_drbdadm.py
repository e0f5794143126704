from pathlib import Path

import pytest

from saltern.errors import ParseError
from saltern.model.observed import ConfiguredHost, ConfiguredResource, ConfiguredVolume
from saltern.model.running import Device, DiskState, DrbdVersion, Generation, Role, RunningResource
from saltern.parse import drbd_version, drbdadm_adjust, drbdadm_dump_xml

DATA = Path(__file__).parents[2] / "data"


def read(name: str) -> str:
    return (DATA / name).read_text()


def configured(name: str) -> dict[str, ConfiguredResource]:
    return drbdadm_dump_xml.parse(read(f"drbdadm/{name}.txt"))


def sides(resource: ConfiguredResource) -> list[tuple[str, str, int]]:
    return [(host.node, host.address, host.port) for host in resource.hosts]


# --- dump-xml ----------------------------------------------------------------------------------------------------
def test_the_historical_resource_is_read() -> None:
    volume = ConfiguredVolume(minor=1, disk="/dev/XEN/dns", meta_device="/dev/XEN/meta", meta_index=1)
    assert configured("8.4-dump-xml") == {
        "dns": ConfiguredResource(
            name="dns",
            file="/etc/drbd.d/dns.res",
            hosts=(
                ConfiguredHost(node="node1", address="10.77.0.1", port=7792, volumes={0: volume}),
                ConfiguredHost(node="node2", address="10.77.0.2", port=7792, volumes={0: volume}),
            ),
        )
    }


def test_an_empty_configuration_has_no_resources() -> None:
    assert configured("9.22-dump-xml-empty") == {}


def test_metadata_may_be_flexible_internal_or_in_a_slot() -> None:
    forms = configured("9.22-dump-xml-forms")
    here, there = forms["mail"].hosts
    assert (here.volumes[0].meta_device, here.volumes[0].meta_index) == ("/dev/XEN/mail_meta", None)
    assert (there.volumes[0].meta_device, there.volumes[0].meta_index) == ("internal", None)
    assert forms["dns"].hosts[0].volumes[0].meta_index == 1


def test_ipv6_addresses_come_without_brackets() -> None:
    assert sides(configured("9.22-dump-xml-forms")["mail"]) == [("dom0", "fd00::1", 7793), ("dom0m", "fd00::2", 7793)]


def test_a_volume_without_disk_says_so() -> None:
    _, partner, _ = configured("9.22-dump-xml-forms")["multi"].hosts
    assert partner.volumes[1] == ConfiguredVolume(minor=11, disk="none", meta_device="none", meta_index=None)
    assert partner.volumes[0].disk == "/dev/XEN/a"


def test_resources_for_other_hosts_are_there_too() -> None:
    assert [host.node for host in configured("9.22-dump-xml-forms")["elsewhere"].hosts] == ["x1", "x2"]


def test_a_floating_side_is_called_by_its_address() -> None:
    assert sides(configured("9.22-dump-xml-forms")["floats"])[0] == ("10.0.0.1:7000", "10.0.0.1", 7000)


def test_a_side_that_hosts_share_stands_there_for_each() -> None:
    assert [node for node, _, _ in sides(configured("9.22-dump-xml-forms")["shared"])] == ["dom0", "dom0y", "dom0m"]


def test_every_address_of_every_path_is_seen() -> None:
    assert sides(configured("9.22-dump-xml-forms")["paths"]) == [
        ("dom0", "10.0.0.1", 7001),
        ("dom0", "10.1.0.1", 7001),
        ("dom0m", "10.0.0.2", 7001),
        ("dom0m", "10.1.0.2", 7001),
    ]


def test_characters_that_xml_quotes_come_back() -> None:
    assert configured("9.22-dump-xml-forms")["paths"].hosts[0].volumes[0].disk == '/dev/XEN/h&"<>'


def test_a_document_type_is_refused_before_it_can_define_anything() -> None:
    bomb = '<!DOCTYPE config [<!ENTITY a "aaaa">]>\n' + read("drbdadm/8.4-dump-xml.txt").replace("dns", "&a;", 1)
    with pytest.raises(ParseError, match="DOCTYPE"):
        drbdadm_dump_xml.parse(bomb)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("<config", "<confag", id="not well-formed"),
        pytest.param("config", "settings", id="another root"),
        pytest.param('minor="1"', "", id="no minor"),
        pytest.param('minor="1"', 'minor="-1"', id="a minor below zero"),
        pytest.param('port="7792"', 'port="many"', id="a port that is no number"),
        pytest.param('index="1"', 'index="first"', id="a slot that is no number"),
        pytest.param("/dev/XEN/dns", "", id="an empty disk"),
        pytest.param("<disk>/dev/XEN/dns</disk>", "", id="no disk"),
        pytest.param("10.77.0.1", "", id="an empty address"),
        pytest.param('name="node1"', "", id="a host without name"),
        pytest.param('name="dns"', 'name=""', id="a resource without name"),
        pytest.param("dns.res:1", "dns.res", id="no line"),
    ],
)
def test_a_configuration_that_is_not_understood_raises(old: str, new: str) -> None:
    with pytest.raises(ParseError):
        drbdadm_dump_xml.parse(read("drbdadm/8.4-dump-xml.txt").replace(old, new))


def test_a_resource_that_appears_twice_raises() -> None:
    text = read("drbdadm/8.4-dump-xml.txt")
    start, end = text.index("    <resource"), text.index("</config>")
    with pytest.raises(ParseError, match="twice"):
        drbdadm_dump_xml.parse(text[:end] + text[start:end] + text[end:])


# --- adjust ------------------------------------------------------------------------------------------------------
def adjust(
    lines: str,
    resources: dict[str, ConfiguredResource],
    node: str,
    running: dict[str, RunningResource] | None = None,
) -> dict[str, tuple[str, ...]]:
    return drbdadm_adjust.parse(f"{lines}\n", resources, node, running)


def test_a_last_line_that_is_not_ended_may_be_cut_off() -> None:
    with pytest.raises(ParseError, match="cut off"):
        drbdadm_adjust.parse("drbdsetup-84 new-resource dns", configured("8.4-dump-xml"), "node1")


@pytest.mark.parametrize(
    ("case", "node"),
    [
        ("8.4-adjust-down", "node1"),
        ("8.4-adjust-diskless", "node1"),
        ("8.4-adjust-net-options", "node1"),
        ("8.4-adjust-disk-options", "node2"),
        ("8.4-adjust-disconnected", "node2"),
        ("8.4-adjust-split-brain", "node1"),
    ],
)
def test_every_recorded_line_of_8_4_is_about_the_one_resource(case: str, node: str) -> None:
    text = read(f"drbdadm/{case}.txt")
    found = drbdadm_adjust.parse(text, configured("8.4-dump-xml"), node)
    assert found == {"dns": tuple(text.splitlines())}


def test_nothing_to_adjust_is_an_empty_dictionary() -> None:
    assert drbdadm_adjust.parse("", configured("8.4-dump-xml"), "node1") == {}


@pytest.mark.parametrize("case", ["9.22-{}-forms", "9.22-{}-8.4-forms"])
def test_lines_of_several_resources_are_told_apart(case: str) -> None:
    resources = configured(case.format("dump-xml"))
    text = read(f"drbdadm/{case.format('adjust')}.txt")
    found = drbdadm_adjust.parse(text, resources, "dom0")
    assert sorted(line for lines in found.values() for line in lines) == sorted(text.splitlines())
    for name, lines in found.items():
        disks = {v.disk for h in resources[name].hosts if h.node == "dom0" for v in h.volumes.values()}
        attached = {line.split()[3].replace("\\", "") for line in lines if " attach " in line}
        assert attached == disks
        assert lines[0].split()[:3][-1] == name


def test_a_connection_of_8_4_is_known_by_its_addresses_however_ipv6_is_spelt() -> None:
    line = r"drbdsetup-84 net-options ipv6:\[fd00:0:0::1\]:7793 ipv6:\[fd00::2\]:7793 --set-defaults"
    assert adjust(line, configured("9.22-dump-xml-8.4-forms"), "dom0") == {"mail": (line,)}


def test_a_connection_whose_own_address_changed_is_known_by_the_peer() -> None:
    line = "drbdsetup-84 disconnect ipv4:10.77.9.9:7792 ipv4:10.77.0.2:7792"
    assert adjust(line, configured("8.4-dump-xml"), "node1") == {"dns": (line,)}


def test_a_connection_that_moves_to_another_port_belongs_to_what_is_connected_anew() -> None:
    lines = (
        "drbdsetup-84 disconnect ipv4:10.77.0.1:7000 ipv4:10.77.0.2:7000",
        "drbdsetup-84 connect dns ipv4:10.77.0.1:7792 ipv4:10.77.0.2:7792 --protocol=C",
    )
    assert adjust("\n".join(lines), configured("8.4-dump-xml"), "node1") == {"dns": lines}


def test_a_minor_that_only_the_kernel_has_is_known_by_what_runs() -> None:
    device = Device(minor=77, disk=DiskState.UP_TO_DATE)
    running = RunningResource(name="dns", role=Role.SECONDARY, suspended=False, devices={1: device}, connections=())
    line = "drbdsetup-84 del-minor 77"
    with pytest.raises(ParseError):
        adjust(line, configured("8.4-dump-xml"), "node1")
    assert adjust(line, configured("8.4-dump-xml"), "node1", {"dns": running}) == {"dns": (line,)}


def test_the_same_minor_on_another_host_is_not_taken_for_ours() -> None:
    with pytest.raises(ParseError):
        adjust("drbdsetup detach 5", configured("9.22-dump-xml-forms"), "dom0")


def test_a_floating_side_may_be_here() -> None:
    line = "drbdsetup attach 7 /dev/XEN/f /dev/XEN/f internal"
    assert adjust(line, configured("9.22-dump-xml-forms"), "dom0") == {"floats": (line,)}


@pytest.mark.parametrize(
    "line",
    [
        "drbdsetup-84 new-resource nobody",
        "drbdsetup-84 attach 99 /dev/XEN/dns /dev/XEN/meta 1",
        "drbdsetup-84 explode dns",
        "drbdsetup-84 disconnect ipv4:10.77.0.1:7000 ipv4:10.77.0.2:7000",
        "drbdsetup-84",
        "drbdsetup-84 attach",
        "drbd-proxy-ctl -c 'show'",
        "drbdmeta nonsense",
        "'unbalanced",
        "",
        "no resources defined!",
    ],
)
def test_a_line_about_nobody_knows_what_raises(line: str) -> None:
    known = "drbdsetup-84 new-resource dns"
    with pytest.raises(ParseError):
        adjust(f"{known}\n{line}\n{known}", configured("8.4-dump-xml"), "node1")


# --- version -----------------------------------------------------------------------------------------------------
def test_the_loaded_module_tells_its_version() -> None:
    assert drbd_version.parse_proc_drbd(read("proc_drbd/8.4-nothing-up.txt")) == DrbdVersion(
        kernel=(8, 4, 11), loaded=True
    )
    assert drbd_version.parse_proc_drbd(read("proc_drbd/8.4-diskless.txt")).kernel == (8, 4, 11)
    assert drbd_version.parse_proc_drbd(read("proc_drbd/9.2-loaded.txt")).kernel == (9, 2, 5)


@pytest.mark.parametrize("release", ["9.2.5-1", "9.3.0-rc.1", "8.4.11-1"])
def test_a_packaged_version_is_the_version(release: str) -> None:
    version = drbd_version.parse_proc_drbd(f"version: {release} (api:2/proto:86-121)\n")
    assert version.kernel == tuple(int(part) for part in release.split("-")[0].split("."))


def test_drbdadm_tells_the_version_before_the_module_is_loaded() -> None:
    assert drbd_version.parse_drbdadm(read("drbdadm/8.4-version.txt")) == DrbdVersion(kernel=(8, 4, 11), loaded=False)


def test_no_module_is_no_version() -> None:
    assert drbd_version.parse_drbdadm(read("drbdadm/9.22-version-no-module.txt")).kernel is None


@pytest.mark.parametrize(
    "text", ["", "version: 8.4\n", "srcversion: F73C\n", "version: 8.4.11", "Version: 8.4.11 (api:1)"]
)
def test_a_proc_drbd_that_does_not_tell_the_version_raises(text: str) -> None:
    with pytest.raises(ParseError):
        drbd_version.parse_proc_drbd(text)


@pytest.mark.parametrize("text", ["", "DRBD_KERNEL_VERSION_CODE=0x0804\n", "DRBD_KERNEL_VERSION_CODE=0x08040b\n" * 2])
def test_a_drbdadm_that_does_not_tell_the_version_raises(text: str) -> None:
    with pytest.raises(ParseError):
        drbd_version.parse_drbdadm(text)


@pytest.mark.parametrize(
    ("kernel", "generation"),
    [
        ((8, 4, 11), Generation.V84),
        ((9, 0, 32), Generation.V9),
        ((9, 2, 5), Generation.V9),
        ((8, 3, 16), None),
        (None, None),
    ],
)
def test_the_version_tells_the_generation(kernel: tuple[int, int, int] | None, generation: Generation | None) -> None:
    assert DrbdVersion(kernel=kernel, loaded=True).generation is generation
