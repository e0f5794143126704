"""A simulated node behind the same door as a real one."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from saltern.errors import CommandFailed, CommandTimeout
from saltern.run import DEFAULT_TIMEOUT_S, Completed
from saltern.sim import tools
from saltern.sim.directory import STANDARD_INPUT

if TYPE_CHECKING:
    from saltern.sim.world import World


class Killed(BaseException):
    """The program that used this host was killed at this point; no handler of ordinary errors may stop it."""


class SimHost:
    """A node of a world, as ``saltern.run.Host``.

    ``commands`` lists the commands run through this door. ``changes`` counts commands and file writes that may have
    changed something.
    """

    def __init__(self, world: "World", name: str) -> None:
        self.world = world
        self.name = name
        self.commands: list[tuple[str, ...]] = []
        self.detached: list[tuple[str, ...]] = []
        self.changes = 0
        self._killed_at = 0
        self._killed_before = False

    def crash_after(self, changes: int) -> None:
        """Raise ``Killed`` right after the n-th change from now has taken effect."""
        self._killed_at, self._killed_before = self.changes + changes, False

    def crash_before(self, changes: int) -> None:
        """Raise ``Killed`` right before the n-th change from now."""
        self._killed_at, self._killed_before = self.changes + changes, True

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
        node = self.world.nodes[self.name]
        if not node.powered:
            raise CommandTimeout(command, timeout_s)
        self.commands.append(command)
        node.log.append(command)
        if tools.changes_something(command):
            self._change(before=True)
        node.files[STANDARD_INPUT] = (stdin, 0o600)
        try:
            result = tools.run(self.world, self.name, command)
        except tools.NeverEnds:
            raise CommandTimeout(command, timeout_s) from None
        finally:
            del node.files[STANDARD_INPUT]
        if tools.changes_something(command):
            self._change(before=False)
        if result.returncode not in allowed:
            raise CommandFailed(command, result.returncode, result.stdout, result.stderr)
        return Completed(command, result.returncode, result.stdout, result.stderr)

    def read_text(self, path: str) -> str | None:
        """See ``saltern.run.Host.read_text``."""
        self._need_power(path)
        return self.world.read_file(self.name, path)

    def write_text(self, path: str, text: str, mode: int) -> None:
        """See ``saltern.run.Host.write_text``."""
        self._need_power(path)
        self._change(before=True)
        self.world.nodes[self.name].files[path] = (text, mode)
        self._change(before=False)

    def append_text(self, path: str, text: str) -> None:
        """See ``saltern.run.Host.append_text``."""
        found, mode = self.world.nodes[self.name].files.get(path, ("", 0o644))
        self.write_text(path, found + text, mode)

    def detach(self, argv: Sequence[str]) -> None:
        """See ``saltern.run.Host.detach``: kept in ``detached``, for whoever runs it."""
        self._need_power(argv[0])
        self.detached.append(tuple(argv))

    def now(self) -> float:
        """See ``saltern.run.Host.now``."""
        return self.world.time_s

    def sleep(self, seconds: float) -> None:
        """See ``saltern.run.Host.sleep``: the whole world moves on."""
        self.world.advance(seconds)

    def _need_power(self, path: str) -> None:
        if not self.world.nodes[self.name].powered:
            raise OSError(f"{self.name} has no power: cannot reach {path}")

    def _change(self, *, before: bool) -> None:
        """Count a change, and be killed where the test wants it."""
        if before:
            self.changes += 1
        if self._killed_at == self.changes and self._killed_before == before:
            raise Killed(f"killed {'before' if before else 'after'} change {self.changes}")
