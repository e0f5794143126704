"""Nodes do as they did when whole stories were recorded: one command after the other, each from where the last one led."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from contract_steps import DNS_RES, VOLUMES, both_run, run_steps, synced, wait_for
from contract_target import Target, transcript
from contract_text import normal, words
from test_xen import FILES

Step = int | Callable[[Target], None]  # a recording, or what was done or waited for in between


@dataclass(frozen=True)
class Story:
    """What is recorded in ``steps``; in ``copying``, how many blocks are left is different every time."""

    steps: Sequence[Step]
    start: Callable[[Target], None] | None = synced
    copying: frozenset[int] = field(default_factory=frozenset)


def until(node: str, state: str) -> Step:
    return lambda target: wait_for(target, node, "drbdadm cstate dns", state + "\n")


def alike(target: Target) -> None:
    wait_for(target, "node1", "drbdadm dstate dns", "UpToDate/UpToDate\n")


def run(node: str, command: str) -> Step:
    return lambda target: run_steps(target, [(node, command)])


def slowly(target: Target) -> None:
    """Copying takes minutes from now on."""
    both_run(target, "drbdadm disk-options --c-plan-ahead=0 --resync-rate=1M dns")


def blank(target: Target) -> None:
    for node in ("node1", "node2"):
        target.write_file(node, "/etc/drbd.d/dns.res", DNS_RES)
    run_steps(target, VOLUMES)


def a_guest_whose_writes_wait(target: Target) -> None:
    """DRBD has suspended what a guest writes on node1: node2 is out of sight, and no handler says anything about it."""
    synced(target)
    for node in ("node1", "node2"):
        target.write_file(node, "/etc/drbd.d/dns.res", ASKS)
        target.write_file(node, "/etc/xen/dns-pvh.cfg", GUEST)
    both_run(target, "drbdadm adjust dns")
    run_steps(target, [("node1", "xl create /etc/xen/dns-pvh.cfg"), ("node1", "sleep 60")])
    target.cut_link()
    wait_for(target, "node1", "drbdadm cstate dns", "WFConnection\n")
    run_steps(target, [("node1", "sleep 5")])


ASKS = DNS_RES.replace("net {", "disk { fencing resource-and-stonith; } handlers { fence-peer /bin/false; } net {")
GUEST = FILES["/etc/xen/dns-pvh.cfg"]
SLOW = 'sed -i "s/net {/disk { c-plan-ahead 0; resync-rate 1M; } net {/" /etc/drbd.d/dns.res; drbdadm adjust dns'
VERIFY = 'sed -i "s/protocol C;/protocol C; verify-alg sha1;/" /etc/drbd.d/dns.res; drbdadm adjust dns'
ONE_BLOCK = "dd if=/dev/urandom of=/dev/drbd1 bs=4k count=1 seek=0 oflag=direct status=none"
NEW = "drbdadm down dns; drbdadm create-md --force dns; drbdadm up dns"

STORIES = {
    "two primaries are allowed by one node for both": Story(range(301, 310)),
    "volumes that grew apart are one size when they meet": Story(
        [
            run("node2", "drbdadm disconnect dns"),
            until("node1", "WFConnection"),
            *(311, 312, 313),
            until("node1", "Connected"),
            run("node1", "sleep 3"),
            *(314, 315, 316),
            alike,
            *(317, 318, 319),
        ]
    ),
    "a side that disconnects": Story([310]),
    "a secret is agreed on one node after the other": Story(
        [*range(320, 328), until("node2", "Connected"), *range(328, 333)]
    ),
    "a disk is detached and attached": Story(
        [340, 341, 342, alike, 343, 344, 345, alike, *range(346, 353), until("node1", "WFConnection"), 353]
    ),
    "an outdated disk meets its partner": Story([356]),
    "a source loses its disk while it is copied from": Story(
        [slowly, run("node1", "drbdadm secondary dns"), *range(357, 370)],
        copying=frozenset({358, 359, 360, 361, 363, 365}),
    ),
    "a synchronisation is paused": Story(
        [
            slowly,
            *(370, 371),
            until("node2", "WFConnection"),
            *range(372, 377),
            run("node1", "drbdadm disk-options --c-plan-ahead=20 --resync-rate=250k dns"),
            377,
            alike,
        ],
        copying=frozenset({374, 375}),
    ),
    "both sides are compared": Story(
        [run("node1", VERIFY), run("node2", VERIFY), slowly, 378, 379, 380], copying=frozenset({378, 379})
    ),
    "disks and sizes while the partner is away": Story(
        [
            run("node1", "dd if=/dev/urandom of=/dev/drbd1 bs=4k count=4 seek=2000 oflag=direct status=none"),
            run("node1", SLOW),
            461,
            alike,
            *range(462, 467),
            alike,
            467,
            slowly,
            468,
            alike,
            *range(469, 472),
        ],
        copying=frozenset({461, 468}),
    ),
    "a cable is pulled while both are Primary": Story(
        [
            *(run(node, "drbdadm net-options --allow-two-primaries=yes dns") for node in ("node1", "node2")),
            run("node2", "drbdadm primary dns"),
            run("node1", ONE_BLOCK),
            *(472, 473),
            lambda target: target.cut_link(),
            until("node1", "WFConnection"),
            until("node2", "WFConnection"),
            *range(474, 478),
            run("node1", ONE_BLOCK),
            lambda target: target.heal_link(),
            until("node1", "StandAlone"),
            until("node2", "StandAlone"),
            *range(478, 482),
        ]
    ),
    "a domain ends whose writes wait": Story(
        [
            *(491, 492, 493),
            lambda target: target.heal_link(),
            until("node1", "Connected"),
            alike,
            494,
        ],
        start=a_guest_whose_writes_wait,
        copying=frozenset({493}),
    ),
    "a Primary whose disk is gone writes on the other copy, and in sight of that only": Story(
        [
            *(496, 497),
            run("node1", ONE_BLOCK),
            lambda target: target.cut_link(),
            until("node1", "WFConnection"),
            *(498, 499),
            lambda target: target.heal_link(),
            until("node1", "Connected"),
            *(500, 501, 502),
            run("node1", ONE_BLOCK.replace("seek=0", "seek=5")),
            lambda target: target.cut_link(),
            until("node1", "WFConnection"),
            503,
            lambda target: target.heal_link(),
            until("node1", "PausedSyncT"),
            504,
            run("node1", "drbdadm resume-sync dns"),
            alike,
        ]
    ),
    "volumes with tags, and what lvcreate refuses": Story(range(450, 456), start=None),
    "volumes that are not active or in use": Story([lambda target: run_steps(target, VOLUMES), 456, 457], start=None),
    "domains that are not there": Story([458], start=None),
    "new metadata and who is forced": Story(
        [
            blank,
            *range(390, 396),
            run("node2", "drbdadm down dns; drbdadm create-md --force dns"),
            396,
            397,
            run("node1", NEW),
            run("node2", NEW),
            until("node1", "Connected"),
            slowly,
            *range(398, 405),
        ],
        start=None,
        copying=frozenset({394, 395, 397, 399, 400, 401, 404}),
    ),
}


@pytest.mark.parametrize("name", STORIES)
def test_a_story_goes_as_recorded(target: Target, name: str) -> None:
    story = STORIES[name]
    if story.start is not None:
        target.start(story.start)
    for step in story.steps:
        if callable(step):
            step(target)
            continue
        recorded = transcript(step)
        answer = target.run(recorded.node, recorded.command)
        exact = step not in story.copying
        told = (normal(answer.stdout, exact_sync=exact), words(answer.stderr), answer.returncode)
        expected = recorded.answer
        assert told == (normal(expected.stdout, exact_sync=exact), words(expected.stderr), expected.returncode), step
