"""What is rendered says exactly what was meant, whatever text people put into a topology."""

import dataclasses
import os
import re
import subprocess
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saltern.errors import RenderError
from saltern.model.desired import DomainSpec, Resource, ResourceHost
from saltern.model.running import Generation
from saltern.parse import drbdadm_dump_xml
from saltern.render import drbd_resource, xl_config

HANDLERS = ("fence-peer", "local-io-error", "out-of-sync", "pri-lost", "split-brain", "unfence-peer")
words = st.text(st.characters(codec="utf-8"), max_size=40)
generations = st.sampled_from(Generation)


def side(node: str, node_id: int, number: int, *, disk: str = "/dev/XEN/a") -> ResourceHost:
    return ResourceHost(
        node=node,
        node_id=node_id,
        address=f"192.168.1.{190 + node_id}",
        port=7790 + number,
        minor=number,
        disk=disk,
        meta_device="/dev/XEN/meta",
        meta_index=number,
    )


def resource(name: str, number: int, handlers: dict[str, str], disk: str = "/dev/XEN/a") -> Resource:
    return Resource(
        name=name,
        domain="dns",
        protocol="C",
        size_bytes=1024**3,
        hosts=(side("dom0", 0, number, disk=disk), side("dom0m", 1, number)),
        sections={"handlers": handlers},
    )


def without_quoted(text: str) -> str:
    """The text with everything in quotes taken out: what drbdadm reads as syntax."""
    return re.sub(r'"(?:[^"\\\n]|\\[^\n])*"', "X", text)


@settings(deadline=None)
@given(generation=generations, name=words, disk=words, command=words)
def test_no_text_changes_the_shape_of_a_resource(generation: Generation, name: str, disk: str, command: str) -> None:
    plain = drbd_resource.render(resource("x", 1, {"split-brain": "x"}), generation)
    try:
        text = drbd_resource.render(resource(name, 1, {"split-brain": command}, disk=disk), generation)
    except RenderError:
        return
    shape = re.compile(r"[{};\n]")
    assert shape.findall(without_quoted(text)) == shape.findall(without_quoted(plain))


@pytest.mark.needs_tool("drbdadm")
@settings(deadline=None, max_examples=40)
@given(
    name=st.text(st.sampled_from("abno019.-_M: \"\\{};#$'&<"), min_size=1, max_size=12),
    disk=st.text(st.sampled_from("/abno019.-_ \"\\{};#$'&<é"), min_size=1, max_size=40),
    handlers=st.dictionaries(st.sampled_from(HANDLERS), st.text(st.characters(codec="utf-8"), max_size=80)),
)
def test_drbdadm_reads_back_the_text_that_was_meant(name: str, disk: str, handlers: dict[str, str]) -> None:
    meant = resource(name, 1, handlers, disk=disk)
    try:
        text = drbd_resource.render(meant, Generation.V9)
    except RenderError:
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "all.res"
        file.write_text("global { disable-ip-verification; usage-count no; }\n" + text)
        environment = {**os.environ, "__DRBD_NODE__": "dom0", "DRBD_DRIVER_VERSION_OVERRIDE": "9.2.5"}
        command = ["drbdadm", "-c", str(file), "dump-xml"]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr + text
    root = ElementTree.fromstring(done.stdout)  # noqa: S314
    found = {option.get("name"): option.get("value") for option in root.iter("option")}
    assert {handler: found[handler] for handler in handlers} == handlers
    (configured,) = drbdadm_dump_xml.parse(done.stdout).values()
    assert configured.name == name
    assert configured.hosts[0].volumes[0].disk == disk


# --- xl.cfg ------------------------------------------------------------------------------------------------------
DNS = DomainSpec(
    name="dns",
    uuid="f9c4a00a-3a73-4fa6-9e80-713ef3b46dfb",
    home="dom0",
    partner="dom0m",
    memory_bytes=128 * 1024**2,
    vcpus=1,
    disks=(),
    interfaces=(),
    depends_on=(),
    order=100,
    xl={},
)
# The scanner of libxlu_cfg: names, numbers, quoted strings, punctuation, comments.
TOKEN = re.compile(
    r"""(?P<skip>[ \t]+|\#[^\n]*)|(?P<name>[a-z][_0-9a-z]*)|(?P<number>[0-9][0-9a-fx]*)"""
    r"""|(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|(?P<sign>[\[\],=;\n])"""
)
ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'"}


def tokens(text: str) -> list[tuple[str, str]]:
    found, position = [], 0
    while position < len(text):
        match = TOKEN.match(text, position)
        assert match is not None, f"xl cannot read {text[position : position + 20]!r}"
        kind = match.lastgroup or ""
        if kind == "string":
            found.append(("value", re.sub(r"\\(.)", lambda m: ESCAPED[m[1]], match[0][1:-1])))
        elif kind != "skip":
            found.append(("value" if kind == "number" else kind, match[0]))
        position = match.end()
    return found


def as_read(value: object) -> list[tuple[str, str]]:
    """The tokens that xl must find for a value."""
    if isinstance(value, bool):
        return [("value", str(int(value)))]
    if isinstance(value, list):
        inner = [token for item in value for token in [*as_read(item), ("sign", ",")]]
        return [("sign", "["), *inner[:-1], ("sign", "]")]
    return [("value", str(value))]


values = st.recursive(
    st.booleans() | st.integers(-(2**40), 2**40) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=8,
)


@settings(deadline=None)
@given(values=st.dictionaries(st.from_regex(r"x_[a-z0-9_]{0,8}", fullmatch=True), values, max_size=4))
def test_xl_reads_back_the_values_that_were_meant(values: dict[str, object]) -> None:
    try:
        text = xl_config.render(dataclasses.replace(DNS, xl=values))
    except RenderError:
        return
    expected = [
        token
        for key in sorted(values)
        for token in [("name", key), ("sign", "="), *as_read(values[key]), ("sign", "\n")]
    ]
    assert tokens(text)[-len(expected) :] == expected if expected else True
    assert tokens(text)[0:4] == [("sign", "\n"), ("name", "name"), ("sign", "="), ("value", "dns")]
