"""The witness: the third vote. It answers nodes that live, and keeps what it has promised, also over its own restarts."""

from collections.abc import Mapping
from typing import NamedTuple

from saltern.guard.messages import (
    Allow,
    Answer,
    Beat,
    Denied,
    Deny,
    GoOn,
    Granted,
    Lives,
    Message,
    No,
    Synchronised,
    Yes,
)
from saltern.guard.times import Times


class Denial(NamedTuple):
    """A node that is answered no more, in that boot or before. Whoever asked may go on alone with the ``lent`` domains."""

    boot: int
    refusal: int
    lent: frozenset[str]

    def stands(self, beat: Beat) -> bool:
        """Whether it is not over with that beat: the node has booted since, or has released everything since it was told."""
        return beat.boot <= self.boot and (beat.released or 0) < self.refusal


class Promises(NamedTuple):
    """What the witness has on its disk: ``denied`` by node and by who asked for it; ``alone``, by domain, the node whose copy is
    the only good one.

    ``refusals`` is the greatest number that was ever given. ``off`` has the nodes whose guard was stopped on purpose, with
    the boot and the number of the beat that said so, and ``covered`` for each of these the partners that may take over from it
    since; ``terms`` those on which each node works that was ever heard, by partner.
    """

    denied: Mapping[tuple[str, str], Denial] = {}
    alone: Mapping[str, str] = {}
    refusals: int = 0
    off: Mapping[str, tuple[int, int]] = {}
    terms: Mapping[str, frozenset[tuple[str, str]]] = {}
    covered: Mapping[str, frozenset[str]] = {}


