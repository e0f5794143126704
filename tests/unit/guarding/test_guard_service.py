"""The loop around the decisions: what it makes of looks that are old, of answers, and of being told to end."""

import errno
import json
import shutil
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from saltern.errors import Refused
from saltern.guard.acts import Demote, Disarm, Promote, Start
from saltern.guard.facts import Facts, Seen
from saltern.guard.knowledge import WITNESS
from saltern.guard.messages import Beat, Denied, Deny, End, Ended, GoOn, Granted, No, Yes
from saltern.guard.peer import Declaration
from saltern.guard.times import Times
from saltern.guarding.agents import Fenced
from saltern.guarding.doing import Ended as Came
from saltern.guarding.ending import PATIENCE_S
from saltern.guarding.journal import Journal
from saltern.guarding.looking import Happened, Look
from saltern.guarding.service import GuardService
from saltern.guarding.settings import GuardedDomain, GuardSettings, Party, Place
from saltern.guarding.store import GuardStore
from saltern.guarding.transport import Heard
from saltern.model.places import GUARD_SOCKET
from saltern.model.topology import FenceAgent
from saltern.run import LocalHost

DNS = GuardedDomain(name="dns", uuid="u1", partner="dom0m", resources=("dns",), memory_bytes=1)
PARTY = Party(address="127.0.0.1", port=1, key="k")
TIMES = Times()
SETTINGS = GuardSettings(
    version=1,
    node="dom0",
    listen=Place(address="127.0.0.1", port=1),
    partners={"dom0m": PARTY},
    witness=PARTY,
    domains=(DNS,),
)
RUNS = Seen(running=frozenset({"dns"}), connected=frozenset({"dns"}), mirrored=frozenset({"dns"}))


class Bench:
    """A guard on a clock that is set by hand; what it sends, winds up and does is kept, and nothing is done."""

    def __init__(self, root: str) -> None:
        self.host = LocalHost(root=root)
        self.host.write_text("/proc/sys/kernel/random/boot_id", "one\n", 0o444)
        self.root = root
        self.now_s = 1000.0
        self.sent: list[tuple[str, Any]] = []
        self.answers: list[Any] = []
        self.wound_s: list[float] = []
        self.armed = False
        self.did: list[tuple[str, str]] = []
        self.service = self.begin()

    def begin(self, facts: Facts | None = None, settings: GuardSettings = SETTINGS) -> GuardService:
        store = GuardStore(self.host, lambda: 1.0)
        if facts is not None:
            store.keep(facts)
        journal = Journal(self.host, "guard")
        service = GuardService(self.host, self.root, settings, store, self, self, journal, lambda: self.now_s)  # type: ignore[arg-type]
        service._doing.start = lambda domain: self.did.append(("start", domain))  # type: ignore[method-assign]
        service._doing.stop = lambda domain: self.did.append(("stop", domain))  # type: ignore[method-assign]
        service._doing.resume_io = lambda domain: self.did.append(("resume-io", domain))  # type: ignore[method-assign]
        service._doing.outdate = lambda domain: self.did.append(("outdate", domain))  # type: ignore[method-assign]
        service._doing.promote = lambda domain: self.did.append(("promote", domain))  # type: ignore[method-assign]
        service._doing.demote = lambda domain: self.did.append(("demote", domain))  # type: ignore[method-assign]
        service._agents.fence = lambda node: self.did.append(("fence", node))  # type: ignore[method-assign]
        self.service = service
        return service

    # What stands for the transport and for the watchdog.
    def send(self, to: str, message: Any) -> None:
        self.sent.append((to, message))

    def answer(self, heard: Heard, answer: Any) -> None:
        self.answers.append(answer)

    def wind_up(self, timeout_s: int) -> None:
        self.armed = True
        self.wound_s.append(self.now_s)

    def disarm(self) -> None:
        self.armed = False

    def close(self) -> None:
        pass

    # What a test does.
    def see(self, seen: Seen, ago_s: float = 0.0) -> None:
        self.service._looking.latest = Look(self.now_s - ago_s, seen, {})

    def turn(self, after_s: float = 0.0) -> None:
        self.now_s += after_s
        self.service._turn()

    def hear(self, sender: str, content: Any) -> None:
        """A beat is that of a guard which was told the same, where it says nothing else."""
        if isinstance(content, Beat) and not content.terms:
            content = content._replace(terms=frozenset({("dom0", self.service._settings.terms["dom0m"])}))
        self.service._hear(Heard(sender, content, b""))

    def beats(self, to: str) -> list[Beat]:
        return [message for name, message in self.sent if name == to and isinstance(message, Beat)]

    def lease(self) -> None:
        """Its last beats to both others are answered."""
        for name in ("dom0m", WITNESS):
            self.hear(name, Yes(self.beats(name)[-1].number))


