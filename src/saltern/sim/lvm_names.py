"""How LVM finds what a name means, and how it complains when it finds nothing."""

import re
from collections.abc import Sequence

from saltern.sim.model import LogicalVolume, SimNode, VolumeGroup
from saltern.sim.tools import Result


class LvmError(Exception):
    """A command that ends early, with lines on stderr and an exit code (5 for most); ``said`` went to stdout before."""

    def __init__(self, *lines: str, question: str = "", said: Sequence[str] = (), returncode: int = 5) -> None:
        super().__init__(*lines)
        # Nobody sits there to answer: at the end of standard input LVM takes "no" and prints it (transcript 455).
        asked = f"{question} [y/n]: [n]\n" if question else ""
        self.result = Result(returncode, _indent(said), asked + _indent(lines))


def done(lines: Sequence[str], warnings: Sequence[str] = ()) -> Result:
    """A command that did what it was asked for."""
    return Result(0, _indent(lines), _indent(warnings))


def _indent(lines: Sequence[str]) -> str:
    return "".join(f"  {line}\n" for line in lines)


def usage_error(program: str, complaint: str) -> Result:
    """What an option that the program does not have gets."""
    return Result(3, "", f"{program}: {complaint}\n  Error during parsing of command line.\n")


def bad_argument(option: str, text: str, *reasons: str) -> LvmError:
    """What a value that an option does not take gets (transcripts 451-454)."""
    wrong = f"Invalid argument for {option}: {text}"
    return LvmError(*reasons, wrong, "Error during parsing of command line.", returncode=3)


def check_name(program: str, name: str) -> None:
    """Refuse what LVM does not take for the name of a volume."""
    if not _NAME.fullmatch(name):
        help_ = f"Run `{program} --help' for more information."
        raise LvmError(f'Logical volume name "{name}" is invalid.', help_, returncode=3)


def check_tags(option: str, tags: Sequence[str]) -> None:
    """Refuse what LVM does not take for a tag."""
    for tag in tags:
        if not _TAG.fullmatch(tag):
            raise bad_argument(option, tag)


_NAME = re.compile(r"[A-Za-z0-9+_.][A-Za-z0-9+_.-]*")
_TAG = re.compile(r"[A-Za-z0-9_+.\-/=!:&#]{1,1024}")


def split_name(text: str) -> tuple[str, str]:
    """Volume group and volume of ``XEN/dns``, ``/dev/XEN/dns`` or ``/dev/mapper/XEN-dns``; a lone word is both."""
    if text.startswith("/dev/mapper/"):
        group, _, volume = text.removeprefix("/dev/mapper/").replace("--", "\0").partition("-")
        return group.replace("\0", "-"), volume.replace("\0", "-")
    group, slash, volume = text.removeprefix("/dev/").partition("/")
    return (group, volume) if slash else (group, group)


def find_group(node: SimNode, name: str) -> VolumeGroup:
    """The volume group of that name; refuses as LVM does where there is none (transcripts 009, 019)."""
    if name not in node.volume_groups:
        raise LvmError(f'Volume group "{name}" not found', f"Cannot process volume group {name}")
    return node.volume_groups[name]


def find_volume(node: SimNode, name: str) -> tuple[VolumeGroup, LogicalVolume]:
    """The volume that an operand such as ``XEN/dns`` means; refuses as LVM does where there is none (017)."""
    group_name, volume = split_name(name)
    group = find_group(node, group_name)
    if volume not in group.volumes:
        raise LvmError(f'Failed to find logical volume "{group.name}/{volume}"')
    return group, group.volumes[volume]
