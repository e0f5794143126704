import pytest

from saltern.sim.world import NodeSpec, World


@pytest.fixture
def world() -> World:
    """Two nodes with an empty volume group of 2044 MiB each."""
    return World.create(
        [
            NodeSpec(name="dom0", address="192.168.1.190", volume_group_size_bytes=511 * 4 * 1024**2),
            NodeSpec(name="dom0m", address="192.168.1.191", volume_group_size_bytes=511 * 4 * 1024**2),
        ]
    )
