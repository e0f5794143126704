"""Remakes carried out on simulated nodes, and killed after every question to a node: the same command again takes them up."""

import copy
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import yaml
from fleet import SimFleet
from one_domain import Worlds, check_disks, exchange_keys
from pair import NODES, changes, check_safety, converge, failures, running
from topologies import allocated, merged

from saltern import controller, operations, remaking, topology
from saltern.desired import compile_slices
from saltern.errors import Refused, SalternError
from saltern.model.operation import OperationKind
from saltern.model.places import remake_file
from saltern.model.topology import Cluster
from saltern.plan.operation import LEFT_AFTER_S
from saltern.plan.selection import Selection
from saltern.remaking import Run
from saltern.sim.drbd.kernel import Disk
from saltern.sim.host import Killed as HostKilled
from saltern.sim.host import SimHost
from saltern.sim.world import NodeSpec, World
from saltern.topology import lockfile
from saltern.topology.remake import Kind, remake
from saltern.units import GIB

TOPOLOGY = """
nodes:
  dom0: {address: 192.168.1.190, volume_group: XEN}
  dom0m: {address: 192.168.1.191, volume_group: XEN}
  dom1: {address: 192.168.1.192, volume_group: XEN}
domains:
  dns: {home: dom0, partner: dom0m, memory: 64M, disks: {xvda: {size: 64M}}}
  mail: {home: dom0m, partner: dom0, memory: 64M, disks: {xvda: {size: 64M}, xvdb: {size: 32M}}}
"""
ADDRESSES = {**NODES, "dom1": "192.168.1.192"}
CHANGES: dict[str, tuple[str, list[str]]] = {
    "a partner is replaced": ("domains: {dns: {partner: dom1}}", ["dns@dom0m"]),
    "a home is replaced": ("domains: {dns: {home: dom1}}", ["dns@dom0"]),
    "a disk is dropped and another grows": (
        "domains: {mail: {disks: {xvda: {size: 96M}, xvdb: '<taken away>'}}}",
        ["mail/xvdb"],
    ),
    "a domain goes": ("domains: {dns: '<taken away>'}", ["dns"]),
    "a domain goes and one of its name comes": (
        "domains: {dns: {uuid: 1b4e28ba-2fa1-41d2-883f-0016d3cca427, memory: 32M}}",
        ["dns"],
    ),
    "a domain comes": ("domains: {web: {home: dom1, partner: dom0, memory: 64M, disks: {xvda: {size: 64M}}}}", []),
    "a domain is renamed": (
        "domains: {dns: '<taken away>', names: {uuid: UUID, home: dom0, partner: dom0m, memory: 64M, "
        "disks: {xvda: {size: 64M}}}}",
        [],
    ),
    "a resource and its volumes are renamed": ("domains: {dns: {disks: {xvda: {resource: names, volume: names}}}}", []),
    "another minor and port": ("domains: {dns: {disks: {xvda: {minor: 77, port: 9999}}}}", []),
    "another port": ("domains: {mail: {disks: {xvda: {port: 9999}}}}", []),
    "home and partner are exchanged": ("domains: {mail: {home: dom0, partner: dom0m}}", []),
    "options": ("domains: {dns: {drbd: {net: {ping-int: 3}, protocol: A}}}", []),
    "a node goes": (
        "nodes: {dom0m: '<taken away>'}\ndomains: {dns: {partner: dom1}, mail: {home: dom1}}",
        ["dns@dom0m", "mail@dom0m"],
    ),
    "a disk is made anew": ("domains: {mail: {disks: {xvdb: {size: 16M}}}}", ["mail/xvdb"]),
}


METADATA_MOVE = "metadata move"
METADATA_MOVES: tuple[str, list[str]] = ("domains: {dns: {disks: {xvda: {meta_disk: 'meta[1]'}}}}", [])
EVERY = int(os.environ.get("SALTERN_REMAKE_EVERY", "11"))  # how many questions lie between two kills that are tried


class Killed(Exception):
    """The runner is gone."""


def pillars(fragment: str) -> tuple[dict[str, Any], dict[str, Any]]:
    first = allocated({"saltern": yaml.safe_load(TOPOLOGY)})
    fragment = fragment.replace("UUID", first["saltern"]["allocation"]["domains"]["dns"]["uuid"])
    second = {"saltern": merged(copy.deepcopy(first["saltern"]), yaml.safe_load(fragment) or {})}
    return first, second


