"""The entries of operations on a node, with real files and locks."""

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
from nodes import MIGRATION, pair_slice

from saltern import operations
from saltern.errors import ParseError, Refused
from saltern.model.action import EndOperation
from saltern.model.operation import Entry, Half, OperationKind
from saltern.model.places import operation_file, operation_lock, stopped_file
from saltern.observe import read_operation
from saltern.run import LocalHost

SPEC = pair_slice().domains["dns"]
ENTRY = replace(MIGRATION, renewed_s=0.0, taken=False)


class Clocked(LocalHost):
    """A node whose clock is moved by hand."""

    def __init__(self, root: Path) -> None:
        super().__init__(root=str(root))
        self.now_s = 1000.0

    def now(self) -> float:
        return self.now_s


@pytest.fixture
def host(tmp_path: Path) -> Clocked:
    return Clocked(tmp_path)


def release(host: Clocked, domain: str) -> None:
    operations.release(host, domain, lambda: SPEC)


def hold(root: Path, held: Event) -> None:
    with LocalHost(root=str(root)).hold(operation_lock("dns")):
        held.set()
        time.sleep(1000)


@contextmanager
def somebody(root: Path) -> Iterator[int]:
    """Another process that works on the operation."""
    held = multiprocessing.Event()
    process = multiprocessing.get_context("fork").Process(target=hold, args=(root, held))
    process.start()
    assert held.wait(30)
    try:
        yield process.pid or 0
    finally:
        process.kill()
        process.join()


def test_an_operation_is_entered_once_and_renewed_by_the_nodes_own_clock(host: Clocked) -> None:
    operations.begin(host, ENTRY)
    found = read_operation(host, "dns")
    assert found is not None
    assert found.operation == replace(ENTRY, renewed_s=1000.0)
    host.now_s = 1050.0
    operations.renew(host, "dns", "0a1b")
    assert operations.require(host, "dns", "0a1b").renewed_s == 1050.0


def test_whoever_waits_for_the_end_is_told_of_the_first_one_and_waits_no_longer_than_that(host: Clocked) -> None:
    slept_s: list[float] = []

    def sleep(seconds: float) -> None:
        slept_s.append(seconds)
        host.now_s += seconds
        if len(slept_s) == 10:
            host.remove(operation_file("dns"))

    host.sleep = sleep
    for domain in ("dns", "mail"):
        operations.begin(host, replace(ENTRY, domain=domain))
    assert operations.wait(host, ["dns", "mail"], ENTRY.id, 3.0) is False
    assert sum(slept_s) == 3.0
    assert operations.wait(host, ["dns", "mail"], ENTRY.id, 60.0) is True
    assert len(slept_s) == 10
    assert operations.wait(host, ["mail"], "another", 60.0) is True  # it is over, and this is another one
    assert len(slept_s) == 10


def test_whoever_waits_for_the_end_of_what_cannot_be_read_is_told_so(host: Clocked) -> None:
    host.write_text(operation_file("dns"), "{", 0o600)
    with pytest.raises(ParseError):
        operations.wait(host, ["dns"], ENTRY.id, 60.0)


def test_a_look_while_it_is_prepared_renews_what_can_be_renewed(host: Clocked) -> None:
    operations.begin(host, ENTRY)
    host.now_s = 1050.0
    operations.keep_prepared(host, ["dns"], None)
    assert operations.require(host, "dns", ENTRY.id).renewed_s == 1000.0
    operations.keep_prepared(host, ["mail", "dns"], ENTRY.id)
    assert operations.require(host, "dns", ENTRY.id).renewed_s == 1050.0
    host.now_s = 2000.0
    operations.keep_prepared(host, ["dns"], ENTRY.id)  # it is left, which the look tells
    assert operations.require(host, "dns", ENTRY.id).renewed_s == 1050.0


def test_one_that_is_left_keeps_no_other_one_from_being_renewed(host: Clocked) -> None:
    for domain in ("dns", "mail"):
        operations.begin(host, replace(ENTRY, domain=domain))
    host.now_s = 1100.0
    operations.renew(host, "mail", "0a1b")
    host.now_s = 1150.0
    with pytest.raises(Refused, match="domain dns: left half-done"):
        operations.renew_all(host, ["dns", "mail"], "0a1b")
    assert operations.require(host, "mail", "0a1b").renewed_s == 1150.0


