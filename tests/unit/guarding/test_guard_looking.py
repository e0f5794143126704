"""What a look at a node means for its domains, and what is done with them: on simulated nodes, without the guard."""

from contextlib import suppress
from dataclasses import replace

import pytest
from fenced import Handler
from one_domain import SHARES, converged

from saltern import remake_entries
from saltern.errors import CommandFailed, CommandTimeout, Refused
from saltern.guarding import doing
from saltern.guarding.looking import Stream, look
from saltern.guarding.settings import GuardedDomain
from saltern.guarding.unfenced import Unfenced
from saltern.model.operation import Half, Operation, OperationKind
from saltern.model.places import DRBD_HELPER, operation_file, operation_log, stopped_file
from saltern.model.remake import Remaking
from saltern.observe import read_operation
from saltern.operations import begin, expect, hand_over, renew, taken_up
from saltern.plan.operation import LEFT_AFTER_S
from saltern.sim.drbd.kernel import Disk
from saltern.sim.host import SimHost
from saltern.sim.world import World
from saltern.start_stop import starting

SPEC = SHARES["dom0"].domains["dns"]
RESOURCES = tuple(disk.resource for disk in SPEC.disks)
DNS = GuardedDomain(name="dns", uuid=SPEC.uuid, partner="dom0", resources=RESOURCES, memory_bytes=1)


@pytest.fixture(scope="module")
def worlds() -> dict[str, str]:
    return converged()


@pytest.fixture(params=["8.4", "9"])
def world(request: pytest.FixtureRequest, worlds: dict[str, str]) -> World:
    """Both nodes are up, dns runs on dom0."""
    return World.from_json(worlds[request.param])


def lose(world: World) -> None:
    world.power_cut("dom0")
    world.advance(60)


def test_what_runs_and_is_the_same_on_both_nodes_is_seen(world: World) -> None:
    seen = look(world.host("dom0"), [DNS], 0.0, witnessed=True).seen
    assert (seen.running, seen.settled, seen.lost, seen.startable) == ({"dns"}, {"dns"}, set(), set())


def test_what_is_being_made_the_same_over_there_is_settled_here_and_not_there(world: World) -> None:
    world.host("dom0m").run(["drbdadm", "invalidate", RESOURCES[0]])
    world.advance(1)
    here, there = (look(world.host(node), [DNS], 0.0, witnessed=True) for node in ("dom0", "dom0m"))
    assert (here.seen.settled, there.seen.settled) == ({"dns"}, set())
    assert f"{RESOURCES[0]} is Inconsistent here" in there.reasons["dns"]


def test_what_runs_on_the_partner_is_not_startable(world: World) -> None:
    found = look(world.host("dom0m"), [DNS], 0.0, witnessed=True)
    assert (found.seen.running, found.seen.startable) == (set(), set())
    assert "Primary on dom0, and connected" in found.reasons["dns"]


def test_what_a_lost_node_ran_is_startable(world: World) -> None:
    lose(world)
    seen = look(world.host("dom0m"), [DNS], 0.0, witnessed=True).seen
    assert (seen.startable, seen.settled) == ({"dns"}, set())


def test_what_runs_without_its_other_copy_is_lost_from_sight(world: World) -> None:
    world.cut_link("dom0", "dom0m")
    world.advance(60)
    assert look(world.host("dom0"), [DNS], 0.0, witnessed=True).seen.lost == {"dns"}


def test_what_is_written_into_the_sight_of_a_node_without_its_disk_is_written_alone(world: World) -> None:
    """DRBD asks nobody then, and the copy over there says that it is good when it is attached again (see faults.py: detach)."""
    for node in ("dom0", "dom0m"):
        before = look(world.host(node), [DNS], 0.0, witnessed=True).seen
        assert (before.unasked, before.mirrored, before.away) == (set(), {"dns"}, set())
    world.host("dom0m").run(["drbdadm", "detach", RESOURCES[0]])
    world.advance(1)
    here, there = (look(world.host(node), [DNS], 0.0, witnessed=True).seen for node in ("dom0", "dom0m"))
    assert (here.connected, here.unasked, here.mirrored, here.away) == ({"dns"}, {"dns"}, set(), set())
    assert there.away == {"dns"}