def clusters(fragment: str) -> tuple[Cluster, Cluster]:
    return topology.compile_change(*pillars(fragment))


@pytest.fixture(scope="module")
def worlds() -> Worlds:
    """The nodes as BEFORE says, for either generation of DRBD."""
    found = Worlds()
    before, _ = clusters("")
    shares = compile_slices(before)
    for drbd in ("8.4", "9"):
        world = World.create(
            [
                NodeSpec(name=name, address=address, volume_group_size_bytes=8 * GIB, memory_bytes=2 * GIB, drbd=drbd)
                for name, address in ADDRESSES.items()
            ],
            seed=0,
        )
        for outcomes in converge(world, shares).values():
            assert failures(outcomes) == []
        exchange_keys(world, {node: share for node, share in shares.items() if share.domains})
        world.advance(60)
        found[drbd] = world.to_json()
    return found


class Remade(SimFleet):
    """The nodes, a remake of them, and what must hold at every moment. ``kill_at`` ends the runner after that many answers."""

    def __init__(self, world: World, what: str) -> None:
        fragment, self.names = {**CHANGES, METADATA_MOVE: METADATA_MOVES}[what]
        self.before, self.after = clusters(fragment)
        super().__init__(world, compile_slices(self.before))
        self.plan = remake(self.before, self.after, self.names)
        assert self.plan.refusals == ()
        self.kill_at: int | None = None
        self.crash: tuple[str, int] | None = None
        self.spent = 0
        self.last: SimHost | None = None
        self.lose_answer = False
        self.answered = 0
        self.runs = 0
        self.recorded: list[Mapping[str, Sequence[str]]] = []

    def _ask(self, nodes: Sequence[str], function: str, *args: Any) -> dict[str, Any]:
        if self.kill_at == self.answered and not self.lose_answer:
            raise Killed
        answers = super()._ask(nodes, function, *args)
        if self.kill_at == self.answered:
            raise Killed
        self.answered += 1
        self.check()
        return answers

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.check()

    def check(self) -> None:
        self._follow_names()
        try:
            check_safety(self.world, compile_slices(self.after))
        except AssertionError:  # names of disks are those of one topology or of the other
            check_safety(self.world, compile_slices(self.before))
        for node in self.world.nodes.values():
            for domain in node.domains:
                if domain.running:
                    check_disks(node, domain)
        for uuid, volumes in self._data().items():
            assert any(self._is_whole(*place) for place in volumes), f"no complete copy of {uuid}"

    def _follow_names(self) -> None:
        """The simulator keeps the names of the resources that wrote to a device; a renamed one is the same."""
        downs = {(step.domain, step.disk): step.was.name for step in self.plan.steps if step.kind is Kind.DOWN}
        for step in self.plan.steps:
            if step.kind is Kind.UP and self.world.nodes[step.nodes[0]].devices.get(
                step.resource.on(step.nodes[0]).disk
            ):
                device = self.world.nodes[step.nodes[0]].devices[step.resource.on(step.nodes[0]).disk]
                former = {downs[step.domain, step.disk]} - {step.resource.name}
                device.writers[:] = [writer for writer in device.writers if writer not in former]

    def _data(self) -> dict[tuple[str, str], list[tuple[str, str, str]]]:
        """Where the copies may be of what must not be lost: node, volume and resource, by domain and device of BEFORE."""
        kept = {}
        after = compile_slices(self.after)
        for share in compile_slices(self.before).values():
            for name, spec in share.domains.items():
                for disk in spec.disks:
                    if {name, f"{name}/{disk.device}"} & set(self.names):
                        continue
                    places = kept.setdefault((spec.uuid, disk.device), [])
                    resource = share.resources[disk.resource]
                    places.append((share.node, resource.on(share.node).disk, resource.name))
                    places += [
                        (node, other.resources[each.resource].on(node).disk, each.resource)
                        for node, other in after.items()
                        for theirs in other.domains.values()
                        for each in theirs.disks
                        if (theirs.uuid, each.device) == (spec.uuid, disk.device)
                    ]
        return kept

    def _is_whole(self, name: str, path: str, resource: str) -> bool:
        """UpToDate, or out of service with metadata that say so."""
        node = self.world.nodes[name]
        group, _, volume = path.removeprefix("/dev/").partition("/")
        if volume not in node.volume_groups[group].volumes:
            return False
        side = node.drbd.resources.get(resource)
        return side is None or 0 not in side.devices or side.devices[0].disk is Disk.UP_TO_DATE

    def _host(self, node: str) -> SimHost:
        """A node whose program is killed at the change that ``crash`` tells, counted over all that the remake asks."""
        host = super()._host(node)
        if self.crash is not None:
            kind, change = self.crash
            self.spent += self.last.changes if self.last is not None else 0
            getattr(host, kind)(change - self.spent)
            self.last = host
        return host

    def is_entered(self) -> bool:
        names = [name for part in self.parts() for name in part.names]
        return any(remake_file(name) in node.files for node in self.world.nodes.values() for name in names)

    def parts(self) -> list[remaking.Part]:
        return list(remaking.parts_of(self.plan, self.before, self.after, self.names))

    def carry_out(self) -> list[str]:
        self.runs += 1
        run = Run(
            fleet=self.fleet,
            record=self._record,
            run_id=f"{self.runs:08x}",
            owner="root on master",
            since="2026-11-26 10:00:00",
            timeout_s=600,
        )
        return remaking.carry_out(run, self.before, self.after, self.plan, self.names)

    def _record(self, what: Mapping[str, Sequence[str]]) -> None:
        self.recorded.append(what)
        self.shares = compile_slices(self.after)

    def assert_is_after(self) -> None:
        shares = compile_slices(self.after)
        self.world.advance(60)
        for node, outcomes in converge(self.world, shares).items():
            assert (failures(outcomes), changes(outcomes)) == ([], {}), node
        assert running(self.world) == {name: [domain.home] for name, domain in self.after.domains.items()}
        for node, simulated in self.world.nodes.items():
            wanted = {volume.path for volume in shares[node].volumes} if node in shares else set()
            there = {f"/dev/{group}/{name}" for group, each in simulated.volume_groups.items() for name in each.volumes}
            assert there == wanted, node
            resources = set(shares[node].resources) if node in shares else set()
            assert set(simulated.drbd.resources) == resources, node


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
        nodes = killed_and_taken_up(World.from_json(worlds["8.4"]), what, kill_at, lose_answer=True)
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


