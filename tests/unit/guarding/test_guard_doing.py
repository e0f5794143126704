"""Changing the role of all resources of a domain, and ending one that is being started."""

import time
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from nodes import MIGRATION, UUID

from saltern import operations
from saltern.errors import Refused, SalternError
from saltern.guarding import doing
from saltern.guarding.settings import GuardedDomain
from saltern.model.action import Demote, Promote
from saltern.model.operation import Half, OperationKind
from saltern.model.places import operation_file, operation_lock
from saltern.run import LocalHost

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


def test_a_domain_that_is_being_started_is_not_told_as_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    creating, created = Event(), Event()

    def start(*_: object, **__: object) -> str:
        creating.set()
        created.wait()
        return "started"

    monkeypatch.setattr(doing, "start", start)
    monkeypatch.setattr(doing, "stop", lambda *_: "it is gone")  # Xen does not list it yet
    one = service(tmp_path)
    one.start("dns")
    creating.wait()

    one.stop("dns")
    assert ended(one) == [("stop", "domain dns: a start of it was under way. It is tried again")]
    created.set()
    assert ended(one) == [("start", None)]
    one.stop("dns")
    assert ended(one) == [("stop", None)]


def test_a_domain_that_an_operation_starts_is_not_told_as_gone_and_one_that_waits_is_not_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doing, "stop", lambda *_: "it is gone")
    host, one = LocalHost(root=str(tmp_path)), service(tmp_path)
    start = replace(MIGRATION, kind=OperationKind.START, half=Half.TARGET, taken=False)
    operations.begin(host, start)
    with operations.taken_up(host, "dns", start.id, Half.TARGET):
        one.stop("dns")
        assert ended(one) == [("stop", "domain dns: a start of it was under way. It is tried again")]
        assert operations.is_withdrawn(host, start)
    one.stop("dns")
    assert ended(one) == [("stop", None)]


def test_a_domain_that_an_operation_stops_elsewhere_is_gone_and_that_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doing, "stop", lambda *_: "it is gone")
    host, one = LocalHost(root=str(tmp_path)), service(tmp_path)
    stop = replace(MIGRATION, kind=OperationKind.STOP, half=Half.TARGET, taken=False)
    operations.begin(host, stop)
    with operations.held(host, "dns"):
        one.stop("dns")
        assert ended(one) == [("stop", None)]
    assert not operations.is_withdrawn(host, stop)


def test_an_entry_that_cannot_be_read_starts_nothing_while_nobody_holds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doing, "stop", lambda *_: "it is gone")
    host, one = LocalHost(root=str(tmp_path)), service(tmp_path)
    host.write_text(operation_file("dns"), "{", 0o600)
    with host.hold(operation_lock("dns")):
        one.stop("dns")
        assert ended(one) == [("stop", "domain dns: a start of it was under way. It is tried again")]
    one.stop("dns")
    assert ended(one) == [("stop", None)]


def test_what_was_left_to_this_node_is_settled_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, str]] = []
    monkeypatch.setattr(doing.operations, "settle_idle", lambda _, domain: f"stop of {domain} was left")
    monkeypatch.setattr(doing, "take_up", lambda *_: [])
    service(tmp_path, told).begin()
    deadline = time.monotonic() + 10
    while not told and time.monotonic() < deadline:
        time.sleep(0.01)
    assert told == [("operation on dns", "stop of dns was left")]


def service(root: Path, told: list[tuple[str, str]] | None = None) -> doing.Doing:
    tell = lambda _, *words: None if told is None else told.append(words[:2])  # noqa: E731
    journal = type("Journal", (), {"tell": tell, "say": lambda *_: None})()
    host = LocalHost(root=str(root))
    return doing.Doing(host, {"dns": TWO_DISKS}, time.monotonic, lambda: None, journal, witnessed=True)


def ended(one: doing.Doing) -> list[tuple[str, str | None]]:
    found: list[doing.Ended] = []
    while not found:
        time.sleep(0.01)
        found = one.ended()
    return [(each.what, each.reason) for each in found]
