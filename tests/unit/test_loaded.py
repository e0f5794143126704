"""A core that is replaced on disk while a process has it in memory: noticed, refused, and imported anew by whoever is loaded."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import saltern

SALT = Path(__file__).parents[2] / "salt"
# A minion that has a module loaded, whose core is then changed without another version.
MINION = """
import sys, importlib.util
sys.path.insert(0, sys.argv[1])

def load():
    spec = importlib.util.spec_from_file_location("loaded_module", sys.argv[2])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.__opts__, module.__pillar__, module.__context__, module.__instance_id__ = {"test": True}, {}, {}, "1"
    return module

old = load()
print(old.__virtual__(), old.bridge.PILLAR_KEY, old.present("/dev/XEN/dns")["comment"])
"""
CHANGED = """
from pathlib import Path
path = Path(sys.argv[1]) / "saltern" / "bridge.py"
path.write_text(path.read_text().replace('PILLAR_KEY: Final = "saltern"', 'PILLAR_KEY: Final = "other"'))
print(old.bridge.PILLAR_KEY, old.present("/dev/XEN/dns")["comment"])
new = load()
print(new.__virtual__(), new.bridge.PILLAR_KEY, new.present("/dev/XEN/dns")["comment"])
print(load().bridge is new.bridge)
"""


@pytest.fixture
def core(tmp_path: Path) -> Path:
    """A directory with a core of its own."""
    shutil.copytree(Path(saltern.__file__).parent, tmp_path / "saltern", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_a_core_that_was_replaced_is_noticed_and_taken_up_by_what_is_loaded_then(core: Path) -> None:
    argv = [sys.executable, "-I", "-c", MINION + CHANGED, str(core), str(SALT / "_states" / "volume.py")]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    first, refused, taken_up, once = done.stdout.splitlines()
    assert first.startswith("volume saltern ")
    assert "its files were replaced since" not in first
    assert refused.startswith("saltern core of this minion: its files were replaced since")
    assert "restart the minion" in refused
    assert taken_up.startswith("volume other ")
    assert "its files were replaced since" not in taken_up
    assert once == "True"
