"""From any topology to any other: what the steps make of the nodes, and what they never do."""

import copy
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st
from remake_world import apply, assert_is, world_of
from test_topology_properties import NODES, topologies
from topologies import allocated

from saltern import topology
from saltern.errors import TopologyError
from saltern.topology.remake import Kind, Span, remake
from saltern.topology.remake.texts import TEXTS

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


def clusters(before, after):
    try:
        return topology.compile_change(before, after)
    except TopologyError:
        # Two changes that meet, such as two disks on one volume.
        return assume(False)


@dataclass
class Change:
    """Where a difference is made: a drawn domain and disk, or a drawn node."""

    draw: Any
    described: dict[str, Any]
    name: str
    device: str
    node: str

    @property
    def domain(self) -> dict[str, Any]:
        return self.described["domains"][self.name]

    @property
    def disk(self) -> dict[str, Any]:
        return self.domain["disks"][self.device]

    def write(self, place, key, *values) -> None:
        place[key] = self.draw(st.sampled_from(values))

    def place(self) -> None:
        taken = {self.domain["home"], self.domain["partner"]}
        free = [name for name in sorted(self.described["nodes"]) if name not in taken]
        if free:
            self.write(self.domain, self.draw(st.sampled_from(["home", "partner"])), *free)

    def swap(self) -> None:
        self.domain["home"], self.domain["partner"] = self.domain["partner"], self.domain["home"]

    def volume_group(self) -> None:
        self.described["nodes"][self.node]["volume_group"] = "XEN2"

    def address(self) -> None:
        self.write(self.described["nodes"][self.node], "address", *(f"10.0.0.{number}" for number in range(1, 20)))

    def size(self) -> None:
        self.write(self.disk, "size", "4M", "5000M", "6000M", "7000M")

    def new_disk(self) -> None:
        device = self.draw(st.sampled_from(["xvda", "xvdb", "xvdc", "xvdd"]))
        self.domain["disks"].setdefault(device, {"size": "8M"})

    def no_disk(self) -> None:
        if len(self.domain["disks"]) > 1:
            del self.domain["disks"][self.device]

    def renamed_disk(self) -> None:
        entry = self.described["allocation"]["domains"].get(self.name, {}).get("disks", {}).get(self.device)
        device = self.draw(st.sampled_from(["xvda", "xvdb", "xvdc", "xvdd"]))
        if entry is not None and device not in self.domain["disks"]:
            recorded = {key: entry[key] for key in ("resource", "volume")}
            self.domain["disks"][device] = {**recorded, **self.domain["disks"].pop(self.device)}

    def volume(self) -> None:
        self.write(self.disk, "volume", "one", "two")

    def resource(self) -> None:
        self.write(self.disk, "resource", "one", "two")

    def meta_disk(self) -> None:
        self.write(self.disk, "meta_disk", "meta", "meta2", "meta[7]", "meta[1]", "meta3")

    def own_meta_disk(self) -> None:
        self.disk.pop("meta_disk", None)

    def minor(self) -> None:
        self.write(self.disk, "minor", *range(1, 9))

    def port(self) -> None:
        self.write(self.disk, "port", *range(7788, 7797))

    def options(self) -> None:
        self.write(self.disk, "drbd", {"protocol": "A"}, {"net": {"ping-int": "3"}}, {"net": {"transport": "tcp"}})

    def memory(self) -> None:
        self.write(self.domain, "memory", "1G", "2G")

    def uuid(self) -> None:
        self.domain["uuid"] = self.draw(st.uuids(version=4).map(str))

    def rename(self) -> None:
        entry = self.described["allocation"]["domains"].get(self.name, {})
        name = self.draw(st.sampled_from(["web", "mail"]))
        if name not in self.described["domains"] and "uuid" in entry:
            self.described["domains"][name] = {"uuid": entry["uuid"], **self.described["domains"].pop(self.name)}

    def remove(self) -> None:
        if len(self.described["domains"]) > 1:
            del self.described["domains"][self.name]

    def cluster(self) -> None:
        self.described["cluster"] = "another"


CHANGES = [name for name, member in vars(Change).items() if callable(member) and name[0] != "_" and name != "write"]


def change(draw, data) -> None:
    """One difference of those that a topology can have, at a place that is drawn."""
    described = data["saltern"]
    name = draw(st.sampled_from(sorted(described["domains"])))
    device = draw(st.sampled_from(sorted(described["domains"][name]["disks"])))
    node = draw(st.sampled_from(sorted(described["nodes"])))
    kind = draw(st.sampled_from([*CHANGES, "place", "place", "place"]))
    getattr(Change(draw, described, name, device, node), kind)()


@st.composite
def pairs(draw):
    """A topology, and the same after some changes."""
    before = allocated(draw(topologies()))
    after = copy.deepcopy(before)
    for domain in after["saltern"]["domains"].values():
        domain["depends_on"] = []
    if draw(st.booleans()):
        other = draw(topologies())["saltern"]["domains"]
        for name, domain in other.items():
            after["saltern"]["domains"].setdefault(name, {**domain, "depends_on": []})
    for _ in range(draw(st.integers(0, 6))):
        change(draw, after)
    if draw(st.booleans()):
        used = {domain[side] for domain in after["saltern"]["domains"].values() for side in ("home", "partner")}
        for node in draw(st.sets(st.sampled_from(NODES))):
            if node not in used:
                after["saltern"]["nodes"].pop(node, None)
    return clusters(before, after)


