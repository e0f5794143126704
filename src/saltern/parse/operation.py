"""The entry of an operation, as ``saltern.render.operation`` wrote it."""

import json
import re
from dataclasses import fields
from typing import Any, Final

from saltern.errors import ParseError
from saltern.model.operation import Half, Operation, OperationKind

_SOURCE: Final = "the entry of an operation"
_IDENTIFIER: Final = re.compile(r"[0-9a-f-]{4,64}")
_KEYS: Final = frozenset(each.name for each in fields(Operation))


def parse(text: str) -> Operation:
    """The operation; raises ``ParseError`` for anything that was not written by us as a whole."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ParseError(_SOURCE, f"no JSON ({error})", text) from error
    if not isinstance(found, dict) or found.keys() != _KEYS:
        raise ParseError(_SOURCE, f"not exactly the keys {', '.join(sorted(_KEYS))}", text)
    texts = _KEYS - {"resources", "renewed_s", "taken", "stays"}
    resources, renewed_s = found["resources"], found["renewed_s"]
    if (
        not all(isinstance(found[key], str) for key in texts)
        or not isinstance(resources, list)
        or not all(isinstance(each, str) for each in resources)
        or not isinstance(renewed_s, (int, float))
        or not all(isinstance(found[key], bool) for key in ("taken", "stays"))
        or _IDENTIFIER.fullmatch(found["id"]) is None
    ):
        raise ParseError(_SOURCE, "a value of another type", text)
    return _operation(found, text)


def _operation(found: dict[str, Any], text: str) -> Operation:
    try:
        words = {"kind": OperationKind(found["kind"]), "half": Half(found["half"])}
    except ValueError as error:
        raise ParseError(_SOURCE, str(error), text) from error
    return Operation(**{**found, **words, "resources": tuple(found["resources"])})
