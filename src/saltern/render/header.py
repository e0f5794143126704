"""The line by which Saltern knows the files that it wrote."""

from typing import Final

HEADER: Final = "# Managed by Saltern. Changes made here are overwritten."


def is_ours(text: str) -> bool:
    """True for a file that begins with the line of ours; any other file is somebody's and is left alone."""
    return text.startswith(HEADER + "\n")
