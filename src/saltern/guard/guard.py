"""A node's guard: what it answers to others, and what is to be done now."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from saltern.guard.messages import (
    Allow,
    Answer,
    Beat,
    Denied,
    Deny,
    GoOn,
    Granted,
    Message,
    No,
    Synchronised,
    Yes,
)
from saltern.guard.peer import Declaration, Denial, Peer
from saltern.guard.times import Times

WITNESS: Final = "the witness"
_SENT_AT_MOST: Final = 32


class Facts(NamedTuple):
    """What a guard has on its disk.

    ``met`` names the nodes that it has heard since the node's ``boot``; ``declared`` those that were proven dead since; ``alone``
    the domains whose data this node goes on with alone.
    """

    boot: int
    met: frozenset[str] = frozenset()
    declared: Mapping[str, Declaration] = {}
    alone: frozenset[str] = frozenset()

    def after_boot(self, boot: int) -> "Facts":
        """What is still so after another boot: nobody has been met, and a proof of before proves nothing now."""
        return Facts(boot=boot, alone=self.alone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was just seen here, of the domains that are guarded: ``running`` ones, and those that could be ``startable`` if their
    other node is dead. ``lost`` are those running whose copy over there has gone out of sight, ``same`` those whose copies are
    both up to date.
    """

    running: frozenset[str] = frozenset()
    startable: frozenset[str] = frozenset()
    lost: frozenset[str] = frozenset()
    same: frozenset[str] = frozenset()


class Send(NamedTuple):
    """Send a message."""

    to: str
    message: Message


class Stop(NamedTuple):
    """End a domain at once: its lease has ended."""

    domain: str


class Start(NamedTuple):
    """Start a domain whose other node is proven dead."""

    domain: str


class WindUp(NamedTuple):
    """Wind the watchdog up to its full time."""


class Keep(NamedTuple):
    """Write the facts to the disk, before anything that comes after this is done."""

    facts: Facts


Act = Send | Stop | Start | WindUp | Keep


