"""Programs that go on when what started them has ended: the end of a migration is waited for, a guest's end cleaned up."""

from typing import TYPE_CHECKING

from saltern.sim.model import Process

if TYPE_CHECKING:
    from saltern.sim.host import SimHost
    from saltern.sim.model import SimNode
    from saltern.sim.world import World

REAPER = "xl-waiting"  # the part of xl that stays: it waits for the end of a domain, and clears away what is left


class _Sleeps(BaseException):
    """A process goes to sleep: there is nothing for it to do before some time has passed."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


def start(world: "World", node: "SimNode", argv: tuple[str, ...]) -> None:
    """Begin a process; it runs for the first time when time passes."""
    node.processes.append(Process(argv, world.time_s, scheduled=world.interleaved))


def advance(world: "World") -> None:
    """Let every process run that is awake, each until it sleeps or ends. Those that somebody schedules are left alone.

    A script keeps nothing in its memory over a sleep: it begins anew, and looks again.
    """
    for node in world.nodes.values():
        for process in [each for each in node.processes if each.wakes_s <= world.time_s and not each.scheduled]:
            if any(other is process for other in node.processes):  # neither running nor killed by one before it
                _run(world, node, process)


def _run(world: "World", node: "SimNode", process: Process) -> None:
    node.processes.remove(process)  # its commands let time pass, in which it must not be found once more
    host = world.host(node.name)
    if process.argv[0] != REAPER:
        host.enter(_sleep)
    try:
        run(host, process)
    except _Sleeps as asleep:
        process.wakes_s = world.time_s + asleep.seconds
        node.processes.append(process)


def _sleep(seconds: float) -> None:
    if seconds > 0:
        raise _Sleeps(seconds)


def run(host: "SimHost", process: Process) -> None:
    """What a process does, to its end."""
    from saltern.sim import hotplug, xen

    if process.argv[0] == REAPER:
        xen.reap(host, int(process.argv[1]))
    else:
        hotplug.run(host, process.argv)