@pytest.fixture
def bench() -> Iterator[Bench]:
    root = tempfile.mkdtemp(prefix="saltern-")
    made = Bench(root)
    yield made
    made.service._door.close()
    shutil.rmtree(root, ignore_errors=True)


def leased(bench: Bench) -> None:
    bench.see(RUNS)
    bench.turn()
    bench.lease()


def test_as_long_as_a_lease_runs_the_watchdog_is_wound_up_and_nothing_stops(bench: Bench) -> None:
    leased(bench)
    bench.turn(TIMES.lease_s - 1)
    assert bench.wound_s[-1] == bench.now_s
    assert bench.did == []


def test_when_the_lease_has_ended_the_domain_is_stopped_and_the_watchdog_no_longer_wound_up(bench: Bench) -> None:
    leased(bench)
    bench.turn(TIMES.lease_s + 0.1)
    assert bench.did == [("stop", "dns")]
    assert bench.wound_s[-1] < bench.now_s


@pytest.mark.parametrize(("ago_s", "winds_up"), [(1.0, False), (0.2, True)])
def test_only_a_look_that_began_after_the_end_of_a_lease_tells_that_nothing_runs(
    bench: Bench, ago_s: float, winds_up: bool
) -> None:
    leased(bench)
    bench.now_s += TIMES.lease_s + 0.5
    bench.see(Seen(), ago_s)
    bench.turn()
    assert (bench.wound_s[-1] == bench.now_s) is winds_up


def test_after_a_lease_an_old_look_tells_nothing(bench: Bench) -> None:
    leased(bench)
    bench.now_s += TIMES.lease_s + TIMES.dead_s + 2
    bench.see(Seen(), TIMES.dead_s + 1)
    bench.turn()
    assert bench.did == [("stop", "dns")]


def test_what_cannot_be_seen_may_be_running(bench: Bench) -> None:
    leased(bench)
    bench.service._looking.latest = None
    bench.turn(TIMES.lease_s + 0.1)
    assert bench.did == [("stop", "dns")]
    assert bench.service._status()["domains"]["dns"]["running"] is None


def test_a_guard_that_is_started_again_keeps_to_the_lease_it_had(bench: Bench) -> None:
    leased(bench)
    bench.service._door.close()
    bench.begin()
    bench.see(RUNS)
    bench.turn(TIMES.lease_s + 0.1)
    assert bench.did == [("stop", "dns")]


def test_a_lease_is_kept_before_anybody_is_told_of_it(bench: Bench) -> None:
    leased(bench)
    assert bench.service._store.renewed() is not None
    bench.turn(TIMES.beat_s)
    assert bench.beats("dom0m")[-1].covered


DEAD = Facts(1, {"dom0m": 3}, {"dom0m": Declaration(3, 5, frozenset())}, frozenset({"dns"}))


def dead(bench: Bench) -> None:
    """The partner is proven dead, and the witness says so still."""
    bench.service._door.close()
    bench.begin(DEAD)
    bench.turn()
    bench.hear(WITNESS, Yes(bench.beats(WITNESS)[-1].number, frozenset({("dom0m", 5)})))


def test_what_a_dead_node_ran_is_started_unless_the_guard_is_paused(bench: Bench) -> None:
    dead(bench)
    bench.see(Seen(startable=frozenset({"dns"}), free_bytes=1))
    bench.service._answer({"ask": "pause", "who": "anna"})
    bench.turn()
    assert bench.did == []
    bench.service._answer({"ask": "resume"})
    bench.turn()
    assert bench.did == [("start", "dns")]


def test_what_is_being_started_counts_as_running(bench: Bench) -> None:
    dead(bench)
    bench.see(Seen(startable=frozenset({"dns"}), free_bytes=1))
    bench.service._doing._starting.add("dns")
    bench.turn()
    assert bench.did == []
    bench.turn(TIMES.lease_s + 0.1)
    assert bench.did == [("stop", "dns")]


def go_on(bench: Bench) -> Any:
    return bench.service._answer({"ask": "go on", "resource": "dns"})["answer"]


def test_drbd_is_told_what_is_proven_or_promised_and_to_wait_for_it(bench: Bench) -> None:
    leased(bench)
    assert go_on(bench) == "wait"
    bench.see(Seen(running=frozenset({"dns"}), lost=frozenset({"dns"})))
    bench.turn(TIMES.beat_s)
    asked = [message for _, message in bench.sent if type(message).__name__ == "GoOn"][-1]
    bench.hear(WITNESS, Granted(asked.number, "dns", True))
    assert go_on(bench) == "alone"
    bench.see(Seen())
    assert bench.service._answer({"ask": "go on", "resource": "strange"})["answer"] == "no"


