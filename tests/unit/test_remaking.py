"""Remakes carried out on simulated nodes, and killed after every question to a node: the same command again takes them up."""

import copy
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from one_domain import Worlds
from pair import NODES, converge, failures, running
from remade import ADDRESSES, CHANGES, NOT_BY_A_PROGRAM, Killed, Remade, as_before, clusters, pillars

from saltern import controller, operations, remaking, topology
from saltern.desired import compile_slices
from saltern.errors import CommandFailed, Refused, SalternError
from saltern.model.desired import resource_file
from saltern.model.operation import OperationKind
from saltern.model.places import remake_file
from saltern.model.running import DiskState
from saltern.observe import read_running, read_version
from saltern.plan.operation import LEFT_AFTER_S
from saltern.plan.selection import Selection
from saltern.sim.drbd.kernel import Disk
from saltern.sim.host import Killed as HostKilled
from saltern.sim.host import SimHost
from saltern.sim.world import World
from saltern.topology import lockfile
from saltern.topology.remake import Kind, remake

EVERY = int(os.environ.get("SALTERN_REMAKE_EVERY", "11"))  # how many questions lie between two kills that are tried


@pytest.fixture(scope="module")
def worlds() -> Worlds:
    """The nodes as BEFORE says, for either generation of DRBD."""
    return as_before()


def apply(nodes: Remade) -> None:
    for node, outcomes in converge(nodes.world, compile_slices(nodes.after), wait_s=30).items():
        assert failures(outcomes) == [], node


@pytest.mark.parametrize("drbd", ["8.4", "9"])
@pytest.mark.parametrize("what", list(CHANGES))
def test_a_remake_ends_where_after_says(worlds: Worlds, what: str, drbd: str) -> None:
    nodes = Remade(World.from_json(worlds[drbd]), what)
    nodes.carry_out()
    nodes.assert_is_after()


# --- Killed ------------------------------------------------------------------------------------------------------
# Longer than a test: what is from before a boot is never taken for what was done a moment ago.
UP_FOR_S = 3600.0


def killed_and_taken_up(world: World, what: str, kill_at: int, *, lose_answer: bool) -> Remade:
    nodes = Remade(world, what)
    nodes.kill_at, nodes.lose_answer = kill_at, lose_answer
    with pytest.raises(Killed):
        nodes.carry_out()
    nodes.kill_at = None
    nodes.sleep(LEFT_AFTER_S + 30)
    return nodes


def questions(world: World, what: str) -> int:
    nodes = Remade(world, what)
    nodes.carry_out()
    return nodes.answered


@pytest.mark.parametrize("lose_answer", [False, True])
@pytest.mark.parametrize("what", list(CHANGES))
def test_a_remake_that_was_killed_anywhere_is_taken_up_by_the_same_command(
    worlds: Worlds, what: str, lose_answer: bool
) -> None:
    total = questions(World.from_json(worlds["8.4"]), what)
    for kill_at in range(0, total, EVERY):
        nodes = killed_and_taken_up(World.from_json(worlds["8.4"]), what, kill_at, lose_answer=lose_answer)
        nodes.carry_out()
        nodes.assert_is_after()


@pytest.mark.parametrize("what", list(CHANGES))
def test_an_apply_between_does_no_harm_and_changes_nothing_of_what_is_remade(worlds: Worlds, what: str) -> None:
    total = questions(World.from_json(worlds["8.4"]), what)
    for kill_at in range(1, total, EVERY):
        nodes = killed_and_taken_up(World.from_json(worlds["8.4"]), what, kill_at, lose_answer=True)
        for outcomes in converge(nodes.world, dict(nodes.shares), wait_s=5).values():
            assert outcomes is not None
        nodes.check()
        nodes.carry_out()
        nodes.assert_is_after()


@pytest.mark.parametrize("lost", list(ADDRESSES))
@pytest.mark.parametrize("what", list(CHANGES))
def test_a_node_that_loses_its_power_meanwhile_is_waited_for_and_the_same_command_ends_it(
    worlds: Worlds, what: str, lost: str
) -> None:
    total = questions(World.from_json(worlds["8.4"]), what)
    for kill_at in range(3, total, 2 * EVERY):
        world = World.from_json(worlds["8.4"])
        world.advance(UP_FOR_S)
        nodes = killed_and_taken_up(world, what, kill_at, lose_answer=True)
        nodes.world.power_cut(lost)
        nodes.sleep(60)
        if any(lost in part.nodes for part in nodes.parts()):
            with pytest.raises(SalternError):
                nodes.carry_out()
        nodes.world.boot(lost)
        nodes.sleep(LEFT_AFTER_S + 60)
        if not nodes.is_entered():  # what nobody has entered starts as ever
            converge(nodes.world, compile_slices(nodes.before), wait_s=30)
        nodes.carry_out()
        apply(nodes)  # a domain that is not remade
        nodes.assert_is_after()


