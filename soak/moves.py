"""Live migrations: two Primaries for some seconds, then the other node runs the domain; either may be lost meanwhile."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from soak.world import World


@dataclass(frozen=True, slots=True)
class Move:
    """A domain on its way, and in which boot each of its nodes was when it began."""

    domain: str
    source: str
    target: str
    boots: tuple[int, int]


class Moves:
    """The migrations of a world; ``going`` has those whose entry is alive on their target, by domain."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.going: dict[str, Move] = {}

    def receives(self, node: str) -> frozenset[str]:
        """The domains that are on their way to a node: their disks are Primary there, and memory is taken."""
        return frozenset([domain for domain, move in self.going.items() if move.target == node])

    def concern(self, node: str) -> frozenset[str]:
        """The domains with which something is being done on a node."""
        return frozenset([domain for domain, move in self.going.items() if node in (move.source, move.target)])

    def begin(self, domain: str) -> None:
        """Where it can be done: it runs on one side, both are connected and UpToDate, and there is room."""
        world = self._world
        pair = world.homes[domain]
        sides = [world.sides[domain, node] for node in pair]
        runs = [node for node in pair if domain in world.machines[node].running]
        if len(runs) != 1 or domain in self.going or not world.reachable(*pair):
            return
        if not all(side.connected and side.disk == "UpToDate" and not side.suspended for side in sides):
            return
        source, target = runs[0], pair[1 - pair.index(runs[0])]
        if world.free(world.machines[target]) < 1 or world.machines[target].part is None:
            return
        if world.machines[target].part.against_arrival(domain, world.clock(world.machines[target])) is not None:
            return
        if not world.allow_two_primaries(domain, target):
            return
        world.note(f"{domain} begins to move from {source} to {target}")
        move = Move(domain, source, target, (world.machines[source].boots, world.machines[target].boots))
        self.going[domain] = move
        world.at(world.noise["move", domain].uniform(1, 15), self._hand_over, move)

    def cancel(self, domain: str, node: str) -> None:
        """What was on its way to a node is ended there."""
        move = self.going.get(domain)
        if move is not None and move.target == node:
            self._over(move, "is ended on its way")

    def lost(self, node: str) -> None:
        """A node has lost its power: nothing is on its way to it any more."""
        for domain in self.receives(node):
            self.cancel(domain, node)

    def _lives(self, move: Move) -> tuple[bool, bool]:
        machines = [self._world.machines[name] for name in (move.source, move.target)]
        alive = [each.powered and each.boots == boots for each, boots in zip(machines, move.boots, strict=True)]
        return alive[0], alive[1]

    def _hand_over(self, move: Move, stands_since_s: float | None = None) -> None:
        world = self._world
        source, target = world.machines[move.source], world.machines[move.target]
        source_lives, target_lives = self._lives(move)
        if self.going.get(move.domain) is not move:
            return
        if not target_lives:
            self._over(move, "loses its target")
        elif not source_lives or move.domain not in source.running:
            # The receiver has a dead stream; it takes a while until that is seen.
            world.at(world.noise["move", move.domain].uniform(0.5, 10), self._over, move, "loses its source")
        elif source.frozen or target.frozen or not world.reachable(move.source, move.target):
            since_s = world.time_s if stands_since_s is None else stands_since_s
            # The stream breaks when it stands still for long, unless an end of it is frozen: that sees no time pass.
            if world.time_s - since_s > 15 and not (source.frozen or target.frozen):
                self._over(move, "loses its way")
            else:
                world.at(1.0, self._hand_over, move, since_s)
        else:
            source.running.discard(move.domain)
            world.sides[move.domain, move.source].suspended = False
            world.note(f"{move.source} gives {move.domain} away")
            world.at(world.noise["move", move.domain].uniform(0, 1.5), self._arrive, move)

    def _arrive(self, move: Move) -> None:
        """It had the permission: whatever has become of the source, it goes on."""
        world, target = self._world, self._world.machines[move.target]
        if self.going.get(move.domain) is not move or not self._lives(move)[1]:
            self._over(move, "is lost on its way")
            return
        if target.frozen:
            world.at(1.0, self._arrive, move)
            return
        world.live(target, move.domain)
        self._over(move, f"has moved to {move.target}")

    def _over(self, move: Move, how: str) -> None:
        if self.going.get(move.domain) is not move:
            return
        del self.going[move.domain]
        self._world.note(f"{move.domain} {how}")
        self._world.allow_one_primary(move.domain, move.target)
        side, target = self._world.sides[move.domain, move.target], self._world.machines[move.target]
        if move.domain not in target.running:
            side.suspended = False