@pytest.mark.parametrize("disk", [Disk.DISKLESS, Disk.FAILED, Disk.INCONSISTENT, Disk.OUTDATED])
def test_what_runs_on_a_copy_that_is_not_whole_has_no_other_one_outdated(world: World, disk: Disk) -> None:
    """It is read over there: that is the good copy, and the last one."""
    world.cut_link("dom0", "dom0m")
    world.advance(60)
    (device,) = world.nodes["dom0"].drbd.resources[RESOURCES[0]].devices.values()
    device.disk = disk
    assert look(world.host("dom0"), [DNS], 0.0, witnessed=True).seen.lost == set()


def ask(world: World, resource: str, policy: str = "resource-and-stonith", node: str = "dom0") -> None:
    """As `drbd.fenced` tells the kernel."""
    for name, one in world.nodes[node].drbd.resources.items():
        if name == resource:
            for device in one.devices.values():
                options = one.connection.options if world.nodes[node].drbd_version == "9" else device.options  # type: ignore[union-attr]
                options["fencing"] = policy


def test_a_domain_is_unfenced_until_drbd_asks_about_each_of_its_disks(world: World) -> None:
    host = world.host("dom0")
    known = Unfenced(host, lambda: world.time_s)

    def unfenced() -> object:
        world.advance(5)
        return look(host, [DNS], 0.0, known, witnessed=True).seen.unfenced

    assert look(host, [DNS], 0.0, witnessed=True).seen.unfenced is None, "that was not looked at"
    assert unfenced() == {"dns"}
    ask(world, RESOURCES[0])
    assert unfenced() == {"dns"}
    ask(world, RESOURCES[1], "resource-only")
    assert unfenced() == {"dns"}
    ask(world, RESOURCES[1])
    assert unfenced() == set()


def test_where_the_kernel_runs_something_else_for_its_handlers_nothing_is_fenced(world: World) -> None:
    host = world.host("dom0")
    known = Unfenced(host, lambda: world.time_s)
    for name in RESOURCES:
        ask(world, name)
    assert look(host, [DNS], 0.0, known, witnessed=True).seen.unfenced == set()
    world.nodes["dom0"].files[DRBD_HELPER] = ("/bin/true\n", 0o644)
    assert look(host, [DNS], 0.0, known, witnessed=True).seen.unfenced == {"dns"}


def test_what_asks_is_read_once_until_it_is_made_anew(world: World) -> None:
    host = world.host("dom0")
    known = Unfenced(host, lambda: world.time_s)
    for name in RESOURCES:
        ask(world, name)

    def shown() -> int:
        before = len(host.commands)
        world.advance(5)
        look(host, [DNS], 0.0, known, witnessed=True)
        return len([each for each in host.commands[before:] if tuple(each[:2]) == ("drbdsetup", "show")])

    assert [shown(), shown()] == [2, 0]
    world.cut_link("dom0", "dom0m")
    world.advance(10)
    assert shown() == 0, "a partner that is gone changes nothing about it"
    world.nodes["dom0"].drbd.resources[RESOURCES[0]].connection = None
    assert shown() == 1


def test_what_a_person_has_told_the_kernel_is_read_within_a_minute_of_each_resource_at_one_look(world: World) -> None:
    host = world.host("dom0")
    known = Unfenced(host, lambda: world.time_s)
    for name in RESOURCES:
        ask(world, name)
    assert look(host, [DNS], 0.0, known, witnessed=True).seen.unfenced == set()
    ask(world, RESOURCES[0], "dont-care")
    ask(world, RESOURCES[1], "dont-care")

    def shown() -> list[str]:
        before = len(host.commands)
        assert look(host, [DNS], 0.0, known, witnessed=True).seen.unfenced == {"dns"}
        return [each[2] for each in host.commands[before:] if tuple(each[:2]) == ("drbdsetup", "show")]

    world.advance(60)
    assert [shown(), shown()] == [[RESOURCES[0]], [RESOURCES[1]]]


def test_what_is_written_while_the_partner_is_out_of_sight_is_written_alone_unless_it_is_held_back(
    world: World,
) -> None:
    ask(world, RESOURCES[0])
    ask(world, RESOURCES[1])
    Handler(world)
    world.cut_link("dom0", "dom0m")
    world.advance(60)
    assert look(world.host("dom0"), [DNS], 0.0, witnessed=True).seen.unasked == set()
    world.nodes["dom0"].drbd.resources[RESOURCES[1]].unfenced = False
    assert look(world.host("dom0"), [DNS], 0.0, witnessed=True).seen.unasked == {"dns"}
    assert look(world.host("dom0m"), [DNS], 0.0, witnessed=True).seen.unasked == set()