@pytest.mark.parametrize("crash", ["crash_after", "crash_before"])
@pytest.mark.parametrize(
    "what", ["a partner is replaced", "a disk is made anew", "a domain is renamed", "a domain goes"]
)
def test_a_minion_that_is_killed_within_a_step_leaves_what_the_same_command_goes_on_with(
    worlds: Worlds, what: str, crash: str
) -> None:
    for change in range(1, 200, max(1, EVERY // 2)):
        nodes = Remade(World.from_json(worlds["8.4"]), what)
        nodes.crash = (crash, change)
        try:
            nodes.carry_out()
        except HostKilled:
            nodes.crash = None
            nodes.sleep(LEFT_AFTER_S + 30)
            nodes.carry_out()
            nodes.assert_is_after()
        else:
            break
    assert change > EVERY


# --- Once it is done ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("what", list(CHANGES))
def test_what_is_done_is_told_so_and_not_done_again(worlds: Worlds, what: str) -> None:
    nodes = Remade(World.from_json(worlds["8.4"]), what)
    nodes.carry_out()
    before = copy.deepcopy(nodes.world.to_json())
    nodes.asked.clear()
    assert nodes.carry_out() == []
    assert set(nodes.asked) <= {"remake.entries", "remake.prepared"}
    assert nodes.world.to_json() == before


def test_a_remake_and_its_way_back_can_be_carried_out_again_and_again(worlds: Worlds) -> None:
    world = World.from_json(worlds["8.4"])
    for _ in range(2):
        there = Remade(world, "a partner is replaced")
        there.carry_out()
        back = Remade(world, "a partner is replaced")
        back.before, back.after = there.after, there.before
        back.names = ["dns@dom1"]
        back.plan = remake(back.before, back.after, back.names)
        back.shares = compile_slices(back.before)
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
    nodes = Remade(World.from_json(worlds["8.4"]), METADATA_MOVE)
    with pytest.raises(Refused, match=r"dns: metadata that move are moved by hand .*restore-md.* Nothing was done"):
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


@pytest.mark.parametrize("waited_s", [0, LEFT_AFTER_S + 30])
def test_nothing_else_is_done_with_a_domain_that_is_remade_nor_settled(worlds: Worlds, waited_s: float) -> None:
    nodes = started(worlds)
    nodes.sleep(waited_s)
    nodes.shares = compile_slices(nodes.before)
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
