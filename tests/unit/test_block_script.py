"""The block script, command by command: what it asks, what it answers, and that whatever fails is a refusal."""

import json
import subprocess
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import pytest

from saltern.block_script import add, close, main, remove
from saltern.errors import CommandFailed, CommandMissing, CommandTimeout
from saltern.model.places import BLOCK_SCRIPT, GUARD_SETTINGS, GUARD_SOCKET, HOTPLUG_LOG, told_to_stop
from saltern.plan import attach
from saltern.run import Completed

PATH = "backend/vbd/7/51712"
DOM0 = "/local/domain/0"
PARAMS, STATUS, ERROR = f"{PATH}/params", f"{PATH}/hotplug-status", f"{PATH}/hotplug-error"
SOURCES = Path(__file__).parents[2] / "src"
SHOWN = (Path(__file__).parents[1] / "data" / "drbdsetup_show" / "8.4-connected.txt").read_text()
ADDRESSES = ["ipv4:10.77.0.1:7792", "ipv4:10.77.0.2:7792"]
VERSIONS = {
    "8.4": "version: 8.4.11 (api:1/proto:86-101)\n",
    "9": "version: 9.2.5 (api:2/proto:86-121)\n",
}


class Node:
    """A node that has one resource and answers what the script asks; ``breaks`` chooses the commands that fail."""

    def __init__(
        self, *, drbd: str = "8.4", domain: str = "dns", role: str = "Secondary", peer: str = "Secondary"
    ) -> None:
        self.drbd = drbd
        self.store = {PARAMS: "dns", "/local/domain/7/name": domain, f"{DOM0}/name": "Domain-0"}
        self.role, self.peer, self.disk, self.connection = role, peer, "UpToDate", "Connected"
        self.up = True
        self.held_open = 0  # attempts to make it Secondary that fail
        self.window = False
        self.commands: list[list[str]] = []
        self.detached: list[list[str]] = []
        self.log = ""
        self.clock_s = 0.0
        self.late = False  # what fails has taken effect before
        self.guarded = False
        self.against: str | None = None  # what its guard says
        self.silent_s = 0.0  # how long it takes to answer at all
        self.breaks: Callable[[list[str]], Exception | str | None] = lambda argv: None
        self.after_sleep: Callable[[], None] = lambda: None

    def run(
        self, argv: Sequence[str], *, stdin: str = "", allowed: Collection[int] = (0,), timeout_s: float = 120.0
    ) -> Completed:
        assert timeout_s <= 8, "libxl waits for 40 s"
        self.commands.append(list(argv))
        broken = self.breaks(list(argv))
        if self.late and isinstance(broken, Exception):
            self._answer(list(argv))
        if isinstance(broken, Exception):
            raise broken
        code, stdout, stderr = (0, broken, "") if broken is not None else self._answer(list(argv))
        if code not in allowed:
            raise CommandFailed(argv, code, stdout, stderr)
        return Completed(tuple(argv), code, stdout, stderr)

    def _answer(self, argv: list[str]) -> tuple[int, str, str]:
        match argv:
            case ["xenstore-read", *paths]:
                paths = [path.removeprefix("/local/domain/0/") for path in paths]
                missing = [path for path in paths if path not in self.store]
                found = "".join(f"{self.store[path]}\n" for path in paths if path in self.store)
                return int(bool(missing)), found, "".join(f"couldn't read path {path}\n" for path in missing)
            case ["xenstore-list", "-p", *paths]:
                below = [each for path in paths for each in self._below(path)]
                return int(not below), "".join(f"{each}\n" for each in below), "" if below else "could not list path"
            case ["xenstore-write", *words]:
                self.store |= dict(zip(words[::2], words[1::2], strict=True))
            case ["drbdsetup", "events2", "--now", "dns"]:
                return 0, self._events(), ""
            case ["drbdsetup", "show", "dns"]:
                return 0, SHOWN if self.window else SHOWN.replace("        allow-two-primaries\tyes;\n", ""), ""
            case ["drbdsetup", "net-options", *connection, option]:
                assert connection == (ADDRESSES if self.drbd == "8.4" else ["dns", "1"])
                self.window = option == "--allow-two-primaries=yes"
            case ["drbdsetup", verb, subject]:
                assert subject == ("1" if self.drbd == "8.4" else "dns")
                return self._set_role(verb)
            case _:
                raise AssertionError(argv)
        return 0, "", ""

    def _below(self, path: str) -> list[str]:
        start = f"{path}/"
        places = [f"/local/domain/0/{each}" if each.startswith("backend/") else each for each in self.store]
        return sorted({start + each.removeprefix(start).partition("/")[0] for each in places if each.startswith(start)})

    def _events(self) -> str:
        if not self.up:
            return "exists -\n"
        connected = self.connection == "Connected"
        return (
            f"exists resource name:dns role:{self.role} suspended:no\n"
            f"exists connection name:dns peer-node-id:1 conn-name:peer connection:{self.connection} "
            f"role:{self.peer if connected else 'Unknown'}\n"
            f"exists device name:dns volume:0 minor:1 disk:{self.disk}\n"
            "exists peer-device name:dns peer-node-id:1 conn-name:peer volume:0 replication:Established "
            f"peer-disk:{'UpToDate' if connected else 'DUnknown'} resync-suspended:no\n"
            "exists -\n"
        )

    def _set_role(self, verb: str) -> tuple[int, str, str]:
        if verb == "secondary" and self.held_open:
            self.held_open -= 1
            return 11, "", "1: State change failed: (-12) Device is held open by someone"
        if verb == "primary" and self.peer == "Primary" and not self.window:
            return 11, "", "1: State change failed: (-1) Multiple primaries not allowed by config"
        self.role = verb.capitalize()
        return 0, "", ""

    def read_text(self, path: str) -> str | None:
        assert path == "/proc/drbd"
        return VERSIONS.get(self.drbd)

    def write_text(self, path: str, text: str, mode: int) -> None:
        raise AssertionError(path)

    def append_text(self, path: str, text: str) -> None:
        assert path == HOTPLUG_LOG
        self.log += text

    def mode(self, path: str) -> int | None:
        assert path == GUARD_SETTINGS
        return 0o600 if self.guarded else None

    def ask(self, path: str, question: str, timeout_s: float) -> str:
        incoming = self.store["/local/domain/7/name"].endswith("--incoming")
        assert path == GUARD_SOCKET
        assert json.loads(question) == {
            "ask": "attach",
            "resource": "dns",
            "arrives": incoming,
            "apart": self.connection != "Connected",
        }
        assert "drbdsetup primary" not in self.programs
        if self.clock_s < self.silent_s:
            self.clock_s += timeout_s
            raise TimeoutError("timed out")
        return json.dumps({"allowed": self.against is None, "why": self.against})

    def detach(self, argv: Sequence[str]) -> None:
        self.detached.append(list(argv))

    def now(self) -> float:
        return self.clock_s

    def sleep(self, seconds: float) -> None:
        self.clock_s += seconds
        self.after_sleep()

    @property
    def programs(self) -> list[str]:
        return [" ".join(argv[:2]) if argv[0] == "drbdsetup" else argv[0] for argv in self.commands]


