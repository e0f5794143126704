"""The guard as a service: it hears, looks, has ``saltern.guard`` decide, and has it done. One thread, which never waits."""

import itertools
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final, assert_never

from saltern import loaded
from saltern.errors import FileError, Refused
from saltern.guard.acts import (
    Act,
    Demote,
    Disarm,
    Fence,
    Keep,
    Outdate,
    Promote,
    Refuse,
    ResumeIo,
    Send,
    Start,
    Stop,
    WindUp,
)
from saltern.guard.facts import Facts, Proof, Seen
from saltern.guard.guard import Guard
from saltern.guard.knowledge import WITNESS
from saltern.guard.messages import Answer, Beat, Denied, End, Ended, GoOn, Granted, Message, Yes
from saltern.guard.orphans import Ward
from saltern.guarding import telling
from saltern.guarding.agents import Agents
from saltern.guarding.doing import Doing
from saltern.guarding.doing import Ended as Came
from saltern.guarding.ending import Endings, Tickets, one_line
from saltern.guarding.events import Event
from saltern.guarding.journal import Journal
from saltern.guarding.local import LocalDoor, Question, Reply
from saltern.guarding.looking import Look, Looking
from saltern.guarding.settings import GuardSettings, read_guard
from saltern.guarding.store import GuardStore
from saltern.guarding.transport import Heard, Transport, Wake
from saltern.guarding.watchdog import Watchdog
from saltern.model.places import GUARD_ASIDE, GUARD_PAUSED, GUARD_SETTINGS
from saltern.run import LocalHost

_TURNS: Final = 4  # in a beat


