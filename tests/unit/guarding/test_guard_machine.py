"""What stands around the guard on a real node: its watchdog, the file that starts it, its units."""

import configparser
import ctypes
import errno
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from saltern.errors import FileError
from saltern.guarding import watchdog
from saltern.guarding.store import GuardStore
from saltern.guarding.watchdog import XenWatchdog
from saltern.render import guard_script, guard_unit
from saltern.run import LocalHost

CHECKOUT = Path(__file__).parents[3]


# --- Xen's watchdog --------------------------------------------------------------------------------------------------------
class Xen:
    """The two timers that Xen has for a domain (xen/common/sched/core.c, domain_watchdog)."""

    def __init__(self) -> None:
        self.timers: dict[int, int] = {}

    def xc_interface_open(self, *_: object) -> int:
        return 1

    def xc_watchdog(self, _: int, number: int, timeout_s: int) -> int:
        if number == 0:
            free = [each for each in (1, 2) if each not in self.timers]
            if not free:
                return self._fail(errno.ENOSPC)
            self.timers[free[0]] = timeout_s
            return free[0]
        if number not in self.timers:
            return self._fail(errno.EINVAL)
        if timeout_s:
            self.timers[number] = timeout_s
        else:
            del self.timers[number]
        return 0

    def _fail(self, number: int) -> int:
        ctypes.set_errno(number)
        return -1


@pytest.fixture
def host(tmp_path: Path) -> LocalHost:
    made = LocalHost(root=str(tmp_path))
    made.write_text("/proc/sys/kernel/random/boot_id", "one\n", 0o444)
    made.write_text("/sys/hypervisor/version/major", "4\n", 0o444)
    made.write_text("/sys/hypervisor/version/minor", "17\n", 0o444)
    return made


@pytest.fixture
def xen(monkeypatch: pytest.MonkeyPatch) -> Xen:
    made = Xen()

    def load(name: str, use_errno: bool) -> Any:
        assert (name, use_errno) == ("libxenctrl.so.4.17", True)
        functions = {each: _function(getattr(made, each)) for each in ("xc_interface_open", "xc_watchdog")}
        return SimpleNamespace(**functions)

    monkeypatch.setattr(watchdog.ctypes, "CDLL", load)
    return made


def _function(call: Any) -> Any:
    """As ctypes has it: with attributes for its types."""

    def function(*arguments: Any) -> Any:
        return call(*arguments)

    return function


def armed(host: LocalHost) -> XenWatchdog:
    return XenWatchdog(host, GuardStore(host, lambda: 1.0))


def test_one_timer_is_made_and_wound_up_again(host: LocalHost, xen: Xen) -> None:
    made = armed(host)
    made.wind_up(8)
    made.wind_up(9)
    assert xen.timers == {1: 9}


def test_a_guard_that_is_started_again_goes_on_with_the_same_timer(host: LocalHost, xen: Xen) -> None:
    armed(host).wind_up(8)
    armed(host).wind_up(9)
    assert xen.timers == {1: 9}


def test_a_timer_that_somebody_else_has_is_left_alone(host: LocalHost, xen: Xen) -> None:
    xen.timers[1] = 30
    made = armed(host)
    made.wind_up(8)
    made.disarm()
    assert xen.timers == {1: 30}


def test_a_timer_that_was_taken_away_is_made_again(host: LocalHost, xen: Xen) -> None:
    made = armed(host)
    made.wind_up(8)
    xen.timers.clear()
    made.wind_up(8)
    assert xen.timers == {1: 8}


def test_what_was_disarmed_is_not_known_any_more(host: LocalHost, xen: Xen) -> None:
    made = armed(host)
    made.wind_up(8)
    made.disarm()
    assert xen.timers == {}
    xen.timers[1] = 30  # somebody else's, since
    armed(host).wind_up(8)
    assert xen.timers == {1: 30, 2: 8}


def test_without_a_timer_nothing_is_guarded(host: LocalHost, xen: Xen) -> None:
    xen.timers.update({1: 30, 2: 30})
    with pytest.raises(FileError, match="both timers are in use"):
        armed(host).wind_up(8)


def test_a_machine_without_xen_is_told(tmp_path: Path) -> None:
    made = LocalHost(root=str(tmp_path))
    made.write_text("/proc/sys/kernel/random/boot_id", "one\n", 0o444)
    with pytest.raises(FileError, match="does not run Xen"):
        armed(made)


# --- Files ------------------------------------------------------------------------------------------------------------------
def test_the_script_finds_the_core_beside_itself(tmp_path: Path) -> None:
    script = tmp_path / "guard"
    script.write_text(guard_script.render().replace("/usr/bin/python3", sys.executable))
    script.chmod(guard_script.MODE)
    (tmp_path / "saltern").symlink_to(CHECKOUT / "src" / "saltern")
    done = subprocess.run(
        [script, "fence-peer", "--patience", "0"], capture_output=True, text=True, check=False, env={}
    )
    assert (done.returncode, "DRBD_RESOURCE is not set" in done.stderr) == (1, True)


def unit() -> configparser.ConfigParser:
    found = configparser.ConfigParser(strict=False)
    found.optionxform = str  # type: ignore[assignment,method-assign]
    found.read_string(guard_unit.render())
    return found


def test_the_guard_is_always_started_again_and_has_nothing_to_do_with_salt() -> None:
    found = unit()
    assert found["Service"]["ExecStart"] == "/usr/lib/saltern/guard guard"
    assert found["Service"]["Restart"] == "always"
    assert found["Unit"]["StartLimitIntervalSec"] == "0"
    assert found["Service"]["RuntimeDirectoryPreserve"] == "yes"
    related = " ".join(
        found["Unit"].get(key, "") for key in ("After", "Before", "Wants", "Requires", "PartOf", "BindsTo")
    )
    assert "salt" not in related


def test_nothing_that_a_boot_makes_later_keeps_the_guard_from_being_started() -> None:
    text = guard_unit.render()
    conditions = [line.partition("=")[2] for line in text.splitlines() if line.startswith("Condition")]
    assert conditions == [
        "/etc/saltern/guard.json",
        "/sys/hypervisor/version/major",
    ]  # a file of ours, one of the kernel's
    after = next(line for line in text.splitlines() if line.startswith("After=")).partition("=")[2].split()
    assert {"xen.service", "xenstored.service"} <= set(after)  # Debian's, and that of Xen itself


def test_the_end_of_the_guard_ends_nothing_that_it_has_started() -> None:
    found = unit()["Service"]
    assert (found["KillMode"], found["TimeoutStopSec"], found["OOMPolicy"]) == ("process", "infinity", "continue")
