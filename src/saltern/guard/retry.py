"""What did not succeed is tried again, after a pause that grows."""

from dataclasses import dataclass
from typing import Final

_LONGEST_S: Final = 60.0


@dataclass(slots=True)
class Retry:
    """How often something has failed in a row, and from when on it may be tried again."""

    failures: int = 0
    from_s: float = 0.0

    def failed(self, now_s: float) -> None:
        """It did not succeed: the pause is 2 s, then 4 s, up to a minute."""
        self.failures += 1
        self.from_s = now_s + min(2.0**self.failures, _LONGEST_S)