class Guard:
    """The guard of ``node``; ``partners`` are the other nodes of its domains, by domain.

    It is given every message and what it sees, and says what to do; it touches nothing itself. ``now_s`` never goes back.
    """

    def __init__(
        self,
        node: str,
        partners: Mapping[str, str],
        times: Times,
        facts: Facts,
        now_s: float,
        renewed: Mapping[str, float] | None = None,
    ) -> None:
        self.node = node
        self.facts = facts
        self._partners = partners
        self._times = times
        # Greater than all that a guard before this one has given since the boot: it did not live for a thousand a second.
        self._number = int(now_s * 1000)
        self._beaten_s: float | None = None
        self._asked: dict[str, int] = {}  # open requests to go on alone, by domain
        self._told = Yes(0)  # what the witness keeps for this node, as it said last
        self._peers = {
            name: Peer(answered_s=now_s, heard_s=now_s, renewed_s=(renewed or {}).get(name))
            for name in sorted({*partners.values(), WITNESS})
        }

    @property
    def renewed(self) -> dict[str, float]:
        """When its leases were renewed, by peer: to be kept until the next boot, over restarts of the guard."""
        return {name: peer.renewed_s for name, peer in self._peers.items() if peer.renewed_s is not None}

    # --- What comes in ---------------------------------------------------------------------------------------------
    def beat(self, beat: Beat, now_s: float) -> tuple[Yes | No | None, list[Act]]:
        """The answer to another node's beat, ``None`` to one that is older than what was heard; and what else to do, first."""
        peer = self._peers.get(beat.node)
        if peer is None or (beat.boot, beat.number) <= (peer.boot, peer.number):
            return None, []
        peer.boot, peer.number, peer.heard_s = beat.boot, beat.number, now_s
        peer.leased, peer.alone = beat.leased, beat.alone
        declared = self.facts.declared.get(beat.node)
        if declared is not None and beat.boot <= declared.boot and beat.released != declared.refusal:
            return No(beat.number, declared.refusal, declared=True), []
        acts = list(self._comes_to_life(beat.node, peer))
        peer.answered_s = now_s
        return Yes(beat.number), acts

    def _comes_to_life(self, name: str, peer: Peer) -> Iterator[Act]:
        facts = self.facts._replace(met=self.facts.met | {name})
        facts = facts._replace(declared={node: each for node, each in facts.declared.items() if node != name})
        if facts != self.facts:
            self.facts = facts
            yield Keep(facts)
        peer.asked = None
        if peer.denial is not None:
            yield self._allow(name, peer.denial.refusal)
            peer.denial = None

    def answered(self, by: str, answer: Answer, now_s: float) -> list[Act]:
        """What to do about an answer to one of this guard's messages."""
        peer = self._peers[by]
        match answer:
            case Yes() if answer.number in peer.sent:
                sent_s = peer.sent[answer.number]
                peer.renewed_s = max(sent_s, peer.renewed_s or sent_s)
                peer.refusal = None
                return list(self._is_told(answer)) if by == WITNESS else []
            case No() if answer.number in peer.sent:
                peer.refusal = answer.refusal
            case Denied():
                self._is_denied(answer, now_s)
            case Granted(given=True):
                return list(self._is_granted(answer))
        return []

    def _is_told(self, answer: Yes) -> Iterator[Act]:
        """What the witness keeps for this node; what it keeps in vain, because a message was lost, is given up once more."""
        if answer.number <= self._told.number:
            return
        self._told = answer
        for name, peer in self._peers.items():
            if peer.denial is not None and peer.denial.number < answer.number:
                peer.denial = peer.denial if (name, peer.denial.refusal) in answer.denies else None
        for name, refusal in answer.denies:
            peer = self._peers[name]
            if peer.asked is None and peer.denial is None and name not in self.facts.declared:
                yield self._allow(name, refusal)

    def _is_denied(self, answer: Denied, now_s: float) -> None:
        peer = self._peers[answer.node]
        if peer.denial is None and peer.asked is not None and answer.number >= peer.asked:
            peer.denial = Denial(number=answer.number, refusal=answer.refusal, since_s=now_s, alone=answer.alone)

    def _is_granted(self, answer: Granted) -> Iterator[Act]:
        asked = self._asked.get(answer.domain)
        if asked is not None and answer.number >= asked:
            del self._asked[answer.domain]
            yield from self._keep(alone=self.facts.alone | {answer.domain})

    # --- What is to be done ----------------------------------------------------------------------------------------
    def act(self, seen: Seen, now_s: float) -> list[Act]:
        """What to do now. To be asked at every beat, and whenever something has happened."""
        ended = [domain for domain in sorted(seen.running) if self.lease_until_s(domain) <= now_s]
        acts: list[Act] = [Stop(domain) for domain in ended]
        if not ended:
            acts.append(WindUp())
        acts += self._not_alone_any_more(seen)
        acts += self._watch(now_s)
        acts += self._orphans(seen, now_s)
        acts += self._give_up(seen, now_s)
        if self._beaten_s is None or now_s - self._beaten_s >= self._times.beat_s:
            self._beaten_s = now_s
            acts += self._beat(seen, now_s)
            acts += self._ask(seen)
        return acts

    def lease_until_s(self, domain: str) -> float:
        """Until when a domain may run here. For ever, while nobody has answered since the boot: then nobody takes it over."""
        renewed_s = self._renewed_s(self._partners[domain])
        return math.inf if renewed_s is None else renewed_s + self._times.lease_s

    def _renewed_s(self, partner: str) -> float | None:
        renewed = [self._peers[name].renewed_s for name in (partner, WITNESS)]
        return max((each for each in renewed if each is not None), default=None)

    def may_go_on(self, domain: str) -> bool:
        """Whether what is written of a domain from now on is safe though its other copy is out of sight."""
        return domain in self.facts.alone or self._partners[domain] in self.facts.declared

    def _watch(self, now_s: float) -> Iterator[Act]:
        for name, peer in self._peers.items():
            if peer.denial is not None and peer.leased and self._is_dead(peer, now_s) and self._has_the_witness(now_s):
                yield from self._declare(name, peer)

    def _has_the_witness(self, now_s: float) -> bool:
        """What the witness said last is so: it waits for longer than a lease before it lets anybody else do the same."""
        renewed_s = self._peers[WITNESS].renewed_s
        return renewed_s is not None and now_s < renewed_s + self._times.lease_s

    def _is_dead(self, peer: Peer, now_s: float) -> bool:
        """Nothing has renewed its lease for so long that it has stopped everything, or was reset."""
        assert peer.denial is not None  # noqa: S101 - for the type checker
        return now_s >= max(peer.denial.since_s, peer.answered_s) + self._times.takeover_s

    def _declare(self, name: str, peer: Peer) -> Iterator[Act]:
        assert peer.denial is not None  # noqa: S101 - for the type checker
        newer = peer.denial.alone | peer.alone
        declaration = Declaration(peer.boot, peer.denial.refusal, newer)
        peer.denial = None
        taken = frozenset(domain for domain, partner in self._partners.items() if partner == name) - newer
        yield from self._keep(declared={**self.facts.declared, name: declaration}, alone=self.facts.alone | taken)

    def _orphans(self, seen: Seen, now_s: float) -> Iterator[Act]:
        for domain, partner in sorted(self._partners.items()):
            declared = self.facts.declared.get(partner)
            if declared is None or domain not in seen.startable or domain in declared.alone:
                continue
            if (partner, declared.refusal) in self._told.denies and self._has_the_witness(now_s):
                yield Start(domain)

    def _give_up(self, seen: Seen, now_s: float) -> Iterator[Act]:
        """Whoever has lost its own lease has lost its proof too: its partner may have been told the same of it."""
        for name in self.facts.declared:
            domains = {domain for domain, partner in self._partners.items() if partner == name}
            if not domains & seen.running and not self._has_the_witness(now_s):
                yield from self._keep(
                    declared={node: each for node, each in self.facts.declared.items() if node != name}
                )

    def _beat(self, seen: Seen, now_s: float) -> Iterator[Act]:
        for name, peer in self._peers.items():
            number = self._next()
            peer.sent[number] = now_s
            while len(peer.sent) > _SENT_AT_MOST:
                del peer.sent[next(iter(peer.sent))]
            leased = name != WITNESS and self._renewed_s(name) is not None
            released = peer.refusal if not seen.running else None
            yield Send(name, Beat(self.node, self.facts.boot, number, leased, released, self.facts.alone))

    def _ask(self, seen: Seen) -> Iterator[Act]:
        """What is asked of the witness, until it answers."""
        for name, peer in self._peers.items():
            silent_s = (self._beaten_s or 0.0) - peer.heard_s
            known = name in self.facts.met and name not in self.facts.declared
            if name != WITNESS and known and peer.denial is None and silent_s >= self._times.dead_s:
                number = self._next()
                peer.asked = peer.asked or number
                domains = frozenset(each for each, partner in self._partners.items() if partner == name)
                yield Send(
                    WITNESS,
                    Deny(name, peer.boot, domains - seen.running, self.node, self.facts.boot, number),
                )
        for domain in sorted(seen.lost):
            if not self.may_go_on(domain):
                number = self._next()
                self._asked.setdefault(domain, number)
                yield Send(WITNESS, GoOn(domain, self.node, self.facts.boot, number))
        for domain in sorted(self._told.alone & seen.same - self.facts.alone):
            yield Send(WITNESS, Synchronised(domain, self.node, self.facts.boot, self._next()))

    def _not_alone_any_more(self, seen: Seen) -> Iterator[Act]:
        """Where both copies are the same, the promise is given up here before the witness is told that it may forget it."""
        for domain in seen.same:
            self._asked.pop(domain, None)
        yield from self._keep(alone=self.facts.alone - seen.same)

    def _allow(self, name: str, refusal: int) -> Send:
        return Send(WITNESS, Allow(name, refusal, self.node, self.facts.boot, self._next()))

    def _keep(self, **changed: Any) -> Iterator[Act]:
        facts = self.facts._replace(**changed)
        if facts != self.facts:
            self.facts = facts
            yield Keep(facts)

    def _next(self) -> int:
        self._number += 1
        return self._number
