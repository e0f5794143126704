"""Whatever people type on two nodes, whatever fails meanwhile: a domain runs once, on good data, and the window closes."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interleave import Interleaving, Outside
from one_domain import RESOURCES, SHARES, Watch, Worlds, converged, decide_split_brain, mend, other, windows
from pair import NODES, check_safety, converge, empty_world, slices

from saltern.converge import Converge
from saltern.errors import SalternError
from saltern.model.places import BLOCK_SCRIPT
from saltern.sim import block, processes
from saltern.sim import drbd as drbd_io
from saltern.sim.drbd.kernel import Disk
from saltern.sim.host import Killed, SimHost
from saltern.sim.world import World

GENERATIONS = pytest.mark.parametrize("drbd", ["8.4", "9"])


@pytest.fixture(scope="module")
def worlds() -> Worlds:
    return converged()


# --- What people do ------------------------------------------------------------------------------------------------------
Door = SimHost | Outside


def xl(*words: str) -> Callable[[SimHost], object]:
    return lambda host: host.run(["xl", *words], allowed=range(256))


def migrate(host: SimHost) -> object:
    return host.run(["xl", "migrate", "dns", NODES[other(host.name)]], allowed=range(256))


def apply(host: SimHost) -> object:
    return Converge(host, SHARES[host.name], wait_s=2.0).all()


DEEDS: dict[str, Callable[[SimHost], object]] = {
    "create": xl("create", "-q", "/etc/xen/dns.cfg"),
    "destroy": xl("destroy", "dns"),
    "reboot": xl("reboot", "dns"),
    "shutdown": xl("shutdown", "dns"),
    "migrate": migrate,
    "apply": apply,
}


def until_suspended(door: Door) -> None:
    """Wait for a migration to come to its end, if there is one."""
    for _ in range(100):
        if any(domain.suspended for node in door.world.nodes.values() for domain in node.domains):
            return
        door.sleep(0.3)


PAUSES: dict[str, Callable[[Door], object]] = {
    "moment": lambda door: door.sleep(0.0),
    "second": lambda door: door.sleep(1.0),
    "while": lambda door: door.sleep(20.0),
    "minute": lambda door: door.sleep(60.0),
    "suspended": until_suspended,
}


def person(deeds: Sequence[str]) -> Callable[[SimHost], None]:
    """Somebody at a prompt of a node, who goes on whatever the answer is."""

    def program(host: SimHost) -> None:
        for deed in deeds:
            with suppress(SalternError, OSError):
                ({**DEEDS, **PAUSES})[deed](host)

    return program


# --- What fails ----------------------------------------------------------------------------------------------------------
def kill_scripts(world: World) -> None:
    for node in world.nodes.values():
        processes.kill(node, BLOCK_SCRIPT)


FAULTS: dict[str, Callable[[World], object]] = {
    "cut": lambda world: world.cut_link(*NODES),
    "heal": lambda world: world.heal_link(*NODES),
    **{f"power cut {name}": lambda world, name=name: world.power_cut(name) for name in NODES},
    **{f"boot {name}": lambda world, name=name: world.boot(name) for name in NODES},
    "kill scripts": kill_scripts,
    **{f"pin pages {name}": lambda world, name=name: setattr(world.nodes[name], "pins_pages", True) for name in NODES},
}


def fate(faults: Sequence[str]) -> Callable[[Outside], None]:
    """What happens to nodes and cables."""

    def program(outside: Outside) -> None:
        for fault in faults:
            if fault in PAUSES:
                PAUSES[fault](outside)
            else:
                FAULTS[fault](outside.world)

    return program


# How the nodes are found, with the commands that lead there.
FOUND: dict[str, list[str]] = {
    "stopped": ["xl destroy dns"],
    "a window that was left open": ["drbdadm net-options --allow-two-primaries=yes RESOURCE"],
    "disconnected": ["drbdadm disconnect RESOURCE"],
    "to be synchronised": ["drbdadm invalidate RESOURCE"],
    "outdated": ["drbdadm disconnect RESOURCE", "drbdadm outdate RESOURCE", "drbdadm connect RESOURCE"],
    "Primary without a domain": ["xl destroy dns", "drbdadm primary RESOURCE"],
}


def find(world: World, node: str, state: str) -> None:
    """Bring a node to a state, but make no two Primaries by hand, and touch no data that are the only good ones."""
    for name in RESOURCES:
        partner = world.nodes[other(node)].drbd.resources[name]
        refused = partner.primary if "Primary" in state else partner.devices[0].disk is not Disk.UP_TO_DATE
        for line in [] if refused else FOUND[state]:
            world.host(node).run(line.replace("RESOURCE", name).split(), allowed=range(256))


@st.composite
def stories(draw: st.DrawFn, faults: Sequence[str] = tuple(FAULTS), *, orderly: bool = False) -> dict[str, Any]:
    """Mostly a migration, something that fails in the middle of it, and what people try then.

    ``orderly`` is what begins with all as it should be, and in which nothing is killed.
    """
    words = st.sampled_from([*DEEDS, *DEEDS, "create", "reboot", *PAUSES])
    mover, watcher = draw(st.permutations(sorted(NODES)))
    moves = draw(st.sampled_from([["migrate"], ["migrate"], ["reboot", "while", "migrate"], []]))
    waits = draw(st.sampled_from([[], *([pause] for pause in PAUSES)]))
    middle = draw(st.sampled_from([[], ["suspended"], ["suspended"]])) + ["moment"] * draw(st.integers(0, 12))
    kill = st.tuples(st.sampled_from(sorted(NODES)), st.integers(1, 30), st.booleans())
    states = st.tuples(st.sampled_from(sorted(NODES)), st.sampled_from(sorted(FOUND)))
    return {
        "found": [] if orderly else draw(st.lists(states, max_size=3)),
        "seed": draw(st.integers(0, 2**32)),
        "management": draw(st.booleans()),
        "deeds": {
            mover: moves + draw(st.lists(words, max_size=4)),
            watcher: waits + draw(st.lists(words, max_size=4)),
        },
        "faults": middle + draw(st.lists(st.sampled_from(["cut", *faults, *PAUSES]), max_size=7)),
        "killed": None if orderly else draw(st.none() | kill),
    }


def play(world: World, story: dict[str, Any]) -> None:
    world.management_network = story["management"]
    for node, state in story["found"]:
        find(world, node, state)
    hosts = {name: world.host(name) for name in NODES}
    if story["killed"] is not None:
        name, change, before = story["killed"]
        (hosts[name].crash_before if before else hosts[name].crash_after)(change, inside=True)
    programs = {name: person(deeds) for name, deeds in story["deeds"].items()}
    Interleaving(world, story["seed"], Watch(world)).run({**programs, "fate": fate(story["faults"])}, hosts)


def clear_at_once(world: World) -> None:
    """A person ends what interrupted migrations and killed tools have left, once it is seen what runs."""
    for node in world.nodes.values():
        for domain in list(node.domains):
            if not domain.running:
                world.host(node.name).run(["xl", "destroy", str(domain.domid)])


def clear(world: World) -> None:
    """The same, with time for what follows from it."""
    clear_at_once(world)
    world.advance(120)


ATTEMPTS = [
    {"dom0": ["create"], "dom0m": []},
    {"dom0": [], "dom0m": ["create"]},
    {"dom0": ["create"], "dom0m": ["create"]},
    {"dom0": ["reboot", "while"], "dom0m": ["second", "create"]},
    {"dom0": ["migrate"], "dom0m": ["suspended", "create"]},
    {"dom0": ["create", "migrate"], "dom0m": ["migrate"]},
]


@GENERATIONS
@pytest.mark.parametrize("deeds", ATTEMPTS, ids=[" ".join([*each["dom0"], "|", *each["dom0m"]]) for each in ATTEMPTS])
def test_in_whatever_condition_two_nodes_are_found_a_domain_runs_once_on_good_data(drbd, worlds, deeds) -> None:
    for here, there in product(["", *FOUND], repeat=2):
        for cut in (False, True):
            world = World.from_json(worlds[drbd])
            found = [(name, state) for name, state in (("dom0", here), ("dom0m", there)) if state]
            faults = ["cut", "while"] if cut else []
            story = {"found": found, "seed": 1, "management": True, "deeds": deeds, "faults": faults, "killed": None}
            play(world, story)
            Watch(world)()


def hold(world: World, holder: str) -> None:
    """Something besides the guests reads every disk that can be read."""
    for node in world.nodes.values():
        for resource in node.drbd.resources.values():
            drbd_io.open(world, node.name, resource.devices[0].minor, holder, False)


def let_go(world: World, holder: str) -> None:
    for node in world.nodes.values():
        for resource in node.drbd.resources.values():
            drbd_io.close(world, node.name, resource.devices[0].minor, holder)


def migrated_until(world: World, moment: int) -> bool:
    """A migration from dom0; at that moment after its guest was suspended the link is cut, and every disk held.

    False for one that ends before.
    """
    host, watch = world.host("dom0"), Watch(world)
    turns = 0

    def turn(seconds: float) -> None:
        nonlocal turns
        world.advance(seconds)
        watch()
        turns += turns > 0 or any(domain.suspended for domain in world.nodes["dom0"].domains)
        if turns == moment:
            world.cut_link(*NODES)
            hold(world, "backup")

    host.enter(turn)
    migrate(host)
    host.leave()
    return turns >= moment


@GENERATIONS
@pytest.mark.parametrize("wait_s", [0.0, 60.0])
@pytest.mark.parametrize("management", [False, True])
def test_a_migration_that_is_cut_at_any_moment_leaves_no_second_start_to_a_side_that_stays_primary(
    drbd, worlds, management, wait_s
) -> None:
    moment = 0
    while True:
        moment += 1
        world = World.from_json(worlds[drbd])
        world.management_network = management
        if not migrated_until(world, moment):
            break
        watch = Watch(world)
        clear_at_once(world)
        world.advance(wait_s)
        let_go(world, "backup")
        for deed, name in product(["create", "apply", "create"], NODES):
            DEEDS[deed](world.host(name))
            watch()
    assert moment > 10


# --- What a migration leaves whose cable was pulled at its height --------------------------------------------------------
def cut_at_the_height(world: World, then: Callable[[World], object] = lambda world: None) -> None:
    """A migration from dom0 over the management network, whose cable is pulled when both sides have become Primary."""
    world.management_network = True
    host = world.host("dom0")
    cut = False

    def turn(seconds: float) -> None:
        nonlocal cut
        world.advance(seconds)
        sides = [node.drbd.resources[name] for node in world.nodes.values() for name in RESOURCES]
        if not cut and all(side.primary for side in sides):
            cut = True
            world.cut_link(*NODES)
            then(world)

    host.enter(turn)
    migrate(host)
    host.leave()
    assert cut


def read_on(node: str) -> Callable[[World], None]:
    """Something reads the disks of a node from now on."""

    def begin(world: World) -> None:
        for resource in world.nodes[node].drbd.resources.values():
            drbd_io.open(world, node, resource.devices[0].minor, "backup", False)

    return begin


def pin_pages(world: World) -> None:
    world.nodes["dom0"].pins_pages = True


def bury(world: World) -> None:
    """The network lets go of the pages of a zombie: it is gone, and no script is told."""
    node = world.nodes["dom0"]
    node.pins_pages = False
    for domain in [domain for domain in node.domains if domain.zombie]:
        for disk in domain.disks:
            block.close_device(world, "dom0", disk.path, f"xen-{domain.domid}")
        node.domains.remove(domain)


@GENERATIONS
@pytest.mark.parametrize(
    ("leave", "end"),
    [(read_on("dom0"), lambda world: let_go(world, "backup")), (pin_pages, bury)],
    ids=["something reads the disks of the sender", "the sender is a zombie"],
)
def test_a_primary_that_a_cut_migration_has_left_is_no_proof_also_after_its_connection_was_given_up(
    drbd, worlds, leave, end
) -> None:
    world = World.from_json(worlds[drbd])
    cut_at_the_height(world, leave)
    watch = Watch(world)
    world.advance(60)
    world.heal_link(*NODES)
    world.advance(30)
    end(world)
    for deed in ("create", "apply", "create"):
        DEEDS[deed](world.host("dom0"))
        world.advance(5)
        watch()


def sent_with_no_answer(world: World) -> None:
    """A migration from dom0 whose sender has died, and does not know that the guest goes on; the link is cut then."""
    world.management_network = True
    host = world.host("dom0")

    def turn(seconds: float) -> None:
        world.advance(seconds)
        host.dead = host.dead or any(each.name == "dns" and each.running for each in world.nodes["dom0m"].domains)

    host.enter(turn)
    with suppress(Killed):
        migrate(host)
    host.leave()
    world.cut_link(*NODES)
    world.advance(3)


def end_what_was_sent(world: World) -> None:
    """What xl itself advises after a migration whose end it does not know, when it is taken for one that has failed."""
    for words in (["rename", "dns--migratedaway", "dns"], ["destroy", "dns"]):
        world.host("dom0").run(["xl", *words])


@GENERATIONS
def test_a_sender_that_was_renamed_by_hand_leaves_no_proof(drbd, worlds) -> None:
    world = World.from_json(worlds[drbd])
    sent_with_no_answer(world)
    watch = Watch(world)
    end_what_was_sent(world)
    world.advance(60)
    world.heal_link(*NODES)
    world.advance(20)
    for deed in ("create", "apply", "create"):
        DEEDS[deed](world.host("dom0"))
        world.advance(5)
        watch()


@GENERATIONS
def test_a_sender_that_was_renamed_after_its_connection_was_given_up_leaves_no_proof(drbd, worlds) -> None:
    """8.4 forgets with a connection that two Primaries were allowed on it."""
    world = World.from_json(worlds[drbd])
    sent_with_no_answer(world)
    watch = Watch(world)
    world.heal_link(*NODES)
    world.advance(20)
    world.cut_link(*NODES)
    end_what_was_sent(world)
    for name in RESOURCES:
        world.host("dom0").run(["drbdadm", "connect", name], allowed=range(256))
    world.advance(20)
    for deed in ("create", "apply", "create"):
        DEEDS[deed](world.host("dom0"))
        world.advance(5)
        watch()


ONE_DISK = """
saltern:
  nodes:
    dom0: {{address: 192.168.1.190, volume_group: XEN}}
    dom0m: {{address: 192.168.1.191, volume_group: XEN}}
  domains:
    dns: {{home: dom0, partner: dom0m, memory: 64M, xl: {{bootloader: pygrub}}, disks: {{xvda: {{size: {size}}}}}}}