@pytest.fixture
def waiting(world: World) -> World:
    """The copies of dns are out of sight of each other, and DRBD's handlers have told nothing."""
    for name in RESOURCES:
        ask(world, name)
    Handler(world)
    world.cut_link("dom0", "dom0m")
    world.advance(60)
    return world


def suspensions(world: World) -> list[tuple[bool, bool]]:
    resources = world.nodes["dom0"].drbd.resources
    return [(resources[name].unfenced, resources[name].suspended) for name in RESOURCES]


def test_what_waits_for_its_handler_is_seen_and_goes_on_when_the_guard_tells_drbd(waiting: World) -> None:
    host = waiting.host("dom0")
    assert look(host, [DNS], 0.0, witnessed=True).seen.waiting == {"dns"}
    assert doing.resume_io(host, DNS)
    assert suspensions(waiting) == [(False, False)] * 2
    seen = look(host, [DNS], 0.0, witnessed=True).seen
    assert (seen.waiting, seen.unasked) == (set(), {"dns"})
    assert not doing.resume_io(host, DNS)


def test_what_a_person_has_suspended_stays_so(waiting: World) -> None:
    waiting.nodes["dom0"].drbd.resources[RESOURCES[0]].suspended = True
    host = waiting.host("dom0")
    assert doing.resume_io(host, DNS)
    assert suspensions(waiting) == [(True, True), (False, False)]
    assert look(host, [DNS], 0.0, witnessed=True).seen.waiting == set()


def test_a_copy_is_marked_as_soon_as_it_has_noticed_that_it_is_out_of_sight(world: World) -> None:
    """The Primary notices first: it writes. Its partner is asked while DRBD still believes to be connected there."""
    world.cut_link("dom0", "dom0m")
    assert doing.outdate(world.host("dom0m"), DNS) == "counts as outdated"
    disks = [world.nodes["dom0m"].drbd.resources[name].devices[0].disk for name in RESOURCES]
    assert disks == [Disk.OUTDATED] * 2


def test_a_copy_that_stays_in_sight_is_not_marked(world: World) -> None:
    with pytest.raises(Refused, match="UpToDate after `drbdadm outdate`"):
        doing.outdate(world.host("dom0m"), DNS)


def test_what_is_in_sight_again_is_told_nothing(waiting: World) -> None:
    waiting.heal_link("dom0", "dom0m")
    waiting.advance(60)
    assert not doing.resume_io(waiting.host("dom0"), DNS)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("change connection name:dns peer-node-id:0 conn-name:peer connection:Connected role:Secondary", ["dns"]),
        ("exists connection name:dns peer-node-id:0 conn-name:peer connection:Connected role:Secondary", ["dns"]),
        ("change connection name:dns peer-node-id:0 conn-name:peer connection:Connecting", []),
        ("change peer-device name:dns peer-node-id:0 conn-name:peer volume:0 peer-disk:UpToDate", []),
        ("exists -", []),
        ("what is this", [None]),
    ],
)
def test_an_event_tells_which_copies_have_met_and_what_is_not_understood_may_be_about_any(
    line: str, found: list[str | None]
) -> None:
    assert list(Stream().heard(line).met) == found


CONNECTED = "change connection name:dns peer-node-id:0 conn-name:peer connection:Connected role:Primary"
GONE = "change connection name:dns peer-node-id:0 conn-name:peer connection:NetworkFailure role:Unknown"
DETACHED = "change device name:dns volume:0 minor:1 disk:Diskless"


@pytest.mark.parametrize(
    ("lines", "away"),
    [
        ([CONNECTED, DETACHED], ["dns"]),
        ([CONNECTED, DETACHED.replace("Diskless", "Failed")], ["dns"]),
        ([CONNECTED, DETACHED.replace("Diskless", "UpToDate")], []),
        ([CONNECTED, DETACHED.replace(" disk:Diskless", " quorum:yes")], []),
        ([CONNECTED, DETACHED.replace("dns", "mail")], []),
        ([DETACHED], []),
        ([CONNECTED, GONE, DETACHED], []),
        ([CONNECTED, "destroy connection name:dns peer-node-id:0 conn-name:peer", DETACHED], []),
        ([DETACHED, CONNECTED], ["dns"]),
        ([DETACHED, DETACHED.replace("Diskless", "Consistent"), CONNECTED], []),
        ([DETACHED, "destroy device name:dns volume:0 minor:1", CONNECTED], []),
        ([CONNECTED, "what is this"], [None]),
    ],
)
def test_an_event_tells_of_which_copy_the_disk_went_away_while_it_was_connected(
    lines: list[str], away: list[str | None]
) -> None:
    stream = Stream()
    *_, last = map(stream.heard, lines)
    assert list(last.away) == away