def test_a_second_operation_is_refused_with_the_owner_of_the_first(host: Clocked) -> None:
    operations.begin(host, ENTRY)
    with pytest.raises(Refused, match=r"it is busy.*root on master"):
        operations.begin(host, replace(ENTRY, id="ffff", owner="somebody"))
    host.now_s += 1000
    with pytest.raises(Refused, match=r"left half-done.*cluster.recover"):
        operations.begin(host, replace(ENTRY, id="ffff", owner="somebody"))


def test_entries_are_for_root_alone(host: Clocked) -> None:
    operations.begin(host, ENTRY)
    assert host.mode(operation_file("dns")) == 0o600


def test_who_holds_it_keeps_it_alive_and_death_ends_that(host: Clocked, tmp_path: Path) -> None:
    operations.begin(host, ENTRY)
    host.now_s += 1000
    with somebody(tmp_path) as pid:
        assert read_operation(host, "dns").alive
        for attempt in (operations.settle_left, release):
            with pytest.raises(Refused, match="busy"):
                attempt(host, "dns")
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        assert not read_operation(host, "dns").alive


def test_it_is_taken_up_once_in_time_and_for_its_half(host: Clocked, tmp_path: Path) -> None:
    operations.begin(host, ENTRY)
    with operations.taken_up(host, "dns", "0a1b", Half.SOURCE) as found:
        assert found.id == "0a1b"
    refused = {"another": ("ffff", Half.SOURCE), "the other half": ("0a1b", Half.TARGET)}
    for identifier, half in refused.values():
        with pytest.raises(Refused), operations.taken_up(host, "dns", identifier, half):
            pass
    with (
        somebody(tmp_path),
        pytest.raises(Refused, match="busy"),
        operations.taken_up(host, "dns", "0a1b", Half.SOURCE),
    ):
        pass
    host.now_s += 1000
    with pytest.raises(Refused, match="waited too long"), operations.taken_up(host, "dns", "0a1b", Half.SOURCE):
        pass


def test_what_was_entered_and_not_begun_can_be_taken_back_and_nobody_elses(host: Clocked) -> None:
    operations.begin(host, ENTRY)
    operations.withdraw(host, "dns", "ffff")
    assert read_operation(host, "dns") is not None
    operations.withdraw(host, "dns", "0a1b")
    operations.withdraw(host, "dns", "0a1b")
    assert read_operation(host, "dns") is None


def test_what_was_left_can_be_released_and_what_is_not_there_as_well(host: Clocked) -> None:
    release(host, "dns")
    operations.begin(host, ENTRY)
    with pytest.raises(Refused, match="busy"):
        release(host, "dns")
    host.now_s += 1000
    release(host, "dns")
    assert read_operation(host, "dns") is None


def test_looking_does_not_keep_anybody_from_taking_it_up(host: Clocked) -> None:
    operations.begin(host, ENTRY)
    for _ in range(200):
        read_operation(host, "dns")
        with host.hold(operation_lock("dns")):
            pass


def test_an_entry_that_cannot_be_read_hides_no_other_one(host: Clocked) -> None:
    operations.begin(host, ENTRY)
    host.write_text(operation_file("mail"), "{", 0o600)
    found = operations.entries(host, dict.fromkeys(("dns", "mail", "router"), SPEC))
    assert found.entered == {
        "dns": Entry(id="0a1b", kind="migrate", text=str(ENTRY), between=("dom0", "dom0m"), alive=True)
    }
    assert list(found.unreadable) == ["mail"]
    host.now_s += 1000
    assert not operations.entries(host, {"dns": SPEC}).entered["dns"].alive


def test_an_entry_that_nobody_could_read_again_is_not_made(host: Clocked) -> None:
    for broken in (replace(ENTRY, id=12345678), replace(ENTRY, id="../x"), replace(ENTRY, owner=None)):
        with pytest.raises(ParseError):
            operations.begin(host, broken)
    assert read_operation(host, "dns") is None


