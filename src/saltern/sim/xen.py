"""Domains over time."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from saltern.sim.world import World


def advance(world: "World") -> None:
    """Let every domain live up to ``world.time_s``."""
