"""The proof by quorum: who is Primary with quorum for long enough is the only one that can have it.

DRBD agrees on a promotion with all that it reaches, also by way of the tie-breaker; it refuses while another Primary is among
them. From then on the other node, which is reached by neither, loses its quorum as soon as it notices, and does not get it back;
its guard ends the domain when its lease has ended, or Xen's watchdog the node. So the promotion is the denial, and time is
counted from when it is known here.
"""

from collections.abc import Iterator

from saltern.guard.acts import Act, Demote, Promote
from saltern.guard.facts import Seen
from saltern.guard.proofs import Proofs
from saltern.guard.retry import Retry


class Holding(Proofs):
    """Where a node is lost, its domains' resources are promoted here, held, and demoted again when anything speaks against it."""

    def promoted(self, domain: str, refused: str | None, now_s: float) -> None:
        """What has come of ``Promote``: it is Primary now, or why not, in words."""
        self._promoting.discard(domain)
        self._let_go_s.pop(domain, None)
        if refused is None:
            self._held_s[domain] = now_s
        else:
            self._promotions.setdefault(domain, Retry()).failed(now_s)

    def against_apart(self, domain: str) -> str | None:
        """By quorum: what speaks against giving a disk whose other copy is out of sight to a domain, in words.

        Its other node may be heard, and run it until it has noticed that it has no quorum. Not so while the domain has been
        Primary here without a break since it ran here, as when it reboots, or when it was held for long enough.
        """
        if not self._proof.quorum or domain in self._taken | self._ours or self._was_held(domain):
            return None
        return f"its copy on {self._partners[domain]} is out of sight, and it may still run there"

    def _keep_primary(self, seen: Seen, now_s: float) -> Iterator[Act]:
        """What is Primary already when this guard begins was not promoted by it, and proves nothing: it is demoted first."""
        if not self._proof.quorum:
            return
        self._taken &= seen.running | seen.starting
        self._ours = (self._ours | (seen.running & self._guarded)) & seen.primary & seen.quorate
        for domain in sorted(self._guarded - self._promoting - seen.starting):
            if domain in seen.running:
                self._runs(domain)
            elif domain in self._held_s:
                yield from self._hold_on(domain, seen, now_s)
            elif domain in seen.primary | seen.partly_primary:
                yield from self._let_go(domain, seen, now_s)
            elif domain in seen.quorate and self._may_hold(domain, seen, now_s) and self._is_to_be_tried(domain, now_s):
                self._promoting.add(domain)
                yield Promote(domain)

    def _runs(self, domain: str) -> None:
        """What it was held for has come; Xen has a domain before that is given its disks."""
        if self._was_held(domain):
            self._taken.add(domain)
        self._held_s.pop(domain, None)

    def _hold_on(self, domain: str, seen: Seen, now_s: float) -> Iterator[Act]:
        """A look that began before it was Primary says nothing about that."""
        seen_well = domain in seen.primary & seen.quorate or seen.began_s < self._held_s[domain]
        if not (seen_well and self._may_hold(domain, seen, now_s)):
            del self._held_s[domain]
            yield from self._let_go(domain, seen, now_s)

    def _let_go(self, domain: str, seen: Seen, now_s: float) -> Iterator[Act]:
        """Once for each look that still finds it Primary."""
        if seen.began_s >= self._let_go_s.get(domain, seen.began_s):
            self._let_go_s[domain] = now_s
            yield Demote(domain)

    def _may_hold(self, domain: str, seen: Seen, now_s: float) -> bool:
        """Not where the copies have met, if only for a moment between two looks: that has given quorum to the other side."""
        partner = self._partners[domain]
        apart = domain not in seen.connected | seen.met
        here = domain in seen.startable and self._leaves_from is None
        return apart and here and self._is_lost(partner, self._peers[partner], now_s)

    def _is_to_be_tried(self, domain: str, now_s: float) -> bool:
        tried = self._promotions.get(domain)
        return tried is None or now_s >= tried.from_s

    def _was_held(self, domain: str) -> bool:
        """For so long that nobody else runs it; a look that began then has found it well."""
        since_s, seen_s = self._held_s.get(domain), self._quorate_s.get(domain)
        return since_s is not None and seen_s is not None and seen_s >= since_s + self._times.takeover_s

    def _against_by_quorum(self, domain: str, partner: str, now_s: float) -> str | None:
        """What is Primary here without its partner may still run over there until it was held for long enough."""
        seen_s = self._quorate_s.get(domain)
        if seen_s is None or now_s >= seen_s + self._times.lease_s:
            return "it was not seen of late that its resources have quorum here"
        if domain in self._taken or self._was_held(domain):
            return None
        held = domain in self._promoting or domain in self._held_s
        heard_s = self._peers[partner].heard_s
        heard = self._begun_s < heard_s and now_s < heard_s + self._times.dead_s
        if not held and (heard or partner in self.facts.off):
            return None
        return f"{partner} is silent, and may still run it: the guard of this node starts it when that is over"
