"""Building very many objects at once, without the cyclic garbage collector looking at them again and again."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def many_objects() -> Iterator[None]:
    """Pause cyclic garbage collection; reference counting goes on.

    A topology of 10,000 domains makes some millions of objects that all live to the end. The collector would
    visit them over and over, so that the time grows faster than the topology (`make bench` shows by how much).
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