class Witness:
    """What it answers. ``promises`` has to be on the disk before an answer is sent.

    ``since_s`` is when it began to listen: what it heard before, it has forgotten.
    """

    def __init__(self, times: Times, promises: Promises, since_s: float) -> None:
        self.promises = promises
        self._times = times
        self._since_s = since_s
        self._heard: dict[str, tuple[int, int]] = {}
        self._heard_s: dict[str, float] = {}

    def answer(self, message: Message, now_s: float) -> Answer | None:
        """The answer, by what is so now; ``None`` for a message that is older than one that was heard."""
        sender = message.node if isinstance(message, Beat) else message.by
        if (message.boot, message.number) <= self._heard.get(sender, (0, 0)):
            return None
        self._heard[sender] = (message.boot, message.number)
        self._heard_s[sender] = now_s
        match message:
            case Beat():
                return self._beat(message, now_s)
            case Deny():
                return self._deny(message, now_s)
            case GoOn():
                return self._go_on(message)
            case Allow():
                self._allow(message)
            case Synchronised():
                self._synchronised(message)
        return None

    def _beat(self, beat: Beat, now_s: float) -> Yes | No:
        self._protection(beat)
        self.promises = self.promises._replace(terms={**self.promises.terms, beat.node: beat.terms})
        denials = [denial for (node, _), denial in self.promises.denied.items() if node == beat.node]
        if any(denial.stands(beat) for denial in denials):
            return No(beat.number, max(denial.refusal for denial in denials), declared=False)
        if denials:
            self._lift({(node, by) for node, by in self.promises.denied if node == beat.node})
        if beat.alone:
            self._learn(beat)
        denies = frozenset((node, each.refusal) for (node, by), each in self.promises.denied.items() if by == beat.node)
        return Yes(beat.number, denies, self._alone(beat.node))

    def _learn(self, beat: Beat) -> None:
        """Only again what a witness knew that was lost; what is known of another node stands."""
        for domain in beat.alone.difference(self.promises.alone.keys() - self._lent(beat.node)):
            self._promise(domain, beat.node)

    def _protection(self, beat: Beat) -> None:
        """It is off from the first beat that says so: for each partner to the first one that says that this one is covered.

        Also for whom it says nothing of: that may be a partner of a guard before, or of the next one.
        """
        off, covered = self.promises.off, self.promises.covered
        if beat.leaving:
            off, covered = {**off, beat.node: (beat.boot, beat.number)}, {**covered, beat.node: frozenset()}
        elif beat.node in off and off[beat.node] < (beat.boot, beat.number):
            covered = {**covered, beat.node: covered.get(beat.node, frozenset()) | beat.covered}
        self.promises = self.promises._replace(off=off, covered=covered)

    def _deny(self, deny: Deny, now_s: float) -> Denied | Lives:
        heard_s = self._heard_s.get(deny.node, self._since_s)
        newer = self._heard.get(deny.node, (0, 0))[0] > deny.denied_boot
        off = deny.node in self.promises.off and deny.by not in self.promises.covered.get(deny.node, ())
        spared = newer or off or not self._on_terms(deny)
        if self._is_denied(deny.by) or spared or now_s - heard_s < self._times.dead_s:
            return Lives(deny.number)
        before = self.promises.denied.get((deny.node, deny.by))
        if before is None or before.boot != deny.denied_boot:
            self._deny_now(deny)
        refusal = self.promises.denied[deny.node, deny.by].refusal
        return Denied(deny.number, deny.node, refusal, self._alone(deny.node))

    def _on_terms(self, deny: Deny) -> bool:
        """Whether that node works on the terms of who asks. Of one that was never heard, here or by a witness that this one has
        taken the place of, it is not known for how long it lives, nor what it was promised.
        """
        terms = self.promises.terms.get(deny.node)
        return terms is not None and dict(terms).get(deny.by, "") == deny.terms

    def _deny_now(self, deny: Deny) -> None:
        """Whoever asks may write alone before it is heard of again. So its copies are the good ones from now on."""
        lent = deny.domains.difference(self.promises.alone)
        refusal = self.promises.refusals + 1
        self.promises = self.promises._replace(
            denied={**self.promises.denied, (deny.node, deny.by): Denial(deny.denied_boot, refusal, lent)},
            alone={**self.promises.alone, **dict.fromkeys(lent, deny.by)},
            refusals=refusal,
        )

    def _allow(self, allow: Allow) -> None:
        denial = self.promises.denied.get((allow.node, allow.by))
        if denial is not None and denial.refusal == allow.refusal:
            self._lift({(allow.node, allow.by)})

    def _go_on(self, asked: GoOn) -> Granted:
        given = not self._is_denied(asked.by) and self.promises.alone.get(asked.domain) in (None, asked.by)
        if given:
            self._promise(asked.domain, asked.by)
        return Granted(asked.number, asked.domain, given)

    def _synchronised(self, told: Synchronised) -> None:
        if self.promises.alone.get(told.domain) == told.by:
            self._forget(told.domain)

    def _alone(self, node: str) -> frozenset[str]:
        return frozenset(domain for domain, each in self.promises.alone.items() if each == node)

    def _lent(self, node: str) -> frozenset[str]:
        return frozenset[str]().union(*(each.lent for (_, by), each in self.promises.denied.items() if by == node))

    def _promise(self, domain: str, node: str) -> None:
        """What was lent is used with that: it is not given back when the node that was denied comes to life."""
        denied = {
            each: denial._replace(lent=denial.lent - {domain}) if each[1] == node else denial
            for each, denial in self.promises.denied.items()
        }
        self.promises = self.promises._replace(alone={**self.promises.alone, domain: node}, denied=denied)

    def _forget(self, domain: str) -> None:
        alone = {each: node for each, node in self.promises.alone.items() if each != domain}
        self.promises = self.promises._replace(alone=alone)

    def _is_denied(self, node: str) -> bool:
        return any(denied == node for denied, _ in self.promises.denied)

    def _lift(self, denials: set[tuple[str, str]]) -> None:
        """What was lent with them is given back, unless it was used: whoever writes alone has asked for it once more."""
        for node, by in denials:
            for domain in self.promises.denied[node, by].lent & self._alone(by):
                self._forget(domain)
        denied = {each: denial for each, denial in self.promises.denied.items() if each not in denials}
        self.promises = self.promises._replace(denied=denied)