def boottime_s() -> float:
    """Seconds since the machine was booted, those in which it slept included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class GuardService:
    """The guard of a node. ``root`` is where its files are; ``end`` asks it to end, which it does when nobody relies on it."""

    def __init__(
        self,
        host: LocalHost,
        root: str,
        settings: GuardSettings,
        store: GuardStore,
        transport: Transport,
        watchdog: Watchdog,
        journal: Journal,
        clock: Callable[[], float] = boottime_s,
    ) -> None:
        self._host, self._settings, self._store = host, settings, store
        self._transport, self._watchdog, self._journal, self._clock = transport, watchdog, journal, clock
        self._domains = {each.name: each for each in settings.domains}
        self._wake = Wake()
        lease = settings.witness is not None
        self._proof = Proof(lease, frozenset(settings.fencing), settings.quorum)
        self._looking = Looking(
            host,
            settings.domains,
            settings.times.beat_s,
            clock,
            self._wake,
            journal.say,
            lambda: self._guard.expects_orphans(clock()),
            witnessed=lease,
            quorum=settings.quorum,
        )
        self._doing = Doing(host, self._domains, clock, self._wake, journal, witnessed=lease, quorum=settings.quorum)
        self._agents = Agents(host, settings.fencing, self._wake, journal)
        partners = {each.name: each.partner for each in settings.domains}
        wards = {
            each.name: Ward(each.memory_bytes, each.order, each.depends_on, each.priority) for each in settings.domains
        }
        self._guard = Guard(
            settings.node,
            partners,
            settings.times,
            store.facts,
            clock(),
            store.renewed(),
            proof=self._proof,
            wards=wards,
            terms=settings.terms,
            restarted=store.restarted,
        )
        if (unasked := store.aside()) is not None:
            self._guard.step_aside(unasked)
        self._gone_on_s: dict[str, float] = {}  # when DRBD was told last that a domain goes on without its partner
        self._attached_s: dict[str, float] = {}  # when a domain was given a disk last
        self._kept: Mapping[str, float] = self._guard.renewed
        self._endings = Endings(lambda domain: self._doing.stop(domain), clock)
        self._tickets = Tickets()
        self._own_orders = itertools.count(-1, -1)  # none has the number of a message
        self._door = LocalDoor(root, self._answer)
        self._armed = False
        self._ending = False
        self._ends_from_s = math.inf  # when it was told to end
        self._disarmed = False  # whoever needs to know has heard that this guard ends
        self._asked: dict[str, Heard] = {}  # by which a partner has asked to go on alone last, by domain

    def run(self) -> None:
        """Guard, until it may end."""
        for fd in (self._wake.fd, self._door.fd):
            self._transport.poller.register(fd)
        self._looking.start()
        self._agents.start()
        self._doing.begin()
        self._do(self._guard.resume() if self._paused() is None else self._guard.pause())
        self._journal.say(
            "guard", f"of {self._settings.node} begins, boot {self._store.facts.boot}", Event.GUARD_BEGINS
        )
        pause_ms = int(self._settings.times.beat_s * 1000 / _TURNS)
        while not (self._ending and self._may_end()):
            ready = dict(self._transport.poller.poll(pause_ms))
            self._wake.heard()
            self._door.serve()
            for heard in self._transport.receive(ready):
                self._hear(heard)
            self._turn()
        self._end()

    def end(self) -> None:
        """It shall end; it does when its partners have taken note, so that nobody takes anything over from here."""
        if not self._ending:
            self._ends_from_s = self._clock()
        self._ending = True
        self._guard.leave()
        self._wake()

    # --- What comes in ---------------------------------------------------------------------------------------------
    def _hear(self, heard: Heard) -> None:
        content, now_s = heard.content, self._clock()
        if isinstance(content, Beat):
            answer, acts = self._guard.beat(content, now_s)
            self._do(acts)
            if answer is not None:
                said = "is heard" if isinstance(answer, Yes) else "is heard, and not answered: it counts as dead"
                self._journal.say(f"node {heard.sender}", said)
                self._transport.answer(heard, answer)
        elif isinstance(content, GoOn) and content.domain in self._domains:
            self._asked[content.domain] = heard
            self._do(self._guard.asked(content, now_s))
        elif isinstance(content, End):
            self._obey(heard, content, now_s)
        elif isinstance(content, Message):
            self._journal.say(f"from {heard.sender}", f"dropped: a {type(content).__name__}, which is for {WITNESS}")
        else:
            self._hear_answer(heard.sender, content, now_s)

    def _obey(self, heard: Heard, order: End, now_s: float) -> None:
        """End a domain because its other node has said so, and answer when it is gone; or answer why not."""
        against = self._guard.against_order(order, now_s)

        def tell(reason: str | None) -> None:
            self._transport.answer(
                heard, Ended(order.number, order.domain, None if reason is None else one_line(reason))
            )

        if against is not None:
            self._journal.tell(f"domain {order.domain}", f"is not ended as {heard.sender} has ordered: {against}")
            tell(against)
            return
        self._journal.tell(f"domain {order.domain}", f"is ended: {heard.sender} has ordered it", Event.DOMAIN_FENCED)
        self._endings.begin(order.domain, tell)

    def _hear_answer(self, by: str, answer: Answer, now_s: float) -> None:
        known = self._of_partners(answer)
        if known is None:
            return
        if isinstance(known, Ended):
            self._tickets.close(known.number, known.reason)
        acts = self._guard.answered(by, known, now_s)
        for told in telling.heard(by, known):
            self._journal.say(*told)
        self._keep_renewed()
        self._do(acts)

    def _keep_renewed(self) -> None:
        """Before anything that rests on it is said or done."""
        if self._guard.renewed != self._kept:
            self._kept = self._guard.renewed
            self._store.keep_renewed(self._kept)

    def _of_partners(self, answer: Answer) -> Answer | None:
        """What of an answer is about partners: the witness may keep something of one that this node no longer has."""
        if isinstance(answer, Denied) and answer.node not in self._settings.partners:
            return None
        if isinstance(answer, Yes):
            return answer._replace(
                denies=frozenset(each for each in answer.denies if each[0] in self._settings.partners)
            )
        return answer

    # --- What is to be done ----------------------------------------------------------------------------------------
    def _turn(self) -> None:
        now_s = self._clock()
        for ended in self._doing.ended():
            self._came_of_it(ended, now_s)
        for fenced in self._agents.ended():
            self._guard.fenced(fenced.node, fenced.off, now_s)
        self._endings.again()
        look, seen = self._fresh(now_s), self._seen(now_s)
        for domain in seen.running:
            if self._guard.lease_until_s(domain) > now_s:
                self._journal.say(f"lease of {domain}", "is there")
        acts = self._guard.act(seen, now_s)
        self._keep_renewed()
        self._do(acts)
        if look is not None:
            self._looking.acted_on(look)

    def _came_of_it(self, ended: Came, now_s: float) -> None:
        match ended.what:
            case "outdate":
                self._do(self._guard.outdated(ended.domain, ended.reason is None))
            case "promote":
                self._guard.promoted(ended.domain, ended.reason, now_s)
            case "stop":
                self._endings.came_of_it(ended.domain, ended.reason)
            case "start" if ended.reason is not None:
                self._guard.failed(ended.domain, ended.reason, now_s)

    def _seen(self, now_s: float) -> Seen:
        """What is so here. While that is unknown, everything may be running, and nothing can be started."""
        look = self._fresh(now_s)
        if look is None:
            return Seen(running=frozenset(self._domains), replicating=None, unfenced=None)
        starting = self._doing.starting - look.seen.running
        here = (
            self._doing.here_since(look.begun_s) | self._attached_since(look) | self._unproven(look, now_s)
        ) - starting
        found = replace(
            look.seen,
            running=look.seen.running | here,
            starting=starting,
            startable=look.seen.startable - here - starting,
            lost=look.seen.lost | (starting - look.seen.connected),
            # What DRBD was told since the look began rests on the promise that would be given up now.
            settled=self._since_told(look.seen.settled, look),
            connected=self._since_told(look.seen.connected, look),
            mirrored=self._since_told(look.seen.mirrored, look),
        )
        if not self._proof.quorum:
            return found
        # Who goes on is a matter of votes: nobody is asked.
        return replace(found, lost=frozenset(), waiting=frozenset(), unasked=frozenset())

    def _attached_since(self, look: Look) -> frozenset[str]:
        return frozenset(name for name, at_s in self._attached_s.items() if at_s >= look.begun_s)

    def _since_told(self, domains: frozenset[str], look: Look) -> frozenset[str]:
        return frozenset(name for name in domains if look.begun_s > self._gone_on_s.get(name, -math.inf))

    def _fresh(self, now_s: float) -> Look | None:
        look = self._looking.latest
        return look if look is not None and now_s - look.begun_s <= self._settings.times.takeover_s else None

    def _unproven(self, look: Look, now_s: float) -> frozenset[str]:
        """What may be running without a lease: only a fresh look that began after its end tells that it is not."""
        fresh_s = now_s - self._settings.times.dead_s
        ends_s = {name: self._guard.lease_until_s(name) for name in self._domains}
        return frozenset(
            name for name, end_s in ends_s.items() if end_s <= now_s and look.begun_s <= max(end_s, fresh_s)
        )

    def _paused(self) -> str | None:
        return self._host.read_text(GUARD_PAUSED)

    def _do(self, acts: list[Act]) -> None:
        for act in acts:
            match act:
                case Keep():
                    self._keep(act.facts)
                case Send():
                    self._send(act)
                case WindUp():
                    self._watchdog.wind_up(int(self._settings.times.watchdog_s))
                    self._armed = True
                case Disarm():
                    self._disarmed = True
                    return  # nothing is begun any more by a guard that nobody counts on
                case Fence():
                    self._agents.fence(act.node)
                    self._looking.again()  # so that what can be started is known when the agent has come to its end
                case _:
                    self._do_with_domain(act)

    def _do_with_domain(self, act: Start | Stop | Promote | Demote | Outdate | ResumeIo | Refuse) -> None:
        match act:
            case Stop():
                self._journal.say(f"lease of {act.domain}", "has ended: the domain is ended at once", Event.LEASE_ENDED)
                self._doing.stop(act.domain)
            case Start():
                self._journal.say(f"domain {act.domain}", "is to be started here: its other node is proven dead")
                self._doing.start(act.domain)
            case Promote():
                self._doing.promote(act.domain)
            case Demote():
                self._doing.demote(act.domain)
            case Outdate():
                self._doing.outdate(act.domain)
            case ResumeIo():
                self._gone_on_s[act.domain] = self._clock()
                self._doing.resume_io(act.domain)
            case Refuse():
                self._journal.say(f"domain {act.domain}", f"is not started here: {act.reason}", Event.DOMAIN_REFUSED)
            case _:
                assert_never(act)

    def _keep(self, facts: Facts) -> None:
        before = self._store.facts
        self._store.keep(facts)
        for told in telling.facts(before, facts):
            self._journal.say(*told)

    def _send(self, send: Send) -> None:
        message = send.message
        for told in telling.sent(message):
            self._journal.say(*told)
        if isinstance(message, Granted):
            asked = self._asked.pop(message.domain, None)
            if asked is not None:
                self._transport.answer(asked, message)
        elif isinstance(message, Message):
            self._transport.send(send.to, message)

    # --- The end ---------------------------------------------------------------------------------------------------
    def _may_end(self) -> bool:
        """When it is known, or when nothing runs that could be taken over and nobody is there to be told.

        Who was not told takes a silent node for lost, and has it switched off where there is an agent.
        """
        now_s = self._clock()
        seen = self._seen(now_s)
        in_vain = now_s >= self._ends_from_s + self._settings.times.dead_s
        if self._disarmed or (in_vain and not seen.running | seen.starting):
            return True
        who = WITNESS if self._settings.witness is not None else "its partners"
        self._journal.say("guard", f"shall end, and waits for {who} to take note of it")
        return False

    def _end(self) -> None:
        """Nobody relies on this node's leases any more: they must not be found again as some that have run out."""
        self._store.forget_renewed()
        if self._armed:
            self._watchdog.disarm()
        self._door.close()
        self._transport.close()
        words = "has ended: this node is not protected, and nothing of it is taken over"
        self._journal.say("guard", words, Event.GUARD_ENDED)

    # --- Questions of this node ------------------------------------------------------------------------------------
    def _answer(self, question: Question) -> Reply:
        match question:
            case {"ask": "status"}:
                return self._status()
            case {"ask": "pause", "who": str(who)}:
                self._note_pause(who)
                self._do(self._guard.pause())
                self._journal.say("guard", f"was paused by {who}: it takes nothing over", Event.GUARD_PAUSED)
                return {"paused": who}
            case {"ask": "resume"}:
                self._note_pause(None)
                self._do(self._guard.resume())
                self._journal.say("guard", "goes on: it takes over again", Event.GUARD_RESUMED)
                return {"paused": None}
            case {"ask": "step aside", "resources": list(resources)}:
                return self._step_aside(resources)
            case {"ask": "stop"}:
                self.end()
                return {"ending": True}
            case {"ask": "wake"}:
                self._looking.again()
                return {"awake": True}
        return self._answer_about(question)

    def _step_aside(self, resources: list[Any]) -> Reply:
        """Kept before anybody counts on it, so that a guard which takes its place does no less; raises ``Refused``."""
        unasked = frozenset(
            each.name for each in self._settings.domains if not set(each.resources).isdisjoint(resources)
        )
        try:
            self._store.keep_aside(unasked)
        except OSError as error:
            raise _not_kept(GUARD_ASIDE, error) from error
        self._guard.step_aside(unasked)
        self._wake()
        return {"aside": self._guard.aside}

    def _note_pause(self, who: str | None) -> None:
        """Have on the disk who has paused it, if anybody has; raises ``Refused`` where that does not take it."""
        try:
            if who is None:
                self._host.remove(GUARD_PAUSED)
            else:
                self._host.write_text(GUARD_PAUSED, f"{who}\n", 0o644)
        except OSError as error:
            raise _not_kept(GUARD_PAUSED, error) from error

    def _answer_about(self, question: Question) -> Reply:
        """Of one domain, or one of its disks."""
        match question:
            case {"ask": "lost", "resource": str(resource)}:
                self._is_lost(resource)
                self._turn()  # so that what is proven is answered now, and not when the handler asks again
                return self._may_go_on(resource)
            case {"ask": "go on", "resource": str(resource)}:
                return self._may_go_on(resource)
            case {"ask": "start", "domain": str(domain)}:
                return self._may_start(domain)
            case {"ask": "confirm dead", "node": str(node), "who": str(who)}:
                return self._confirm_dead(node, who)
            case {"ask": "attach", "resource": str(resource), "arrives": bool(arrives), "apart": bool(apart)}:
                return self._may_attach(resource, arrives, apart)
            case {"ask": "end", "domain": str(domain), "node": str(node)}:
                return self._end_domain(domain, node)
            case {"ask": "ended", "number": int(number)}:
                return self._tickets.show(number)
        raise Refused(
            "guard",
            f"{str(dict(question))[:100]!r} was asked",
            "Ask for status, pause, resume, step aside, stop, lost, go on, start, confirm dead, attach, end, ended, wake",
        )

    def _confirm_dead(self, node: str, who: str) -> Reply:
        """Take a person's word that a node is off, unless what is known here speaks against it; raises ``Refused``."""
        now_s = self._clock()
        against: str | None = "what replicates here cannot be seen now"
        acts: list[Act] = []
        if self._fresh(now_s) is not None:
            against, acts = self._guard.confirm_dead(node, now_s)
        if against is not None:
            remedy = "See `cluster.status`, and docs/howto/survive-a-lost-node.md: *Say that a node is dead*, and what is below"
            raise Refused(f"node {node}", f"it is not taken for dead: {against}", remedy)
        self._journal.tell(f"node {node}", f"{who} has looked, and says that it is off", Event.DEATH_CONFIRMED)
        self._do(acts)
        return {"dead": node, "who": who}

    def _end_domain(self, domain: str, node: str) -> Reply:
        """Have a domain ended here, or on its other node; ``ended`` tells what has come of it."""
        known = self._domains.get(domain)
        if known is None or node not in (self._settings.node, known.partner):
            found = f"{domain} is not guarded here" if known is None else f"{domain} has nothing to do with {node}"
            raise Refused("guard", found, "Ask the guard of one of its nodes, with one of these")
        if node == self._settings.node:
            number = next(self._own_orders)
            self._tickets.open(number)
            self._journal.tell(
                f"domain {domain}", "is ended: somebody has ordered it on this node", Event.DOMAIN_FENCED
            )
            self._endings.begin(domain, partial(self._tickets.close, number))
            return self._tickets.show(number)
        order = self._guard.order_end(domain)
        if order is None:
            raise Refused("guard", f"{node} was not heard since this guard began", "Try again when it is heard")
        self._journal.tell(f"domain {domain}", f"is to be ended on {node}: somebody has ordered it here")
        self._transport.send(node, order)
        return self._tickets.open(order.number)

    def _is_lost(self, resource: str) -> None:
        domain = self._settings.domain_of(resource)
        if domain is not None:
            self._guard.lost(domain.name)

    def _may_go_on(self, resource: str) -> Reply:
        """Whether a resource may be written here without the other copy: ``dead``, ``alone``, ``wait`` or ``no``."""
        self._looking.again()
        domain = self._settings.domain_of(resource)
        if domain is None:
            return {"answer": "no", "why": f"{resource} is no disk of a domain that is guarded here"}
        if self._guard.may_go_on(domain.name):
            dead = domain.partner in self._guard.facts.declared
            self._gone_on_s[domain.name] = self._clock()
            return {
                "answer": "dead" if dead else "alone",
                "why": f"{domain.partner} is proven dead" if dead else "promised",
            }
        seen = self._seen(self._clock())
        if domain.name in seen.running | seen.starting:
            return {
                "answer": "wait",
                "why": f"neither is {domain.partner} proven dead nor its copy promised to be outdated",
            }
        return {"answer": "no", "why": f"{domain.name} is not here, and {domain.partner} not proven dead"}

    def _may_start(self, domain: str, arrives: bool = False, apart: bool = False) -> Reply:
        if domain not in self._domains:
            return {"allowed": True, "why": f"{domain} is not guarded"}
        against = self._guard.against_arrival if arrives else self._guard.against_start
        reason = against(domain, self._clock()) or (self._guard.against_apart(domain) if apart else None)
        return {"allowed": reason is None, "why": reason or f"nobody takes {domain} over from this node"}

    def _may_attach(self, resource: str, arrives: bool, apart: bool) -> Reply:
        """The same of a domain that Xen has already, and gives a disk to: from now on it runs here, whatever was seen before.

        It ``arrives`` when it runs on its other node until then. The disk is ``apart`` when its other copy is out of sight.
        """
        domain = self._settings.domain_of(resource)
        if domain is None:
            return {"allowed": True, "why": f"{resource} is no disk of a domain that is guarded here"}
        reply = self._may_start(domain.name, arrives, apart)
        if reply["allowed"]:
            self._attached_s[domain.name] = self._clock()
            self._looking.again()
        return reply

    def _status(self) -> Reply:
        now_s = self._clock()
        look, facts = self._fresh(now_s), self._guard.facts
        unaware, apart = self._guard.unaware(now_s), self._guard.apart
        works = (self._armed or not self._proof.ends) and not self._guard.leaving
        without = {*unaware, *apart}
        return {
            "node": self._settings.node,
            "boot": facts.boot,
            "protected": works and not without,
            "unaware": unaware,
            "apart": apart,
            "unfenced": self._guard.unfenced,
            "unvouched": self._guard.unvouched,
            "quorum": self._proof.quorum,
            "leases": self._proof.ends,
            "ending": self._ending,
            "aside": self._guard.aside,
            "leaving": self._guard.leaving,
            "current": self._is_current() and not self._guard.leaving,
            "paused": self._paused(),
            "seen": look is not None,
            "renewed_s_ago": self._renewed_s_ago(now_s),
            "met": sorted(facts.met),
            "dead": {node: each.boot for node, each in sorted(facts.declared.items())},
            "alone": sorted(facts.alone),
            "off": sorted(facts.off),
            "doing": self._doing.busy,
            "agents": self._agents.trouble,
            "refused": dict(self._guard.refused),
            "domains": {
                name: {
                    "protected": works and without.isdisjoint((domain.partner, WITNESS)),
                    **self._domain_status(name, look, now_s),
                }
                for name, domain in self._domains.items()
            },
        }

    def _renewed_s_ago(self, now_s: float) -> dict[str, float]:
        """By quorum, of what was seen with it: the one lease that everything has comes from nobody."""
        renewed_s, never = self._guard.renewed, self._guard.never_quorate
        return {name: round(now_s - at_s, 1) for name, at_s in sorted(renewed_s.items()) if name not in never}

    def _is_current(self) -> bool:
        """Whether it works with the core and the settings that are on the disk."""
        try:
            return loaded.is_current() and read_guard(self._host, GUARD_SETTINGS) == self._settings
        except FileError:
            return False

    def _domain_status(self, name: str, look: Look | None, now_s: float) -> dict[str, Any]:
        left_s = self._guard.lease_until_s(name) - now_s
        return {
            "partner": self._domains[name].partner,
            "running": None if look is None else name in look.seen.running,
            "lease_left_s": None if math.isinf(left_s) else round(left_s, 1),
            "never_quorate": name in self._guard.never_quorate,
            "not_startable": "it cannot be seen" if look is None else look.reasons.get(name),
        }


def _not_kept(path: str, error: OSError) -> Refused:
    remedy = "See that the disk has room and can be written, and ask again"
    return Refused("guard", f"{path} cannot be changed: {error.strerror}", remedy)
