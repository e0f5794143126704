"""What systemd says of one unit: three properties (systemctl(1), show), or nothing that is believed."""

import pytest

from saltern.errors import ParseError
from saltern.model.observed import Unit
from saltern.parse.systemctl_show import parse


def test_a_unit_that_runs_and_is_started_at_each_boot() -> None:
    found = parse("LoadState=loaded\nActiveState=active\nUnitFileState=enabled\n")
    assert found == Unit(loaded=True, active_state="active", enabled=True)


def test_a_unit_that_is_not_there() -> None:
    found = parse("LoadState=not-found\nActiveState=inactive\nUnitFileState=\n")
    assert found == Unit(loaded=False, active_state="inactive", enabled=False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "LoadState=loaded\nActiveState=active\n",
        "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\nSubState=running\n",
        "LoadState=loaded\nActiveState=active\nActiveState=failed\nUnitFileState=enabled\n",
        "LoadState=loaded\nActiveState=active\nUnitFileState=enabled",
        "LoadState=loaded\nActiveState=running\nUnitFileState=enabled\n",
        "System has not been booted with systemd\n",
    ],
)
def test_anything_else_is_not_understood(text: str) -> None:
    with pytest.raises(ParseError):
        parse(text)
