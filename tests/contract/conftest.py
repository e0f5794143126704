import pytest
from contract_target import Target
from simulator_target import SimulatorTarget


@pytest.fixture
def target() -> Target:
    """Two fresh simulated nodes to try commands on; tests/lab runs the same cases on real ones."""
    return SimulatorTarget()
