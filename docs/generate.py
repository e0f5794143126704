"""Writes the pages of ``docs/reference`` and the picture in the README from the code that they describe.

Run it after a change: ``python docs/generate.py``. With ``--check`` it writes nothing and exits with 1 when a page is not
up to date.
"""

import argparse
import ast
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from saltern import cli, topology
from saltern.errors import TopologyError
from saltern.guarding.events import MEANINGS
from saltern.topology import files, graph, schema
from saltern.topology.rules import RULES

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PILLAR = ROOT / "pillar" / "saltern"
NOTE = "<!-- Written by docs/generate.py from {source}; change that, then run `make docs`. -->"


def pages() -> dict[Path, str]:
    """Every generated file with the text that it should have."""
    reference = DOCS / "reference"
    return {
        reference / "pillar-schema.md": pillar_schema(),
        reference / "modules.md": salt_page(
            "Execution modules",
            "_modules",
            "Called as `salt NODE MODULE.FUNCTION`, or on a node as `salt-call MODULE.FUNCTION`.",
        ),
        reference / "states.md": states(),
        reference / "runners.md": runners(),
        reference / "cli.md": command_line(),
        reference / "errors.md": errors(),
        reference / "events.md": events(),
        ROOT / "README.md": with_picture((ROOT / "README.md").read_text(encoding="utf-8")),
        ROOT / "ARCHITECTURE.md": with_code_map((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")),
    }


# --- Markdown ----------------------------------------------------------------------------------------------------
def page(title: str, source: str, *parts: str) -> str:
    """A page with its title, the note where it comes from, and its parts."""
    return "\n\n".join([f"# {title}", NOTE.format(source=source), *(part.strip("\n") for part in parts if part)]) + "\n"


def table(heading: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table; what is in a cell cannot end it."""
    heading = list(heading)
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in lines
    )


def code(text: str, language: str = "") -> str:
    """A block of code."""
    return f"```{language}\n{text.rstrip()}\n```"


def prose(docstring: str) -> str:
    """The reStructuredText of a docstring of Salt as Markdown: paragraphs, blocks of code, definitions."""
    lines = [line for line in docstring.splitlines() if not line.startswith(".. versionadded::")]
    text = re.sub(r"(?<!`)``(?!`)", "`", "\n".join(_blocks(lines)))
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n")


def _blocks(lines: list[str]) -> Iterator[str]:
    position = 0
    while position < len(lines):
        line = lines[position]
        position += 1
        block, end = _indented(lines, position)
        if line.startswith(".. code-block::"):
            yield code("\n".join(block).strip("\n"), line.rpartition(" ")[2]) + "\n"
            position = end
        elif line and block and lines[position].startswith(" "):
            yield f"- `{line}`: {' '.join(each.strip() for each in block if each)}\n"
            position = end
        else:
            yield line


def _indented(lines: list[str], start: int) -> tuple[list[str], int]:
    """The lines from ``start`` that are indented or empty, without the indentation, and where they end."""
    end = start
    while end < len(lines) and (lines[end].startswith("    ") or not lines[end]):
        end += 1
    return [line.removeprefix("    ") for line in lines[start:end]], end


# --- The topology ------------------------------------------------------------------------------------------------
def pillar_schema() -> str:
    """Every key of the topology, section by section."""
    rows: dict[str, list[schema.Row]] = {}
    for row in schema.rows():
        rows.setdefault(row.path.rpartition(":")[0], []).append(row)
    parts = [_section(section, rows[section.path]) for section in schema.SECTIONS if section.path in rows]
    topology.load_and_allocate(yaml.safe_load(_SCHEMA_EXAMPLE))  # an example that is not valid helps nobody
    return page(
        "The topology, key by key",
        "src/saltern/topology/schema.py",
        _SCHEMA_INTRODUCTION,
        code(_SCHEMA_EXAMPLE, "yaml"),
        *parts,
    )


_SCHEMA_EXAMPLE = """\
saltern:
  cluster: example
  drbd:
    protocol: C
    net: {ping-int: 3}
  nodes:
    dom0: {address: 192.168.1.190, network: 192.168.1.0/24, volume_group: XEN, volume_group_size: 24G, memory: 4G}
    dom0m: {address: 192.168.1.191, network: 192.168.1.0/24, volume_group: XEN, volume_group_size: 24G, memory: 4G}
  domains:
    # As little as possible: what is left out is allocated, or has a default.
    router:
      home: dom0
      partner: dom0m
      memory: 128M
      disks:
        xvda: {size: 1G}
      xl: {bootloader: pygrub}
    # Nearly everything.
    mail:
      home: dom0m
      partner: dom0
      memory: 512M
      vcpus: 2
      order: 20
      depends_on: [router]
      uuid: 7213da46-0fae-57c5-88a9-62f5e33f1d1c
      disks:
        xvda: {size: 2G, minor: 2, port: 7788, node_ids: [0, 1]}
        xvdb: {size: 4G, volume: mailboxes, meta_disk: 'meta[1]', drbd: {disk: {c-max-rate: 50M}}}
      interfaces:
        - bridge: xenbr0
          mac: 00:16:3e:4c:2c:b2
          rate: 100Mb/s
      xl:
        type: pvh
        kernel: /boot/guest/vmlinuz
        cmdline: root=/dev/xvda ro console=hvc0
"""

_SCHEMA_INTRODUCTION = """\
The topology stands in the pillar under the key `saltern`. Names in capitals are yours: the name of a node, a domain, a
device of the guest. Sizes are numbers with a unit (`512M`, `2G`, `1.5G`), in powers of 1024 and exact to the byte; `60GB`,
`60GiB` and `60 G` say the same as `60G`. Text that YAML takes for something else is written in quotes: `'no'`,
`'10:20:30:40:50:10'`, and in braces also `'meta[1]'`.

`minor`, `port`, `node_ids`, `meta_disk` slots, `mac` and `uuid` may be left out: `salt-run topology.allocate` (without
Salt: `saltern allocate PATH`) then chooses them and writes them to `allocation.sls` beside the topology. Commit both.
"""


def _section(section: schema.Section, rows: list[schema.Row]) -> str:
    known = [row for row in rows if not row.path.endswith(":KEY")]
    parts = [f"## `{section.path}`", section.meaning]
    if known:
        parts.append(table(["key", "takes", "without it", "meaning", "example"], map(_key, known)))
    parts += [f"{row.meaning} Known keys: {row.allowed}." for row in rows if row not in known]
    forced = [key for key in section.passed_through if key.kind.name == "unsafe-option"]
    if forced:
        parts.append("Some have one allowed value, because another would put data at risk:")
        parts.append("\n".join(f"- `{key.name}`: {key.kind.allowed}" for key in forced))
    return "\n\n".join(parts)


def _key(row: schema.Row) -> tuple[str, ...]:
    name = f"`{row.path.rpartition(':')[2]}`"
    return (
        name,
        row.allowed,
        "required" if row.required else row.default,
        row.meaning,
        row.example and f"`{row.example}`",
    )


# --- What Salt loads ---------------------------------------------------------------------------------------------
def salt_page(title: str, folder: str, introduction: str) -> str:
    """All files of one kind that Salt loads, by their docstrings."""
    paths = sorted((ROOT / "salt" / folder).glob("*.py"))
    return page(title, f"the docstrings in salt/{folder}", introduction, *map(salt_file, paths))


def salt_file(path: Path) -> str:
    """One file: what it says of itself and of each of its functions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    name = _virtual_name(tree) or path.stem
    _title, _underline, text = (ast.get_docstring(tree) or "").split("\n", 2)
    parts = [f"## `{name}`", prose(text)]
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            heading = f"### `{name}.{node.name}({ast.unparse(node.args)})`"
            parts += [heading, prose(ast.get_docstring(node) or "")]
    return "\n\n".join(parts)


def _virtual_name(tree: ast.Module) -> str | None:
    for node in tree.body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id == "__virtualname__"
        ):
            return str(ast.literal_eval(node.value))
    return None


def states() -> str:
    """State modules, and the SLS files that apply them."""
    paths = sorted((ROOT / "salt" / "states").rglob("*.sls"))
    layers = [(f"`{_sls(path)}`", _first_comment(path)) for path in paths]
    parts = [salt_file(path) for path in sorted((ROOT / "salt" / "_states").glob("*.py"))]
    return page(
        "States",
        "salt/states and the docstrings in salt/_states",
        "`salt '*' state.apply` applies `top`. A layer can be applied alone: `salt '*' state.apply drbd`; so can what one domain "
        "needs: `salt -L dom0,dom0m state.apply lvm,drbd pillar='{saltern_domain: dns}'`. "
        "With `test=True` nothing is changed and the same changes are told.",
        table(["SLS", "what it does"], layers),
        *parts,
    )


def _sls(path: Path) -> str:
    return ".".join(path.relative_to(ROOT / "salt" / "states").with_suffix("").parts).removesuffix(".init")


def _first_comment(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines()
    comment = []
    for line in lines:
        if not line.startswith("# "):
            break
        comment.append(line.removeprefix("# "))
    return " ".join(comment)


def runners() -> str:
    """What runs on the master."""
    paths = [*sorted((ROOT / "salt" / "_runners").glob("*.py")), ROOT / "salt" / "_pillar" / "saltern.py"]
    return page(
        "On the master",
        "the docstrings in salt/_runners and salt/_pillar",
        "Runners are called as `salt-run MODULE.FUNCTION`. The last one is the ext_pillar, which Salt calls by itself.",
        *map(salt_file, paths),
    )


# --- The command line --------------------------------------------------------------------------------------------
def events() -> str:
    """What is told of automatic takeover, to whom, and in which form."""
    meanings = table(["event", "meaning"], ([f"`{event}`", meaning] for event, meaning in MEANINGS.items()))
    return page("Events", "src/saltern/guarding/events.py", _EVENTS_INTRODUCTION, meanings, _EVENTS_WAYS)


_EVENTS_INTRODUCTION = """\
Every line of a guard's log, in `/var/log/saltern/guard-DATE.jsonl` on its node, has `at` (ISO 8601, with milliseconds and
the offset from UTC), `subject` and `words`, which are for people and may change. What somebody wants to hear of at once has an
`event` as well, which stays as it is. The `subject` of an event is `node NAME`, `fencing of NODE`, `agent of NODE`,
`domain NAME`, `data of DOMAIN`, `lease of DOMAIN`, `handler of DOMAIN`, `answers of NAME` or `guard`. What a fence agent has
said is told without any of its options."""

_EVENTS_WAYS = """\
## To a command, from the node itself

`saltern:takeover:notify` in the topology is a command that each guard runs for each of these, one after the other, also while
the master is dead. Standard input is one line of JSON: `cluster`, `node` (whose guard tells it), `at`, `subject`, `words`,
`event`. It runs as root, without a shell, is killed after 30 s, and holds nothing up. What it fails with stands in the
guard's log, under the subject `notification`; it is not run again for the same event. While a hundred events wait for it the
next ones are left out, which the log tells.

## On the bus of the master

With the engine `saltern_guard` on the minion of a node, every line of the log, with `event` or without, becomes an event of
Salt:

| tag | data |
| --- | --- |
| `saltern/CLUSTER/guard/NODE` | `id` is the minion; under `data` are `at`, `subject`, `words`, and `event` where it is one |
| `salt/beacon/NODE/saltern_peers/lost`, `.../back` | `id` is the minion, `node` the partner that DRBD has lost, or sees again |

While a master does not answer the guard's wait on the node, for as long as its log is kept, and come later, in order. So an
event may be old when it comes (`at` tells): react to it with something that looks for itself. The beacon's are signs, and
prove nothing.

Each event comes once, or again where a master's answer to it was lost. Which masters get it depends on the minion:

- `master` is a list: each of them. One that does not answer holds up no other; one that is new gets what is decided from then on.
- `master_type` has the minion choose one, as `failover` does: that one, from where the last one got to. When the
  minion has chosen another while the last one still answers, that one may get them for five minutes more.
- `master_type: disable`, or `file_client: local` without `use_master_when_local`: nobody. The minion's log says so once, at
  the level `info`.

An engine begins with what the minion knows of its master, so the first event after a start of the minion may take ten seconds
more."""


def command_line() -> str:
    """The help of the command and of each of its subcommands."""
    os.environ["COLUMNS"] = "100"
    parser = cli._parser()
    (choices,) = (action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    parts = [f"## `saltern {name}`\n\n{code(each.format_help())}" for name, each in choices.items()]
    introduction = "`pip install 'saltern[master]'` brings the command `saltern`. It needs neither Salt nor root."
    return page("The command line", "src/saltern/cli.py", introduction, code(parser.format_help()), *parts)


# --- Errors ------------------------------------------------------------------------------------------------------
def errors() -> str:
    """Every rule with an example, every refusal, every class of error."""
    return page(
        "Errors",
        "src/saltern and docs/reference/rule-examples.yaml",
        _ERRORS_INTRODUCTION,
        "## An invalid topology",
        _RULES_INTRODUCTION,
        *rules(),
        "## Refusals on a node",
        _REFUSALS_INTRODUCTION,
        *refusals(),
        "## Classes of errors",
        "What the core raises, for those who call it from Python: one class for each thing that a caller can do about it.",
        error_classes(),
    )


_ERRORS_INTRODUCTION = """\
Every error names the place, what was found there, what is allowed, and what to do. Nothing is changed by what is refused.

| who tells | how |
|---|---|
| `saltern` | on stderr; exit code 1 for an invalid topology, 2 for wrong usage or a file that cannot be read |
| `salt-run topology.*` | in its answer, under `violations` or `error`; exit code 1 |
| `salt ... state.apply` | a failed state with the text as its comment, or the violations instead of states; exit code not 0 |
| execution modules | `ERROR:` and the text; exit code not 0 |
"""

_RULES_INTRODUCTION = """\
All violations are told at once, each with the pillar paths of everything that is involved. The examples are written over
the topology in `pillar/saltern`.
"""

_REFUSALS_INTRODUCTION = """\
A state that would put data at risk, or that cannot work now, fails with one of these and changes nothing. What is marked
with *waits* may heal by itself: the run waits up to a minute for it, for all states of a node together, before it fails.
Applying again goes on from there. Words in capitals stand for names and numbers.
"""


def rules() -> Iterator[str]:
    """One part for each rule: what it demands, what breaks it, what is said."""
    examples = yaml.safe_load((DOCS / "reference" / "rule-examples.yaml").read_text(encoding="utf-8"))
    for rule, meaning in RULES.items():
        yield f"### {rule}\n\n{meaning}"
        example = examples.get(rule)
        if example is None:
            raise SystemExit(f"docs/reference/rule-examples.yaml has no example for the rule {rule}")
        if "text" in example:
            yield example["text"]
        else:
            yield code(example["over"], "yaml")
            yield code(textwrap.fill(_said(rule, example), 110, break_long_words=False, break_on_hyphens=False))


def _said(rule: str, example: Mapping[str, str]) -> str:
    pillar = merged(files.read(PILLAR), {"saltern": yaml.safe_load(example["over"])})
    act = topology.compile if example.get("when") == "compile" else topology.load_and_allocate
    try:
        act(pillar)
    except TopologyError as error:
        said = [str(violation).strip() for violation in error.violations if violation.rule == rule]
        if said:
            return said[0]
    raise SystemExit(f"the example for the rule {rule} does not break it")


def merged(base: Any, over: Any) -> Any:
    """``over`` written over ``base``, mappings merged."""
    if not isinstance(base, dict) or not isinstance(over, dict):
        return over
    return {**base, **{key: merged(base.get(key), value) for key, value in over.items()}}


# Where the last word of an expression does not say what it stands for.
_PLACEHOLDERS = {
    "side.name": "RESOURCE",
    "resource": "RESOURCE",
    "running.name": "RESOURCE",
    "other.name": "NAME",
    "found.name": "NAME",
    "group.name": "GROUP",
    "connection.state": "STATE",
    "connection.role": "ROLE",
    "volume.path": "VOLUME",
    "item.name": "RESOURCE",
    "domain_file(domain.name)": "FILE",
    "_names((meta,))": "VOLUME",
    "_names(unmarked)": "VOLUME",
    "conflict": "WHAT on NODE belongs to resource NAME",
}


def refusals() -> Iterator[str]:
    """A table for each sort of thing that a refusal is about, in the order in which a node is built."""
    rows: dict[str, list[tuple[str, ...]]] = {"Volume": [], "Resource": [], "Domain": [], "Anything else": []}
    for path in sorted((ROOT / "src" / "saltern").rglob("*.py")):
        if not {"topology", "sim"} & set(path.parts):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for row in (row for function in _functions(tree) for row in _refused(function)):
                rows[_subject(row[0], path)].append(row)
    for subject, found in rows.items():
        yield f"### {subject}"
        yield table(["about", "what is said", "what to do"], found)


def _subject(about: str, path: Path) -> str:
    """What a refusal is about: as it says itself; one that waits, by the file that it stands in."""
    if about != "*waits*":
        first = about.split()[0].capitalize()
        return first if first in ("Volume", "Resource", "Domain") else "Anything else"
    return "Domain" if path.stem == "domain" else "Resource"


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def _refused(function: ast.FunctionDef) -> Iterator[tuple[str, ...]]:
    texts = {
        node.targets[0].id: node.value
        for node in ast.walk(function)
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.JoinedStr)
    }
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("Refused", "Wait"):
            said = [_template(argument, texts) for argument in (*node.args, *(each.value for each in node.keywords))]
            if all(text.isupper() and text.isalpha() for text in said):
                continue  # it only passes on what another place says
            yield tuple(said) if node.func.id == "Refused" else ("*waits*", *said)


def _template(node: ast.expr, texts: Mapping[str, ast.expr]) -> str:
    """The text of an expression, with names in capitals for what is put into it."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_template(part, texts) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return _template(node.value, texts)
    if isinstance(node, ast.Name) and node.id in texts:
        return _template(texts[node.id], texts)
    return _placeholder(node)


def _placeholder(node: ast.expr) -> str:
    written = ast.unparse(node)
    if written in _PLACEHOLDERS:
        return _PLACEHOLDERS[written]
    if isinstance(node, ast.Call) and node.args:
        return _placeholder(node.args[0])
    if isinstance(node, ast.BinOp):
        return "NUMBER"
    words = re.findall(r"[A-Za-z_]+", written)
    return (words[-2] if words[-1] == "name" and len(words) > 1 else words[-1]).removesuffix("_bytes").upper()


def error_classes() -> str:
    """The classes of ``errors.py`` with the first sentence of their docstrings and their fields."""
    tree = ast.parse((ROOT / "src" / "saltern" / "errors.py").read_text(encoding="utf-8"))
    rows = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            fields = [
                each.target.id
                for each in node.body
                if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
            ] + [
                each.arg
                for method in node.body
                if isinstance(method, ast.FunctionDef) and method.name == "__init__"
                for each in method.args.args[1:]
            ]
            meaning = (ast.get_docstring(node) or "").split("\n\n")[0].replace("``", "`")
            rows.append((f"`{node.name}`", meaning, ", ".join(f"`{field}`" for field in fields)))
    return table(["class", "meaning", "fields"], rows)


# --- The code map ------------------------------------------------------------------------------------------------
_MAP_BEGINS = "<!-- code map: written by docs/generate.py -->"
_MAP_ENDS = "<!-- end of the code map -->"


def with_code_map(architecture: str) -> str:
    """The page with what each file of the core says of itself, folder by folder."""
    core = ROOT / "src" / "saltern"
    folders = [core, *sorted(path for path in core.rglob("*") if (path / "__init__.py").exists())]
    parts = [_folder(folder) for folder in folders]
    before, _, rest = architecture.partition(_MAP_BEGINS)
    _, _, after = rest.partition(_MAP_ENDS)
    return f"{before}{_MAP_BEGINS}\n\n" + "\n\n".join(parts) + f"\n\n{_MAP_ENDS}{after}"


def _folder(folder: Path) -> str:
    rows = [(f"`{path.name}`", _sentence(path)) for path in sorted(folder.glob("*.py")) if path.stem != "__init__"]
    heading = f"### `{folder.relative_to(ROOT)}/`"
    return f"{heading}\n\n{_sentence(folder / '__init__.py')}\n\n{table(['file', 'what it is for'], rows)}"


def _sentence(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.split("\n\n")[0].replace("``", "`")


# --- Pictures ----------------------------------------------------------------------------------------------------
def with_picture(readme: str) -> str:
    """The README with the picture of the example cluster as it is drawn now."""
    picture = code(graph.mermaid(topology.compile(files.read(PILLAR)).cluster), "mermaid")
    return re.sub(r"```mermaid\n.*?```", lambda _: picture, readme, count=1, flags=re.DOTALL)


def links(text: str) -> list[str]:
    """The targets of the links of a page that lead to files, without what stands behind `#`."""
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text)]
    return [target for target in targets if target and "://" not in target]


def draw() -> None:
    """Draw ``docs/cluster.svg``, where Graphviz is installed; its versions differ in details, so nothing checks it."""
    program = shutil.which("dot")
    if program:
        picture = graph.dot(topology.compile(files.read(PILLAR)).cluster)
        done = subprocess.run([program, "-Tsvg"], input=picture, capture_output=True, text=True, check=True)
        (DOCS / "cluster.svg").write_text(done.stdout, encoding="utf-8")


def main() -> int:
    """Write what has changed, or tell of it; returns the exit code."""
    parser = argparse.ArgumentParser(description="Write the generated pages.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a page is not up to date")
    check = parser.parse_args().check
    stale = [path for path, text in pages().items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        print(f"{path.relative_to(ROOT)} {'is not up to date: run `make docs`' if check else 'is written'}")
        if not check:
            path.write_text(pages()[path], encoding="utf-8")
    if not check:
        draw()
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
