"""Whatever an administrator types and whatever breaks: the simulated world stays one that could exist."""

from hypothesis import given, settings
from hypothesis import strategies as st

from saltern.sim.drbd import role
from saltern.sim.world import NodeSpec, World

NODES = ("dom0", "dom0m")
EXTENTS = 200

RESOURCE = """
resource dns {
    net { protocol C; }
    on dom0 { device /dev/drbd1; disk /dev/XEN/dns; address 10.0.0.1:7792; meta-disk /dev/XEN/meta[0]; }
    on dom0m { device /dev/drbd1; disk /dev/XEN/dns; address 10.0.0.2:7792; meta-disk /dev/XEN/meta[0]; }
}
"""
GUEST = """
name = "{name}"
memory = 600
bootloader = "pygrub"
disk = [ "phy:/dev/drbd1,xvda,w", "phy:/dev/XEN/swap,xvdb,w" ]
"""
SCRIPTED = """
name = "dns"
memory = 600
bootloader = "pygrub"
disk = [ "vdev=xvda,script=block-drbd,target=dns" ]
"""

COMMANDS = [
    "lvcreate -y -n dns -L 64M XEN",
    "lvcreate -y -n meta -L 136M XEN",
    "lvcreate -y -n swap -L 16M XEN",
    "lvcreate -y -n rest -l 100%FREE XEN",
    "lvextend -L +8M XEN/dns",
    "lvreduce -f -L 32M XEN/dns",
    "lvremove -f XEN/swap",
    "lvremove -f XEN/dns",
    "lvrename XEN rest swap",
    "lvchange -an XEN/swap",
    "lvchange -ay XEN/swap",
    "modprobe drbd",
    "drbdadm create-md dns",
    "drbdadm create-md --force dns",
    "drbdadm up dns",
    "drbdadm down dns",
    "drbdadm adjust dns",
    "drbdadm primary dns",
    "drbdadm primary --force dns",
    "drbdadm secondary dns",
    "drbdadm disconnect dns",
    "drbdadm connect dns",
    "drbdadm net-options --allow-two-primaries=yes dns",
    "drbdadm resize dns",
    "xl create /etc/xen/dns.cfg",
    "xl create -p /etc/xen/other.cfg",
    "xl create /etc/xen/scripted.cfg",
    "xl shutdown dns",
    "xl reboot dns",
    "xl destroy dns",
    "xl destroy other",
    "xl pause dns",
    "xl unpause dns",
    "xl migrate dns dom0",
    "xl migrate dns dom0m",
]
commands = st.tuples(st.sampled_from(NODES), st.sampled_from(COMMANDS))
faults = st.tuples(st.sampled_from(NODES), st.sampled_from(["power-cut", "boot", "cut-link", "heal-link", "wait"]))
histories = st.lists(st.one_of(commands, commands, faults), max_size=30)

READY = [
    (node, command)
    for command in ("modprobe drbd", *COMMANDS[:3], "drbdadm create-md dns", "drbdadm up dns")
    for node in NODES
] + [("dom0", "drbdadm primary --force dns"), ("dom0", "wait"), ("dom0", "xl create /etc/xen/dns.cfg")]


def play(history: list[tuple[str, str]]) -> World:
    """A world after commands and faults; what a command answers is its own affair."""
    world = World.create(
        [
            NodeSpec(
                name=name,
                address=f"10.0.0.{number}",
                volume_group_size_bytes=EXTENTS * 4 * 1024**2,
                memory_bytes=1024**3,
            )
            for number, name in enumerate(NODES, start=1)
        ]
    )
    for node in world.nodes.values():
        node.files["/etc/drbd.d/dns.res"] = (RESOURCE, 0o644)
        node.files["/etc/xen/dns.cfg"] = (GUEST.format(name="dns"), 0o644)
        node.files["/etc/xen/other.cfg"] = (GUEST.format(name="other"), 0o644)
        node.files["/etc/xen/scripted.cfg"] = (SCRIPTED, 0o644)
    for node_name, step in history:
        act(world, node_name, step)
    return world


def act(world: World, node: str, step: str) -> None:
    if step == "wait":
        world.advance(20)
    elif step == "power-cut":
        if world.nodes[node].powered:
            world.power_cut(node)
    elif step == "boot":
        world.boot(node)
    elif step == "cut-link":
        world.cut_link(*NODES)
    elif step == "heal-link":
        world.heal_link(*NODES)
    elif world.nodes[node].powered:
        world.host(node).run(step.split(), allowed=range(256))


def check(world: World) -> None:
    for node in world.nodes.values():
        group = node.volume_groups["XEN"]
        volumes = {path: device for path, device in node.devices.items() if path.startswith("/dev/XEN/")}
        assert set(volumes) == {f"/dev/XEN/{name}" for name in group.volumes}
        assert sum(device.size_bytes for device in volumes.values()) <= EXTENTS * 4 * 1024**2
        names = [domain.name for domain in node.domains]
        assert len(names) == len(set(names))
        assert sum(domain.memory_bytes for domain in node.domains) <= node.memory_bytes
        alive = {f"xen-{domain.domid}" for domain in node.domains} | {
            device.holder for _, device in node.drbd.devices()
        }
        assert {holder for device in volumes.values() for holder in device.holders} <= alive
        assert node.powered or not (node.domains or node.drbd.resources or node.module_loaded)
        for _, device in node.drbd.devices():
            assert set(device.openers) <= alive
            assert not device.openers or role(world, node.name, device.minor) == "Primary"


@settings(max_examples=60, deadline=None)
@given(histories, st.booleans())
def test_no_history_leads_to_a_world_that_could_not_be(history: list[tuple[str, str]], ready: bool) -> None:
    check(play((READY if ready else []) + history))


@settings(max_examples=30, deadline=None)
@given(histories, histories)
def test_a_world_goes_on_from_json_as_if_nothing_had_been(
    before: list[tuple[str, str]], after: list[tuple[str, str]]
) -> None:
    world = play(READY + before)
    copy = world.copy()
    for one in (world, copy):
        for node, step in after:
            act(one, node, step)
    assert copy.to_json() == world.to_json()
