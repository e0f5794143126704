"""Reading mappings by their description in the schema, every violation gathered with its path."""

import difflib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from saltern.errors import Violation
from saltern.secrets import HIDDEN, is_secret
from saltern.topology.schema import Section
from saltern.topology.values import MAX_SHOWN, Kind, Wrong, describe


class Reader:
    """Reads parts of a pillar and keeps what is wrong with them in ``violations``."""

    def __init__(self) -> None:
        self.violations: list[Violation] = []

    def refuse(self, path: str, wrong: Wrong) -> None:
        """Keep a value that was not accepted, with the path where it stands; a secret is not shown."""
        # Not redacted: what stops being a secret inside of a text that is wrong, nobody knows.
        found = HIDDEN if is_secret(path.rpartition(":")[2]) or is_secret(wrong.found) else wrong.found
        self.violations.append(
            Violation(rule=wrong.rule, paths=(path,), found=found, allowed=wrong.allowed, remedy=wrong.remedy)
        )

    def value(self, kind: Kind, data: object, path: str) -> Any:
        """The value, or ``None`` when it is not one of its kind."""
        try:
            return kind.read(data)
        except Wrong as wrong:
            self.refuse(path, wrong)
            return None

    def section(self, section: Section, data: object, path: str) -> dict[str, Any] | None:
        """The values of a section by key, defaults filled in; ``None`` when it is no mapping.

        A value that is wrong counts as not written; what is required and not there is ``None``.
        """
        if not isinstance(data, Mapping):
            self.refuse(path, Wrong("type", describe(data), "a mapping", "write `name: value` lines below it"))
            return None
        found = dict(section.defaults)
        by_name = section.by_name
        meant = set()
        for name, value in data.items():
            key = by_name.get(name)
            if key is None:
                likely = suggest(name, by_name) if isinstance(name, str) and name not in section.misplaced else None
                self.refuse(child(path, name), _unknown(section, name, likely))
                meant.add(likely)
                continue
            try:
                found[name] = key.kind.read(value)
            except Wrong as wrong:
                self.refuse(f"{path}:{name}", wrong)
        # A key that was misspelt is not called missing too.
        for name in section.required - data.keys() - meant:
            self.refuse(
                f"{path}:{name}", Wrong("missing-key", "nothing", by_name[name].kind.allowed, f"write `{name}`")
            )
        return found

    def named(self, kind: Kind, data: Mapping[object, object], path: str) -> Iterator[tuple[str, object]]:
        """The entries of a mapping whose keys are names of one kind."""
        for name, value in data.items():
            try:
                yield kind.read(name), value
            except Wrong as wrong:
                self.refuse(child(path, name), wrong)

    def mapping(self, names: Kind, kind: Kind, data: Mapping[object, object], path: str) -> dict[str, Any]:
        """A mapping of names of one kind to values of another."""
        found = {name: self.value(kind, value, f"{path}:{name}") for name, value in self.named(names, data, path)}
        return {name: value for name, value in found.items() if value is not None}


def child(path: str, name: object) -> str:
    """The path of a key that may be anything."""
    if not isinstance(name, str):
        return f"{path}:({describe(name)})"
    return f"{path}:{name}" if name.isprintable() and len(name) <= MAX_SHOWN else f"{path}:({describe(name)})"


def _unknown(section: Section, name: object, likely: str | None) -> Wrong:
    if not isinstance(name, str):
        return Wrong("unknown-key", describe(name), "keys that are text", "write the key in quotes, or take it out")
    if name in section.owned:
        return Wrong("owned-key", f"the key {name!r}", "what Saltern does not decide itself", section.owned[name])
    remedy = section.misplaced.get(name, f"did you mean `{likely}`?" if likely else "take it out")
    others = [f"the keys of {section.page}"] if section.page else []
    allowed = ", ".join([*(key.name for key in section.keys), *others])
    return Wrong("unknown-key", f"the unknown key {name[:MAX_SHOWN]!r}", allowed, remedy)


def suggest(name: str, known: Collection[str]) -> str | None:
    """The known name that ``name`` was most likely meant to be."""
    close = difflib.get_close_matches(name[:MAX_SHOWN], known, n=1, cutoff=0.6)
    return close[0] if close else None
