"""The lab for its tests: brought up for the session, put to a known moment for each case, and shown where one fails."""

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack

import pytest

from lab.cluster import NODES, Lab, usual_directory
from lab.errors import LabError
from lab.moments import BARE, CONVERGED, FENCED, GUARDED, bring

LAB = pytest.StashKey[Lab]()


@pytest.fixture(scope="session")
def lab(pytestconfig: pytest.Config) -> Iterator[Lab]:
    """The lab in $SALTERN_LAB or .lab, with a snapshot of its bare nodes; afterwards it is down, unless it was up before."""
    lab = Lab(usual_directory(), _progress(pytestconfig))
    with ExitStack() as stack:
        try:
            stack.enter_context(lab.reserved())
            pytestconfig.stash[LAB] = lab
            if not lab.has(BARE):
                bring(lab, BARE)
        except LabError as error:
            pytest.fail(str(error), pytrace=False)  # such as what is missing here: that is never skipped
        yield lab


@pytest.fixture
def bare(lab: Lab) -> Lab:
    """Two nodes as installed, each with an empty volume group."""
    bring(lab, BARE)
    lab.make_volume_groups()
    return lab


@pytest.fixture
def converged(lab: Lab) -> Lab:
    """Two nodes to which the topology was applied: every disk is synchronised, every domain runs."""
    bring(lab, CONVERGED)
    return lab


@pytest.fixture
def guarded(lab: Lab) -> Lab:
    """The same with automatic takeover: the witness runs, and each node is protected."""
    bring(lab, GUARDED)
    return lab


@pytest.fixture
def fenced(lab: Lab) -> Lab:
    """The same with a fence agent for each node, which speaks to its management board, and without a witness."""
    bring(lab, FENCED)
    return lab


def _progress(config: pytest.Config) -> Callable[[str], None]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return lambda text: reporter.write_line(f"  {text}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the state of both nodes to the report of what failed."""
    report = yield
    lab = item.config.stash.get(LAB, None)
    if report.failed and lab is not None:
        for node in NODES:
            report.sections.append((node, lab.state(node)))
    return report