def granted(bench: Bench, by: str) -> None:
    """The other copy goes out of sight, and whoever is asked says that it counts as outdated."""
    leased(bench)
    bench.see(Seen(running=frozenset({"dns"}), lost=frozenset({"dns"})))
    bench.turn(TIMES.beat_s)
    asked = [message for to, message in bench.sent if to == by and isinstance(message, GoOn)][-1]
    bench.hear(by, Granted(asked.number, "dns", True))


@pytest.mark.parametrize("by", ["dom0m", WITNESS])
def test_a_promise_is_not_given_up_on_a_look_that_began_before_drbd_was_told(bench: Bench, by: str) -> None:
    granted(bench, by)
    same = Seen(running=frozenset({"dns"}), settled=frozenset({"dns"}), connected=frozenset({"dns"}))
    assert go_on(bench) == "alone"
    bench.see(same, ago_s=0.1)
    bench.turn()
    assert bench.service._store.facts.alone == {"dns"}
    assert go_on(bench) == "alone"
    bench.now_s += 1
    bench.see(same)
    bench.turn()
    assert bench.service._store.facts.alone == set()
    assert go_on(bench) == "wait"


def test_what_was_granted_is_of_no_use_for_the_next_loss(bench: Bench) -> None:
    granted(bench, "dom0m")
    assert bench.service._answer({"ask": "lost", "resource": "dns"})["answer"] == "wait"
    assert go_on(bench) == "wait"


def test_drbd_is_told_to_go_on_when_its_handler_has_not_done_so(bench: Bench) -> None:
    granted(bench, "dom0m")
    waits = Seen(running=frozenset({"dns"}), lost=frozenset({"dns"}), waiting=frozenset({"dns"}))
    bench.see(waits)
    bench.turn()
    bench.now_s += TIMES.dead_s
    bench.see(waits)
    bench.turn()
    assert bench.did == []
    asked = [message for to, message in bench.sent if to == "dom0m" and isinstance(message, GoOn)][-1]
    bench.hear("dom0m", Granted(asked.number, "dns", True))
    assert bench.did == [("resume-io", "dns")]


@pytest.mark.parametrize(("reason", "given"), [(None, True), ("DRBD refuses it", False)])
def test_a_partner_is_answered_when_it_is_known_whether_the_copy_here_is_outdated(
    bench: Bench, reason: str | None, given: bool
) -> None:
    bench.turn()
    bench.hear("dom0m", GoOn("dns", "dom0m", 2, 9))
    bench.hear("dom0m", GoOn("strange", "dom0m", 2, 10))
    assert bench.did == [("outdate", "dns")]
    bench.turn()
    assert bench.answers == []
    bench.service._doing._ended.put(Came("outdate", "dns", reason))
    bench.turn()
    assert bench.answers == [Granted(9, "dns", given)]


def test_copies_that_have_met_are_told_until_the_guard_has_acted_on_that(bench: Bench) -> None:
    """Two looks may end before the guard has a turn: it is busy with its disk."""
    looking, told = bench.service._looking, []
    for happened in (Happened(("dns",), ("dns",)), Happened()):
        bench.now_s += 1
        looking._keep(Look(bench.now_s, RUNS, {}), happened)
        assert looking.latest is not None
        told.append((looking.latest.seen.met, looking.latest.seen.away))
    bench.turn()
    looking._keep(Look(bench.now_s + 1, RUNS, {}), Happened())
    assert looking.latest is not None
    told.append((looking.latest.seen.met, looking.latest.seen.away))
    assert told == [({"dns"}, {"dns"}), ({"dns"}, {"dns"}), (frozenset(), frozenset())]


def test_that_copies_are_in_sight_counts_from_the_look_after_the_one_that_has_seen_that_drbd_asks(bench: Bench) -> None:
    """A look reads first what is connected, and then whether DRBD asks: in between it may have gone on alone unasked."""
    looking, told = bench.service._looking, []
    for unfenced in (frozenset({"dns"}), frozenset[str](), frozenset[str](), None, frozenset[str]()):
        bench.now_s += 1
        looking._keep(Look(bench.now_s, replace(RUNS, unfenced=unfenced), {}), Happened())
        assert looking.latest is not None
        told.append(looking.latest.seen.mirrored)
    assert told == [frozenset(), frozenset(), {"dns"}, {"dns"}, {"dns"}]


@pytest.mark.parametrize("reason", [None, "another node is Primary"])
def test_what_has_come_of_a_promotion_is_told_to_the_guard(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, reason: str | None
) -> None:
    told: list[tuple[str, str | None]] = []
    monkeypatch.setattr(bench.service._guard, "promoted", lambda domain, refused, _: told.append((domain, refused)))
    bench.service._do([Promote("dns"), Demote("dns")])
    assert bench.did == [("promote", "dns"), ("demote", "dns")]
    for what in ("promote", "demote"):
        bench.service._doing._ended.put(Came(what, "dns", reason))
    bench.turn()
    assert told == [("dns", reason)]


