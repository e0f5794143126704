"""`salt-run state.orch remake` on real nodes: copies go to another volume group, guests move with them, what was named goes."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from applying import LEFT_AFTER_S, converge, is_up_to_date, orchestrate, orchestrating
from by_hand import Watched, assert_nobody_lives_twice
from guests import running

from lab.cluster import NODES, Lab

FORMER, OTHER = "XEN", "OTHER"
NAMED = ["mail", "router@node2", "dns@node2", "vpn@node2"]
LEFT = {"router": "node1", "dns": "node1", "vpn": "node2"}


def add_volume_group(lab: Lab) -> None:
    """A second volume group on node2. LVM looks into no volume for one, but into a loop device."""
    lab.on("node2", f"modprobe loop && lvcreate --name other --size 440M {FORMER}")
    lab.on("node2", f"vgcreate {OTHER} $(losetup --show --find /dev/{FORMER}/other)")


def change(lab: Lab, before: Path) -> None:
    """All copies of node2 are to be in the other volume group, and mail is to go; the topology of before is kept."""
    topology = lab.master.pillar / "saltern"
    shutil.copytree(topology, before)
    pillar: dict[str, Any] = yaml.safe_load((topology / "init.sls").read_text(encoding="utf-8"))
    pillar["saltern"]["nodes"]["node2"] |= {"volume_group": OTHER, "volume_group_size": "436M"}
    del pillar["saltern"]["domains"]["mail"]
    (topology / "init.sls").write_text(yaml.safe_dump(pillar), encoding="utf-8")


def volumes(lab: Lab, node: str, group: str) -> set[str]:
    return set(lab.on(node, f"lvs --noheadings -o lv_name {group}").stdout.split())


@pytest.mark.parametrize("interrupted", [False, True], ids=["at one go", "killed while the first copy is made"])
def test_copies_go_to_another_volume_group_and_what_was_named_is_gone(
    converged: Lab, tmp_path: Path, *, interrupted: bool
) -> None:
    watched = {guest: Watched(converged, guest, node) for guest, node in LEFT.items()}
    add_volume_group(converged)
    before = tmp_path / "before"
    change(converged, before)
    wanted = {"before": str(before), "destroy": NAMED}

    if interrupted:
        with orchestrating(converged, "remake", **wanted):
            converged.on("node2", f"until lvs {OTHER}/meta; do sleep 0.2; done > /dev/null 2>&1", timeout_s=900)
        assert_nobody_lives_twice(converged)
        converged.on("node2", f"sleep {LEFT_AFTER_S}", timeout_s=LEFT_AFTER_S + 60)
    told = orchestrate(converged, "remake", **wanted)

    assert "vpn: as AFTER says" in told, told
    assert {node: running(converged, node) for node in NODES} == {"node1": ["dns", "router"], "node2": ["vpn"]}
    assert is_up_to_date(converged)
    assert volumes(converged, "node2", FORMER) == {"other", "meta"}  # a shared meta-disk is left to a person
    assert {"dns", "meta", "router", "router_meta", "vpn", "vpn_meta"} == volumes(converged, "node2", OTHER)
    assert not {"mail", "mail-xvdb"} & volumes(converged, "node1", FORMER)
    converge(converged)
    for guest, node in LEFT.items():
        watched[guest].assert_goes_on(node)
