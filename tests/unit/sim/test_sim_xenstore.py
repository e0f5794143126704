"""xenstore as libxl fills it and as its tools read it; numbers in brackets are transcripts."""

import pytest

from saltern.sim.host import SimHost
from saltern.sim.world import World

UUID = "f9c4a00a-3a73-4fa6-9e80-713ef3b46dfb"
BACKEND = "/local/domain/0/backend/vbd/1/51712"


@pytest.fixture
def host(world: World) -> SimHost:
    """dom0, on which dns runs with the disk /dev/XEN/dns."""
    door = world.host("dom0")
    door.run(["lvcreate", "-n", "dns", "-L", "256M", "XEN"])
    text = f'name = "dns"\nuuid = "{UUID}"\nmemory = 128\nbootloader = "pygrub"\ndisk = ["phy:/dev/XEN/dns,xvda,w"]\n'
    door.write_text("/etc/xen/dns.cfg", text, 0o644)
    door.run(["xl", "create", "/etc/xen/dns.cfg"])
    return door


def test_a_domain_and_its_disk_are_there(host: SimHost) -> None:
    """[114]"""
    paths = ["/local/domain/1/name", "/local/domain/1/vm", f"/vm/{UUID}/name", f"{BACKEND}/params", f"{BACKEND}/script"]
    said = host.run(["xenstore-read", *paths]).stdout
    assert said == f"dns\n/vm/{UUID}\ndns\n/dev/XEN/dns\n/etc/xen/scripts/block\n"
    listed = host.run(["xenstore-ls", "-f", "/local/domain/0/backend/vbd"]).stdout
    assert listed.startswith('/local/domain/0/backend/vbd/1 = ""\n')
    for line in ('dev = "xvda"', 'frontend-id = "1"', 'hotplug-status = "connected"', 'mode = "w"', 'state = "4"'):
        assert f"{BACKEND}/{line}\n" in listed


def test_a_path_without_a_slash_is_one_of_dom0(host: SimHost) -> None:
    """As XENBUS_PATH is, with which scripts are called."""
    host.run(["xenstore-write", "backend/vbd/1/51712/hotplug-error", "two words", "backend/vbd/1/51712/more", "1"])
    assert host.run(["xenstore-read", f"{BACKEND}/hotplug-error"]).stdout == "two words\n"
    assert host.run(["xenstore-read", "-p", "name"]).stdout == "name: Domain-0\n"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("xenstore-read /local/domain/9/name", "xenstore-read: couldn't read path /local/domain/9/name\n"),
        ("xenstore-list /nowhere", "xenstore-list: could not list path /nowhere\n"),
        (
            "xenstore-ls /local/domain/0/backend/vif",
            "xenstore-ls: xs_directory (/local/domain/0/backend/vif): No such file or directory\n",
        ),
        ("xenstore-rm /nowhere", "xenstore-rm: could not remove path /nowhere\n"),
    ],
)
def test_what_is_not_there_is_told(host: SimHost, command: str, message: str) -> None:
    """[233]"""
    refused = host.run(command.split(), allowed=(1,))
    assert refused.stderr == message


def test_what_was_read_before_something_that_is_not_there_is_printed(host: SimHost) -> None:
    refused = host.run(["xenstore-read", "/local/domain/1/name", "/nowhere", "/local/domain/1/vm"], allowed=(1,))
    assert refused.stdout == "dns\n"


def test_directories_are_listed_and_are_empty(host: SimHost) -> None:
    assert host.run(["xenstore-list", "/local/domain"]).stdout == "0\n1\n"
    assert host.run(["xenstore-read", "/local/domain/0/backend"]).stdout == "\n"


@pytest.mark.parametrize("value", ["plain", "two\nlines", "a\ttab", "back\\slash", "\\n"])
def test_a_value_stands_in_one_line_and_is_understood_again(host: SimHost, value: str) -> None:
    shown = value.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")
    host.run(["xenstore-write", "/test/value", shown])
    assert host.world.nodes["dom0"].xenstore["/test/value"] == value
    assert host.run(["xenstore-read", "/test/value"]).stdout == f"{shown}\n"


def test_what_a_script_wrote_is_gone_with_the_disk(host: SimHost) -> None:
    host.run(["xenstore-write", f"{BACKEND}/node", "7"])
    host.run(["xl", "destroy", "dns"])
    assert host.run(["xenstore-read", f"{BACKEND}/node"], allowed=(1,)).stdout == ""
    assert host.world.nodes["dom0"].xenstore == {}


def test_nothing_of_it_survives_a_power_cut(host: SimHost) -> None:
    host.run(["xenstore-write", "/test/value", "1"])
    host.world.power_cut("dom0")
    host.world.boot("dom0")
    assert host.run(["xenstore-list", "/local/domain"]).stdout == "0\n"
