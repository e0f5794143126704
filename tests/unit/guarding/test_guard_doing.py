"""Changing the role of all resources of a domain."""

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
