"""Whether a domain can be moved, from what both nodes told."""

from dataclasses import replace

import pytest
from pair import slices

from saltern.errors import Refused
from saltern.model.operation import Half, OperationKind, Planned, Standing
from saltern.model.survey import DiskSide, Survey
from saltern.plan import migrate, selection
from saltern.units import GIB, MIB

SHARE = slices()["dom0"]
DNS = SHARE.domains["dns"]
HERE = DiskSide(
    role="Primary",
    disk="UpToDate",
    connection="Connected",
    partner_role="Secondary",
    partner_disk="UpToDate",
    protocol="C",
    synchronised_percent=None,
)
THERE = replace(HERE, role="Secondary", partner_role="Primary")


def survey(node: str, condition: str | None, side: DiskSide, **more: object) -> Survey:
    told = {"memory_bytes": None, "obstacles": (), "free_memory_bytes": GIB, "standing": None, "stopped": None}
    return Survey(**{"node": node, "condition": condition, "sides": {"dns": side}, **told, **more})


SOURCE, TARGET = survey("dom0", "running", HERE), survey("dom0m", None, THERE)


def decide(source: Survey = SOURCE, target: Survey = TARGET, to: str | None = None) -> Planned | None:
    return migrate.decide(DNS, {"dom0": source, "dom0m": target}, target=to)


@pytest.mark.parametrize("to", [None, "dom0m"])
def test_a_domain_moves_to_where_it_does_not_run(to) -> None:
    assert decide(to=to) == Planned(kind=OperationKind.MIGRATE, domain="dns", source="dom0", target="dom0m")


def test_a_domain_that_is_away_moves_home() -> None:
    moved = decide(survey("dom0", None, THERE), survey("dom0m", "running", HERE))
    assert moved == Planned(kind=OperationKind.MIGRATE, domain="dns", source="dom0m", target="dom0")


def test_a_domain_that_runs_there_already_is_left() -> None:
    assert decide(to="dom0") is None


def test_a_node_without_its_replica_is_refused() -> None:
    with pytest.raises(Refused, match="cannot move from dom0 to dom7: dom7 has no replica of it; dom0m has"):
        decide(to="dom7")


@pytest.mark.parametrize(
    ("here", "there", "told"),
    [
        (None, None, "nowhere"),
        ("running", "running", "running on dom0 and running on dom0m"),
        ("running", "incoming", "incoming on dom0m"),
        ("paused", None, "paused on dom0"),
        ("migratedaway", None, "migratedaway on dom0"),
    ],
)
def test_only_what_runs_once_and_nowhere_half_is_moved(here, there, told) -> None:
    with pytest.raises(Refused, match=told):
        decide(replace(SOURCE, condition=here), replace(TARGET, condition=there))


def test_a_domain_goes_only_where_the_guard_lets_it_run() -> None:
    alone = "neither dom0 nor the witness answers"
    with pytest.raises(Refused, match=f"dom0m: {alone}"):
        decide(target=replace(TARGET, against_start=alone))
    assert decide(source=replace(SOURCE, against_start=alone)) is not None
    assert f"dns: dom0m: {alone}" in selection.not_ready(
        "dom0m", {"dns": {"dom0m": replace(TARGET, against_start=alone)}}
    )


def test_what_its_xen_cannot_move_as_it_runs_is_moved_by_a_shutdown_only() -> None:
    source = replace(SOURCE, against_live="it is a PV domain")
    with pytest.raises(Refused, match="dom0: it is a PV domain: with `offline: True` it can move"):
        decide(source)
    offline = migrate.decide(DNS, {"dom0": source, "dom0m": TARGET}, kind=OperationKind.OFFLINE)
    assert offline is not None
    assert decide(target=replace(TARGET, against_live="it is a PV domain")) is not None


def test_every_reason_is_told_at_once() -> None:
    outdated = replace(SOURCE, sides={"dns": replace(HERE, partner_disk="Outdated", partner_role="Primary")})
    poor = replace(TARGET, free_memory_bytes=1, obstacles=("dns.cfg is not what the topology says",))
    with pytest.raises(Refused) as refused:
        decide(outdated, poor, to="dom7")
    for reason in ("no replica", "Outdated on dom0m", "Primary on dom0m", "it needs 64M", "dns.cfg is not"):
        assert reason in str(refused.value)


def test_what_moves_as_it_runs_needs_the_memory_that_it_has_and_else_that_of_the_topology() -> None:
    """Another size in the topology takes effect at the next start only."""
    source, poor = (
        replace(SOURCE, memory_bytes=DNS.memory_bytes * 2),
        replace(TARGET, free_memory_bytes=DNS.memory_bytes),
    )
    with pytest.raises(Refused, match="it needs 128M, the hypervisor of dom0m has 64M free"):
        decide(source, poor)
    assert migrate.decide(DNS, {"dom0": source, "dom0m": poor}, kind=OperationKind.OFFLINE) is not None
    assert decide(replace(SOURCE, memory_bytes=1), replace(TARGET, free_memory_bytes=1)) is not None


