"""What the safety rules of the convergence tests find, in worlds that were brought there by hand."""

import pytest
from pair import check_safety, converge, empty_world, slices

from saltern.sim.world import World

HEAD = """
saltern:
  nodes:
    dom0: {address: 192.168.1.190, volume_group: XEN}
    dom0m: {address: 192.168.1.191, volume_group: XEN}
  domains:
"""
BOOT = 'bootloader = "pygrub"\n'
TWO = slices(
    HEAD
    + "".join(
        f"    {name}: {{home: dom0, partner: dom0m, memory: 8M, xl: {{bootloader: pygrub}}, disks: {{xvda: {{size: 8M}}}}}}\n"
        for name in "ab"
    )
)


def resource(name: str, *, port: int, net: str = "") -> str:
    """A resource of 8.4 on the volumes of its name, with minor 9."""
    sides = "".join(
        f"on {node} {{ device /dev/drbd9; disk /dev/XEN/{name}; meta-disk /dev/XEN/{name}_meta; address {address}:{port}; }}\n"
        for node, address in (("dom0", "192.168.1.190"), ("dom0m", "192.168.1.191"))
    )
    return f"resource {name} {{ net {{ {net} }}\n{sides}}}\n"


def bring_up(world: World, node: str, name: str, *, port: int) -> None:
    host = world.host(node)
    for volume in (name, f"{name}_meta"):
        host.run(["lvcreate", "-n", volume, "-L", "8M", "XEN"])
    host.write_text(f"/etc/drbd.d/{name}.res", resource(name, port=port), 0o600)
    host.run(["drbdadm", "create-md", name])
    host.run(["drbdadm", "up", name])


def guest(world: World, name: str, disk: str) -> None:
    host = world.host("dom0")
    host.write_text(f"/etc/xen/{name}.cfg", f'name = "{name}"\nmemory = 8\n{BOOT}disk = ["phy:{disk},xvda,w"]\n', 0o600)
    host.run(["xl", "create", f"/etc/xen/{name}.cfg"])


@pytest.fixture
def world() -> World:
    return empty_world()


@pytest.fixture
def alone(world: World) -> World:
    """The resource a, Primary on dom0 and known to no other node."""
    bring_up(world, "dom0", "a", port=7799)
    world.host("dom0").run(["drbdadm", "primary", "--force", "a"])
    return world


@pytest.mark.parametrize("drbd", ["8.4", "9"])
def test_a_converged_pair_is_safe(drbd) -> None:
    world = empty_world(drbd)
    converge(world, TWO)
    world.advance(30)
    assert [
        len(device.writers)
        for path, device in world.nodes["dom0m"].devices.items()
        if path in ("/dev/XEN/a", "/dev/XEN/b")
    ] == [1, 1]
    check_safety(world)
    check_safety(World.from_json(world.to_json()), TWO)


def test_a_domain_on_its_own_resource_is_safe(alone: World) -> None:
    guest(alone, "a", "/dev/drbd9")
    alone.advance(3)
    check_safety(alone)


def test_a_domain_on_the_resource_of_another_is_found(alone: World) -> None:
    guest(alone, "b", "/dev/drbd9")
    with pytest.raises(AssertionError, match="xvda of b on dom0 is resource a"):
        check_safety(alone)


def test_a_domain_on_the_volume_of_another_is_found(alone: World) -> None:
    alone.nodes["dom0"].drbd.resources["a"].devices[0].backing = "/dev/XEN/b"
    guest(alone, "a", "/dev/drbd9")
    with pytest.raises(AssertionError, match="xvda of a on dom0 is on /dev/XEN/b"):
        check_safety(alone)


def test_two_resources_that_found_each_other_are_found(alone: World) -> None:
    bring_up(alone, "dom0m", "b", port=7799)
    alone.advance(3)
    with pytest.raises(AssertionError, match="a on dom0 is connected to b"):
        check_safety(alone)


def test_a_volume_that_has_taken_the_data_of_another_resource_is_found_when_they_have_parted(alone: World) -> None:
    guest(alone, "a", "/dev/drbd9")
    alone.advance(3)
    bring_up(alone, "dom0m", "b", port=7799)
    alone.advance(10)
    alone.host("dom0").run(["xl", "destroy", "a"])
    alone.host("dom0").run(["drbdadm", "down", "a"])
    alone.host("dom0m").run(["drbdadm", "primary", "b"])
    alone.host("dom0m").write_text("/etc/xen/b.cfg", f'name = "b"\n{BOOT}disk = ["phy:/dev/drbd9,xvda,w"]\n', 0o600)
    alone.host("dom0m").run(["xl", "create", "/etc/xen/b.cfg"])
    alone.advance(3)
    with pytest.raises(AssertionError, match="b of dom0m was written by"):
        check_safety(alone)


def test_a_volume_made_anew_has_no_writers(world: World) -> None:
    host = world.host("dom0")
    host.run(["lvcreate", "-n", "a", "-L", "8M", "XEN"])
    guest(world, "a", "/dev/XEN/a")
    world.advance(3)
    assert world.nodes["dom0"].devices["/dev/XEN/a"].writers == ["a"]
    host.run(["xl", "destroy", "a"])
    host.run(["lvremove", "-f", "XEN/a"])
    host.run(["lvcreate", "-n", "b", "-L", "8M", "XEN"])
    assert world.nodes["dom0"].devices["/dev/XEN/b"].writers == []
