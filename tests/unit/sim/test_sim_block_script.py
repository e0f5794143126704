"""xl with disks that name Saltern's block script; numbers in brackets are transcripts."""

from collections.abc import Callable

import pytest

from saltern.model.places import BLOCK_SCRIPT, HOTPLUG_LOG
from saltern.sim import drbd
from saltern.sim.host import Killed, SimHost
from saltern.sim.model import SimDomain
from saltern.sim.world import NodeSpec, World
from saltern.units import MIB

NODES = ("node1", "node2")
HOSTS = "".join(
    f"on node{number} {{ node-id {number}; device /dev/drbd1; disk /dev/XEN/dns; address 10.77.0.{number}:7792; "
    "meta-disk /dev/XEN/dns_meta; }\n"
    for number in (1, 2)
)
CONFIG = (
    'name = "dns"\nmemory = 64\nbootloader = "pygrub"\ndisk = ["vdev=xvda,access=rw,script=block-saltern,target=dns"]\n'
)


@pytest.fixture(params=["8.4", "9"])
def pair(request: pytest.FixtureRequest) -> World:
    """Both sides of the resource dns UpToDate and Secondary, the domain dns configured on both nodes."""
    world = World.create(
        [
            NodeSpec(name=name, address=f"10.77.0.{number}", volume_group_size_bytes=64 * MIB, drbd=request.param)
            for number, name in enumerate(NODES, 1)
        ]
    )
    hosts = HOSTS if request.param == "9" else HOSTS.replace("node-id 1;", "").replace("node-id 2;", "")
    for name in NODES:
        host = world.host(name)
        for volume in ("dns", "dns_meta"):
            host.run(["lvcreate", "-n", volume, "-L", "8M", "XEN"])
        host.write_text("/etc/drbd.d/dns.res", f"resource dns {{ options {{ }}\n{hosts}}}\n", 0o600)
        host.write_text("/etc/xen/dns.cfg", CONFIG, 0o600)
        host.write_text(BLOCK_SCRIPT, "#!/usr/bin/python3\n", 0o755)
        host.run(["drbdadm", "create-md", "dns"])
        host.run(["drbdadm", "up", "dns"])
    world.advance(2)
    world.host("node1").run(["drbdadm", "primary", "--force", "dns"])
    world.advance(10)
    world.host("node1").run(["drbdadm", "secondary", "dns"])
    return world


def roles(world: World) -> list[str]:
    return [world.nodes[name].drbd.resources["dns"].role for name in NODES]


def names(world: World) -> list[list[str]]:
    return [[domain.name for domain in world.nodes[name].domains] for name in NODES]


def create(world: World, node: str = "node1") -> SimDomain:
    world.host(node).run(["xl", "create", "-q", "/etc/xen/dns.cfg"])
    world.advance(3)
    return world.nodes[node].domains[-1]


def migrate(host: SimHost, *allowed: int) -> str:
    target = {"node1": "10.77.0.2", "node2": "10.77.0.1"}[host.name]
    return host.run(["xl", "migrate", "dns", target], allowed=allowed).stderr


def windows(world: World) -> list[str]:
    """What either side has for allow-two-primaries."""
    connections = [world.nodes[name].drbd.resources["dns"].connection for name in NODES]
    return [each.options.get("allow-two-primaries", "no") for each in connections if each is not None]


# --- Starting and ending -------------------------------------------------------------------------------------------------
def test_the_script_makes_the_disk_primary_and_names_the_device(pair: World) -> None:
    domain = create(pair)
    assert roles(pair) == ["Primary", "Secondary"]
    assert (domain.disks[0].path, domain.disks[0].usable, domain.running) == ("/dev/drbd1", True, True)
    assert domain.disks[0].acknowledged
    read = pair.host("node1").run(["xenstore-read", "backend/vbd/1/51712/physical-device"])
    assert read.stdout == "93:1\n"


def test_what_the_script_runs_is_counted_and_logged_like_what_a_person_types(pair: World) -> None:
    host = pair.host("node1")
    host.run(["xl", "create", "-q", "/etc/xen/dns.cfg"])
    assert ("drbdsetup", "events2", "--now", "dns") in host.commands
    assert [command[0] for command in pair.nodes["node1"].log].count("xenstore-write") == 1
    assert host.changes == 1  # of the person: what xl does belongs to xl


