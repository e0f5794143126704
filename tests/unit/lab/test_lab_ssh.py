"""How a command goes to a node: quoted once, limited in time there, its end told. A stand-in for ssh runs it here."""

import time
from pathlib import Path

import pytest

from lab import ssh as lab_ssh
from lab.errors import CommandFailed, TimedOut
from lab.ssh import Ssh

# The last word is what sshd hands to the shell of root. What asks for a connection is written down, and gets a file.
SSH = """#!/bin/bash
for word; do case $word in ControlPath=*) control=${word#ControlPath=} ;; esac; done
case " $* " in
*" -M "*) echo made >> "$LOG"; touch "$control"; exit ;;
*" -O exit "*) echo closed >> "$LOG"; rm -f "$control"; exit ;;
esac
exec bash -c "${@: -1}"
"""


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "ssh"
    program.write_text(SSH)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    monkeypatch.setenv("SALTERN_LAB_PATIENCE", "1")
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    return tmp_path / "log"


@pytest.fixture
def ssh(tmp_path: Path, log: Path) -> Ssh:
    return Ssh("node1", 2222, tmp_path / "key", tmp_path / "known_hosts", tmp_path / "control")


def test_a_line_of_shell_arrives_as_it_was_written(ssh: Ssh) -> None:
    line = """a="two  words"; echo "$a" 'it''s' | tr a-z A-Z; echo $((1 + 1)) >&2"""
    answer = ssh.run(line, timeout_s=60, check=True)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "TWO  WORDS ITS\n", "2\n")


def test_what_is_given_to_a_command_is_its_standard_input(ssh: Ssh) -> None:
    assert ssh.run("cat", timeout_s=60, check=True, stdin="text\n").stdout == "text\n"


def test_without_anything_given_a_command_finds_the_end_of_its_input(ssh: Ssh) -> None:
    assert ssh.run("cat", timeout_s=60, check=True).stdout == ""


def test_a_failure_names_node_command_and_what_was_said(ssh: Ssh) -> None:
    with pytest.raises(CommandFailed, match=r"(?s)node1: `echo no >&2; exit 3` ended with 3.*no") as failed:
        ssh.run("echo no >&2; exit 3", timeout_s=60, check=True)
    assert failed.value.returncode == 3


def test_a_failure_that_is_expected_is_an_answer(ssh: Ssh) -> None:
    assert ssh.run("exit 3", timeout_s=60, check=False).returncode == 3


def test_a_command_that_takes_too_long_is_ended_on_the_node_with_what_it_has_started(ssh: Ssh, tmp_path: Path) -> None:
    line = f"sleep 1000 & echo $! > {tmp_path}/child; echo begun; wait"
    with pytest.raises(TimedOut, match=r"(?s)node1.*was ended after 1 s.*begun"):
        ssh.run(line, timeout_s=1, check=False)
    child = Path("/proc") / (tmp_path / "child").read_text().strip() / "stat"
    deadline = time.monotonic() + 30
    while child.exists() and ") Z" not in child.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_exit_code_that_looks_like_a_timeout_but_came_in_time_is_an_answer(ssh: Ssh) -> None:
    assert ssh.run(f"exit {lab_ssh.TIMED_OUT}", timeout_s=60, check=False).returncode == lab_ssh.TIMED_OUT


def test_one_connection_serves_all_commands_until_it_is_closed(ssh: Ssh, log: Path) -> None:
    for _ in range(3):
        ssh.run("true", timeout_s=60, check=True)
    ssh.disconnect()
    ssh.disconnect()
    ssh.run("true", timeout_s=60, check=True)
    assert log.read_text().split() == ["made", "closed", "made"]
