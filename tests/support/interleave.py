"""Several programs on simulated nodes at the same time, switched between at every command, always in the same order.

A program is a function of a ``Host``. Each one runs in a thread, but only one thread ever moves; a seeded random
generator chooses who is next whenever a program runs a command, touches a file or sleeps.
"""

import random
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from saltern.run import DEFAULT_TIMEOUT_S, Completed, Host
from saltern.sim.host import Killed
from saltern.sim.world import World


class _Program:
    def __init__(self, name: str, function: Callable[[Host], Any]) -> None:
        self.name = name
        self.function = function
        self.wakes_s = 0.0
        self.ended = False
        self.result: Any = None
        self.error: BaseException | None = None


class _SwitchingHost:
    """A door that lets somebody else go first."""

    def __init__(self, host: Host, program: _Program, schedule: "Interleaving") -> None:
        self._host = host
        self._program = program
        self._schedule = schedule

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str = "",
        allowed: Collection[int] = (0,),
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> Completed:
        self._schedule.switch(self._program)
        return self._host.run(argv, stdin=stdin, allowed=allowed, timeout_s=timeout_s)

    def read_text(self, path: str) -> str | None:
        self._schedule.switch(self._program)
        return self._host.read_text(path)

    def write_text(self, path: str, text: str, mode: int) -> None:
        self._schedule.switch(self._program)
        self._host.write_text(path, text, mode)

    def now(self) -> float:
        return self._host.now()

    def sleep(self, seconds: float) -> None:
        self._program.wakes_s = self._host.now() + seconds
        self._schedule.switch(self._program)


class Interleaving:
    """Runs programs to their ends, interleaved. ``before_each`` is called before every switch, to check or to disturb."""

    def __init__(self, world: World, seed: int, before_each: Callable[[], None] = lambda: None) -> None:
        self._world = world
        self._random = random.Random(seed)
        self._before_each = before_each
        self._turn = threading.Condition()
        self._current: _Program | None = None
        self._programs: list[_Program] = []

    def run(self, functions: Mapping[str, Callable[[Host], Any]], hosts: Mapping[str, Host]) -> dict[str, Any]:
        """The result of each program by node; one that was killed has the result ``None``. Raises its other errors."""
        self._programs = [_Program(name, function) for name, function in functions.items()]
        threads = [
            threading.Thread(target=self._go, args=(program, hosts[program.name]), daemon=True)
            for program in self._programs
        ]
        for thread in threads:
            thread.start()
        with self._turn:
            self._choose()
        for thread in threads:
            thread.join()
        for program in self._programs:
            if program.error is not None and not isinstance(program.error, Killed):
                raise program.error
        return {program.name: program.result for program in self._programs}

    def switch(self, program: _Program) -> None:
        """Let somebody go on, perhaps the same program; returns when it is ``program``'s turn."""
        with self._turn:
            self._choose()
            self._turn.wait_for(lambda: self._current is program)

    def _go(self, program: _Program, host: Host) -> None:
        with self._turn:
            self._turn.wait_for(lambda: self._current is program)
        try:
            self._before_each()
            program.result = program.function(_SwitchingHost(host, program, self))
        except BaseException as error:
            program.error = error
        with self._turn:
            program.ended = True
            self._choose()

    def _choose(self) -> None:
        alive = [program for program in self._programs if not program.ended]
        if not alive:
            return
        awake = [program for program in alive if program.wakes_s <= self._world.time_s]
        if not awake:
            self._world.advance(min(program.wakes_s for program in alive) - self._world.time_s)
            first_s = min(program.wakes_s for program in alive)
            awake = [program for program in alive if program.wakes_s <= max(first_s, self._world.time_s)]
        self._before_each()
        self._current = self._random.choice(awake)
        self._turn.notify_all()
