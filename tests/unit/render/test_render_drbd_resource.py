import dataclasses

import pytest

from saltern.errors import RenderError
from saltern.model.desired import Resource, ResourceHost
from saltern.model.running import Generation
from saltern.render.drbd_resource import render
from saltern.render.header import HEADER, is_ours


def side(node: str, node_id: int, address: str) -> ResourceHost:
    return ResourceHost(
        node=node,
        node_id=node_id,
        address=address,
        port=7792,
        minor=1,
        disk="/dev/XEN/dns",
        meta_device="/dev/XEN/meta",
        meta_index=1,
    )


DNS = Resource(
    name="dns",
    domain="dns",
    protocol="C",
    size_bytes=2 * 1024**3,
    hosts=(side("dom0", 0, "192.168.1.190"), side("dom0m", 1, "192.168.1.191")),
    sections={},
)


def with_options(**sections: dict[str, str]) -> Resource:
    return dataclasses.replace(DNS, sections=sections)


def with_sides(**changes: object) -> Resource:
    home, partner = DNS.hosts
    return dataclasses.replace(
        DNS, hosts=(dataclasses.replace(home, **changes), dataclasses.replace(partner, **changes))
    )


def section(text: str, name: str) -> list[str]:
    """The lines of a section, without indent."""
    _, found, rest = text.partition(f"    {name} {{\n")
    return [line.strip() for line in rest.partition("    }\n")[0].splitlines()] if found else []


def test_the_historical_resource_comes_out_exactly_so() -> None:
    assert render(DNS, Generation.V84) == (
        "# Managed by Saltern. Changes made here are overwritten.\n"
        "resource dns {\n"
        "    net {\n"
        "        protocol C;\n"
        "    }\n"
        "    on dom0 {\n"
        "        device /dev/drbd1;\n"
        "        disk /dev/XEN/dns;\n"
        "        address 192.168.1.190:7792;\n"
        "        meta-disk /dev/XEN/meta[1];\n"
        "    }\n"
        "    on dom0m {\n"
        "        device /dev/drbd1;\n"
        "        disk /dev/XEN/dns;\n"
        "        address 192.168.1.191:7792;\n"
        "        meta-disk /dev/XEN/meta[1];\n"
        "    }\n"
        "}\n"
    )


def test_drbd_9_is_told_node_ids_and_never_promotes_by_itself() -> None:
    text = render(DNS, Generation.V9)
    assert section(text, "options") == ["auto-promote no;"]
    assert section(text, "on dom0")[0] == "node-id 0;"
    assert section(text, "on dom0m")[0] == "node-id 1;"


def test_a_metadata_volume_of_its_own_is_flexible() -> None:
    text = render(with_sides(meta_device="/dev/XEN/dns_meta", meta_index=None), Generation.V9)
    assert "        meta-disk /dev/XEN/dns_meta;\n" in text


def test_an_ipv6_address_stands_in_brackets() -> None:
    assert "        address ipv6 [fd00::1]:7792;\n" in render(with_sides(address="fd00:0:0::1"), Generation.V9)


def test_fencing_stands_where_each_generation_looks_for_it() -> None:
    for written in ("net", "disk"):
        resource = with_options(**{written: {"fencing": "resource-only"}})
        assert "fencing resource-only;" in section(render(resource, Generation.V84), "disk")
        assert "fencing resource-only;" in section(render(resource, Generation.V9), "net")


def test_fencing_written_twice_is_refused() -> None:
    resource = with_options(net={"fencing": "dont-care"}, disk={"fencing": "resource-only"})
    with pytest.raises(RenderError, match="another section"):
        render(resource, Generation.V9)


def test_options_that_a_generation_does_not_have_are_left_out_for_it() -> None:
    resource = with_options(options={"quorum": "off"}, net={"unplug-watermark": "128"})
    assert "quorum" not in render(resource, Generation.V84)
    assert "quorum off;" in section(render(resource, Generation.V9), "options")
    assert "unplug-watermark 128;" in section(render(resource, Generation.V84), "net")
    assert "unplug-watermark" not in render(resource, Generation.V9)


