"""The file that tells a guard what it guards; ``saltern.guarding.settings`` reads it."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

from saltern.model.desired import GuardSpec, NodeSlice

VERSION: Final = 1
MODE: Final = 0o600


def render(share: NodeSlice, guard: GuardSpec, keys: Mapping[str, str]) -> str:
    """The text of ``/etc/saltern/guard.json``; ``keys`` has the public key of each partner and of the witness, by its minion."""
    partners = {
        name: {"address": address, "port": guard.port, "key": keys[name]} for name, address in guard.partners.items()
    }
    content = {
        "version": VERSION,
        "node": share.node,
        "listen": {"address": guard.address, "port": guard.port},
        "partners": partners,
        "witness": {"address": guard.witness_address, "port": guard.witness_port, "key": keys[guard.witness]},
        "times": asdict(guard.times),
        "domains": [
            {
                "name": domain.name,
                "uuid": domain.uuid,
                "partner": domain.partner if domain.home == share.node else domain.home,
                "resources": [disk.resource for disk in domain.disks],
                "memory_bytes": domain.memory_bytes,
                "order": domain.order,
                "depends_on": domain.depends_on,
                "priority": domain.priority,
            }
            for domain in share.domains.values()
        ],
    }
    return json.dumps(content, indent=2) + "\n"