def named(before, after):
    """The plan in which everything is named that has to be, and the names."""
    names = {refusal.name for refusal in remake(before, after).refusals if refusal.name is not None}
    return remake(before, after, names), names


@given(topologies())
@patient
def test_nothing_is_done_where_nothing_changes(data):
    cluster = topology.compile(allocated(data)).cluster
    plan = remake(cluster, cluster)
    assert (plan.steps, plan.refusals, plan.leftovers) == ((), (), ())


@given(pairs())
@settings(patient, max_examples=150)
def test_the_steps_make_of_the_nodes_what_after_says(pair):
    before, after = pair
    plan, names = named(before, after)
    if plan.refusals:
        event("refused")
        return
    event(f"{min(len(plan.steps), 50) // 10}0 steps and more")
    world = world_of(before)
    whole = {data for data, copies in world.copies().items() if copies}
    for step in plan.steps:
        apply(world, step)
        assert set(step.destroys) <= names
        whole -= destroyed(step, before)
        copies = world.copies()
        lost = [data for data in whole if not any(each.complete for each in copies[data])]
        assert lost == [], step
        running = [data for data in whole if data[0] in world.running]
        assert [data for data in running if not any(each.complete and each.following for each in copies[data])] == []
    assert_is(world, after, {(left.node, left.path) for left in plan.leftovers})
    for domain, disk, path in same_data(before, after, names):
        assert world.volumes[path].data == (domain, disk)


def same_data(before, after, names):
    """Disks that are the same by any standard: UUID, device, node and volume; and where they are."""
    former = {domain.uuid: domain for domain in before.domains.values()}
    for domain in after.domains.values():
        old = former.get(domain.uuid)
        for disk in domain.disks if old is not None else ():
            same = [(each.device, each.volume) == (disk.device, disk.volume) for each in old.disks]
            if any(same) and f"{old.name}/{disk.device}" not in names:
                group = after.nodes[domain.home].volume_group
                yield domain.uuid, disk.device, (domain.home, f"/dev/{group}/{disk.volume}")


def destroyed(step, before):
    """The data that a step may take the last copy of: the domain or the disk is named, not one of its copies."""
    found = set()
    for name in step.destroys:
        owner, _, device = name.partition("/")
        if "@" not in name:
            domain = before.domains[owner]
            found |= {(domain.uuid, disk.device) for disk in domain.disks if device in ("", disk.device)}
    return found


@given(pairs())
@settings(patient, max_examples=50)
def test_nothing_that_was_not_named_is_destroyed(pair):
    before, after = pair
    plan, names = named(before, after)
    destroying = [step for step in plan.steps if step.kind is Kind.REMOVE_REPLICA]
    assert all(step.destroys for step in destroying)
    assert {name for step in plan.steps for name in step.destroys} == (set() if plan.refusals else names)
    if names:
        unnamed = remake(before, after, sorted(names)[1:])
        assert unnamed.steps == ()
        assert sorted(names)[0] in {refusal.name for refusal in unnamed.refusals}


@given(pairs(), st.sampled_from(["dns", "vm0/xvdz", "vm0@dom7", "vm0@", "/"]))
@settings(patient, max_examples=50)
def test_a_name_of_nothing_that_goes_is_refused(pair, name):
    before, after = pair
    _, names = named(before, after)
    assume(name not in names)
    plan = remake(before, after, {*names, name})
    assert plan.steps == ()
    assert f"destroy:{name}" in [refusal.place for refusal in plan.refusals]


@given(pairs())
@settings(patient, max_examples=50)
def test_the_same_topologies_give_the_same_plan_in_whatever_order_they_are_written(pair):
    before, after = pair
    plan, names = named(before, after)
    again = remake(reversed_order(before), reversed_order(after), sorted(names, reverse=True))
    assert again == plan


def reversed_order(cluster):
    return type(cluster)(
        name=cluster.name,
        nodes=dict(reversed(cluster.nodes.items())),
        domains=dict(reversed(cluster.domains.items())),
    )


@given(pairs())
@settings(patient, max_examples=50)
def test_a_domain_stops_only_between_a_stop_and_its_start(pair):
    before, after = pair
    plan, _ = named(before, after)
    stopped = set()
    for step in plan.steps:
        if step.kind is Kind.STOP:
            assert step.stops_domain in (Span.RESTART, Span.FOREVER)
            stopped.add(step.domain)
        elif step.kind is Kind.START:
            stopped.discard(step.domain)
        elif step.kind in (Kind.MIGRATE, Kind.DISCONNECT):
            assert step.kind is Kind.DISCONNECT or step.domain not in stopped
        else:
            assert step.stops_domain is Span.NO


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_of_step_is_told_with_its_risk_and_its_way_back(kind):

    assert all(TEXTS[kind])
