"""What may stand in a DRBD configuration only once, and the words in which drbdadm refuses the second one.

drbdadm stops at the first conflict, exit 10, whatever the command and whatever its resource (transcripts 078-098, 212).
It finds no fault with one backing disk in two resources, with a data disk that is also a meta-disk, or with flexible and
indexed metadata on one volume (transcripts 080, 084, 085, 092).
"""

from saltern.sim.drbd.syntax import ConfigError


class Claims:
    """Everything that was claimed so far, by whom."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, str], str] = {}

    def claim(self, kind: str, key: str, where: str) -> None:
        """Claim ``key`` of a ``kind`` at ``where`` (file:line); raises ``ConfigError`` when it is taken."""
        first = self._first.get((kind, key))
        if first is not None:
            raise ConfigError(
                f"{where}: conflicting use of {kind} '{key}' ...\n{first}: {kind} '{key}' first used here.\n"
            )
        self._first[kind, key] = where
