"""What Salt gives for a node that was asked for several functions at once."""

from saltern.status.answer import NO_OPERATIONS, SILENT, answer

WHOLE = {
    "drbd.status": {"dns": {}},
    "xen.domains": [],
    "operation.entries": {**NO_OPERATIONS, "entered": {"dns": {}}},
}
TRACEBACK = "Traceback (most recent call last):\n  File ...\n"


def test_a_node_that_says_all_has_no_trouble() -> None:
    found = answer(WHOLE)
    assert (found.trouble, found.operations_trouble) == (None, None)
    assert found.operations["entered"] == {"dns": {}}


def test_a_node_that_says_nothing_is_silent_and_a_reason_is_kept() -> None:
    for said in (None, False, ""):
        assert answer(said).trouble == answer(said).operations_trouble == SILENT
    for said in (
        "Minion did not return. [Not connected]",
        "Minion did not return. [No response]\nThe minions may not ...",
    ):
        assert answer(said).trouble == SILENT, "in one line, with our remedy"
    assert answer("nobody could be asked: no master").trouble == "nobody could be asked: no master"


def test_a_node_without_operations_gives_the_rest() -> None:
    found = answer({**WHOLE, "operation.entries": f"{TRACEBACK}TypeError: 'str' object is not callable\n"})
    assert found.trouble is None
    assert found.resources == {"dns": {}}
    assert found.operations == NO_OPERATIONS
    assert found.operations_trouble == "it has no operation.entries yet; state.apply brings it"


def test_a_function_that_failed_tells_why_in_its_last_line() -> None:
    failed = f"{TRACEBACK}salt.exceptions.CommandExecutionError: `xl list -v` ended with exit code 1\n"
    found = answer({**WHOLE, "xen.domains": failed})
    assert found.trouble == "`xl list -v` ended with exit code 1"
    assert found.resources == {}
    assert found.operations["entered"] == {"dns": {}}
