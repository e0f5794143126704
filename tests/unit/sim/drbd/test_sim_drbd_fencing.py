"""What DRBD does with a handler ``fence-peer``: conn_try_outdate_peer() and drbd_set_role() of 8.4.11, and the same in 9."""

import pytest
from fenced import Handler
from test_sim_drbd_kernel import NODES, Pair

from saltern.sim import drbd
from saltern.sim.drbd.kernel import Disk
from saltern.sim.world import World

STONITH = "fencing resource-and-stonith;"


@pytest.fixture(params=["8.4", "9"])
def fenced(request: pytest.FixtureRequest) -> Pair:
    """Synchronised, node1 Primary; both sides have the policy, and a handler."""
    pair = Pair(request.param)
    pair.configure(**{"net" if pair.generation == "9" else "disk": STONITH})
    for node in pair.world.nodes.values():
        text, mode = node.files["/etc/drbd.d/r.res"]
        handlers = 'handlers { fence-peer "/usr/lib/saltern/guard fence-peer"; }'
        node.files["/etc/drbd.d/r.res"] = (text.replace("resource r {", f"resource r {{ {handlers}"), mode)
    pair.both("create-md")
    pair.both("up")
    pair.wait(1)
    pair.ok("node1", "primary", "--force")
    pair.wait(10)
    assert pair.state("node1") == "Established Primary/Secondary UpToDate/UpToDate"
    return pair


def shown(pair: Pair, node: str) -> str:
    """What ``drbdsetup events2`` says of the I/O of the resource."""
    text = drbd.run(pair.world, node, ["drbdsetup", "events2", "--now"]).stdout
    return text.partition("suspended:")[2].split()[0]


def lose(pair: Pair) -> None:
    pair.world.cut_link(*NODES)
    pair.wait()


def test_a_primary_that_loses_its_peer_waits_for_its_handler(fenced: Pair) -> None:
    handler = Handler(fenced.world)
    lose(fenced)
    assert shown(fenced, "node1") == "fencing"
    assert not fenced.write("node1", 1)
    assert [(call.node, call.resource, call.command) for call in handler.calls] == [
        ("node1", "r", "/usr/lib/saltern/guard fence-peer")
    ]
    assert handler.calls[0].environ["DRBD_RESOURCE"] == "r"
    assert handler.calls[0].environ["DRBD_PEER_ADDRESS"] == "10.0.0.2"
    fenced.wait(3600)
    assert not fenced.write("node1", 1), "there is no time limit"
    handler.ends(4)
    assert shown(fenced, "node1") == "no"
    assert fenced.write("node1", 1)


def test_a_secondary_that_loses_its_peer_asks_nobody(fenced: Pair) -> None:
    fenced.ok("node1", "secondary")
    handler = Handler(fenced.world)
    lose(fenced)
    assert handler.calls == []
    assert [shown(fenced, node) for node in NODES] == ["no", "no"]


@pytest.mark.parametrize(
    ("code", "goes_on", "peer_disk"),
    [
        (0, False, Disk.UNKNOWN),
        (1, False, Disk.UNKNOWN),
        (2, False, Disk.UNKNOWN),
        (3, True, Disk.INCONSISTENT),
        (4, True, Disk.OUTDATED),
        (5, True, Disk.OUTDATED),
        (6, False, Disk.UNKNOWN),
        (7, True, Disk.OUTDATED),
        (127, False, Disk.UNKNOWN),
    ],
)
def test_each_exit_code_says_what_the_other_copy_counts_as(
    fenced: Pair, code: int, goes_on: bool, peer_disk: Disk
) -> None:
    Handler(fenced.world, code)
    lose(fenced)
    assert fenced.write("node1", 1) is goes_on
    assert fenced.device("node1").peer_disk is peer_disk
    assert fenced.device("node1").disk is Disk.UP_TO_DATE, "a Primary does not outdate itself"


