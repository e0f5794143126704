"""Programs that go on when what started them has ended: the end of a migration is waited for, a guest's end cleaned up."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from saltern.sim.model import Process

if TYPE_CHECKING:
    from saltern.sim.host import SimHost
    from saltern.sim.model import SimNode
    from saltern.sim.world import World

REAPER: Final = (
    "xl-waiting"  # the part of xl that stays: it waits for the end of a domain, and clears away what is left
)


def start(world: "World", node: "SimNode", argv: tuple[str, ...]) -> None:
    """Begin a process; it runs for the first time when time passes."""
    node.processes.append(Process(argv, world.time_s, scheduled=world.interleaved))


def advance(world: "World") -> None:
    """Let every process run that is awake, each until it sleeps or ends. Those that somebody schedules are left alone."""
    for node in world.nodes.values():
        for process in [each for each in node.processes if each.wakes_s <= world.time_s and not each.scheduled]:
            if any(other is process for other in node.processes):  # neither running nor killed by one before it
                _run(world, node, process)


def _run(world: "World", node: "SimNode", process: Process) -> None:
    world.awoken += 1
    node.processes.remove(process)  # its commands let time pass, in which it must not be found once more
    if process.steps is None:
        process.steps = steps(world.host(node.name), process)
    pause_s = next(process.steps, None)
    if pause_s is not None:
        process.wakes_s = world.time_s + pause_s
        node.processes.append(process)


def steps(host: "SimHost", process: Process) -> Iterator[float]:
    """What a process does, to its end; yields for how long it sleeps. A world that is read from JSON begins it anew."""
    from saltern.sim import hotplug, xen

    if process.argv[0] == REAPER:
        xen.reap(host, int(process.argv[1]))
        return
    yield from hotplug.steps(host, process.argv)
