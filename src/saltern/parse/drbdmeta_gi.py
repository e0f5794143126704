"""``drbdmeta ... get-gi``: whether there are metadata, and of which generation of data."""

import re
from typing import Final

from saltern.errors import ParseError
from saltern.model.observed import Metadata, MetadataState

_TOOL = "drbdmeta get-gi"
# Current, bitmap and two history UUIDs, then flags: 7 of them for 8.4, 12 or so for 9, which prints a line a peer.
_LINE: Final = re.compile(r"([0-9A-F]{16})(?::[0-9A-F]{16}){3}(?::[01]){7,16}")
_NO_METADATA = frozenset({"", "No valid meta data found"})
_PRIMARY_BIT = 1


def parse(returncode: int, stdout: str, stderr: str) -> Metadata:
    """What ``drbdmeta ... get-gi`` (or ``drbdsetup get-gi``, or ``drbdadm get-gi``) ended with and said.

    Exit 0 with a line of UUIDs: valid. Exit 1 in silence: blank, or metadata of another DRBD generation, which
    ``create-md`` does not overwrite without being forced. Exit 20 because the device cannot be opened: no device.
    Everything else raises ``ParseError``; so does exit 1 with a complaint, such as drbdadm's of an unknown resource.
    Source: shared_tool.c, drbdmeta.c, transcripts 038, 249, 251, 262.
    """
    said = f"exit code {returncode}; {stdout}{stderr}"
    if returncode == 0:
        return Metadata(state=MetadataState.VALID, current=_current(stdout, said))
    if returncode == 1 and not stdout.strip() and stderr.strip() in _NO_METADATA:
        return Metadata(state=MetadataState.BLANK)
    if returncode == 20 and re.search(r"^open\(.*\) failed: No such file or directory$", stderr, re.MULTILINE):
        return Metadata(state=MetadataState.NO_DEVICE)
    raise ParseError(_TOOL, "it tells neither of metadata nor of their absence", said)


def _current(stdout: str, said: str) -> int:
    matches = [_LINE.fullmatch(line) for line in stdout.splitlines()]
    currents = {match[1] for match in matches if match}
    if None in matches or len(currents) != 1:
        raise ParseError(_TOOL, "not the UUIDs of one volume", said)
    return int(currents.pop(), 16) & ~_PRIMARY_BIT