def test_a_start_that_has_failed_is_tried_again_after_a_while(bench: Bench) -> None:
    dead(bench)
    bench.see(Seen(startable=frozenset({"dns"}), free_bytes=1))
    bench.turn()
    bench.service._doing._ended.put(Came("start", "dns", "xl says no"))
    bench.turn()
    assert bench.did == [("start", "dns")]
    assert "xl says no" in bench.service._status()["refused"]["dns"]
    bench.turn(3)
    assert bench.did == [("start", "dns")] * 2


def test_a_domain_may_be_started_by_hand_under_a_lease_only(bench: Bench) -> None:
    def allowed() -> Any:
        return bench.service._answer({"ask": "start", "domain": "dns"})["allowed"]

    assert not allowed()
    leased(bench)
    assert allowed()
    bench.now_s += TIMES.lease_s + 0.1
    assert not allowed()
    assert bench.service._answer({"ask": "start", "domain": "other"})["allowed"]


def test_who_shall_end_says_so_and_ends_when_the_witness_has_heard_it(bench: Bench) -> None:
    leased(bench)
    early = bench.beats(WITNESS)[-1].number
    bench.turn(TIMES.beat_s)
    assert not bench.beats(WITNESS)[-1].leaving
    bench.service.end()
    bench.turn(TIMES.beat_s)
    assert bench.beats(WITNESS)[-1].leaving
    for answer in (Yes(early), No(bench.beats(WITNESS)[-1].number, 4, declared=True)):
        bench.hear(WITNESS, answer)
        bench.turn()
        assert not bench.service._may_end()
    bench.hear(WITNESS, Yes(bench.beats(WITNESS)[-1].number))
    bench.turn()
    assert bench.service._may_end()
    bench.service._end()
    assert not bench.armed
    assert bench.service._store.renewed() is None


def test_who_runs_nothing_ends_when_that_is_known_too_for_it_would_be_taken_for_lost_and_switched_off(
    bench: Bench,
) -> None:
    leased(bench)
    bench.see(Seen())
    bench.service.end()
    assert not bench.service._may_end()
    bench.turn(TIMES.beat_s)
    bench.hear(WITNESS, Yes(bench.beats(WITNESS)[-1].number))
    bench.turn()
    assert bench.service._may_end()


def test_who_runs_nothing_waits_for_nobody_who_is_not_there(bench: Bench) -> None:
    leased(bench)
    bench.service.end()
    bench.now_s += 1
    bench.service.end()  # whoever says it twice begins nothing anew
    bench.now_s += TIMES.dead_s - 1
    bench.see(RUNS)
    assert not bench.service._may_end()
    bench.see(Seen())
    assert bench.service._may_end()


def test_who_has_just_started_something_does_not_end_on_an_older_look(bench: Bench) -> None:
    leased(bench)
    bench.see(Seen(), ago_s=1)
    bench.service._doing._started_s["dns"] = bench.now_s
    bench.service.end()
    bench.service._ends_from_s -= TIMES.dead_s
    assert not bench.service._may_end()


def test_who_has_just_let_a_disk_be_attached_does_not_end_on_an_older_look(bench: Bench) -> None:
    leased(bench)
    bench.see(Seen(), ago_s=1)
    assert bench.service._answer({"ask": "attach", "resource": "dns", "arrives": False, "apart": False})["allowed"]
    bench.service.end()
    bench.service._ends_from_s -= TIMES.dead_s
    assert not bench.service._may_end()
    bench.now_s += 1
    bench.see(Seen())
    assert bench.service._may_end()


def test_what_was_let_in_just_before_its_lease_has_ended_is_ended_with_it(bench: Bench) -> None:
    leased(bench)
    bench.now_s += TIMES.lease_s - 0.1
    bench.see(Seen())
    assert bench.service._answer({"ask": "attach", "resource": "dns", "arrives": False, "apart": False})["allowed"]
    bench.turn(0.2)
    assert bench.did == [("stop", "dns")]


def test_no_disk_is_attached_without_a_lease_nor_by_a_guard_that_ends(bench: Bench) -> None:
    def allowed(resource: str) -> Any:
        return bench.service._answer({"ask": "attach", "resource": resource, "arrives": False, "apart": False})[
            "allowed"
        ]

    assert not allowed("dns")
    leased(bench)
    assert allowed("dns")
    bench.service.end()
    assert not allowed("dns")
    assert allowed("a disk of somebody else")


def order(bench: Bench, number: int = 7) -> End:
    """From the partner, which has just heard this guard."""
    beat = bench.beats("dom0m")[-1]
    return End("dns", "dom0m", 2, number, beat.boot, beat.number)