def arriving(**parts: str) -> Node:
    return Node(**{"domain": "dns--incoming", "peer": "Primary", **parts})


both = pytest.mark.parametrize("drbd", ["8.4", "9"])


# --- add ---------------------------------------------------------------------------------------------------------------
@both
def test_a_disk_is_made_primary_and_libxl_told_its_device(drbd: str) -> None:
    node = Node(drbd=drbd)
    assert add(node, PATH) == 0
    assert node.role == "Primary"
    written = {key.removeprefix(f"{PATH}/"): value for key, value in node.store.items()}
    assert written["physical-device"] == "93:1"  # hexadecimal, as blkback reads it
    assert written["physical-device-path"] == "/dev/drbd1"
    assert written["hotplug-status"] == "connected"


def test_it_takes_few_processes_since_a_guest_may_be_waiting() -> None:
    node = Node()
    add(node, PATH)
    look, options = "drbdsetup events2", "drbdsetup show"
    others = ["xenstore-list", "xenstore-list", "xenstore-read"]
    assert node.programs == ["xenstore-read", look, options, *others, "drbdsetup primary", look, "xenstore-write"]


@both
def test_an_arriving_domain_takes_one_process_more_and_the_one_that_closes_the_window(drbd: str) -> None:
    plain, arrived = Node(drbd=drbd), arriving(drbd=drbd)
    add(plain, PATH)
    add(arrived, PATH)
    assert [each for each in arrived.programs if each != "drbdsetup net-options"] == plain.programs
    assert (len(arrived.programs), len(arrived.detached)) == (10, 1)


