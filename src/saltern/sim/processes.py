"""Programs that go on when what started them has ended: the end of a migration is waited for, a guest's end cleaned up."""

from collections.abc import Generator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from saltern.errors import SalternError
from saltern.model.places import BLOCK_SCRIPT, OPERATION_SCRIPT
from saltern.sim.model import Process

if TYPE_CHECKING:
    from saltern.sim.host import SimHost
    from saltern.sim.model import SimNode
    from saltern.sim.world import World

REAPER: Final = (
    "xl-waiting"  # the part of xl that stays: it waits for the end of a domain, and clears away what is left
)


class Gone:
    """A program that has ended before anybody looked: the world was read from JSON since."""

    def ended(self) -> bool:
        """Always."""
        return True

    def kill(self) -> None:
        """It is dead already."""


def start(world: "World", node: "SimNode", argv: tuple[str, ...], child: Any = None) -> Process:
    """Begin a process; it runs for the first time when time passes. ``child`` is a program that ends with it."""
    process = Process(argv, world.time_s, scheduled=world.interleaved, child=child)
    node.processes.append(process)
    return process


def kill(node: "SimNode", program: str) -> None:
    """End every process of a program at once; what it holds is free."""
    killed = [process for process in node.processes if process.argv[0] == program]
    node.processes = [process for process in node.processes if process.argv[0] != program]
    for process in killed:
        if process.steps is not None:
            process.steps.close()


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


def steps(host: "SimHost", process: Process) -> Generator[float, None, None]:
    """What a process does, to its end; yields for how long it sleeps. A world that is read from JSON begins it anew."""
    from saltern import block_script, migration, operations, start_stop
    from saltern.sim import xen
    from saltern.sim.drbd import handlers

    match process.argv:
        case (program, domid) if program == REAPER:
            xen.reap(host, int(domid))
        case ("drbdadm", "fence-peer", resource, number):
            handlers.begun(host.world, host.world.nodes[host.name], resource, int(number))
        case (program, "close", resource) if program == BLOCK_SCRIPT:
            yield from block_script.closing(host, resource)
        case (program, "send", domain, identifier) if program == OPERATION_SCRIPT:
            with suppress(SalternError, OSError):
                migration.send(host, domain, identifier)
        case (program, "receive", domain, identifier) if program == OPERATION_SCRIPT:
            with suppress(SalternError, OSError):
                if process.child is None and operations.require(host, domain, identifier).taken:
                    _settle_received(host, domain, identifier)
                else:
                    yield from migration.receiving(host, domain, identifier, lambda: process.child or Gone())
        case (program, "stop", domain, identifier) if program == OPERATION_SCRIPT:
            with suppress(SalternError, OSError):
                yield from start_stop.stopping(host, domain, identifier)
        case (program, "start", domain, identifier) if program == OPERATION_SCRIPT:
            with suppress(SalternError, OSError):
                yield from start_stop.starting(host, domain, identifier)
        case _:
            raise NotImplementedError(f"nothing simulates {process.argv}")


def _settle_received(host: "SimHost", domain: str, identifier: str) -> None:
    """The end of a receiver whose world was put into a file: that never happens half-way through xl, so xl has ended."""
    from saltern import operations

    with operations.held(host, domain):
        operations.settle_half(host, operations.require(host, domain, identifier))