@pytest.mark.parametrize("disk", [Disk.INCONSISTENT, Disk.OUTDATED])
def test_data_that_are_not_good_are_not_startable(world: World, disk: Disk) -> None:
    lose(world)
    world.nodes["dom0m"].drbd.resources[RESOURCES[1]].devices[0].disk = disk
    found = look(world.host("dom0m"), [DNS], 0.0, witnessed=True)
    assert found.seen.startable == set()
    assert f"{RESOURCES[1]} is {disk.word} here" in found.reasons["dns"]


def test_a_resource_that_is_down_is_not_startable(world: World) -> None:
    lose(world)
    world.host("dom0m").run(["drbdadm", "down", RESOURCES[0]])
    assert "is not up here" in look(world.host("dom0m"), [DNS], 0.0, witnessed=True).reasons["dns"]


def test_a_resource_that_does_not_connect_any_more_is_not_startable(world: World) -> None:
    lose(world)
    world.host("dom0m").run(["drbdadm", "disconnect", RESOURCES[0]])
    assert "StandAlone" in look(world.host("dom0m"), [DNS], 0.0, witnessed=True).reasons["dns"]


def test_what_a_person_has_stopped_stays_stopped(world: World) -> None:
    lose(world)
    world.host("dom0m").write_text(stopped_file("dns"), f"{DNS.uuid} stopped by anna\n", 0o600)
    assert look(world.host("dom0m"), [DNS], 0.0, witnessed=True).reasons["dns"] == "it stays stopped: stopped by anna"


@pytest.mark.parametrize("begun", [True, False])
def test_what_was_being_stopped_when_everybody_was_lost_stays_stopped(world: World, begun: bool) -> None:
    enter(world, OperationKind.STOP)
    if begun:
        expect(world.host("dom0m"), "dns", "0a1b2c3d")
    world.advance(LEFT_AFTER_S)
    lose(world)
    reason = look(world.host("dom0m"), [DNS], 0.0, witnessed=True).reasons.get("dns")
    assert reason == (
        "it was to be stopped, and to stay so: stop of dns on dom0, begun by anna at noon" if begun else None
    )


@pytest.mark.parametrize("begun", [True, False])
def test_what_was_being_started_when_everybody_was_lost_is_kept_stopped_by_no_old_note(
    world: World, begun: bool
) -> None:
    enter(world, OperationKind.START, Half.SOURCE)
    world.host("dom0m").write_text(stopped_file("dns"), f"{DNS.uuid} stopped by anna\n", 0o600)
    if begun:
        expect(world.host("dom0m"), "dns", "0a1b2c3d")
    world.advance(LEFT_AFTER_S)
    lose(world)
    reason = look(world.host("dom0m"), [DNS], 0.0, witnessed=True).reasons.get("dns")
    assert reason == (None if begun else "it stays stopped: stopped by anna")


def operation(kind: OperationKind, half: Half) -> Operation:
    return Operation(
        id="0a1b2c3d",
        kind=kind,
        domain="dns",
        uuid=DNS.uuid,
        half=half,
        source="dom0",
        target="dom0m",
        address="192.168.1.191",
        resources=RESOURCES,
        owner="anna",
        since="noon",
        renewed_s=0.0,
        taken=False,
    )


def enter(world: World, kind: OperationKind = OperationKind.MIGRATE, half: Half = Half.TARGET) -> None:
    begin(world.host("dom0m"), operation(kind, half))


def test_what_somebody_works_on_is_not_startable_and_not_started(world: World) -> None:
    enter(world)
    with taken_up(world.host("dom0m"), "dns", "0a1b2c3d", Half.TARGET):
        lose(world)
        enter_again = look(world.host("dom0m"), [DNS], 0.0, witnessed=True)
        assert "it is busy: migrate of dns" in enter_again.reasons["dns"]
        with pytest.raises(Refused, match="busy"):
            doing.start(world.host("dom0m"), DNS, lambda: True, witnessed=True)


