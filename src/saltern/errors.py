"""Everything Saltern raises: one class for each thing a caller can do about it.

Errors carry fields, so that a caller never parses a message.
"""

from collections.abc import Sequence
from typing import NamedTuple

from saltern.secrets import HIDDEN, is_secret, redact


class SalternError(Exception):
    """Base of everything Saltern raises on purpose."""


class SizeError(SalternError):
    """A size that cannot be read exactly, such as ``1.5.2G`` or ``0.3b``."""

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(text, reason)
        self.text, self.reason = text, reason

    def __str__(self) -> str:
        return f"{self.text!r} is not a size: {self.reason}; write a number with K, M, G or T, such as 2G or 512M"


class Violation(NamedTuple):
    """One rule that a topology breaks.

    ``rule`` is its stable name (``minor-unique``); ``paths`` are the pillar paths of everything involved
    (``saltern:domains:dns:disks:xvda:minor``); ``found`` is what stands there,
    ``allowed`` what may, ``remedy`` what to do.
    """

    rule: str
    paths: tuple[str, ...]
    found: str
    allowed: str
    remedy: str

    def __str__(self) -> str:
        where = " and ".join(self.paths)
        return f"  [{self.rule}] {where}: {self.found}; allowed: {self.allowed}; {self.remedy}"


class TopologyError(SalternError):
    """The topology breaks rules; ``violations`` holds every one of them, never only the first."""

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        super().__init__(violations)
        self.violations = violations

    def __str__(self) -> str:
        count = len(self.violations)
        noun = "violation" if count == 1 else "violations"
        return "\n".join([f"invalid topology: {count} {noun}", *(str(v) for v in self.violations)])


class UnknownEntry(SalternError):
    """Domains that have no entry in the allocation; ``known`` are those that have one."""

    def __init__(self, names: tuple[str, ...], known: tuple[str, ...]) -> None:
        super().__init__(names, known)
        self.names, self.known = names, known

    def __str__(self) -> str:
        return f"the allocation has no entry of {', '.join(self.names)}; it has {', '.join(self.known) or 'none'}"


class FileError(SalternError):
    """A file of the user's that cannot be read; ``remedy`` says what to do."""

    def __init__(self, path: str, reason: str, remedy: str) -> None:
        super().__init__(path, reason, remedy)
        self.path, self.reason, self.remedy = path, reason, remedy

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}. {self.remedy}"


class NoTopology(FileError):
    """A file that was read and holds no topology: it is not YAML, or no mapping."""


class ParseError(SalternError):
    """A tool printed something that this version does not understand: unknown, hence never "absent"."""

    def __init__(self, tool: str, reason: str, text: str) -> None:
        super().__init__(tool, reason, text)
        self.tool, self.reason, self.text = tool, reason, text

    def __str__(self) -> str:
        return f"cannot understand the output of {self.tool}: {self.reason}; it printed: {redact(self.text)[:500]!r}"


class RenderError(SalternError):
    """A value that cannot be written into a configuration file without changing what the file says.

    ``subject`` names the resource or domain, ``place`` the option or key, ``reason`` what the format allows.
    """

    def __init__(self, subject: str, place: str, value: object, reason: str) -> None:
        super().__init__(subject, place, value, reason)
        self.subject, self.place, self.value, self.reason = subject, place, value, reason

    def __str__(self) -> str:
        value = HIDDEN if is_secret(self.place) else repr(self.value)
        return f"{self.subject}: {self.place}: {value} cannot be written: {self.reason}; change it in the topology"


class CommandFailed(SalternError):
    """A command ended with an exit code that its caller did not allow."""

    def __init__(self, argv: Sequence[str], returncode: int, stdout: str, stderr: str) -> None:
        super().__init__(argv, returncode, stdout, stderr)
        self.argv, self.returncode, self.stdout, self.stderr = argv, returncode, stdout, stderr

    def __str__(self) -> str:
        said = (self.stderr.strip() or self.stdout.strip() or "nothing").replace("\n", "; ")
        return f"`{' '.join(self.argv)}` ended with exit code {self.returncode} and said: {redact(said)}"


class CommandTimeout(SalternError):
    """A command did not end in time and was killed; what it did is unknown until it is read again."""

    def __init__(self, argv: Sequence[str], timeout_s: float) -> None:
        super().__init__(argv, timeout_s)
        self.argv, self.timeout_s = argv, timeout_s

    def __str__(self) -> str:
        return f"`{' '.join(self.argv)}` did not end within {self.timeout_s:g} s and was killed"


class CommandMissing(SalternError):
    """The program is not installed on this node."""

    def __init__(self, argv: Sequence[str]) -> None:
        super().__init__(argv)
        self.argv = argv

    def __str__(self) -> str:
        return f"`{self.argv[0]}` is not installed on this node, or not on the PATH; install it and run again"


class Refused(SalternError):
    """An action that a safety rule forbids now. Nothing was done.

    ``subject`` names what it was about, ``reason`` what was found and why that forbids it, ``remedy`` what to do.
    """

    def __init__(self, subject: str, reason: str, remedy: str) -> None:
        super().__init__(subject, reason, remedy)
        self.subject, self.reason, self.remedy = subject, reason, remedy

    def __str__(self) -> str:
        return f"{self.subject}: {self.reason}. {self.remedy}"


class SliceError(SalternError):
    """The pillar of this node holds no compiled share of a topology, or one of another version."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason, remedy)
        self.reason, self.remedy = reason, remedy

    def __str__(self) -> str:
        return f"{self.reason}. {self.remedy}"
