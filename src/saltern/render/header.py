"""The line by which Saltern knows the files that it wrote."""

from typing import Final

HEADER: Final = "# Managed by Saltern. Changes made here are overwritten."


def is_ours(text: str) -> bool:
    """True for a file that begins with the line of ours, after `#!` in a script; any other is somebody's and is left alone."""
    first, _, rest = text.partition("\n")
    return (rest if first.startswith("#!") else text).startswith(HEADER + "\n")
