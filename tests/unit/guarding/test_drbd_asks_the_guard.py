"""DRBD is told to ask the guard when there is one that knows, and to ask no more before there is none."""

from typing import Any

import pytest
from fenced import KEYS, Handler, asking, fence, fence_all, guarded_slices, heeds, tell
from pair import NODES, changes, converge, empty_world, failures, slices

from saltern.errors import CommandMissing, Refused
from saltern.guarding import upkeep
from saltern.model.desired import resource_file
from saltern.model.places import DRBD_HELPER, GUARD_SETTINGS
from saltern.render import drbd_resource
from saltern.sim.host import Killed
from saltern.sim.world import World

SHARES = guarded_slices()
HERE = SHARES["dom0"]
ALL = {"router", "dns", "mail", "mail-xvdb"}


@pytest.fixture(scope="module")
def worlds() -> dict[str, str]:
    """The pair, converged, without guards."""
    found = {}
    for drbd in ("8.4", "9"):
        world = empty_world(drbd)
        for outcomes in converge(world, SHARES).values():
            assert failures(outcomes) == []
        world.advance(60)
        found[drbd] = world.to_json()
    return found


@pytest.fixture(params=["8.4", "9"])
def bare(request: pytest.FixtureRequest, worlds: dict[str, str]) -> World:
    """Everything runs; nobody is asked."""
    return World.from_json(worlds[request.param])


@pytest.fixture
def world(bare: World) -> World:
    """DRBD asks the guard about everything."""
    fence_all(bare, SHARES)
    return bare


def file(world: World, name: str) -> str:
    return str(world.read_file("dom0", resource_file(name)))


def files(world: World) -> set[str]:
    """The resources whose files name the handler."""
    return {name for name in ALL if drbd_resource.asks_guard(file(world, name))}


def converged(world: World) -> bool:
    found = converge(world, SHARES, wait_s=5.0)
    return all(failures(each) == [] and changes(each) == {} for each in found.values())


# --- On ------------------------------------------------------------------------------------------------------------------
def test_building_a_node_asks_nobody_whatever_the_topology_says(bare: World) -> None:
    assert asking(bare, "dom0") == set()
    assert files(bare) == set()


def test_before_the_guard_is_told_nobody_is_asked(bare: World) -> None:
    foreseen = fence(bare, HERE, test=True)
    assert {each.result for each in foreseen.values()} == {None}
    done = fence(bare, HERE)
    assert {each.result for each in done.values()} == {False}
    assert "is not told" in done["dns"].comment
    assert asking(bare, "dom0") == set()


@pytest.mark.parametrize("helper", ["/bin/true\n", "/sbin/drbdadm\n\n", "drbdadm\n", "/sbin/drbdadm-old\n"])
def test_where_the_kernel_runs_something_else_for_its_handlers_nobody_is_asked(bare: World, helper: str) -> None:
    tell(bare, HERE)
    bare.nodes["dom0"].files[DRBD_HELPER] = (helper, 0o644)
    done = fence(bare, HERE)
    assert {each.result for each in done.values()} == {False}
    assert "and not drbdadm: nobody would ask the guard" in done["dns"].comment
    assert asking(bare, "dom0") == files(bare) == set()


def test_a_guard_that_is_told_is_asked_from_then_on(world: World) -> None:
    assert asking(world, "dom0") == asking(world, "dom0m") == files(world) == ALL
    assert "/usr/lib/saltern/guard fence-peer" in file(world, "dns")
    again = fence(world, HERE)
    assert all(each.result is True and each.changes == {} for each in again.values())
    assert converged(world), "an apply leaves it so"


def test_a_dry_run_tells_what_it_would_change_and_changes_nothing(bare: World) -> None:
    tell(bare, HERE)
    before = file(bare, "dns")
    foreseen = fence(bare, HERE, test=True)["dns"]
    assert foreseen.result is None
    assert list(foreseen.changes) == [f"file {resource_file('dns')}", "resource dns"]
    assert file(bare, "dns") == before
    assert fence(bare, HERE)["dns"].changes.keys() == foreseen.changes.keys()


def test_where_no_partner_has_told_its_key_nobody_is_asked(bare: World) -> None:
    with pytest.raises(Refused, match="dom0m"):  # the only one: without its key nothing can be told
        tell(bare, HERE, {name: key for name, key in KEYS.items() if name != "dom0m"})
    assert asking(bare, "dom0") == set()


# --- Drift ---------------------------------------------------------------------------------------------------------------
def test_a_file_that_was_edited_is_mended(world: World) -> None:
    path = resource_file("dns")
    world.nodes["dom0"].files[path] = (drbd_resource.without_guard(file(world, "dns")), 0o600)
    assert f"file {path}" in fence(world, HERE)["dns"].changes
    assert files(world) == ALL


