"""Whether a domain may start: the guard is asked where there is one, and what it does not say is no leave."""

from collections.abc import Callable
from functools import partial

import pytest
from gate import Gate
from pair import empty_world

from saltern.may_start import against_attach, against_start
from saltern.model.places import GUARD_SETTINGS, GUARD_SOCKET
from saltern.run import Host
from saltern.sim.world import World

Against = Callable[[Host, str], str | None]


@pytest.fixture
def world() -> World:
    return empty_world()


def test_where_there_is_no_guard_nobody_is_asked(world: World) -> None:
    host = world.host("dom0")
    assert against_start(host, "dns") is None
    assert against_attach(host, "dns", arrives=True, apart=False) is None
    assert host.commands == []


@pytest.mark.parametrize(
    ("against", "question"),
    [
        (against_start, {"ask": "start", "domain": "dns"}),
        *(
            (partial(against_attach, **how), {"ask": "attach", "resource": "dns", **how})
            for how in ({"arrives": False, "apart": True}, {"arrives": True, "apart": False})
        ),
    ],
)
def test_the_guard_of_the_node_decides_and_no_process_is_started(
    world: World, against: Against, question: dict[str, str | bool]
) -> None:
    host, gate = world.host("dom0"), Gate(world, "dom0")
    assert against(host, "dns") is None
    gate.why = "neither dom0m nor the witness answers"
    assert "neither dom0m nor the witness answers" in str(against(host, "dns"))
    assert gate.asked == [question, question]
    assert host.commands == []


def test_a_guard_that_is_to_be_there_and_does_not_answer_is_no_leave(world: World) -> None:
    world.nodes["dom0"].files[GUARD_SETTINGS] = ("{}", 0o600)
    assert "systemctl status saltern-guard" in str(against_start(world.host("dom0"), "dns"))


@pytest.mark.parametrize(
    "said", ["", "yes", "[]", "null", "{}", '{"allowed": 1}', '{"allowed": "true"}', '{"error": "x"}']
)
def test_what_is_not_understood_is_no_leave(world: World, said: str) -> None:
    Gate(world, "dom0")
    world.nodes["dom0"].services[GUARD_SOCKET] = lambda _: said
    assert against_start(world.host("dom0"), "dns") is not None


def test_a_node_that_cannot_be_read_gives_no_leave(world: World) -> None:
    world.power_cut("dom0")
    assert against_start(world.host("dom0"), "dns") is not None