def test_without_anything_that_answers_it_waits_until_the_peer_is_back(fenced: Pair) -> None:
    lose(fenced)  # the program of the handler is not there
    fenced.wait(3600)
    assert not fenced.write("node1", 1)
    fenced.world.heal_link(*NODES)
    fenced.wait()
    assert fenced.state("node1") == "Established Primary/Secondary UpToDate/UpToDate"
    assert shown(fenced, "node1") == "no"
    assert fenced.write("node1", 1)


def test_what_was_not_written_alone_needs_no_synchronisation(fenced: Pair) -> None:
    before = fenced.meta("node1").current
    lose(fenced)
    assert fenced.meta("node1").current == before, "no new generation while nothing is written"
    Handler(fenced.world, 4)
    fenced.world.heal_link(*NODES)
    fenced.wait()
    assert fenced.meta("node1").current == before
    lose(fenced)
    assert fenced.meta("node1").current != before


def test_an_answer_that_comes_after_the_sides_have_met_counts_for_nothing(fenced: Pair) -> None:
    handler = Handler(fenced.world)
    lose(fenced)
    fenced.world.heal_link(*NODES)
    fenced.wait()
    lose(fenced)
    assert len(handler.calls) == 2
    handler.ends(4, call=0)
    assert shown(fenced, "node1") == "fencing"
    handler.ends(4)
    assert shown(fenced, "node1") == "no"


def test_an_answer_to_a_node_without_power_counts_for_nothing(fenced: Pair) -> None:
    handler = Handler(fenced.world)
    lose(fenced)
    fenced.world.power_cut("node1")
    fenced.world.boot("node1")
    handler.ends(4)
    assert fenced.device("node1").peer_disk is Disk.UNKNOWN


def test_resume_io_goes_on_with_a_new_generation(fenced: Pair) -> None:
    before = fenced.meta("node1").current
    lose(fenced)
    fenced.ok("node1", "resume-io")
    assert fenced.write("node1", 1)
    assert fenced.meta("node1").current != before


def test_the_copy_that_was_left_behind_is_outdated_and_synchronised_later(fenced: Pair) -> None:
    Handler(fenced.world, 4)
    lose(fenced)
    fenced.ok("node2", "outdate")
    assert fenced.write("node1", *range(5))
    assert fenced.adm("node2", "primary").returncode == 17
    fenced.world.heal_link(*NODES)
    fenced.wait()
    assert fenced.records("node1") == fenced.records("node2")


# --- Promotion -----------------------------------------------------------------------------------------------------------
@pytest.fixture
def parted(fenced: Pair) -> Pair:
    """Both Secondary and out of each other's sight, both UpToDate."""
    fenced.ok("node1", "secondary")
    lose(fenced)
    return fenced


@pytest.mark.parametrize(("code", "promoted"), [(1, False), (3, True), (4, True), (5, True), (7, True), (127, False)])
def test_a_promotion_out_of_sight_of_the_peer_asks_the_handler(parted: Pair, code: int, promoted: bool) -> None:
    handler = Handler(parted.world, *[code] * 4)
    found = parted.adm("node2", "primary")
    assert (found.returncode == 0) is promoted
    assert len(handler.calls) == (1 if promoted else 4), "it is tried four times"
    if promoted:
        assert parted.write("node2", 1)
    else:
        assert "(-7) Refusing to be Primary while peer is not outdated" in found.stderr


def test_a_peer_that_is_active_outdates_who_would_be_promoted(parted: Pair) -> None:
    Handler(parted.world, 6)
    assert parted.adm("node2", "primary").returncode == 17
    assert parted.device("node2").disk is Disk.OUTDATED


def test_force_goes_on_without_an_answer(parted: Pair) -> None:
    Handler(parted.world, *[1] * 4)
    assert parted.adm("node2", "primary", "--force").returncode == 0


def test_a_promotion_in_sight_of_the_peer_asks_nobody(fenced: Pair) -> None:
    handler = Handler(fenced.world)
    fenced.ok("node1", "secondary")
    fenced.ok("node2", "primary")
    assert handler.calls == []
    assert fenced.write("node2", 1)


