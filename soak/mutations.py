"""Guards and witnesses, each without one rule; and how many schedules it takes until that is missed.

`python -m soak.mutations` tells it. A rule that no schedule misses is one that the schedules do not check.
"""

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from saltern.guard.acts import Act, Outdate, ResumeIo, Send
from saltern.guard.facts import Facts, Seen
from saltern.guard.guard import Guard
from saltern.guard.knowledge import WITNESS
from saltern.guard.messages import Answer, Beat, End, Ended, GoOn, Granted, No, Synchronised, Yes
from saltern.guard.times import Times
from saltern.guard.witness import Promises, Witness
from saltern.progress import Progress
from soak import trial
from soak.quorum import Drbd


class Hasty(Guard):
    """Counts its lease from when it was answered."""

    def answered(self, by: str, answer: Answer, now_s: float) -> list[Any]:
        acts = super().answered(by, answer, now_s)
        peer = self._peers[by]
        if isinstance(answer, Yes) and peer.renewed_s is not None:
            peer.renewed_s = now_s
        return acts


class Forgetful(Witness):
    """Has nothing on its disk but whom it has heard."""

    def __init__(self, times: Times, promises: Promises, since_s: float) -> None:
        super().__init__(times, Promises(refusals=promises.refusals, terms=promises.terms), since_s)


class Generous(Guard):
    """Goes on alone without a promise."""

    def may_go_on(self, domain: str) -> bool:
        return True


class Fickle(Guard):
    """Takes a promise back while it is in use."""

    def _ask_to_go_on(self, seen: Seen) -> Any:
        yield from super()._ask_to_go_on(seen)
        yield from self._keep(alone=frozenset())
        for domain in sorted(self._told.alone):
            yield Send(WITNESS, Synchronised(domain, self.node, self.facts.boot, self._next()))


class Loud(Guard):
    """Has DRBD go on that waits, without a promise."""

    def act(self, seen: Seen, now_s: float) -> list[Act]:
        return [*super().act(seen, now_s), *map(ResumeIo, sorted(seen.waiting))]


class Lender(Witness):
    """Takes back what it has lent, also where that was used."""

    def _promise(self, domain: str, node: str) -> None:
        denied = self.promises.denied
        super()._promise(domain, node)
        self.promises = self.promises._replace(denied=denied)


class Polite(Guard):
    """Answers a node that it has taken over from."""

    def beat(self, beat: Beat, now_s: float) -> tuple[Yes | No | None, list[Any]]:
        answer, acts = super().beat(beat, now_s)
        return (Yes(answer.number) if isinstance(answer, No) else answer), acts


class Sure(Guard):
    """Declares a node dead as soon as the witness has denied it."""

    def _is_denied_and_dead(self, name: str, peer: Any, now_s: float) -> bool:
        return peer.denial is not None


class Blind(Guard):
    """Takes over whatever copy it has."""

    def _declare(self, name: str, peer: Any) -> Any:
        peer.alone = frozenset()
        if peer.denial is not None:
            peer.denial = replace(peer.denial, alone=frozenset())
        return super()._declare(name, peer)


class Careless(Guard):
    """Does not stop when its lease ends."""

    def lease_until_s(self, domain: str) -> float:
        return float("inf")


class Gullible(Guard):
    """Believes a fence agent although there is a lease."""

    def _is_denied_and_dead(self, name: str, peer: Any, now_s: float) -> bool:
        return (peer.denial is not None and peer.fencing.off) or super()._is_denied_and_dead(name, peer, now_s)


class Impatient(Guard):
    """Takes a fence agent that has failed for one that has not."""

    def fenced(self, node: str, off: bool, now_s: float) -> None:
        super().fenced(node, True, now_s)


class Stubborn(Guard):
    """Believes what a fence agent says of a node that was heard meanwhile."""

    def _comes_to_life(self, name: str, peer: Any) -> Any:
        yield from super()._comes_to_life(name, peer)
        peer.fencing.void = False


class Deaf(Guard):
    """Fences whoever is silent, whatever DRBD says."""

    def _look(self, seen: Seen, now_s: float) -> Any:
        return []


class Quick(Guard):
    """Answers and does not mark its copy."""

    def asked(self, asked: GoOn, now_s: float) -> list[Act]:
        acts = [act for act in super().asked(asked, now_s) if not isinstance(act, Outdate)]
        return [*acts, Send(asked.by, Granted(asked.number, asked.domain, given=True))]


class Desperate(Guard):
    """Starts what there is."""

    def act(self, seen: Seen, now_s: float) -> list[Act]:
        return super().act(replace(seen, startable=seen.startable | seen.against.keys()), now_s)


class Restless(Guard):
    """Is not paused."""

    def pause(self) -> list[Act]:
        acts = super().pause()
        self.facts = self.facts._replace(paused=False)
        return acts


