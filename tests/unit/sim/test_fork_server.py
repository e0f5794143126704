"""Programs that a server forks for are to their callers what those are that run by themselves."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from saltern.sim import cluster, fork_server
from saltern.sim.fork_client import SERVER
from saltern.sim.world import NodeSpec

_PACKAGES = str(Path(fork_server.__file__).parents[2])
_CONFIGURATION = 'name = "dns"\nmemory = 128\nbootloader = "pygrub"\n'


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    """Its process, which each test asks by the environment alone."""
    before = os.environ.get(SERVER)
    with fork_server.serving() as process_id:
        yield process_id
    assert os.environ.get(SERVER) == before


@pytest.fixture
def node(tmp_path: Path, server: int) -> Path:
    """The directory of a node whose programs the server runs."""
    cluster.create(str(tmp_path / "nodes"), [NodeSpec(name="dom0", address="192.168.1.190")])
    return tmp_path / "nodes" / "dom0"


def run(node: Path, *argv: str, **options: object) -> tuple[int, str, str]:
    done = subprocess.run(  # type: ignore[call-overload]
        [f"{node}/bin/{argv[0]}", *argv[1:]], capture_output=True, text=True, check=False, **options
    )
    return done.returncode, done.stdout, done.stderr


def start(node: Path, *argv: str) -> subprocess.Popen[str]:
    return subprocess.Popen([f"{node}/bin/{argv[0]}", *argv[1:]], stdout=subprocess.PIPE, text=True)


def forked(server: int) -> list[str]:
    return Path(f"/proc/{server}/task/{server}/children").read_text().split()


def eventually(found: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_program_answers_with_its_output_its_errors_and_its_exit_code(node: Path) -> None:
    assert run(node, "lvcreate", "-n", "dns", "-L", "256M", "XEN") == (0, '  Logical volume "dns" created.\n', "")
    taken = '  Logical Volume "dns" already exists in volume group "XEN"\n'
    assert run(node, "lvcreate", "-n", "dns", "-L", "256M", "XEN") == (5, "", taken)


def test_it_has_the_directory_the_input_and_the_environment_of_its_caller(node: Path) -> None:
    (node.parent / "here.cfg").write_text(_CONFIGURATION)
    assert run(node, "xl", "create", "here.cfg", cwd=str(node.parent))[0] == 3  # the node has no such file
    (node / "etc" / "xen").mkdir(parents=True)
    (node / "etc" / "xen" / "dns.cfg").write_text(_CONFIGURATION)
    assert run(node, "xl", "create", "/etc/xen/dns.cfg")[0] == 0
    asked = "action=status\nplug=dom0\npassword=secret\n"
    assert run(node, "fence_simulated", input=asked)[0] == 0
    assert (
        run(node, "fence_simulated", input=asked.replace("status", "nonsense"))[2] == "Unrecognised action 'nonsense'\n"
    )


def test_what_goes_on_listening_is_run_by_the_server_and_ends_with_whoever_started_it(node: Path, server: int) -> None:
    run(node, "modprobe", "drbd")
    listener = start(node, "drbdsetup", "events2")
    assert listener.stdout is not None
    with listener:
        assert listener.stdout.readline() == "exists -\n"
        assert len(forked(server)) == 1
        listener.kill()
    assert listener.wait() == -9
    eventually(lambda: not forked(server))


def test_what_never_ends_ends_with_whoever_started_it(node: Path, server: int) -> None:
    (node.parent / "fence_agents").write_text("hangs")
    with subprocess.Popen([f"{node}/bin/fence_simulated"], stdin=subprocess.PIPE) as agent:
        assert agent.stdin is not None
        agent.stdin.close()
        eventually(lambda: (node / "var" / "log" / "fence.log").exists())
        assert forked(server)
        agent.kill()
    eventually(lambda: not forked(server))


def test_it_makes_files_with_the_modes_of_its_caller(node: Path) -> None:
    argv = [f"{node}/bin/lvs"]
    subprocess.run(["/bin/sh", "-c", 'umask 077; exec "$0"', *argv], check=True, capture_output=True)
    assert (node / "var" / "log" / "commands.log").stat().st_mode & 0o777 == 0o600


def test_a_program_without_a_stream_is_run_by_itself_and_leaves_nothing(node: Path, server: int) -> None:
    (node.parent / "fence_agents").write_text("hangs")
    closed = ["/bin/sh", "-c", 'exec "$0" events2 <&-', f"{node}/bin/drbdsetup"]
    run(node, "modprobe", "drbd")
    with subprocess.Popen(closed, stdout=subprocess.PIPE, text=True) as listener:
        assert listener.stdout is not None
        assert listener.stdout.readline() == "exists -\n"
        assert not forked(server)
        listener.kill()


def test_a_program_whose_server_is_gone_runs_by_itself(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SERVER, f"{node}/nobody")
    assert run(node, "vgs")[0] == 0


def test_a_server_ends_with_whoever_has_started_it() -> None:
    code = (
        "import os; from saltern.sim import fork_server, fork_client\n"
        "with fork_server.serving() as it: print(it, os.environ[fork_client.SERVER], flush=True); os._exit(0)"
    )
    environ = {**os.environ, "PYTHONPATH": _PACKAGES}
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ).stdout
    process_id, socket = said.split()
    eventually(lambda: not Path(f"/proc/{process_id}").exists())
    assert not Path(socket).parent.exists()


def test_whoever_asks_the_server_imports_next_to_nothing() -> None:
    code = "import sys; from saltern.sim import fork_client; print(*sys.modules)"
    argv = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {_PACKAGES!r}); {code}"]
    loaded = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
    assert not {"socket", "json", "pathlib", "re", "typing", "saltern.sim.executable"} & set(loaded)
