"""What a node keeps of the remake of a domain."""

import json
from dataclasses import asdict

from saltern.model.remake import Remaking


def render(remaking: Remaking) -> str:
    """The text of ``/var/lib/saltern/operations/DOMAIN.remake``."""
    return json.dumps(asdict(remaking), indent=2) + "\n"
