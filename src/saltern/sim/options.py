"""Command lines as getopt_long(3) reads them: short and long options, bundled or apart, before and after operands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


class UsageError(Exception):
    """What getopt complains about, without the program's name: ``unrecognized option '--foo'``."""


@dataclass
class Options:
    """What was given: flags and values by name, in order, and the operands."""

    given: dict[str, list[str]] = field(default_factory=dict)
    operands: list[str] = field(default_factory=list)

    def __contains__(self, name: str) -> bool:
        return name in self.given

    def last(self, name: str, default: str = "") -> str:
        """The last value given for an option."""
        return self.given.get(name, [default])[-1]

    def all(self, name: str) -> list[str]:
        """Every value given for an option."""
        return self.given.get(name, [])


def parse(arguments: Sequence[str], known: Mapping[str, str]) -> Options:
    """Read ``arguments``; ``known`` maps each spelling to a name, with ``=`` at its end where a value follows.

    ``{"-n": "name=", "--name": "name=", "-y": "yes"}`` knows ``-nX``, ``-n X``, ``--name X``, ``--name=X`` and ``-y``.
    """
    found = Options()
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "--":
            found.operands += rest
            break
        if word.startswith("--"):
            _long(word, rest, known, found)
        elif word.startswith("-") and word != "-":
            _short(word[1:], rest, known, found)
        else:
            found.operands.append(word)
    return found


def _long(word: str, rest: list[str], known: Mapping[str, str], found: Options) -> None:
    spelling, equals, value = word.partition("=")
    name = known.get(spelling)
    if name is None:
        raise UsageError(f"unrecognized option '{word}'")
    if not name.endswith("="):
        if equals:
            raise UsageError(f"option '{spelling}' doesn't allow an argument")
        found.given.setdefault(name, []).append("")
        return
    if not equals and not rest:
        raise UsageError(f"option '{spelling}' requires an argument")
    found.given.setdefault(name[:-1], []).append(value if equals else rest.pop(0))


def _short(letters: str, rest: list[str], known: Mapping[str, str], found: Options) -> None:
    while letters:
        letter, letters = letters[0], letters[1:]
        name = known.get(f"-{letter}")
        if name is None:
            raise UsageError(f"invalid option -- '{letter}'")
        if not name.endswith("="):
            found.given.setdefault(name, []).append("")
            continue
        if not letters and not rest:
            raise UsageError(f"option requires an argument -- '{letter}'")
        found.given.setdefault(name[:-1], []).append(letters or rest.pop(0))
        letters = ""
