"""Changing the role of all resources of a domain, and ending one that is being started."""

import time
from threading import Event
from typing import Any

import pytest
from nodes import UUID

from saltern.errors import Refused, SalternError
from saltern.guarding import doing
from saltern.guarding.settings import GuardedDomain
from saltern.model.action import Demote, Promote

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


def test_each_resource_is_demoted_that_can_be_also_after_one_that_is_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    host: Any = None
    done = roles(monkeypatch, Demote(resource="dns"))
    with pytest.raises(SalternError):
        doing.demote(host, TWO_DISKS)
    assert done == [Demote(resource="dns.log")]


def test_a_domain_that_is_being_started_is_not_told_as_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    creating, created = Event(), Event()

    def start(*_: object, **__: object) -> str:
        creating.set()
        created.wait()
        return "started"

    monkeypatch.setattr(doing, "start", start)
    monkeypatch.setattr(doing, "stop", lambda *_: "it is gone")  # Xen does not list it yet
    journal = type("Journal", (), {"tell": lambda *_: None, "say": lambda *_: None})()
    host: Any = None
    one = doing.Doing(host, {"dns": TWO_DISKS}, time.monotonic, lambda: None, journal, witnessed=True)
    one.start("dns")
    creating.wait()

    one.stop("dns")
    assert ended(one) == [("stop", "domain dns: a start of it was under way. It is tried again")]
    created.set()
    assert ended(one) == [("start", None)]
    one.stop("dns")
    assert ended(one) == [("stop", None)]


def ended(one: doing.Doing) -> list[tuple[str, str | None]]:
    found: list[doing.Ended] = []
    while not found:
        time.sleep(0.01)
        found = one.ended()
    return [(each.what, each.reason) for each in found]
