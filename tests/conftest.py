"""Tests that run a real program are skipped where it is missing, unless SALTERN_REQUIRE_TOOLS is set: then they fail.

Those of the lab, which start machines, run when they are named: `make lab-test`.
"""

import os
import shutil
from pathlib import Path

import pytest

LAB = Path(__file__).parent / "lab"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    named = [(config.invocation_params.dir / word.split("::")[0]).resolve() for word in config.args]
    is_named = any(path == LAB or LAB in path.parents for path in named)
    return True if collection_path == LAB and not is_named else None


def pytest_runtest_setup(item: pytest.Item) -> None:
    missing = [name for marker in item.iter_markers("needs_tool") for name in marker.args if shutil.which(name) is None]
    if not missing:
        return
    reason = f"not installed here: {', '.join(missing)}"
    if os.environ.get("SALTERN_REQUIRE_TOOLS"):
        pytest.fail(f"{reason}, but SALTERN_REQUIRE_TOOLS is set", pytrace=False)
    pytest.skip(reason)
