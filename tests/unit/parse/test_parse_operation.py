"""The entry of an operation is read as it was written, or not at all."""

import json
from dataclasses import replace

import pytest
from nodes import MIGRATION

from saltern.errors import ParseError
from saltern.parse import operation as parse
from saltern.render import operation as render

ENTRY = replace(MIGRATION, resources=("dns", "dns-xvdb"), renewed_s=1000.5)


def test_an_entry_is_read_as_it_was_written() -> None:
    assert parse.parse(render.render(ENTRY)) == ENTRY


def test_an_entry_that_is_cut_off_anywhere_is_not_read() -> None:
    text = render.render(ENTRY)
    for length in range(len(text) - 2):
        with pytest.raises(ParseError):
            parse.parse(text[:length])


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "resize"},
        {"half": "middle"},
        {"domain": 7},
        {"resources": "dns"},
        {"resources": [7]},
        {"renewed_s": "soon"},
        {"more": ""},
    ],
)
def test_what_we_do_not_write_is_not_read(change) -> None:
    with pytest.raises(ParseError):
        parse.parse(json.dumps({**json.loads(render.render(ENTRY)), **change}))


def test_an_entry_without_one_of_its_keys_is_not_read() -> None:
    whole = json.loads(render.render(ENTRY))
    for key in whole:
        with pytest.raises(ParseError):
            parse.parse(json.dumps({name: value for name, value in whole.items() if name != key}))
