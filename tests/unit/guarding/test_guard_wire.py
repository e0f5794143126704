"""Messages on the wire: what is ours comes through whole, everything else is refused."""

import json
from contextlib import suppress
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saltern.guard.messages import Answer, Beat, Denied, Deny, End, Ended, GoOn, Granted, Message, Yes
from saltern.guarding.wire import LIMIT_BYTES, WireError, decode, encode

EXAMPLES = [
    Beat("dom0", 3, 17, frozenset({"dom0m"}), 4, frozenset({"dns", "mail"})),
    Beat("dom0", 1, 1),
    Yes(4, frozenset({("dom0", 2)}), frozenset({"dns"})),
    Deny("dom0", 3, frozenset({"dns"}), "dom0m", 5, 9),
    Denied(9, "dom0", 2, frozenset()),
    GoOn("dns", "dom0", 3, 18),
    Granted(18, "dns", True),
    End("dns", "dom0m", 5, 19, 3, 4),
    Ended(19, "dns", None),
    Ended(19, "dns", "the order comes late"),
]


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda each: type(each).__name__)
def test_a_message_comes_through_as_it_was(message: Any) -> None:
    assert decode(encode(message)) == message


@settings(deadline=None)
@given(st.data())
def test_every_kind_comes_through_whatever_it_holds(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from([*get_args(Message), *get_args(Answer)]))
    message = data.draw(st.from_type(kind))
    fits = all(not isinstance(each, int) or abs(each) < 2**63 for each in message)
    if fits and "\\" not in json.dumps([str(each) for each in message]):
        assert decode(encode(message)) == message


def changed(**fields: Any) -> bytes:
    content = json.loads(encode(EXAMPLES[0]))["Beat"]
    return json.dumps({"Beat": {**content, **fields}}).encode()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[]", "only key"),
        (b"{}", "only key"),
        (b'{"Beat": {}, "Deny": {}}', "only key"),
        (b'{"Reboot": {"node": "dom0"}}', "unknown kind"),
        (b'{"Beat": {"node": "dom0", "boot": 1}}', "Beat:number: nothing"),
        (b'{"Beat": {"node": "a", "node": "b", "boot": 1, "number": 1}}', "twice"),
        (b'{"Beat": ' + b"[" * 20_000 + b"]" * 20_000 + b"}", "not a message"),
        (changed(boot=True), "Beat:boot"),
        (changed(boot=1.5), "Beat:boot"),
        (changed(boot=2**63), "Beat:boot"),
        (changed(boot="1"), "Beat:boot"),
        (changed(covered=True), "Beat:covered"),
        (changed(leaving=1), "Beat:leaving"),
        (changed(node=None), "Beat:node: nothing"),
        (changed(node="a\nb"), "printable"),
        (changed(alone="dns"), "Beat:alone"),
        (changed(alone=[["dns"]]), r"Beat:alone\[0\]"),
        (changed(command="reboot"), "Beat:command: an unknown key"),
        (b'{"Beat": {"node": "a", "boot": NaN, "number": 1}}', "NaN"),
        (b'{"Beat": {"node": "a", "boot": ' + b"9" * 5000 + b', "number": 1}}', "not a message"),
        (b" " * (LIMIT_BYTES + 1), "allowed: 65536"),
    ],
)
def test_what_is_no_message_is_refused_with_its_place(data: bytes, told: str) -> None:
    with pytest.raises(WireError, match=told):
        decode(data)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_do_anything_else(data: bytes) -> None:
    with suppress(WireError):
        decode(data)
