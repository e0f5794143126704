"""Remakes among others: questions that come late or twice, domains that somebody else starts, applies that looked before."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from one_domain import Worlds
from pair import converge, running
from remade import ADDRESSES, Killed, Remade, as_before

from saltern import operations, remake_entries
from saltern.converge import Converge
from saltern.desired import compile_slices
from saltern.errors import Refused, SalternError
from saltern.model.desired import domain_file
from saltern.model.operation import Half, Operation, OperationKind
from saltern.model.places import operation_file, remake_file
from saltern.model.remake import Remaking
from saltern.plan.items import Item, Kind
from saltern.plan.operation import LEFT_AFTER_S
from saltern.run import Completed
from saltern.sim.host import SimHost
from saltern.sim.world import World


@pytest.fixture(scope="module")
def worlds() -> Worlds:
    """The nodes as BEFORE says, for either generation of DRBD."""
    return as_before()


def world(worlds: Worlds) -> World:
    return World.from_json(worlds["8.4"])


def remaking(identifier: str = "aaaa-1111", steps: int = 9) -> Remaking:
    operation = Operation(
        id=identifier,
        kind=OperationKind.REMAKE,
        domain="dns",
        uuid="6f3d2a10-93a5-5f0e-9d55-0a4f6f1d2c33",
        half=Half.SOURCE,
        source="dom0",
        target="dom0",
        address="",
        resources=(),
        owner="root on master",
        since="2026-11-26 10:00:00",
        renewed_s=0.0,
        taken=True,
    )
    return Remaking(operation=operation, reached=0, steps=steps)


# --- Late and twice ----------------------------------------------------------------------------------------------
class Echoing(Remade):
    """Whatever was asked of a node comes there once more after every later step, as to a minion that was frozen."""

    def __init__(self, world: World, what: str) -> None:
        super().__init__(world, what)
        self.heard: list[tuple[Sequence[str], str, tuple[Any, ...]]] = []

    def _ask(self, nodes: Sequence[str], function: str, *args: Any) -> dict[str, Any]:
        answers = super()._ask(nodes, function, *args)
        if function == "remake.note":
            self.echo()
        if function in ("remake.take", "remake.enter", "remake.note", "remake.end", "remake.settle_in"):
            self.heard.append((nodes, function, args))
        return answers

    def echo(self) -> None:
        for nodes, function, args in reversed(self.heard):  # the other way round nothing that is undone is done again
            with suppress(SalternError):
                super()._ask(nodes, function, *args)
        self.check()


@pytest.mark.parametrize(
    "what", ["a disk is made anew", "a domain goes and one of its name comes", "a partner is replaced"]
)
def test_what_comes_to_a_node_once_more_much_later_undoes_and_destroys_nothing(worlds: Worlds, what: str) -> None:
    nodes = Echoing(world(worlds), what)
    nodes.carry_out()
    nodes.echo()
    nodes.assert_is_after()
    assert nodes.carry_out() == []  # it is over, on all nodes


def test_an_entry_that_comes_after_it_was_taken_back_is_not_made(worlds: Worlds) -> None:
    host = world(worlds).host("dom0")
    remake_entries.withdraw(host, ["dns"], "aaaa-1111")
    with pytest.raises(Refused, match="taken back before it came here"):
        remake_entries.enter(host, remaking())
    assert host.read_text(remake_file("dns")) is None
    remake_entries.enter(host, remaking("aaaa-2222"))


def test_a_note_that_is_left_of_the_same_plan_does_not_count_when_it_is_carried_out_once_more(worlds: Worlds) -> None:
    """Everything was put back by hand since, and other remakes were noted on the other nodes."""
    first = Remade(world(worlds), "a partner is replaced")
    first.carry_out()
    nodes = Remade(world(worlds), "a partner is replaced")
    nodes.world.nodes["dom0m"].files[remake_file("dns")] = first.world.nodes["dom0m"].files[remake_file("dns")]
    nodes.runs = first.runs
    (part,) = nodes.parts()
    remake_entries.enter(nodes.world.host("dom0"), remaking(f"{part.plan}-00000009", steps=len(part.steps)))
    nodes.sleep(LEFT_AFTER_S + 30)
    nodes.carry_out()
    nodes.assert_is_after()


# --- A copy that has missed something ----------------------------------------------------------------------------
class Booting(Remade):
    """The node whose copy is about to be replaced loses its power, and comes back without its resources."""

    lacks: set[int] | None = None

    def _ask(self, nodes: Sequence[str], function: str, *args: Any) -> dict[str, Any]:
        freezes = function == "remake.take" and args[0]["kind"] == "freeze"
        if freezes and self.lacks is None:
            self.world.power_cut("dom0m")
            self.sleep(30)
            self.world.boot("dom0m", drbd_service=False)
            self.sleep(5)
            self.lacks = set()
        answers = super()._ask(nodes, function, *args)
        if freezes and not answers["dom0m"]["waits"]:
            records = self.world.nodes["dom0m"].device("/dev/XEN/dns").records
            (disk,) = next(each for each in self.world.nodes["dom0"].domains if each.name == "dns").disks
            self.lacks = {block for block, value in disk.acknowledged.items() if records.get(block) != value}
        return answers


@pytest.mark.parametrize("drbd", ["8.4", "9"])
def test_a_copy_that_has_missed_something_catches_up_before_it_is_frozen(worlds: Worlds, drbd: str) -> None:
    nodes = Booting(World.from_json(worlds[drbd]), "a partner is replaced")
    nodes.carry_out()
    assert nodes.lacks == set()
    converge(nodes.world, compile_slices(nodes.after), wait_s=30)  # a domain that is not remade
    nodes.assert_is_after()


# --- A domain that somebody else starts or moves -----------------------------------------------------------------
class Meddled(Remade):
    """Somebody runs a command on a node right before the first question of a kind."""

    def __init__(self, world: World, what: str, before: tuple[str, str], node: str, *argv: str) -> None:
        super().__init__(world, what)
        self.before_question, self.node, self.argv = before, node, argv

    def _ask(self, nodes: Sequence[str], function: str, *args: Any) -> dict[str, Any]:
        kind = str(args[0]["kind"]) if function == "remake.take" else ""
        if self.argv and (function, kind) == self.before_question:
            argv, self.argv = self.argv, ()
            self.world.host(self.node).run(argv)
        return super()._ask(nodes, function, *args)


def test_a_domain_that_moved_between_the_look_and_the_entry_is_not_remade(worlds: Worlds) -> None:
    moves = ("xl", "migrate", "dns", "dom0m")
    nodes = Meddled(world(worlds), "a home is replaced", ("remake.enter", ""), "dom0", *moves)
    with pytest.raises(Refused, match=r"not as BEFORE says: it is running on dom0m"):
        nodes.carry_out()
    assert not nodes.is_entered()


def test_a_domain_that_was_started_on_the_other_node_since_keeps_both_its_copies(worlds: Worlds) -> None:
    starts = ("xl", "create", domain_file("dns"))
    nodes = Meddled(world(worlds), "another minor and port", ("remake.take", "down"), "dom0m", *starts)
    with pytest.raises(SalternError, match=r"dns: it is Primary on the other node"):
        nodes.carry_out()
    assert all(nodes.world.nodes[node].drbd.resources["dns"].connected for node in ("dom0", "dom0m"))
    nodes.world.host("dom0m").run(["xl", "shutdown", "-w", "dns"])
    nodes.sleep(LEFT_AFTER_S + 30)
    nodes.carry_out()
    nodes.assert_is_after()


def test_a_domain_that_goes_and_was_started_at_home_since_keeps_both_its_copies(worlds: Worlds) -> None:
    starts = ("xl", "create", domain_file("dns"))
    nodes = Meddled(world(worlds), "a domain goes", ("remake.take", "remove-replica"), "dom0", *starts)
    with pytest.raises(SalternError, match=r"dns: it is Primary on the other node"):
        nodes.carry_out()
    assert all("dns" in nodes.world.nodes[node].volume_groups["XEN"].volumes for node in ("dom0", "dom0m"))


# --- An apply that looked before ---------------------------------------------------------------------------------
class Overtaken(SimHost):
    """While a program reads what Xen has, a remake of dns is entered."""

    def run(self, argv: Sequence[str], **options: Any) -> Completed:
        done = super().run(argv, **options)
        if tuple(argv[:2]) == ("xl", "list"):
            remake_entries.enter(self.world.host(self.name), remaking())
        return done


def test_an_apply_that_looked_before_a_remake_began_does_not_start_the_domain(worlds: Worlds) -> None:
    nodes = Remade(world(worlds), "a partner is replaced")
    nodes.world.host("dom0").run(["xl", "shutdown", "-w", "dns"])
    nodes.sleep(60)
    share = compile_slices(nodes.before)["dom0"]
    outcome = Converge(Overtaken(nodes.world, "dom0"), share).item(Item(Kind.DOMAIN, "dns"))
    assert (outcome.result, outcome.actions) == (True, ())
    assert "left alone: remake of dns" in outcome.comment
    assert "dns" not in running(nodes.world)


def test_no_remake_is_entered_while_an_apply_is_at_work_on_the_domain(worlds: Worlds) -> None:
    nodes = Remade(world(worlds), "a partner is replaced")
    nodes.world.host("dom0").run(["xl", "shutdown", "-w", "dns"])
    nodes.sleep(60)
    refused: list[str] = []

    class Asking(SimHost):
        def run(self, argv: Sequence[str], **options: Any) -> Completed:
            if tuple(argv[:2]) == ("xl", "create") and "-n" not in argv:
                with pytest.raises(Refused) as error:
                    remake_entries.enter(self.world.host(self.name), remaking())
                refused.append(str(error.value))
            return super().run(argv, **options)

    outcome = Converge(Asking(nodes.world, "dom0"), compile_slices(nodes.before)["dom0"]).item(Item(Kind.DOMAIN, "dns"))
    assert outcome.result and len(refused) == 1
    remake_entries.enter(nodes.world.host("dom0"), remaking())


# --- Given up ----------------------------------------------------------------------------------------------------
def test_what_is_given_up_goes_with_the_operation_within_it_and_only_when_nobody_is_at_work(worlds: Worlds) -> None:
    nodes = Remade(world(worlds), "a home is replaced")
    nodes.kill_at = next(
        number for number, (_, function) in enumerate(_questions(worlds)) if function == "operation.begin"
    )
    nodes.lose_answer = True
    with pytest.raises(Killed):
        nodes.carry_out()
    host = nodes.world.host("dom0m")
    assert host.read_text(operation_file("dns")) is not None
    with pytest.raises(Refused, match="busy"):
        operations.release(host, "dns", lambda: None)
    nodes.sleep(LEFT_AFTER_S + 30)
    for node in ADDRESSES:
        operations.release(nodes.world.host(node), "dns", lambda: None)
        assert nodes.world.host(node).read_text(operation_file("dns")) is None
        assert nodes.world.host(node).read_text(remake_file("dns")) is None


def _questions(worlds: Worlds) -> list[tuple[int, str]]:
    nodes = Remade(world(worlds), "a home is replaced")
    nodes.carry_out()
    return list(enumerate(nodes.asked))
