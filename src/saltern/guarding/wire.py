"""Messages as bytes and back: JSON with the kind of the message as its only key, strict, and of limited size."""

import json
from typing import Final, get_args

from saltern.errors import SalternError
from saltern.guard.messages import Answer, Message
from saltern.guarding.plain import Malformed, from_plain, read_json, to_plain

LIMIT_BYTES: Final = 64 * 1024  # the longest beat names some hundred domains
_KINDS: Final = {kind.__name__: kind for kind in (*get_args(Message), *get_args(Answer))}


class WireError(SalternError):
    """Bytes that are no message of ours; whoever gets them drops them."""


def encode(message: Message | Answer) -> bytes:
    """A message as bytes."""
    return json.dumps({type(message).__name__: to_plain(message)}, separators=(",", ":")).encode()


def decode(data: bytes) -> Message | Answer:
    """The message; raises ``WireError`` for anything else."""
    if len(data) > LIMIT_BYTES:
        raise WireError(f"a message of {len(data)} bytes; allowed: {LIMIT_BYTES}")
    try:
        found = read_json(data)
        if not isinstance(found, dict) or len(found) != 1:
            raise Malformed("", "something else", "a mapping with the kind of the message as its only key")
        ((name, content),) = found.items()
        if name not in _KINDS:
            raise Malformed("", f"the unknown kind {name[:60]!r}", ", ".join(_KINDS))
        message: Message | Answer = from_plain(_KINDS[name], content, name)
    except Malformed as error:
        raise WireError(f"not a message: {error}") from error
    return message
