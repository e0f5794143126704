"""What a guard knows, and how it keeps it: the ground that everything else stands on."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from saltern.guard.acts import Act, Keep
from saltern.guard.facts import Facts, Proof, Seen
from saltern.guard.orphans import Ward
from saltern.guard.peer import Declaration, Peer
from saltern.guard.retry import Retry
from saltern.guard.times import Times

WITNESS: Final = "the witness"
BY_LEASE: Final = Proof()


class Knowledge:
    """What the guard of ``node`` knows; ``partners`` are the other nodes of its domains, by domain, ``wards`` what else is to be
    known of them.

    ``renewed`` is what the guard before this one had, since the boot. ``terms`` stand for all that it was told that a partner
    has to be told as well, by partner. It is ``restarted`` where another guard was here since the boot.
    """

    def __init__(
        self,
        node: str,
        partners: Mapping[str, str],
        times: Times,
        facts: Facts,
        now_s: float,
        renewed: Mapping[str, float] | None = None,
        *,
        proof: Proof = BY_LEASE,
        wards: Mapping[str, Ward] | None = None,
        terms: Mapping[str, str] | None = None,
        restarted: bool = False,
    ) -> None:
        self.node = node
        self.facts = facts._replace(
            declared=_proven_by(proof, facts.declared),
            vouched=frozenset(each for each in facts.vouched if facts.partners.get(each) == partners.get(each)),
        )
        self._partners = partners
        self._guarded = frozenset(partners)
        self._shared = {
            name: frozenset(each for each in partners if partners[each] == name) for name in partners.values()
        }
        self._times = times
        self._proof = proof
        self._terms = {name: (terms or {}).get(name, "") for name in self._shared}
        self._wards = {domain: (wards or {}).get(domain, Ward()) for domain in partners}
        # Greater than all that a guard before this one has given since the boot: it did not live for a thousand a second.
        self._number = int(now_s * 1000)
        self._begun_s = now_s
        others = {*partners.values(), *([WITNESS] if proof.lease else [])}
        self._peers = {
            name: Peer(
                answered_s=now_s, heard_s=now_s, boot=facts.met.get(name, 0), renewed_s=(renewed or {}).get(name)
            )
            for name in sorted(others)
        }
        self._nodes = [
            (name, peer) for name, peer in self._peers.items() if name != WITNESS
        ]  # the partners, without it
        self._unfenced = self._guarded  # as was seen last; nothing yet
        self._consistent = self._guarded  # the same
        self._mirrored = frozenset[str]()  # the same
        # Disks that were detached while no guard was here, and attached again, nobody has seen.
        self._unseen = self._guarded if restarted else frozenset[str]()
        self._quorate_s = (
            dict(renewed or {}) if proof.quorum else {}
        )  # when a look began that has found quorum, by domain
        self._never_quorate = self._guarded if proof.quorum else frozenset()  # since it began
        self._promoting: set[str] = set()  # domains for which ``promoted`` was not told yet
        self._held_s: dict[str, float] = {}  # those that are Primary for a takeover, and since when that was known
        self._taken: set[str] = set()  # those that run here since they were held
        # Those that are Primary with quorum since a look that found them running.
        self._ours: frozenset[str] = frozenset()
        self._let_go_s: dict[str, float] = {}
        self._promotions: dict[str, Retry] = {}  # where they were refused
        self._asked: dict[str, int] = {}  # the first request of this loss to go on alone, by domain
        self._granted: dict[str, float] = {}  # domains that may go on, since they were lost last; and since when
        self._unheard: set[str] = set()  # those whose promise was lost on its way to DRBD: the next one is not
        self._outdating: dict[str, int] = {}  # the request of a partner that is answered when the copy is marked
        self._obeyed: dict[str, tuple[int, int]] = {}  # the last order that was taken, by who gave it
        self._starts: dict[str, Retry] = {}  # of orphans, where they have failed
        self._why_not: dict[str, str] = {}  # what was said then
        self._refused: Mapping[str, str] = {}

    def _domains_of(self, partner: str) -> frozenset[str]:
        return self._shared.get(partner, frozenset())

    def _held(self, seen: Seen) -> frozenset[str]:
        """The guarded domains that run here, or are about to."""
        return (seen.running | seen.starting) & self._guarded

    def _keep(self, **changed: Any) -> Iterator[Act]:
        facts = self.facts._replace(**changed)
        if facts != self.facts:
            self.facts = facts
            yield Keep(facts)

    def _in_boot(self, node: str, boot: int) -> Iterator[Act]:
        """A node was heard in that boot, which is kept: a denial of one before is none. Whether it is covered it has to say."""
        same = self.facts.met.get(node) == boot
        covered = self.facts.covered if same else self.facts.covered - {node}
        yield from self._keep(met={**self.facts.met, node: boot}, covered=covered)

    def _is_apart(self, node: str) -> bool:
        """Whether it said last that it works with this node on other terms than those that this guard was told."""
        return node in self.facts.met and self.facts.terms.get(node, "") != self._terms[node]

    def _next(self) -> int:
        self._number += 1
        return self._number


def _proven_by(proof: Proof, declared: Mapping[str, Declaration]) -> Mapping[str, Declaration]:
    """What was proven in another way than is valid now is proven no more: a lease has a refusal, and an agent none."""
    return {
        node: each for node, each in declared.items() if not proof.quorum and proof.lease == (each.refusal is not None)
    }
