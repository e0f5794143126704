"""How a runner asks nodes through a client of Salt's: whatever one says becomes an answer, or words of why there is none."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from saltern import asking, controller


class Client:
    """A ``LocalClient`` whose minions say what they are told to."""

    def __init__(self, said: Mapping[str, Mapping[str, Any]]) -> None:
        self.said = said

    def run_job(self, target: Sequence[str], *_args: object, **_named: object) -> dict[str, Any]:
        return {"jid": "1", "minions": target}

    def get_cli_event_returns(
        self, _jid: str, minions: Sequence[str], *_args: object
    ) -> Iterator[Mapping[str, Mapping[str, Any]]]:
        yield {node: self.said[node] for node in minions if node in self.said}


def asked(said: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    ask = asking.through(Client(said), timeout_s=1, error=OSError)
    return ask("operation.look", {"dom0": [], "dom0m": []})


def test_what_all_nodes_have_said_is_returned_by_node() -> None:
    assert asked({"dom0": {"ret": 1}, "dom0m": {"ret": 2, "retcode": 0}}) == {"dom0": 1, "dom0m": 2}


def test_a_node_that_was_never_applied_is_told_apart_from_a_silent_one_with_what_brings_it_the_function() -> None:
    with pytest.raises(controller.Unanswered) as raised:
        asked({"dom0": {"ret": "'operation.look' is not available.", "retcode": 254}})
    assert raised.value.trouble == {
        "dom0": "it has no operation.look yet; state.apply brings it",
        "dom0m": controller.SILENT,
    }


def test_a_node_with_modules_of_another_version_is_told_with_what_brings_those_of_the_master() -> None:
    """What Salt says of a question with more words than the function takes, with all of its documentation."""
    said = (
        "Passed invalid arguments to operation.look: look() takes from 0 to 2 positional arguments but 3 were given\n\n"
        "    Return what this node has of domains"
    )
    with pytest.raises(controller.Unanswered) as raised:
        asked({"dom0": {"ret": said, "retcode": 1}, "dom0m": {"ret": 2}})
    assert raised.value.trouble == {
        "dom0": "it has the operation.look of another version; state.apply brings that of the master"
    }


def test_a_node_that_fails_says_why() -> None:
    with pytest.raises(controller.Unanswered, match="dom0: vgs ended with exit code 5"):
        asked({"dom0": {"ret": "ERROR: vgs ended with exit code 5", "retcode": 1}, "dom0m": {"ret": 2}})
