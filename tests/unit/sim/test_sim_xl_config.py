"""xl.cfg as libxlu reads it."""

import pytest

from saltern.sim import xl_config
from saltern.sim.model import DomainDisk
from saltern.sim.xl_config import ConfigError


def test_assignments_lists_numbers_and_comments_are_read() -> None:
    text = """# a guest
name = "dns"; memory=128
disk = [
    'phy:/dev/drbd1,xvda,w',   # root
    "vdev=xvdb,target=/dev/XEN/data",
]
extra = "a # no comment"
vif = []
maxmem = 0x200"""
    assert xl_config.parse(text, "dns.cfg") == {
        "name": "dns",
        "memory": "128",
        "disk": ["phy:/dev/drbd1,xvda,w", "vdev=xvdb,target=/dev/XEN/data"],
        "extra": "a # no comment",
        "vif": [],
        "maxmem": "0x200",
    }


def test_a_later_assignment_replaces_and_plus_adds() -> None:
    text = 'memory = 1\nmemory = 2\nvif = ["a=b"]\nvif += ["c=d"]\n'
    assert xl_config.parse(text, "x") == {"memory": "2", "vif": ["a=b", "c=d"]}


def test_a_list_where_xl_wants_a_single_value_counts_as_not_given_and_any_other_is_kept() -> None:
    text = 'kernel = ["/boot/a"]\ncpus = ["0", "2"]\ndevice_model_args = ["-v"]\n'
    config, warnings = xl_config.understood(xl_config.parse(text, "x.cfg"))
    assert config == {"cpus": ["0", "2"], "device_model_args": ["-v"]}
    assert warnings == ["x.cfg:1: warning: parameter `kernel' is a list but should be a single value"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = dns\n", "x.cfg:1: config parsing error near `dns': syntax error, unexpected IDENT"),
        ("memory 5\n", "x.cfg:1: config parsing error near `5': syntax error, unexpected NUMBER, expecting += or '='"),
        ('name = "dns\n', "x.cfg:1: config parsing error near `\"dns': lexical error"),
        ("\n\ndisk = [ 'a'\n", "x.cfg:"),
        ('name = "a" memory = 5', "x.cfg:1: config parsing error near `memory'"),
    ],
)
def test_what_xl_does_not_accept_is_an_error_with_its_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        xl_config.parse(text, "x.cfg")
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize(
    ("specification", "expected"),
    [
        ("phy:/dev/drbd1,xvda,w", DomainDisk("xvda", "/dev/drbd1", "/dev/drbd1", "", "w")),
        ("phy:/dev/drbd1,xvda,r", DomainDisk("xvda", "/dev/drbd1", "/dev/drbd1", "", "r")),
        ("/dev/drbd1,raw,xvda,rw", DomainDisk("xvda", "/dev/drbd1", "/dev/drbd1", "", "w")),
        ("/dev/drbd1,,xvda,ro", DomainDisk("xvda", "/dev/drbd1", "/dev/drbd1", "", "r")),
        ("format=raw, vdev=xvda, access=rw, target=/dev/a,b", DomainDisk("xvda", "/dev/a,b", "/dev/a,b", "", "w")),
        ("vdev=xvda,script=block-drbd,target=dns", DomainDisk("xvda", "", "dns", "block-drbd", "w")),
    ],
)
def test_a_disk_is_read_in_all_its_forms(specification: str, expected: DomainDisk) -> None:
    assert xl_config.disk(specification, "x.cfg") == expected


@pytest.mark.parametrize(
    "specification", ["phy:/dev/drbd1", "vdev=xvda,colour=red,target=/dev/a", "/dev/a,raw,xvda,maybe"]
)
def test_a_disk_that_makes_no_sense_is_refused(specification: str) -> None:
    with pytest.raises(ConfigError, match="disk specification"):
        xl_config.disk(specification, "x.cfg")
