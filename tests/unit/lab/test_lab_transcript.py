"""What is recorded on a node is what the contract reads."""

from pathlib import Path
from typing import cast

from lab import transcript
from lab.cluster import Lab
from lab.ssh import Answer


class Recorded:
    """A lab that answers everything in the same way."""

    def on(self, node: str, command: str, *, check: bool) -> Answer:
        assert (node, command, check) == ("node2", "lvs; echo $?", False)
        return Answer(5, "out\n", "err\n")


def test_a_recording_gets_the_next_number_and_holds_command_exit_code_and_both_streams(tmp_path: Path) -> None:
    (tmp_path / "009-earlier.node1.txt").write_text("")
    (tmp_path / "README.md").write_text("")
    path = transcript.record(cast(Lab, Recorded()), "node2", "lvs-missing", "lvs; echo $?", tmp_path)
    assert path == tmp_path / "010-lvs-missing.node2.txt"
    head, _, streams = path.read_text().partition("--- stdout\n")
    node, command, exit_code, seconds = head.splitlines()
    assert [node, command, exit_code] == ["# node: node2", "# command: lvs; echo $?", "# exit: 5"]
    assert float(seconds.removeprefix("# seconds: ")) >= 0
    assert streams == "out\n--- stderr\nerr\n"


def test_the_first_recording_is_number_one(tmp_path: Path) -> None:
    path = transcript.record(cast(Lab, Recorded()), "node2", "first", "lvs; echo $?", tmp_path)
    assert path.name == "001-first.node2.txt"
