"""What Salt gives for a node that was asked for several functions at once."""

from collections.abc import Sequence

from saltern.status.answer import NO_OPERATIONS, SILENT, answer, asked_now

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


def test_who_has_waited_for_a_silent_node_is_asked_once_more_and_nobody_else_is() -> None:
    def asked(silent: Sequence[str]) -> list[list[str]]:
        found: list[list[str]] = []

        def ask(nodes: Sequence[str]) -> dict[str, object]:
            found.append(list(nodes))
            return {node: False if node in silent else {"xen.domains": len(found)} for node in nodes}

        told = asked_now(ask, ["dom0", "dom0m", "dom1"])
        assert all(
            said is False if node in silent else said == {"xen.domains": len(found)} for node, said in told.items()
        )
        return found

    everybody = ["dom0", "dom0m", "dom1"]
    assert asked(["dom0"]) == [everybody, ["dom0m", "dom1"]]
    assert asked([]) == asked(everybody) == [everybody]