@pytest.mark.parametrize("end", ["destroy", "shutdown"])
def test_the_disk_is_secondary_again_when_the_domain_has_ended(pair: World, end: str) -> None:
    create(pair)
    pair.host("node1").run(["xl", end, "dns"])
    pair.advance(10)
    assert names(pair) == [[], []]
    assert roles(pair) == ["Secondary", "Secondary"]


def test_a_reboot_passes_the_script_twice(pair: World) -> None:
    before = create(pair)
    pair.host("node1").run(["xl", "reboot", "dns"])
    pair.advance(10)
    (after,) = pair.nodes["node1"].domains
    assert after.domid != before.domid
    assert after.running and after.disks[0].usable
    assert [line.split(": ", 1)[1] for line in pair.nodes["node1"].files[HOTPLUG_LOG][0].splitlines()] == [
        "add dns: Primary",
        "remove dns: Secondary",
        "add dns: Primary",
    ]


def test_a_reboot_that_the_script_refuses_ends_the_domain(pair: World) -> None:
    create(pair)
    pair.host("node1").run(["xl", "reboot", "dns"])
    pair.advance(2.5)
    del pair.nodes["node1"].files[BLOCK_SCRIPT]
    pair.advance(10)
    assert names(pair) == [[], []]


def test_a_refusal_is_told_in_the_words_of_libxl(pair: World) -> None:
    """[171]: exit code 3, no domain; `remove` is called as well [260]."""
    create(pair, "node2")
    refused = pair.host("node1").run(["xl", "create", "/etc/xen/dns.cfg"], allowed=(3,))
    *told, unable, _, _, _ = refused.stderr.splitlines()
    assert told[0] == "Parsing config from /etc/xen/dns.cfg"
    assert told[1].startswith(
        "libxl: error: libxl_exec.c:117:libxl_report_child_exitstatus: " + BLOCK_SCRIPT + " add ["
    )
    assert told[2].startswith(
        "libxl: error: libxl_device.c:1337:device_hotplug_child_death_cb: script: dns: it is Primary"
    )
    assert unable == "libxl: error: libxl_create.c:1672:domcreate_launch_dm: Domain 1:unable to add disk devices"
    assert names(pair) == [[], ["dns"]]
    assert roles(pair) == ["Secondary", "Primary"]
    assert pair.nodes["node1"].xenstore == {}


def test_a_script_that_is_not_there_is_told_of(pair: World) -> None:
    del pair.nodes["node1"].files[BLOCK_SCRIPT]
    refused = pair.host("node1").run(["xl", "create", "-q", "/etc/xen/dns.cfg"], allowed=(3,))
    assert refused.stderr.splitlines()[0] == f"libxl: cannot execute {BLOCK_SCRIPT}: No such file or directory"
    assert "exited with error status 255" in refused.stderr
    assert names(pair) == [[], []]


def test_a_script_that_may_not_be_executed_is_told_of(pair: World) -> None:
    pair.nodes["node1"].files[BLOCK_SCRIPT] = ("#!/usr/bin/python3\n", 0o644)
    refused = pair.host("node1").run(["xl", "create", "-q", "/etc/xen/dns.cfg"], allowed=(3,))
    assert refused.stderr.splitlines()[0] == f"libxl: cannot execute {BLOCK_SCRIPT}: Permission denied"
    assert "exited with error status 255" in refused.stderr
    assert names(pair) == [[], []]


def test_a_program_that_may_not_be_executed_cannot_be_detached(pair: World) -> None:
    pair.nodes["node1"].files[BLOCK_SCRIPT] = ("#!/usr/bin/python3\n", 0o644)
    with pytest.raises(PermissionError):
        pair.host("node1").detach([BLOCK_SCRIPT, "close", "dns"])


def test_a_domain_is_there_paused_while_its_script_runs(pair: World) -> None:
    """Killed in the middle, xl leaves it so: nobody clears it away."""
    host = pair.host("node1")
    host.crash_after(2, inside=True)
    with pytest.raises(Killed):
        host.run(["xl", "create", "-q", "/etc/xen/dns.cfg"])
    assert "--p---" in pair.host("node1").run(["xl", "list", "dns"]).stdout
    assert roles(pair) == ["Primary", "Secondary"]
    pair.host("node1").run(["xl", "destroy", "dns"])
    assert (names(pair), roles(pair)) == ([[], []], ["Secondary", "Secondary"])