def test_a_kernel_that_was_told_otherwise_is_adjusted_by_an_apply(world: World) -> None:
    host = world.host("dom0")
    nine = world.nodes["dom0"].drbd_version == "9"
    subject = ["net-options", "dns", "1"] if nine else ["disk-options", "1"]
    host.run(["drbdsetup", *subject, "--fencing=dont-care"])
    assert asking(world, "dom0") == ALL - {"dns"}
    found = converge(world, SHARES, wait_s=5.0)
    assert list(changes(found["dom0"])) == ["resource dns"]
    assert asking(world, "dom0") == ALL


# --- Off -----------------------------------------------------------------------------------------------------------------
def test_drbd_asks_until_everybody_knows_that_nothing_is_to_be_taken_over_from_here(world: World) -> None:
    words: list[str] = []

    def known_at_the_third_time(word: str, **_: object) -> dict[str, Any]:
        assert asking(world, "dom0") == files(world) == ALL
        words.append(word)
        return {"aside": words.count("step aside") == 3}

    with pytest.raises(CommandMissing):  # systemd has no part in this world
        upkeep.guard_gone(world.host("dom0"), known_at_the_third_time, test=False)
    assert words == ["status", "step aside", "step aside", "step aside"]
    assert asking(world, "dom0") == set()


def test_where_those_who_could_take_over_do_not_hear_it_drbd_goes_on_asking(world: World) -> None:
    with pytest.raises(Refused, match="nobody can be told yet that nothing is to be taken over from here"):
        upkeep.guard_gone(world.host("dom0"), lambda word, **_: {"aside": False}, test=False)
    assert asking(world, "dom0") == files(world) == ALL


def test_what_the_guard_is_told_no_more_is_not_asked_for_any_more(world: World) -> None:
    fewer = guarded_slices(
        """
saltern:
  nodes:
    dom0: {address: 192.168.1.190, volume_group: XEN}
    dom0m: {address: 192.168.1.191, volume_group: XEN}
  domains:
    router: {home: dom0, partner: dom0m, memory: 64M, xl: {bootloader: pygrub}, disks: {xvda: {size: 256M}}}
"""
    )["dom0"]
    foreseen = tell(world, fewer, test=True)
    assert asking(world, "dom0") == ALL
    done = tell(world, fewer)
    assert done.changes == foreseen.changes
    assert asking(world, "dom0") == files(world) == {"router"}
    assert tell(world, fewer).changes == {}


@pytest.mark.parametrize("after", range(1, 6))
def test_wherever_it_is_killed_no_kernel_asks_for_a_handler_that_its_file_has_not(world: World, after: int) -> None:
    host = world.host("dom0")
    host.crash_after(after)
    with pytest.raises(Killed):
        upkeep.guard_gone(host, heeds, test=False)
    assert asking(world, "dom0") <= files(world)
    assert world.read_file("dom0", GUARD_SETTINGS) is not None, "the guard is there as long as anything asks it"


def test_nothing_asks_a_guard_any_more_when_it_is_ended(world: World) -> None:
    host = world.host("dom0")
    with pytest.raises(CommandMissing):  # systemd has no part in this world
        upkeep.guard_gone(host, heeds, test=False)
    assert asking(world, "dom0") == files(world) == set()
    told = [command for command in host.commands if "--fencing=dont-care" in command]
    assert len(told) == len(ALL)
    assert host.commands[-1][0] == "systemctl"
    assert converged(world), "what is not taken over by itself is as the topology says without that"


def test_a_guard_is_not_ended_while_a_primary_waits_for_it(world: World) -> None:
    Handler(world)
    world.cut_link(*NODES)
    world.advance(10)
    assert world.nodes["dom0"].drbd.resources["dns"].frozen
    with pytest.raises(Refused, match="its I/O is suspended"):
        upkeep.guard_gone(world.host("dom0"), heeds, test=False)
    assert asking(world, "dom0") == ALL


@pytest.mark.parametrize("test", [False, True])
def test_drbd_goes_on_asking_about_a_domain_that_is_on_its_way(world: World, test: bool) -> None:
    for node in NODES:
        world.nodes[node].drbd.resources["dns"].connection.options["allow-two-primaries"] = "yes"  # type: ignore[union-attr]
    with pytest.raises(Refused, match="resource dns: two Primaries are allowed"):
        upkeep.guard_gone(world.host("dom0"), heeds, test=test)
    assert asking(world, "dom0") == ALL
    assert files(world) == ALL


def test_where_nothing_is_guarded_nothing_is_asked_of_drbd(bare: World) -> None:
    host = bare.host("dom0")
    assert upkeep.guard_gone(host, heeds, test=False).changes == {}
    assert host.commands == []


def test_a_topology_without_takeover_keeps_what_an_apply_finds(world: World) -> None:
    """It is the state of the guard that takes it back, before the guard is ended, and not a layer that knows nothing of it."""
    plain = slices()
    found = converge(world, plain, wait_s=5.0)
    assert all(changes(each) == {} for each in found.values())
