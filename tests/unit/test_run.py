"""The one door to a node: commands end as allowed or raise, files are replaced whole or not at all."""

import select
import sys
import threading
import time

import pytest

from saltern.errors import CommandFailed, CommandMissing, CommandTimeout
from saltern.guarding.local import LocalDoor
from saltern.model.places import GUARD_SOCKET
from saltern.run import LocalHost


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_command_gives_back_what_it_printed() -> None:
    done = LocalHost().run(python("import sys; print('out'); print('err', file=sys.stderr)"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "out\n", "err\n")


def test_an_exit_code_that_is_not_allowed_raises_with_everything_it_said() -> None:
    with pytest.raises(CommandFailed) as failed:
        LocalHost().run(python("import sys; print('why', file=sys.stderr); sys.exit(11)"))
    assert failed.value.returncode == 11
    assert "why" in str(failed.value)


def test_an_exit_code_can_be_allowed() -> None:
    assert LocalHost().run(python("import sys; sys.exit(10)"), allowed=(0, 10)).returncode == 10


def test_a_command_that_does_not_end_is_killed() -> None:
    with pytest.raises(CommandTimeout):
        LocalHost().run(python("import time; time.sleep(60)"), timeout_s=0.2)


def test_what_a_killed_command_had_started_ends_with_it(tmp_path) -> None:
    left = tmp_path / "left"
    grandchild = f"import time, pathlib; time.sleep(1); pathlib.Path({str(left)!r}).touch()"
    with pytest.raises(CommandTimeout):
        LocalHost().run(
            python(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {grandchild!r}])"), timeout_s=0.5
        )
    time.sleep(1.5)
    assert not left.exists()


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(CommandMissing, match="no-such-program"):
        LocalHost().run(["no-such-program"])


def test_there_is_no_shell_no_input_and_no_foreign_language() -> None:
    code = "import os, sys; print(sys.argv[1], repr(sys.stdin.read()), os.environ['LC_ALL'])"
    assert LocalHost().run([*python(code), "$(id); *"]).stdout == "$(id); * '' C\n"


def test_a_command_reads_what_it_is_given() -> None:
    code = "import sys; print(sys.stdin.read(), sys.stdin.isatty())"
    assert LocalHost().run(python(code), stdin="text").stdout == "text False\n"


def test_what_a_command_is_given_can_be_opened_as_a_plain_file() -> None:
    code = "import os, stat; f = open('/dev/stdin'); print(stat.S_ISREG(os.fstat(f.fileno()).st_mode), f.read())"
    assert LocalHost().run(python(code), stdin="text").stdout == "True text\n"


def test_bytes_that_are_no_text_do_not_stop_a_read() -> None:
    assert LocalHost().run(python(r"import sys; sys.stdout.buffer.write(b'\xff')")).stdout == "\udcff"


def test_a_service_of_the_node_answers_a_question(tmp_path) -> None:
    door = LocalDoor(str(tmp_path), lambda question: {"heard": question["ask"]})
    try:
        watch = threading.Thread(target=lambda: (select.select([door.fd], [], [], 10), door.serve()))
        watch.start()
        assert LocalHost(root=str(tmp_path)).ask(GUARD_SOCKET, '{"ask": "status"}', 10.0) == '{"heard": "status"}'
        watch.join()
        with pytest.raises(TimeoutError):  # it hangs
            LocalHost(root=str(tmp_path)).ask(GUARD_SOCKET, "{}", 0.1)
    finally:
        door.close()
    with pytest.raises(FileNotFoundError):
        LocalHost(root=str(tmp_path)).ask(GUARD_SOCKET, "{}", 10.0)


def test_a_missing_file_is_none_an_unreadable_one_raises(tmp_path) -> None:
    host = LocalHost(root=str(tmp_path))
    assert host.read_text("/etc/nothing") is None
    (tmp_path / "directory").mkdir()
    with pytest.raises(OSError, match="directory"):
        host.read_text("/directory")


def test_a_file_is_written_whole_with_its_mode_below_the_root(tmp_path) -> None:
    LocalHost(root=str(tmp_path)).write_text("/etc/drbd.d/dns.res", "text", 0o600)
    path = tmp_path / "etc/drbd.d/dns.res"
    assert path.read_text() == "text"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [found.name for found in path.parent.iterdir()] == ["dns.res"]


def test_the_mode_of_a_file_is_seen_that_of_a_missing_one_is_none(tmp_path) -> None:
    host = LocalHost(root=str(tmp_path))
    assert host.mode("/etc/script") is None
    host.write_text("/etc/script", "text", 0o755)
    assert host.mode("/etc/script") == 0o755
    (tmp_path / "etc/script").chmod(0o644)
    assert host.mode("/etc/script") == 0o644


def test_a_log_is_added_to_and_made_where_there_is_none(tmp_path) -> None:
    host = LocalHost(root=str(tmp_path))
    host.append_text("/var/log/xen/xen-hotplug.log", "first\n")
    host.append_text("/var/log/xen/xen-hotplug.log", "second\n")
    assert host.read_text("/var/log/xen/xen-hotplug.log") == "first\nsecond\n"


def test_what_is_detached_goes_on_without_its_starter_and_holds_nothing_of_it_open(tmp_path) -> None:
    go, done = tmp_path / "go", tmp_path / "done"
    child = (
        f"import pathlib, sys, time\nsys.stdin.read()\nwhile not pathlib.Path({str(go)!r}).exists(): time.sleep(0.05)\n"
        f"pathlib.Path({str(done)!r}).mkdir()"
    )
    starter = f"from saltern.run import LocalHost; LocalHost().detach([{sys.executable!r}, '-c', {child!r}])"
    # It returns when nobody holds its output open any more.
    LocalHost().run(python(starter))
    go.mkdir()
    while not done.exists():
        time.sleep(0.05)


def test_a_program_that_is_not_there_cannot_be_detached() -> None:
    with pytest.raises(CommandMissing):
        LocalHost().detach(["/no/such/program"])
