"""For how long this node's domains may run: beats, the answers to them, and how a guard ends without leaving anybody in doubt."""

import math
from collections.abc import Iterable, Iterator
from typing import Final

from saltern.guard.acts import Act, Disarm, Send, Stop, WindUp
from saltern.guard.facts import Seen
from saltern.guard.knowledge import WITNESS, Knowledge
from saltern.guard.messages import Beat, Yes
from saltern.guard.peer import Peer, Sent

_SENT_AT_MOST: Final = 32


class Leases(Knowledge):
    """A lease goes on from when a beat was sent that was answered. When it ends, the domain does."""

    _beaten_s: float | None = None
    _leaves_from: int | None = None  # the number before the first beat that said so
    _leaves = False
    _covered: frozenset[str] = frozenset()  # the partners, as was said last
    _unasked: frozenset[str] = frozenset()  # about which DRBD is to ask no more

    @property
    def renewed(self) -> dict[str, float]:
        """When its leases were renewed, by peer, or by domain where there is quorum: to be kept until the next boot, over
        restarts of the guard.
        """
        if self._proof.quorum:
            return dict(self._quorate_s)
        return {name: peer.renewed_s for name, peer in self._peers.items() if peer.renewed_s is not None}

    @property
    def never_quorate(self) -> frozenset[str]:
        """Where there is quorum: the domains that no look of this guard has found with it. Their lease is an older one, or one
        that is not renewed.
        """
        return self._never_quorate

    def lease_until_s(self, domain: str) -> float:
        """Until when a domain may run here. For ever, while nobody has answered since the boot: then nobody takes it over.

        It is over, with whatever proof, when its other node says that it holds this one to be dead: it may run there already.
        """
        taken_over_s = self._peers[self._partners[domain]].taken_over_s
        return self._lease_until_s(domain) if taken_over_s is None else min(self._lease_until_s(domain), taken_over_s)

    def _lease_until_s(self, domain: str) -> float:
        if self._proof.quorum:
            renewed_s = self._quorate_s.get(domain)
        else:
            renewed_s = self._renewed_s(self._partners[domain]) if self._proof.lease else None
        return math.inf if renewed_s is None else renewed_s + self._times.lease_s

    def unaware(self, now_s: float) -> list[str]:
        """Who has not answered of late, knowing that this node is subject to the proof: without them nobody takes it over."""
        knows_s = {name: peer.knows_covered_s for name, peer in self._peers.items()}
        return [name for name, at_s in knows_s.items() if at_s is None or now_s >= at_s + self._times.takeover_s]

    def step_aside(self, unasked: Iterable[str] = ()) -> None:
        """Tell those who could take its domains over that they must not, from now on, and for as long as this guard is there.

        DRBD is to ask no more about the ``unasked`` ones, and for how long this guard may not live to see: it vouches for these
        no more.
        """
        self._unasked = self._unasked.union(unasked)
        if self._leaves_from is None:
            self._leaves_from = self._number

    @property
    def leaving(self) -> bool:
        """Whether it steps aside, or is to end."""
        return self._leaves_from is not None

    def leave(self) -> None:
        """The guard is to end, on purpose. It goes on until those who could take its domains over have written that down."""
        self.step_aside()
        self._leaves = True

    @property
    def known_off(self) -> bool:
        """Whether all know that nothing is to be taken over whose word it needs: nobody takes anything over without the witness.

        Who is proven dead has no part in it: nobody fences a node that it has not heard since its boot.
        """
        partners = [peer for name, peer in self._nodes if name not in self.facts.declared]
        needed = [self._peers[WITNESS]] if self._proof.lease else partners
        return self._leaves_from is not None and all(peer.knows_off for peer in needed)

    @property
    def aside(self) -> bool:
        """Whether DRBD may be told to ask no more: it is ``known_off``, and no domain comes to a partner from here any more.

        Partners let none come from a node that has said so. Who was not heard since the boot, or has ended, lets none come.
        """
        partners = self.facts.met.keys() - self.facts.declared.keys() - self.facts.off.keys()
        return self.known_off and all(peer.knows_off for name, peer in self._nodes if name in partners)

    def _renew(self, seen: Seen, now_s: float) -> None:
        """By quorum: from when a look began that has found it. What runs here and was not seen with quorum yet has one lease from
        now; what neither runs here nor has quorum has none that could end.
        """
        if not self._proof.quorum:
            return
        held = self._held(seen)
        self._never_quorate -= seen.quorate
        for domain in seen.quorate & self._guarded:
            self._quorate_s[domain] = max(seen.began_s, self._quorate_s.get(domain, seen.began_s))
        for domain in held:
            self._quorate_s.setdefault(domain, now_s)
        for domain in self._quorate_s.keys() - held - seen.quorate:
            if seen.began_s >= self._quorate_s[domain]:
                del self._quorate_s[domain]

    def _renewed_s(self, partner: str) -> float | None:
        by_partner_s, by_witness_s = self._peers[partner].renewed_s, self._peers[WITNESS].renewed_s
        if by_partner_s is None or by_witness_s is None:
            return by_witness_s if by_partner_s is None else by_partner_s
        return max(by_partner_s, by_witness_s)

    def _has_the_witness(self, now_s: float) -> bool:
        """What the witness said last is so: it waits for longer than a lease before it lets anybody else do the same."""
        renewed_s = self._peers[WITNESS].renewed_s
        return renewed_s is not None and now_s < renewed_s + self._times.lease_s

    def _is_answered(self, by: str, answer: Yes) -> bool:
        """Whether that answers a beat of this guard; then the lease goes on."""
        peer = self._peers[by]
        sent = peer.sent.get(answer.number)
        if sent is None:
            return False
        peer.renewed_s = max(sent.sent_s, peer.renewed_s or sent.sent_s)
        peer.told, peer.refusal = sent.running, None
        if self._is_latest(peer, answer.number):
            peer.taken_over_s = None
        if by in sent.covered or (by == WITNESS and sent.covered and sent.covered >= self._covered):
            peer.knows_covered_s = peer.renewed_s
        peer.knows_off |= self._leaves_from is not None and answer.number > self._leaves_from
        return True

    def _is_latest(self, peer: Peer, number: int) -> bool:
        """Answers overtake each other: whether none to a later beat has come."""
        latest = number >= peer.latest
        peer.latest = max(peer.latest, number)
        return latest

    def _hold(self, seen: Seen, now_s: float) -> Iterator[Act]:
        """Stop what has no lease any more; only while there is nothing of that kind, the watchdog is wound up."""
        ended = [domain for domain in sorted(self._held(seen)) if self.lease_until_s(domain) <= now_s]
        yield from map(Stop, ended)
        if not ended and self._leaves and self.known_off:
            yield Disarm()
        elif not ended and self._proof.ends:
            yield WindUp()

    def _is_time_to_beat(self, now_s: float) -> bool:
        if self._beaten_s is not None and now_s - self._beaten_s < self._times.beat_s:
            return False
        self._beaten_s = now_s
        return True

    def _beat(self, seen: Seen, now_s: float) -> Iterator[Act]:
        running = len(self._held(seen))
        covered = frozenset(name for name, _ in self._nodes if self._is_covered(name, seen))
        if WITNESS in self._peers and not covered <= self._covered:
            self._peers[WITNESS].knows_covered_s = None
        self._covered = covered
        for name, peer in self._peers.items():
            number = self._next()
            peer.sent[number] = Sent(now_s, running, covered)
            while len(peer.sent) > _SENT_AT_MOST:
                del peer.sent[next(iter(peer.sent))]
            beat = Beat(
                self.node,
                self.facts.boot,
                number,
                covered=covered,
                released=None if running else peer.refusal,
                alone=self.facts.alone,
                running=running,
                leaving=self._leaves_from is not None,
                terms=frozenset(self._terms.items()),
            )
            yield Send(name, beat)

    def _vouch(self, seen: Seen) -> Iterator[Act]:
        """What was written alone unasked, perhaps while no guard was here, is older history when the copies have met since.

        Who is leaving vouches for nothing new: what it has read may be older than what DRBD was told since.
        """
        vouched = self.facts.vouched
        if self.leaving:
            vouched -= self._unasked
        elif seen.unfenced is not None:
            vouched = (vouched | (seen.mirrored & self._guarded)) - seen.unfenced
        yield from self._keep(vouched=vouched, partners=self._partners)

    def _is_covered(self, partner: str, seen: Seen) -> bool:
        """Whether everything that it could take over is there as well, and ends here when nobody answers any more.

        By this the witness forgets that it was to take nothing over, also where the partner has heard nothing of that.
        """
        if self._held(seen) & self._unfenced or not self._domains_of(partner) <= self.facts.vouched:
            return False
        return not self._proof.lease or self._renewed_s(partner) is not None
