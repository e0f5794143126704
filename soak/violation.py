"""A safety rule that was broken."""


class Violation(AssertionError):
    """Which rule, and by what."""

    def __init__(self, rule: str, text: str) -> None:
        super().__init__(text)
        self.rule = rule
