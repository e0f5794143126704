"""The smallest cluster with a tie-breaker through everything that can happen to it, as in ``soak/small.py``: by quorum.

What is bounded besides: a node takes the same time always until it notices that a connection is dead. So there are several
searches, by who is late; all others notice soon.
"""

import argparse
import sys
import time
from itertools import combinations
from typing import Any, ClassVar, Final

from saltern.guard.times import Times
from soak.quorate import QuorumWorld
from soak.quorum import TIE_BREAKER
from soak.small import FATES, ONE, OTHER, Calm, Done, SmallWorld, explore, fixed

TIMES: Final = Times(
    beat_s=1.0, dead_s=1.5, lease_s=4.0, watchdog_s=2.0, detect_s=2.0, takeover_s=9.0, margin_s=1.0, drift=0.0
)
_ALL: Final = (ONE, OTHER, TIE_BREAKER)
_TAKES_S: Final = {"drbd": 0.5, "look": 1.0, "promote": 0.2}
_SOON_S: Final = 0.1
_LATE_S: Final = TIMES.detect_s - 1.0
_MESSAGES: Final[Done] = (("cut", (ONE, OTHER)), ("cut", (OTHER, ONE)))


def _link(one: str, other: str) -> Done:
    return (("part", (one, other)),)


FAULTS: Final[dict[str, Done]] = {
    **{f"{name} is off": (("power_off", (name,)),) for name in _ALL},
    **{f"{name} is frozen": (("freeze", (name,)),) for name in _ALL},
    **{f"the guard of {name} is dead": (("kill", (name,)),) for name in (ONE, OTHER)},
    f"the domain of {ONE} does not die": (("stick", (ONE,)),),
    "no message gets through": _MESSAGES,
    "the nodes are separated": _MESSAGES + _link(ONE, OTHER),
    f"{ONE} is isolated": _MESSAGES + _link(ONE, OTHER) + _link(ONE, TIE_BREAKER),
    f"{OTHER} is isolated": _MESSAGES + _link(ONE, OTHER) + _link(OTHER, TIE_BREAKER),
    "the tie-breaker is isolated": _link(ONE, TIE_BREAKER) + _link(OTHER, TIE_BREAKER),
    **{f"{one} and {other} are cut off": _link(one, other) for one, other in combinations(_ALL, 2)},
}
EVERYTHING: Final = frozenset({*FAULTS, *FATES})


class AllSoon(Calm):
    """Everybody notices a loss soon, but for those who are ``late``: they take as long as may be."""

    late: ClassVar[frozenset[str]] = frozenset()

    def __getitem__(self, purpose: tuple[str, ...]) -> Any:
        if purpose[0] == "notice":
            return fixed(_LATE_S if purpose[-1] in self.late else _SOON_S)
        return fixed(_TAKES_S[purpose[0]]) if purpose[0] in _TAKES_S else super().__getitem__(purpose)


class OneLate(AllSoon):
    """The home of the domain is late."""

    late = frozenset({ONE})


class OtherLate(AllSoon):
    """Its partner is, and the tie-breaker."""

    late = frozenset({OTHER, TIE_BREAKER})


NOTICING: Final = (AllSoon, OneLate, OtherLate)


class SmallTie(SmallWorld, QuorumWorld):
    """Two nodes, one domain, and a tie-breaker. It is told its ``TIMES``."""

    faults = FAULTS


def main(arguments: list[str] | None = None) -> int:
    """Exit code 1 when a rule was broken."""
    parser = argparse.ArgumentParser(prog="python -m soak.small_tie", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--faults", type=int, default=1, help="how many there are on one way at most (default: 1)")
    parser.add_argument(
        "--only", choices=sorted(EVERYTHING), action="append", help="of all that can happen only this; several times"
    )
    given = parser.parse_args(arguments)
    for noise in NOTICING:
        for stops in (False, True):
            began_s = time.process_time()
            only = frozenset(given.only or EVERYTHING)
            found = explore(given.faults, stops, only, kind=SmallTie, noise=noise, times=TIMES)
            took_s = time.process_time() - began_s
            clock = "stops" if stops else "goes on"
            print(
                f"{found.states} states in {took_s:.0f} s of processor ({noise.__name__}, a frozen clock {clock})",
                flush=True,
            )
            if found.violation is not None:
                print("\n".join(["", *found.story, f"         BROKEN: {found.violation.rule}: {found.violation}"]))
                return 1
    print("no rule was broken")
    return 0


if __name__ == "__main__":
    sys.exit(main())
