"""What the benchmark makes of what it has seen on the lab: plain values in and out, no machine."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from bench.evacuation import Evacuation, eight, longest_step_s, records_s
from bench.evacuation import print_table as print_evacuations
from bench.failover import Failover, read
from bench.failover import print_table as print_failovers
from bench.migration import CLOCK, Migration
from bench.migration import print_table as print_migrations
from bench.rows import print_compared, print_s
from bench.watch import both_primary_s, longest_gap_s
from bench.ways import ORCHESTRATED, PLAIN, TYPED, Done, steps_s
from lab.errors import LabError
from lab.master import PILLAR
from lab.moments import TOPOLOGY
from saltern.errors import ParseError
from saltern.topology import compile as compile_topology

EXISTS = """\
100.0 exists resource name:dns role:Secondary suspended:no
100.0 exists connection name:dns peer-node-id:0 conn-name:peer connection:Connected role:Primary
100.1 exists device name:dns volume:0 minor:1 disk:UpToDate
100.1 exists -
"""


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


# --- As seen from outside ------------------------------------------------------------------------------------------------
def test_a_guest_is_silent_between_two_answers_whatever_else_ping_says() -> None:
    said = """\
PING 10.77.0.52 (10.77.0.52) 56(84) bytes of data.
[1795531662.10] 64 bytes from 10.77.0.52: icmp_seq=1 ttl=64 time=1.1 ms
[1795531662.30] 64 bytes from 10.77.0.52: icmp_seq=2 ttl=64 time=1.1 ms
[1795531665.00] From 10.77.0.2 icmp_seq=9 Destination Host Unreachable
[1795531666.80] 64 bytes from 10.77.0.52: icmp_seq=24 ttl=64 time=2.0 ms
[1795531667.00] 64 bytes from 10.77.0.52: icmp_seq=25 ttl=64 time=2.0 ms

--- 10.77.0.52 ping statistics ---
"""
    assert longest_gap_s(said) == pytest.approx(4.5)


def test_a_guest_that_has_hardly_answered_has_no_pause_that_could_be_told() -> None:
    with pytest.raises(LabError, match="1 answers"):
        longest_gap_s("[1795531662.10] 64 bytes from 10.77.0.52: icmp_seq=1 ttl=64 time=1.1 ms\n")


def test_both_sides_are_primary_from_the_promotion_here_to_the_end_of_it_over_there() -> None:
    stream = f"""{EXISTS}\
110.0 change resource name:dns role:Primary
112.0 change peer-device name:dns peer-node-id:0 conn-name:peer volume:0
112.5 change connection name:dns peer-node-id:0 conn-name:peer role:Secondary
"""
    assert both_primary_s(stream) == 2.5


def test_times_at_which_both_sides_are_primary_are_added_up() -> None:
    stream = f"""{EXISTS}\
