from pathlib import Path

import pytest

from saltern.errors import ParseError
from saltern.parse.drbdsetup_show import parse_addresses

CONNECTED = (Path(__file__).parents[2] / "data" / "drbdsetup_show" / "8.4-connected.txt").read_text()


def test_the_addresses_are_told_as_drbdsetup_takes_them_this_side_first() -> None:
    assert parse_addresses(CONNECTED) == ("ipv4:10.77.0.1:7792", "ipv4:10.77.0.2:7792")


def test_addresses_of_the_other_family_keep_their_brackets() -> None:
    text = CONNECTED.replace("ipv4 10.77.0.1:7792", "ipv6 [fd00::1]:7792").replace("ipv4 10.77", "ipv6 10.77")
    assert parse_addresses(text) == ("ipv6:[fd00::1]:7792", "ipv6:10.77.0.2:7792")


@pytest.mark.parametrize(
    "text",
    ["", CONNECTED.replace("_remote_host", "_other_host"), CONNECTED + CONNECTED, CONNECTED.replace("address", "")],
)
def test_anything_but_one_address_of_each_side_is_not_understood(text: str) -> None:
    with pytest.raises(ParseError):
        parse_addresses(text)


def test_what_is_not_understood_is_told_without_secrets() -> None:
    text = 'resource dns {\n    net {\n        shared-secret   \t"hush-hush";\n    }\n}\n'
    with pytest.raises(ParseError) as raised:
        parse_addresses(text)
    assert "hush-hush" not in str(raised.value)
