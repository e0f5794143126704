"""The settings of a guard, as ``saltern.guarding.upkeep`` wrote them: of which resources it is told."""

import json

from saltern.errors import ParseError


def parse(text: str) -> frozenset[str]:
    """The names of the resources that the guard is told of. Raises ``ParseError`` for anything else."""
    try:
        found = [name for domain in json.loads(text)["domains"] for name in domain["resources"]]
    except (ValueError, TypeError, KeyError) as error:
        raise ParseError("guard settings", f"{type(error).__name__}: {error}", text) from error
    if not all(isinstance(name, str) for name in found):
        raise ParseError("guard settings", "a resource that is no name", text)
    return frozenset(found)
