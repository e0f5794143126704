"""`salt '*' state.apply`, on real minions over simulated nodes."""

import shutil
import time

import pytest
from minions import NODES, Salted, changes

RUNNING = {"dom0": ["dns", "router"], "dom0m": ["mail", "vpn"]}
NOTHING: dict[str, dict[str, object]] = {"dom0": {}, "dom0m": {}}


def test_a_dry_run_on_a_fresh_minion_says_what_it_lacks(fresh: Salted) -> None:
    returned = fresh.try_apply(target="dom0", test=True, fresh=True)["dom0"]
    (failed,) = [each for each in returned.values() if each["result"] is False]
    assert "state.apply core" in failed["name"]
    assert not fresh.core("dom0").exists()


def test_one_apply_takes_fresh_minions_and_empty_nodes_to_running_domains(fresh: Salted) -> None:
    fresh.apply(fresh=True)
    assert {node: fresh.domains(node) for node in NODES} == RUNNING
    assert not (fresh.core("dom0") / "topology").exists(), "a node needs nothing of the master's part"


def test_the_core_of_an_earlier_version_in_the_python_of_a_minion_becomes_a_link(converged: Salted) -> None:
    link = converged.link("dom0")
    link.unlink()
    shutil.copytree(converged.core("dom0"), link)
    (link / "__init__.py").write_text('__version__ = "0.0.9"\n')
    assert changes(converged.apply("core", target="dom0", test=True))["dom0"]
    assert not link.is_symlink()
    converged.apply(target="dom0")
    assert link.readlink() == converged.core("dom0")
    assert "dns" in converged.salt("drbd.status", target="dom0")["dom0"]


def test_a_core_that_was_copied_in_part_is_completed_by_the_next_apply(converged: Salted) -> None:
    for name in ("run.py", "plan/attach.py"):
        (converged.core("dom0") / name).unlink()
    converged.apply(target="dom0")
    assert (converged.core("dom0") / "plan" / "attach.py").exists()


def _compared_only(converged: Salted) -> bool:
    return "saltern core test.succeed_without_changes" in converged.apply("core", target="dom0")["dom0"]


def test_a_core_is_copied_only_where_it_differs_in_content_or_mode(converged: Salted) -> None:
    core = converged.core("dom0")
    assert _compared_only(converged)

    (core / "run.py").chmod(0o600)
    (core / "left_over.py").write_text("")
    assert changes(converged.apply("core", target="dom0"))["dom0"] != {}

    assert (core / "run.py").stat().st_mode & 0o777 == 0o644
    assert not (core / "left_over.py").exists()
    assert _compared_only(converged)


def test_no_guest_waits_for_the_core_to_be_compiled(converged: Salted) -> None:
    core = converged.core("dom0")
    (core / "block_script.py").unlink()
    shutil.rmtree(core / "__pycache__")
    converged.apply("core", target="dom0")
    assert changes(converged.apply("core", target="dom0"))["dom0"] == {}
    compiled = {path.parents[1] / f"{path.name.split('.')[0]}.py" for path in core.rglob("__pycache__/*.pyc")}
    assert set(core.rglob("*.py")) == compiled


def test_applying_again_changes_nothing_with_the_same_few_commands(converged: Salted) -> None:
    assert changes(converged.apply()) == NOTHING
    first = {node: converged.commands(node) for node in NODES}
    assert changes(converged.apply_layers()) == NOTHING
    for node in NODES:
        assert converged.commands(node) == first[node] * 2
        assert len(first[node]) <= 8, first[node]
        assert converged.changing_commands(node) == []


def test_a_dry_run_on_empty_nodes_tells_what_the_real_run_then_changes(salted: Salted) -> None:
    foreseen = changes(salted.apply(test=True))
    assert all(salted.changing_commands(node) == [] for node in NODES)
    assert changes(salted.apply_layers()) == foreseen


def test_a_node_is_given_its_own_share_only(salted: Salted) -> None:
    pillar = salted.salt("pillar.items", unmask="True")
    for node in NODES:
        assert set(pillar[node]) == {"saltern", "saltern_core"}
        assert pillar[node]["saltern"]["node"] == node
        assert not {"nodes", "allocation"} & set(pillar[node]["saltern"])


def test_an_invalid_topology_is_refused_with_every_violation_and_nothing_is_touched(salted: Salted) -> None:
    salted.edit("minor: 1\n", "minor: 2\n")
    salted.edit("vcpus: 2", "vcpu: 2")
    for options in ({}, {"test": "True"}):
        done = salted.master.salt_cli(timeout=120).run("state.apply", minion_tgt="*", **options)
        assert done.returncode != 0
        for node in NODES:
            (text,) = [line for line in done.data[node] if "invalid topology" in line]
            assert "[recorded-changed]" in text
            assert "did you mean `vcpus`" in text
    assert all(salted.commands(node) == [] for node in NODES)


def test_a_minion_killed_in_the_middle_of_an_apply_goes_on_with_the_next(salted: Salted) -> None:
    salted.begin_apply()
    deadline = time.monotonic() + 60
    while len(salted.changing_commands("dom0")) < 12 and time.monotonic() < deadline:
        time.sleep(0.05)
    salted.minions["dom0"].terminate()
    assert salted.domains("dom0") == [], "the apply was over before the minion was killed"
    salted.minions["dom0"].start()
    # The other minion may still be waiting for this one, in its first run.
    salted.apply_layers(target="dom0")
    wait_for_the_end_of_all_jobs(salted, "dom0m")
    salted.apply_layers()
    assert {node: salted.domains(node) for node in NODES} == RUNNING


def wait_for_the_end_of_all_jobs(salted: Salted, minion: str) -> None:
    deadline = time.monotonic() + 120
    while salted.salt("saltutil.running", target=minion)[minion] and time.monotonic() < deadline:
        time.sleep(0.5)


def test_layers_can_be_applied_one_at_a_time(converged: Salted) -> None:
    for layer in ("core", "lvm", "drbd", "xen"):
        assert changes(converged.apply(layer)) == NOTHING


@pytest.mark.parametrize("version", ["0.0.9", "9.9.9"])
def test_a_core_of_another_version_is_refused_with_a_reason_and_replaced_by_the_next_apply(
    converged: Salted, version: str
) -> None:
    (converged.core("dom0") / "__init__.py").write_text(f'__version__ = "{version}"\n')
    returned = converged.salt("drbd.status", target="dom0")["dom0"]
    assert version in returned
    assert "state.apply" in returned
    assert converged.commands("dom0") == []
    converged.apply(target="dom0")
    assert "dns" in converged.salt("drbd.status", target="dom0")["dom0"]