def test_a_guest_that_reboots_while_the_partner_is_away_comes_up_again(pair: World) -> None:
    """To be Primary without a break is the proof that nobody else was; a domain elsewhere has no such proof."""
    create(pair)
    pair.power_cut("node2")
    pair.advance(30)
    pair.host("node1").run(["xl", "reboot", "dns"])
    pair.advance(10)
    assert pair.nodes["node1"].domains[0].running
    assert pair.nodes["node1"].domains[0].domid == 2


# --- What went wrong without a word ----------------------------------------------------------------------------------------
def refusal(world: World, node: str, *words: str) -> str:
    """What libxl tells of a command that fails."""
    done = world.host(node).run(["xl", *words], allowed=(1, 3))
    (told,) = [line for line in done.stderr.splitlines() if ": script: " in line]
    return told.partition(": script: ")[2]


def partition(world: World) -> None:
    world.cut_link(*NODES)
    world.advance(30)


def test_a_domain_is_not_started_where_the_partner_has_the_disk(pair: World) -> None:
    """[112, 114]: the guest hung."""
    create(pair, "node1")
    told = refusal(pair, "node2", "create", "-q", "/etc/xen/dns.cfg")
    assert told.startswith("dns: it is Primary on the partner, so a domain may be using it there.")


def test_a_domain_is_not_moved_to_a_disk_that_is_not_up_to_date(pair: World) -> None:
    """[169]: it reported success, and the guest's disk was dead."""
    create(pair, "node1")
    pair.resync_bytes_per_s = 4096.0
    pair.host("node2").run(["drbdadm", "invalidate", "dns"])
    assert refusal(pair, "node1", "migrate", "dns", "10.77.0.2").startswith("dns: its disk is Inconsistent here.")
    assert names(pair) == [["dns"], []]
    assert pair.nodes["node1"].domains[0].running


def test_a_domain_is_not_started_twice_where_two_primaries_are_allowed(pair: World) -> None:
    """[172]"""
    for name in NODES:
        pair.host(name).run(["drbdadm", "net-options", "--allow-two-primaries=yes", "dns"])
    create(pair, "node1")
    assert refusal(pair, "node2", "create", "-q", "/etc/xen/dns.cfg").startswith("dns: it is Primary on the partner")
    assert roles(pair) == ["Primary", "Secondary"]


@pytest.mark.parametrize("away", [False, True])
def test_a_disk_that_a_domain_uses_is_not_given_to_another_one(pair: World, away: bool) -> None:
    create(pair)
    if away:
        partition(pair)
    pair.host("node1").write_text("/etc/xen/other.cfg", CONFIG.replace('"dns"', '"other"'), 0o600)
    told = refusal(pair, "node1", "create", "-q", "/etc/xen/other.cfg")
    assert told.startswith("dns: ") and "domain 1" in told
    assert pair.nodes["node1"].domains[0].disks[0].usable
    assert roles(pair) == ["Primary", "Secondary"]


def test_a_domain_is_not_started_while_nobody_knows_of_the_partner(pair: World) -> None:
    """[257]: it ran twice."""
    create(pair, "node1")
    partition(pair)
    told = refusal(pair, "node2", "create", "-q", "/etc/xen/dns.cfg")
    assert told.startswith("dns: it is not connected (Connecting), so the domain may be running on the partner")
    assert roles(pair) == ["Primary", "Secondary"]


@pytest.fixture
def split_brain(pair: World) -> World:
    """Somebody has said that node1 is dead, and was wrong."""
    create(pair, "node1")
    partition(pair)
    pair.host("node2").run(["drbdadm", "primary", "dns"])
    create(pair, "node2")
    pair.heal_link(*NODES)
    pair.advance(30)
    return pair


def test_after_a_split_brain_nothing_is_moved(split_brain: World) -> None:
    """[258-261]: the guest's memory landed on a disk that had diverged."""
    split_brain.host("node2").run(["xl", "destroy", "dns"])
    told = refusal(split_brain, "node1", "migrate", "dns", "10.77.0.2")
    assert told.startswith("dns: it does not connect (StandAlone), so that the sides may have diverged.")
    assert names(split_brain) == [["dns"], []]


def test_after_a_split_brain_nothing_is_started(split_brain: World) -> None:
    for name in NODES:
        split_brain.host(name).run(["xl", "destroy", "dns"])
        assert refusal(split_brain, name, "create", "-q", "/etc/xen/dns.cfg").startswith("dns: it does not connect")


