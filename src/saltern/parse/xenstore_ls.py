"""``xenstore-ls -f``: what is in xenstore below a path."""

import re
from typing import Final

from saltern.errors import ParseError

_LINE: Final = re.compile(r'(/\S+) = "(.*)"')
# What is taken away while it is being listed has a name and no value; newer releases say why.
_GONE: Final = re.compile(r"/\S+:(?: \(.*\))?")


def parse(text: str) -> dict[str, str]:
    """Every value by its path, as it is shown, with its escapes.

    Raises ``ParseError`` for a line of another form. Source: transcript 114; xenstore_client.c.
    """
    found = {}
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if match is not None:
            found[match[1]] = match[2]
        elif _GONE.fullmatch(line) is None:
            raise ParseError("xenstore-ls", "a line is neither a value nor something that is gone", line)
    return found