@both
def test_an_arriving_domain_opens_the_window_and_leaves_somebody_to_close_it(drbd: str) -> None:
    node = arriving(drbd=drbd)
    assert add(node, PATH) == 0
    assert (node.role, node.window) == ("Primary", True)
    assert node.detached == [[BLOCK_SCRIPT, "close", "dns"]]


def test_a_primary_that_nothing_uses_is_taken_without_the_partner() -> None:
    node = Node(role="Primary")
    node.connection = "Connecting"
    assert add(node, PATH) == 0
    assert node.role == "Primary"


def test_a_primary_beside_which_another_was_allowed_is_not_taken_without_the_partner() -> None:
    node = Node(role="Primary")
    node.connection, node.window = "Connecting", True
    assert add(node, PATH) == 1
    assert (node.role, node.window) == ("Primary", True)
    assert "two primaries are allowed since a migration" in node.store[ERROR]


@both
def test_a_window_that_was_left_open_is_closed_before_a_domain_starts(drbd: str) -> None:
    node = Node(drbd=drbd)
    node.window = True
    assert add(node, PATH) == 0
    assert (node.role, node.window) == ("Primary", False)
    options = node.programs.index("drbdsetup net-options")
    assert options < node.programs.index("drbdsetup primary")


def test_a_window_is_not_closed_under_the_domain_that_is_on_its_way() -> None:
    node = Node(role="Primary")
    node.window, node.held_open = True, 1
    assert add(node, PATH) == 1
    assert (node.role, node.window) == ("Primary", True)


@pytest.mark.parametrize("node", [Node(), arriving()])
def test_what_the_guard_does_not_allow_is_refused_before_anything_is_done(node: Node) -> None:
    node.guarded, node.against = True, "neither dom0m nor the witness answers"
    assert add(node, PATH) == 1
    assert "neither dom0m nor the witness answers" in node.store[ERROR]
    assert (node.role, node.window, node.detached) == ("Secondary", False, [])
    assert remove(node, PATH) == 0
    assert node.role == "Secondary"


@both
def test_asking_the_guard_takes_no_process(drbd: str) -> None:
    plain, guarded = Node(drbd=drbd), Node(drbd=drbd)
    guarded.guarded = True
    assert add(plain, PATH) == add(guarded, PATH) == 0
    assert guarded.programs == plain.programs


def test_a_guard_that_is_started_again_is_waited_for_but_not_for_longer_than_libxl_waits() -> None:
    back, gone = Node(), Node()
    for node, silent_s in ((back, 4.0), (gone, 1000.0)):
        node.guarded, node.silent_s = True, silent_s
    assert (add(back, PATH), back.role) == (0, "Primary")
    assert (add(gone, PATH), gone.role) == (1, "Secondary")
    assert gone.clock_s <= 20
    assert "does not answer" in gone.store[ERROR]


def test_a_guest_that_arrives_stands_still_and_waits_for_no_guard() -> None:
    node = arriving()
    node.guarded, node.against = True, "the guard of this node is being stopped"
    assert add(node, PATH) == 1
    assert node.clock_s == 0