# --- Migrating -----------------------------------------------------------------------------------------------------------
def test_a_migration_opens_the_window_and_closes_it(pair: World) -> None:
    """[126, 238]"""
    before = create(pair)
    said = migrate(pair.host("node1"), 0)
    assert said.endswith("Migration successful.\n")
    assert names(pair) == [[], ["dns"]]
    assert roles(pair) == ["Secondary", "Primary"]
    (after,) = pair.nodes["node2"].domains
    assert after.uuid == before.uuid
    assert before.disks[0].acknowledged.keys() <= after.disks[0].acknowledged.keys()  # its memory has come along
    pair.advance(2)
    assert windows(pair) == ["no", "no"]
    assert pair.nodes["node2"].processes == []


def test_a_migration_that_the_script_refuses_goes_on_where_it_was(pair: World) -> None:
    """[170]"""
    create(pair)
    pair.cut_link(*NODES)
    pair.management_network = True
    pair.advance(5)
    said = migrate(pair.host("node1"), 1)
    assert "script: dns: it is not connected" in said
    assert said.endswith("Migration failed, resuming at sender.\n")
    assert names(pair) == [["dns"], []]
    assert pair.nodes["node1"].domains[0].running


class Interrupted:
    """A migration of dns from node1, with something that happens at one of its steps."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.host = world.host("node1")
        self.seen: list[str] = []

    def when(self, moment: str | Callable[[World], bool], happens: Callable[[], object]) -> None:
        """Call ``happens`` once, as soon as ``moment`` is there; a text is looked for in ``xl list`` of both nodes."""
        pending = [happens]

        def turn(seconds: float) -> None:
            self.world.advance(seconds)
            if pending and (moment in self.list() if isinstance(moment, str) else moment(self.world)):
                pending.pop()()

        self.host.enter(turn)

    def list(self) -> str:
        up = [name for name in NODES if self.world.nodes[name].powered]
        return "".join(self.world.host(name).run(["xl", "list", "-v"]).stdout for name in up)


@pytest.fixture
def interrupted(pair: World) -> Interrupted:
    create(pair)
    return Interrupted(pair)


def test_a_domain_that_is_received_has_another_name_and_the_same_uuid(interrupted: Interrupted) -> None:
    """[230]"""
    interrupted.when("dns--incoming", lambda: interrupted.seen.append(interrupted.list()))
    migrate(interrupted.host, 0)
    rows = [line.split() for line in interrupted.seen[0].splitlines() if line.startswith("dns")]
    assert [(row[0], row[4]) for row in rows] == [("dns", "-b----"), ("dns--incoming", "--p---")]
    assert rows[0][6] == rows[1][6]


def test_the_guest_is_suspended_while_its_disk_is_attached_on_the_other_side(interrupted: Interrupted) -> None:
    seen = interrupted.seen
    interrupted.when("---ss-", lambda: seen.append(interrupted.list()))
    migrate(interrupted.host, 0)
    (row,) = [line.split() for line in seen[0].splitlines() if line.startswith("dns ")]
    assert row[7] == "2"  # suspended, as xl.h counts reasons


def test_a_migration_waits_while_the_link_is_cut(interrupted: Interrupted) -> None:
    """[229-232, 244]: nothing is told, the guest stands still, and all goes on when the link is back."""
    world = interrupted.world
    interrupted.when("dns--incoming", lambda: world.cut_link(*NODES))
    host = interrupted.host
    began_s = host.now()

    def turn(seconds: float) -> None:
        world.advance(seconds)
        if "dns--incoming" in interrupted.list() and not world.cut_links and host.now() < began_s + 40:
            world.cut_link(*NODES)
        if host.now() > began_s + 40:
            world.heal_link(*NODES)

    host.enter(turn)
    # The two sides find each other again before the disk is attached, or the script refuses; either way one guest runs.
    migrate(host, 0, 1)
    assert host.now() > began_s + 40
    assert sum(domain.running for node in world.nodes.values() for domain in node.domains) == 1


def test_a_receiver_without_power_lets_the_guest_go_on_where_it_was(interrupted: Interrupted) -> None:
    world = interrupted.world

    def cut() -> None:
        world.power_cut("node2")
        world.boot("node2")

    interrupted.when("---ss-", cut)
    said = migrate(interrupted.host, 1)
    assert said.endswith("Migration failed, resuming at sender.\n")
    assert names(world) == [["dns"], []]
    assert world.nodes["node1"].domains[0].running


def test_a_receiver_that_waits_for_a_sender_without_power_keeps_waiting(interrupted: Interrupted) -> None:
    """[230]: paused, under its name for the journey."""
    world = interrupted.world
    interrupted.when("---ss-", lambda: world.power_cut("node1"))
    with pytest.raises(Killed):
        migrate(interrupted.host, 0)
    assert names(world) == [[], ["dns--incoming"]]
    assert world.nodes["node2"].domains[0].paused


def test_after_the_permission_nobody_knows_who_runs(interrupted: Interrupted) -> None:
    """`Domain state is now undefined`: the sender keeps a domain that stands still, under its new name."""
    world = interrupted.world

    def cut() -> None:
        world.power_cut("node2")
        world.boot("node2")

    interrupted.when("dns--migratedaway", cut)
    said = migrate(interrupted.host, 1)
    assert "** Migration failed during final handshake **" in said
    assert names(world) == [["dns--migratedaway"], []]
    assert world.nodes["node1"].domains[0].suspended


def test_a_sender_that_is_killed_takes_its_half_of_the_migration_with_it(interrupted: Interrupted) -> None:
    """The receiver sees the end of its input and destroys its copy; the guest stays as it was at that moment."""
    world, host = interrupted.world, interrupted.host
    host.crash_after(3, inside=True)  # the command, the domain that arrives, the guest that is suspended
    with pytest.raises(Killed):
        migrate(host, 0)
    assert names(world) == [["dns"], []]
    assert world.nodes["node1"].domains[0].suspended


def test_a_receiver_that_is_killed_leaves_what_it_has_made(interrupted: Interrupted) -> None:
    world, host = interrupted.world, interrupted.host
    host.crash_before(4, inside=True)  # the first change of the script on the other node
    said = migrate(host, 1)
    assert said.endswith("Migration failed, resuming at sender.\n")
    assert names(world) == [["dns"], ["dns--incoming"]]
    assert world.nodes["node1"].domains[0].running


def test_a_domain_whose_pages_the_network_holds_stays_as_a_zombie_with_its_disk(interrupted: Interrupted) -> None:
    """[229-235]: the migration succeeds, and the sender can neither end the domain nor demote its disk."""
    world, host = interrupted.world, interrupted.host
    world.nodes["node1"].pins_pages = True
    said = migrate(host, 0)
    backend = "/local/domain/0/backend/vbd/1/51712"
    assert f"device_backend_callback: Domain 1:unable to remove device with path {backend}\n" in said
    assert said.endswith("Migration successful.\n")
    (row,) = [line.split() for line in host.run(["xl", "list"]).stdout.splitlines() if "(null)" in line]
    assert row[1:5] == ["1", "0", "1", "--pssd"]
    assert host.run(["xenstore-ls", "/local/domain/0/backend/vbd"], allowed=(1,)).stdout == ""
    assert roles(world) == ["Primary", "Primary"]
    assert "(-12) Device is held open by someone" in host.run(["drbdadm", "secondary", "dns"], allowed=(11,)).stderr
    assert host.run(["xl", "destroy", "1"]).stderr == ""
    assert "(null)" in host.run(["xl", "list"]).stdout


@pytest.mark.parametrize(("moment", "gone"), [("dns--migratedaway", "node1"), ("---ss-", "node2")])
def test_a_side_that_a_domain_has_left_on_its_way_gives_no_new_one_its_disk(
    interrupted: Interrupted, moment: str, gone: str
) -> None:
    """Replication is cut when both are Primary, the way of the migration is not: neither side was alone."""
    world = interrupted.world
    world.management_network = True

    def cut() -> None:
        world.cut_link(*NODES)
        world.advance(5)
        if gone == "node2":
            world.host("node2").run(["xl", "destroy", "dns--incoming"])

    interrupted.when(moment, cut)
    migrate(interrupted.host, 0, 1)
    there = next(name for name in NODES if name != gone)
    assert [domain.running for domain in world.nodes[there].domains] == [True]
    told = refusal(world, gone, "create", "-q", "/etc/xen/dns.cfg")
    assert told.startswith("dns: it is not connected (Connecting), so the domain may be running on the partner")


LEFT = {
    "sent": ("node1", lambda world: names(world)[0] == ["dns--migratedaway"]),
    "promoted": ("node2", lambda world: roles(world) == ["Primary", "Primary"]),
}


@pytest.mark.parametrize("wait_s", [0, 60], ids=["at once", "when the window has had its time"])
@pytest.mark.parametrize("moment", LEFT)
def test_a_side_that_somebody_else_held_when_the_domain_left_it_gives_no_new_one_its_disk(
    interrupted: Interrupted, moment: str, wait_s: int
) -> None:
    """It stays Primary then, like one whose partner has been Secondary all the time."""
    world = interrupted.world
    world.management_network = True
    gone, it_is_time = LEFT[moment]

    def cut() -> None:
        world.cut_link(*NODES)
        world.advance(5)
        drbd.open(world, gone, 1, "backup", False)
        if gone == "node2":
            world.host("node2").run(["xl", "destroy", "dns--incoming"])

    interrupted.when(it_is_time, cut)
    migrate(interrupted.host, 0, 1)
    world.advance(wait_s)
    drbd.close(world, gone, 1, "backup")
    assert roles(world) == ["Primary", "Primary"]
    there = next(name for name in NODES if name != gone)
    assert [domain.running for domain in world.nodes[there].domains] == [True]
    told = refusal(world, gone, "create", "-q", "/etc/xen/dns.cfg")
    assert told.startswith("dns: it is not connected (Connecting), and two primaries are allowed")


def test_where_two_primaries_are_allowed_what_is_advised_takes_the_domain_over(pair: World) -> None:
    host = pair.host("node1")
    host.run(["drbdadm", "net-options", "--allow-two-primaries=yes", "dns"])
    pair.power_cut("node2")
    pair.advance(30)
    for advised in ("drbdadm primary dns", "drbdadm adjust dns"):
        told = refusal(pair, "node1", "create", "-q", "/etc/xen/dns.cfg")
        assert told.split("`")[-2] == advised
        host.run(advised.split())
    assert create(pair).running
    assert "allow-two-primaries" not in host.run(["drbdsetup", "show", "dns"]).stdout


def test_a_window_outlives_a_receiver_that_nobody_tells_that_the_guest_went_on_where_it_was(
    interrupted: Interrupted,
) -> None:
    world = interrupted.world
    interrupted.when(
        lambda world: "connected" in world.nodes["node2"].xenstore.values(), lambda: world.cut_link(*NODES)
    )
    assert migrate(interrupted.host, 1).endswith("Migration failed, resuming at sender.\n")
    assert names(world) == [["dns"], ["dns--incoming"]]
    drbd.open(world, "node2", 1, "backup", False)
    world.host("node2").run(["xl", "destroy", "dns--incoming"])
    drbd.close(world, "node2", 1, "backup")
    told = refusal(world, "node2", "create", "-q", "/etc/xen/dns.cfg")
    assert told.startswith("dns: it is not connected (Connecting), and two primaries are allowed")
    world.advance(60)
    assert roles(world) == ["Primary", "Secondary"]
    assert windows(world) == ["yes", "no"]


def test_a_guest_that_has_arrived_reboots_though_its_sender_died_before_the_window_was_closed(
    interrupted: Interrupted,
) -> None:
    world = interrupted.world
    there = world.nodes["node2"]
    interrupted.when(lambda world: any(each.running for each in there.domains), lambda: world.power_cut("node1"))
    with pytest.raises(Killed):
        migrate(interrupted.host, 0)
    world.advance(60)
    world.host("node2").run(["xl", "reboot", "dns"])
    world.advance(10)
    assert [domain.running for domain in there.domains] == [True]


# --- Detached --------------------------------------------------------------------------------------------------------------
def test_a_detached_process_runs_as_time_passes_until_it_ends(pair: World) -> None:
    create(pair)
    pair.host("node1").detach([BLOCK_SCRIPT, "close", "dns"])
    assert len(pair.nodes["node1"].processes) == 1
    pair.advance(1)
    assert pair.nodes["node1"].processes == []


def test_a_detached_process_ends_with_the_power_and_travels_through_json(pair: World) -> None:
    pair.host("node1").detach([BLOCK_SCRIPT, "close", "dns"])
    again = World.from_json(pair.to_json())
    assert [process.argv for process in again.nodes["node1"].processes] == [(BLOCK_SCRIPT, "close", "dns")]
    again.power_cut("node1")
    assert again.nodes["node1"].processes == []
