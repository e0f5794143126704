"""Clusters through seeded schedules of faults, as many as wanted: `make soak N=...`."""

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
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
    """What has come of a block of seeds, up to the first one that broke a rule."""

    schedules: int
    taken_over: int
    broken: int | None


def main(arguments: list[str] | None = None) -> int:
    """Exit code 1 when a rule was broken."""
    given = _parser().parse_args(arguments)
    progress = Progress(sys.stderr, lambda: shutil.get_terminal_size().columns, time.monotonic)
    if given.scenario is not None:
        return _scenario(given.scenario)
    if given.seed is not None:
        return _replay(trial.of_seed(given.seed, given.nodes), given.out, progress)
    return _soak(given, progress)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m soak", description=__doc__)
    parser.add_argument("-n", type=_positive, default=1000, help="how many schedules (default: 1000)")
    parser.add_argument("--first", type=int, default=0, help="the seed of the first one (default: 0)")
    parser.add_argument("--jobs", type=_positive, default=os.cpu_count(), help="processes (default: one for each core)")
    parser.add_argument(
        "--nodes", type=int, choices=range(2, 7), help="in clusters of that size only (default: 2 to 6)"
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
    done = taken_over = 0
    broken: int | None = None
    for block in _blocks(given):
        done, taken_over = done + block.schedules, taken_over + block.taken_over
        broken = block.broken
        rate = done / (time.monotonic() - began_s)
        progress.show(f"{done} of {given.n} schedules, {taken_over} domains taken over, {rate:.1f} schedules/s")
        if broken is not None:
            break
    progress.end()
    seconds = time.monotonic() - began_s
    found: dict[str, Any] = {
        "schedules": done,
        "taken_over": taken_over,
        "seconds": round(seconds, 1),
        "schedules_per_second": round(done / seconds, 1),
        "jobs": given.jobs,
        "violation": None if broken is None else _violation(trial.of_seed(broken, given.nodes), progress),
    }
    if given.out == "json":
        print(json.dumps(found, indent=2))
    else:
        print(
            f"{done} schedules in {seconds:.0f} s: {found['schedules_per_second']} a second, {taken_over} domains taken over"
        )
        print("no rule was broken" if broken is None else _told(found["violation"]))
    return 0 if broken is None else 1


def _blocks(given: argparse.Namespace) -> Iterator[Done]:
    """Blocks as they end. As many are under way as there are processes, so that little is in vain when one breaks a rule."""
    seeds = range(given.first, given.first + given.n)
    begins = iter(range(seeds.start, seeds.stop, _BLOCK))
    with ProcessPoolExecutor(given.jobs) as pool:
        under_way: set[Future[Done]] = set()
        while True:
            while len(under_way) <= given.jobs and (begin := next(begins, None)) is not None:
                under_way.add(pool.submit(_block, range(begin, min(begin + _BLOCK, seeds.stop)), given.nodes))
            if not under_way:
                return
            ended, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in ended)


def _block(seeds: range, nodes: int | None) -> Done:
    taken_over = 0
    for done, seed in enumerate(seeds, 1):
        world, violation = trial.attempt(trial.of_seed(seed, nodes))
        taken_over += world.taken_over
        if violation is not None:
            return Done(done, taken_over, seed)
    return Done(len(seeds), taken_over, None)


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
    world, violation = trial.attempt(case)
    if violation is not None:
        found = _violation(case, progress)
        print(json.dumps(found, indent=2) if out == "json" else _told(found))
        return 1
    story = {"seed": case.seed, "nodes": case.nodes, "taken_over": world.taken_over, "story": world.log}
    print(json.dumps(story, indent=2) if out == "json" else "\n".join([*world.log, "no rule was broken"]))
    return 0


def _violation(case: Case, progress: Progress) -> dict[str, Any]:
    """What a broken rule is told with: its seed, the story, and the least that breaks it."""
    world, violation = trial.attempt(case)
    assert violation is not None  # noqa: S101 - for the type checker
    least = shrink(case, trial.attempt, lambda smaller: progress.show(f"shrinking: {len(smaller.events)} events"))
    progress.end()
    shrunk, again = trial.attempt(least)
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
