"""``systemctl show``: whether a unit is loaded, runs, and is started at each boot."""

from typing import Final

from saltern.errors import ParseError
from saltern.model.observed import Unit

_TOOL: Final = "systemctl show"
# The words of systemd 252 (unit-def.c, install.c), by property; a unit without a file has no state of one.
_WORDS: Final = {
    "LoadState": frozenset(["stub", "loaded", "not-found", "bad-setting", "error", "merged", "masked"]),
    "ActiveState": frozenset(
        ["active", "reloading", "inactive", "failed", "activating", "deactivating", "maintenance", "refreshing"]
    ),
    "UnitFileState": frozenset(
        [
            "",
            *["enabled", "enabled-runtime", "linked", "linked-runtime", "alias", "masked", "masked-runtime"],
            *["static", "disabled", "indirect", "generated", "transient", "bad"],
        ]
    ),
}


def parse(text: str) -> Unit:
    """What systemd said of one unit, when asked for exactly these three properties. Raises ``ParseError``."""
    if not text.endswith("\n"):
        raise ParseError(_TOOL, "the last line is not ended, so that something may be cut off", text)
    lines = text.splitlines()
    found = dict(line.split("=", 1) for line in lines if "=" in line)
    if found.keys() != _WORDS.keys() or len(lines) != len(_WORDS):
        raise ParseError(_TOOL, f"it is not one line for each of {', '.join(_WORDS)}", text)
    for name, word in found.items():
        if word not in _WORDS[name]:
            raise ParseError(_TOOL, f"{name} is {word[:60]!r}", text)
    return Unit(
        loaded=found["LoadState"] == "loaded",
        active_state=found["ActiveState"],
        enabled=found["UnitFileState"] == "enabled",
    )