def test_memory_that_others_need_who_go_there_first_is_told_apart_from_what_is_free() -> None:
    surveys = {"dom0": SOURCE, "dom0m": replace(TARGET, free_memory_bytes=DNS.memory_bytes + 1)}
    assert migrate.decide(DNS, surveys, promised_bytes={"dom0m": 1}) is not None
    with pytest.raises(Refused, match="has 65M free, 2M of that for what goes there before it"):
        surveys["dom0m"] = replace(TARGET, free_memory_bytes=65 * MIB)
        migrate.decide(DNS, surveys, promised_bytes={"dom0m": 2 * MIB})


@pytest.mark.parametrize(
    ("side", "told"),
    [
        ({"connection": "StandAlone"}, "StandAlone"),
        ({"role": "Secondary"}, "Secondary on dom0, where the domain runs"),
        ({"disk": "Diskless"}, "Diskless on dom0"),
        ({"partner_disk": "Inconsistent"}, "Inconsistent on dom0m, and no synchronisation"),
    ],
)
def test_disks_that_time_does_not_heal_are_refused(side, told) -> None:
    with pytest.raises(Refused, match=told):
        decide(replace(SOURCE, sides={"dns": replace(HERE, **side)}))


@pytest.mark.parametrize(
    ("side", "told"),
    [
        ({"partner_disk": "Inconsistent", "synchronised_percent": 41.5}, "being synchronised: 41.5 %"),
        ({"connection": "Connecting", "partner_disk": "DUnknown", "partner_role": "Unknown"}, "not connected"),
    ],
)
def test_disks_that_time_heals_are_waited_for(side, told) -> None:
    moved = decide(replace(SOURCE, sides={"dns": replace(HERE, **side)}))
    assert moved is not None
    (wait,) = moved.waits_for
    assert told in wait
    assert str(moved) == f"dns moves from dom0 to dom0m, but waits while {wait}"


def halves() -> dict[str, object]:
    move = decide()
    assert move is not None
    return selection.halves(move, DNS, slices()["dom0m"], identifier="0a1b", owner="root", since="now")


def test_the_target_is_told_first_and_each_node_of_its_half() -> None:
    entries = halves()
    assert [(node, entry.half) for node, entry in entries.items()] == [("dom0m", Half.TARGET), ("dom0", Half.SOURCE)]
    assert {entry.address for entry in entries.values()} == {"192.168.1.191"}
    assert {entry.resources for entry in entries.values()} == {("dns",)}


@pytest.mark.parametrize(
    ("alive", "told"),
    [(True, "somebody works on it"), (False, r"left half-done: `salt-run cluster.recover dns` settles it\)")],
)
def test_a_domain_that_is_in_another_operation_is_refused(alive, told) -> None:
    standing = Standing(operation=halves()["dom0"], alive=alive)
    with pytest.raises(Refused, match=told):
        decide(replace(SOURCE, standing=standing))


def test_ones_own_operation_is_no_obstacle_and_a_lost_one_is() -> None:
    entries = halves()
    own = {node: Standing(operation=entry, alive=True) for node, entry in entries.items()}
    surveys = {"dom0": replace(SOURCE, standing=own["dom0"]), "dom0m": replace(TARGET, standing=own["dom0m"])}
    assert migrate.decide(DNS, selection.without({"dns": surveys}, "0a1b")["dns"]) == decide()
    assert selection.entered({"dns": surveys}, "0a1b") == (decide(),)
    selection.require_entered(decide(), surveys, "0a1b")
    back = Planned(kind=OperationKind.MIGRATE, domain="dns", source="dom0m", target="dom0")
    for planned, identifier, told in (
        (decide(), "ffff", surveys),
        (decide(), "0a1b", {**surveys, "dom0m": TARGET}),
        (back, "0a1b", surveys),
    ):
        with pytest.raises(Refused, match="is not entered, or no longer"):
            selection.require_entered(planned, told, identifier)


def test_a_domain_has_arrived_when_it_runs_there_alone_and_nothing_is_left() -> None:
    there, here = survey("dom0m", "running", HERE), survey("dom0", None, THERE)
    assert migrate.arrived({"dom0": here, "dom0m": there}, "dom0m") == []
    both = replace(there, sides={"dns": replace(HERE, partner_role="Primary")})
    for surveys in (
        {"dom0": replace(here, condition="migratedaway"), "dom0m": there},
        {"dom0": here, "dom0m": replace(there, condition="paused")},
        {"dom0": here, "dom0m": both},
        {"dom0": here, "dom0m": replace(there, standing=Standing(operation=halves()["dom0m"], alive=True))},
    ):
        assert len(migrate.arrived(surveys, "dom0m")) == 1


def test_a_disk_that_is_replicated_with_delay_moves_offline_only() -> None:
    source = replace(SOURCE, sides={"dns": replace(HERE, protocol="A")})
    with pytest.raises(Refused, match="protocol A, and two Primaries need C: with `offline: True`"):
        decide(source)
    moved = migrate.decide(DNS, {"dom0": source, "dom0m": TARGET}, kind=OperationKind.OFFLINE)
    assert moved is not None
