"""Asking nodes through a client of Salt's that a runner has made: published to all of them first, gathered then."""

from collections.abc import Mapping, Sequence
from typing import Any

from saltern.controller import SILENT, AskEach, Unanswered


def through(client: Any, *, timeout_s: float, error: type[Exception]) -> AskEach:
    """How nodes are asked with a ``LocalClient`` of Salt's, which ends with ``error`` where the master cannot ask.

    A node that has said nothing after ``timeout_s``, and does not work on it either, counts as silent.
    """

    def ask(function: str, args: Mapping[str, Sequence[object]]) -> Mapping[str, Any]:
        jobs: dict[str, Mapping[str, Any]] = {}
        trouble: dict[str, str] = {}
        for node, these in args.items():
            try:
                jobs[node] = client.run_job([node], function, these, tgt_type="list", timeout=timeout_s, listen=True)
            except error as reason:
                trouble[node] = f"the master could not ask it ({reason})"
        answers: dict[str, Any] = {}
        for node, job in jobs.items():
            said = _answer(client, node, job, timeout_s)
            if not said or "ret" not in said:
                trouble[node] = SILENT
            elif said.get("retcode") and said["ret"] == f"'{function}' is not available.":
                trouble[node] = f"it has no {function} yet; state.apply brings it"
            elif said.get("retcode") and str(said["ret"]).startswith(f"Passed invalid arguments to {function}:"):
                trouble[node] = f"it has the {function} of another version; state.apply brings that of the master"
            elif said.get("retcode"):
                trouble[node] = str(said["ret"]).removeprefix("ERROR: ")
            else:
                answers[node] = said["ret"]
        if trouble:
            raise Unanswered(trouble)
        return answers

    return ask


def _answer(client: Any, node: str, job: Mapping[str, Any], timeout_s: float) -> Mapping[str, Any] | None:
    """What a node has said in a job that was published; nothing, when it said nothing in time."""
    if not job:
        return None
    returns = client.get_cli_event_returns(job["jid"], job["minions"], timeout_s, [node], "list")
    return next((said[node] for said in returns if node in said), None)
