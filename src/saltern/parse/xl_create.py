"""`xl create -n`: what of a configuration xl would leave out."""

import re
from typing import Final

# libxlu_cfg.c warns of a value of the wrong kind, xl_parse.c of a key that it does not know inside of a specification.
_LEFT_OUT: Final = re.compile(r"(?:.*: warning: )?(parameter `.*' is .*|unrecognized argument `.*')")


def parse(stderr: str) -> tuple[str, ...]:
    """The warnings about what counts as not given, though xl ends with 0; ``()`` where it takes everything.

    A disk that is no list is left out like this, and the domain starts without it. Source: transcripts 414, 419, 430.
    """
    matches = (_LEFT_OUT.fullmatch(line) for line in stderr.splitlines())
    return tuple(match[1] for match in matches if match)