def test_what_the_partner_orders_is_ended_and_answered_when_it_is_gone(bench: Bench) -> None:
    leased(bench)
    bench.hear("dom0m", order(bench))
    assert (bench.did, bench.answers) == ([("stop", "dns")], [])
    bench.service._doing._ended.put(Came("stop", "dns", None))
    bench.turn()
    assert bench.answers == [Ended(7, "dns", None)]


def test_what_does_not_go_away_is_ended_again_and_answered_with_the_reason_at_last(bench: Bench) -> None:
    leased(bench)
    bench.hear("dom0m", order(bench))
    bench.service._doing._ended.put(Came("stop", "dns", "it is\nstill here"))
    bench.turn()
    assert (bench.did, bench.answers) == ([("stop", "dns")] * 2, [])
    bench.service._doing._ended.put(Came("stop", "dns", "it is\nstill here"))
    bench.turn(PATIENCE_S)
    assert bench.answers == [Ended(7, "dns", "it is still here")]


def test_an_order_that_is_told_again_ends_nothing_and_is_answered_with_why(bench: Bench) -> None:
    leased(bench)
    told = order(bench)
    bench.hear("dom0m", told)
    bench.did.clear()
    bench.hear("dom0m", told)
    assert bench.did == []
    assert bench.answers == [Ended(7, "dns", "the order is an old one")]


def test_an_order_to_the_other_node_is_sent_and_its_answer_kept_for_who_asks(bench: Bench) -> None:
    leased(bench)
    question = {"ask": "end", "domain": "dns", "node": "dom0m"}
    with pytest.raises(Refused, match="not heard"):
        bench.service._answer(question)
    bench.hear("dom0m", Beat("dom0m", 2, 5, covered=frozenset({"dom0"})))
    number = bench.service._answer(question)["number"]
    assert [message for _, message in bench.sent if isinstance(message, End)] == [
        End("dns", "dom0", bench.service._store.facts.boot, number, 2, 5)
    ]
    assert bench.service._answer({"ask": "ended", "number": number})["gone"] is None
    bench.hear("dom0m", Ended(number, "dns", None))
    assert bench.service._answer({"ask": "ended", "number": number})["gone"] is True


def test_a_domain_is_ended_on_this_node_the_same_way(bench: Bench) -> None:
    leased(bench)
    number = bench.service._answer({"ask": "end", "domain": "dns", "node": "dom0"})["number"]
    assert bench.did == [("stop", "dns")]
    bench.service._doing._ended.put(Came("stop", "dns", None))
    bench.turn()
    assert bench.service._answer({"ask": "ended", "number": number})["gone"] is True


@pytest.mark.parametrize(("domain", "node"), [("strange", "dom0"), ("dns", "strange")])
def test_nothing_is_ended_that_is_not_of_this_node_and_its_partner(bench: Bench, domain: str, node: str) -> None:
    with pytest.raises(Refused):
        bench.service._answer({"ask": "end", "domain": domain, "node": node})


def test_nothing_is_begun_any_more_after_the_watchdog_is_given_up(bench: Bench) -> None:
    bench.service._do([Disarm(), Start("dns")])
    assert bench.did == []


def test_a_paused_guard_has_nobody_denied(bench: Bench) -> None:
    leased(bench)
    bench.hear("dom0m", Beat("dom0m", 2, 1, covered=frozenset({"dom0"})))
    bench.service._answer({"ask": "pause", "who": "anna"})
    bench.turn(TIMES.dead_s + 1)
    bench.service._answer({"ask": "resume"})
    assert not [message for _, message in bench.sent if isinstance(message, Deny)]
    bench.turn(TIMES.beat_s)
    assert [message.node for _, message in bench.sent if isinstance(message, Deny)] == ["dom0m"]


def test_what_the_witness_keeps_of_a_node_that_is_no_partner_any_more_is_passed_over(bench: Bench) -> None:
    leased(bench)
    bench.turn(TIMES.beat_s)
    bench.hear(WITNESS, Yes(bench.beats(WITNESS)[-1].number, frozenset({("gone", 3)})))
    bench.hear(WITNESS, Denied(1, "gone", 3, frozenset()))
    bench.turn(TIMES.beat_s)
    assert bench.did == []


def test_a_beat_that_comes_twice_is_answered_once(bench: Bench) -> None:
    for _ in range(2):
        bench.hear("dom0m", Beat("dom0m", 2, 7))
    bench.hear("dom0m", Beat("dom0m", 2, 6))
    bench.hear("dom0m", Beat("dom0m", 1, 99))
    assert bench.answers == [Yes(7)]


def test_an_answer_that_comes_twice_or_was_never_asked_for_renews_nothing(bench: Bench) -> None:
    leased(bench)
    before = bench.service._guard.renewed
    bench.now_s += 3
    bench.hear("dom0m", Yes(bench.beats("dom0m")[-1].number))
    bench.hear("dom0m", Yes(10**12))
    assert bench.service._guard.renewed == before