def test_an_entry_that_cannot_be_read_is_released_and_not_settled(host: Clocked) -> None:
    host.write_text(operation_file("dns"), "{", 0o600)
    with pytest.raises(ParseError):
        operations.settle_left(host, "dns")
    with host.hold(operation_lock("dns")), pytest.raises(Refused):
        release(host, "dns")
    release(host, "dns")
    assert read_operation(host, "dns") is None


def test_what_is_begun_while_an_entry_is_released_is_not_released_with_it(host: Clocked) -> None:
    class Beginning(Clocked):
        """Somebody settles what was left and begins anew, between a look and the lock."""

        @contextmanager
        def hold(self, path: str) -> Iterator[None]:
            with LocalHost.hold(self, path):
                self.remove(operation_file("dns"))
                operations.begin(self, replace(ENTRY, id="ffff"))
                yield

    operations.begin(host, ENTRY)
    late = Beginning(Path(host._root))
    late.now_s += 1000
    with pytest.raises(Refused, match="domain dns: its entry has changed in this moment"):
        release(late, "dns")
    assert operations.require(host, "dns", "ffff")


def test_an_operation_that_was_left_is_not_revived(host: Clocked) -> None:
    operations.begin(host, ENTRY)
    host.now_s += 1000
    with pytest.raises(Refused, match="left half-done"):
        operations.renew(host, "dns", ENTRY.id)
    operations.renew_all(host, ["dns"], "ffff")


def test_all_or_none_are_entered(host: Clocked) -> None:
    operations.begin(host, replace(ENTRY, domain="mail", id="ffff"))
    with pytest.raises(Refused):
        operations.begin_all(host, [ENTRY, replace(ENTRY, domain="mail")])
    assert read_operation(host, "dns") is None
    found = read_operation(host, "mail")
    assert found is not None
    assert found.operation.id == "ffff"


def test_what_is_told_twice_is_entered_once(host: Clocked) -> None:
    operations.begin_all(host, [ENTRY])
    operations.begin_all(host, [ENTRY])
    found = read_operation(host, "dns")
    assert found is not None
    assert found.operation.id == ENTRY.id


