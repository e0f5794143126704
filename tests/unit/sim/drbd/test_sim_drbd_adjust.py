"""What the simulated drbdadm 9 would adjust is what the installed one would, given the same kernel state."""

import os
import subprocess
from pathlib import Path

import pytest

from saltern.sim import drbd
from saltern.sim.model import BlockDevice
from saltern.sim.world import NodeSpec, World
from saltern.units import MIB

pytestmark = pytest.mark.needs_tool("drbdadm")


def configuration(
    *,
    net: str = "",
    disk: str = "",
    options: str = "",
    port: int = 7000,
    data: str = "/dev/vdc",
    meta: str = "/dev/vdd",
    minor: int = 1,
) -> str:
    hosts = "".join(
        f"  on h{number} {{ node-id {number - 1}; device minor {minor}; disk {data}; meta-disk {meta}; "
        f"address 127.0.0.{number}:{port}; }}\n"
        for number in (1, 2)
    )
    return (
        "global { usage-count no; disable-ip-verification; }\n"
        f"resource r {{ net {{ {net} }} disk {{ {disk} }} options {{ {options} }}\n{hosts}}}\n"
    )


FROM = {
    "plain": configuration(),
    "options": configuration(
        net='protocol A; ping-int 3; allow-two-primaries; shared-secret "a b"; cram-hmac-alg sha1; fencing resource-only; '
        "after-sb-0pri discard-least-changes; csums-alg crc32c; sndbuf-size 1M;",
        disk="on-io-error pass_on; disk-flushes no; al-extents 301; resync-rate 10M; c-plan-ahead 0; c-max-rate 30M;",
        options="auto-promote no; on-no-data-accessible suspend-io; quorum off; on-no-quorum io-error;",
    ),
    "slot of a shared meta-disk": configuration(meta="/dev/vdd[1]"),
    "internal metadata": configuration(meta="internal"),
}
TO = FROM | {
    "net": configuration(net="ping-int 5; protocol B;"),
    "disk": configuration(disk="on-io-error call-local-io-error; md-flushes no;"),
    "peer device": configuration(disk="resync-rate 20M;"),
    "resource": configuration(options="auto-promote no;"),
    "port": configuration(port=7001),
    "other disk": configuration(data="/dev/vde"),
    "other meta-disk": configuration(meta="/dev/vde"),
    "minor": configuration(minor=2),
    "everything": configuration(
        net="ping-int 5;", disk="al-extents 99; resync-rate 20M;", options="auto-promote no;", port=7001
    ),
}


def lines(text: str) -> list[str]:
    noise = ("PRETENDING", "__DRBD_NODE__", "modinfo: not found")
    return [line for line in text.splitlines() if line.strip() and not any(word in line for word in noise)]


def real_adjust(path: Path, shown: Path) -> list[str]:
    environment = os.environ | {
        "__DRBD_NODE__": "h1",
        "DRBD_DRIVER_VERSION_OVERRIDE": "9.2.12",
        "FAKE_DRBDSETUP_SHOW": str(shown),
    }
    command = ["drbdadm", "-c", str(path), "-d", "adjust", "r"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return lines(done.stdout)


@pytest.mark.parametrize("state", ["up", "disconnected", "diskless"])
@pytest.mark.parametrize("goal", TO)
@pytest.mark.parametrize("start", FROM)
def test_the_same_is_adjusted(tmp_path: Path, start: str, goal: str, state: str) -> None:
    world = World.create([NodeSpec(name="h1", address="127.0.0.1", drbd="9")])
    node = world.nodes["h1"]
    for name in ("vdc", "vdd", "vde"):
        node.devices[f"/dev/{name}"] = BlockDevice(512 * MIB)
    path, shown = tmp_path / "drbd.conf", tmp_path / "shown"

    def adm(*words: str) -> str:
        answer = drbd.run(world, "h1", ["drbdadm", "-c", str(path), *words, "r"])
        assert answer.returncode == 0, answer
        return answer.stdout

    node.files[str(path)] = (FROM[start], 0o644)
    adm("create-md")
    adm("up")
    if state != "up":
        adm({"disconnected": "disconnect", "diskless": "detach"}[state])
    shown.write_text(drbd.run(world, "h1", ["drbdsetup", "show"]).stdout)
    node.files[str(path)] = (TO[goal], 0o644)
    path.write_text(TO[goal])
    assert lines(adm("-d", "adjust")) == real_adjust(path, shown)
