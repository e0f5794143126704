"""The simulated world: what lasts, what is lost, and what the door to a node promises."""

import pytest

from saltern.errors import CommandFailed, CommandMissing, CommandTimeout
from saltern.sim.host import Killed
from saltern.sim.world import NodeSpec, World

GUEST = (
    'name = "dns"\nmemory = 128\nbootloader = "pygrub"\n'
    'uuid = "f9c4a00a-3a73-4fa6-9e80-713ef3b46dfb"\ndisk = ["phy:/dev/XEN/dns,xvda,w"]\n'
)


def with_guest(world: World) -> World:
    host = world.host("dom0")
    host.run(["lvcreate", "-n", "dns", "-L", "256M", "--addtag", "blank", "XEN"])
    host.write_text("/etc/xen/dns.cfg", GUEST, 0o644)
    host.run(["xl", "create", "/etc/xen/dns.cfg"])
    return world


def test_the_same_commands_make_the_same_world() -> None:
    specs = [NodeSpec(name="dom0", address="192.168.1.190"), NodeSpec(name="dom0m", address="192.168.1.191")]
    first, second, other = (with_guest(World.create(specs, seed=seed)) for seed in (1, 1, 2))
    assert first.to_json() == second.to_json() != other.to_json()


def test_a_world_lives_on_from_json_as_it_was(world: World) -> None:
    with_guest(world).cut_link("dom0", "dom0m")
    copy = world.copy()
    for one in (world, copy):
        one.advance(7)
        one.host("dom0").run(["lvextend", "-L", "300M", "XEN/dns"])
    assert copy.to_json() == world.to_json()


def test_a_power_cut_takes_domains_and_modules_but_no_files_and_no_volumes(world: World) -> None:
    host = with_guest(world).host("dom0")
    host.run(["modprobe", "drbd"])
    world.advance(5)
    written = dict(world.nodes["dom0"].devices["/dev/XEN/dns"].records)
    world.power_cut("dom0")
    world.advance(5)
    world.boot("dom0", drbd_service=False)
    assert "dns" not in host.run(["xl", "list"]).stdout
    assert host.read_text("/proc/drbd") is None
    assert host.read_text("/etc/xen/dns.cfg") == GUEST
    assert "blank" in host.run(["lvs", "-o", "tags", "XEN/dns"]).stdout
    assert written and world.nodes["dom0"].devices["/dev/XEN/dns"].records == written
    host.run(["lvremove", "-y", "XEN/dns"])  # nothing holds it any more


def test_a_node_without_power_never_answers(world: World) -> None:
    host = world.host("dom0")
    world.power_cut("dom0")
    with pytest.raises(CommandTimeout):
        host.run(["lvs"])
    with pytest.raises(OSError, match="no power"):
        host.read_text("/etc/xen/dns.cfg")
    with pytest.raises(OSError, match="no power"):
        host.write_text("/etc/xen/dns.cfg", "", 0o644)


def test_nodes_talk_only_over_a_whole_link_and_with_power(world: World) -> None:
    assert world.linked("dom0", "dom0m")
    world.cut_link("dom0m", "dom0")
    assert not world.linked("dom0", "dom0m")
    world.heal_link("dom0", "dom0m")
    assert world.linked("dom0m", "dom0")
    world.power_cut("dom0m")
    assert not world.linked("dom0", "dom0m")


def test_a_misspelt_node_is_an_error(world: World) -> None:
    with pytest.raises(KeyError, match="dom1"):
        world.host("dom1")
    with pytest.raises(KeyError, match="dom1"):
        world.cut_link("dom0", "dom1")


def test_a_program_that_is_not_there_is_missing(world: World) -> None:
    with pytest.raises(CommandMissing):
        world.host("dom0").run(["mkfs.ext4", "/dev/XEN/dns"])


def test_an_exit_code_that_is_not_allowed_raises_with_what_was_said(world: World) -> None:
    host = world.host("dom0")
    with pytest.raises(CommandFailed, match="not found") as raised:
        host.run(["lvs", "NOVG"])
    assert raised.value.returncode == 5
    assert host.run(["lvs", "NOVG"], allowed=(0, 5)).returncode == 5


def test_a_crash_after_a_change_leaves_it_done_and_one_before_does_not(world: World) -> None:
    after, before = world.host("dom0"), world.host("dom0m")
    after.crash_after(2)
    before.crash_before(2)
    for host in (after, before):
        host.run(["lvcreate", "-n", "one", "-L", "4M", "XEN"])
        host.run(["lvs"])  # a read is no change
        with pytest.raises(Killed):
            host.write_text("/etc/xen/one.cfg", "text", 0o600)
    assert world.read_file("dom0", "/etc/xen/one.cfg") == "text"
    assert world.read_file("dom0m", "/etc/xen/one.cfg") is None


def test_a_program_that_was_killed_does_nothing_more(world: World) -> None:
    host = world.host("dom0")
    host.crash_after(1)
    with pytest.raises(Killed):
        host.run(["modprobe", "drbd"])
    with pytest.raises(Killed):  # such as what it does in a `finally`
        host.write_text("/etc/xen/one.cfg", "text", 0o600)
    assert world.read_file("dom0", "/etc/xen/one.cfg") is None


def test_a_crash_is_no_ordinary_error(world: World) -> None:
    host = world.host("dom0")
    host.crash_after(1)
    with pytest.raises(Killed):
        try:
            host.run(["modprobe", "drbd"])
        except Exception:
            pytest.fail("a handler of errors survived the death of its process")
    assert world.nodes["dom0"].module_loaded


def test_sleeping_moves_the_whole_world(world: World) -> None:
    host = world.host("dom0")
    before = host.now()
    host.sleep(30)
    assert world.host("dom0m").now() == pytest.approx(before + 30)


def test_commands_are_remembered_by_door_and_by_node(world: World) -> None:
    first, second = world.host("dom0"), world.host("dom0")
    first.run(["lvs"])
    second.run(["vgs"])
    assert first.commands == [("lvs",)]
    assert world.nodes["dom0"].log == [("lvs",), ("vgs",)]


def test_modprobe_knows_one_module(world: World) -> None:
    host = world.host("dom0")
    assert host.run(["modprobe", "nosuch"], allowed=(1,)).stderr.startswith("modprobe: FATAL: Module nosuch not found")
    assert host.read_text("/proc/drbd") is None
    host.run(["modprobe", "drbd"])
    assert host.read_text("/proc/drbd") is not None