def test_a_refusal_is_one_line_for_libxl_and_one_with_its_date_in_the_log_of_xen() -> None:
    node = Node(peer="Primary")
    assert add(node, PATH) == 1
    assert node.store[STATUS] == "error"
    assert node.store[ERROR].startswith("dns: it is Primary on the partner")
    assert "\n" not in node.store[ERROR]
    (line,) = node.log.splitlines()
    assert line[:2] == "20"
    assert node.store[ERROR] in line
    assert "drbdsetup primary" not in node.programs


def test_a_primary_that_is_in_use_is_refused_and_stays_as_it_is() -> None:
    node = Node(role="Primary")
    node.held_open = 1
    assert add(node, PATH) == 1
    assert "in use" in node.store[ERROR]
    assert "held open" in node.store[ERROR]
    assert node.role == "Primary"


def test_two_domains_that_are_given_one_disk_at_the_same_moment_do_not_both_get_it() -> None:
    """Between the promotion and the moment when the backend opens the device, DRBD knows of no user."""
    node = Node()
    other = "backend/vbd/8/51712"
    node.store |= {f"{other}/params": "dns", "/local/domain/8/name": "copy"}
    answers = []

    def overtake(argv: list[str]) -> None:
        if argv[1] == "primary" and not answers:
            answers.append(2)
            answers[0] = add(node, other)

    node.breaks = overtake
    assert (add(node, PATH), answers) != (0, [0])


@pytest.mark.parametrize("status", [None, "connected"])
def test_a_disk_that_another_domain_of_this_node_has_or_is_being_given_is_refused(status: str | None) -> None:
    node = Node(role="Primary")
    node.store["backend/vbd/8/51728/params"] = "dns"
    if status is not None:
        node.store["backend/vbd/8/51728/hotplug-status"] = status
    assert add(node, PATH) == 1
    assert "domain 8" in node.store[ERROR]
    assert "drbdsetup secondary" not in node.programs


def test_a_domain_that_was_refused_and_one_with_another_disk_are_in_nobody_s_way() -> None:
    node = Node()
    node.store |= {"backend/vbd/8/51712/params": "dns", "backend/vbd/8/51712/hotplug-status": "error"}
    node.store |= {"backend/vbd/9/51712/params": "www", "backend/vbd/10/51712/params": "/dev/drbd7"}
    assert add(node, PATH) == 0


def every_command(node: Node) -> int:
    """How many commands an attach takes when all goes well."""
    assert add(node, PATH) == 0
    return len(node.commands)


