"""What happens to a cluster in the well-known disasters of the field: one directory for each in tests/scenarios/takeover.

``soak/scenario.py`` says what is in one. With SALTERN_WRITE_EXPECTED set the stories are written, for review in the diff.
"""

import os
from pathlib import Path

import pytest

from soak import scenario
from soak.scenario import Unreadable

SCENARIOS = sorted((Path(__file__).parents[2] / "scenarios" / "takeover").iterdir())


@pytest.mark.parametrize("directory", SCENARIOS, ids=lambda path: path.name)
def test_a_disaster_has_the_expected_story(directory):
    found = "".join(f"{line}\n" for line in scenario.story(scenario.load(directory)))
    expected = directory / "expected.txt"
    if os.environ.get("SALTERN_WRITE_EXPECTED"):
        expected.write_text(found)
    assert "BROKEN" not in found
    assert found == expected.read_text()


def written(directory, events):
    source = SCENARIOS[0]
    for name in ("README", "topology.yaml"):
        (directory / name).write_text((source / name).read_text())
    (directory / "events.yaml").write_text(events)
    return directory


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ("events: []\n", "`proof`, which is one of lease, fencing, both"),
        ("proof: hope\nevents: []\n", "`proof`, which is one of lease, fencing, both"),
        ("proof: lease\nevents:\n  - {power_off: node1}\n", "event 1: .*; it is written {at: SECONDS, WHAT: WHO}"),
        ("proof: lease\nevents:\n  - {at: 3, explode: node1}\n", "event 1: explode; there are power_off, power_on,"),
        ("proof: lease\nevents:\n  - {at: 3, cut: node1}\n", "event 1: cut takes 2, and these are 1"),
        ("proof: lease\nevents:\n  - {at: 3, power_off: node9}\n", "event 1: node9 is not in the topology"),
    ],
)
def test_a_scenario_that_says_nothing_clear_is_told(tmp_path, events, words):
    with pytest.raises(Unreadable, match=words):
        scenario.load(written(tmp_path, events))
