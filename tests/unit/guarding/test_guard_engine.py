"""The engine passes on to the masters of its minion what the guard decides; Salt starts it anew when it has ended."""

import importlib.util
import json
import logging
from pathlib import Path
from typing import Any

import pytest
import salt.channel.client

from saltern.guarding import following
from saltern.model.places import GUARD_LOGS, GUARD_SETTINGS
from saltern.run import LocalHost

ENGINE = Path(__file__).parents[3] / "salt" / "_engines" / "saltern_guard.py"
# What a minion has in its options once it has looked its master up.
A: dict[str, Any] = {"master": "a", "master_port": 4506, "master_uri": "tcp://192.0.2.1:4506"}
B: dict[str, Any] = {"master": "::1", "master_port": 5506, "master_uri": "tcp://[::1]:5506"}
TAG = "saltern/home/guard/dom0"
DEFAULTS = {"master_type": "str", "file_client": "remote", "use_master_when_local": False}
SETTINGS = {
    "version": 1,
    "cluster": "home",
    "node": "dom0",
    "listen": {"address": "192.168.1.190", "port": 7780},
    "partners": {"dom0m": {"address": "192.168.1.191", "port": 7780, "key": "a" * 40}},
    "witness": {"address": "192.168.1.1", "port": 7781, "key": "b" * 40},
    "domains": [],
}


class Masters:
    """What each master has got, by its address; which of them answer; how often somebody has signed in."""

    def __init__(self) -> None:
        self.got: dict[str, list[str]] = {}
        self.silent: set[str] = set()
        self.sign_ins = 0

    def factory(self, opts: dict[str, Any]) -> "Channel":
        return Channel(self, opts["master_uri"])


class Channel:
    def __init__(self, masters: Masters, uri: str) -> None:
        self.masters, self.uri, self.open = masters, uri, False

    def __enter__(self) -> "Channel":
        self.masters.sign_ins += 1
        self.open = True
        return self

    def __exit__(self, *_: object) -> None:
        self.open = False

    def send(self, load: dict[str, Any], tries: int, timeout: float) -> None:
        assert (self.open, tries, load["cmd"], load["id"], load["tag"]) == (True, 1, "_minion_event", "dom0", TAG)
        if self.uri in self.masters.silent or load["data"]["words"] in self.masters.silent:
            raise TimeoutError(timeout)
        self.masters.got.setdefault(self.uri, []).append(load["data"]["words"])


class Ended(Exception):
    """The test has seen enough."""


class Minion:
    """A minion that starts the engine as often as a test likes."""

    def __init__(self, root: Path) -> None:
        self.root, self.host, self.configuration = root, LocalHost(root=str(root)), root / "minion"
        self.host.write_text(GUARD_SETTINGS, json.dumps(SETTINGS), 0o600)

    def log(self, *words: str) -> None:
        for each in words:
            line = json.dumps({"at": "now", "subject": "guard", "words": each})
            self.host.append_text(f"{GUARD_LOGS}/guard-2026-11-27.jsonl", f"{line}\n")

    def begin(self, options: dict[str, Any], looks: int = 1) -> bool:
        """Have Salt start the engine with such options, and let it look that often; whether it has ended by itself."""
        spec = importlib.util.spec_from_file_location("loaded_guard_engine", ENGINE)
        assert spec is not None
        assert spec.loader is not None
        engine = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(engine)
        mine = {"id": "dom0", "conf_file": str(self.configuration), "saltern": {"root": str(self.root)}}
        engine.__dict__["__opts__"] = {**DEFAULTS, **mine, **options}
        slept_s: list[float] = []

        def sleep(seconds: float) -> None:
            slept_s.append(seconds)
            if len(slept_s) == looks:
                raise Ended

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(engine.time, "sleep", sleep)
            patch.setattr(engine.time, "monotonic", lambda: sum(slept_s))
            try:
                engine.start()
            except Ended:
                return False
        return True


@pytest.fixture
def masters(monkeypatch: pytest.MonkeyPatch) -> Masters:
    made = Masters()
    monkeypatch.setattr(salt.channel.client.ReqChannel, "factory", made.factory)
    return made


@pytest.fixture
def minion(tmp_path: Path, masters: Masters) -> Minion:
    return Minion(tmp_path)


def test_before_the_minion_has_looked_its_master_up_it_ends_so_that_it_is_started_again(
    minion: Minion, masters: Masters
) -> None:
    assert minion.begin({"master": "a:4506"})
    assert minion.begin({"master": ["a:4506", "b"], "master_type": "failover"})
    assert following.masters(minion.host) == set()


