"""A grown disk seen from within: its file system grows where the topology names the guest's minion, or it is told what to run."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from saltern.argv import guest
from saltern.controller import Fleet, Unanswered
from saltern.errors import ParseError, Refused
from saltern.parse import findmnt
from saltern.parse.findmnt import Mounted
from saltern.units import format_size

_POLL_S: Final = 2.0
# The guest is told of the new size at the request that was made for that.
_SEEN_S: Final = 30.0


def by_hand(device: str) -> str:
    """What is still to be done, by root in the guest, where nobody else can: its file systems are the guest's own."""
    return (
        f"the guest has a larger {device} at its next access, and its file system grows from inside, while it is mounted: "
        f"`resize2fs /dev/{device}` for ext4, `xfs_growfs MOUNTPOINT` for XFS, "
        f"`btrfs filesystem resize max MOUNTPOINT` for Btrfs, `pvresize /dev/{device}` for LVM; where the disk has partitions, "
        f"first `growpart /dev/{device} NUMBER` for the last one, then the same with /dev/{device}NUMBER"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Grown:
    """What came of it in the guest, in words, and whether anything changed."""

    words: str
    changed: bool


def grow(fleet: Fleet, minion: str, device: str, size_bytes: int) -> Grown:
    """Have the minion of a guest grow the file system on a whole disk, while it is mounted.

    What cannot be done in this way is told with what to run. Raises ``Refused`` when a command fails there, so that it is not
    known what has become of it; asked for again it does what is missing.
    """
    try:
        return _Guest(fleet, minion, device).grow(size_bytes)
    except Unanswered as error:
        return Grown(words=f"its minion cannot be asked: {error}; {by_hand(device)}", changed=False)


@dataclass(frozen=True, slots=True)
class _Guest:
    """A guest, and the disk in it."""

    fleet: Fleet
    minion: str
    device: str

    def grow(self, size_bytes: int) -> Grown:
        self._wait_until_seen(size_bytes)
        before = self._mounted()
        argv = None if before is None else guest.grow(before.kind, self.device, before.target)
        if before is None or argv is None:
            found = (
                "is not mounted as a whole" if before is None else f"has {before.kind}, which nobody here knows to grow"
            )
            return Grown(words=f"/dev/{self.device} {found} in {self.minion}; {by_hand(self.device)}", changed=False)
        self._run(argv)
        after = self._mounted() or before
        words = f"{after.target} in {self.minion} ({after.kind}) has {format_size(after.size_bytes)}"
        return Grown(words=words, changed=after.size_bytes != before.size_bytes)

    def _wait_until_seen(self, size_bytes: int) -> None:
        deadline_s = self.fleet.now() + _SEEN_S
        while True:
            self._run(guest.touch(self.device))
            text = str(self._run(guest.size(self.device))["stdout"]).strip()
            if not text.isdecimal():
                raise ParseError("blockdev", "no number of bytes", text)
            if int(text) >= size_bytes:
                return
            if self.fleet.now() >= deadline_s:
                raise Refused(
                    f"minion {self.minion}",
                    f"its /dev/{self.device} has {format_size(int(text))}, and the disk {format_size(size_bytes)}",
                    "See that it is the minion of this guest, and the device the one in the topology",
                )
            self.fleet.sleep(_POLL_S)

    def _mounted(self) -> Mounted | None:
        said = self._run(guest.mounted(self.device), allowed=(0, 1))
        return None if said["retcode"] else findmnt.parse(said["stdout"])

    def _run(self, argv: list[str], allowed: Collection[int] = (0,)) -> Mapping[str, Any]:
        # What is not 0 would else be told as a failure of the minion itself.
        options = {"__kwarg__": True, "python_shell": False, "ignore_retcode": True}
        said: Mapping[str, Any] = self.fleet.ask([self.minion], "cmd.run_all", argv, options)[self.minion]
        if said["retcode"] not in allowed:
            raise Refused(
                f"minion {self.minion}",
                f"`{' '.join(argv)}` ended with {said['retcode']}: {said['stderr'] or said['stdout']}",
                f"Both sides of the disk have grown. See to that, and give the same command again; or: {by_hand(self.device)}",
            )
        return said
