"""A simulated node behind the same door as a real one."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from saltern.errors import CommandFailed, CommandMissing, CommandTimeout
from saltern.run import DEFAULT_TIMEOUT_S, Completed, LocalHost
from saltern.sim import processes, tools
from saltern.sim.directory import STANDARD_INPUT
from saltern.sim.model import executable

if TYPE_CHECKING:
    from saltern.sim.model import SimNode
    from saltern.sim.world import World

Turn = Callable[[float], None]  # lets others go on, for so many seconds


class Killed(BaseException):
    """The program that used this host was killed at this point; no handler of ordinary errors may stop it."""


@dataclass
class _Countdown:
    """To the change at which a program is killed."""

    changes: int = 0
    killed_at: int = 0
    before: bool = False
    inside: bool = False  # what xl and its scripts do counts as well: they are killed with the program


@contextmanager
def _given(node: "SimNode", stdin: str) -> Iterator[None]:
    """What a command on a node finds on its standard input."""
    if not stdin:
        yield
        return
    node.files[STANDARD_INPUT] = (stdin, 0o600)
    try:
        yield
    finally:
        del node.files[STANDARD_INPUT]


class SimHost:
    """A node of a world, as ``saltern.run.Host``.

    ``commands`` lists the commands run through this door, those that xl starts included. ``changes`` counts commands and
    file writes of the program that may have changed something. ``dead`` says that the program was killed.
    """

    def __init__(self, world: "World", name: str) -> None:
        self.world = world
        self.name = name
        self.commands: list[tuple[str, ...]] = []
        self.dead = False
        self._turn: Turn = world.advance
        self._power_cuts: int | None = None
        self._inside = False
        self._countdown = _Countdown()

    @property
    def changes(self) -> int:
        """How many changes there were."""
        return self._countdown.changes

    def crash_after(self, changes: int, *, inside: bool = False) -> None:
        """Raise ``Killed`` right after the n-th change from now has taken effect.

        What the program has started goes on to its end (it has a session of its own), unless ``inside`` counts, and kills,
        xl and its scripts as well.
        """
        self._countdown = _Countdown(self.changes, self.changes + changes, before=False, inside=inside)

    def crash_before(self, changes: int, *, inside: bool = False) -> None:
        """Raise ``Killed`` right before the n-th change from now; see ``crash_after``."""
        self._countdown = _Countdown(self.changes, self.changes + changes, before=True, inside=inside)

    def enter(self, turn: Turn) -> None:
        """From now on this is the door of a program of the node, which ends with a power cut.

        ``turn`` is called whenever it runs a command, touches a file, takes a step or sleeps.
        """
        self._turn = turn
        self._power_cuts = self.world.nodes[self.name].power_cuts

    def leave(self) -> None:
        """The program has ended: this is again the door of somebody outside, for whom time just passes."""
        self._turn = self.world.advance
        self._power_cuts = None

    def elsewhere(self, name: str) -> "SimHost":
        """The door of what this program starts on another node: it can be killed without this one."""
        other = SimHost(self.world, name)
        other.enter(self._turn)
        other._countdown, other._inside = self._countdown, True
        return other

    def step(self) -> None:
        """A point between two changes that one command makes: others may go on, and it may be killed here."""
        self.sleep(0.0)
        with self._change():
            pass

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str = "",
        allowed: Collection[int] = (0,),
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> Completed:
        """See ``saltern.run.Host.run``. A node without power never answers: ``CommandTimeout``."""
        command = tuple(argv)
        self.sleep(0.0)
        node = self.world.nodes[self.name]
        if not node.powered:
            raise CommandTimeout(command, timeout_s)
        self.commands.append(command)
        node.log.append(command)
        with self._change() if tools.changes_something(command) else nullcontext(), _given(node, stdin):
            result = self._answer(command, timeout_s)
        if result.returncode not in allowed:
            raise CommandFailed(command, result.returncode, result.stdout, result.stderr)
        return Completed(command, result.returncode, result.stdout, result.stderr)

    def _answer(self, command: tuple[str, ...], timeout_s: float) -> tools.Result:
        within, self._inside = self._inside, True
        try:
            return tools.run(self.world, self.name, command, self)
        except tools.NeverEnds:
            raise CommandTimeout(command, timeout_s) from None
        finally:
            self._inside = within

    def read_text(self, path: str) -> str | None:
        """See ``saltern.run.Host.read_text``."""
        self._reach(path)
        return self.world.read_file(self.name, path)

    def names(self, path: str) -> list[str]:
        """See ``saltern.run.Host.names``."""
        self._reach(path)
        below = f"{path}/"
        found = (file.removeprefix(below) for file in self.world.nodes[self.name].files if file.startswith(below))
        return sorted({name.partition("/")[0] for name in found})

    def mode(self, path: str) -> int | None:
        """See ``saltern.run.Host.mode``."""
        self._reach(path)
        found = self.world.nodes[self.name].files.get(path)
        return None if found is None else found[1]

    def write_text(self, path: str, text: str, mode: int) -> None:
        """See ``saltern.run.Host.write_text``."""
        self._reach(path)
        with self._change():
            self.world.nodes[self.name].files[path] = (text, mode)

    def create_text(self, path: str, text: str, mode: int) -> None:
        """See ``saltern.run.Host.create_text``."""
        self._reach(path)
        files = self.world.nodes[self.name].files
        if path in files:
            raise FileExistsError(path)
        with self._change():
            files[path] = (text, mode)

    def append_text(self, path: str, text: str) -> None:
        """See ``saltern.run.Host.append_text``: a log, which counts as no change."""
        self._reach(path)
        files = self.world.nodes[self.name].files
        before, mode = files.get(path, ("", 0o644))
        files[path] = (before + text, mode)

    def remove(self, path: str) -> None:
        """See ``saltern.run.Host.remove``."""
        self._reach(path)
        with self._change():
            self.world.nodes[self.name].files.pop(path, None)

    @contextmanager
    def hold(self, path: str) -> Iterator[None]:
        """See ``saltern.run.Host.hold``: a program that is killed lets go, and so does every one of a node without power."""
        self._reach(path)
        held = self.world.nodes[self.name].held
        if path in held:
            raise BlockingIOError(path)
        held[path] = self
        try:
            yield
        finally:
            if held.get(path) is self:
                del held[path]

    def is_held(self, path: str) -> bool:
        """See ``saltern.run.Host.is_held``."""
        self._reach(path)
        return path in self.world.nodes[self.name].held

    def detach(self, argv: Sequence[str]) -> None:
        """See ``saltern.run.Host.detach``: it goes on as time passes, or as a program among others."""
        command = tuple(argv)
        self.sleep(0.0)
        node = self.world.nodes[self.name]
        if argv[0] not in node.files:
            raise CommandMissing(command)
        if not executable(node.files[argv[0]]):
            raise PermissionError(f"{argv[0]} may not be executed")
        with self._change():
            processes.start(self.world, node, command)

    def ask(self, path: str, question: str, timeout_s: float) -> str:
        """See ``saltern.run.Host.ask``: what lives in a directory has its sockets there."""
        self._reach(path)
        node = self.world.nodes[self.name]
        if node.root:
            return LocalHost(root=node.root).ask(path, question, timeout_s)
        if path not in node.services:
            raise FileNotFoundError(path)
        return node.services[path](question)

    def now(self) -> float:
        """See ``saltern.run.Host.now``: the kernel counts from its boot, unless other programs have the machine's own clock."""
        if self.world.offset_s:
            return self.world.time_s + self.world.offset_s
        return self.world.time_s - self.world.nodes[self.name].booted_s

    def sleep(self, seconds: float) -> None:
        """See ``saltern.run.Host.sleep``: the whole world moves on. A program that was killed goes nowhere."""
        if not self.dead:
            self._turn(seconds)
            self.dead = self._power_cuts not in (None, self.world.nodes[self.name].power_cuts)
        if self.dead:
            raise Killed(f"a program on {self.name} was killed")

    def _reach(self, path: str) -> None:
        self.sleep(0.0)
        if not self.world.nodes[self.name].powered:
            raise OSError(f"{self.name} has no power: cannot reach {path}")

    @contextmanager
    def _change(self) -> Iterator[None]:
        """Count a change, and be killed before or after it where the test wants it."""
        if self._inside and not self._countdown.inside:
            yield
            return
        self._countdown.changes += 1
        number = self._countdown.changes
        self._survive(number, before=True)
        yield
        self._survive(number, before=False)

    def _survive(self, number: int, *, before: bool) -> None:
        if (self._countdown.killed_at, self._countdown.before) == (number, before):
            self.dead = True
            raise Killed(f"killed {'before' if before else 'after'} change {number}")
