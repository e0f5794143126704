"""What `state.apply` does about DRBD's fencing on a node: it is taken away when the guard has stepped aside, and comes back."""

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from soak.world import Machine, World

_POLL_S: Final = 0.5
_PATIENCE_S: Final = 60.0


class Fencing:
    """The applies of a world that change what DRBD asks about; what a schedule does to their node ends them where they are."""

    def __init__(self, world: "World") -> None:
        self._world = world

    def adopt(self, name: str, domain: str) -> None:
        """The domain was there before the guard of its node: DRBD asks nobody about it yet."""
        if self._world.time_s == 0:
            self._world.note(f"DRBD does not ask on {name} about {domain} yet")
            self._world.sides[domain, name].fenced = False

    def less(self, name: str, domain: str) -> None:
        """The guard is to be told less: first everybody learns that nothing of this node is to be taken over."""
        machine = self._world.machines[name]
        if machine.part is not None and not machine.frozen:
            self._world.note(f"{name} is to go on alone with {domain} unasked")
            machine.aside = {*(machine.aside or ()), domain}
            machine.part.step_aside(machine.aside)
            self._await(machine, machine.boots, domain, _PATIENCE_S)

    def more(self, name: str, domain: str) -> None:
        """DRBD asks the guard of the node, which is there, from now on; that changes nothing for what goes on alone already."""
        machine = self._world.machines[name]
        side = self._world.sides[domain, name]
        if machine.part is not None and not machine.frozen:
            if not side.fenced:
                self._world.note(f"DRBD asks on {name} about {domain}")
                side.fenced = True
            if machine.part.leaving and machine.aside is not None:
                self._restart(machine, machine.part, machine.boots)

    def _await(self, machine: "Machine", boots: int, domain: str, left_s: float) -> None:
        """Another guard that takes the place of the first has stepped aside as well."""
        if not machine.powered or machine.boots != boots or left_s <= 0:
            return
        if machine.frozen or machine.part is None or not machine.part.aside:
            self._world.at(_POLL_S, self._await, machine, boots, domain, left_s - _POLL_S)
            return
        side = self._world.sides[domain, machine.name]
        if side.suspended or domain in self._world.moves.going:
            return  # it may be waiting for an answer that would not come any more; or would write what its target does not have
        self._world.note(f"DRBD asks no more on {machine.name} about {domain}")
        side.fenced = False
        self._world.at(_POLL_S, self._restart, machine, machine.part, boots)

    def _restart(self, machine: "Machine", guard: Any, boots: int) -> None:
        """With what it is told now. It has stepped aside, so it ends at once, in order."""
        if not machine.powered or machine.boots != boots or machine.part is not guard:
            return  # who has killed it in this moment has left it to the next apply
        if machine.frozen:
            self._world.at(_POLL_S, self._restart, machine, guard, boots)
            return
        self._world.note(f"the guard of {machine.name} is started again")
        machine.part, machine.watchdog_s, machine.aside = None, None, None
        self._world.revive(machine.name)
