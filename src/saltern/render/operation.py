"""The entry of an operation, as a node keeps it."""

import json
from dataclasses import asdict

from saltern.model.operation import Operation


def render(operation: Operation) -> str:
    """The text of ``/var/lib/saltern/operations/DOMAIN.json``."""
    return json.dumps(asdict(operation), indent=2) + "\n"