def test_two_primaries_are_never_in_the_file() -> None:
    for generation in Generation:
        with pytest.raises(RenderError, match="migration"):
            render(with_options(net={"allow-two-primaries": "yes"}), generation)
        assert "allow-two-primaries" not in render(with_options(net={"allow-two-primaries": "no"}), generation)


def test_nobody_else_decides_on_roles_or_the_protocol() -> None:
    with pytest.raises(RenderError, match="auto-promote"):
        render(with_options(options={"auto-promote": "yes"}), Generation.V9)
    with pytest.raises(RenderError, match="protocol"):
        render(with_options(net={"protocol": "A"}), Generation.V84)


def test_options_stand_in_a_fixed_order() -> None:
    one = with_options(net={"timeout": "60", "ping-int": "10"}, disk={"al-extents": "1237"})
    other = with_options(disk={"al-extents": "1237"}, net={"ping-int": "10", "timeout": "60"})
    assert render(one, Generation.V9) == render(other, Generation.V9)
    assert section(render(one, Generation.V9), "net") == ["protocol C;", "ping-int 10;", "timeout 60;"]


@pytest.mark.parametrize(
    ("command", "written"),
    [
        ("/usr/lib/drbd/notify.sh", "/usr/lib/drbd/notify.sh"),
        ("/usr/lib/drbd/notify.sh root", '"/usr/lib/drbd/notify.sh root"'),
        ('echo "b"; reboot -f', '"echo \\"b\\"; reboot -f"'),
        ("a\\b", '"a\\\\b"'),
        ("} resource evil {", '"} resource evil {"'),
        ("# no comment", '"# no comment"'),
        ("", '""'),
        ("disk", '"disk"'),
        ("10", '"10"'),
    ],
)
def test_commands_of_handlers_cannot_break_out_of_their_place(command: str, written: str) -> None:
    assert section(render(with_options(handlers={"split-brain": command}), Generation.V84), "handlers") == [
        f"split-brain {written};"
    ]


@pytest.mark.parametrize("secret", ["no", "disk", "10", "10.0.0.1", "tea", "a b;c"])
def test_a_secret_is_always_text(secret: str) -> None:
    assert f'shared-secret "{secret}";' in section(
        render(with_options(net={"shared-secret": secret}), Generation.V84), "net"
    )


@pytest.mark.parametrize("name", ["disk", "net", "10", "1M", "two words"])
def test_a_name_that_drbdadm_would_read_as_something_else_is_quoted(name: str) -> None:
    assert f'\nresource "{name}" {{\n' in render(dataclasses.replace(DNS, name=name), Generation.V9)
    assert f'    on "{name}" {{\n' in render(with_sides(node=name), Generation.V9)


@pytest.mark.parametrize("value", ["a\nb", "a\tb", "a\x00b", "\udc80", "x" * 256, "\\" * 128])
def test_text_that_the_file_cannot_hold_is_refused(value: str) -> None:
    with pytest.raises(RenderError, match="handlers/split-brain"):
        render(with_options(handlers={"split-brain": value}), Generation.V9)


@pytest.mark.parametrize("address", ["", "dom0", "10.0.0.1; }", "fe80::1%eth0", "fe80::1%x]:1; }"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(RenderError, match="address"):
        render(with_sides(address=address), Generation.V9)


def test_an_option_or_a_section_that_breaks_the_syntax_is_refused() -> None:
    with pytest.raises(RenderError):
        render(with_options(net={"timeout 60; } #": "1"}), Generation.V9)
    with pytest.raises(RenderError, match="sections are"):
        render(with_options(startup={"wfc-timeout": "1"}), Generation.V9)


def test_only_files_that_begin_with_our_line_are_ours() -> None:
    assert is_ours(render(DNS, Generation.V84))
    assert not is_ours("")
    assert not is_ours("resource dns {\n}\n")
    assert not is_ours(f"\n{HEADER}\n")
    assert not is_ours(f"{HEADER} Or not.\n")
