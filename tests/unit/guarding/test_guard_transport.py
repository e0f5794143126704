"""Connections between machines: who has a known key is heard under its name; nobody else is, whatever is sent."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import zmq

from demo.ports import free_ports
from saltern.guard.messages import Beat, Deny, GoOn, Yes
from saltern.guarding.settings import Party, Place
from saltern.guarding.transport import Heard, Key, Transport
from saltern.guarding.wire import LIMIT_BYTES, encode

PATIENCE_S = 60.0
BEAT = Beat("dom0", 1, 7)


def pair() -> Key:
    public, secret = zmq.curve_keypair()
    return Key(public.decode(), secret.decode())


class Bench:
    """Parties by name, each with its key and port; all that is told and heard."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.keys = {name: pair() for name in ("dom0", "dom0m", "stranger")}
        self.ports = dict(zip(self.keys, free_ports(3), strict=True))
        self.told: list[str] = []
        self.heard: list[Heard] = []
        self.open: dict[str, Transport] = {}

    def join(self, name: str, *known: str, key: Key | None = None, patience_s: float = 30.0) -> Transport:
        """Listen for those that are known, and speak to all others."""
        parties = {
            other: Party(address="127.0.0.1", port=self.ports[other], key=self.keys[other].public)
            for other in self.keys
            if other != name
        }
        listen = Place(address="127.0.0.1", port=self.ports[name])
        keys = {other: self.keys[other].public for other in known}
        say = lambda subject, words, **_: self.told.append(f"{subject}: {words}")  # noqa: E731
        self.open[name] = Transport(key or self.keys[name], listen, keys, parties, patience_s, say)
        self._stack.callback(self.leave, name)
        return self.open[name]

    def leave(self, name: str) -> None:
        if name in self.open:
            self.open.pop(name).close()

    def until(self, found: Callable[[], Any], again: Callable[[], None] = lambda: None) -> None:
        """Let all of them work until something is so; ``again`` is what is tried meanwhile."""
        deadline = time.monotonic() + PATIENCE_S
        while not found():
            assert time.monotonic() < deadline, self.told
            again()
            for each in list(self.open.values()):
                self.heard += each.receive(dict(each.poller.poll(20)))


@pytest.fixture
def bench() -> Iterator[Bench]:
    with ExitStack() as stack:
        yield Bench(stack)


def raw(bench: Bench, key: Key, to: str) -> Any:
    """A socket of ZeroMQ that sends whatever it likes, with that key."""
    socket = zmq.Context.instance().socket(zmq.DEALER)
    socket.linger = 0
    socket.curve_publickey, socket.curve_secretkey = key.public.encode(), key.secret.encode()
    socket.curve_serverkey = bench.keys[to].public.encode()
    socket.connect(f"tcp://127.0.0.1:{bench.ports[to]}")
    return socket


def test_who_is_known_is_heard_under_its_name_and_gets_its_answer(bench: Bench) -> None:
    dom0, dom0m = bench.join("dom0"), bench.join("dom0m", "dom0")
    bench.until(lambda: bench.heard, lambda: dom0.send("dom0m", BEAT))
    assert (bench.heard[0].sender, bench.heard[0].content) == ("dom0", BEAT)
    first = bench.heard.pop(0)
    bench.heard.clear()
    dom0m.answer(first, Yes(7))
    bench.until(lambda: any(isinstance(each.content, Yes) for each in bench.heard))
    (answer,) = [each for each in bench.heard if isinstance(each.content, Yes)]
    assert (answer.sender, answer.content) == ("dom0m", Yes(7))


def test_a_key_that_is_not_known_is_not_let_in(bench: Bench) -> None:
    stranger = bench.join("stranger")
    bench.join("dom0m", "dom0")
    bench.until(
        lambda: any("its key is not known" in each for each in bench.told), lambda: stranger.send("dom0m", BEAT)
    )
    assert bench.heard == []


@pytest.mark.parametrize(
    "message", [Beat("stranger", 1, 7), Deny("dom0", 1, frozenset(), "dom1", 1, 7), GoOn("dns", "dom0m", 1, 7)]
)
def test_a_message_in_the_name_of_another_is_dropped(bench: Bench, message: Any) -> None:
    dom0 = bench.join("dom0")
    bench.join("dom0m", "dom0")
    bench.until(lambda: any("in the name of" in each for each in bench.told), lambda: dom0.send("dom0m", message))
    assert bench.heard == []


@pytest.mark.parametrize(
    ("frames", "told"),
    [
        ([b"reboot"], "no JSON"),
        ([encode(Yes(7))], "not asked for"),
        ([encode(BEAT), b"more"], "3 frames"),
        ([b""], "no JSON"),
    ],
)
def test_what_is_no_message_is_dropped_and_the_next_one_is_heard(bench: Bench, frames: list[bytes], told: str) -> None:
    bench.join("dom0m", "dom0")
    socket = raw(bench, bench.keys["dom0"], "dom0m")
    socket.send_multipart(frames)
    bench.until(lambda: any(told in each for each in bench.told))
    assert bench.heard == []
    socket.send(encode(BEAT))
    bench.until(lambda: bench.heard)
    socket.close()


def test_what_is_too_large_ends_its_connection_and_is_never_read(bench: Bench) -> None:
    bench.join("dom0m", "dom0")
    socket = raw(bench, bench.keys["dom0"], "dom0m")
    socket.send(b" " * (LIMIT_BYTES + 1))
    other = raw(bench, bench.keys["dom0"], "dom0m")
    bench.until(lambda: bench.heard, lambda: other.send(encode(BEAT)))
    assert {each.content for each in bench.heard} == {BEAT}
    socket.close()
    other.close()


def test_who_does_not_hold_the_key_of_a_party_is_told_nothing(bench: Bench) -> None:
    """The false dom0m listens at its address, and would let everybody in."""
    dom0 = bench.join("dom0")
    bench.join("dom0m", "dom0", key=pair())
    dom0m = bench.open["dom0m"]
    for _ in range(50):
        dom0.send("dom0m", BEAT)
        bench.heard += dom0m.receive(dict(dom0m.poller.poll(20)))
    assert bench.heard == []


def test_a_party_that_did_not_know_the_key_at_first_is_spoken_to_again(bench: Bench) -> None:
    """libzmq does not connect again by itself after a refusal."""
    dom0 = bench.join("dom0", patience_s=0.5)
    bench.join("dom0m", "stranger", patience_s=0.5)
    speak = lambda: dom0.send("dom0m", BEAT)  # noqa: E731
    bench.until(lambda: any("its key is not known" in each for each in bench.told), speak)
    bench.leave("dom0m")
    bench.join("dom0m", "dom0", patience_s=0.5)
    bench.until(lambda: bench.heard, speak)


def test_nothing_waits_for_a_party_that_is_away(bench: Bench) -> None:
    dom0 = bench.join("dom0")
    for number in range(1, 200):
        dom0.send("dom0m", Beat("dom0", 1, number))
    bench.join("dom0m", "dom0")
    bench.until(lambda: bench.heard, lambda: dom0.send("dom0m", Beat("dom0", 1, 1000)))
    assert {each.content.number for each in bench.heard} == {1000}
