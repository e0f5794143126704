import pytest

from saltern.errors import ParseError
from saltern.parse import xenstore_ls

DISK = "/local/domain/0/backend/vbd/1/51712"
LISTED = f"""\
/local/domain/0/backend/vbd/1 = ""
{DISK} = ""
{DISK}/hotplug-status = "connected"
{DISK}/params = "dns"
"""


def test_every_value_is_read_by_its_path() -> None:
    assert xenstore_ls.parse(LISTED)[f"{DISK}/params"] == "dns"
    assert xenstore_ls.parse(LISTED)[DISK] == ""
    assert xenstore_ls.parse("") == {}


@pytest.mark.parametrize("reason", ["", " (No such file or directory)"])
def test_what_goes_away_while_it_is_listed_has_no_value(reason: str) -> None:
    assert xenstore_ls.parse(f"{LISTED}{DISK}/online:{reason}\n") == xenstore_ls.parse(LISTED)


@pytest.mark.parametrize("line", [f"{DISK}/params = dns", f'{DISK}/params = "dns', 'params = "dns"', DISK, " "])
def test_a_line_of_another_form_raises(line: str) -> None:
    with pytest.raises(ParseError, match="xenstore-ls"):
        xenstore_ls.parse(f"{LISTED}{line}\n")
