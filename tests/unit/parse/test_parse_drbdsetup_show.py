import re
from pathlib import Path

import pytest

from saltern.errors import ParseError
from saltern.parse.drbdsetup_show import parse_addresses, parse_asks, parse_quorum, parse_two_primaries

DATA = Path(__file__).parents[2] / "data" / "drbdsetup_show"
CONNECTED = (DATA / "8.4-connected.txt").read_text()
DEFAULTS = (DATA / "8.4-defaults.txt").read_text()
NINE = (DATA / "9.2-connected.txt").read_text()


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


def test_two_primaries_are_allowed_where_it_says_so_and_by_default_they_are_not() -> None:
    assert parse_two_primaries(CONNECTED)
    assert not parse_two_primaries(CONNECTED.replace("allow-two-primaries\tyes;", "allow-two-primaries\tno;"))
    assert not parse_two_primaries(DEFAULTS)


def test_two_primaries_of_9_are_those_of_the_connection() -> None:
    assert parse_two_primaries(NINE)
    assert not parse_two_primaries(NINE.replace("            allow-two-primaries\tyes;\n", ""))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# No currently configured DRBD found.\n",
        CONNECTED + CONNECTED,
        CONNECTED.replace("two-primaries\tyes", "two-primaries\tmaybe"),
        CONNECTED.replace("    net {", "net {"),
        CONNECTED[: CONNECTED.index("        allow")],
        NINE[: NINE.index("    connection")],
    ],
)
def test_two_primaries_of_anything_but_one_whole_resource_are_not_understood(text: str) -> None:
    with pytest.raises(ParseError):
        parse_two_primaries(text)


# --- Fencing -------------------------------------------------------------------------------------------------------
ASKS_84 = DEFAULTS.replace(
    "            disk {\n", "            disk {\n                fencing         \tresource-and-stonith;\n"
)
ASKS_9 = NINE.replace("        net {\n", "        net {\n            fencing         \tresource-and-stonith;\n")


def test_drbd_asks_where_its_disk_or_its_connection_says_so() -> None:
    assert parse_asks(ASKS_84)
    assert parse_asks(ASKS_9)
    for text in (DEFAULTS, CONNECTED, NINE):
        assert not parse_asks(text)
    for text in (ASKS_84, ASKS_9):
        assert not parse_asks(text.replace("resource-and-stonith", "resource-only"))


def test_one_connection_of_two_that_does_not_ask_is_enough_to_go_on_alone() -> None:
    (connection,) = re.findall(r"    connection \{\n.*?\n    \}\n", ASKS_9, re.DOTALL)
    assert parse_asks(ASKS_9.replace(connection, connection * 2))
    silent = re.sub(r" *fencing.*\n", "", connection)
    assert not parse_asks(ASKS_9.replace(connection, connection + silent))


@pytest.mark.parametrize(
    "text", ["", ASKS_84[:-20], ASKS_84.replace("resource-and-stonith", "resource-and-hope"), ASKS_84 * 2]
)
def test_what_is_not_understood_about_fencing_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        parse_asks(text)


MAJORITY = 'resource "dns" {\n    options {\n        quorum          \tmajority;\n    }\n}\n'
NONE = 'resource "mail" {\n    options {\n        quorum-minimum-redundancy\tmajority;\n    }\n}\n'


def test_of_each_resource_it_is_told_whether_a_majority_is_demanded() -> None:
    assert parse_quorum(f"{MAJORITY}\n{NONE}") == {"dns": True, "mail": False}
    assert parse_quorum(MAJORITY.replace("majority", "1")) == {"dns": False}
    assert parse_quorum(NINE) == {"dns": False}
    assert parse_quorum("") == {}


@pytest.mark.parametrize(
    "text",
    [
        MAJORITY.removesuffix("}\n"),
        MAJORITY + MAJORITY,
        MAJORITY.replace("majority", "most"),
        f"what is this?\n{MAJORITY}",
        f"{MAJORITY}what is this?\n",
    ],
)
def test_what_is_not_whole_or_not_known_says_nothing_of_quorum(text: str) -> None:
    with pytest.raises(ParseError):
        parse_quorum(text)