110.0 change resource name:dns role:Primary
111.0 change resource name:dns role:Secondary
120.0 change resource name:dns role:Primary
122.0 change connection name:dns peer-node-id:0 conn-name:peer connection:NetworkFailure role:Unknown
"""
    assert both_primary_s(stream) == 3.0
    assert both_primary_s(EXISTS) == 0.0


def test_how_long_both_are_primary_is_not_told_before_it_is_over_nor_of_what_is_not_understood() -> None:
    with pytest.raises(LabError, match="to the end"):
        both_primary_s(f"{EXISTS}110.0 change resource name:dns role:Primary\n")
    with pytest.raises(ParseError):
        both_primary_s("100.0 no such line\n")


# --- A migration ---------------------------------------------------------------------------------------------------------
def orchestration(**results: bool) -> str:
    """As `salt-run --out=json` prints it; seconds are those of the place."""
    states = {
        f"orchestration_|-{name}_|-operation.{name}_|-step": {
            "name": f"operation.{name}",
            "result": result,
            "comment": "",
            "duration": 1000.0 * (place + 1),
        }
        for place, (name, result) in enumerate(results.items())
    }
    return json.dumps({"data": {"here_master": states}, "outputter": "highstate", "retcode": 0})


def test_an_orchestration_tells_what_its_steps_took() -> None:
    told = steps_s(orchestration(begin=True, synchronise=True, carry_out=True))
    assert told == {"operation.begin": 1.0, "operation.synchronise": 2.0, "operation.carry_out": 3.0}


@pytest.mark.parametrize(
    "told", [orchestration(begin=True, synchronise=True, carry_out=False), orchestration(begin=True, synchronise=True)]
)
def test_an_orchestration_that_has_not_succeeded_is_no_figure(told: str) -> None:
    with pytest.raises(LabError, match="no orchestration of an operation that has succeeded"):
        steps_s(told)


def test_the_table_of_migrations_compares_and_its_phases_add_up(capsys: pytest.CaptureFixture[str]) -> None:
    steps = {"operation.begin": 5.0, "operation.synchronise": 3.0, "operation.carry_out": 28.0}
    found = {
        ORCHESTRATED: [Migration(Done(40.0, steps, 7.5), xl_s=22.0, pause_s=6.0, both_primary_s=3.0)],
        TYPED: [Migration(Done(25.0, {}, 7.5), xl_s=24.0, pause_s=6.0, both_primary_s=3.0)],
        PLAIN: [Migration(Done(20.0, {}, 19.0), xl_s=19.0, pause_s=5.0, both_primary_s=3.0)],
    }
    print_migrations(found, "96M")
    told = lines(capsys)
    assert "A guest with 96M:" in told
    assert "1 times state.orch migrate: until it is over 40.0 s 40.0 s 40.0 s" in told
    assert "times xl migrate, block-drbd: until it is over 2.00" in told
    assert "times xl migrate, block-drbd: guest silent, by a ping each 0.2 s 1.20" in told
    phases_s = [float(line.split()[-2]) for line in told if ", of it: " in line]
    assert phases_s == [4.0, 5.0, 3.0, 22.0, 6.0]
    assert sum(phases_s) == 40.0


def test_only_a_migration_is_timed_and_every_call_does_what_it_did_before(tmp_path: Path) -> None:
    real = tmp_path / "real-xl"
    real.write_text('#!/bin/bash\necho "$*"\nexit 3\n')
    real.chmod(0o755)
    runs = tmp_path / "runs"
    script = CLOCK.replace("/usr/sbin/xl", str(real)).replace("/run/xl-migrate", str(runs))
    for words in (["list", "-v"], ["migrate", "-s", "", "dns", "a b"]):
        done = subprocess.run(
            ["bash", "-c", script, "xl", *words], capture_output=True, text=True, env=os.environ, check=False
        )
        assert (done.returncode, done.stdout) == (3, " ".join(words) + "\n")
    (line,) = runs.read_text().splitlines()
    begun, ended = map(float, line.split())
    assert begun <= ended


# --- An evacuation -------------------------------------------------------------------------------------------------------
def test_eight_small_domains_are_a_valid_topology_for_the_nodes_of_the_lab() -> None:
    model = yaml.safe_load((PILLAR / TOPOLOGY).read_text())["saltern"]
    pillar = eight(model)
    slices = compile_topology(pillar).slices
    for node in ("node1", "node2"):
        assert sorted(slices[node].domains) == [f"guest{number}" for number in range(1, 9)]
    domains = pillar["saltern"]["domains"]
    assert {each["home"] for each in domains.values()} == {"node1"}
    assert len({each["interfaces"][0]["ip"] for each in domains.values()}) == 8
    assert domains["guest8"]["xl"]["cmdline"].endswith("lab.name=guest8 lab.ip=10.77.0.68")
    assert pillar["saltern"]["nodes"] == model["nodes"]


def test_a_guest_is_silent_between_two_records_and_a_line_that_is_cut_off_is_none() -> None:
    times_s = records_s("139 1795531661\n140 1795531662\n141 1795531670\n142 1795531671\n143 17")
    assert longest_step_s(times_s) == 8
    assert longest_step_s([]) == 0


def test_the_table_of_evacuations_says_how_many_have_arrived(capsys: pytest.CaptureFixture[str]) -> None:
    print_evacuations({1: Evacuation(200.0, 6, 8), 2: Evacuation(150.0, 9, 8), 4: Evacuation(160.0, 31, 7)})
    assert lines(capsys) == [
        "8 of 8 domains, 1 at once, in 200.0 s, 1.00 times as long as one by one; a guest was silent for 6 s at most",
        "8 of 8 domains, 2 at once, in 150.0 s, 0.75 times as long as one by one; a guest was silent for 9 s at most",
        "7 of 8 domains, 4 at once, in 160.0 s, 0.80 times as long as one by one; a guest was silent for 31 s at most",
    ]


# --- A failover ----------------------------------------------------------------------------------------------------------
SAID = [
    {"at": "1970-01-01T00:01:30.000+00:00", "words": "its fence agent is asked to switch it off"},
    {"at": "1970-01-01T00:01:50.000+00:00", "words": "its fence agent is asked to switch it off"},
    {"at": "1970-01-01T00:01:58.500+00:00", "words": "fence_redfish has switched it off, and says that it is off"},
    {"at": "1970-01-01T00:01:59.000+00:00", "words": "is to be started here: its other node is proven dead"},
    {"at": "1970-01-01T00:02:09.000+00:00", "words": "is to be started here: its other node is proven dead"},
]


def test_a_failover_is_read_from_what_the_guard_has_said_since_the_loss() -> None:
    assert read(SAID, cut_s=100.0, answered_s=150.0) == Failover(10.0, 18.5, 19.0, 50.0)


def test_a_failover_of_which_the_guard_has_said_nothing_is_no_figure() -> None:
    with pytest.raises(LabError, match="has not said 'has switched it off' since the loss"):
        read(SAID[:2], cut_s=100.0, answered_s=150.0)


def test_the_table_of_failovers_compares_from_the_loss_and_from_the_first_start(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_failovers({"by guards": [Failover(10.0, 18.0, 20.0, 60.0)], "by hand": [Failover(8.0, None, 10.0, 50.0)]})
    told = lines(capsys)
    assert "1 times by guards: the lost node is switched off 18.0 s 18.0 s 18.0 s" in told
    assert told[-2:] == ["times by hand, from the loss 1.20", "times by hand, from the first start 1.00"]


def test_a_line_of_seconds_tells_how_often_the_median_the_least_and_the_most(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_s("something", [3.0, 1.0, 8.0])
    print_compared("a ratio", [4.0, 6.0], [2.0, 2.0])
    assert lines(capsys) == ["3 times something 3.0 s 1.0 s 8.0 s", "a ratio 2.50"]