# --- Without a witness ---------------------------------------------------------------------------------------------
FENCING = replace(SETTINGS, witness=None, fencing={"dom0m": FenceAgent(agent="fence_test", options={}, timeout_s=1.0)})
LOST = Seen(startable=frozenset({"dns"}), free_bytes=1)


def silent(bench: Bench) -> None:
    """The guard has an agent and no witness; it has heard dom0m, and then not for long."""
    bench.service._door.close()
    bench.begin(settings=FENCING)
    bench.hear("dom0m", Beat("dom0m", 2, 1, covered=frozenset({"dom0"})))
    bench.now_s += 100


def says_dead(bench: Bench) -> dict[str, Any]:
    return bench.service._answer({"ask": "confirm dead", "node": "dom0m", "who": "anna"})


def test_a_silent_partner_is_switched_off_and_what_it_ran_starts_when_it_is_off(bench: Bench) -> None:
    silent(bench)
    bench.see(LOST)
    bench.turn()
    assert bench.did == [("fence", "dom0m")]
    bench.service._agents._ended.put(Fenced("dom0m", off=True))
    bench.turn()
    assert bench.did == [("fence", "dom0m"), ("start", "dns")]
    assert not bench.armed
    assert {to for to, _ in bench.sent} == {"dom0m"}


def test_drbd_hears_at_once_that_the_other_node_is_dead_when_an_orphan_is_being_started(bench: Bench) -> None:
    silent(bench)
    bench.see(LOST)
    bench.turn()
    bench.service._agents._ended.put(Fenced("dom0m", off=True))
    bench.turn()
    bench.service._doing._starting.add("dns")
    assert bench.service._answer({"ask": "lost", "resource": "dns"})["answer"] == "dead"


def test_how_much_memory_is_free_is_looked_at_before_a_partner_counts_as_lost(bench: Bench) -> None:
    silent(bench)
    bench.now_s -= 99
    assert not bench.service._looking._orphaned()
    bench.now_s += TIMES.dead_s - 1.5
    assert bench.service._looking._orphaned()
    bench.see(LOST)
    bench.turn()
    assert bench.did == []


def test_nobody_is_switched_off_while_what_replicates_here_cannot_be_seen(bench: Bench) -> None:
    silent(bench)
    for _ in range(20):
        bench.turn(after_s=1.0)
    assert bench.did == []


def test_a_node_without_a_witness_is_protected_as_long_as_its_guard_runs_and_its_partner_knows(bench: Bench) -> None:
    silent(bench)
    bench.see(RUNS)
    bench.turn()
    assert not bench.service._answer({"ask": "status"})["protected"]
    bench.hear("dom0m", Yes(bench.beats("dom0m")[-1].number))
    assert bench.service._answer({"ask": "status"})["protected"]
    bench.service.end()
    assert not bench.service._answer({"ask": "status"})["protected"]


def test_a_guard_steps_aside_and_goes_on_until_it_is_started_anew(bench: Bench) -> None:
    leased(bench)
    assert bench.service._answer({"ask": "step aside", "resources": ["dns"]}) == {"aside": False}
    bench.turn(after_s=2.0)
    assert {beat.leaving for beat in (bench.beats("dom0m")[-1], bench.beats(WITNESS)[-1])} == {True}
    bench.lease()
    assert bench.service._answer({"ask": "step aside", "resources": ["dns"]}) == {"aside": True}
    bench.turn(after_s=2.0)
    status = bench.service._answer({"ask": "status"})
    assert (status["aside"], status["ending"], status["protected"], status["current"]) == (True, False, False, False)
    assert bench.armed, "what it promised still holds"
    assert not bench.service._disarmed


def test_a_guard_that_takes_the_place_of_one_that_has_stepped_aside_has_too_until_the_boot(bench: Bench) -> None:
    """It was killed, and DRBD is about to be told, or was, to go on alone unasked."""
    leased(bench)
    bench.service._answer({"ask": "step aside", "resources": ["dns"]})
    bench.begin()
    bench.see(RUNS)
    bench.turn()
    assert {bench.beats(to)[-1].leaving for to in ("dom0m", WITNESS)} == {True}
    assert not bench.service._answer({"ask": "status"})["current"], "so that the next apply starts it anew"
    bench.host.write_text("/proc/sys/kernel/random/boot_id", "another\n", 0o444)
    bench.begin()
    bench.see(RUNS)
    bench.turn()
    assert not bench.beats(WITNESS)[-1].leaving


