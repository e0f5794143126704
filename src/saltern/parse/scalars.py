"""Numbers as tools print them: ASCII digits and nothing else, or the output is not understood."""

import re
from typing import Final

_DIGITS: Final = re.compile(r"[0-9]{1,20}")


def whole_number(text: str) -> int:
    """A number of at least 0 without sign, blanks or underscores; ``ValueError`` for anything else.

    ``int`` alone would take ``" 1_0"`` and the digits of other scripts.
    """
    if _DIGITS.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not a number")
    return int(text)