class Abrupt(Guard):
    """Ends when it is told to, whoever knows."""

    @property
    def known_off(self) -> bool:
        return self._leaves_from is not None


class Hospitable(Guard):
    """Lets a domain come from a node on which DRBD does not ask."""

    def against_arrival(self, domain: str, now_s: float) -> str | None:
        return self.against_start(domain, now_s)


class Forgetting(Guard):
    """Does not know after a start in which boot it has heard the others."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        for _, peer in self._nodes:
            peer.boot = 0


class Boastful(Guard):
    """Says that it may be taken over whatever DRBD asks about."""

    def act(self, seen: Seen, now_s: float) -> list[Act]:
        return super().act(replace(seen, unfenced=frozenset()), now_s)


class Unmindful(Guard):
    """Vouches for what DRBD asks about, whatever was written before."""

    def _vouch(self, seen: Seen) -> Iterator[Act]:
        return self._keep(vouched=self._guarded - (seen.unfenced or frozenset()))


class Shameless(Unmindful):
    """Passes over what it writes alone without having asked, also while it does."""

    def act(self, seen: Seen, now_s: float) -> list[Act]:
        return super().act(replace(seen, unasked=frozenset(), lost=seen.lost - seen.unasked), now_s)


class Trusting(Guard):
    """Counts on any node that it has met."""

    def _is_met(self, beat: Beat) -> Any:
        return super()._is_met(beat._replace(covered=frozenset({self.node})))


class Obliging(Guard):
    """Takes a person's word of a node that had stepped aside."""

    def confirm_dead(self, node: str, now_s: float) -> tuple[str | None, list[Act]]:
        off, covered = self.facts.off, self.facts.covered
        self.facts = self.facts._replace(off={}, covered=covered | off.keys())
        told = super().confirm_dead(node, now_s)
        self.facts = self.facts._replace(off=off, covered=covered)
        return told


class Credulous(Guard):
    """Takes a person's word of a node that it has never heard."""

    def confirm_dead(self, node: str, now_s: float) -> tuple[str | None, list[Act]]:
        covered = self.facts.covered
        self.facts = self.facts._replace(covered=covered | ({node} - self.facts.met.keys()))
        told = super().confirm_dead(node, now_s)
        self.facts = self.facts._replace(covered=covered)
        return told


class Heedless(Guard):
    """Passes over it that the disk of a copy was away: where it was, and where it was written on meanwhile."""

    def act(self, seen: Seen, now_s: float) -> list[Act]:
        return super().act(replace(seen, away=frozenset(), unasked=seen.unasked - seen.connected), now_s)


class Unsuspecting(Heedless):
    """Takes what it does not see in its first look for what never was; and the partner passes it over as well."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._unseen = frozenset()

    def act(self, seen: Seen, now_s: float) -> list[Act]:
        return Guard.act(self, replace(seen, unasked=seen.unasked - seen.connected), now_s)


class Reassuring(Guard):
    """Tells the witness that all may take over from it, whatever it vouches for."""

    def act(self, seen: Seen, now_s: float) -> list[Act]:
        covered = frozenset(self._shared)
        return [
            Send(WITNESS, act.message._replace(covered=covered))
            if isinstance(act, Send) and act.to == WITNESS and isinstance(act.message, Beat)
            else act
            for act in super().act(seen, now_s)
        ]


class Relentless(Witness):
    """Denies a node whose guard was stopped on purpose."""

    def _protection(self, beat: Beat) -> None:
        pass


class Lenient(Witness):
    """Lets all partners take over from a node that is covered for one of them."""

    def _protection(self, beat: Beat) -> None:
        super()._protection(beat._replace(covered=frozenset(dict(beat.terms)) if beat.covered else beat.covered))


class Remembering(Facts):
    """Takes what was known before a boot for known."""

    def after_boot(self, boot: int) -> Facts:
        return self._replace(boot=boot)


class Old(Desperate):
    """Has such facts. That a copy which was not connected since the boot is not started from would be enough, too."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.facts = Remembering(*self.facts)


class Total(Guard):
    """Stops everything that runs where a lease has ended."""

    def _held(self, seen: Seen) -> frozenset[str]:
        return seen.running | seen.starting

    def lease_until_s(self, domain: str) -> float:
        return super().lease_until_s(domain if domain in self._partners else min(self._partners))


class Compliant(Guard):
    """Does not remember which orders it has taken."""

    def against_order(self, order: End, now_s: float) -> str | None:
        self._obeyed.clear()
        return super().against_order(order, now_s)


class Patient(Guard):
    """Takes an order however late it comes."""

    def against_order(self, order: End, now_s: float) -> str | None:
        sent = self._peers[order.by].sent.get(order.heard)
        return super().against_order(order, now_s if sent is None else sent.sent_s)


