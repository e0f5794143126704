"""Real nodes answer as they did when the recordings were made that the simulator is held to."""

import pytest
import test_drbd
import test_dry_runs
import test_lvm
import test_stories
import test_xen
from lab_target import LabTarget, Moments

from lab.cluster import Lab

# The cases are those of tests/contract, with another target behind them.
for cases in (test_dry_runs, test_lvm, test_stories, test_drbd, test_xen):
    globals().update({name: case for name, case in vars(cases).items() if name.startswith(("test_", "split_brain"))})


@pytest.fixture(scope="module")
def moments(lab: Lab) -> Moments:
    """The moments that cases share."""
    return Moments(lab)


@pytest.fixture
def target(moments: Moments) -> LabTarget:
    """Two bare real nodes, or those of a moment."""
    return LabTarget(moments)
