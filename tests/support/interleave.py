"""Several programs on simulated nodes at the same time, switched between at every command, always in the same order.

A program is a function of a ``Host``. Each one runs in a thread, but only one thread ever moves; a seeded random
generator chooses who is next whenever a program runs a command, touches a file, sleeps, or takes a step within xl.
What a program has detached becomes a program of its own. A power cut kills whatever runs on the node.
"""

import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from saltern.sim import processes
from saltern.sim.host import Killed, SimHost
from saltern.sim.model import Process
from saltern.sim.world import World


class _Left(BaseException):
    """A detached program is left to the world: all others have ended."""


@dataclass
class _Program:
    name: str
    function: Callable[[Any], Any]
    host: SimHost | None = None  # none for what happens outside of the nodes, such as power cuts
    process: Process | None = None  # for what another program has detached
    wakes_s: float = 0.0
    ended: bool = False
    result: Any = None
    error: BaseException | None = None


class Outside:
    """What has no node: it can only wait, and change the world."""

    def __init__(self, schedule: "Interleaving", program: _Program) -> None:
        self.world = schedule.world
        self._schedule = schedule
        self._program = program

    def sleep(self, seconds: float) -> None:
        """Let others go on, at least so long."""
        self._schedule.switch(self._program, seconds)


class Interleaving:
    """Runs programs to their ends, interleaved. ``before_each`` is called before every switch, to check or to disturb."""

    def __init__(self, world: World, seed: int, before_each: Callable[[], None] = lambda: None) -> None:
        self.world = world
        self._random = random.Random(seed)
        self._before_each = before_each
        self._turn = threading.Condition()
        self._current: _Program | None = None
        self._programs: list[_Program] = []
        self._threads: list[threading.Thread] = []
        self._found: BaseException | None = None  # by ``before_each``: the end of everything

    def run(self, functions: Mapping[str, Callable[[Any], Any]], hosts: Mapping[str, SimHost]) -> dict[str, Any]:
        """The result of each program by name; one that was killed has the result ``None``. Raises its other errors.

        A program without a host is given an ``Outside``.
        """
        self._programs = [_Program(name, function, hosts.get(name)) for name, function in functions.items()]
        asked = list(self._programs)
        self.world.interleaved = True
        for program in asked:
            self._begin(program)
        with self._turn:
            self._choose()
        for thread in self._threads:  # more come while these end
            thread.join()
        self.world.interleaved = False
        if self._found is not None:
            raise self._found
        for program in self._programs:
            if program.host is not None:
                program.host.leave()
            if program.error is not None and not isinstance(program.error, (Killed, _Left)):
                raise program.error
        return {program.name: program.result for program in asked}

    def switch(self, program: _Program, seconds: float = 0.0) -> None:
        """Let somebody go on, perhaps the same program; returns when it is ``program``'s turn and its time has come."""
        if seconds:
            program.wakes_s = self.world.time_s + seconds
        with self._turn:
            self._choose()
            self._turn.wait_for(lambda: self._current is program)
        if self._found is not None:
            raise Killed("no program may take what was found for an error of its own")
        if program.process is not None:
            self._check_detached(program, program.process)

    def _check_detached(self, program: _Program, process: Process) -> None:
        if all(each.ended for each in self._programs if each.process is None):
            raise _Left
        running = (each for node in self.world.nodes.values() for each in node.processes)
        if not any(each is process for each in running):
            raise Killed(f"{program.name} was killed")

    def _begin(self, program: _Program) -> None:
        if program.host is not None:
            program.host.enter(lambda seconds: self.switch(program, seconds))
        thread = threading.Thread(target=self._go, args=(program,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _adopt(self) -> None:
        """Whatever was detached is a program of its own as long as there are others."""
        for node in self.world.nodes.values():
            for process in node.processes:
                if not any(program.process is process for program in self._programs):
                    process.scheduled = True
                    host = self.world.host(node.name)
                    program = _Program(f"{process.argv} on {node.name}", self._detached(process), host, process)
                    self._programs.append(program)
                    self._begin(program)

    def _detached(self, process: Process) -> Callable[[SimHost], None]:
        def run(host: SimHost) -> None:
            node = self.world.nodes[host.name]
            try:
                for pause_s in processes.steps(host, process):
                    host.sleep(pause_s)
            finally:
                process.scheduled = False
            node.processes = [other for other in node.processes if other is not process]

        return run

    def _go(self, program: _Program) -> None:
        with self._turn:
            self._turn.wait_for(lambda: self._current is program)
        try:
            self._look()
            program.result = program.function(program.host or Outside(self, program))
        except BaseException as error:
            program.error = error
        with self._turn:
            program.ended = True
            self._choose()

    def _look(self) -> None:
        try:
            self._before_each()
        except BaseException as error:
            self._found = self._found or error

    def _choose(self) -> None:
        self._adopt()
        alive = [program for program in self._programs if not program.ended]
        if not alive:
            return
        if all(program.process is not None for program in alive):
            self._current = alive[0]  # to be left
            self._turn.notify_all()
            return
        awake = [program for program in alive if program.wakes_s <= self.world.time_s]
        if not awake:
            self.world.advance(min(program.wakes_s for program in alive) - self.world.time_s)
            first_s = min(program.wakes_s for program in alive)
            awake = [program for program in alive if program.wakes_s <= max(first_s, self.world.time_s)]
        self._look()
        self._current = self._random.choice(awake)
        self._turn.notify_all()
