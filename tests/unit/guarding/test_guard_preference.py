"""What the guard leaves behind has no preference: it may stay for as long as a domain does."""

import os
import threading

import pytest

from saltern.guarding import preference


@pytest.mark.parametrize(("nice", "then"), [(-10, [0]), (0, []), (7, [])])
def test_only_a_preference_is_given_up(monkeypatch: pytest.MonkeyPatch, nice: int, then: list[int]) -> None:
    told: list[int] = []
    monkeypatch.setattr(os, "getpriority", lambda which, who: nice)
    monkeypatch.setattr(os, "setpriority", lambda which, who, value: told.append(value))
    preference.give_up()
    assert told == then


def test_each_thread_has_its_own() -> None:
    """As the guard relies on: what one thread gives up, the others keep."""
    found: list[int] = []

    def lower() -> None:
        os.setpriority(os.PRIO_PROCESS, 0, 15)
        found.append(os.getpriority(os.PRIO_PROCESS, 0))

    before = os.getpriority(os.PRIO_PROCESS, 0)
    thread = threading.Thread(target=lower)
    thread.start()
    thread.join()
    assert found == [15]
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