def test_a_guard_that_cannot_have_its_successor_step_aside_says_so_and_does_not(bench: Bench) -> None:
    leased(bench)
    bench.service._store.keep_aside = full  # type: ignore[method-assign]
    with pytest.raises(Refused, match=r"aside\.json cannot be changed: No space left"):
        bench.service._answer({"ask": "step aside", "resources": ["dns"]})
    assert not bench.service._guard.leaving


def test_what_was_proven_in_another_way_than_the_topology_has_now_is_not_told_to_drbd_as_proof(bench: Bench) -> None:
    by_lease = Facts(boot=1, met={"dom0m": 1}, declared={"dom0m": Declaration(1, 5, frozenset())})
    bench.service._door.close()
    assert bench.begin(by_lease)._answer({"ask": "status"})["dead"] == {"dom0m": 1}
    bench.service._door.close()
    bench.begin(by_lease, FENCING)
    assert bench.service._answer({"ask": "status"})["dead"] == {}


def test_a_copy_may_have_been_away_while_no_guard_was_there_but_not_before_the_first_one_of_a_boot(
    bench: Bench,
) -> None:
    assert bench.service._guard._doubtful("dns") is None
    assert bench.begin()._guard._doubtful("dns") is not None


def test_a_node_is_not_protected_while_drbd_may_go_on_alone_unasked(bench: Bench) -> None:
    bench.see(replace(RUNS, unfenced=RUNS.running))
    bench.turn()
    bench.lease()
    bench.turn(after_s=2.0)
    bench.lease()
    assert not bench.service._answer({"ask": "status"})["protected"]
    assert not bench.beats(WITNESS)[-1].covered
    bench.see(RUNS)
    bench.turn(after_s=2.0)
    bench.lease()
    assert bench.service._answer({"ask": "status"})["protected"]


def test_a_person_is_believed_who_says_that_a_silent_node_is_off_and_is_named_in_the_log(bench: Bench) -> None:
    silent(bench)
    bench.see(LOST)
    assert says_dead(bench) == {"dead": "dom0m", "who": "anna"}
    bench.turn()
    assert bench.did == [("start", "dns")]
    (name,) = bench.host.names("/var/log/saltern")
    lines = [json.loads(line) for line in (bench.host.read_text(f"/var/log/saltern/{name}") or "").splitlines()]
    told = [(line["event"], line["subject"], line["words"]) for line in lines if "event" in line]
    assert ("death-confirmed", "node dom0m", "anna has looked, and says that it is off") in told


def test_no_word_is_taken_while_what_replicates_cannot_be_seen_or_a_node_was_just_heard(bench: Bench) -> None:
    silent(bench)
    with pytest.raises(Refused, match="what replicates here cannot be seen now"):
        says_dead(bench)
    bench.see(LOST)
    bench.hear("dom0m", Beat("dom0m", 2, 2, covered=frozenset({"dom0"})))
    with pytest.raises(Refused, match=r"it was heard, or replicated, 0\.0 s ago"):
        says_dead(bench)
    bench.turn()
    assert bench.did == []


BY_QUORUM = replace(SETTINGS, witness=None, quorum=True, times=Times(detect_s=2.0, takeover_s=25.0))
QUORATE = replace(RUNS, lost=frozenset({"dns"}), waiting=frozenset({"dns"}), unasked=frozenset({"dns"}))


def quorate(bench: Bench) -> Seen:
    return replace(QUORATE, quorate=frozenset({"dns"}), primary=frozenset({"dns"}), began_s=bench.now_s)


def test_by_quorum_a_lease_outlasts_the_guard_and_no_restart_makes_it_longer(bench: Bench) -> None:
    bench.service._door.close()
    bench.begin(settings=BY_QUORUM)
    bench.see(quorate(bench))
    bench.turn()
    end_s = bench.now_s + TIMES.lease_s
    for _ in range(3):
        bench.service._door.close()
        bench.begin(settings=BY_QUORUM)
        bench.see(replace(QUORATE, began_s=bench.now_s))
        bench.turn(TIMES.lease_s / 4)
        assert bench.service._guard.lease_until_s("dns") == end_s
    assert bench.did == []
    bench.turn(TIMES.lease_s / 4 + 0.1)
    assert bench.did == [("stop", "dns")]


def test_by_quorum_nobody_is_asked_who_goes_on(bench: Bench) -> None:
    bench.service._door.close()
    bench.begin(settings=BY_QUORUM)
    bench.see(quorate(bench))
    bench.turn()
    bench.turn(TIMES.beat_s)
    assert not [message for _, message in bench.sent if isinstance(message, GoOn)]
    assert {beat.alone for beat in bench.beats("dom0m")} == {frozenset()}
    assert {beat.covered for beat in bench.beats("dom0m")} == {frozenset({"dom0m"})}