class Trustful(Guard):
    """Takes an order whatever beat it names."""

    def against_order(self, order: End, now_s: float) -> str | None:
        last = max(self._peers[order.by].sent, default=order.heard)
        return super().against_order(order._replace(heard_boot=self.facts.boot, heard=last), now_s)


class Inattentive(Guard):
    """Takes an order although it has heard something later."""

    def against_order(self, order: End, now_s: float) -> str | None:
        peer = self._peers[order.by]
        heard = peer.boot, peer.number
        peer.boot, peer.number = 0, 0
        against = super().against_order(order, now_s)
        peer.boot, peer.number = heard
        return against


class Lasting(Guard):
    """Takes the end of a domain by order for one that is to last."""

    _ended_by_order: frozenset[str] = frozenset()

    def against_order(self, order: End, now_s: float) -> str | None:
        against = super().against_order(order, now_s)
        if against is None:
            self._ended_by_order |= {order.domain}
        return against

    def against_start(self, domain: str, now_s: float) -> str | None:
        return "it was ended by order" if domain in self._ended_by_order else super().against_start(domain, now_s)


class Rash(Guard):
    """Takes the end of a domain by order for the death of its node."""

    def answered(self, by: str, answer: Answer, now_s: float) -> list[Any]:
        acts = super().answered(by, answer, now_s)
        if isinstance(answer, Ended) and answer.reason is None:
            acts += self._declare(by, self._peers[by])
        return acts


class Eager(Guard):
    """Starts what it has promoted, and does not hold it first."""

    def _was_held(self, domain: str) -> bool:
        return domain in self._held_s


class Counting(Guard):
    """Counts from the loss of the connection, and not from the promotion."""

    _apart_s: Mapping[str, float] = MappingProxyType({})

    def act(self, seen: Seen, now_s: float) -> list[Act]:
        self._apart_s = {domain: self._apart_s.get(domain, now_s) for domain in self._guarded - seen.connected}
        return super().act(seen, now_s)

    def promoted(self, domain: str, refused: str | None, now_s: float) -> None:
        super().promoted(domain, refused, self._apart_s.get(domain, now_s) if refused is None else now_s)


class Clinging(Guard):
    """Holds on although quorum was lost in between."""

    def _keep_primary(self, seen: Seen, now_s: float) -> Any:
        return super()._keep_primary(replace(seen, quorate=seen.quorate | self._held_s.keys()), now_s)


class Stale(Guard):
    """Renews its lease by a look that began before."""

    def _renew(self, seen: Seen, now_s: float) -> None:
        super()._renew(replace(seen, began_s=now_s), now_s)


class Oblivious(Guard):
    """Holds on although the copies have met."""

    def act(self, seen: Seen, now_s: float) -> list[Act]:
        return super().act(replace(seen, met=frozenset()), now_s)


class Hearing(Guard):
    """Takes a node that is heard for one that does not run what is out of sight here."""

    def against_apart(self, domain: str) -> str | None:
        return None


class Believing(Guard):
    """Takes a person's word where quorum is the proof."""

    def confirm_dead(self, node: str, now_s: float) -> tuple[str | None, list[Act]]:
        proof = self._proof
        self._proof = proof._replace(quorum=False)
        told = super().confirm_dead(node, now_s)
        self._proof = proof
        return told


