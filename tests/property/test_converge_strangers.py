"""Things of other people on a node, and hands on ours while Saltern is applied: left alone, and never mistaken for ours."""

import pytest
from pair import converge, empty_world, failures, running, slices

from saltern.sim import drbd as simulated
from saltern.sim.world import World

GENERATIONS = pytest.mark.parametrize("drbd", ["8.4", "9"])
HEAD = """
saltern:
  nodes:
    dom0: {address: 192.168.1.190, volume_group: XEN}
    dom0m: {address: 192.168.1.191, volume_group: XEN}
  domains:
"""
DNS = "    dns: {home: dom0, partner: dom0m, memory: 64M, xl: {bootloader: pygrub}, disks: {xvda: {size: 64M}}}\n"
SHARES = slices(HEAD + DNS)


def converged(drbd: str) -> World:
    world = empty_world(drbd)
    converge(world, SHARES)
    world.advance(60)
    return world


@GENERATIONS
def test_a_domain_is_never_started_from_a_configuration_that_somebody_else_wrote(drbd) -> None:
    world = empty_world(drbd)
    host = world.host("dom0")
    host.run(["lvcreate", "-n", "www", "-L", "64M", "XEN"])
    world.nodes["dom0"].devices["/dev/XEN/www"].records = {0: 4711}
    host.write_text("/etc/xen/dns.cfg", 'name = "dns"\nmemory = 32\ndisk = ["phy:/dev/XEN/www,xvda,w"]\n', 0o644)
    outcomes = converge(world, SHARES, wait_s=5)["dom0"]
    world.advance(30)
    assert any("was not written by Saltern" in failure for failure in failures(outcomes))
    assert running(world) == {}
    assert world.nodes["dom0"].devices["/dev/XEN/www"].records == {0: 4711}


@GENERATIONS
def test_a_foreign_resource_with_the_name_of_ours_keeps_its_role_and_its_metadata(drbd) -> None:
    world = empty_world(drbd)
    sides = "".join(
        f"on {name} {{ {f'node-id {number}; ' if drbd == '9' else ''}address {node.address}:7999; }} "
        for number, (name, node) in enumerate(world.nodes.items())
    )
    foreign = f"resource dns {{ device /dev/drbd9; disk /dev/XEN/web; meta-disk /dev/XEN/web_meta; {sides} }}\n"
    for name in SHARES:
        host = world.host(name)
        host.run(["lvcreate", "-n", "web", "-L", "64M", "XEN"])
        host.run(["lvcreate", "-n", "web_meta", "-L", "4M", "XEN"])
        host.write_text("/etc/drbd.d/web.res", foreign, 0o644)
        for command in (["modprobe", "drbd"], ["drbdadm", "create-md", "dns"], ["drbdadm", "up", "dns"]):
            host.run(command)
    world.advance(5)
    world.host("dom0").run(["drbdadm", "primary", "--force", "dns"])
    world.advance(30)
    before = {name: repr(world.nodes[name].devices["/dev/XEN/web_meta"].metadata) for name in SHARES}
    for outcomes in converge(world, SHARES, wait_s=5).values():
        assert failures(outcomes)
    assert world.host("dom0").run(["drbdadm", "role", "dns"]).stdout.startswith("Primary")
    assert {name: repr(world.nodes[name].devices["/dev/XEN/web_meta"].metadata) for name in SHARES} == before
    assert running(world) == {}


@GENERATIONS
def test_an_apply_in_the_middle_of_a_migration_by_hand_does_not_take_the_disk_from_the_guest(drbd) -> None:
    world = converged(drbd)
    for name in SHARES:
        world.host(name).run(["drbdadm", "net-options", "--allow-two-primaries=yes", "dns"])
    world.host("dom0m").run(["drbdadm", "primary", "dns"])
    converge(world, {"dom0m": SHARES["dom0m"]}, wait_s=5)
    world.host("dom0").run(["xl", "migrate", "dns", "dom0m"], allowed=(0, 1))
    world.advance(5)
    for _ in range(2):
        converge(world, SHARES, wait_s=5)
        assert len(running(world)["dns"]) == 1
        assert all(disk.usable for node in world.nodes.values() for each in node.domains for disk in each.disks)


@GENERATIONS
def test_a_volume_that_was_reduced_under_a_live_device_is_not_grown_again_in_silence(drbd) -> None:
    world = converged(drbd)
    world.host("dom0m").run(["lvreduce", "-f", "-L", "32M", "XEN/dns"])
    outcomes = converge(world, SHARES, wait_s=5)["dom0m"]
    assert any("the end of its data is gone" in failure for failure in failures(outcomes))
    assert world.nodes["dom0m"].devices["/dev/XEN/dns"].size_bytes == 32 * 1024**2


@GENERATIONS
def test_a_primary_that_somebody_mounted_is_not_given_to_the_domain(drbd) -> None:
    world = converged(drbd)
    world.host("dom0").run(["xl", "destroy", "dns"])
    world.host("dom0").run(["drbdadm", "primary", "dns"])
    minor = SHARES["dom0"].resources["dns"].on("dom0").minor
    assert simulated.open(world, "dom0", minor, "mount", True)
    outcomes = converge(world, SHARES, wait_s=5)["dom0"]
    assert any("held open" in failure for failure in failures(outcomes))
    assert running(world) == {}


@GENERATIONS
def test_what_is_brought_up_at_boot_and_what_an_apply_makes_of_it_end_in_the_same_place(drbd) -> None:
    world = converged(drbd)
    for name in SHARES:
        world.power_cut(name)
    world.advance(10)
    for name in SHARES:
        world.boot(name)
    world.advance(10)
    for outcomes in converge(world, SHARES).values():
        assert failures(outcomes) == []
    assert running(world) == {"dns": ["dom0"]}
