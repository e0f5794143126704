"""Whose data count: a node goes on alone only when the other copy can no longer be started from."""

from collections.abc import Iterator

from saltern.guard.acts import Act, Outdate, ResumeIo, Send
from saltern.guard.facts import Seen
from saltern.guard.knowledge import WITNESS
from saltern.guard.messages import GoOn, Granted, Synchronised
from saltern.guard.proofs import Proofs


class GoingOn(Proofs):
    """A running domain whose other copy is out of sight is suspended until that copy is outdated, or its node is proven dead."""

    def lost(self, domain: str) -> None:
        """DRBD has lost the other copy of a domain, and asks whether it may go on: what was granted before is of no use now."""
        self._forget(domain)
        self._unheard.discard(domain)

    def may_go_on(self, domain: str) -> bool:
        """Whether what is written of a domain from now on is safe though its other copy is out of sight."""
        return domain in self._granted

    def asked(self, asked: GoOn, now_s: float) -> list[Act]:
        """What to do when a partner asks to go on alone. Where its copy is the good one, ours is marked before it is answered."""
        peer = self._peers.get(asked.by)
        if peer is None or self._partners.get(asked.domain) != asked.by:
            return []
        if (asked.boot, asked.number) <= (peer.boot, peer.number):
            return []
        peer.boot, peer.number, peer.heard_s = asked.boot, asked.number, now_s
        acts = list(self._in_boot(asked.by, asked.boot))
        declared = self.facts.declared.get(asked.by)
        if asked.domain in self.facts.alone or (declared is not None and asked.boot <= declared.boot):
            return [*acts, Send(asked.by, Granted(asked.number, asked.domain, given=False))]
        acts += self._comes_to_life(asked.by, peer)
        self._outdating[asked.domain] = asked.number
        return [*acts, Outdate(asked.domain)]

    def outdated(self, domain: str, done: bool) -> list[Act]:
        """What has come of ``Outdate``: DRBD refuses it for a copy that is connected, or Primary."""
        number = self._outdating.pop(domain, None)
        return [] if number is None else [Send(self._partners[domain], Granted(number, domain, done))]

    def _is_granted(self, answer: Granted, now_s: float) -> Iterator[Act]:
        asked = self._asked.get(answer.domain)
        if answer.given and asked is not None and answer.number >= asked:
            del self._asked[answer.domain]
            yield from self._go_alone(answer.domain, now_s)

    def _go_alone(self, domain: str, now_s: float) -> Iterator[Act]:
        """Written down before it is done: the other copy is older from then on."""
        yield from self._keep(alone=self.facts.alone | {domain})
        self._granted[domain] = now_s
        if domain in self._unheard:
            self._unheard.discard(domain)
            yield ResumeIo(domain)

    def _forget(self, domain: str) -> None:
        self._granted.pop(domain, None)
        self._asked.pop(domain, None)

    def _waiting(self, seen: Seen) -> list[str]:
        return sorted((seen.lost & self._guarded) - self._granted.keys())

    # --- What is to be done ----------------------------------------------------------------------------------------
    def _not_alone_any_more(self, seen: Seen) -> Iterator[Act]:
        """Where the copies are settled, the promise is given up here before the witness is told that it may forget it.

        All are told at once: whoever may take over from this node does not while it holds the promise for one that is in use.
        """
        if self._granted or self._asked:
            for domain in seen.settled | seen.met | (seen.connected - seen.lost):
                self.lost(domain)
        if self.facts.alone & seen.settled:
            yield from self._keep(alone=self.facts.alone - seen.settled)
            self._beaten_s = None

    def _write_alone(self, seen: Seen) -> Iterator[Act]:
        """What is so is written down, and told at once, also where DRBD did not ask: the other copy is older now."""
        unasked = seen.unasked & self._guarded - self.facts.alone
        if unasked:
            yield from self._keep(alone=self.facts.alone | unasked)
            self._beaten_s = None

    def _go_on_by_proof(self, seen: Seen, now_s: float) -> Iterator[Act]:
        """A witness is asked all the same: the node that was dead may be back, and knows only what is known there."""
        if self._proof.lease:
            return
        for domain in self._waiting(seen):
            if self._is_proven(self._partners[domain], now_s):
                yield from self._go_alone(domain, now_s)

    def _ask_again(self, seen: Seen, now_s: float) -> None:
        """DRBD's handler tells it within a moment what was granted. Where it still waits, that handler is gone.

        Then the guard tells DRBD itself, as soon as it is granted anew: what was granted a while ago may be about a loss before.
        """
        for domain in seen.waiting & self._granted.keys():
            if now_s >= self._granted[domain] + self._times.dead_s:
                self._forget(domain)
                self._unheard.add(domain)

    def _ask_to_go_on(self, seen: Seen) -> Iterator[Act]:
        """The witness and the partner are asked at every beat, until one of them has granted it."""
        for domain in self._waiting(seen):
            number = self._next()
            self._asked.setdefault(domain, number)
            for other in (self._partners[domain], WITNESS):
                if other in self._peers:
                    yield Send(other, GoOn(domain, self.node, self.facts.boot, number))
        for domain in sorted(self._told.alone & seen.settled - self.facts.alone):
            yield Send(WITNESS, Synchronised(domain, self.node, self.facts.boot, self._next()))
