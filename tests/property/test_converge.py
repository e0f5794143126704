"""Two simulated nodes converge from anything to what the topology says, whatever happens on the way."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interleave import Interleaving
from pair import TOPOLOGY, changes, converge, empty_world, failures, many_domains, running, slices

from saltern.converge import Converge
from saltern.model.places import BLOCK_SCRIPT
from saltern.plan.items import Item, Kind
from saltern.run import Host
from saltern.sim.world import NodeSpec, World

SHARES = slices()
HOMES = {"router": ["dom0"], "dns": ["dom0"], "mail": ["dom0m"]}
GENERATIONS = pytest.mark.parametrize("drbd", ["8.4", "9"])
SEEDS = st.integers(min_value=0, max_value=2**32)


def converged_world(drbd: str, *, seed: int = 0) -> World:
    world = empty_world(drbd, seed)
    for node, outcomes in converge(world, SHARES, seed=seed).items():
        assert failures(outcomes) == [], node
    world.advance(60)
    return world


class Converged(dict[str, str]):
    """A converged world of each generation, as JSON; a failing test does not print it."""

    def __repr__(self) -> str:
        return "(worlds)"


@pytest.fixture(scope="module")
def converged() -> Converged:
    return Converged({drbd: converged_world(drbd).to_json() for drbd in ("8.4", "9")})


@GENERATIONS
@settings(max_examples=15, deadline=None)
@given(seed=SEEDS)
def test_both_nodes_go_from_empty_volume_groups_to_running_domains(drbd, seed) -> None:
    world = empty_world(drbd, seed)
    result = converge(world, SHARES, seed=seed)
    assert {node: failures(outcomes) for node, outcomes in result.items()} == {"dom0": [], "dom0m": []}
    assert running(world) == HOMES


@GENERATIONS
def test_applying_again_changes_nothing(drbd, converged) -> None:
    world = World.from_json(converged[drbd])
    before = world.to_json()
    hosts = {name: world.host(name) for name in SHARES}
    for outcomes in converge(world, SHARES, hosts=hosts).values():
        assert failures(outcomes) == []
        assert changes(outcomes) == {}
    assert [host.changes for host in hosts.values()] == [0, 0]
    assert world.nodes["dom0"].files == World.from_json(before).nodes["dom0"].files


@GENERATIONS
def test_a_run_that_changes_nothing_starts_as_many_processes_for_many_domains_as_for_few(drbd) -> None:
    counts = set()
    for domains in (1, 12):
        world, shares = empty_world(drbd), slices(many_domains(domains))
        converge(world, shares)
        host = world.host("dom0")
        converge(world, {"dom0": shares["dom0"]}, hosts={"dom0": host})
        counts.add(len(host.commands))
    assert len(counts) == 1
    assert counts.pop() <= 8


@GENERATIONS
def test_a_dry_run_on_empty_nodes_tells_what_the_real_run_then_makes(drbd) -> None:
    world = empty_world(drbd)
    untouched = world.to_json()
    foreseen = converge(world, SHARES, test=True)
    assert world.copy().nodes.keys() == World.from_json(untouched).nodes.keys()
    assert all(host.changes == 0 for host in (world.host(name) for name in SHARES))
    made = converge(world, SHARES)
    for node in SHARES:
        assert changes(foreseen[node]) == changes(made[node])


@GENERATIONS
@pytest.mark.parametrize("victim", sorted(SHARES))
@pytest.mark.parametrize("kill", ["crash_after", "crash_before"])
def test_killed_at_every_single_change_then_applied_again_ends_in_the_same_place(drbd, victim, kill) -> None:
    for change in range(1, 100):
        world = empty_world(drbd)
        hosts = {name: world.host(name) for name in SHARES}
        getattr(hosts[victim], kill)(change)
        first = converge(world, SHARES, hosts=hosts, wait_s=5)
        if first[victim] is not None:
            break  # it came to its end before the change at which it would have been killed
        for node, outcomes in converge(world, SHARES).items():
            assert failures(outcomes) == [], f"{node} after change {change}"
        assert running(world) == HOMES
        world.advance(60)
        assert all(changes(outcomes) == {} for outcomes in converge(world, SHARES).values()), f"change {change}"
    assert change > 30, "hardly anything was changed: the test tests nothing"


@GENERATIONS
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_killed_at_any_point_then_applied_again_ends_in_the_same_place(drbd, data) -> None:
    seed = data.draw(SEEDS)
    world = empty_world(drbd, seed)
    victim = data.draw(st.sampled_from(sorted(SHARES)))
    hosts = {name: world.host(name) for name in SHARES}
    kill = data.draw(st.sampled_from(["crash_after", "crash_before"]))
    getattr(hosts[victim], kill)(data.draw(st.integers(1, 60)))
    first = converge(world, SHARES, seed=seed, hosts=hosts, wait_s=10)
    if first[victim] is None and data.draw(st.booleans()):
        world.power_cut(victim)
        world.advance(20)
        world.boot(victim)
    for _ in range(2):
        again = converge(world, SHARES, seed=seed)
        world.advance(60)
    assert {node: failures(outcomes) for node, outcomes in again.items()} == {"dom0": [], "dom0m": []}
    assert running(world) == HOMES
    assert all(changes(outcomes) == {} for outcomes in converge(world, SHARES).values())


@GENERATIONS
@pytest.mark.parametrize("alone", sorted(SHARES))
def test_a_node_alone_forces_nothing_and_starts_nothing(drbd, alone) -> None:
    world = empty_world(drbd)
    other = next(name for name in SHARES if name != alone)
    world.power_cut(other)
    outcomes = converge(world, {alone: SHARES[alone]}, wait_s=5)[alone]
    assert running(world) == {}
    assert not any("--force" in command for command in world.nodes[alone].log)
    assert any(other in failure for failure in failures(outcomes))
    world.boot(other)
    for node, result in converge(world, SHARES).items():
        assert failures(result) == [], node
    assert running(world) == HOMES


@GENERATIONS
@pytest.mark.parametrize("lost", sorted(SHARES))
def test_a_partner_that_is_gone_keeps_the_other_nodes_stopped_domains_stopped(drbd, converged, lost) -> None:
    world = World.from_json(converged[drbd])
    survivor = next(name for name in SHARES if name != lost)
    for domain in list(world.nodes[survivor].domains):
        world.host(survivor).run(["xl", "destroy", domain.name])
    world.power_cut(lost)
    world.advance(30)
    outcomes = converge(world, {survivor: SHARES[survivor]}, wait_s=5)[survivor]
    assert running(world) == {}
    assert any("unknown is not down" in failure for failure in failures(outcomes))


@GENERATIONS
@pytest.mark.parametrize("reinstalled", sorted(SHARES))
def test_a_node_installed_anew_is_synchronised_from_its_partner_never_the_other_way(
    drbd, converged, reinstalled
) -> None:
    world = World.from_json(converged[drbd])
    kept = next(name for name in SHARES if name != reinstalled)
    world.advance(30)
    world.power_cut(reinstalled)
    fresh = empty_world(drbd).nodes[reinstalled]
    world.nodes[reinstalled] = fresh
    before = {path: dict(device.records) for path, device in world.nodes[kept].devices.items()}
    result = converge(world, SHARES)
    world.advance(120)
    again = converge(world, SHARES)
    assert {node: failures(outcomes) for node, outcomes in again.items()} == {"dom0": [], "dom0m": []}, result
    assert running(world) == HOMES
    for path, records in before.items():
        for block, value in records.items():
            assert world.nodes[kept].devices[path].records[block] >= value
            assert world.nodes[reinstalled].devices[path].records.get(block, -1) >= value


@GENERATIONS
@pytest.mark.parametrize("running_on", sorted(SHARES))
def test_a_domain_that_the_topology_places_elsewhere_is_not_started_a_second_time(drbd, converged, running_on) -> None:
    world = World.from_json(converged[drbd])
    third = "dom2"
    world.nodes[third] = World.create([NodeSpec(name=third, address="192.168.1.192", drbd=drbd)]).nodes[third]
    moved = TOPOLOGY.replace("router: {home: dom0, partner: dom0m,", f"router: {{home: {third}, partner: dom0m,")
    moved = moved.replace("  domains:", f"    {third}: {{address: 192.168.1.192, volume_group: XEN}}\n  domains:")
    if running_on == "dom0m":
        world.host("dom0").run(["xl", "destroy", "router"])
        world.host("dom0").run(["drbdadm", "secondary", "router"])
        world.host("dom0m").run(["drbdadm", "primary", "router"])
        world.host("dom0m").run(["xl", "create", "/etc/xen/router.cfg"])
    for _ in range(2):
        result = converge(world, slices(moved), wait_s=5)
        world.advance(60)
    assert running(world)["router"] == [running_on]
    assert any("its data are where it was made" in failure for failure in failures(result["dom0m"]))


@GENERATIONS
def test_a_lost_data_volume_is_never_replaced_by_an_empty_one(drbd, converged) -> None:
    world = World.from_json(converged[drbd])
    host = world.host("dom0m")
    host.run(["drbdadm", "down", "dns"])
    host.run(["lvremove", "-f", "XEN/dns"])
    outcomes = converge(world, {"dom0m": SHARES["dom0m"]}, wait_s=5)["dom0m"]
    assert "/dev/XEN/dns" not in world.nodes["dom0m"].devices
    assert any("this replica has been lost" in failure for failure in failures(outcomes))


@GENERATIONS
def test_a_lost_replica_is_rebuilt_from_the_partner_when_it_is_asked_for(drbd, converged) -> None:
    world = World.from_json(converged[drbd])
    host = world.host("dom0m")
    host.run(["drbdadm", "down", "router"])
    host.run(["lvremove", "-f", "XEN/router"])
    asked = Converge(host, SHARES["dom0m"]).item(Item(Kind.LOST_METADATA, "router"))
    assert asked.result is True, asked.comment
    for outcomes in converge(world, SHARES).values():
        assert failures(outcomes) == []
    world.advance(60)
    records = [world.nodes[node].devices["/dev/XEN/router"].records for node in SHARES]
    assert records[0] == records[1] != {}


@GENERATIONS
@pytest.mark.parametrize("holder", sorted(SHARES))
@pytest.mark.parametrize("with_metadata", [True, False])
def test_volumes_that_somebody_filled_by_hand_are_never_overwritten(drbd, holder, with_metadata) -> None:
    world = empty_world(drbd)
    host = world.host(holder)
    host.run(["lvcreate", "-n", "router", "-L", "256M", "XEN"])
    host.run(["lvcreate", "-n", "router_meta", "-L", "4M", "XEN"])
    world.nodes[holder].devices["/dev/XEN/router"].records = {0: 4711}
    if with_metadata:
        minor = str(SHARES[holder].resources["router"].on(holder).minor)
        version = ["v08", "create-md"] if drbd == "8.4" else ["v09", "create-md", "1"]
        host.run(["drbdmeta", minor, version[0], "/dev/XEN/router_meta", "flex-external", *version[1:]])
    result = converge(world, SHARES, wait_s=5)
    world.advance(60)
    assert any("it may hold data" in failure for failure in failures(result[holder]))
    assert world.nodes[holder].devices["/dev/XEN/router"].records == {0: 4711}
    assert "router" not in running(world)
    assert running(world) == {name: nodes for name, nodes in HOMES.items() if name != "router"}


@GENERATIONS
def test_a_split_brain_is_reported_and_nothing_is_discarded(drbd, converged) -> None:
    world = World.from_json(converged[drbd])
    for node in SHARES:
        world.host(node).run(["drbdadm", "disconnect", "dns"], allowed=(0, 10))
    world.host("dom0m").run(["drbdadm", "primary", "dns"])
    world.advance(5)
    world.host("dom0m").run(["drbdadm", "secondary", "dns"])
    before = {node: dict(world.nodes[node].devices["/dev/XEN/dns"].records) for node in SHARES}
    result = converge(world, SHARES, wait_s=10)
    assert any("split-brain" in failure for outcomes in result.values() for failure in failures(outcomes))
    assert world.nodes["dom0m"].devices["/dev/XEN/dns"].records == before["dom0m"]


def lvextend(world: World) -> None:
    world.host("dom0").run(["lvextend", "-L", "512M", "XEN/dns"])


def edit_resource(world: World) -> None:
    files = world.nodes["dom0"].files
    text, mode = files["/etc/drbd.d/dns.res"]
    files["/etc/drbd.d/dns.res"] = (text.replace("protocol C", "protocol A"), mode)


def break_resource_file(world: World) -> None:
    text, mode = world.nodes["dom0"].files["/etc/drbd.d/mail.res"]
    world.nodes["dom0"].files["/etc/drbd.d/mail.res"] = (text.replace(";", "", 1), mode)


def remove_resource_file(world: World) -> None:
    del world.nodes["dom0m"].files["/etc/drbd.d/router.res"]


def edit_domain(world: World) -> None:
    text, mode = world.nodes["dom0m"].files["/etc/xen/mail.cfg"]
    world.nodes["dom0m"].files["/etc/xen/mail.cfg"] = (text.replace("memory = 64", "memory = 32"), mode)


def take_execute_bits(world: World) -> None:
    text, _ = world.nodes["dom0"].files[BLOCK_SCRIPT]
    world.nodes["dom0"].files[BLOCK_SCRIPT] = (text, 0o644)


def stop_domain(world: World) -> None:
    world.host("dom0").run(["xl", "destroy", "dns"])


def shut_domain_down(world: World) -> None:
    world.host("dom0m").run(["xl", "shutdown", "mail"])


def take_resource_down(world: World) -> None:
    world.host("dom0m").run(["drbdsetup", "down", "router"])


def disconnect(world: World) -> None:
    world.host("dom0").run(["drbdadm", "disconnect", "mail"])


def leave_primary(world: World) -> None:
    world.host("dom0").run(["xl", "destroy", "router"])
    world.host("dom0").run(["drbdadm", "secondary", "router"])
    world.host("dom0m").run(["drbdadm", "primary", "router"])


def reboot_a_node(world: World) -> None:
    world.power_cut("dom0m")
    world.advance(20)
    world.boot("dom0m")


def reboot_a_node_that_brings_nothing_up(world: World) -> None:
    world.power_cut("dom0")
    world.advance(20)
    world.boot("dom0", drbd_service=False)


DRIFTS = [
    lvextend,
    edit_resource,
    remove_resource_file,
    edit_domain,
    take_execute_bits,
    stop_domain,
    shut_domain_down,
    take_resource_down,
    disconnect,
    leave_primary,
    reboot_a_node,
    reboot_a_node_that_brings_nothing_up,
    break_resource_file,  # last: no drbdadm command works after it
]


@GENERATIONS
@pytest.mark.parametrize("drift", DRIFTS)
def test_drift_is_repaired(drbd, drift, converged) -> None:
    world = World.from_json(converged[drbd])
    drift(world)
    world.advance(5)
    for _ in range(2):
        result = converge(world, SHARES)
        world.advance(60)
    assert {node: failures(outcomes) for node, outcomes in result.items()} == {"dom0": [], "dom0m": []}
    assert running(world) == HOMES
    assert all(changes(outcomes) == {} for outcomes in converge(world, SHARES).values())


@GENERATIONS
@settings(max_examples=30, deadline=None)
@given(
    seed=SEEDS, drifts=st.lists(st.sampled_from([d for d in DRIFTS if d is not leave_primary]), max_size=4, unique=True)
)
def test_any_mixture_of_drifts_is_repaired(drbd, seed, drifts, converged) -> None:
    world = World.from_json(converged[drbd])
    for drift in sorted(drifts, key=DRIFTS.index):
        drift(world)
    for _ in range(3):
        result = converge(world, SHARES, seed=seed)
        world.advance(60)
    assert {node: failures(outcomes) for node, outcomes in result.items()} == {"dom0": [], "dom0m": []}
    assert running(world) == HOMES


@GENERATIONS
@pytest.mark.parametrize(
    "drift",
    [edit_resource, edit_domain, take_execute_bits, stop_domain, take_resource_down, disconnect, remove_resource_file],
)
def test_a_dry_run_over_drift_tells_what_the_real_run_then_makes(drbd, drift, converged) -> None:
    world = World.from_json(converged[drbd])
    drift(world)
    world.advance(5)
    foreseen = converge(world, SHARES, test=True)
    made = converge(world, SHARES)
    for node in SHARES:
        assert changes(foreseen[node]) == changes(made[node])


@GENERATIONS
def test_a_domain_that_was_moved_to_its_partner_stays_there(drbd, converged) -> None:
    world = World.from_json(converged[drbd])
    home, partner = world.host("dom0"), world.host("dom0m")
    home.run(["xl", "destroy", "router"])
    home.run(["drbdadm", "secondary", "router"])
    partner.run(["drbdadm", "primary", "router"])
    partner.run(["xl", "create", "/etc/xen/router.cfg"])
    result = converge(world, SHARES)
    assert {node: failures(outcomes) for node, outcomes in result.items()} == {"dom0": [], "dom0m": []}
    assert running(world) == {**HOMES, "router": ["dom0m"]}


@GENERATIONS
def test_growth_that_the_partner_has_not_followed_is_not_told_as_made(drbd, converged) -> None:
    world = World.from_json(converged[drbd])
    grown = slices(TOPOLOGY.replace("xvdb: {size: 128M}", "xvdb: {size: 512M}"))
    outcomes = converge(world, {"dom0m": grown["dom0m"]}, wait_s=3)["dom0m"]
    assert [failure for failure in failures(outcomes) if "has not grown yet" in failure]
    assert "size of mail-xvdb" not in changes(outcomes)


@GENERATIONS
def test_growth_waits_for_a_partner_that_follows_late(drbd, converged) -> None:
    world = World.from_json(converged[drbd])
    grown = slices(TOPOLOGY.replace("xvdb: {size: 128M}", "xvdb: {size: 512M}"))

    def late(host: Host) -> object:
        host.sleep(25)
        return Converge(host, grown["dom0"]).all()

    result = Interleaving(world, seed=0).run(
        {"dom0m": lambda host: Converge(host, grown["dom0m"]).all(), "dom0": late},
        {name: world.host(name) for name in grown},
    )
    assert {node: failures(outcomes) for node, outcomes in result.items()} == {"dom0": [], "dom0m": []}
    assert "size of mail-xvdb" in changes(result["dom0m"])


@GENERATIONS
def test_one_disk_that_is_refused_keeps_no_other_from_being_built(drbd) -> None:
    world = empty_world(drbd)
    world.host("dom0").run(["lvcreate", "-n", "dns", "-L", "256M", "XEN"])  # somebody's, and so refused
    converge(world, SHARES, wait_s=10)
    assert running(world) == {name: nodes for name, nodes in HOMES.items() if name != "dns"}


@GENERATIONS
def test_a_cut_link_is_told_of_while_the_domains_run_on(drbd, converged) -> None:
    world = World.from_json(converged[drbd])
    world.cut_link("dom0", "dom0m")
    world.advance(30)
    for outcomes in converge(world, SHARES, wait_s=1).values():
        told = [warning for outcome in outcomes.values() for warning in outcome.warnings]
        assert len([warning for warning in told if "nothing is replicated" in warning]) == 4
    assert running(world) == HOMES


@GENERATIONS
def test_growth_in_the_topology_reaches_the_device_of_the_running_domain(drbd, converged) -> None:
    world = World.from_json(converged[drbd])
    grown = slices(TOPOLOGY.replace("xvdb: {size: 128M}", "xvdb: {size: 512M}"))
    for outcomes in converge(world, grown).values():
        assert failures(outcomes) == []
    world.advance(60)
    assert all(changes(outcomes) == {} for outcomes in converge(world, grown).values())
    result = converge(world, grown)["dom0m"]
    size = next(o for item, o in result.items() if item.kind is Kind.SIZE and item.name == "mail-xvdb")
    assert "has its size" in size.comment
