"""What the reference says is what the code says."""

import re
import runpy
from pathlib import Path

import pytest

GENERATE = Path(__file__).parents[3] / "docs" / "generate.py"
generate = runpy.run_path(str(GENERATE))


@pytest.fixture(scope="module")
def pages():
    return generate["pages"]()


def test_every_generated_page_is_up_to_date(pages):
    stale = [path.name for path, text in pages.items() if path.read_text(encoding="utf-8") != text]
    assert stale == [], "run `make docs` and commit what it writes"


def test_every_function_that_salt_loads_is_in_the_reference_with_what_it_does(pages):
    text = "".join(text for path, text in pages.items() if path.name in ("modules.md", "states.md", "runners.md"))
    headings = [part.split("\n\n") for part in text.split("### ")[1:]]
    assert {heading for heading, *body in headings if not body or not body[0].strip()} == set()


def test_every_relative_link_in_the_documents_leads_to_a_file():
    root = GENERATE.parent.parent
    documents = [*root.glob("*.md"), *(root / "docs").rglob("*.md")]
    broken = [
        f"{document.relative_to(root)}: {target}"
        for document in documents
        for target in generate["links"](document.read_text(encoding="utf-8"))
        if not (document.parent / target).exists()
    ]
    assert broken == []


@pytest.mark.parametrize("page", ["safety.md", "traps.md"])
def test_every_test_that_a_page_names_exists(page):
    root = GENERATE.parent.parent
    text = (root / "docs" / "explanation" / page).read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[^`:]+\.py)(?:::(\w+))?`", text)
    missing = [
        f"{file}::{test}" for file, test in named if f"def {test}" not in (root / file).read_text(encoding="utf-8")
    ]
    assert named != [] and missing == []