RULES: Final[Mapping[str, Mapping[str, Any]]] = {
    "the lease counts from the answer": {"guard": Hasty},
    "the witness forgets what it has promised": {"witness": Forgetful},
    "a side goes on alone without a promise": {"guard": Generous},
    "a promise is taken back while it is in use": {"guard": Fickle},
    "what was lent and used is given back": {"witness": Lender},
    "DRBD is told to go on without a promise": {"guard": Loud},
    "whoever was taken over from is answered": {"guard": Polite},
    "a denial is proof": {"guard": Sure},
    "an old copy is started": {"guard": Blind},
    "a lease that has ended stops nothing": {"guard": Careless},
    "takeover is shorter than lease and watchdog": {"times": Times(takeover_s=9.0)},
    "a fence agent is believed where there is a lease": {"guard": Gullible},
    "a fence agent that fails has fenced": {"guard": Impatient},
    "a fence agent is believed about a node that was heard since": {"guard": Stubborn},
    "a node that replicates is fenced": {"guard": Deaf},
    "a copy is not marked, and it is said to be": {"guard": Quick},
    "a copy that is Outdated is started": {"guard": Desperate},
    "a paused node takes over": {"guard": Restless},
    "a guard ends before that is known": {"guard": Abrupt},
    "the witness denies a node whose guard is off": {"witness": Relentless},
    "a node is denied in another boot than it is in": {"guard": Forgetting},
    "a node on which DRBD does not ask is taken over": {"guard": Boastful},
    "a domain comes from a node on which DRBD does not ask": {"guard": Hospitable},
    "what was written before DRBD asked is passed over": {"guard": Unmindful},
    "what is written alone unasked is passed over": {"guard": Shameless},
    "what a node says of itself is passed over": {"guard": Trusting},
    "who was met before a boot is met": {"guard": Old},
    "a person's word is taken of a node that had stepped aside": {"guard": Obliging},
    "a person's word is taken of a node that was never heard": {"guard": Credulous},
    "a disk that was away is passed over": {"guard": Heedless},
    "a disk that was away while no guard was there is passed over": {"guard": Unsuspecting},
    "the witness is told that what nobody vouches for may be taken over": {"guard": Reassuring},
    "the witness lets all take over what is covered for one": {"witness": Lenient},
    "what runs on several nodes is stopped": {"guard": Total},
    "an order is taken again": {"guard": Compliant},
    "an order that was held up is taken": {"guard": Patient},
    "an order is taken whatever beat it names": {"guard": Trustful},
    "an order is taken although something later was heard": {"guard": Inattentive},
    "what was ended by order stays ended": {"guard": Lasting},
    "what was ended by order proves death": {"guard": Rash},
}
# The same by quorum; and what DRBD promises, without which no guard can be right.
BY_QUORUM: Final[Mapping[str, Mapping[str, Any]]] = {
    "what was promoted is started at once": {"guard": Eager},
    "the time counts from the loss of the connection": {"guard": Counting},
    "what has lost quorum in between is held": {
        "guard": Clinging,
        "drbd": Drbd(tie_breaker_gives_none=False, remembers=False),
    },
    "a lease is renewed by a look that began before": {"guard": Stale},
    "what has met in between is held": {"guard": Oblivious},
    "by quorum a paused node takes over": {"guard": Restless},
    "what is not to be started is promoted": {"guard": Desperate},
    "a person starts what is out of sight, since its node is heard": {"guard": Hearing},
    "a person's word takes the place of quorum": {"guard": Believing},
    "DRBD writes alone before all have answered": {"drbd": Drbd(asks_before_it_writes=False)},
    "DRBD promotes beside a Primary behind the tie-breaker": {"drbd": Drbd(refuses_a_second_primary=False)},
    "DRBD has quorum back from the tie-breaker": {"drbd": Drbd(tie_breaker_gives_none=False)},
    "DRBD outdates no Primary behind the tie-breaker": {"drbd": Drbd(outdates_primaries=False)},
}


class Missed(NamedTuple):
    """In the schedule of which seed a rule was missed, if in any, and what was broken for want of it."""

    rule: str
    schedules: int
    seed: int | None
    broken: str


def search(rule: str, seeds: range) -> Missed:
    """Up to the first schedule that misses the rule."""
    quorum = rule in BY_QUORUM
    for done, seed in enumerate(seeds, 1):
        case = trial.of_seed(seed, quorum=quorum)
        violation = trial.attempt(case, **(BY_QUORUM if quorum else RULES)[rule]).violation
        if violation is not None:
            return Missed(rule, done, seed, violation.rule)
    return Missed(rule, len(seeds), None, "")


def main(arguments: list[str] | None = None) -> int:
    """Exit code 1 when a rule is not missed."""
    parser = argparse.ArgumentParser(prog="python -m soak.mutations", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("-n", type=int, default=20_000, help="how many schedules at most for each (default: 20000)")
    parser.add_argument("--from", dest="first", type=int, default=0, metavar="SEED", help="the seed of the first one")
    parser.add_argument(
        "--rule", choices=[*RULES, *BY_QUORUM], action="append", help="only this one; may be given several times"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes (default: one for each core)")
    parser.add_argument("--out", choices=("text", "json"), default="text", help="how it is told (default: text)")
    given = parser.parse_args(arguments)
    progress = Progress(sys.stderr, lambda: shutil.get_terminal_size().columns, time.monotonic)
    seeds = range(given.first, given.first + given.n)
    with ProcessPoolExecutor(given.jobs) as pool:
        found = []
        for ended in as_completed([pool.submit(search, rule, seeds) for rule in given.rule or [*RULES, *BY_QUORUM]]):
            found.append(ended.result())
            progress.tell(_line(found[-1]))
    if given.out == "json":
        print(json.dumps([each._asdict() for each in found], indent=2))
    else:
        print("\n".join(_line(each) for each in sorted(found, key=lambda each: each.schedules)))
    return 1 if any(each.seed is None for each in found) else 0


def _line(missed: Missed) -> str:
    if missed.seed is None:
        return f"{missed.schedules:6} not missed: {missed.rule}"
    return f"{missed.schedules:6} {missed.rule} (seed {missed.seed}: {missed.broken})"


if __name__ == "__main__":
    sys.exit(main())
