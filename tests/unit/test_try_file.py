"""A file that its tool would read is tried before it is put in place."""

from collections.abc import Collection, Sequence
from pathlib import Path

import pytest

from saltern.act import try_file
from saltern.errors import Refused
from saltern.model.action import WriteFile
from saltern.run import DEFAULT_TIMEOUT_S, Completed

TRANSCRIPTS = Path(__file__).parents[1] / "data" / "transcripts"


class Recorded:
    """A node on which every command ends well and says what one recording has on standard error."""

    def __init__(self, number: int) -> None:
        (path,) = TRANSCRIPTS.glob(f"{number}-*")
        self.said = path.read_text().rpartition("--- stderr\n")[2]

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str = "",
        allowed: Collection[int] = (0,),
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> Completed:
        return Completed(tuple(argv), 0, "", self.said)


def domain_file() -> WriteFile:
    return WriteFile(path="/etc/xen/dns.cfg", text='name = "dns"\n', mode=0o644)


@pytest.mark.parametrize("number", [252, 410])
def test_a_configuration_that_xl_takes_as_a_whole_passes(number: int) -> None:
    try_file(Recorded(number), domain_file())


@pytest.mark.parametrize(
    ("number", "left_out"),
    [
        (414, "parameter `memory' is not a valid number"),
        (419, "unrecognized argument `colour=red'"),
        (430, "parameter `disk' is a single value but should be a list"),
        (432, "parameter `name' is a list but should be a single value"),
    ],
)
def test_a_configuration_of_which_xl_would_leave_something_out_is_refused(number: int, left_out: str) -> None:
    """xl only warns, and starts a domain without its disk (430)."""
    with pytest.raises(Refused, match=left_out):
        try_file(Recorded(number), domain_file())
