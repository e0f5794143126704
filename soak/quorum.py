"""A resource of DRBD 9 with two copies and a tie-breaker, as drbd_state.c counts quorum and agrees on roles.

Three nodes, three connections; each end of one believes that it is there until it notices that nothing comes, and they notice one
by one. A link that is cut one way is cut: what is sent is not answered.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from soak.violation import Violation

if TYPE_CHECKING:
    from soak.world import Machine, Side, World

TIE_BREAKER: Final = "third"
UNANSWERED: Final = "somebody does not answer"
_SYNCHRONISES_S: Final = (1.0, 20.0)


class Drbd(NamedTuple):
    """What DRBD does. A takeover by quorum rests on the first four, as a world shows that is without one of them.

    ``asks_before_it_writes``: a Primary that has lost the other copy acknowledges nothing before all that it still sees have
    answered, and have told those behind them, so that a copy behind the tie-breaker is outdated. ``refuses_a_second_primary``,
    also where the first one is seen by way of the tie-breaker only. ``tie_breaker_gives_none``: it keeps quorum, and gives none
    back. ``outdates_primaries``: where two are allowed, for a migration, one that sees the other behind the tie-breaker only is
    outdated too.

    Of the rest there are versions: one that ``remembers`` who cannot have quorum, and gives that one no vote (9.1.13, 9.2.2); one
    whose quorum ``outlasts_boots`` (9.2.7). ``None``: a world has the one or the other.
    """

    asks_before_it_writes: bool = True
    refuses_a_second_primary: bool = True
    tie_breaker_gives_none: bool = True
    outdates_primaries: bool = True
    remembers: bool | None = None
    outlasts_boots: bool | None = None


@dataclass(slots=True)
class End:
    """What one node knows of the resource. The tie-breaker has no use for its ``quorum``.

    ``sees`` are those that it believes to be connected, ``members`` those that its last agreement has reached; ``owes`` says that
    it has lost one since.
    """

    sees: set[str]
    members: set[str]
    quorum: bool
    other_outdated: bool = False
    owes: bool = False
    asked: bool = False  # since it has lost the other copy
    before: frozenset[str] | None = None  # its members when it went down with quorum
    notices_in_s: dict[str, float] = field(default_factory=dict)


class Resource:
    """The resource of a domain in a world, on its two nodes and on the tie-breaker. ``held`` are nodes that are Primary for a
    guard, without a domain.
    """

    def __init__(self, world: "World", domain: str, drbd: Drbd, detect_s: float) -> None:
        self._world = world
        self._domain = domain
        self._pair = world.homes[domain]
        self._drbd = drbd
        self._detect_s = detect_s
        self._dice = world.noise["drbd", domain]
        self.nodes = (*self._pair, TIE_BREAKER)
        self.ends = {node: End({*self.nodes} - {node}, {*self.nodes}, True) for node in self.nodes}
        self.held: set[str] = set()
        self.two_primaries = False
        self.idle = False
        self._remembers = self._one_of(drbd.remembers)
        self._restores = self._one_of(drbd.outlasts_boots)

    def _one_of(self, either: bool | None) -> bool:
        newer = self._dice.random() < 0.7
        return newer if either is None else either

    # --- What is seen and done on a node ---------------------------------------------------------------------------
    def primaries(self) -> set[str]:
        """The nodes that are Primary."""
        machines = self._world.machines
        return self.held | {node for node in self._pair if self._domain in machines[node].running}

    def promote(self, node: str) -> str | None:
        """Why not, in words. It is agreed on by all that can be reached; who does not answer holds it up."""
        if node in self.primaries():
            return None
        if not self.ends[node].quorum:
            return "no quorum"
        if self._side(node).disk != "UpToDate":
            return f"its disk is {self._side(node).disk}"
        reached = self.reached(node)
        if reached is None:
            return UNANSWERED
        if not self._may_be_primaries(self.primaries() & reached | {node}, node):
            return "another node is Primary"
        self.held.add(node)
        self._commit(node, reached)
        return None

    def replace_disk(self, node: str) -> None:
        """It is synchronised from the other one, if that is there."""
        side, there = self._side(node), self._side(self._other(node))
        if self._is_live(node, self._other(node)) and side.disk == there.disk == "UpToDate":
            self._world.note(f"{node} has a new disk of {self._domain}")
            side.disk, side.version = "Inconsistent", -1
            side.synchronises_until_s = self._world.time_s + self._dice.uniform(*_SYNCHRONISES_S)

    def lost(self, node: str) -> None:
        """A node has lost its power."""
        end = self.ends[node]
        end.before = frozenset(end.members) if end.quorum else None
        end.sees.clear()
        end.notices_in_s.clear()
        end.members, end.quorum, end.owes, end.asked = {node}, False, False, False
        self.held.discard(node)

    def step(self, passed_s: float) -> None:
        """What happens in so short a time, in any order."""
        for do in self._dice.sample((self._notice, self._settle, self._connect), 3):
            do(passed_s)
        for node in self._pair:
            self._side(node).connected = self._other(node) in self.ends[node].sees
            self._count(node)
        self._synchronise()
        for node in self._pair:
            self._write(node)

    # --- Connections -----------------------------------------------------------------------------------------------
    def _notice(self, passed_s: float) -> None:
        for node, end in self._alive():
            for peer in sorted(end.sees):
                if self._is_live(node, peer):
                    end.notices_in_s.pop(peer, None)
                    continue
                if self._world.reachable(node, peer):  # the other end is closed: that comes back at once
                    self._lose(node, peer)
                    continue
                left_s = end.notices_in_s.setdefault(peer, self._takes_s(node, passed_s))
                end.notices_in_s[peer] = left_s - passed_s * self._world.machines[node].rate
                if end.notices_in_s[peer] <= 0:
                    self._lose(node, peer)

    def _takes_s(self, node: str, passed_s: float) -> float:
        """Often as long as it may."""
        noise = self._world.noise["notice", self._domain, node]
        most_s = self._detect_s - 2 * passed_s
        return noise.uniform(0, most_s) if noise.random() < 0.6 else most_s

    def _lose(self, node: str, peer: str) -> None:
        end = self.ends[node]
        end.sees.discard(peer)
        end.notices_in_s.pop(peer, None)
        end.owes = True
        if node != TIE_BREAKER:
            if peer != TIE_BREAKER:
                end.asked = False
                self._side(node).synchronises_until_s = None
            self._count(node)
        self._world.changed()

    def _connect(self, _passed_s: float) -> None:
        for node, peer in self._dice.sample([(self.nodes[i], self.nodes[j]) for i, j in ((0, 1), (0, 2), (1, 2))], 3):
            one, other = self.ends[node], self.ends[peer]
            if peer in one.sees or node in other.sees or not self._world.reachable(node, peer):
                continue
            reached = self.reached(node, peer)
            if reached is None or not self._fit(node, peer):
                continue
            begun_by = self._dice.choice((node, peer))
            if not self._may_be_primaries(self.primaries() & reached, begun_by, {node, peer} == {*self._pair}):
                continue
            for end, added in ((one, peer), (other, node)):
                end.sees.add(added)
                end.members.add(added)
            self.ends[begun_by].members = set(reached)
            self._outdate_far(reached)
            self._restore(node)
            self._restore(peer)
            if TIE_BREAKER not in (node, peer):
                self._meet(node, peer)
            for each in self._pair:
                self._count(each)
            self._world.changed()

    def _may_be_primaries(self, nodes: set[str], begun_by: str, direct: bool = False) -> bool:
        """`check_primaries_distances`. Who has begun it and has no disk lets two be that it is between."""
        if len(nodes) < 2 or not self._drbd.refuses_a_second_primary:
            return True
        return self.two_primaries and (direct or self._is_live(*self._pair) or begun_by == TIE_BREAKER)

    def _fit(self, node: str, peer: str) -> bool:
        """Whether the handshake lets them: an older copy that is Primary stays apart."""
        if TIE_BREAKER in (node, peer):
            return True
        mine, theirs = self._side(node), self._side(peer)
        if mine.wrote_alone and theirs.wrote_alone:
            raise Violation("no split-brain", f"split-brain of {self._domain}: both sides have written alone")
        if mine.version == theirs.version:
            return True
        older = node if mine.version < theirs.version else peer
        return older not in self.primaries()

    def _meet(self, node: str, peer: str) -> None:
        old, new = (node, peer) if self._side(node).version < self._side(peer).version else (peer, node)
        for each in (node, peer):
            side = self._side(each)
            side.connected, side.wrote_alone = True, False
            self.ends[each].other_outdated = False
            self._world.machines[each].met.add(self._domain)
        behind = self._side(old)
        if behind.version < self._side(new).version or behind.disk == "Inconsistent":
            behind.disk = "Inconsistent"
            behind.synchronises_until_s = self._world.time_s + self._dice.uniform(*_SYNCHRONISES_S)
        else:
            behind.disk = "UpToDate"
        self._side(new).disk = "UpToDate"

    def _restore(self, node: str) -> None:
        """Since 9.2.7 a node that went down with quorum has it back when it sees the same ones again."""
        end = self.ends[node]
        if self._restores and end.before is not None and end.before == end.sees | {node}:
            end.quorum, end.before = True, None

    # --- Agreement -------------------------------------------------------------------------------------------------
    def reached(self, *begin: str) -> set[str] | None:
        """All that a two-phase commit reaches, or ``None`` while somebody does not answer who is believed to be connected.

        Who believes that it is connected to the one that has begun it, and hears of it from another one, asks it first.
        """
        reached, todo = set(begin), list(begin)
        if not all(self._answers(node) for node in begin):
            return None
        while todo:
            node = todo.pop()
            for peer in sorted(self.ends[node].sees):
                if peer in reached and self._is_live(node, peer):
                    continue
                if not self._is_live(node, peer):
                    if peer == begin[0]:
                        self._lose(node, peer)
                        continue
                    return None
                reached.add(peer)
                todo.append(peer)
        return reached

    def _settle(self, _passed_s: float) -> None:
        """After each loss, each node finds out who is still there, as soon as all have answered."""
        for node, end in self._alive():
            if end.owes and (reached := self.reached(node)) is not None:
                self._commit(node, reached)

    def _commit(self, node: str, reached: set[str]) -> None:
        end = self.ends[node]
        end.members, end.owes, end.asked = set(reached), False, True
        self._outdate_far(reached)
        if node != TIE_BREAKER:
            self._count(node)

    def _outdate_far(self, reached: set[str]) -> None:
        """A copy that reaches a Primary by way of the tie-breaker only is outdated. The Primary may know of it, or not."""
        for node, other in (self._pair, self._pair[::-1]):
            if not {node, other} <= reached or other not in self.primaries() or other in self.ends[node].sees:
                continue
            if node in self.primaries() and not self._drbd.outdates_primaries:
                continue
            if self.ends[other].quorum and self._side(other).disk == "UpToDate":
                side = self._side(node)
                side.disk = "Outdated" if side.disk == "UpToDate" else side.disk
                self.ends[other].other_outdated |= self._dice.random() < 0.5

    # --- Quorum ----------------------------------------------------------------------------------------------------
    def _count(self, node: str) -> None:
        """`calc_quorum`: two votes, or the other one is no voter, or a tie that is broken on the side that had quorum."""
        end, other = self.ends[node], self._other(node)
        outdated = end.other_outdated or (self._remembers and end.quorum and other not in end.members)
        tie = TIE_BREAKER in end.sees and (end.quorum or not self._drbd.tie_breaker_gives_none)
        quorum = other in end.sees or outdated or tie
        suspended = not quorum and node in self.primaries()
        if quorum or self._side(node).disk != "UpToDate":
            end.before = None
        if (quorum, suspended) != (end.quorum, self._side(node).suspended):
            end.quorum, self._side(node).suspended = quorum, suspended
            self._world.changed()

    # --- Data ------------------------------------------------------------------------------------------------------
    def _synchronise(self) -> None:
        for node in self._pair:
            side, there = self._side(node), self._side(self._other(node))
            if side.synchronises_until_s is not None and self._world.time_s >= side.synchronises_until_s:
                side.synchronises_until_s, side.disk, side.version = None, "UpToDate", there.version
                self._world.changed()

    def _write(self, node: str) -> None:
        world, end, other = self._world, self.ends[node], self._other(node)
        machine, side, there = world.machines[node], self._side(node), self._side(other)
        if self.idle or self._domain not in machine.running or not self._answers(node) or not end.quorum:
            return
        alone = other not in end.sees
        if alone and not (side.disk == "UpToDate" and self._may_write_alone(node)):
            return
        if not alone and not self._is_live(node, other):
            return  # it hangs
        good = side if alone or side.disk == "UpToDate" else there
        acknowledged = world.acknowledged[self._domain]
        if good.version != acknowledged:
            raise Violation(
                "no acknowledged write is lost",
                f"{node} writes {self._domain} on {good.version}; {acknowledged} was acknowledged",
            )
        world.acknowledged[self._domain] = acknowledged + 1
        side.wrote_alone |= alone
        for each in (side,) if alone else (side, there):
            if each.disk == "UpToDate":
                each.version = acknowledged + 1

    def _may_write_alone(self, node: str) -> bool:
        end = self.ends[node]
        return end.asked or not self._drbd.asks_before_it_writes

    # --- Who is there ----------------------------------------------------------------------------------------------
    def _alive(self) -> Iterator[tuple[str, End]]:
        for node in self._dice.sample(self.nodes, 3):
            if self._answers(node):
                yield node, self.ends[node]

    def _answers(self, node: str) -> bool:
        machine: Machine = self._world.machines[node]
        return machine.powered and not machine.frozen

    def _is_live(self, node: str, peer: str) -> bool:
        """Whether what one end sends is answered by the other."""
        both = peer in self.ends[node].sees and node in self.ends[peer].sees
        return both and self._world.reachable(node, peer)

    def _side(self, node: str) -> "Side":
        return self._world.sides[self._domain, node]

    def _other(self, node: str) -> str:
        return self._pair[1] if node == self._pair[0] else self._pair[0]
