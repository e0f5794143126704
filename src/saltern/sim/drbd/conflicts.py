"""What may stand in a DRBD configuration only once, and the words in which drbdadm refuses the second one.

drbdadm stops at the first conflict, exit 10, whatever the command and whatever its resource (transcripts 078-098, 212).
It finds no fault with one backing disk in two resources, with a data disk that is also a meta-disk, or with flexible and
indexed metadata on one volume (transcripts 080, 084, 085, 092).
"""

import ipaddress
from collections.abc import Iterable
from typing import TYPE_CHECKING

from saltern.sim.drbd.syntax import ConfigError

if TYPE_CHECKING:
    from saltern.sim.drbd.config import Resource


class Claims:
    """Everything that was claimed so far, by whom."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, str], str] = {}

    def claim(self, kind: str, key: str, where: str) -> None:
        """Claim ``key`` of a ``kind`` at ``where`` (file:line); raises ``ConfigError`` when it is taken."""
        first = self._first.get((kind, key))
        if first is not None:
            raise ConfigError(
                f"{where}: conflicting use of {kind} '{key}' ...\n{first}: {kind} '{key}' first used here.\n"
            )
        self._first[kind, key] = where


def check_addresses(resources: Iterable["Resource"]) -> None:
    """drbdadm 9 finds addresses that are used twice when everything is read, in words of its own, loopback excepted."""
    owners: dict[str, Resource] = {}
    for resource in resources:
        text = ""
        for host in resource.hosts:
            owner = owners.setdefault(host.endpoint, resource)
            if owner is not resource and not ipaddress.ip_address(host.address).is_loopback:
                text += f"{resource.file}:0: in resource {resource.name}\n"
                text += f"    {host.endpoint} is also used {owner.file}:0 (resource {owner.name})\n"
        if text:
            raise ConfigError(text)
