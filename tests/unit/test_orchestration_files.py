"""What `salt-run state.orch` renders on the master: the steps of an operation, or the reason why there are none."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from salt.state import STATE_INTERNAL_KEYWORDS

HOOKS = ("salt://maintenance/reboot.sls", "salt://maintenance/init.sls")
STATES = Path(__file__).parents[2] / "salt/states"


def rendered(
    name: str, pillar: Mapping[str, Any], own: Mapping[str, Any] | None = None, **answers: Any
) -> dict[str, dict[str, Any]]:
    """The states of an orchestration by their ids, with their arguments; ``answers`` are those of runners, ``own`` is what the
    master has in its pillar without a command.
    """
    environment = jinja2.Environment(  # noqa: S701 - YAML, and no page
        undefined=jinja2.StrictUndefined, loader=jinja2.FileSystemLoader(STATES), extensions=["jinja2.ext.do"]
    )
    environment.filters["json"] = environment.filters["tojson"]
    own = {"saltern": {}, **(own or {})}

    def runner(function: str, **given: Any) -> Any:
        if function == "operation.unknown":
            return [key for key in given["keys"] if key not in own]
        return answers[function.removeprefix("operation.")]

    functions = {
        "saltutil.runner": runner,
        "cp.hash_file": lambda path: {"hsum": "0"} if path in HOOKS else "",
        "random.get_str": lambda *_args, **_given: "0a1b2c3d",
    }
    text = environment.get_template(f"{name}.sls").render(pillar={**own, **pillar}, salt=functions)
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
    assert [(each["function"], each["name"]) for each in steps.values()] == [
        ("test.fail_without_changes", "dom0: it's silent")
    ]
    steps = rendered("migrate", {"domain": "dns"}, destination={"retcode": 1, "violations": ["one", "two"]})
    assert [each["name"] for each in steps.values()] == ["one; two"]


@pytest.mark.parametrize(
    ("name", "pillar", "told"),
    [
        ("migrate", {}, "no domain: salt-run state.orch migrate pillar='{domain: NAME}'"),
        ("start", {}, "no domain: salt-run state.orch start pillar='{domain: NAME}'"),
        ("stop", {}, "no domain: salt-run state.orch stop pillar='{domain: NAME}'"),
        ("evacuate", {}, "no node: salt-run state.orch evacuate pillar='{node: NODE}'"),
        ("grow", {"domain": "dns"}, "no disk: salt-run state.orch grow pillar='{domain: NAME, disk: DISK}'"),
        ("rolling", {}, "no hook: salt-run state.orch rolling pillar='{hook: STATES}'"),
        ("remake", {}, "no before: salt-run state.orch remake pillar='{before: FILE}'"),
        (
            "replace",
            {"domain": "dns", "before": "/root/before"},
            "no from, no to: salt-run state.orch replace pillar='{domain: NAME, from: NODE, to: NODE, before: FILE}'",
        ),
    ],
)
def test_what_the_pillar_of_the_command_lacks_is_told_with_an_example(
    name: str, pillar: dict[str, str], told: str
) -> None:
    (step,) = rendered(name, pillar).values()
    assert step["function"] == "test.fail_without_changes"
    assert step["name"] == f"the pillar of the command has {told}"


@pytest.mark.parametrize(
    ("name", "pillar", "told"),
    [
        ("migrate", {"domain": "dns", "ofline": True}, "ofline; allowed: domain, target, offline"),
        ("migrate", {"domian": "dns"}, "domian; allowed: domain, target, offline"),
        ("start", {"domain": "dns", "node": "dom0"}, "node; allowed: domain, target"),
        ("stop", {"domain": "dns", "target": "dom0"}, "target; allowed: domain"),
        ("evacuate", {"node": "dom0", "target": "dom0m"}, "target; allowed: node, parallel, offline"),
        ("return", {"domain": "dns"}, "domain; allowed: node, parallel"),
        ("rolling", {"hook": "maintenance", "node": "a"}, "node; allowed: hook, nodes, parallel"),
        ("grow", {"domain": "dns", "disk": "a", "to": 1, "by": 1}, "to, by; allowed: domain, disk, size"),
        ("remake", {"before": "f", "destroys": []}, "destroys; allowed: before, allocation, destroy, timeout"),
        (
            "replace",
            {"domain": "dns", "from": "a", "to": "b", "before": "f", "destroy": []},
            "destroy; allowed: domain, from, to, before, allocation, timeout",
        ),
    ],
)
def test_what_the_pillar_of_the_command_has_beyond_what_is_known_is_refused(
    name: str, pillar: dict[str, Any], told: str
) -> None:
    (step,) = rendered(name, pillar, own={"site": "a"}).values()
    assert step["function"] == "test.fail_without_changes"
    assert step["name"] == f"the pillar of the command has {told}"


def test_a_dry_run_that_is_asked_for_in_the_pillar_of_the_command_is_no_run() -> None:
    (step,) = rendered("migrate", {"domain": "dns", "test": True}).values()
    assert step["function"] == "test.fail_without_changes"
    assert step["name"] == (
        "`test` is in the pillar of the command, where it has no effect; what would be done is shown by: "
        "salt-run state.orch migrate pillar='{domain: NAME}' test=True"
    )


def test_what_the_master_has_in_its_own_pillar_is_no_part_of_a_command() -> None:
    steps = rendered("return", {}, own={"site": "a", "test": True, "domain": "example.org"})
    assert [each["function"] for each in steps.values()] == ["orchestration.step"] * 3


@pytest.mark.parametrize(
    ("name", "pillar", "functions"),
    [
        ("start", {"domain": "dns"}, ["operation.begin", "operation.synchronise", "operation.carry_out"]),
        ("stop", {"domain": "dns"}, ["operation.begin", "operation.carry_out"]),
        ("evacuate", {"node": "dom0"}, ["operation.begin", "operation.synchronise", "operation.carry_out"]),
        ("remake", {"before": "/root/before"}, ["remake.carry_out"]),
        ("replace", {"domain": "dns", "from": "a", "to": "b", "before": "/root/before"}, ["remake.replace"]),
    ],
)
def test_what_is_complete_is_rendered_into_its_steps(name: str, pillar: dict[str, str], functions: list[str]) -> None:
    assert [each["name"] for each in rendered(name, pillar).values()] == functions


@pytest.mark.parametrize(
    ("offline", "kind"),
    [
        (True, "offline migrate"),
        (False, "migrate"),
        ("no", "migrate with offline: no"),
        (None, "migrate with offline: None"),
    ],
)
def test_a_guest_is_shut_down_for_a_clear_yes_alone(offline: object, kind: str) -> None:
    for name, what in (("migrate", {"domain": "dns"}), ("evacuate", {"node": "dom0"})):
        steps = rendered(name, {**what, "offline": offline}, destination={"target": "dom0m"})
        assert {each["kind"] for each in steps.values()} == {kind}


@pytest.mark.parametrize(
    ("name", "pillar"),
    [
        ("migrate", {"domain": "dns"}),
        ("start", {"domain": "dns"}),
        ("stop", {"domain": "dns"}),
        ("evacuate", {"node": "dom0"}),
        ("return", {}),
        ("rolling", {"hook": "maintenance"}),
        ("grow", {"domain": "dns", "disk": "xvda"}),
        ("remake", {"before": "/root/before"}),
        ("replace", {"domain": "dns", "from": "a", "to": "b", "before": "/root/before"}),
    ],
)
def test_no_step_is_given_a_word_that_salt_keeps_for_itself(name: str, pillar: dict[str, str]) -> None:
    answers = {"destination": {"target": "dom0m"}, "nodes": ["dom0"], "topology.shares": {"dom0": {}}}
    steps = rendered(name, pillar, **answers)
    own = [each for each in steps.values() if each["function"] == "orchestration.step"]
    assert own
    assert not {key for each in own for key in each} & (STATE_INTERNAL_KEYWORDS - {"require"})


@pytest.mark.parametrize(
    ("name", "pillar"), [("evacuate", {"node": "dom0"}), ("return", {}), ("rolling", {"hook": "maintenance"})]
)
def test_so_many_domains_at_a_time_are_moved_as_the_pillar_of_the_command_says(
    name: str, pillar: dict[str, str]
) -> None:
    for given, expected in (({}, 2), ({"parallel": 4}, 4)):
        steps = rendered(name, {**pillar, **given}, **{"topology.shares": {"dom0": {}}})
        moves = [each["at_a_time"] for each in steps.values() if each["name"] == "operation.carry_out"]
        assert moves
        assert set(moves) == {expected}
    for wrong in (0, -1, "many", True):
        (step,) = rendered(name, {**pillar, "parallel": wrong}, **{"topology.shares": {"dom0": {}}}).values()
        assert step["function"] == "test.fail_without_changes"
        assert "allowed: how many domains at a time, 1 or more" in step["name"]


def test_a_disk_grows_on_both_nodes_between_two_looks() -> None:
    steps = rendered("grow", {"domain": "dns", "disk": "xvda"}, nodes=["dom0", "dom0m"])
    assert [each["function"] for each in steps.values()] == ["orchestration.step", "salt.state", "orchestration.step"]


@pytest.mark.parametrize("hook", ["maintenance", "maintenance.reboot"])
def test_one_node_after_the_other_is_maintained(hook: str) -> None:
    steps = rendered("rolling", {"hook": hook, "nodes": ["dom0"]}, **{"topology.shares": {"dom0": {}, "dom0m": {}}})
    move = ["operation.begin", "operation.synchronise", "operation.carry_out"]
    assert [each["name"] for each in steps.values()] == [
        "operation.partners",
        *move,
        "operation.empty",
        "state.orchestrate",
        "operation.ready",
        *move,
    ]


@pytest.mark.parametrize(
    ("nodes", "told"),
    [
        ([], "no node is named in `nodes`"),
        (None, "no node is named in `nodes`"),
        ("dom7", "the topology has no node dom7; it has dom0, dom0m"),
        (["dom0", "dom7"], "the topology has no node dom7; it has dom0, dom0m"),
    ],
)
def test_no_node_is_left_for_a_maintenance_that_cannot_come_to_its_end(nodes: object, told: str) -> None:
    given = {"hook": "maintenance", "nodes": nodes}
    (step,) = rendered("rolling", given, **{"topology.shares": {"dom0": {}, "dom0m": {}}}).values()
    assert step["name"].startswith(told)


def test_one_node_may_be_named_without_brackets() -> None:
    steps = rendered("rolling", {"hook": "maintenance", "nodes": "dom0"}, **{"topology.shares": {"dom0": {}, "b": {}}})
    assert len(steps) == 10


def test_a_hook_that_is_not_there_is_told_before_anything() -> None:
    (step,) = rendered("rolling", {"hook": "maintenance.none"}).values()
    assert step["name"].startswith(
        "there is no orchestration maintenance.none; write it as salt://maintenance/none.sls"
    )
