"""Tests that run a real program are skipped where it is missing, unless SALTERN_REQUIRE_TOOLS is set: then they fail."""

import os
import shutil

import pytest


def pytest_runtest_setup(item: pytest.Item) -> None:
    missing = [name for marker in item.iter_markers("needs_tool") for name in marker.args if shutil.which(name) is None]
    if not missing:
        return
    reason = f"not installed here: {', '.join(missing)}"
    if os.environ.get("SALTERN_REQUIRE_TOOLS"):
        pytest.fail(f"{reason}, but SALTERN_REQUIRE_TOOLS is set", pytrace=False)
    pytest.skip(reason)
