"""A migration that is interrupted in its middle: at most one live guest, no record lost, and a way back that is told.

Without the block script an interruption leaves `(null)` domains and two Primaries behind (recordings 229-236).
"""

from collections.abc import Callable

import pytest
from applying import apply, converge, failures, replicas, wait_until_up_to_date
from by_hand import (
    Domain,
    Watched,
    assert_nobody_lives_twice,
    assert_settled,
    begin_to_watch,
    create,
    domains,
    other,
    witnessed,
)
from guests import gaps, records, running, served, wait_for_another_record, wait_until_answering

from lab.cluster import NODES, Lab

SOURCE, TARGET = NODES
UUID = "b7c66222-0343-58cd-b84f-2e00339591c5"  # of dns
MIGRATION = "/run/migration"  # nothing of it is left after a boot
# Whoever waits on the node itself is there in time: the moments are short.
MOMENTS = {
    "while its memory is copied": "until xl domid dns--incoming; do sleep 0.1; done",
    "while both sides are Primary": "until grep ro:Primary/Primary /proc/drbd; do sleep 0.02; done",
}
FAULTS: dict[str, Callable[[Lab], object]] = {
    "the source loses its power": lambda lab: lab.power_cut(SOURCE),
    "the target loses its power": lambda lab: lab.power_cut(TARGET),
    "the cable is pulled": lambda lab: lab.cut_link(),
    "xl is killed": lambda lab: lab.on(SOURCE, f"kill -9 $(cat {MIGRATION}.pid)"),
}
PATIENCE_S = 60


def begin_migration(lab: Lab) -> None:
    """``xl migrate`` in a terminal of its own on the source."""
    line = f"xl migrate dns {TARGET} > {MIGRATION}.log 2>&1 & echo $! > {MIGRATION}.pid; wait $!; echo $? > {MIGRATION}.exit"
    lab.write_file(SOURCE, f"{MIGRATION}.sh", line)
    lab.on(SOURCE, f"setsid --fork bash {MIGRATION}.sh < /dev/null > /dev/null 2>&1")


def wait_for_moment(lab: Lab, moment: str) -> None:
    lab.on(TARGET, f"{{ {MOMENTS[moment]}; }} > /dev/null 2>&1")


def has_ended(lab: Lab) -> bool:
    return lab.on(SOURCE, f"test -e {MIGRATION}.exit", check=False).returncode == 0


def end_migration(lab: Lab) -> None:
    """Wait for ``xl migrate``; a person who sees nothing happen for a minute ends it."""
    wait = f"for second in $(seq {PATIENCE_S}); do test -e {MIGRATION}.exit && exit; sleep 1; done"
    lab.on(SOURCE, f"test ! -e {MIGRATION}.pid && exit; {wait}; kill $(cat {MIGRATION}.pid)")


def found(lab: Lab) -> dict[str, list[Domain]]:
    """What is left of dns on each node."""
    return {node: [each for each in domains(lab, node) if each.uuid == UUID or each.name == "(null)"] for node in NODES}


def live_on(lab: Lab) -> list[str]:
    """The nodes where dns lives."""
    return [node for node, left in found(lab).items() if any(each.live for each in left)]


def clear(lab: Lab) -> None:
    """A person who has looked at both nodes ends what does not live any more."""
    for node, left in found(lab).items():
        for each in left:
            if not each.live:
                lab.on(node, f"xl destroy {each.domid}", check=False)


def settle(lab: Lab) -> None:
    """A person decides a split-brain: the data are kept where the guest lives, or at home."""
    if not any("cs:StandAlone" in replicas(lab, node)["1"] for node in NODES):
        return
    kept = [*live_on(lab), SOURCE][0]
    lab.on(other(kept), "drbdadm disconnect dns; drbdadm secondary dns && drbdadm connect --discard-my-data dns")
    lab.on(kept, "drbdadm disconnect dns; drbdadm connect dns")


def test_a_domain_on_its_way_is_not_started_a_second_time(converged: Lab) -> None:
    dns = Watched(converged, "dns", SOURCE)
    begin_migration(converged)
    wait_for_moment(converged, "while its memory is copied")

    refused = create(converged, TARGET, "dns")

    assert refused.returncode != 0
    converged.wait_until(lambda: has_ended(converged), "the migration ends")
    assert_settled(converged, "dns", TARGET)
    assert running(converged, TARGET) == ["dns", "mail", "vpn"]
    dns.assert_goes_on(TARGET)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("fault", FAULTS)
def test_one_guest_with_all_its_records_is_left_of_an_interrupted_migration(
    converged: Lab, fault: str, moment: str
) -> None:
    begin_to_watch(converged, "dns")
    begin_migration(converged)
    wait_for_moment(converged, moment)

    FAULTS[fault](converged)

    assert_nobody_lives_twice(converged)
    end_migration_while_broken = fault != "the source loses its power"
    if end_migration_while_broken:
        end_migration(converged)
        assert_nobody_lives_twice(converged)
    converged.heal_link()
    converged.up()
    assert_nobody_lives_twice(converged)
    told = failures(apply(converged))
    assert_nobody_lives_twice(converged)
    if live_on(converged) == []:
        assert any("domain dns" in comment for states in told.values() for comment in states.values())
    clear(converged)
    settle(converged)
    converge(converged)

    assert_nobody_lives_twice(converged)
    (node,) = live_on(converged)
    wait_until_up_to_date(converged)
    assert_settled(converged, "dns", node)
    wait_until_answering(converged, ["dns"], node=node)
    wait_for_another_record(converged, ["dns"], node=node)
    assert witnessed(converged) <= set((served(converged, "dns", "counter", node=node) or "").splitlines())
    assert gaps(records(converged, "dns", node=node)) == []
