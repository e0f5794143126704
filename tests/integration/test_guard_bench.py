"""The parts of the benchmark that have guards, once each: what they measure is not looked at, but that they measure it."""

import pytest

from bench.domain_fencing import domain_fencing
from bench.takeover import takeover


def told(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines of the table, without what was measured."""
    return [line.partition(" times    ")[2].partition("  ")[0] for line in capsys.readouterr().out.splitlines()]


def test_a_takeover_is_measured_from_one_node_to_the_other_and_back(capsys: pytest.CaptureFixture[str]) -> None:
    takeover(2)
    assert told(capsys) == [
        "loss seen: fence agent called",
        "proof there: `drbdadm primary` issued",
        "proof there: `xl create` issued",
        "of which simulated programs took",
        "Saltern's own, from loss to `xl create`",
        "times as long as the programs alone",
    ]


def test_orders_to_end_a_domain_are_measured_on_its_own_node_and_on_the_other_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    domain_fencing(2)
    whats = (
        "`xl destroy` issued",
        "gone, and known to be",
        "of which simulated programs took",
        "Saltern's own",
        "times as long as the programs alone",
    )
    assert told(capsys) == [f"on {where} node: {what}" for where in ("this", "the other") for what in whats]
