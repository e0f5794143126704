"""What proves that another node can no longer write: the witness that answers it no more and time, or its fence agent."""

from collections.abc import Iterator, Mapping

from saltern.guard.acts import Act, Fence, Send
from saltern.guard.facts import Seen
from saltern.guard.knowledge import WITNESS
from saltern.guard.leases import Leases
from saltern.guard.messages import Allow, Denied, Deny, Yes
from saltern.guard.peer import Declaration, Denial, Peer


class Proofs(Leases):
    """A node counts as lost when it is silent, and as dead when that is proven; it is alive as soon as it is heard."""

    _told = Yes(0)  # what the witness keeps for this node, as it said last

    def fenced(self, node: str, off: bool, now_s: float) -> None:
        """What has come of ``Fence``: the agent has switched the node off and has seen that it is, or it has not."""
        self._peers[node].fencing.ended(off, now_s)

    def confirm_dead(self, node: str, now_s: float) -> tuple[str | None, list[Act]]:
        """What a person's word that a node is off is worth: what an agent's is; or, in words, why it is not taken."""
        peer = self._peers.get(node) if node != WITNESS else None
        if peer is None:
            return f"{self.node} shares no domain with it", []
        if self._proof.lease:
            # It may have gone on alone before it died; a person cannot see that, and what is here would be older.
            return f"there are leases, and only {WITNESS} knows whether the newer data are there", []
        if self._proof.quorum:
            return "DRBD's quorum decides here who may be Primary, and nobody's word takes its place", []
        silent_s = now_s - peer.heard_s
        if silent_s < self._times.dead_s:
            return f"it was heard, or replicated, {silent_s:.1f} s ago", []
        if node not in self.facts.covered:
            return self._not_covered(node), []
        if node in self.facts.off:
            return (
                "it said last that nothing of it is to be taken over; DRBD may have gone on alone there unasked since",
                [],
            )
        if self._is_apart(node):
            return "it said last that its guard was told something else, and what is here may be older", []
        return None, [] if node in self.facts.declared else list(self._declare(node, peer))

    def _not_covered(self, node: str) -> str:
        older = "and what is here may be older"
        if node not in self.facts.met:
            return f"it was not heard since this node has booted: DRBD may go on alone there unasked, {older}"
        return f"it said last that DRBD may go on alone there unasked, {older}"

    def expects_orphans(self, now_s: float) -> bool:
        """Whether something may have to be started here: a node is proven dead, or silent for half of `dead`."""
        soon_s = now_s + self._times.dead_s / 2
        return bool(self.facts.declared) or any(self._is_lost(name, peer, soon_s) for name, peer in self._nodes)

    def _comes_to_life(self, name: str, peer: Peer) -> Iterator[Act]:
        if name in self.facts.declared:
            yield from self._keep(declared=_without(self.facts.declared, name))
        peer.fencing.heard()
        yield from self._let_live(name, peer)

    def _let_live(self, name: str, peer: Peer) -> Iterator[Act]:
        peer.asked = None
        if peer.denial is not None:
            yield self._allow(name, peer.denial.refusal)
            peer.denial = None

    def _is_told(self, answer: Yes) -> Iterator[Act]:
        """What the witness keeps for this node; what it keeps in vain, because a message was lost, is given up once more."""
        if answer.number <= self._told.number:
            return
        self._told = answer
        for name, peer in self._nodes:
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

    def _allow(self, name: str, refusal: int) -> Send:
        return Send(WITNESS, Allow(name, refusal, self.node, self.facts.boot, self._next()))

    def _is_proven(self, name: str, now_s: float) -> bool:
        """Whether a node that was proven dead is so still: a proof by lease is good for as long as the witness confirms it."""
        declared = self.facts.declared.get(name)
        if declared is None or not self._proof.lease:
            return declared is not None
        return (name, declared.refusal) in self._told.denies and self._has_the_witness(now_s)

    # --- What is to be done ----------------------------------------------------------------------------------------
    def _look(self, seen: Seen, now_s: float) -> Iterator[Act]:
        """Where an agent is the proof, a node that replicates, or may do so, is not lost, whatever has become of its guard."""
        if self._proof.lease:
            return
        for name, peer in self._nodes:
            if seen.replicating is None:
                peer.heard_s = now_s
            elif self._domains_of(name) & (seen.connected | seen.replicating):
                peer.heard_s = now_s
                yield from self._comes_to_life(name, peer)

    def _is_lost(self, name: str, peer: Peer, now_s: float) -> bool:
        """Whether it is time to look for a proof: what it runs may be taken over, and it is silent without having said so."""
        if now_s - peer.heard_s < self._times.dead_s:
            return False
        spared = self.facts.declared.keys() | self.facts.off.keys()
        return name in self.facts.covered - spared and not self._is_apart(name) and not self.facts.paused

    def _ask_to_deny(self, seen: Seen, now_s: float) -> Iterator[Act]:
        """Asked at every beat, until it is answered."""
        for name, peer in self._nodes:
            if self._is_lost(name, peer, now_s) and peer.denial is None and self._proof.lease:
                number = self._next()
                peer.asked = peer.asked or number
                domains = self._domains_of(name) - seen.running
                terms = self._terms[name]
                yield Send(WITNESS, Deny(name, peer.boot, domains, self.node, self.facts.boot, number, terms))

    def _fence(self, now_s: float) -> Iterator[Act]:
        for name, peer in self._nodes:
            if name in self._proof.fenced and peer.fencing.may_begin(now_s) and self._is_due(name, peer, now_s):
                peer.fencing.under_way = True
                yield Fence(name)

    def _is_due(self, name: str, peer: Peer, now_s: float) -> bool:
        """With a lease, the witness has chosen who fences whom. Without, the node with fewer domains waits longer in a duel."""
        if self._proof.lease:
            return not self.facts.paused and (peer.denial is not None or name in self.facts.declared)
        gives_way = (peer.told, name) < (peer.running, self.node)  # what both were told; where it is the same, by name
        return self._is_lost(name, peer, now_s - (self._times.duel_s if gives_way else 0.0))

    def _watch(self, now_s: float) -> Iterator[Act]:
        for name, peer in self._nodes:
            if peer.fencing.off and not self._proof.lease and self._is_lost(name, peer, now_s):
                yield from self._declare(name, peer)
            if self._is_denied_and_dead(name, peer, now_s) and self._has_the_witness(now_s):
                yield from self._declare(name, peer)

    def _is_denied_and_dead(self, name: str, peer: Peer, now_s: float) -> bool:
        """Nothing has renewed its lease for so long that it has stopped everything, or was reset."""
        if peer.denial is None or name not in self.facts.covered:
            return False
        return now_s >= max(peer.denial.since_s, peer.answered_s) + self._times.takeover_s

    def _declare(self, name: str, peer: Peer) -> Iterator[Act]:
        refusal, alone = (
            (peer.denial.refusal, peer.denial.alone) if peer.denial is not None else (None, frozenset[str]())
        )
        peer.denial = None
        declaration = Declaration(peer.boot, refusal, peer.alone | alone)
        yield from self._keep(declared={**self.facts.declared, name: declaration})

    def _give_up(self, seen: Seen, now_s: float) -> Iterator[Act]:
        """Whoever has lost its own lease has lost its proof too: its partner may have been told the same of it. And where the
        witness has heard that a node lives, nothing is proven of it any more, though it is not heard here.
        """
        if not self._proof.lease:
            return
        witnessed = self._has_the_witness(now_s)
        for name, declared in self.facts.declared.items():
            lifted = self._told.number > 0 and (name, declared.refusal) not in self._told.denies
            if (lifted or not witnessed) and not self._domains_of(name) & self._held(seen):
                yield from self._keep(declared=_without(self.facts.declared, name))


def _without(declared: Mapping[str, Declaration], name: str) -> dict[str, Declaration]:
    return {node: each for node, each in declared.items() if node != name}
