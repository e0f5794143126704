"""What a guard has decided, for each master: every line of its log once, in order, also over a restart of both."""

import json
from collections.abc import Container
from contextlib import suppress
from typing import Any, Final, NamedTuple

from saltern.guarding.asked import line, log_names
from saltern.guarding.plain import Malformed, from_plain, read_json
from saltern.model.places import GUARD_LOGS, GUARD_TOLD
from saltern.run import Host

_MODE: Final = 0o600


class Position(NamedTuple):
    """A file of the log, and how many lines of it were passed on."""

    name: str = ""
    lines: int = 0


def news(host: Host, master: str) -> list[tuple[Position, dict[str, Any]]]:
    """The lines that a master was not told yet, each with the position behind it. What was there before the first look is old."""
    before = _position(host, master)
    if before is None:
        keep(host, master, _end(host))
        return []
    found = []
    for name in log_names(host):
        if name >= before.name:
            told = before.lines if name == before.name else 0
            found += [
                (Position(name, number), line(text))
                for number, text in enumerate(_lines(host, name), 1)
                if number > told
            ]
    return found


def keep(host: Host, master: str, position: Position) -> None:
    """What is before that position was passed on to this master."""
    host.write_text(f"{GUARD_TOLD}/{master}", json.dumps(position._asdict()) + "\n", _MODE)


def masters(host: Host) -> set[str]:
    """The masters that have a position."""
    return {name for name in host.names(GUARD_TOLD) if not name.startswith(".")}  # a dot: it is being written


def forget_all_but(host: Host, known: Container[str]) -> None:
    """Take the positions of all other masters away: these begin with what comes, should they ever be asked for again."""
    for master in masters(host):
        if master not in known:
            host.remove(f"{GUARD_TOLD}/{master}")


def _position(host: Host, master: str) -> Position | None:
    """``None`` where nobody knows: what is told twice or not at all is no harm, what is guessed would be both."""
    text = host.read_text(f"{GUARD_TOLD}/{master}")
    if text is not None:
        with suppress(Malformed):
            return from_plain(Position, read_json(text))
    return None


def _end(host: Host) -> Position:
    names = log_names(host)
    return Position(names[-1], len(_lines(host, names[-1]))) if names else Position()


def _lines(host: Host, name: str) -> list[str]:
    """The lines that are whole."""
    return (host.read_text(f"{GUARD_LOGS}/{name}") or "").split("\n")[:-1]
