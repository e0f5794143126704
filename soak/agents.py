"""Fence agents: they switch a node off and look whether it is; some are slow, some fail, and some lie."""

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from soak.world import Machine, World

HOW: Final = ("well", "slow", "fails", "lies")


class Agents:
    """The agents of a world. One that lies is only had where something else is the proof."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._how: dict[str, str] = {}

    def be(self, node: str, how: str) -> None:
        """From now on the agent of a node does its work ``HOW``."""
        self._how[node] = how

    def fence(self, by: "Machine", node: str) -> None:
        """Begin; the guard that asked for it is told in the end, should it live."""
        world, how = self._world, self._how.get(node, "well")
        noise = world.noise["agent", by.name, node]
        acts_s, tells_s = noise.uniform(0.2, 4), noise.uniform(0.1, 2)
        if how == "slow":
            acts_s, tells_s = acts_s * 10, tells_s * 20
        world.note(f"{by.name} has {node} fenced ({how})")
        if how in ("well", "slow"):
            world.at(acts_s, self._switch_off, node, noise.random())
        world.at(acts_s, self._look, by, by.part, node, how, tells_s)

    def _switch_off(self, node: str, chance: float) -> None:
        machine = self._world.machines[node]
        if machine.powered:
            self._world.power_off(node)
            if chance < 0.7:
                self._world.at(1 + 60 * chance, self._world.power_on, node)

    def _look(self, by: "Machine", guard: Any, node: str, how: str, tells_s: float) -> None:
        lies = how == "lies" and self._world.proof.lease
        off = lies or (how != "fails" and not self._world.machines[node].powered)
        self._world.at(tells_s, self._tell, by, guard, node, off)

    def _tell(self, by: "Machine", guard: Any, node: str, off: bool) -> None:
        if by.part is not guard or not by.powered:
            return
        if by.frozen:
            self._world.at(0.5, self._tell, by, guard, node, off)
            return
        self._world.note(f"{by.name} is told that {node} is {'off' if off else 'not off'}")
        by.part.fenced(node, off, self._world.clock(by))
