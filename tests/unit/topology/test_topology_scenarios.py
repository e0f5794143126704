"""What invalid topologies get, word for word: one directory for each in tests/scenarios/topology.

``README`` says what is wrong, ``topology.yaml`` is the pillar, ``expected.txt`` the answer of allocating, or of compiling
where nothing hinders allocating. With SALTERN_WRITE_EXPECTED set the answers are written, for review in the diff.
"""

import os
from pathlib import Path

import pytest

from saltern import topology
from saltern.errors import TopologyError
from saltern.topology import files

SCENARIOS = sorted((Path(__file__).parents[2] / "scenarios" / "topology").iterdir())


def answer(pillar):
    try:
        topology.load_and_allocate(pillar)
        topology.compile(pillar)
    except TopologyError as error:
        return f"{error}\n"
    return "valid\n"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.name)
def test_an_invalid_topology_gets_the_expected_answer(scenario):
    assert (scenario / "README").read_text().strip()
    found = answer(files.read(scenario / "topology.yaml"))
    expected = scenario / "expected.txt"
    if os.environ.get("SALTERN_WRITE_EXPECTED"):
        expected.write_text(found)
    assert found == expected.read_text()
