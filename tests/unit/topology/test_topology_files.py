"""A topology in files: merged with its allocation, nothing forgotten in silence, errors that name the file."""

import pytest
import yaml

from saltern.errors import FileError
from saltern.topology import files


def test_a_topology_and_the_allocation_beside_it_are_one_pillar(tmp_path):
    (tmp_path / "init.sls").write_text("saltern: {nodes: {a: {}}}")
    (tmp_path / "allocation.sls").write_text("saltern: {allocation: {domains: {}}}")
    expected = {"saltern": {"nodes": {"a": {}}, "allocation": {"domains": {}}}}
    assert files.read(tmp_path) == expected
    assert files.read(tmp_path / "init.sls") == expected


def test_a_key_written_twice_is_refused_with_its_line(tmp_path):
    (tmp_path / "init.sls").write_text("saltern:\n  domains:\n    a: {}\n    b: {}\n    a: {}\n")
    with pytest.raises(FileError, match=r"(?s)'a' stands here a second time.*line 5"):
        files.read(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "a: [",
        "a: b: c",
        "? [a]\n: b",
        "- a",
        "just text",
        "",
        "a: {% if x %}",
        "a: 2024-13-45",
        f"a: {'9' * 5000}",
        "a: !!python/object/apply:os.getcwd []",
    ],
)
def test_what_is_no_plain_mapping_of_yaml_is_refused(tmp_path, text):
    (tmp_path / "init.sls").write_text(text)
    with pytest.raises(FileError, match=r"init\.sls"):
        files.read(tmp_path)


def test_a_file_that_is_not_utf_8_is_refused(tmp_path):
    (tmp_path / "init.sls").write_bytes(b"a: \xff")
    with pytest.raises(FileError, match=r"init\.sls"):
        files.read(tmp_path)


def test_merge_keys_of_yaml_may_be_overwritten(tmp_path):
    text = "base: &base {a: 1, b: 2}\nother: {<<: *base, b: 3}"
    (tmp_path / "init.sls").write_text(text)
    assert files.read(tmp_path) == yaml.safe_load(text)
