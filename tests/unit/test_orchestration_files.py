"""What `salt-run state.orch` renders on the master: the steps of an operation, or the reason why there are none."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import yaml

STATES = Path(__file__).parents[2] / "salt/states"


def rendered(name: str, pillar: Mapping[str, Any], **answers: Any) -> dict[str, dict[str, Any]]:
    """The states of an orchestration by their ids, with their arguments; ``answers`` are those of runners."""
    environment = jinja2.Environment(  # noqa: S701 - YAML, and no page
        undefined=jinja2.StrictUndefined, loader=jinja2.FileSystemLoader(STATES), extensions=["jinja2.ext.do"]
    )
    environment.filters["json"] = environment.filters["tojson"]
    functions = {
        "saltutil.runner": lambda function, **_given: answers[function.removeprefix("operation.")],
        "random.get_str": lambda *_args, **_given: "0a1b2c3d",
    }
    text = environment.get_template(f"{name}.sls").render(pillar=pillar, salt=functions)
    found = {}
    for identifier, state in yaml.safe_load(text).items():
        ((function, given),) = state.items()
        found[identifier] = {"function": function, **{key: each for pair in given for key, each in pair.items()}}
    return found


def test_all_steps_of_a_migration_lead_to_the_node_of_one_that_is_still_entered() -> None:
    steps = rendered("migrate", {"domain": "dns"}, destination={"target": "dom0m"})
    assert [each["name"] for each in steps.values()] == [
        "operation.begin",
        "operation.synchronise",
        "operation.carry_out",
    ]
    assert {(each["domain"], each["target"], each["identifier"]) for each in steps.values()} == {
        ("dns", "dom0m", "0a1b2c3d")
    }


def test_a_migration_of_what_cannot_be_looked_at_is_no_step_and_tells_why() -> None:
    steps = rendered("migrate", {"domain": "dns"}, destination={"retcode": 1, "error": "dom0: it's silent"})
    assert [(each["function"], each["comment"]) for each in steps.values()] == [
        ("test.fail_without_changes", "dom0: it's silent")
    ]
    steps = rendered("migrate", {"domain": "dns"}, destination={"retcode": 1, "violations": ["one", "two"]})
    assert [each["comment"] for each in steps.values()] == ["one; two"]
