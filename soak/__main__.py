"""Clusters through seeded schedules of faults, as many as wanted: `make soak N=...`."""

import argparse
import gc
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from saltern.errors import SalternError
from saltern.progress import Progress
from soak import scenario, trial
from soak.faults import Event
from soak.shrink import shrink
from soak.trial import Case

_BLOCK: Final = 50


class Done(NamedTuple):
    """What has come of a block of seeds, up to the first one that broke a rule, and the processor's time that it took."""

    seeds: range
    schedules: int
    taken_over: int
    processor_s: float
    broken: int | None


@dataclass
class Tally:
    """What has come of all seeds so far. Blocks do not end in their order."""

    seeds: range
    schedules: int = 0
    taken_over: int = 0
    processor_s: float = 0.0
    broken: int | None = None
    ended: set[int] = field(default_factory=set)  # the first seeds of blocks

    def add(self, done: Done) -> None:
        """One block more."""
        self.schedules += done.schedules
        self.taken_over += done.taken_over
        self.processor_s += done.processor_s
        if done.broken is not None:
            self.broken = done.broken if self.broken is None else min(done.broken, self.broken)
        else:
            self.ended.add(done.seeds.start)

    @property
    def next(self) -> int:
        """All seeds before this one have broken nothing."""
        begins = range(self.seeds.start, self.seeds.stop, _BLOCK)
        return next((begin for begin in begins if begin not in self.ended), self.seeds.stop)


def main(arguments: list[str] | None = None) -> int:
    """Exit code 1 when a rule was broken."""
    given = _parser().parse_args(arguments)
    progress = Progress(sys.stderr, lambda: shutil.get_terminal_size().columns, time.monotonic)
    if given.scenario is not None:
        return _scenario(given.scenario)
    if given.seed is not None:
        return _replay(trial.of_seed(given.seed, given.nodes, quorum=given.quorum), given.out, progress)
    return _soak(given, progress)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m soak", description=__doc__)
    parser.add_argument("-n", type=_positive, default=1000, help="how many schedules (default: 1000)")
    parser.add_argument(
        "--from", dest="first", type=int, default=0, metavar="SEED", help="the seed of the first one (default: 0)"
    )
    parser.add_argument("--jobs", type=_positive, default=os.cpu_count(), help="processes (default: one for each core)")
    parser.add_argument(
        "--nodes", type=int, choices=range(2, 7), help="in clusters of that size only (default: 2 to 6)"
    )
    parser.add_argument(
        "--quorum", action="store_true", help="where DRBD's quorum, with a tie-breaker, is the proof of death"
    )
    parser.add_argument("--seed", type=int, help="run the schedule of this seed alone, and tell its story")
    parser.add_argument(
        "--scenario", type=Path, metavar="DIR", help="tell the story of such a directory, see soak/scenario.py"
    )
    parser.add_argument(
        "--out", choices=("text", "json"), default="text", help="how the result is told (default: text)"
    )
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


# --- Many ----------------------------------------------------------------------------------------------------------
def _soak(given: argparse.Namespace, progress: Progress) -> int:
    began_s = time.monotonic()
    tally = Tally(range(given.first, given.first + given.n))
    interrupted = False
    try:
        for done in _blocks(tally, given.jobs, partial(trial.of_seed, nodes=given.nodes, quorum=given.quorum)):
            tally.add(done)
            progress.show(_how_far(tally, time.monotonic() - began_s))
    except KeyboardInterrupt:
        interrupted = True
    progress.end()
    broken = None if tally.broken is None else trial.of_seed(tally.broken, given.nodes, quorum=given.quorum)
    violation = None if broken is None else _violation(broken, progress)
    found = _found(tally, time.monotonic() - began_s) | {"jobs": given.jobs, "violation": violation}
    print(json.dumps(found, indent=2) if given.out == "json" else "\n".join(_summary(found)))
    if violation is not None:
        return 1
    return 130 if interrupted else 0


def _how_far(tally: Tally, seconds: float) -> str:
    rate = tally.schedules / seconds
    left_s = round((len(tally.seeds) - tally.schedules) / rate) if rate else 0
    return (
        f"{tally.schedules} of {len(tally.seeds)} schedules, {tally.taken_over} domains taken over, "
        f"{rate:.1f} schedules/s, {timedelta(seconds=left_s)} left"
    )


def _found(tally: Tally, seconds: float) -> dict[str, Any]:
    return {
        "from": tally.seeds.start,
        "next": tally.next,
        "schedules": tally.schedules,
        "taken_over": tally.taken_over,
        "seconds": round(seconds, 1),
        "schedules_per_second": round(tally.schedules / seconds, 1),
        "processor_ms": round(1000 * tally.processor_s / max(tally.schedules, 1), 2),
    }


