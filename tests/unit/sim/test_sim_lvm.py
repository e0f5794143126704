"""LVM beyond the recordings: spellings, rounding, what shrinks and what survives a removal."""

import json

import pytest

from saltern.sim.tools import PROGRAMS
from saltern.sim.world import World

LVCREATE = ["lvcreate", "-n", "dns", "-L", "256M", "XEN"]


@pytest.mark.parametrize(
    "command",
    [
        ["lvcreate", "--name", "dns", "--size", "256m", "XEN"],
        ["lvcreate", "--name=dns", "--size=268435456b", "XEN"],
        ["lvcreate", "-ndns", "-L256", "/dev/XEN"],
        ["lvcreate", "-y", "-Wy", "-Zy", "-L", "0.25g", "-n", "dns", "XEN"],
        ["lvcreate", "--yes", "--wipesignatures", "y", "--zero", "y", "-l", "64", "-n", "XEN/dns", "XEN"],
        ["lvcreate", "-l", "64", "XEN", "-n", "dns"],
    ],
)
def test_a_volume_can_be_asked_for_in_many_ways(world: World, command: list[str]) -> None:
    done = world.host("dom0").run(command)
    assert done.stdout == '  Logical volume "dns" created.\n'
    assert world.nodes["dom0"].devices["/dev/XEN/dns"].size_bytes == 256 * 1024**2


def test_sizes_are_rounded_up_to_extents_and_lvm_says_so(world: World) -> None:
    host = world.host("dom0")
    created = host.run(["lvcreate", "-n", "dns", "-L", "5M", "XEN"])
    assert created.stdout.splitlines()[0] == "  Rounding up size to full physical extent 8.00 MiB"
    extended = host.run(["lvextend", "-L", "1200001K", "XEN/dns"])
    assert extended.stdout.splitlines()[0] == "  Rounding size to boundary between physical extents: 1.14 GiB."
    assert world.nodes["dom0"].devices["/dev/XEN/dns"].size_bytes == 293 * 4 * 1024**2


@pytest.mark.parametrize(
    "program",
    [program for program, module in PROGRAMS.items() if module == "lvm"],
)
def test_an_unknown_option_is_refused_and_nothing_happens(world: World, program: str) -> None:
    before = world.copy().nodes["dom0"].volume_groups
    for option, complaint in (("--nosuch", "unrecognized option '--nosuch'"), ("-?", "invalid option -- '?'")):
        done = world.host("dom0").run([program, option, "XEN/dns"], allowed=(3,))
        assert done.stderr == f"{program}: {complaint}\n  Error during parsing of command line.\n"
    assert world.nodes["dom0"].volume_groups == before


@pytest.mark.parametrize("size", ["", "-5M", "1.2.3G", "5X", "M", "1e3M"])
def test_a_size_that_is_none_is_refused(world: World, size: str) -> None:
    done = world.host("dom0").run(["lvcreate", "-n", "dns", f"--size={size}", "XEN"], allowed=(3,))
    assert "Invalid argument for --size" in done.stderr


def test_a_volume_that_drbd_holds_is_not_removed_but_shrinks(world: World) -> None:
    host, device = world.host("dom0"), None
    host.run(LVCREATE)
    device = world.nodes["dom0"].devices["/dev/XEN/dns"]
    device.records = {0: 1, 30_000: 2}
    device.holders.append("drbd1")
    reduced = host.run(["lvreduce", "-f", "-L", "64M", "/dev/XEN/dns"])
    assert reduced.stderr == (
        "  WARNING: Reducing active and open logical volume to 64.00 MiB.\n"
        "  THIS MAY DESTROY YOUR DATA (filesystem etc.)\n"
    )
    assert device.records == {0: 1}
    removed = host.run(["lvremove", "-f", "XEN/dns"], allowed=(5,))
    assert removed.stderr == "  Logical volume XEN/dns is used by another device.\n"
    assert host.run(["lvs", "--noheadings", "-o", "lv_attr,lv_device_open"]).stdout == "  -wi-ao---- open\n"


@pytest.mark.parametrize(
    ("command", "left"),
    [
        (["lvremove", "XEN/dns"], "  Logical volume XEN/dns not removed.\n"),
        (["lvreduce", "-L", "64M", "XEN/dns"], "  Logical volume XEN/dns NOT reduced.\n"),
    ],
)
def test_a_question_that_nobody_answers_means_no(world: World, command: list[str], left: str) -> None:
    host = world.host("dom0")
    host.run(LVCREATE)
    done = host.run(command, allowed=(5,))
    assert done.stdout == ""
    assert "? [y/n]: [n]\n" in done.stderr
    assert done.stderr.endswith(left)
    assert world.nodes["dom0"].devices["/dev/XEN/dns"].size_bytes == 256 * 1024**2


