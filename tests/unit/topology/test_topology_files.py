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


@pytest.mark.parametrize("name", ["init.sls", "allocation.sls"])
def test_a_misspelt_top_key_is_named(tmp_path, name):
    (tmp_path / "init.sls").write_text("saltern: {}")
    (tmp_path / name).write_text("salten: {}")
    with pytest.raises(FileError, match=rf"{name}: the file has the key 'salten', not 'saltern'"):
        files.read(tmp_path)


@pytest.mark.parametrize("text", ["a: b: c", "a: [", "a: \x01", "a: !x y"])
def test_an_error_of_yaml_is_one_line_that_names_the_file(tmp_path, text):
    (tmp_path / "init.sls").write_text(text)
    with pytest.raises(FileError) as caught:
        files.read(tmp_path)
    told = str(caught.value)
    assert told.startswith(f"{tmp_path}/init.sls: it is not YAML: ")
    assert told.endswith(". Correct it there")
    assert "unicode string" not in told
    assert "\n" not in told


@pytest.mark.parametrize("text", ["a: {size: 2G, meta_disk: meta[1]}", "a: {\n  meta_disk: meta[1],\n  size: 2G}"])
def test_an_unquoted_slot_between_braces_is_told_to_be_quoted(tmp_path, text):
    (tmp_path / "init.sls").write_text(text)
    with pytest.raises(FileError, match=r'quotes: `meta_disk: "meta\[1\]"`'):
        files.read(tmp_path)