FAILURES = [
    CommandFailed(["x"], 20, "", "it failed"),
    CommandTimeout(["x"], 8),
    CommandMissing(["x"]),
    OSError("no"),
    "noise",
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("make", [Node, arriving])
@both
def test_whatever_command_fails_it_is_a_refusal_and_the_disk_as_it_was(
    drbd: str, make: Callable[..., Node], failure: Exception | str, late: bool
) -> None:
    for number in range(1, every_command(make(drbd=drbd)) + 1):
        node = make(drbd=drbd)
        node.late = late
        node.breaks = lambda argv, node=node, number=number: failure if len(node.commands) == number else None
        if failure == "noise" and node_does_not_read(make(drbd=drbd), number):
            continue
        code = add(node, PATH)
        if code == 0 and is_looked_at_again(make(drbd=drbd), number):
            assert len(node.commands) > every_command(make(drbd=drbd))
            continue
        assert code == 1
        assert node.store[STATUS] == "error"
        assert node.store[ERROR]
        assert (node.role, node.window) == ("Secondary", False)


def is_looked_at_again(node: Node, number: int) -> bool:
    """True where the n-th command tells whose disks there are: what has just gone away is no failure."""
    add(node, PATH)
    first = node.programs.index("xenstore-list") + 1
    return first <= number < first + 3


def node_does_not_read(node: Node, number: int) -> bool:
    """True where the output of the n-th command is not read."""
    add(node, PATH)
    return node.programs[number - 1] not in ("xenstore-read", "xenstore-list", "drbdsetup events2", "drbdsetup show")


def test_a_disk_that_is_taken_away_while_they_are_looked_at_keeps_nobody_from_starting() -> None:
    node = Node()
    place = "backend/vbd/3/51712"
    node.store[f"{place}/params"] = "mail"

    def goes_away(argv: list[str]) -> None:
        if argv[0] == "xenstore-read" and f"/local/domain/0/{place}/params" in argv:
            node.store.pop(f"{place}/params", None)

    node.breaks = goes_away
    assert add(node, PATH) == 0
    assert node.role == "Primary"


def test_a_drive_of_somebody_else_with_nothing_in_it_keeps_nobody_from_starting() -> None:
    node = Node()
    node.store["backend/vbd/3/51712/online"] = "1"
    assert add(node, PATH) == 0
    assert node.role == "Primary"


def test_without_its_own_disk_among_them_what_xenstore_tells_is_not_believed() -> None:
    node = Node()
    node.breaks = lambda argv: "/local/domain/0/backend/vbd/3/51712\n" if argv[:2] == ["xenstore-list", "-p"] else None
    node.store["backend/vbd/3/51712/params"] = "mail"
    assert add(node, PATH) == 1
    assert "is not among those that were given dns" in node.store[ERROR]
    assert node.role == "Secondary"


def test_a_promotion_that_is_overtaken_by_the_loss_of_the_partner_is_taken_back() -> None:
    node = Node()

    def cut(argv: list[str]) -> None:
        if argv[1] == "primary":
            node.connection = "NetworkFailure"

    node.breaks = cut
    assert add(node, PATH) == 1
    assert node.role == "Secondary"


def test_a_core_that_is_replaced_meanwhile_leaves_no_primary_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node()
    with monkeypatch.context() as half_replaced:
        half_replaced.delattr(attach, "confirm")
        half_replaced.delattr(attach, "connected")
        assert add(node, PATH) == 1
    assert remove(node, PATH) == 0
    assert node.role == "Secondary"


def test_a_primary_by_hand_stays_one_when_xenstore_fails() -> None:
    node = Node(role="Primary")
    node.connection = "Connecting"
    node.breaks = lambda argv: OSError("no xenstore") if f"{PATH}/physical-device" in argv else None
    assert add(node, PATH) == 1
    assert node.role == "Primary"


def test_what_is_neither_generation_of_drbd_is_refused() -> None:
    for drbd in ("none", "10"):
        node = Node(drbd=drbd)
        assert add(node, PATH) == 1
        assert node.role == "Secondary"


@pytest.mark.parametrize("path", ["backend/vif/7/0", "", "backend/vbd/x/51712", "backend/vbd/7/51712/../8"])
def test_a_path_that_is_not_that_of_a_disk_is_refused(path: str) -> None:
    node = Node()
    assert add(node, path) == 1
    assert node.role == "Secondary"


def test_a_refusal_that_cannot_be_told_is_one_all_the_same() -> None:
    node = Node(peer="Primary")
    node.breaks = lambda argv: CommandTimeout(argv, 8) if argv[0] == "xenstore-write" else None
    assert add(node, PATH) == 1


def test_a_side_that_cannot_be_made_secondary_again_keeps_the_window_that_tells_of_it() -> None:
    node = arriving()

    def cut(argv: list[str]) -> None:
        if argv[1] == "primary":
            node.connection, node.held_open = "NetworkFailure", 1

    node.breaks = cut
    assert add(node, PATH) == 1
    assert "not be undone" in node.store[ERROR]
    assert (node.role, node.window) == ("Primary", True)


def test_a_partner_that_vanishes_during_the_attach_is_given_time_before_the_window_closes() -> None:
    node = arriving()

    def cut(argv: list[str]) -> None:
        if argv[1] == "primary":
            node.connection = "NetworkFailure"

    node.breaks = cut
    assert add(node, PATH) == 1
    assert (node.role, node.window) == ("Secondary", True)
    assert node.detached == [[BLOCK_SCRIPT, "close", "dns"]]


# --- remove ------------------------------------------------------------------------------------------------------------
def attached(**parts: str) -> Node:
    node = Node(role="Primary", **parts)
    node.store[STATUS] = "connected"
    return node


@both
@pytest.mark.parametrize("peer", ["Primary", "Secondary"])
def test_a_disk_is_secondary_when_its_domain_is_gone(drbd: str, peer: str) -> None:
    node = attached(drbd=drbd, peer=peer)
    assert remove(node, PATH) == 0
    assert node.role == "Secondary"


def test_a_removal_takes_few_processes_since_a_guest_may_be_rebooting() -> None:
    node = attached()
    remove(node, PATH)
    assert node.programs == ["xenstore-read", "drbdsetup events2", "drbdsetup secondary"]


def test_a_backend_that_has_not_let_go_yet_is_waited_for() -> None:
    node = attached()
    node.held_open = 3
    assert remove(node, PATH) == 0
    assert node.role == "Secondary"


def test_a_disk_that_somebody_else_holds_is_left_to_them_and_that_is_logged() -> None:
    node = attached()
    node.held_open = 1000
    assert remove(node, PATH) == 0
    assert node.role == "Primary"
    assert node.clock_s < 30, "libxl waits for 40 s"
    assert "held open" in node.log


def test_without_the_partner_a_primary_stays_one() -> None:
    node = attached()
    node.connection = "Connecting"
    assert remove(node, PATH) == 0
    assert node.role == "Primary"


def test_without_the_partner_no_disk_of_a_domain_that_was_told_to_stop_stays_primary() -> None:
    node = attached()
    node.connection = "Connecting"
    node.store[told_to_stop(7)] = "0a1b"
    assert remove(node, PATH) == 0
    assert node.role == "Secondary"


def test_a_primary_stays_one_when_xenstore_does_not_tell_whether_its_domain_was_told_to_stop() -> None:
    node = attached()
    node.connection = "Connecting"
    node.breaks = lambda argv: CommandFailed(argv, 1, "", "no answer") if argv[0] == "xenstore-list" else None
    assert remove(node, PATH) == 0
    assert node.role == "Primary"
    assert "no answer" in node.log


def test_without_the_partner_a_primary_beside_which_another_is_allowed_does_not_stay_one() -> None:
    node = attached()
    node.connection, node.window = "Connecting", True
    assert remove(node, PATH) == 0
    assert node.role == "Secondary"


@both
def test_a_primary_whose_connection_was_given_up_stays_one_only_where_its_options_are_known(drbd: str) -> None:
    """They tell that no other one was allowed beside it; 8.4 forgets them."""
    node = attached(drbd=drbd)
    node.connection = "StandAlone"
    assert remove(node, PATH) == 0
    assert node.role == ("Secondary" if drbd == "8.4" else "Primary")


def test_after_a_refused_attach_nothing_is_taken_away_from_anybody() -> None:
    node = attached()
    node.store[STATUS] = "error"
    assert remove(node, PATH) == 0
    assert node.role == "Primary"


def test_after_an_attach_that_was_killed_the_disk_is_given_back() -> None:
    node = attached()
    del node.store[STATUS]
    assert remove(node, PATH) == 0
    assert node.role == "Secondary"


def test_a_promotion_that_nobody_confirmed_is_no_proof_and_does_not_outlive_its_script() -> None:
    node = attached()
    del node.store[STATUS]
    node.connection = "Connecting"
    assert remove(node, PATH) == 0
    assert node.role == "Secondary"


@pytest.mark.parametrize("late", [False, True])
def test_what_could_not_be_undone_is_given_back_when_the_domain_is_taken_away(late: bool) -> None:
    node = Node()
    node.late = late

    def cut(argv: list[str]) -> Exception | None:
        if argv[1] == "primary":
            node.connection = "NetworkFailure"
        return CommandTimeout(argv, 8) if argv[1] == "secondary" else None

    node.breaks = cut
    assert add(node, PATH) == 1
    assert "not be undone" in node.store[ERROR]
    node.breaks = lambda argv: None
    assert remove(node, PATH) == 0
    assert node.role == "Secondary"


def test_a_window_that_a_killed_attach_left_open_is_closed() -> None:
    node = arriving()
    node.window = True
    assert remove(node, PATH) == 0
    assert node.detached == [[BLOCK_SCRIPT, "close", "dns"]]


@pytest.mark.parametrize("status", ["connected", "error"])
def test_a_window_that_has_its_watcher_or_never_was_gets_no_other(status: str) -> None:
    node = arriving()
    node.store[STATUS] = status
    assert remove(node, PATH) == 0
    assert node.detached == []


@pytest.mark.parametrize("failure", FAILURES, ids=lambda value: type(value).__name__)
def test_whatever_fails_libxl_is_not_held_up(failure: Exception | str) -> None:
    for number in (1, 2, 3, 4):
        node = attached()
        node.breaks = lambda argv, node=node, number=number: failure if len(node.commands) == number else None
        assert remove(node, PATH) == 0
        assert node.clock_s < 30


# --- close -------------------------------------------------------------------------------------------------------------
def migrating(**parts: str) -> Node:
    node = Node(role="Primary", peer="Primary", **parts)
    node.window = True
    node.store[f"{PATH}/hotplug-status"] = "connected"
    return node


@both
@pytest.mark.parametrize("left", [{"peer": "Secondary"}, {"role": "Secondary"}])
def test_the_window_closes_when_one_side_is_no_longer_primary(drbd: str, left: dict[str, str]) -> None:
    node = migrating(drbd=drbd)

    def sleep() -> None:
        assert node.window
        if node.clock_s > 60:
            node.__dict__ |= left

    node.after_sleep = sleep
    assert close(node, "dns") == 0
    assert not node.window
    assert node.clock_s > 60


def test_a_partner_that_is_out_of_sight_for_a_moment_finds_the_window_as_it_is_on_its_side() -> None:
    node = migrating()

    def sleep() -> None:
        assert node.window
        node.connection = "Connecting" if node.clock_s < 20 else "Connected"
        if node.clock_s > 40:
            node.peer = "Secondary"

    node.after_sleep = sleep
    assert close(node, "dns") == 0
    assert node.clock_s > 40


def test_the_window_closes_when_the_partner_does_not_come_back() -> None:
    node = migrating()
    node.connection = "Connecting"
    assert close(node, "dns") == 0
    assert not node.window


def test_without_the_partner_the_window_closes_under_a_guest_that_has_arrived_and_goes_on() -> None:
    node = migrating()
    node.connection = "Connecting"
    assert close(node, "dns") == 0
    assert (node.role, node.window) == ("Primary", False)


def test_a_disk_that_is_only_just_being_given_to_a_domain_does_not_make_the_window_close() -> None:
    node = migrating()
    node.connection = "Connecting"
    del node.store[STATUS]

    def sleep() -> None:
        assert node.window
        if node.clock_s > 300:
            node.store[STATUS] = "error"

    node.after_sleep = sleep
    assert close(node, "dns") == 0
    assert (node.role, node.window) == ("Secondary", False)


@pytest.mark.parametrize("gone", [[PARAMS], [PARAMS, STATUS]])
def test_without_the_partner_a_side_that_no_domain_has_is_secondary_before_the_window_closes(gone: list[str]) -> None:
    node = migrating()
    for key in gone:  # without any, xenstore has no place for disks at all, and to list it fails
        del node.store[key]
    node.connection, node.held_open = "Connecting", 2

    def sleep() -> None:
        assert (node.role, node.window) == ("Primary", True)

    node.after_sleep = sleep
    assert close(node, "dns") == 0
    assert (node.role, node.window) == ("Secondary", False)


@pytest.mark.parametrize(
    "failing", [["xenstore-list", "-p"], ["xenstore-list", "-p", f"{DOM0}/backend/vbd"], ["xenstore-read"]]
)
def test_a_side_of_which_xenstore_does_not_tell_who_has_it_stays_as_it_is_until_it_does(failing: list[str]) -> None:
    node = migrating()
    node.connection = "Connecting"
    del node.store[STATUS]  # it is just being given to a domain
    failed = CommandFailed(failing, 1, "", "no answer")
    node.breaks = lambda argv: failed if argv[: len(failing)] == failing and node.clock_s < 300 else None

    def sleep() -> None:
        assert (node.role, node.window) == ("Primary", True)
        if node.clock_s > 600:
            node.store[STATUS] = "connected"

    node.after_sleep = sleep
    assert close(node, "dns") == 0
    assert (node.role, node.window) == ("Primary", False)
    assert node.log.count("two Primaries stay allowed on dns for now: ") == 1, "each reason is told once"
    assert "no answer" in node.log


def test_without_the_partner_the_window_stays_while_a_domain_that_is_on_its_way_has_the_disk() -> None:
    node = migrating(domain="dns--incoming")
    node.connection = "Connecting"

    def sleep() -> None:
        assert (node.role, node.window) == ("Primary", True)
        if node.clock_s > 300:
            node.store["/local/domain/7/name"] = "dns"

    node.after_sleep = sleep
    assert close(node, "dns") == 0
    assert node.clock_s > 300
    assert "drbdsetup secondary" not in node.programs


def test_the_window_stays_while_the_sides_that_connect_again_have_not_told_their_roles() -> None:
    node = migrating()
    node.peer = "Unknown"

    def sleep() -> None:
        assert node.window
        node.peer = "Primary" if node.clock_s < 5 else "Secondary"

    node.after_sleep = sleep
    assert close(node, "dns") == 0
    assert node.clock_s >= 5


@both
def test_a_connection_that_was_given_up_keeps_nobody_waiting(drbd: str) -> None:
    node = migrating(drbd=drbd)
    node.connection = "StandAlone"
    # 8.4 forgets the addresses and options of such a connection, 9 keeps them.
    node.breaks = lambda argv: "resource dns {\n}\n" if argv[1] == "show" else None

    def sleep() -> None:
        assert node.clock_s < 60, "it waits for ever"

    node.after_sleep = sleep
    assert close(node, "dns") == 0
    assert node.window == (drbd == "8.4")


def test_a_resource_that_is_gone_has_no_window() -> None:
    node = migrating()
    node.up = False
    assert close(node, "dns") == 0


def test_what_fails_is_tried_again_until_the_window_is_closed() -> None:
    node = migrating()
    node.peer = "Secondary"
    failures: list[Exception | str] = [*FAILURES]
    node.breaks = lambda argv: failures.pop() if failures else None
    assert close(node, "dns") == 0
    assert not node.window


# --- main --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("argv", [[], ["attach"], ["add", "dns"], ["close"]])
def test_what_it_is_not_called_for_is_told(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv, {}) == 2
    assert "add | remove | close RESOURCE" in capsys.readouterr().err


# --- what a start loads ------------------------------------------------------------------------------------------------
# What takes longest to load of what the core needs elsewhere.
HEAVY = {"argparse", "ast", "ctypes", "dataclasses", "inspect", "json", "logging", "pathlib", "tempfile"}
LOADED = {
    *("saltern", "saltern.block_script", "saltern.errors", "saltern.run", "saltern.secrets", "saltern.units"),
    *("saltern.argv", "saltern.argv.drbdsetup", "saltern.argv.names", "saltern.argv.xenstore"),
    *("saltern.may_start", "saltern.model", "saltern.model.hotplug", "saltern.model.places", "saltern.model.running"),
    *("saltern.parse", "saltern.parse.drbd_version", "saltern.parse.drbdsetup_events2", "saltern.parse.drbdsetup_show"),
    *("saltern.parse.scalars", "saltern.plan", "saltern.plan.attach"),
}


def test_a_start_loads_little_since_a_guest_may_be_waiting() -> None:
    code = f"import sys; sys.path.insert(0, {str(SOURCES)!r}); import saltern.block_script; print(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-ISc", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert not loaded & HEAVY
    assert {each for each in loaded if each.partition(".")[0] == "saltern"} == LOADED
