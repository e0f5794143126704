import dataclasses

import pytest

from saltern.errors import RenderError
from saltern.model.desired import DomainDisk, DomainInterface, DomainSpec
from saltern.render.header import is_ours
from saltern.render.xl_config import render

DNS = DomainSpec(
    name="dns",
    uuid="f9c4a00a-3a73-4fa6-9e80-713ef3b46dfb",
    home="dom0",
    partner="dom0m",
    memory_bytes=128 * 1024**2,
    vcpus=1,
    disks=(DomainDisk(device="xvda", resource="dns"),),
    interfaces=(DomainInterface(bridge="xenbr0", mac="00:16:3e:00:00:50", options={}),),
    depends_on=(),
    order=100,
    xl={},
)


def with_keys(**keys: object) -> DomainSpec:
    return dataclasses.replace(DNS, xl=keys)


def line(domain: DomainSpec, key: str) -> str:
    (found,) = (line for line in render(domain).splitlines() if line.startswith(f"{key} = "))
    return found


def test_the_historical_domain_comes_out_exactly_so() -> None:
    assert render(DNS) == (
        "# Managed by Saltern. Changes made here are overwritten.\n"
        'name = "dns"\n'
        'uuid = "f9c4a00a-3a73-4fa6-9e80-713ef3b46dfb"\n'
        "memory = 128\n"
        "vcpus = 1\n"
        'disk = ["vdev=xvda,access=rw,script=block-saltern,target=dns"]\n'
        'vif = ["mac=00:16:3e:00:00:50,bridge=xenbr0"]\n'
    )


def test_the_file_is_known_as_ours() -> None:
    assert is_ours(render(DNS))


def test_disks_and_interfaces_keep_their_order() -> None:
    domain = dataclasses.replace(
        DNS,
        disks=(DomainDisk(device="xvdb", resource="dns-data"), DomainDisk(device="xvda", resource="dns")),
        interfaces=(
            DomainInterface(bridge="xenbr1", mac="00:16:3e:00:00:51", options={"vifname": "dns1", "ip": "10.0.0.1"}),
            DNS.interfaces[0],
        ),
    )
    disks = (
        "vdev=xvdb,access=rw,script=block-saltern,target=dns-data",
        "vdev=xvda,access=rw,script=block-saltern,target=dns",
    )
    assert line(domain, "disk") == 'disk = ["{}", "{}"]'.format(*disks)
    assert line(domain, "vif") == (
        'vif = ["mac=00:16:3e:00:00:51,bridge=xenbr1,ip=10.0.0.1,vifname=dns1", "mac=00:16:3e:00:00:50,bridge=xenbr0"]'
    )


def test_a_domain_without_disks_and_interfaces_has_empty_lists() -> None:
    domain = dataclasses.replace(DNS, disks=(), interfaces=())
    assert (line(domain, "disk"), line(domain, "vif")) == ("disk = []", "vif = []")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("pvh", '"pvh"'),
        ('say "hi"', '"say \\"hi\\""'),
        ("it's", '"it\'s"'),
        ("back\\slash", '"back\\\\slash"'),
        ("two\nlines\tand a tab", '"two\\nlines\\tand a tab"'),
        ("# no comment; at all", '"# no comment; at all"'),
        ("Käse", '"Käse"'),
        ("", '""'),
        (4, "4"),
        (-1, '"-1"'),
        (True, "1"),
        (False, "0"),
        (["a", 1, True], '["a", 1, 1]'),
        (("a", ("b",)), '["a", ["b"]]'),
        ([], "[]"),
    ],
)
def test_further_keys_are_written_so_that_xl_reads_them_back(value: object, written: str) -> None:
    assert line(with_keys(extra=value), "extra") == f"extra = {written}"


def test_further_keys_stand_in_a_fixed_order() -> None:
    assert render(with_keys(type="pvh", kernel="/k")) == render(with_keys(kernel="/k", type="pvh"))


@pytest.mark.parametrize("key", ["name", "uuid", "memory", "vcpus", "disk", "vif"])
def test_keys_that_saltern_writes_itself_are_refused(key: str) -> None:
    with pytest.raises(RenderError, match=key):
        render(with_keys(**{key: "x"}))


@pytest.mark.parametrize("key", ["Kernel", "a-b", "a b", "1a", "", "a\nb"])
def test_a_key_that_xl_cannot_read_is_refused(key: str) -> None:
    with pytest.raises(RenderError):
        render(with_keys(**{key: "x"}))


@pytest.mark.parametrize("value", [1.5, None, {"a": 1}, b"bytes", "a\x00b", "a\x1bb", "\udc80", ["a", None]])
def test_a_value_that_xl_cannot_read_is_refused(value: object) -> None:
    with pytest.raises(RenderError, match="extra"):
        render(with_keys(extra=value))


def test_memory_that_is_not_whole_mib_is_refused() -> None:
    with pytest.raises(RenderError, match="whole MiB"):
        render(dataclasses.replace(DNS, memory_bytes=128 * 1024**2 + 1))


@pytest.mark.parametrize("bridge", ["", "xenbr0,script=evil", " xenbr0"])
def test_a_part_that_would_add_another_is_refused(bridge: str) -> None:
    interface = dataclasses.replace(DNS.interfaces[0], bridge=bridge)
    with pytest.raises(RenderError):
        render(dataclasses.replace(DNS, interfaces=(interface,)))


def test_an_interface_has_one_bridge_and_one_mac() -> None:
    interface = dataclasses.replace(DNS.interfaces[0], options={"bridge": "xenbr1"})
    with pytest.raises(RenderError, match="places of their own"):
        render(dataclasses.replace(DNS, interfaces=(interface,)))
