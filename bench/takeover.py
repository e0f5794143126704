"""How long it takes from a loss that is seen to the start of what was lost: real guards, on simulated nodes, with a fence agent.

The agent's own time is left out. What is simulated starts slowly: each program is a Python that reads the whole world. So what
Saltern takes is told apart from what the programs take that it has to wait for.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from bench.clocks import HANDLER, Run, taken_s
from bench.guarded import Pair, pair
from bench.rows import print_ms, print_ratio
from saltern.sim import fence_agent

TIMES: Final = 100
SEEN: Final = "its fence agent is asked to switch it off"


class Takeover(NamedTuple):
    """Seconds of one takeover: from the loss to the call of the agent; from its end to `drbdadm primary` and to `xl create`.

    ``programs_s`` is what programs took of the latter, ``handler_s`` what Saltern's handler took within them.
    """

    call_s: float
    primary_s: float
    create_s: float
    programs_s: float
    handler_s: float

    @property
    def ours_s(self) -> float:
        """What Saltern has taken."""
        return self.call_s + self.create_s - self.programs_s + self.handler_s


def read(said: Sequence[dict[str, Any]], runs: Sequence[Run]) -> Takeover:
    """What the log of a guard, and the clock of its node, tell of one takeover."""
    seen_s = datetime.fromisoformat(next(line["at"] for line in said if line["words"] == SEEN)).timestamp()
    called_s = min(run.begun_s for run in _of(fence_agent.NAME, runs))
    proven_s = max(run.ended_s for run in _of(fence_agent.NAME, runs))
    primary_s = min(run.begun_s for run in _of("drbdadm primary", runs))
    create_s = min(run.begun_s for run in _of("xl create", runs))
    return Takeover(
        call_s=called_s - seen_s,
        primary_s=primary_s - proven_s,
        create_s=create_s - proven_s,
        programs_s=taken_s(runs, proven_s, create_s),
        handler_s=taken_s(_of(HANDLER, runs), proven_s, create_s),
    )


def _of(words: str, runs: Sequence[Run]) -> list[Run]:
    return [run for run in runs if f"{run.text} ".startswith(f"{words} ")]


def _lose(nodes: Pair, node: str, domain: str) -> Takeover:
    """Take the power from the node that runs a domain, and measure how the other one takes it over."""
    there = nodes.other(node)
    clock, before = nodes.clocks[there], len(nodes.lines(there))
    clock.runs()
    runs: list[Run] = []

    def starts() -> bool:
        runs.extend(clock.runs())
        return bool(_of("xl create", runs))

    nodes.cut_power(node)
    nodes.eventually(f"{domain} is started on {there}", starts)
    nodes.eventually(f"{domain} runs on {there}", lambda: nodes.live(domain) == [there])
    return read(nodes.lines(there)[before:], runs)


def _measure(times: int) -> Iterator[Takeover]:
    """From one node to the other and back, so that each takeover begins where the one before has ended."""
    with pair(domains=1) as nodes:
        (domain,) = nodes.domains_at_home
        for _ in range(times):
            (node,) = nodes.live(domain)
            yield _lose(nodes, node, domain)
            nodes.boot(node)
            nodes.settle()


def takeover(times: int = TIMES) -> None:
    """Measure so many takeovers, and print a line of the table for each figure."""
    found = list(_measure(times))
    print_ms("loss seen: fence agent called", [each.call_s for each in found])
    print_ms("proof there: `drbdadm primary` issued", [each.primary_s for each in found])
    print_ms("proof there: `xl create` issued", [each.create_s for each in found])
    print_ms("of which simulated programs took", [each.programs_s - each.handler_s for each in found])
    print_ms("Saltern's own, from loss to `xl create`", [each.ours_s for each in found])
    print_ratio(
        "times as long as the programs alone",
        [each.create_s for each in found],
        [each.programs_s - each.handler_s for each in found],
    )
