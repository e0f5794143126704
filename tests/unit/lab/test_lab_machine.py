"""What a machine is started with: its ports, its disks, and nothing of either in what its snapshots depend on."""

from itertools import pairwise
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.machine import Machine, Wiring, hardware


def machine(directory: Path, number: int = 1, port: int = 10000) -> Machine:
    wiring = Wiring(port, port + 1, port + 2, port + 3, port + 4, port + 5, port + 6, directory / "sockets")
    return Machine(number, directory / "image", directory / "run", wiring)


def options(words: list[str], name: str) -> list[str]:
    return [value for option, value in pairwise(words) if option == name]


def test_nothing_listens_but_on_loopback_and_nothing_leaves_the_machine(tmp_path: Path) -> None:
    outside, link = options(machine(tmp_path).argv(), "-netdev")
    assert "restrict=on" in outside
    assert "hostfwd=tcp:127.0.0.1:10000-:22" in outside
    assert link == "socket,id=link,udp=127.0.0.1:10002,localaddr=127.0.0.1:10001"


def test_a_node_finds_the_master_on_the_ports_that_salt_uses_by_default(tmp_path: Path) -> None:
    outside, _ = options(machine(tmp_path).argv(), "-netdev")
    assert "guestfwd=tcp:10.0.2.100:4505-cmd:socat - TCP4:127.0.0.1:10003" in outside
    assert "guestfwd=tcp:10.0.2.100:4506-cmd:socat - TCP4:127.0.0.1:10004" in outside


def test_a_node_finds_the_witness_at_the_port_that_is_the_default_of_a_topology(tmp_path: Path) -> None:
    outside, _ = options(machine(tmp_path).argv(), "-netdev")
    assert "guestfwd=tcp:10.0.2.100:7781-cmd:socat - TCP4:127.0.0.1:10005" in outside


def test_a_directory_may_have_a_comma_in_its_name(tmp_path: Path) -> None:
    root, data = options(machine(tmp_path / "a,b").argv(), "-drive")
    assert f"file={tmp_path}/a,,b/run/node1.root,if=none" in root
    assert f"file={tmp_path}/a,,b/run/node1.data,if=none" in data


def test_snapshots_do_not_depend_on_ports_or_directories(tmp_path: Path) -> None:
    words = " ".join(hardware(1))
    assert str(tmp_path) not in words
    assert "1000" not in words
    argv = machine(tmp_path).argv()
    assert argv[-len(hardware(1)) :] == hardware(1)


def test_new_disks_are_the_image_and_an_empty_one_and_are_known_to_come_from_it(tmp_path: Path) -> None:
    image(tmp_path)
    node = machine(tmp_path)
    (tmp_path / "run").mkdir()
    assert not node.has_disks
    node.new_disks()
    assert node.has_disks
    assert node.root_disk.read_bytes() == b"root" + bytes(1 << 20)
    assert node.data_disk.stat().st_size == 2 * 1024**3
    assert node.data_disk.stat().st_blocks == 0


def test_disks_of_another_image_are_not_used(tmp_path: Path) -> None:
    image(tmp_path)
    node = machine(tmp_path)
    (tmp_path / "run").mkdir()
    node.new_disks()
    (tmp_path / "image" / "base.img").write_bytes(b"another root")
    assert not node.has_disks


def image(directory: Path) -> None:
    (directory / "image").mkdir()
    for name in ("xen", "vmlinux", "initrd.img"):
        (directory / "image" / name).write_bytes(b"")
    (directory / "image" / "base.img").write_bytes(b"root" + bytes(1 << 20))


def test_a_node_is_not_booted_from_disks_that_are_half_written(tmp_path: Path) -> None:
    image(tmp_path)
    node = machine(tmp_path)
    (tmp_path / "run").mkdir()
    node.new_disks()
    node.unmark_disks()
    with pytest.raises(
        LabError, match="node1 has no whole disks of this image; `lab reinstall node1` gives it new ones"
    ):
        node.start()


def test_the_end_of_the_console_is_shown_with_the_place_of_all_of_it(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    node = machine(tmp_path)
    node.console.write_text("".join(f"line {number}\r\n" for number in range(100)))
    (tmp_path / "run" / "node1.qemu.log").write_text("qemu-system-x86_64: no such disk\n")
    told = node.console_tail(lines=2)
    assert str(node.console) in told
    assert "line 97" not in told
    assert "line 98\nline 99" in told
    assert "no such disk" in told


def test_a_machine_that_was_never_started_does_not_run(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    assert not machine(tmp_path).running
    machine(tmp_path).cut_power()


@pytest.mark.parametrize("flag", ["-smap", "-smep", "-xsave", "-avx"])
def test_the_processor_lacks_what_makes_dom0_crash_or_lose_registers(flag: str) -> None:
    (processor,) = options(hardware(1), "-cpu")
    assert flag in processor.split(",")


# `info registers` of QEMU 7.2, in part: while dom0 runs, and while a guest does.
DOM0 = "TR =e040 ffff82d040579040 00000067 00008900\nGDT=     ffff820000000000 0000efff\nIDT=     ffff82d040577000 00000fff\n"
GUEST = "TR =0040 fffffe0000003000 00004087 00008900\nGDT=     fffffe0000001000 0000007f\nIDT=     fffffe0000000000 00000fff\n"


class Processor:
    """A monitor of a machine whose processor is a guest's at first, as often as told."""

    def __init__(self, in_guest: int) -> None:
        self.in_guest = in_guest
        self.running = True

    def __enter__(self) -> "Processor":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def execute(self, command: str, **arguments: object) -> str:
        if command == "human-monitor-command":
            assert not self.running
            self.in_guest -= 1
            return GUEST if self.in_guest >= 0 else DOM0
        self.running = command == "cont"
        return ""


@pytest.fixture
def processor(monkeypatch: pytest.MonkeyPatch) -> Processor:
    found = Processor(3)
    monkeypatch.setattr("lab.machine.STOP_PAUSE_S", 0)
    monkeypatch.setattr(Machine, "monitor", lambda self: found)
    return found


def test_a_machine_is_frozen_while_no_guest_has_its_processor_since_qemu_does_not_load_that(
    tmp_path: Path, processor: Processor
) -> None:
    machine(tmp_path).stop()
    assert not processor.running
    assert processor.in_guest == -1


def test_a_machine_that_is_always_in_a_guest_goes_on_and_that_is_told(tmp_path: Path, processor: Processor) -> None:
    processor.in_guest = 1000
    with pytest.raises(LabError, match="node1: at 400 moments in a row"):
        machine(tmp_path).stop()
    assert processor.running
