"""The witness as a service: what its disk does not take is not promised, and the others are answered all the same."""

from collections.abc import Iterable
from errno import EIO, ENOSPC
from pathlib import Path
from typing import Any

import pytest

from saltern.guard.messages import Beat, Denied, Deny, Message, Yes
from saltern.guarding.journal import Journal
from saltern.guarding.settings import Place, WitnessSettings
from saltern.guarding.store import WitnessStore
from saltern.guarding.transport import Heard
from saltern.guarding.witnessing import WitnessService
from saltern.run import LocalHost

LOST, ONE, OTHER = "node1", "node2", "node3"


class Letters:
    """In the place of the network: what nodes say, one after the other, and what they are answered."""

    def __init__(self) -> None:
        self.poller = self
        self.answers: list[Any] = []
        self.said: list[Message] = []
        self.service: WitnessService

    def register(self, _fd: int) -> None:
        """Nothing is waited for."""

    def poll(self) -> list[tuple[int, int]]:
        return []

    def receive(self, _ready: object) -> Iterable[Heard]:
        yield from (Heard("", each, b"") for each in self.said)
        self.service.end()

    def answer(self, _heard: Heard, answer: Any) -> None:
        self.answers.append(answer)

    def close(self) -> None:
        """Nothing is open."""


def told(host: LocalHost, *said: Message) -> list[Any]:
    """What a witness that begins now, long after it was heard last, answers to each."""
    letters = Letters()
    letters.said = list(said)
    settings = WitnessSettings(version=1, listen=Place(address="127.0.0.1", port=1), nodes={})
    clock = iter([0.0, *(1000.0 for _ in said)])
    letters.service = WitnessService(
        settings, WitnessStore(host), letters, Journal(host, "witness"), lambda: next(clock)
    )
    letters.service.run()
    return letters.answers


def test_a_promise_that_the_disk_does_not_take_is_not_given_and_the_others_are_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    host = LocalHost(root=str(tmp_path))
    assert told(host, Beat(LOST, 1, 1), Beat(OTHER, 1, 1)) == [Yes(1), Yes(1)]

    def full(*_given: object, **_more: object) -> None:
        raise OSError(ENOSPC, "No space left on device")

    deny = Deny(LOST, 1, frozenset({"dns"}), ONE, 1, 1)
    with monkeypatch.context() as patch:
        patch.setattr(host, "write_text", full)
        assert told(host, deny, Beat(OTHER, 1, 2), Beat(LOST, 1, 2)) == [Yes(2), Yes(2)]
    assert (
        "promises: cannot be written, so that no new one is given: No space left on device" in capsys.readouterr().err
    )
    (denied,) = told(host, deny)
    assert isinstance(denied, Denied)


def test_a_witness_that_cannot_tell_what_its_disk_keeps_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = LocalHost(root=str(tmp_path))
    assert told(host, Beat(LOST, 1, 1)) == [Yes(1)]
    write = host.write_text

    def unsure(path: str, text: str, mode: int) -> None:
        write(path, text, mode)
        raise OSError(EIO, "Input/output error")

    monkeypatch.setattr(host, "write_text", unsure)
    with pytest.raises(OSError, match="Input/output error"):
        told(host, Deny(LOST, 1, frozenset({"dns"}), ONE, 1, 1))