def was_killed_and_taken_up(nodes: Remade, crash: str, change: int) -> bool:
    """Whether a minion is killed at that change; the same command then ends where AFTER says."""
    nodes.crash = (crash, change)
    try:
        nodes.carry_out()
    except HostKilled:
        nodes.crash = None
        nodes.sleep(LEFT_AFTER_S + 30)
        nodes.carry_out()
        nodes.assert_is_after()
        return True
    return False


@pytest.mark.parametrize("crash", ["crash_after", "crash_before"])
@pytest.mark.parametrize(
    "what", ["a partner is replaced", "a disk is made anew", "a domain is renamed", "a domain goes"]
)
def test_a_minion_that_is_killed_within_a_step_leaves_what_the_same_command_goes_on_with(
    worlds: Worlds, what: str, crash: str
) -> None:
    for change in range(1, 200, max(1, EVERY // 2)):
        if not was_killed_and_taken_up(Remade(World.from_json(worlds["8.4"]), what), crash, change):
            break
    assert change > EVERY


class Parting(Remade):
    """Looks that a copy that does not follow its Primary any more, and has no file to follow it by, is known as an old one."""

    def check(self) -> None:
        super().check()
        node = self.world.nodes["dom0"]
        side = node.drbd.resources["mail"]
        if resource_file("mail") not in node.files and not side.connected and self.world.nodes["dom0m"].powered:
            assert side.devices[0].disk is Disk.OUTDATED


@pytest.mark.parametrize("drbd", ["8.4", "9"])
@pytest.mark.parametrize("crash", ["crash_after", "crash_before"])
def test_whatever_kills_a_minion_while_it_disconnects_the_copy_that_stays_behind_is_marked_when_that_is_done(
    worlds: Worlds, crash: str, drbd: str
) -> None:
    change = 0
    while True:
        change += 1
        if not was_killed_and_taken_up(Parting(World.from_json(worlds[drbd]), "another port"), crash, change):
            break
    assert change > EVERY


def test_a_copy_that_does_not_see_the_other_one_is_not_parted_from_it_before_it_does(worlds: Worlds) -> None:
    nodes = Parting(World.from_json(worlds["8.4"]), "another port")
    ask = nodes._ask

    def cut(on: Sequence[str], function: str, *args: Any) -> dict[str, Any]:
        if function == "remake.take" and "dom0" in on:
            nodes.world.cut_link("dom0", "dom0m")
            nodes.world.advance(30)
        return ask(on, function, *args)

    nodes._ask = cut
    with pytest.raises(
        Refused, match=r"still: mail is not connected.*, so that it is not known whether .* is written to"
    ):
        nodes.carry_out()
    assert all(resource_file("mail") in nodes.world.nodes[node].files for node in NODES)
    nodes._ask = ask
    nodes.world.heal_link("dom0", "dom0m")
    nodes.sleep(LEFT_AFTER_S + 60)
    nodes.carry_out()
    nodes.assert_is_after()


# --- Once it is done ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("what", list(CHANGES))
def test_what_is_done_is_told_so_and_not_done_again(worlds: Worlds, what: str) -> None:
    nodes = Remade(World.from_json(worlds["8.4"]), what)
    nodes.carry_out()
    nodes.asked.clear()
    hosts: list[SimHost] = []
    nodes._host = lambda node: hosts.append(nodes.world.host(node)) or hosts[-1]
    assert nodes.carry_out() == []
    assert set(nodes.asked) <= {"remake.entries", "remake.prepared", "remake.look"}
    assert [host.changes for host in hosts] == [0] * len(hosts)


@pytest.mark.parametrize("what", ["options", "a domain goes", "home and partner are exchanged"])
def test_what_an_apply_has_undone_since_is_not_taken_for_done(worlds: Worlds, what: str) -> None:
    earlier = Remade(World.from_json(worlds["8.4"]), what)
    earlier.carry_out()
    for outcomes in converge(earlier.world, compile_slices(earlier.before)).values():
        assert failures(outcomes) == []
    earlier.world.advance(60)
    for home, name in [(each.home, name) for name, each in earlier.before.domains.items()]:
        if [home] != running(earlier.world)[name]:
            earlier.world.host(running(earlier.world)[name][0]).run(["xl", "migrate", name, home])
    nodes = Remade(earlier.world, what)
    nodes.runs = earlier.runs
    nodes.carry_out()
    nodes.assert_is_after()


def test_a_remake_and_its_way_back_can_be_carried_out_again_and_again(worlds: Worlds) -> None:
    world = World.from_json(worlds["8.4"])
    for _ in range(2):
        there = Remade(world, "a partner is replaced")
        there.carry_out()
        back = Remade(world, "a partner is replaced")
        back.change(there.after, there.before, ["dns@dom1"])
        back.carry_out()
        back.assert_is_after()


@pytest.mark.parametrize("what", list(CHANGES))
def test_the_plan_is_the_same_when_the_allocation_has_followed(what: str) -> None:
    fragment, names = CHANGES[what]
    first, second = pillars(fragment)
    plan = remake(*topology.compile_change(first, second), names)
    moved = [step.domain for step in plan.steps if step.kind is Kind.RECORD]
    moved = [name for name in moved if name in second["saltern"]["domains"]]
    followed = copy.deepcopy(second)
    followed["saltern"]["allocation"] = lockfile.to_pillar(topology.load_and_allocate(second, (), moved))
    assert remake(*topology.compile_change(first, followed), names) == plan
    assert topology.compile(followed).slices == compile_slices(topology.compile_change(first, second)[1])


# --- What is refused ---------------------------------------------------------------------------------------------
def test_what_no_program_carries_out_is_refused_before_anything_is_asked(worlds: Worlds) -> None:
    nodes = Remade(World.from_json(worlds["8.4"]), NOT_BY_A_PROGRAM)
    with pytest.raises(Refused, match=r"dns: it gets a disk that it has only after its next start.* Nothing was done"):
        nodes.carry_out()
    assert nodes.asked == []


def started(worlds: Worlds, what: str = "a partner is replaced", kill_at: int = 25) -> Remade:
    nodes = Remade(World.from_json(worlds["8.4"]), what)
    nodes.kill_at = kill_at
    with pytest.raises(Killed):
        nodes.carry_out()
    nodes.kill_at = None
    return nodes


def test_a_second_runner_is_refused_while_the_first_may_be_at_work(worlds: Worlds) -> None:
    nodes = started(worlds)
    with pytest.raises(Refused, match=r"remake of dns, begun by root on master .*somebody works on it"):
        nodes.carry_out()


def test_another_remake_of_the_domain_is_refused_until_the_first_is_finished_or_given_up(worlds: Worlds) -> None:
    nodes = started(worlds)
    nodes.sleep(LEFT_AFTER_S + 30)
    other = Remade(nodes.world, "another minor and port")
    with pytest.raises(Refused, match=r"another remake of dns.* of \d+ steps done.*same BEFORE, AFTER and names again"):
        other.carry_out()
    for node in ADDRESSES:
        operations.release(nodes.world.host(node), "dns", lambda: None)
    with pytest.raises(Refused, match="it is not as BEFORE says"):
        other.carry_out()


class UntilTaken(Remade):
    """The runner dies when a node has taken a step of that kind."""

    until: tuple[Kind, str]

    def _ask(self, nodes: Sequence[str], function: str, *args: Any) -> dict[str, Any]:
        answers = super()._ask(nodes, function, *args)
        if function == "remake.take" and (args[0]["kind"], *nodes) == self.until:
            raise Killed
        return answers


@pytest.mark.parametrize("drbd", ["8.4", "9"])
@pytest.mark.parametrize(
    ("what", "domain", "home", "partner", "until"),
    [
        ("a partner is replaced", "dns", "dom0", "dom0m", (Kind.FREEZE, "dom0m")),
        ("another port", "mail", "dom0m", "dom0", (Kind.DISCONNECT, "dom0")),
        ("another port", "mail", "dom0m", "dom0", (Kind.DISCONNECT, "dom0m")),
    ],
)
def test_a_copy_of_a_remake_that_was_given_up_is_started_from_when_it_follows_again_and_not_before(
    worlds: Worlds, drbd: str, what: str, domain: str, home: str, partner: str, until: tuple[Kind, str]
) -> None:
    nodes = UntilTaken(World.from_json(worlds[drbd]), what)
    nodes.until = until
    with pytest.raises(Killed):
        nodes.carry_out()
    nodes.sleep(LEFT_AFTER_S + 30)  # the guest writes on, to the other copy alone
    for node in ADDRESSES:
        operations.release(nodes.world.host(node), domain, lambda: None)
    shares = compile_slices(nodes.before)
    nodes.world.power_cut(home)
    converge(nodes.world, {partner: shares[partner]}, wait_s=5)
    host = nodes.world.host(partner)
    with pytest.raises(CommandFailed, match="Need access to UpToDate data"):
        host.run(["drbdadm", "primary", domain])
    nodes.world.boot(home)
    nodes.sleep(60)
    for outcomes in converge(nodes.world, shares).values():
        assert failures(outcomes) == []
    nodes.sleep(60)
    assert running(nodes.world) == {"dns": ["dom0"], "mail": ["dom0m"]}
    disks = [read_running(nodes.world.host(node), read_version(host))[domain].devices[0].disk for node in NODES]
    assert disks == [DiskState.UP_TO_DATE] * 2


@pytest.mark.parametrize("waited_s", [0, LEFT_AFTER_S + 30])
def test_nothing_else_is_done_with_a_domain_that_is_remade_nor_settled(worlds: Worlds, waited_s: float) -> None:
    nodes = started(worlds)
    nodes.sleep(waited_s)
    nodes.shares = nodes.before_shares
    with pytest.raises(SalternError, match="remake of dns"):
        controller.begin(
            nodes.fleet, Selection(kind=OperationKind.STOP, domain="dns"), identifier="ffff", owner="root", since="now"
        )
    for node in ("dom0", "dom0m", "dom1"):
        with pytest.raises(Refused, match=r"busy: remake of dns|left half-done: remake of dns.*takes it up"):
            operations.settle_left(nodes.world.host(node), "dns")


def test_a_domain_in_an_operation_is_not_remade_before_its_end(worlds: Worlds) -> None:
    nodes = Remade(World.from_json(worlds["8.4"]), "a partner is replaced")
    controller.begin(
        nodes.fleet, Selection(kind=OperationKind.STOP, domain="dns"), identifier="ffff", owner="root", since="now"
    )
    with pytest.raises(Refused, match=r"not as BEFORE says: .*stop of dns"):
        nodes.carry_out()


@pytest.mark.parametrize(
    ("what", "deed", "told"),
    [
        (
            "a home is replaced",
            lambda world: world.host("dom0").run(["xl", "migrate", "dns", "dom0m"]),
            "it is running on dom0m",
        ),
        (
            "another minor and port",
            lambda world: world.host("dom0").run(["xl", "shutdown", "-w", "dns"]),
            "runs nowhere",
        ),
        ("a partner is replaced", lambda world: world.cut_link("dom0", "dom0m"), "dns is not connected"),
    ],
)
def test_a_domain_that_is_not_as_before_says_is_refused_and_nothing_is_entered(
    worlds: Worlds, what: str, deed: Callable[[World], None], told: str
) -> None:
    nodes = Remade(World.from_json(worlds["8.4"]), what)
    deed(nodes.world)
    nodes.world.advance(60)
    with pytest.raises(Refused, match=told):
        nodes.carry_out()
    assert not any(remake_file("dns") in node.files for node in nodes.world.nodes.values())


def test_a_volume_of_unknown_content_is_never_made_a_new_copy(worlds: Worlds) -> None:
    nodes = Remade(World.from_json(worlds["8.4"]), "a partner is replaced")
    nodes.world.host("dom1").run(["lvcreate", "--yes", "--size", "64M", "--name", "dns", "XEN"])
    with pytest.raises(
        SalternError, match=r"/dev/XEN/dns: it is there, and was not created by Saltern.*lvchange --addtag"
    ):
        nodes.carry_out()
    nodes.world.host("dom1").run(["lvchange", "--addtag", "saltern.blank", "XEN/dns"])
    nodes.sleep(LEFT_AFTER_S + 30)
    nodes.carry_out()
    nodes.assert_is_after()


def test_the_old_copy_is_kept_while_the_new_one_is_not_in_sight(worlds: Worlds) -> None:
    nodes = Remade(World.from_json(worlds["8.4"]), "a partner is replaced")
    ask = nodes._ask

    def cut(on: Sequence[str], function: str, *args: Any) -> dict[str, Any]:
        if function == "remake.take" and args[0]["kind"] == "configure-domain":
            nodes.world.cut_link("dom0", "dom1")
            nodes.world.advance(30)
        return ask(on, function, *args)

    nodes._ask = cut
    with pytest.raises(Refused, match=r"the copy on dom0m is kept: .*dns is not connected"):
        nodes.carry_out()
    assert "dns" in nodes.world.nodes["dom0m"].volume_groups["XEN"].volumes
    nodes._ask = ask
    nodes.world.heal_link("dom0", "dom1")
    nodes.sleep(LEFT_AFTER_S + 60)
    nodes.carry_out()
    nodes.assert_is_after()


def test_a_copy_that_something_holds_open_is_not_removed(worlds: Worlds) -> None:
    nodes = Remade(World.from_json(worlds["8.4"]), "a domain goes")
    ask = nodes._ask

    def used(on: Sequence[str], function: str, *args: Any) -> dict[str, Any]:
        if function == "remake.take" and args[0]["kind"] == "remove-replica" and on == ["dom0"]:
            nodes.world.host("dom0").run(["drbdadm", "primary", "--force", "dns"])
        return ask(on, function, *args)

    nodes._ask = used
    with pytest.raises(SalternError, match=r"dns: it is Primary here: something uses it"):
        nodes.carry_out()
    assert "dns" in nodes.world.nodes["dom0"].volume_groups["XEN"].volumes


def test_a_step_that_fails_on_a_read_stops_and_changes_nothing(worlds: Worlds) -> None:
    nodes = Remade(World.from_json(worlds["8.4"]), "a partner is replaced")
    ask = nodes._ask

    def blind(on: Sequence[str], function: str, *args: Any) -> dict[str, Any]:
        if function == "remake.take" and args[0]["kind"] == "remove-replica":
            nodes.world.nodes["dom0m"].files["/etc/drbd.d/broken.res"] = ("resource {", 0o600)
        return ask(on, function, *args)

    nodes._ask = blind
    with pytest.raises(SalternError, match="drbdadm"):
        nodes.carry_out()
    assert "dns" in nodes.world.nodes["dom0m"].volume_groups["XEN"].volumes


# --- Replace -----------------------------------------------------------------------------------------------------
def test_a_replacement_is_that_and_nothing_else(worlds: Worlds) -> None:
    nodes = Remade(World.from_json(worlds["8.4"]), "a partner is replaced")
    remaking.require_replacement(nodes.plan, "dns", "dom0m", "dom1")
    for wrong in (("dns", "dom0", "dom1"), ("dns", "dom0m", "dom0"), ("mail", "dom0m", "dom1")):
        with pytest.raises(Refused, match="another difference"):
            remaking.require_replacement(nodes.plan, *wrong)
    more = Remade(World.from_json(worlds["8.4"]), "a node goes")
    with pytest.raises(Refused, match=r"another difference: .*mail"):
        remaking.require_replacement(more.plan, "dns", "dom0m", "dom1")


@pytest.mark.parametrize(
    ("also", "told"), [("memory: 96M", "dns is configured on dom0"), ("drbd: {protocol: A}", "dns gets other options")]
)
def test_a_replacement_that_changes_the_domain_as_well_is_refused(also: str, told: str) -> None:
    before, after = clusters(f"domains: {{dns: {{partner: dom1, {also}}}}}")
    with pytest.raises(Refused, match=f"another difference: .*{told}"):
        remaking.require_replacement(remake(before, after, ["dns@dom0m"]), "dns", "dom0m", "dom1")


def test_a_node_that_misses_a_question_is_asked_again(worlds: Worlds) -> None:
    nodes = Remade(World.from_json(worlds["8.4"]), "another port")
    ask, missed = nodes._ask, []

    def deaf(on: Sequence[str], function: str, *args: Any) -> dict[str, Any]:
        answers = ask(on, function, *args)
        if nodes.answered % 4 == 0:
            missed.append(function)
            raise controller.Unanswered(dict.fromkeys(on, controller.SILENT))
        return answers

    nodes._ask = deaf
    nodes.carry_out()
    nodes.assert_is_after()
    assert len(missed) > 3


def test_a_node_that_says_nothing_to_a_wait_is_not_asked_again_for_minutes_in_which_nothing_is_renewed(
    worlds: Worlds,
) -> None:
    """A wait takes a minute, and has an end that is looked for as well."""
    nodes = Remade(World.from_json(worlds["8.4"]), "another port")
    asked_each: list[str] = []

    def deaf(function: str, _args: Mapping[str, Sequence[Any]]) -> Mapping[str, Any]:
        asked_each.append(function)
        raise controller.Unanswered({"dom0": controller.SILENT})

    ask = remaking._patient(replace(nodes.fleet, ask_each=deaf))
    with pytest.raises(controller.Unanswered):
        ask("operation.wait", {"dom0": [["dns"], "1", 60.0]})
    with pytest.raises(controller.Unanswered):
        ask("operation.look", {"dom0": [["dns"], {}]})
    assert asked_each == ["operation.wait", "operation.look", "operation.look", "operation.look"]
