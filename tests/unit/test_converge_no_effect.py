"""A tool that says that it has done something, and has not: it is no change, and the state fails."""

from typing import Any

import pytest
from pair import empty_world, slices

from saltern.converge import Converge
from saltern.model.desired import NodeSlice
from saltern.plan.items import Kind
from saltern.run import Completed
from saltern.sim.host import SimHost


@pytest.fixture
def share() -> NodeSlice:
    return slices()["dom0"]


def test_what_had_no_effect_is_told_and_is_no_change(monkeypatch: pytest.MonkeyPatch, share: NodeSlice) -> None:
    real = SimHost.run

    def run(host: SimHost, argv: Any, **more: Any) -> Completed:
        return Completed(tuple(argv), 0, "", "") if argv[0] == "lvcreate" else real(host, argv, **more)

    monkeypatch.setattr(SimHost, "run", run)
    outcomes = Converge(empty_world().host("dom0"), share).all()
    volumes = [outcome for item, outcome in outcomes.items() if item.kind is Kind.VOLUME]
    assert volumes
    for outcome in volumes:
        assert outcome.result is False
        assert outcome.changes == {}
        assert "what was done had no effect" in outcome.comment
