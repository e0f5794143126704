"""When DRBD is told to ask the guard about a resource."""

import json
from dataclasses import replace

import pytest
from nodes import USED, lvm, pair_slice, running, view

from saltern.errors import ParseError
from saltern.guard.times import Times
from saltern.model.action import AdjustResource, WriteFile
from saltern.model.desired import GuardSpec, NodeSlice, resource_file
from saltern.model.places import DRBD_HELPER, GUARD_SETTINGS
from saltern.model.running import Generation
from saltern.model.topology import Witness
from saltern.plan import fencing
from saltern.plan.project import configuration
from saltern.plan.step import Step, Wait
from saltern.render import drbd_resource
from saltern.units import GIB, MIB

GUARD = GuardSpec(
    address="192.168.1.190",
    port=7780,
    partners={"dom0m": "192.168.1.191"},
    witness=Witness(minion="master", address="192.168.1.10", port=7781),
    fencing={},
    times=Times(),
)
SLICE = replace(pair_slice(), guard=GUARD)
DNS = SLICE.resources["dns"]
VOLUMES = lvm({"dns": (GIB, set()), "dns_meta": (4 * MIB, set())})
PLAIN, ASKING = (drbd_resource.render(DNS, Generation.V84, guarded=guarded) for guarded in (False, True))


def settings(*resources: str) -> str:
    return json.dumps({"domains": [{"name": "dns", "resources": list(resources)}]})


def step(
    told: str | None,
    text: str = PLAIN,
    node_slice: NodeSlice = SLICE,
    helper: str | None = "/sbin/drbdadm\n",
    **more: object,
) -> Step | Wait:
    files = {GUARD_SETTINGS: told, resource_file("dns"): text, DRBD_HELPER: helper}
    return fencing.step(DNS, node_slice, view(files=files, **more))


def test_it_is_written_then_adjusted() -> None:
    first = step(settings("dns"))
    assert isinstance(first, Step)
    assert first.actions == (WriteFile(path=resource_file("dns"), text=ASKING, mode=0o600),)
    up = {"resources": running(), "volumes": VOLUMES, "metadata": USED, "configured": {"dns": configuration(DNS)}}
    then = step(settings("dns"), ASKING, adjustments={"dns": ("drbdsetup-84 disk-options 1 --fencing=...",)}, **up)
    assert isinstance(then, Step)
    assert then.actions == (AdjustResource(resource="dns"),)
    last = step(settings("dns"), ASKING, **up)
    assert isinstance(last, Step)
    assert last.actions == ()


def test_a_guard_that_is_told_nothing_is_waited_for() -> None:
    assert isinstance(step(None), Wait)


def test_a_disk_that_the_guard_is_not_told_of_stays_as_it_is_and_the_reason_is_told() -> None:
    found = step(settings("mail"))
    assert isinstance(found, Step)
    assert (found.actions, "dom0m has not told its key" in str(found.warning)) == ((), True)


def test_without_takeover_nothing_is_to_be_done() -> None:
    found = step(None, node_slice=pair_slice())
    assert isinstance(found, Step)
    assert found.actions == ()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"domains": [{"resources": [1]}]}', '{"domains": [{}]}'])
def test_settings_that_are_none_are_not_taken_for_a_guard_that_knows_nothing(text: str) -> None:
    with pytest.raises(ParseError):
        step(text)


def test_by_quorum_drbd_asks_nobody() -> None:
    found = step(settings("dns"), node_slice=replace(SLICE, guard=replace(GUARD, witness=None, quorum=True)))
    assert isinstance(found, Step)
    assert (found.actions, "quorum" in found.comment) == ((), True)