def test_several_masters_get_each_event_once_and_in_order_also_when_it_is_started_again(
    minion: Minion, masters: Masters
) -> None:
    for master in (A, B):
        minion.begin(master)
    minion.log("one", "two")
    minion.begin(A)
    minion.log("three")
    for _ in range(2):
        for master in (B, A):
            minion.begin(master, looks=3)
    assert masters.got == {each["master_uri"]: ["one", "two", "three"] for each in (A, B)}


def test_a_master_that_is_gone_for_long_holds_up_no_other_and_gets_all_of_it_when_it_is_back(
    minion: Minion, masters: Masters
) -> None:
    for master in (A, B):
        minion.begin(master)
    masters.silent = {A["master_uri"]}
    for words in ("one", "two", "three"):
        minion.log(words)
        assert minion.begin(A, looks=2)
        assert not minion.begin(B)
    assert masters.got == {B["master_uri"]: ["one", "two", "three"]}
    masters.silent = set()
    minion.begin(A)
    assert masters.got[A["master_uri"]] == ["one", "two", "three"]


def test_what_a_master_has_not_got_in_the_middle_of_a_backlog_is_told_from_there(
    minion: Minion, masters: Masters, caplog: pytest.LogCaptureFixture
) -> None:
    minion.begin(A)
    minion.log("one", "two", "three")
    masters.silent = {"two"}
    assert minion.begin(A, looks=2)
    assert "a:4506 has not got an event" in caplog.text
    masters.silent = set()
    minion.begin(A)
    assert masters.got == {A["master_uri"]: ["one", "two", "three"]}


def test_it_signs_in_once_for_a_backlog_and_not_at_all_for_nothing(minion: Minion, masters: Masters) -> None:
    minion.begin(A, looks=3)
    assert masters.sign_ins == 0
    minion.log(*map(str, range(100)))
    minion.begin(A, looks=3)
    assert (len(masters.got[A["master_uri"]]), masters.sign_ins) == (100, 1)


def test_masters_of_which_the_minion_uses_one_are_told_together_once(minion: Minion, masters: Masters) -> None:
    minion.begin({**A, "master_type": "failover"})
    minion.log("one")
    minion.begin({**A, "master_type": "failover"})
    minion.log("two")
    masters.silent = {A["master_uri"]}
    assert minion.begin({**A, "master_type": "failover"}, looks=2)
    minion.begin({**B, "master_type": "failover"})
    assert masters.got == {A["master_uri"]: ["one"], B["master_uri"]: ["two"]}


def test_where_the_minion_may_have_chosen_another_master_it_is_started_again_now_and_then(minion: Minion) -> None:
    assert minion.begin({**A, "master_type": "failover"}, looks=200)
    assert not minion.begin(A, looks=200)


@pytest.mark.parametrize(
    "options",
    [
        {"master_type": "disable", "master": "salt"},
        {**A, "file_client": "local", "master_uri": "tcp://127.0.0.1:4506"},
    ],
)
def test_without_a_master_it_says_so_once_and_waits_since_salt_would_start_it_again(
    options: dict[str, Any], minion: Minion, masters: Masters, caplog: pytest.LogCaptureFixture
) -> None:
    minion.log("one")
    with caplog.at_level(logging.INFO):
        assert not minion.begin(options, looks=200)
    assert [record.message for record in caplog.records] == [
        "This minion has no master: nobody is told what the guard decides"
    ]
    assert (masters.got, masters.sign_ins, following.masters(minion.host)) == ({}, 0, set())


@pytest.mark.parametrize(
    ("configured", "left"),
    [
        ("master: [a, '[::1]:5506']", {"a:4506", "::1:5506"}),
        ("master: a", {"a:4506"}),
        ("master: 'a:4506'\nmaster_port: 9", {"a:4506"}),
        ("master: [b, c]", {"a:4506", "::1:5506", "old:4506"}),  # of another minion, so nothing is known
        (None, {"a:4506", "::1:5506", "old:4506"}),  # it cannot be read
    ],
)
def test_the_position_of_a_master_goes_when_it_is_no_longer_configured(
    configured: str | None, left: set[str], minion: Minion, masters: Masters
) -> None:
    for each in ("a:4506", "::1:5506", "old:4506"):
        following.keep(minion.host, each, following.Position())
    if configured is not None:
        minion.configuration.write_text(configured)
    minion.begin(A)
    assert following.masters(minion.host) == left