@pytest.mark.parametrize("kind", [OperationKind.MIGRATE, OperationKind.OFFLINE, OperationKind.START])
@pytest.mark.parametrize("half", [Half.SOURCE, Half.TARGET])
def test_what_was_entered_and_not_begun_keeps_nothing_from_a_start(
    world: World, kind: OperationKind, half: Half
) -> None:
    """Whoever has entered it may go on renewing it, and wait for a node that is dead."""
    enter(world, kind, half)
    lose(world)
    assert "dns" not in look(world.host("dom0m"), [DNS], 0.0, witnessed=True).reasons
    assert doing.start(world.host("dom0m"), DNS, lambda: True, witnessed=True) == "started"
    assert read_operation(world.host("dom0m"), "dns") is None
    with pytest.raises(Refused, match="taken back"):  # a message of it may come late
        enter(world, kind, half)


def test_what_this_node_has_left_to_the_dead_one_keeps_nothing_from_a_start(world: World) -> None:
    enter(world, OperationKind.START, Half.SOURCE)
    world.host("dom0m").write_text(stopped_file("dns"), f"{DNS.uuid} stopped by anna\n", 0o600)
    expect(world.host("dom0m"), "dns", "0a1b2c3d")
    lose(world)
    assert doing.start(world.host("dom0m"), DNS, lambda: True, witnessed=True) == "started"
    assert world.host("dom0m").read_text(stopped_file("dns")) is None


def test_what_was_shut_down_here_for_the_dead_node_is_started_here_again(world: World) -> None:
    enter(world, OperationKind.OFFLINE, Half.SOURCE)
    with taken_up(world.host("dom0m"), "dns", "0a1b2c3d", Half.SOURCE) as operation:
        hand_over(world.host("dom0m"), operation)
    lose(world)
    assert doing.start(world.host("dom0m"), DNS, lambda: True, witnessed=True) == "started"
    assert read_operation(world.host("dom0m"), "dns") is None


