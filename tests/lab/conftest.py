"""The lab for its tests: brought up for the session, put to a known moment for each case, and shown where one fails."""

import fcntl
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.cluster import NODES, Lab
from lab.errors import LabError
from lab.master import CHECKOUT
from lab.moments import BARE, CONVERGED, FENCED, GUARDED, bring

LAB = pytest.StashKey[Lab]()


@pytest.fixture(scope="session")
def lab(pytestconfig: pytest.Config) -> Iterator[Lab]:
    """The lab in $SALTERN_LAB or .lab, with a snapshot of its bare nodes; afterwards it is down, unless it was up before."""
    lab = Lab(Path(os.environ.get("SALTERN_LAB") or CHECKOUT / ".lab"), _progress(pytestconfig))
    with _to_itself(lab):
        pytestconfig.stash[LAB] = lab
        was_up = lab.is_up
        try:
            _have_bare(lab)
            yield lab
        finally:
            if not was_up:
                lab.down()


@contextmanager
def _to_itself(lab: Lab) -> Iterator[None]:
    """Two runs of tests in one lab would take the nodes from each other."""
    lab.directory.mkdir(parents=True, exist_ok=True)
    with (lab.directory / "tests.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pytest.fail(f"other tests run in the lab {lab.directory}; SALTERN_LAB names another one", pytrace=False)
        yield


def _have_bare(lab: Lab) -> None:
    try:
        if not lab.has(BARE):
            bring(lab, BARE)
    except LabError as error:
        pytest.fail(str(error), pytrace=False)  # such as what is missing here: that is never skipped


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