def test_a_volume_made_on_old_extents_keeps_what_stood_behind_its_first_block(world: World) -> None:
    host = world.host("dom0")
    host.run(["lvcreate", "-n", "meta", "-L", "384M", "XEN"])
    device = world.nodes["dom0"].devices["/dev/XEN/meta"]
    device.metadata = {-1: {}, 0: {}, 1: {"old": True}}
    device.records = {0: 1, 9: 2}
    host.run(["lvremove", "-y", "XEN/meta"])
    host.run(["lvcreate", "-y", "-n", "meta", "-L", "384M", "XEN"])
    again = world.nodes["dom0"].devices["/dev/XEN/meta"]
    assert again.metadata == {1: {"old": True}}
    assert again.records == {9: 2}


def test_shrinking_cuts_metadata_slots_off(world: World) -> None:
    host = world.host("dom0")
    host.run(["lvcreate", "-n", "meta", "-L", "384M", "XEN"])
    world.nodes["dom0"].devices["/dev/XEN/meta"].metadata = {0: {}, 1: {}, 2: {}}
    host.run(["lvreduce", "-y", "-L", "256M", "XEN/meta"])
    assert set(world.nodes["dom0"].devices["/dev/XEN/meta"].metadata) == {0, 1}


def test_tags_come_and_go(world: World) -> None:
    host = world.host("dom0")
    host.run([*LVCREATE, "--addtag", "saltern.blank", "--addtag", "b"])
    tags = ["lvs", "--noheadings", "-o", "lv_tags", "XEN/dns"]
    assert host.run(tags).stdout.strip() == "b,saltern.blank"
    changed = host.run(["lvchange", "--deltag", "saltern.blank", "--addtag", "c", "XEN/dns"])
    assert changed.stdout == "  Logical volume XEN/dns changed.\n"
    assert host.run(tags).stdout.strip() == "b,c"


def test_a_renamed_volume_keeps_what_is_on_it(world: World) -> None:
    host = world.host("dom0")
    host.run(LVCREATE)
    world.nodes["dom0"].devices["/dev/XEN/dns"].records = {3: 3}
    done = host.run(["lvrename", "XEN", "dns", "names"])
    assert done.stdout == '  Renamed "dns" to "names" in volume group "XEN"\n'
    assert world.nodes["dom0"].devices["/dev/XEN/names"].records == {3: 3}
    assert "/dev/XEN/dns" not in world.nodes["dom0"].devices


def test_a_deactivated_volume_is_no_device(world: World) -> None:
    host, node = world.host("dom0"), world.nodes["dom0"]
    host.run(["lvcreate", "-n", "a-b", "-L", "4M", "XEN"])
    assert node.device("/dev/mapper/XEN-a--b") is node.device("/dev/XEN/a-b") is not None
    host.run(["lvchange", "-an", "XEN/a-b"])
    assert node.device("/dev/XEN/a-b") is None
    host.run(["lvchange", "-ay", "XEN/a-b"])
    assert node.device("/dev/XEN/a-b") is not None


def test_an_empty_report_is_valid_json(world: World) -> None:
    done = world.host("dom0").run(["lvs", "--reportformat", "json", "-o", "name,tags"])
    assert json.loads(done.stdout) == {"report": [{"lv": []}]}


def test_columns_are_chosen_in_any_order_and_with_short_names(world: World) -> None:
    host = world.host("dom0")
    host.run(LVCREATE)
    done = host.run(["lvs", "--reportformat=json", "--units", "b", "--nosuffix", "-o", "size,vg_name,name", "XEN"])
    assert list(json.loads(done.stdout)["report"][0]["lv"][0].items()) == [
        ("lv_size", "268435456"),
        ("vg_name", "XEN"),
        ("lv_name", "dns"),
    ]
    assert "Unrecognised field: nosuch" in host.run(["lvs", "-o", "nosuch"], allowed=(3, 5)).stderr


def test_a_volume_group_can_be_filled_to_the_last_extent_and_not_beyond(world: World) -> None:
    host = world.host("dom0")
    host.run(["lvcreate", "-n", "all", "-l", "100%FREE", "XEN"])
    assert host.run(["vgs", "--noheadings", "-o", "vg_free_count", "XEN"]).stdout.strip() == "0"
    refused = host.run(["lvcreate", "-n", "more", "-L", "4m", "XEN"], allowed=(5,))
    assert refused.stderr == '  Volume group "XEN" has insufficient free space (0 extents): 1 required.\n'
