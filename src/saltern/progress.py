"""What a person sees of long work: what happens is a line; how far it is stands on the last line, which is renewed in place.

Where nobody looks, as in a log, how far it is becomes a line too, every now and then.
"""

from collections.abc import Callable
from typing import Final, TextIO

_BEGINNING_OF_LINE: Final = "\r\033[K"  # ECMA-48: to the first column, and erase the line
_SELDOM_S: Final = 10.0


class Progress:
    """Lines on a stream. ``columns`` tells its width when it is a terminal, ``now`` the time in seconds."""

    def __init__(self, stream: TextIO, columns: Callable[[], int], now: Callable[[], float]) -> None:
        self._stream, self._columns, self._now = stream, columns, now
        self._live = stream.isatty()
        self._shown = ""
        self._shown_s = now() - _SELDOM_S

    def tell(self, text: str) -> None:
        """Something has happened."""
        self.end()
        self._write(f"{text}\n")

    def show(self, text: str) -> None:
        """How far it is, until there is something newer."""
        if text == self._shown:
            return
        if self._live:
            self._shown = text
            self._write(f"{_BEGINNING_OF_LINE}{text[: self._columns() - 1]}")
        elif text and self._now() - self._shown_s >= _SELDOM_S:
            self._shown, self._shown_s = text, self._now()
            self._write(f"{text}\n")

    def end(self) -> None:
        """Leave nothing behind of what was only for the moment."""
        if self._live and self._shown:
            self._write(_BEGINNING_OF_LINE)
            self._shown = ""

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
