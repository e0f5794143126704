"""A topology in files: ``init.sls`` and, beside it, ``allocation.sls``, read without Salt."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from saltern.errors import FileError, NoTopology
from saltern.secrets import redact
from saltern.topology.load import ROOT
from saltern.topology.read import suggest

TOPOLOGY_FILE = "init.sls"
ALLOCATION_FILE = "allocation.sls"
_META_DISK_UNQUOTED = re.compile(r"""meta_disk:\s*[^\s"']+$""")


class _Loader(yaml.SafeLoader):
    """The safe loader of YAML, which refuses a key that is written twice instead of forgetting the first."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping; a key that is there twice raises ``ConstructorError``."""
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    problem = f"the key {key.value!r} stands here a second time"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def topology_file(path: Path) -> Path:
    """The topology that ``path`` means: the file itself, or the one of the usual name in a directory."""
    return path / TOPOLOGY_FILE if path.is_dir() else path


def allocation_file(path: Path) -> Path:
    """Where the allocation of the topology at ``path`` stands."""
    return topology_file(path).with_name(ALLOCATION_FILE)


def read(path: Path, allocation: Path | None = None) -> dict[str, Any]:
    """The pillar that the topology at ``path`` and its allocation make together. Raises ``FileError``.

    The allocation is the one beside it, where there is one; one that is named must be there.
    """
    pillar = _yaml(topology_file(path))
    beside = allocation_file(path)
    if allocation is not None or beside.exists():
        pillar = _merged(pillar, _yaml(allocation or beside))
    return pillar


def _yaml(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(str(path), str(error), "Name a topology file, or a directory with an init.sls in it") from error
    if "{%" in text or "{{" in text:
        raise FileError(str(path), "it has Jinja in it, which only Salt renders", "Use `salt-run topology.validate`")
    try:
        # Not any loader: it is the safe one with one more check.
        found = yaml.load(text, Loader=_Loader)  # noqa: S506
    except yaml.MarkedYAMLError as error:
        raise NoTopology(str(path), f"it is not YAML: {_where(error)}", _remedy(error, text)) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: the 30th of February
        reason = getattr(
            error, "reason", str(error)
        )  # that of a ReaderError: its text goes on about a "<unicode string>"
        raise NoTopology(str(path), f"it is not YAML: {redact(reason)}", "Correct it there") from error
    if not isinstance(found, dict):
        raise NoTopology(str(path), "it holds no mapping", f"Begin it with the key `{ROOT}:`")
    likely = suggest(ROOT, [key for key in found if isinstance(key, str)])
    if ROOT not in found and likely:
        raise NoTopology(str(path), f"the file has the key {likely!r}, not {ROOT!r}", "Correct it there")
    return found


def _where(error: yaml.MarkedYAMLError) -> str:
    """In one line what is wrong and where: the lines that YAML shows of the file may hold secrets."""
    parts = ((error.context, error.context_mark), (error.problem, error.problem_mark))
    told = [
        f"{text} (line {mark.line + 1}, column {mark.column + 1})" if mark else text for text, mark in parts if text
    ]
    return redact(", ".join(told))


def _remedy(error: yaml.MarkedYAMLError, text: str) -> str:
    mark = error.problem_mark
    before = text[: mark.index].rpartition("\n")[2] if mark else ""
    if mark and text[mark.index : mark.index + 1] == "[" and _META_DISK_UNQUOTED.search(before):
        return 'Between braces, write a slot in quotes: `meta_disk: "meta[1]"`'
    return "Correct it there"


def _merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Both mappings in one, mappings within them likewise: what Salt makes of two pillar files."""
    merged = dict(first)
    for key, value in second.items():
        found = merged.get(key)
        if isinstance(found, Mapping) and isinstance(value, Mapping):
            value = _merged(found, value)
        merged[key] = value
    return merged