def _summary(found: dict[str, Any]) -> Iterator[str]:
    yield (
        f"{found['schedules']} schedules in {found['seconds']} s: {found['schedules_per_second']} a second, "
        f"{found['processor_ms']} ms of processor for each, {found['taken_over']} domains taken over"
    )
    if found["violation"] is not None:
        yield _told(found["violation"])
    else:
        yield f"no rule was broken by the seeds from {found['from']} up to {found['next']}; on from there: --from {found['next']}"


def _blocks(tally: Tally, jobs: int, of_seed: Callable[[int], Case]) -> Iterator[Done]:
    """Blocks as they end, until one has broken a rule; as many are under way as there are processes, and one more."""
    seeds = tally.seeds
    begins = iter(range(seeds.start, seeds.stop, _BLOCK))
    with ProcessPoolExecutor(jobs, initializer=_leave_interrupts) as pool:
        under_way: set[Future[Done]] = set()
        while True:
            while tally.broken is None and len(under_way) <= jobs and (begin := next(begins, None)) is not None:
                under_way.add(pool.submit(_block, range(begin, min(begin + _BLOCK, seeds.stop)), of_seed))
            if not under_way:
                return
            ended, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in ended)


def _leave_interrupts() -> None:
    """To the process that tells how far it has come."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _block(seeds: range, of_seed: Callable[[int], Case]) -> Done:
    gc.collect()
    gc.disable()  # what a world leaves behind is little, and looking for it takes long
    began_s = time.process_time()
    taken_over = 0
    for done, seed in enumerate(seeds, 1):
        tried = trial.attempt(of_seed(seed))
        taken_over += tried.world.taken_over
        if tried.violation is not None:
            return Done(seeds, done, taken_over, time.process_time() - began_s, seed)
    return Done(seeds, len(seeds), taken_over, time.process_time() - began_s, None)


def _scenario(directory: Path) -> int:
    try:
        told = scenario.load(directory)
    except (OSError, scenario.Unreadable, SalternError) as error:
        print(error, file=sys.stderr)
        return 2
    lines = list(scenario.story(told))
    print("\n".join([told.text, "", *lines]))
    return 1 if lines[-1].startswith("BROKEN") else 0


# --- One -----------------------------------------------------------------------------------------------------------
def _replay(case: Case, out: str, progress: Progress) -> int:
    world, _, violation = trial.attempt(case)
    if violation is not None:
        found = _violation(case, progress)
        print(json.dumps(found, indent=2) if out == "json" else _told(found))
        return 1
    story = {"seed": case.seed, "nodes": case.nodes, "taken_over": world.taken_over, "story": world.log}
    print(json.dumps(story, indent=2) if out == "json" else "\n".join([*world.log, "no rule was broken"]))
    return 0


def _violation(case: Case, progress: Progress) -> dict[str, Any]:
    """What a broken rule is told with: its seed, the story, and the least that breaks it."""
    world, befell, violation = trial.attempt(case)
    assert violation is not None  # noqa: S101 - for the type checker
    befallen = replace(case, events=tuple(befell), ambushes=())  # in their time, whatever they had waited for
    least = shrink(befallen, trial.attempt, lambda smaller: progress.show(f"shrinking: {len(smaller.events)} events"))
    progress.end()
    shrunk, _, again = trial.attempt(least)
    return {
        "rule": violation.rule,
        "text": str(violation),
        "seed": case.seed,
        "nodes": case.nodes,
        "replay": case.replay,
        "story": world.log,
        "shrunk": {
            "text": str(again),
            "events": [_event(event) for event in least.events],
            "without": sorted(least.without),
            "story": shrunk.log,
        },
    }


def _event(event: Event) -> dict[str, Any]:
    return {"at": round(event.at_s, 3), event.what: list(event.who)}


def _told(found: dict[str, Any]) -> str:
    shrunk = found["shrunk"]
    lines = [
        f"BROKEN: {found['rule']}: {found['text']}",
        f"seed {found['seed']}, {found['nodes']} nodes; again: {found['replay']}",
        "",
        *found["story"],
        "",
        f"The least that breaks it, of {len(shrunk['events'])} events" + _left_out(shrunk["without"]),
        *(f"  {json.dumps(event)}" for event in shrunk["events"]),
        "",
        *shrunk["story"],
        f"         {shrunk['text']}",
    ]
    return "\n".join(lines)


def _left_out(without: list[str]) -> str:
    return f" (nothing is {', '.join(without)}):" if without else ":"


if __name__ == "__main__":
    sys.exit(main())
