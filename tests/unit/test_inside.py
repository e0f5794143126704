"""What becomes of a grown disk in the guest: its minion grows the file system, or it is told what to run."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from saltern import inside
from saltern.controller import SILENT, Fleet, Unanswered
from saltern.errors import ParseError, Refused
from saltern.units import GIB


class Guest:
    """A guest with one disk, that sees its new size at the first read and has a file system on it."""

    def __init__(self, kind: str | None = "ext4", *, told_bytes: int = 3 * GIB) -> None:
        self.kind, self.told_bytes = kind, told_bytes
        self.seen_bytes = self.file_system_bytes = 2 * GIB
        self.failing: str | None = None
        self.silent = False
        self.ran: list[str] = []
        self.time_s = 0.0

    @property
    def fleet(self) -> Fleet:
        def nothing(_: str) -> None: ...

        return Fleet(
            shares={}, ask_each=self._ask, tell=nothing, show=nothing, now=lambda: self.time_s, sleep=self._sleep
        )

    def _sleep(self, seconds: float) -> None:
        self.time_s += seconds

    def _ask(self, function: str, args: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        assert function == "cmd.run_all"
        if self.silent:
            raise Unanswered(dict.fromkeys(args, SILENT))
        ((node, (argv, options)),) = args.items()
        assert options["python_shell"] is False
        self.ran.append(" ".join(argv))
        if argv[0] == self.failing:
            return {node: {"retcode": 2, "stdout": "", "stderr": "no"}}
        code, text = self._run(argv)
        return {node: {"retcode": code, "stdout": text, "stderr": ""}}

    def _run(self, argv: Sequence[str]) -> tuple[int, str]:
        match argv[0]:
            case "dd":
                self.seen_bytes = self.told_bytes
            case "blockdev":
                return 0, f"{self.seen_bytes}"
            case "findmnt":
                if self.kind is None:
                    return 1, ""
                system = f'"target": "/srv", "fstype": "{self.kind}", "size": {self.file_system_bytes}'
                return 0, f'{{"filesystems": [{{{system}}}]}}'
            case _:
                self.file_system_bytes = self.seen_bytes
        return 0, ""


@pytest.mark.parametrize(
    ("kind", "command"),
    [("ext4", "resize2fs /dev/xvdb"), ("xfs", "xfs_growfs /srv"), ("btrfs", "btrfs filesystem resize max /srv")],
)
def test_a_mounted_file_system_grows_by_its_own_tool_once_the_guest_sees_the_new_size(kind: str, command: str) -> None:
    guest = Guest(kind)
    grown = inside.grow(guest.fleet, "mail.example.org", "xvdb", 3 * GIB)
    assert (grown.changed, grown.words) == (True, f"/srv in mail.example.org ({kind}) has 3G")
    assert command in guest.ran
    again = inside.grow(guest.fleet, "mail.example.org", "xvdb", 3 * GIB)
    assert (again.changed, again.words) == (False, grown.words)


@pytest.mark.parametrize(("kind", "told"), [(None, "is not mounted as a whole"), ("zfs_member", "has zfs_member")])
def test_what_nobody_here_can_grow_is_told_with_what_to_run(kind: str | None, told: str) -> None:
    guest = Guest(kind)
    grown = inside.grow(guest.fleet, "mail", "xvdb", 3 * GIB)
    assert not grown.changed
    assert told in grown.words
    assert "`pvresize /dev/xvdb`" in grown.words
    assert {ran.split()[0] for ran in guest.ran} == {"dd", "blockdev", "findmnt"}


def test_a_guest_that_is_not_reached_is_no_failure_and_told() -> None:
    guest = Guest()
    guest.silent = True
    grown = inside.grow(guest.fleet, "mail", "xvdb", 3 * GIB)
    assert "its minion cannot be asked: mail: the minion does not answer" in grown.words
    assert "`resize2fs /dev/xvdb`" in grown.words


def test_another_machine_whose_disk_is_smaller_is_left_alone() -> None:
    guest = Guest(told_bytes=2 * GIB)
    with pytest.raises(
        Refused, match=r"its /dev/xvdb has 2G, and the disk 3G\. See that it is the minion of this guest"
    ):
        inside.grow(guest.fleet, "mail", "xvdb", 3 * GIB)
    assert not any("resize2fs" in ran for ran in guest.ran)


@pytest.mark.parametrize("failing", ["dd", "blockdev", "findmnt", "resize2fs"])
def test_a_command_that_fails_in_the_guest_is_told_with_its_words(failing: str) -> None:
    guest = Guest()
    guest.failing = failing
    with pytest.raises(Refused, match=f"`{failing} .*` ended with 2: no"):
        inside.grow(guest.fleet, "mail", "xvdb", 3 * GIB)


def test_what_is_not_understood_stops_it() -> None:
    guest = Guest()
    guest._run = lambda argv: (0, "many")  # type: ignore[method-assign]
    with pytest.raises(ParseError):
        inside.grow(guest.fleet, "mail", "xvdb", 3 * GIB)


def test_what_is_to_be_run_in_the_guest_is_told_with_its_device() -> None:
    said = inside.by_hand("xvdb")
    for command in (
        "`resize2fs /dev/xvdb`",
        "`xfs_growfs MOUNTPOINT`",
        "`pvresize /dev/xvdb`",
        "`growpart /dev/xvdb NUMBER`",
        "/dev/xvdbNUMBER",
    ):
        assert command in said