def test_a_stop_is_noted_before_its_entry_goes(host: Clocked, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = replace(ENTRY, kind=OperationKind.STOP)
    operations.begin(host, stop)

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(operations, "keep_stopped", full)
    with pytest.raises(OSError, match="No space"):
        operations.finish(host, "dns", stop.id)
    assert read_operation(host, "dns") is not None


def test_a_step_of_settling_is_not_taken_while_somebody_works_or_when_another_operation_was_begun(
    host: Clocked,
) -> None:
    over = EndOperation(domain="dns")
    operations.begin(host, ENTRY)
    left = operations.require(host, "dns", ENTRY.id)
    with host.hold(operation_lock("dns")), pytest.raises(Refused, match="busy"):
        operations.settle_step(host, left, over)
    operations.withdraw(host, "dns", ENTRY.id)
    operations.begin(host, replace(ENTRY, id="ffff"))
    with pytest.raises(Refused, match=r"somebody else has settled the migrate of dns .* meanwhile\. Apply again"):
        operations.settle_step(host, left, over)
    assert operations.require(host, "dns", "ffff")


def test_what_is_left_of_a_domain_that_the_topology_no_longer_has_is_told_and_taken_away(host: Clocked) -> None:
    ghost = replace(ENTRY, domain="ghost")
    operations.begin(host, ghost)
    operations.keep_stopped(host, ghost)
    host.write_text(operation_file("broken"), "{", 0o600)
    found = operations.entries(host, {"dns": SPEC})
    assert list(found.entered) == ["ghost"]
    assert found.entered["ghost"].between == ("dom0", "dom0m")
    assert list(found.unreadable) == ["broken"]
    assert (found.stopped, list(found.strange)) == ({}, ["ghost"])
    assert operations.entries(host, {"ghost": SPEC}).stopped == {"ghost": f"stopped by {ghost.owner} at {ghost.since}"}
    host.now_s += 1000
    for domain in ("ghost", "broken"):
        operations.release(host, domain, lambda: None)
    assert operations.entries(host, {"dns": SPEC}) == operations.entries(host, {})
    assert operations.entries(host, {}).strange == {}


def test_a_release_tells_what_it_takes_away_or_that_there_was_nothing(host: Clocked) -> None:
    assert operations.release(host, "dns", lambda: SPEC) == "nothing is left of an operation on dns"
    operations.begin(host, ENTRY)
    operations.keep_stopped(host, ENTRY)
    host.now_s += 1000
    told = operations.release(host, "dns", lambda: None)
    assert told == f"taken away: {operation_file('dns')}, {stopped_file('dns')}"
    assert host.read_text(operation_file("dns")) is None


def test_a_release_keeps_the_note_of_a_domain_that_the_topology_has(host: Clocked) -> None:
    operations.keep_stopped(host, ENTRY)
    release(host, "dns")
    assert list(operations.entries(host, {"dns": SPEC}).stopped) == ["dns"]
    operations.release(host, "dns", lambda: replace(SPEC, uuid="another"))
    assert operations.entries(host, {"dns": SPEC}).stopped == {}


def test_what_is_withdrawn_while_it_is_entered_is_not_left(host: Clocked, monkeypatch: pytest.MonkeyPatch) -> None:
    create, read = host.create_text, host.read_text

    def before(path: str, text: str, mode: int) -> None:
        operations.withdraw(host, "dns", ENTRY.id)
        create(path, text, mode)

    monkeypatch.setattr(host, "create_text", before)
    with pytest.raises(Refused, match="was taken back before it came here"):
        operations.begin(host, ENTRY)
    assert read_operation(host, "dns") is None
    monkeypatch.setattr(host, "create_text", create)
    meanwhile = replace(ENTRY, id="ffff")

    def write(
        path: str, text: str, mode: int
    ) -> None:  # it is entered between the first look of a withdrawal and its mark
        monkeypatch.undo()
        operations.begin(host, meanwhile)
        host.write_text(path, text, mode)

    monkeypatch.setattr(host, "write_text", write)
    operations.withdraw(host, "dns", "ffff")
    assert read_operation(host, "dns") is None
    assert read("/var/lib/saltern/operations/dns.withdrawn") == "ffff"


def test_a_half_that_is_gone_or_another_one_is_not_marked_as_begun_but_told_with_what_is_there(host: Clocked) -> None:
    with pytest.raises(
        Refused, match=r"domain dns: .*0a1b is no longer entered on this node, nothing is\..*begin anew"
    ):
        operations.expect(host, "dns", ENTRY.id)
    operations.begin(host, replace(ENTRY, id="ffff", owner="somebody"))
    with pytest.raises(Refused, match=r"0a1b is no longer entered .*, but the migrate of dns .* by somebody"):
        operations.expect(host, "dns", ENTRY.id)
    assert not operations.require(host, "dns", "ffff").taken


def test_who_works_on_it_is_told_to_give_up_and_by_a_withdrawal_not(host: Clocked) -> None:
    operations.begin(host, ENTRY)
    with operations.taken_up(host, "dns", ENTRY.id, Half.SOURCE) as found:
        operations.withdraw_all(host, ["dns"], ENTRY.id)
        assert not operations.is_withdrawn(host, found)
        operations.give_up(host, ["dns"], ENTRY.id)
        assert operations.is_withdrawn(host, found)
        assert read_operation(host, "dns") is not None


def test_notes_of_a_strange_domain_are_told_together_and_nodes_in_maintenance_until_that_ends(host: Clocked) -> None:
    arrived = replace(ENTRY, half=Half.TARGET, stays=True)
    operations.begin(host, arrived)
    operations.finish(host, "dns", ENTRY.id)
    operations.keep_stopped(host, ENTRY)
    operations.begin_maintenance(host, "dom0", "evacuated by root at noon")
    found = operations.entries(host, {"dns": SPEC})
    assert found.placed == {"dns": f"put there by {ENTRY.owner} at {ENTRY.since}"}
    assert found.maintenance == {"dom0": "evacuated by root at noon"}
    assert operations.entries(host, {}).strange["dns"].count(SPEC.uuid) == 2
    operations.release(host, "dns", lambda: None)
    operations.end_maintenance(host, "dom0")
    found = operations.entries(host, {"dns": SPEC})
    assert (found.placed, found.stopped, found.strange, found.maintenance) == ({}, {}, {}, {})