@pytest.mark.parametrize("kind", [OperationKind.OFFLINE, OperationKind.START])
def test_a_start_that_waits_for_the_dead_node_is_given_up(
    world: World, kind: OperationKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(world, kind)
    waiting = starting(world.host("dom0m"), "dns", "0a1b2c3d")
    next(waiting)
    lose(world)
    with pytest.raises(Refused, match="busy"):
        doing.start(world.host("dom0m"), DNS, lambda: True, witnessed=True)  # its process hangs

    class Others(SimHost):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            if seconds:
                next(waiting, None)

    assert doing.start(Others(world, "dom0m"), DNS, lambda: True, witnessed=True) == "started"


def test_a_start_that_is_given_up_for_a_dead_node_is_kept_stopped_by_no_old_note(world: World) -> None:
    """Whoever gives it up takes the entry away, by which the note counted no longer."""
    host = world.host("dom0m")
    host.write_text(stopped_file("dns"), f"{DNS.uuid} stopped by anna\n", 0o600)
    enter(world, OperationKind.START)
    waiting = starting(host, "dns", "0a1b2c3d")
    next(waiting)
    lose(world)

    class Others(SimHost):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            if seconds:
                next(waiting, None)

    assert "dns" not in look(host, [DNS], 0.0, witnessed=True).reasons
    assert doing.start(Others(world, "dom0m"), DNS, lambda: True, witnessed=True) == "started"


@pytest.mark.parametrize(("kind", "half"), [(OperationKind.MIGRATE, Half.TARGET), (OperationKind.START, Half.TARGET)])
def test_a_half_whose_process_has_died_bars_a_takeover_for_two_minutes_whoever_renews_it(
    world: World, kind: OperationKind, half: Half
) -> None:
    """The master does where the node that it asks as well is dead: it does not know what has become of the operation."""
    enter(world, kind, half)
    with taken_up(world.host("dom0m"), "dns", "0a1b2c3d", half):
        pass
    world.power_cut("dom0")
    for _ in range(5):
        world.advance(30)
        with suppress(Refused):
            renew(world.host("dom0m"), "dns", "0a1b2c3d")
    assert "dns" not in look(world.host("dom0m"), [DNS], 0.0, witnessed=True).reasons


def test_an_entry_that_cannot_be_read_bars_its_domain_alone(world: World) -> None:
    lose(world)
    world.host("dom0m").write_text(operation_file("dns"), "{", 0o600)
    other = replace(DNS, name="mail")
    found = look(world.host("dom0m"), [DNS, other], 0.0, witnessed=True)
    assert found.reasons["dns"].startswith("what is being done with it cannot be read: ")
    assert found.seen.startable == {"mail"}


def test_a_guard_that_was_not_told_who_holds_the_other_copy_starts_nothing_of_it(world: World) -> None:
    """DRBD 9 tells with whom: the replica was moved, and this node was not applied since."""
    lose(world)
    reason = look(world.host("dom0m"), [replace(DNS, partner="dom1")], 0.0, witnessed=True).reasons.get("dns")
    knows = world.nodes["dom0m"].drbd_version.startswith("9")
    told = "the other copy of dns is on dom0, of which this guard was not told: apply this node"
    assert reason == (told if knows else None)


@pytest.mark.parametrize("alive", [True, False])
def test_what_is_between_two_topologies_is_not_started(world: World, alive: bool) -> None:
    entry = replace(operation(OperationKind.REMAKE, Half.TARGET), id="aabbccddeeff0011-1")
    remake_entries.enter(world.host("dom0m"), Remaking(operation=entry, steps=5, reached=2))
    world.advance(0 if alive else 2 * LEFT_AFTER_S)
    lose(world)
    words = "it is busy: remake of dns" if alive else "left half-done: remake of dns"
    assert look(world.host("dom0m"), [DNS], 0.0, witnessed=True).reasons["dns"].startswith(words)
    with pytest.raises(Refused, match="remake of dns"):
        doing.start(world.host("dom0m"), DNS, lambda: True, witnessed=True)


def test_a_start_settles_what_was_left_and_runs_the_domain(world: World) -> None:
    enter(world)
    lose(world)
    world.advance(300)  # whoever has begun it is gone
    assert doing.start(world.host("dom0m"), DNS, lambda: True, witnessed=True) == "started"
    log = world.host("dom0m").read_text(operation_log("dns")) or ""
    assert log.startswith("start of dns, begun by the guard at ") and log.endswith(f", since {DNS.partner} was lost\n")
    found = look(world.host("dom0m"), [DNS], 0.0, witnessed=True)
    assert found.seen.running == found.seen.lost == {"dns"}


def test_a_start_that_is_no_longer_allowed_ends_before_its_next_command(world: World) -> None:
    lose(world)
    allowed = [True, False]
    with pytest.raises(Refused, match="no longer so"):
        doing.start(world.host("dom0m"), DNS, lambda: allowed.pop(0), witnessed=True)
    assert look(world.host("dom0m"), [DNS], 0.0, witnessed=True).seen.running == set()


def test_nothing_is_started_that_runs_already(world: World) -> None:
    with pytest.raises(Refused, match="it is here"):
        doing.start(world.host("dom0"), DNS, lambda: True, witnessed=True)


def test_nothing_is_started_that_runs_on_a_partner_in_sight(world: World) -> None:
    with pytest.raises(Refused, match="Primary on dom0"):
        doing.start(world.host("dom0m"), DNS, lambda: True, witnessed=True)


def test_a_stop_ends_the_domain_and_is_no_error_when_it_is_gone(world: World) -> None:
    assert doing.stop(world.host("dom0"), DNS) == "ended"
    assert look(world.host("dom0"), [DNS], 0.0, witnessed=True).seen.running == set()
    assert doing.stop(world.host("dom0"), DNS) == "it is gone"


def test_a_look_that_fails_tells_nothing(world: World) -> None:
    world.power_cut("dom0")
    with pytest.raises((CommandTimeout, CommandFailed, OSError)):
        look(world.host("dom0"), [DNS], 0.0, witnessed=True)


@pytest.mark.parametrize("name", ["dns--incoming", "dns--migratedaway"])
def test_a_half_of_a_migration_does_not_ask_to_go_on_alone(world: World, name: str) -> None:
    """Of two Primaries that lose each other, the one whose guest has the name asks; the other one waits."""
    world.cut_link("dom0", "dom0m")
    world.advance(60)
    world.nodes["dom0"].domains[0].name = name
    seen = look(world.host("dom0"), [DNS], 0.0, witnessed=True).seen
    assert (seen.running, seen.lost) == ({"dns"}, set())
