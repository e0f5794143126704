"""Looking at a cluster again and again: how fast it goes, what has changed, and a screen that is renewed in place."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from saltern.status.answer import Tree
from saltern.status.text import operation_state_text, runs_on_text

# ECMA-48: the cursor to the upper left corner; erase the rest of the line; erase the rest of the screen.
_HOME: Final = "\033[H"
_END_OF_LINE: Final = "\033[K"
_END_OF_SCREEN: Final = "\033[J"
_PERCENT_STEP: Final = 10


def timed(status: Tree, earlier: Tree, elapsed_s: float) -> dict[str, Any]:
    """The same status with the speed of each synchronisation, from what was out of sync ``elapsed_s`` before."""
    domains = {
        name: {
            **domain,
            "disks": {
                device: {**disk, "bytes_per_s": _bytes_per_s(disk, _disk(earlier, name, device), elapsed_s)}
                for device, disk in domain["disks"].items()
            },
        }
        for name, domain in status["domains"].items()
    }
    return {**status, "domains": domains}


def _disk(status: Tree, domain: str, device: str) -> Tree:
    found: Tree = status["domains"].get(domain, {}).get("disks", {}).get(device, {})
    return found


def _bytes_per_s(disk: Tree, earlier: Tree, elapsed_s: float) -> float | None:
    """``None`` unless something was synchronised between the two looks."""
    now_bytes, before_bytes = disk["out_of_sync_bytes"], earlier.get("out_of_sync_bytes")
    if now_bytes is None or before_bytes is None or now_bytes >= before_bytes or elapsed_s <= 0:
        return None
    return float((before_bytes - now_bytes) / elapsed_s)


def remembered(status: Tree, seen: Mapping[str, str]) -> dict[str, Any]:
    """The same status, which says of silent nodes when they answered last; ``seen`` has that time by node."""
    nodes = {
        node: f"{state} (last at {seen[node]})" if state != "answers" and node in seen else state
        for node, state in status["nodes"].items()
    }
    return {**status, "nodes": nodes}


# --- Lines -------------------------------------------------------------------------------------------------------
def changes(now: Tree, earlier: Tree | None) -> Iterator[str]:
    """A line for each thing that is otherwise than on the last look; for everything that is so on the first one."""
    before, after = _facts(earlier) if earlier else {}, _facts(now)
    for about, text in after.items():
        if about not in before:
            yield f"{about}: {text}"
        elif before[about] != text:
            yield f"{about}: {text} (was: {before[about]})"
    yield from (f"{about}: over (was: {text})" for about, text in before.items() if about not in after)
    for title in ("wrong", "noticed"):
        old, new = earlier[title] if earlier else [], now[title]
        yield from (f"{title}: {text}" for text in new if text not in old)
        yield from (f"no longer {title}: {text}" for text in old if text not in new)


def _facts(status: Tree) -> dict[str, str]:
    facts = {f"node {node}": state for node, state in status["nodes"].items()}
    for name, domain in status["domains"].items():
        facts[f"domain {name}"] = _runs(domain)
        for disk in domain["disks"].values():
            facts[f"resource {disk['resource']}"] = _sides(disk)
            if disk["synchronised_percent"] is not None:
                percent = int(disk["synchronised_percent"]) // _PERCENT_STEP * _PERCENT_STEP
                facts[f"synchronisation of {disk['resource']}"] = f"{percent} %"
    for each in status["operations"]:
        facts[each["text"]] = operation_state_text(each)
    return facts


def _runs(domain: Tree) -> str:
    if domain["runs_on"]:
        return f"runs on {runs_on_text(domain)}"
    return "nobody can tell whether it runs" if domain["may_run_on"] else "runs nowhere"


def _sides(disk: Tree) -> str:
    return ", ".join(
        f"{node} {side['role']}/{side['disk']} {side['connection']}" for node, side in disk["sides"].items()
    )


# --- A screen ----------------------------------------------------------------------------------------------------
def screen(text: str, *, columns: int, rows: int) -> str:
    """What renews a terminal of that size in place; what it has no room for is cut off, and said to be."""
    lines = text.splitlines()
    room = rows - 1  # where the cursor stands afterwards
    if len(lines) > room:
        lines = [*lines[: room - 1], f"... and {len(lines) - room + 1} more lines"]
    return f"{_HOME}{''.join(f'{line[:columns]}{_END_OF_LINE}{chr(10)}' for line in lines)}{_END_OF_SCREEN}"
