"""Ending a domain: it is ended when Xen no longer has it, and not when a tool says so."""

from collections.abc import Iterator
from itertools import chain, repeat
from typing import Any

import pytest
from nodes import UUID, domain

from saltern.errors import Refused
from saltern.guarding import doing
from saltern.guarding.settings import GuardedDomain
from saltern.model.action import EndDomain
from saltern.model.observed import Xen

DNS = GuardedDomain(name="dns", uuid=UUID, partner="dom0m", resources=("dns",), memory_bytes=1)
HERE, GONE = Xen(domains=(domain(),)), Xen(domains=())


class Node:
    """A node on which the domain is seen for as long as ``looks`` says; only its clock is asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, looks: Iterator[Xen]) -> None:
        self.now_s = 0.0
        self.done: list[object] = []
        monkeypatch.setattr(doing, "read_xen", lambda _: next(looks))
        monkeypatch.setattr(doing, "perform", lambda _, action: self.done.append(action))

    def now(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def stop(self) -> str:
        host: Any = self
        return doing.stop(host, DNS)


def test_what_dies_slowly_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node(monkeypatch, chain([HERE] * 4, repeat(GONE)))
    assert node.stop() == "ended"
    assert node.done == [EndDomain(domain="dns")]


def test_what_does_not_go_away_is_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Refused, match="still here"):
        Node(monkeypatch, repeat(HERE)).stop()


def test_what_is_gone_already_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node(monkeypatch, repeat(GONE))
    assert node.stop() == "it is gone"
    assert node.done == []
