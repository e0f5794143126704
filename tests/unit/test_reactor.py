"""What the master's reactor renders for an event: a call that is there, with what the event tells and nothing else."""

import ast
from pathlib import Path
from typing import Any

import jinja2
import pytest
import salt.utils.json
import yaml

ROOT = Path(__file__).parents[2]


def rendered(path: Path, **event: str) -> Any:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)  # noqa: S701 - YAML, and no page
    environment.filters["json"] = salt.utils.json.dumps
    return yaml.safe_load(environment.from_string(path.read_text(encoding="utf-8")).render(data=event))


@pytest.mark.parametrize("node", ["dom0", 'dom0"}\nanother: {cmd.run: [{name: "x"}]}'])
def test_a_partner_that_is_out_of_sight_wakes_guards_and_nothing_else(node: str) -> None:
    ((_, call),) = rendered(ROOT / "reactor/peer_lost.sls", id="dom0m", node=node).items()
    assert call == {"runner.cluster.wake": [{"args": [{"node": node}]}]}
    tree = ast.parse((ROOT / "salt/_runners/saltern_cluster.py").read_text(encoding="utf-8"))
    functions = {each.name: each for each in tree.body if isinstance(each, ast.FunctionDef)}
    assert functions["wake"].args.args[0].arg == "node"


@pytest.mark.parametrize("minion", ["dom0", 'dom0"}\nanother: {cmd.run: [{name: "x"}]}'])
def test_the_start_of_a_minion_calls_the_function_that_looks_for_itself_and_nothing_else(minion: str) -> None:
    ((_, call),) = rendered(ROOT / "reactor/return_automatic.sls", id=minion).items()
    assert call == {"runner.operation.return_automatic": [{"args": [{"node": minion}]}]}
    tree = ast.parse((ROOT / "salt/_runners/saltern_operation.py").read_text(encoding="utf-8"))
    functions = {each.name: each for each in tree.body if isinstance(each, ast.FunctionDef)}
    assert functions["return_automatic"].args.args[0].arg == "node"
