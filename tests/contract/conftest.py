from collections.abc import Callable

import pytest
from contract_target import SimulatorTarget, Target


@pytest.fixture(params=[SimulatorTarget], ids=["simulator"])
def target(request: pytest.FixtureRequest) -> Target:
    """Two fresh nodes to try commands on."""
    make: Callable[[], Target] = request.param
    return make()
