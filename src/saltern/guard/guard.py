"""A node's guard: what it answers to others, and what is to be done now."""

from collections.abc import Iterator, Mapping

from saltern.guard.acts import Act, Refuse, Start
from saltern.guard.facts import Seen
from saltern.guard.going_on import GoingOn
from saltern.guard.holding import Holding
from saltern.guard.knowledge import WITNESS
from saltern.guard.messages import Answer, Beat, Denied, Granted, No, Yes
from saltern.guard.orders import Orders
from saltern.guard.orphans import plan
from saltern.guard.peer import Declaration
from saltern.guard.retry import Retry


class Guard(GoingOn, Holding, Orders):
    """It is given every message and what is seen on its node, and says what to do; it touches nothing itself.

    ``now_s`` never goes back.
    """

    # --- What comes in ---------------------------------------------------------------------------------------------
    def beat(self, beat: Beat, now_s: float) -> tuple[Yes | No | None, list[Act]]:
        """The answer to another node's beat, ``None`` to one that is older than what was heard; and what else to do, first."""
        peer = self._peers.get(beat.node)
        if peer is None or (beat.boot, beat.number) <= (peer.boot, peer.number):
            return None, []
        peer.boot, peer.number, peer.heard_s, peer.beat = beat.boot, beat.number, now_s, beat.number
        peer.alone, peer.running = beat.alone, beat.running
        declared = self.facts.declared.get(beat.node)
        if declared is not None and not _is_past(declared, beat):
            return No(beat.number, declared.refusal, declared=True), []
        acts = [*self._is_met(beat), *self._protection(beat), *self._comes_to_life(beat.node, peer)]
        peer.answered_s = now_s
        return Yes(beat.number), acts

    def answered(self, by: str, answer: Answer, now_s: float) -> list[Act]:
        """What to do about an answer to one of this guard's messages."""
        peer = self._peers.get(by)
        if peer is None:
            return []
        match answer:
            case Yes() if self._is_answered(by, answer):
                return list(self._is_told(answer)) if by == WITNESS else []
            case No() if answer.number in peer.sent:
                peer.refusal = answer.refusal
                if self._is_latest(peer, answer.number) and answer.declared and peer.taken_over_s is None:
                    peer.taken_over_s = now_s
            case Denied():
                self._is_denied(answer, now_s)
            case Granted():
                return list(self._is_granted(answer, now_s))
        return []

    def failed(self, domain: str, reason: str, now_s: float) -> None:
        """A ``Start`` has not succeeded, and why, in words; it is tried again after a while."""
        self._starts.setdefault(domain, Retry()).failed(now_s)
        self._why_not[domain] = reason

    def pause(self) -> list[Act]:
        """Take nothing over until ``resume``, also after a boot. What was begun against another node and is no proof yet ends."""
        acts = list(self._keep(paused=True))
        for name, peer in self._nodes:
            acts += self._let_live(name, peer)
        return acts

    def resume(self) -> list[Act]:
        """Take over again what is lost."""
        return list(self._keep(paused=False))

    # --- What is to be done ----------------------------------------------------------------------------------------
    def act(self, seen: Seen, now_s: float) -> list[Act]:
        """What to do now. To be asked at every beat, and whenever something has happened."""
        if seen.unfenced is not None:
            self._unfenced = seen.unfenced
        if seen.replicating is not None:
            self._mirrored = seen.mirrored
        self._renew(seen, now_s)
        acts = [*self._hold(seen, now_s), *self._vouch(seen), *self._doubt(seen)]
        acts += [*self._not_alone_any_more(seen), *self._write_alone(seen)]
        acts += self._look(seen, now_s)
        self._ask_again(seen, now_s)
        acts += [*self._watch(now_s), *self._go_on_by_proof(seen, now_s), *self._keep_primary(seen, now_s)]
        acts += self._orphans(seen, now_s)
        acts += [*self._give_up(seen, now_s), *self._fence(now_s)]
        if self._is_time_to_beat(now_s):
            acts += [*self._beat(seen, now_s), *self._ask_to_deny(seen, now_s), *self._ask_to_go_on(seen)]
        return acts

    def against_start(self, domain: str, now_s: float) -> str | None:
        """What speaks against a start by anybody else, in words: whoever could take it over has to know that this node lives."""
        partner = self._partners[domain]
        return self._against_start(domain, partner, now_s) or self._unfenced_of(domain) or self._newer_there(domain)

    def against_arrival(self, domain: str, now_s: float) -> str | None:
        """The same for one that comes running from its other node: what is written over there out of sight would be lost."""
        partner = self._partners[domain]
        if (against := self._against_start(domain, partner, now_s) or self._unfenced_of(domain)) is not None:
            return against
        if partner in self.facts.off:
            return f"the guard of {partner} has ended, or is about to"
        if partner not in self.facts.covered:
            return f"{partner} has not said that DRBD asks its guard, too, before it goes on alone with what runs there"
        return None

    def _against_start(self, domain: str, partner: str, now_s: float) -> str | None:
        if self._is_proven(partner, now_s):
            return self._older(domain, self.facts.declared[partner]) or self._doubtful(domain)
        if self._leaves_from is not None:
            return "the guard of this node is being stopped"
        if self._proof.quorum:
            return self._against_by_quorum(domain, partner, now_s)
        if self._proof.lease:
            renewed_s = self._renewed_s(partner)
            if renewed_s is None or now_s >= renewed_s + self._times.lease_s:
                return f"neither {partner} nor the witness answers"
        elif self._peers[partner].renewed_s is None:
            return f"{partner} has not answered since this node has booted"
        return None

    @property
    def apart(self) -> list[str]:
        """The partners that said last that they were told something else: neither takes anything over from the other one."""
        return sorted(filter(self._is_apart, self._shared))

    @property
    def unfenced(self) -> list[str]:
        """The domains about which DRBD was not seen to ask this guard, or for quorum, before it goes on alone."""
        return sorted(self._unfenced)

    @property
    def unvouched(self) -> list[str]:
        """The domains about which DRBD asks, and that were not connected since: what is here may be newer than is known there."""
        return sorted(self._guarded - self.facts.vouched - self._unfenced)

    @property
    def refused(self) -> Mapping[str, str]:
        """The domains of dead nodes that are not started here now, and why."""
        return self._refused

    def _is_met(self, beat: Beat) -> Iterator[Act]:
        yield from self._in_boot(beat.node, beat.boot)
        covered = self.facts.covered - {beat.node}
        yield from self._keep(
            covered=covered | {beat.node} if self.node in beat.covered else covered,
            terms={**self.facts.terms, beat.node: dict(beat.terms).get(self.node, "")},
        )

    def _protection(self, beat: Beat) -> Iterator[Act]:
        """It is off from the first beat that says so to the first one of a guard that is subject to the proofs again."""
        said = self.facts.off.get(beat.node)
        if beat.leaving:
            yield from self._keep(off={**self.facts.off, beat.node: (beat.boot, beat.number)})
        elif said is not None and self.node in beat.covered and said < (beat.boot, beat.number):
            yield from self._keep(off={node: each for node, each in self.facts.off.items() if node != beat.node})

    def _orphans(self, seen: Seen, now_s: float) -> Iterator[Act]:
        for domain in self._starts.keys() & seen.running:
            del self._starts[domain]
        if not self.facts.declared and not self._held_s:
            self._refused = {}
            return
        orphans = {
            domain: self._against(domain, self.facts.declared.get(partner), seen, now_s)
            for domain, partner in self._partners.items()
            if domain not in seen.running and (self._is_proven(partner, now_s) or self._was_held(domain))
        }
        found = plan(orphans, self._wards, seen.starting & self._guarded, seen.free_bytes)
        yield from map(Start, found.start)
        for domain, reason in sorted(found.refused.items()):
            if self._refused.get(domain) != reason:
                yield Refuse(domain, reason)
        self._refused = found.refused

    def _against(self, domain: str, declared: Declaration | None, seen: Seen, now_s: float) -> str | None:
        if self.facts.paused:
            return "automatic takeover is paused"
        if declared is not None and (older := self._older(domain, declared)) is not None:
            return older
        if (reason := self._unfenced_of(domain) or self._doubtful(domain)) is not None:
            return reason
        if domain not in seen.startable and domain not in seen.starting:
            return seen.against.get(domain, "it was not seen what is here of it")
        retry = self._starts.get(domain)
        if retry is not None and now_s < retry.from_s:
            return f"its start has failed, and is tried again: {self._why_not[domain]}"
        return None

    def _doubt(self, seen: Seen) -> Iterator[Act]:
        """A copy whose disk was away has missed what was written meanwhile, and does not say so, until it is synchronised."""
        if seen.replicating is None:
            return  # nothing could be seen
        away = self.facts.away | self._unseen | (seen.away & self._guarded)
        self._consistent, self._unseen = seen.consistent, frozenset()
        yield from self._keep(away=away - seen.settled)

    def _doubtful(self, domain: str) -> str | None:
        if domain not in (self.facts.away | self._unseen) & self._consistent:
            return None
        return (
            f"the disk of its copy here was away while {self._partners[domain]} could go on, or may have been while no guard was "
            "here to see it, and is Consistent since: what is here may be older"
        )

    def _unfenced_of(self, domain: str) -> str | None:
        if domain not in self._unfenced:
            return None
        keeps = "demands quorum" if self._proof.quorum else "asks the guard of this node"
        return f"it was not seen that DRBD {keeps} before it goes on alone with its data"

    def _newer_there(self, domain: str) -> str | None:
        """DRBD forgets what it knew of that when the other node is connected without its disk (``sanitize_state``)."""
        partner = self._partners[domain]
        if domain not in self._peers[partner].alone - self._mirrored:
            return None
        return f"{partner} has gone on alone with it, and has not taken that back: what is here is older"

    def _older(self, domain: str, declared: Declaration) -> str | None:
        if domain in declared.alone:
            return f"{self._partners[domain]} had gone on alone with it, and has not taken that back: what is here is older"
        return None


def _is_past(declared: Declaration, beat: Beat) -> bool:
    """Whether what was proven is over: it has booted since, or has released everything since it was told."""
    return beat.boot > declared.boot or (declared.refusal is not None and beat.released == declared.refusal)
