"""For how long this node's domains may run: beats, the answers to them, and how a guard ends without leaving anybody in doubt."""

import math
from collections.abc import Iterator
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

    @property
    def renewed(self) -> dict[str, float]:
        """When its leases were renewed, by peer: to be kept until the next boot, over restarts of the guard."""
        return {name: peer.renewed_s for name, peer in self._peers.items() if peer.renewed_s is not None}

    def lease_until_s(self, domain: str) -> float:
        """Until when a domain may run here. For ever, while nobody has answered since the boot: then nobody takes it over."""
        renewed_s = self._renewed_s(self._partners[domain]) if self._proof.lease else None
        return math.inf if renewed_s is None else renewed_s + self._times.lease_s

    def unaware(self, now_s: float) -> list[str]:
        """Who has not answered of late, knowing that this node is subject to the proof: without them nobody takes it over."""
        knows_s = {
            name: peer.knows_leased_s if self._proof.lease else peer.renewed_s for name, peer in self._peers.items()
        }
        return [name for name, at_s in knows_s.items() if at_s is None or now_s >= at_s + self._times.takeover_s]

    def leave(self) -> None:
        """The guard is to end, on purpose. It goes on until those who could take its domains over have written that down."""
        if self._leaves_from is None:
            self._leaves_from = self._number

    def _renewed_s(self, partner: str) -> float | None:
        renewed = [self._peers[name].renewed_s for name in (partner, WITNESS)]
        return max((each for each in renewed if each is not None), default=None)

    def _has_the_witness(self, now_s: float) -> bool:
        """What the witness said last is so: it waits for longer than a lease before it lets anybody else do the same."""
        renewed_s = self._peers[WITNESS].renewed_s
        return renewed_s is not None and now_s < renewed_s + self._times.lease_s

    def _is_answered(self, peer: Peer, answer: Yes) -> bool:
        """Whether that answers a beat of this guard; then the lease goes on."""
        sent = peer.sent.get(answer.number)
        if sent is None:
            return False
        peer.renewed_s = max(sent.sent_s, peer.renewed_s or sent.sent_s)
        peer.told, peer.refusal = sent.running, None
        if sent.leased:
            peer.knows_leased_s = peer.renewed_s
        peer.knows_off |= self._leaves_from is not None and answer.number > self._leaves_from
        return True

    def _hold(self, seen: Seen, now_s: float) -> Iterator[Act]:
        """Stop what has no lease any more; only while there is nothing of that kind, the watchdog is wound up."""
        ended = [domain for domain in sorted(self._held(seen)) if self.lease_until_s(domain) <= now_s]
        yield from map(Stop, ended)
        if not ended and self._may_leave():
            yield Disarm()
        elif not ended and self._proof.lease:
            yield WindUp()

    def _may_leave(self) -> bool:
        """Whether all know that this guard ends whose word it needs: nobody takes anything over without the witness.

        Who is proven dead has no part in it: nobody fences a node that it has not heard since its boot.
        """
        partners = [peer for name, peer in self._nodes() if name not in self.facts.declared]
        needed = [self._peers[WITNESS]] if self._proof.lease else partners
        return self._leaves_from is not None and all(peer.knows_off for peer in needed)

    def _is_time_to_beat(self, now_s: float) -> bool:
        if self._beaten_s is not None and now_s - self._beaten_s < self._times.beat_s:
            return False
        self._beaten_s = now_s
        return True

    def _beat(self, seen: Seen, now_s: float) -> Iterator[Act]:
        running = len(self._held(seen))
        for name, peer in self._peers.items():
            number = self._next()
            leased = self._is_leased(name)
            peer.sent[number] = Sent(now_s, running, leased)
            while len(peer.sent) > _SENT_AT_MOST:
                del peer.sent[next(iter(peer.sent))]
            beat = Beat(
                self.node,
                self.facts.boot,
                number,
                leased=leased,
                released=None if running else peer.refusal,
                alone=self.facts.alone,
                running=running,
                leaving=self._leaves_from is not None,
            )
            yield Send(name, beat)

    def _is_leased(self, by: str) -> bool:
        """Whether everything that ``by`` could give away ends here when nobody answers any more."""
        if by == WITNESS:
            return self._peers[by].renewed_s is not None
        return self._proof.lease and self._renewed_s(by) is not None
