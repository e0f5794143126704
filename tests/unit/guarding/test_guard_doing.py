"""Ending a domain: it is ended when Xen no longer has it, and not when a tool says so. Changing the role of all its resources."""

from collections.abc import Iterator
from itertools import chain, repeat
from typing import Any

import pytest
from nodes import UUID, domain

from saltern.errors import Refused, SalternError
from saltern.guarding import doing
from saltern.guarding.settings import GuardedDomain
from saltern.model.action import Demote, EndDomain, Promote
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


TWO_DISKS = GuardedDomain(name="dns", uuid=UUID, partner="dom0m", resources=("dns", "dns.log"), memory_bytes=1)


def roles(monkeypatch: pytest.MonkeyPatch, *refused: object) -> list[object]:
    done: list[object] = []

    def perform(_: object, action: object) -> None:
        if action in refused:
            raise Refused("resource dns.log", "another node is Primary", "Nothing is to be done")
        done.append(action)

    monkeypatch.setattr(doing, "perform", perform)
    return done


def test_all_resources_of_a_domain_are_promoted_and_demoted(monkeypatch: pytest.MonkeyPatch) -> None:
    host: Any = None
    done = roles(monkeypatch)
    doing.promote(host, TWO_DISKS)
    doing.demote(host, TWO_DISKS)
    names = ("dns", "dns.log")
    assert done == [*(Promote(resource=name) for name in names), *(Demote(resource=name) for name in names)]


def test_where_one_of_them_is_refused_none_stays_primary(monkeypatch: pytest.MonkeyPatch) -> None:
    host: Any = None
    done = roles(monkeypatch, Promote(resource="dns.log"))
    with pytest.raises(SalternError, match="another node is Primary"):
        doing.promote(host, TWO_DISKS)
    assert done == [Promote(resource="dns"), Demote(resource="dns")]
