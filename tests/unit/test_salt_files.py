"""The files that Salt loads: each belongs to one version of the core, and refuses any other with a reason."""

import ast
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

import saltern

SALT = Path(__file__).parents[2] / "salt"
LOADED = sorted(SALT.glob("_*/*.py"))
# An ext_pillar that does not load would be left out, and the topology would reach the minions unchecked.
REFUSING = [path for path in LOADED if path.parent.name != "_pillar"]


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"loaded_{path.parent.name}_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def named(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def test_the_directory_does_not_hide_salt_itself() -> None:
    assert not (SALT / "__init__.py").exists()


@pytest.mark.parametrize("path", LOADED, ids=named)
def test_every_file_was_written_for_this_version_of_the_core(path: Path) -> None:
    assert saltern.__version__ == load(path).WRITTEN_FOR


@pytest.mark.parametrize("path", REFUSING, ids=named)
def test_every_file_loads_beside_its_core(path: Path) -> None:
    assert load(path).__virtual__() in (True, path.stem, path.stem.removeprefix("saltern_"))


@pytest.mark.parametrize("path", REFUSING, ids=named)
def test_every_file_refuses_another_core_and_tells_both_versions(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saltern, "__version__", "0.0.9")
    loaded, reason = load(path).__virtual__()
    assert loaded is False
    assert "0.0.9" in reason
    assert load(path).WRITTEN_FOR in reason


@pytest.mark.parametrize("path", REFUSING, ids=named)
def test_every_file_refuses_without_a_core_and_says_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "saltern", None)
    loaded, reason = load(path).__virtual__()
    assert loaded is False
    assert "none" in reason


@pytest.mark.parametrize("version", ["0.0.9", None])
def test_without_its_core_the_ext_pillar_takes_the_topology_away_and_says_why(
    version: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if version is None:
        monkeypatch.setitem(sys.modules, "saltern", None)
    else:
        monkeypatch.setattr(saltern, "__version__", version)
    pillar = {"saltern": {"nodes": {}}, "other": 1}
    loaded = load(SALT / "_pillar" / "saltern.py")
    loaded.__opts__ = {"id": "master", "__role": "master"}  # Salt's loader gives it
    returned = loaded.ext_pillar("dom0", pillar, {})
    assert pillar == {"other": 1}
    assert returned["saltern"] == {}
    assert (version or "none") in returned["_errors"][0]


def functions() -> list[tuple[str, ast.FunctionDef]]:
    """Every function that a user can call, with the file it is in."""
    return [
        (named(path), node)
        for path in LOADED
        if path.parent.name in ("_modules", "_runners", "_states")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    ]


@pytest.mark.parametrize(("file", "function"), functions(), ids=lambda value: getattr(value, "name", value))
def test_every_function_is_documented_as_salt_documents(file: str, function: ast.FunctionDef) -> None:
    text = ast.get_docstring(function) or ""
    assert ".. code-block::" in text, f"{file} {function.name}: no example"
    for argument in (*function.args.args, *function.args.kwonlyargs):
        assert f"\n{argument.arg}\n    " in text, f"{file} {function.name}: {argument.arg} is not described"
    if not file.startswith("_states"):
        assert "CLI Example" in text
        assert ".. versionadded::" in text


def test_no_function_takes_the_place_of_one_of_salts_own_lvm_module() -> None:
    source = importlib.util.find_spec("salt.modules.linux_lvm")
    assert source is not None
    assert source.origin is not None
    theirs = {
        node.name for node in ast.parse(Path(source.origin).read_text()).body if isinstance(node, ast.FunctionDef)
    }
    ours = {function.name for file, function in functions() if file == "_modules/lvm.py"}
    assert not ours & theirs


def test_a_step_of_an_orchestration_tells_every_violation_of_the_topology_on_a_line_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    states = load(SALT / "_states" / "saltern_orchestration.py")
    said = {"return": {"retcode": 1, "valid": False, "violations": ["[unknown-key] one", "[missing-key] other"]}}
    monkeypatch.setattr(states, "__opts__", {"test": False}, raising=False)
    monkeypatch.setattr(states, "__salt__", {"saltutil.runner": lambda *_, **__: said}, raising=False)
    told = states.step("operation.growth", domain="dns")
    assert (told["result"], told["changes"]) == (False, {})
    assert told["comment"].splitlines() == ["the topology is invalid:", "[unknown-key] one", "[missing-key] other"]