def test_a_copy_that_was_not_seen_since_the_boot_becomes_good_by_the_answer(parted: Pair) -> None:
    parted.lose_power("node2")
    parted.ok("node2", "up")
    assert parted.device("node2").disk is Disk.CONSISTENT
    Handler(parted.world, 1, 1, 1, 1)
    assert parted.adm("node2", "primary").returncode == 17
    Handler(parted.world, 7)
    parted.ok("node2", "primary")
    assert parted.state("node2") == "Connecting Primary/Unknown UpToDate/Outdated"


def test_who_has_gone_on_alone_and_is_demoted_may_be_promoted_again(parted: Pair) -> None:
    handler = Handler(parted.world, 7)
    for verb in ("primary", "secondary", "primary"):
        parted.ok("node2", verb)
    assert len(handler.calls) == 1


# --- Two Primaries, and configurations --------------------------------------------------------------------------------
def test_of_two_primaries_each_waits_when_they_lose_each_other(fenced: Pair) -> None:
    for node in NODES:
        subject = ["r", "1" if node == "node1" else "0"] if fenced.generation == "9" else []
        if not subject:
            ends = [f"ipv4:10.0.0.{number}:7000" for number in ((1, 2) if node == "node1" else (2, 1))]
            subject = ends
        assert (
            drbd.run(fenced.world, node, ["drbdsetup", "net-options", *subject, "--allow-two-primaries=yes"]).returncode
            == 0
        )
    fenced.ok("node2", "primary")
    handler = Handler(fenced.world)
    lose(fenced)
    assert sorted(call.node for call in handler.calls) == list(NODES)
    assert [shown(fenced, node) for node in NODES] == ["fencing", "fencing"]
    handler.ends(4, call=0)
    assert sorted(shown(fenced, node) for node in NODES) == ["fencing", "no"]


def test_protocol_a_is_refused_with_it() -> None:
    for generation in ("8.4", "9"):
        pair = Pair(generation)
        pair.configure(
            **{"net": f"protocol A; {STONITH}"} if generation == "9" else {"net": "protocol A;", "disk": STONITH}
        )
        pair.both("create-md")
        found = pair.adm("node1", "up")
        assert found.returncode == 1
        assert "(154) Fencing policy resource-and-stonith only with prot B or C allowed" in found.stderr


def test_a_resource_that_runs_takes_the_policy_over_and_gives_it_back(fenced: Pair) -> None:
    with_it = {name: node.files["/etc/drbd.d/r.res"] for name, node in fenced.world.nodes.items()}
    fenced.configure()
    fenced.both("adjust")
    lose(fenced)
    assert shown(fenced, "node1") == "no"
    assert fenced.write("node1", 1)
    fenced.world.heal_link(*NODES)
    fenced.wait(10)
    for name, file in with_it.items():
        fenced.world.nodes[name].files["/etc/drbd.d/r.res"] = file
    fenced.both("adjust")
    assert fenced.adm("node1", "-d", "adjust").stdout == ""
    lose(fenced)
    assert shown(fenced, "node1") == "fencing"


def test_the_state_of_a_handler_is_kept_with_the_world(fenced: Pair) -> None:
    handler = Handler(fenced.world)
    lose(fenced)
    fenced.world = World.from_json(fenced.world.to_json())
    assert shown(fenced, "node1") == "fencing"
    handler.world = fenced.world
    handler.ends(7)
    assert shown(fenced, "node1") == "no"


def test_a_file_without_a_handler_answers_nothing(fenced: Pair) -> None:
    for node in fenced.world.nodes.values():
        text, mode = node.files["/etc/drbd.d/r.res"]
        node.files["/etc/drbd.d/r.res"] = (text.replace('fence-peer "/usr/lib/saltern/guard fence-peer";', ""), mode)
    handler = Handler(fenced.world)
    lose(fenced)
    assert handler.calls == []
    assert shown(fenced, "node1") == "fencing"