def test_by_quorum_what_was_never_seen_with_it_has_one_lease_and_the_status_does_not_take_that_for_quorum(
    bench: Bench,
) -> None:
    bench.service._door.close()
    bench.begin(settings=BY_QUORUM)
    bench.see(replace(QUORATE, began_s=bench.now_s))
    bench.turn()
    status = bench.service._answer({"ask": "status"})
    told = status["domains"]["dns"]
    assert (told["never_quorate"], told["lease_left_s"], status["renewed_s_ago"]) == (True, TIMES.lease_s, {})
    bench.see(quorate(bench))
    bench.turn(1.0)
    status = bench.service._answer({"ask": "status"})
    assert (status["domains"]["dns"]["never_quorate"], status["renewed_s_ago"]) == (False, {"dns": 1.0})


def test_a_status_tells_whether_there_are_leases(bench: Bench) -> None:
    assert bench.service._answer({"ask": "status"})["leases"]
    silent(bench)
    assert not bench.service._answer({"ask": "status"})["leases"]


def test_by_quorum_a_node_that_runs_nothing_has_nothing_to_end_however_long_its_looks_take(bench: Bench) -> None:
    """As after a boot: the resources are down, so that nothing is seen with quorum."""
    bench.service._door.close()
    bench.begin(settings=BY_QUORUM)
    bench.turn()
    bench.see(Seen(began_s=bench.now_s))
    for _ in range(4):
        bench.turn(TIMES.dead_s)
        assert (bench.did, bench.wound_s[-1]) == ([], bench.now_s)


def test_by_quorum_a_disk_that_is_apart_is_attached_where_nobody_else_runs_its_domain(bench: Bench) -> None:
    """Its other node is heard, and may run it until it has noticed that it has no quorum."""
    question = {"ask": "attach", "resource": "dns", "arrives": False}
    bench.service._door.close()
    bench.begin(settings=BY_QUORUM)
    bench.see(replace(quorate(bench), running=frozenset()))
    bench.hear("dom0m", Beat("dom0m", 1, 1, covered=frozenset({"dom0"})))
    bench.turn(0.1)
    bench.hear("dom0m", Beat("dom0m", 1, 2, covered=frozenset({"dom0"})))
    assert bench.service._answer({**question, "apart": False})["allowed"]
    refused = bench.service._answer({**question, "apart": True})
    assert (refused["allowed"], "out of sight" in refused["why"]) == (False, True)
    bench.see(quorate(bench))
    bench.turn(0.1)
    assert bench.service._answer({**question, "apart": True})["allowed"], "it ran here until now, and reboots"


def test_by_leases_a_disk_that_is_apart_is_attached_by_the_lease_alone(bench: Bench) -> None:
    leased(bench)
    assert bench.service._answer({"ask": "attach", "resource": "dns", "arrives": False, "apart": True})["allowed"]


def ask_by_the_socket(bench: Bench, question: dict[str, str]) -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as way:
        way.connect(f"{bench.root}{GUARD_SOCKET}")
        way.send(json.dumps(question).encode())
        bench.service._door.serve()
        return way.recv(65536).decode()


def full(*_: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_guard_that_cannot_write_down_what_it_has_decided_tells_drbd_nothing_and_ends(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent(bench)
    bench.see(LOST)
    bench.turn()
    bench.service._agents._ended.put(Fenced("dom0m", off=True))
    monkeypatch.setattr(bench.service._store, "keep", full)
    with pytest.raises(OSError, match="No space"):
        ask_by_the_socket(bench, {"ask": "lost", "resource": "dns"})


@pytest.mark.parametrize("ask", [{"ask": "pause", "who": "maria"}, {"ask": "resume"}])
def test_a_pause_that_the_disk_does_not_take_is_refused_and_the_guard_goes_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, ask: dict[str, str]
) -> None:
    for name in ("write_text", "remove"):
        monkeypatch.setattr(bench.host, name, full)
    assert "No space left on device" in ask_by_the_socket(bench, ask)
    assert not bench.service._guard.facts.paused


def test_a_node_is_not_protected_while_its_partner_was_told_something_else(bench: Bench) -> None:
    leased(bench)
    bench.turn(1.0)
    bench.lease()
    bench.hear("dom0m", Beat("dom0m", 2, 1, covered=frozenset({"dom0"})))
    assert bench.service._answer({"ask": "status"})["protected"]
    bench.hear("dom0m", Beat("dom0m", 2, 2, covered=frozenset({"dom0"}), terms=frozenset({("dom0", "older")})))
    status = bench.service._answer({"ask": "status"})
    assert (status["protected"], status["apart"]) == (False, ["dom0m"])
    assert not status["domains"]["dns"]["protected"]
    bench.hear("dom0m", Beat("dom0m", 2, 3, covered=frozenset({"dom0"})))
    assert bench.service._answer({"ask": "status"})["domains"]["dns"]["protected"]
