"""A tool that says that it has done something, and has not: no change, and the state fails. What comes late is waited for."""

from typing import Any

import pytest
from pair import TOPOLOGY, converge, empty_world, slices

from saltern.converge import POLL_S, Converge
from saltern.model.desired import NodeSlice
from saltern.plan.items import Item, Kind
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


def test_what_has_its_effect_a_moment_later_is_told_and_is_not_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """DRBD agrees with the other side on a new size after `drbdadm resize` has ended, and refuses another one while it copies."""
    world = empty_world()
    converge(world, slices())
    world.advance(30)
    run, sleep = SimHost.run, SimHost.sleep
    resizes: list[Any] = []
    late: list[tuple[SimHost, Any]] = []

    def begin(host: SimHost, argv: Any, **more: Any) -> Completed:
        if list(argv)[:2] != ["drbdadm", "resize"]:
            return run(host, argv, **more)
        resizes.append(argv)
        if len(resizes) > 1:
            return run(host, argv, **more)
        late.append((host, argv))
        return Completed(tuple(argv), 0, "", "")

    def end(host: SimHost, seconds: float) -> None:
        sleep(host, seconds)
        if late and seconds >= POLL_S:  # no tool of a simulated node takes so long
            run(*late.pop())

    monkeypatch.setattr(SimHost, "run", begin)
    monkeypatch.setattr(SimHost, "sleep", end)
    larger = slices(TOPOLOGY.replace("xvdb: {size: 128M}", "xvdb: {size: 160M}"))
    for node, share in larger.items():
        assert Converge(world.host(node), share).item(Item(Kind.VOLUME, "/dev/XEN/mail-xvdb")).changes
    outcome = Converge(world.host("dom0m"), larger["dom0m"]).item(Item(Kind.SIZE, "mail-xvdb"))
    assert (outcome.result, outcome.changes) == (
        True,
        {"size of mail-xvdb": {"old": "128M", "new": "160M"}},
    ), outcome.comment
    assert len(resizes) == 1
