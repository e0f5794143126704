"""What a node keeps of the remake of a domain, as ``saltern.render.remaking`` wrote it."""

import json
from typing import Final

from saltern.errors import ParseError
from saltern.model.remake import Remaking
from saltern.parse import operation

_SOURCE: Final = "the entry of a remake"


def parse(text: str) -> Remaking:
    """The remake; raises ``ParseError`` for anything that was not written by us as a whole."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ParseError(_SOURCE, f"no JSON ({error})", text) from error
    match found:
        case {"operation": dict(entry), "reached": int(reached), "steps": int(steps), "over": bool(over)} if (
            len(found) == 4 and 0 <= reached <= steps
        ):
            return Remaking(operation=operation.parse(json.dumps(entry)), reached=reached, steps=steps, over=over)
    raise ParseError(
        _SOURCE, "not exactly an operation, how many of how many steps are done, and whether it is over", text
    )
