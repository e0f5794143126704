"""What is planned from one topology to another, word for word: one directory for each in tests/scenarios/remake.

``README`` says what changes, ``before.yaml`` and ``after.yaml`` are the topologies (that of before is allocated on the spot),
``destroy`` holds the names where there are some, ``expected.txt`` the answer. With SALTERN_WRITE_EXPECTED set the answers are
written, for review in the diff.
"""

import os
from pathlib import Path

import pytest
from topologies import allocated

from saltern import topology
from saltern.topology import files
from saltern.topology.remake import remake
from saltern.topology.remake.show import text_of

SCENARIOS = sorted((Path(__file__).parents[2] / "scenarios" / "remake").iterdir())


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.name)
def test_a_change_gets_the_expected_plan(scenario):
    assert (scenario / "README").read_text().strip()
    before, after = (files.read(scenario / f"{name}.yaml") for name in ("before", "after"))
    names = scenario / "destroy"
    destroy = names.read_text().split() if names.exists() else []
    found = f"{text_of(remake(*topology.compile_change(allocated(before), after), destroy))}\n"
    expected = scenario / "expected.txt"
    if os.environ.get("SALTERN_WRITE_EXPECTED"):
        expected.write_text(found)
    assert found == expected.read_text()