"""


@GENERATIONS
def test_a_promotion_for_growth_that_met_nobody_is_taken_back(drbd) -> None:
    """Between the look and the promotion the domain starts on the partner, and the cable is pulled."""
    world, grown = empty_world(drbd), slices(ONE_DISK.format(size="16M"))
    converge(world, slices(ONE_DISK.format(size="8M")))
    world.advance(30)
    DEEDS["destroy"](world.host("dom0"))
    Converge(world.host("dom0m"), grown["dom0m"], wait_s=2.0).all()
    world.advance(5)

    class Late(SimHost):
        """Much happens before it promotes."""

        def run(self, argv: Sequence[str], **options: Any) -> Any:
            if list(argv[:2]) == ["drbdadm", "primary"] and world.linked(*NODES):
                DEEDS["create"](world.host("dom0m"))
                world.advance(2)
                world.cut_link(*NODES)
                world.advance(3)
            return super().run(argv, **options)

    Converge(Late(world, "dom0"), grown["dom0"], wait_s=2.0).all()
    assert not world.linked(*NODES)
    DEEDS["create"](world.host("dom0"))
    check_safety(world, grown)


@GENERATIONS
@settings(max_examples=100, deadline=None)
@given(story=stories())
def test_a_domain_runs_once_on_good_data_whatever_is_typed_and_whatever_fails(drbd, worlds, story) -> None:
    world = World.from_json(worlds[drbd])
    play(world, story)
    watch = Watch(world)
    mend(world)
    watch()
    clear(world)
    watch()
    for _ in range(2):
        for decide in (lambda world: None, decide_split_brain):
            converge(world, SHARES, wait_s=10)
            world.advance(60)
            decide(world)
            watch()
    assert windows(world) == {name: ["no", "no"] for name in RESOURCES}
    assert all(node.drbd.resources[name].connected for node in world.nodes.values() for name in RESOURCES)


@GENERATIONS
@settings(max_examples=60, deadline=None)
@given(story=stories(("cut", "heal"), orderly=True))
def test_a_cable_that_is_pulled_for_a_while_leaves_no_window_open(drbd, worlds, story) -> None:
    world = World.from_json(worlds[drbd])
    play(world, story)
    mend(world)
    Watch(world)()
    for name, allowed in windows(world).items():
        sides = [node.drbd.resources[name] for node in world.nodes.values()]
        if all(side.connected for side in sides) and not all(side.primary for side in sides):
            assert allowed == ["no", "no"]
