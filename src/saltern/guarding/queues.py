"""What threads hand over to the loop, which waits for none of them."""

from queue import Empty, SimpleQueue
from typing import TypeVar

T = TypeVar("T")


def drained(queue: SimpleQueue[T]) -> list[T]:
    """All that is there now, in order."""
    found = []
    while True:
        try:
            found.append(queue.get_nowait())
        except Empty:
            return found
