"""The programs as files on the PATH, and the cluster in a directory."""

import subprocess
import sys
from pathlib import Path

import pytest

from saltern.sim import cluster, store
from saltern.sim.world import NodeSpec, World


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A cluster of two nodes in a directory whose name needs quoting."""
    folder = tmp_path / "it's a demo"
    specs = [NodeSpec(name="dom0", address="192.168.1.190"), NodeSpec(name="dom0m", address="192.168.1.191")]
    cluster.create(str(folder), specs)
    return folder


def run(directory: Path, node: str, *argv: str) -> subprocess.CompletedProcess[str]:
    program = directory / node / "bin" / argv[0]
    return subprocess.run([str(program), *argv[1:]], capture_output=True, text=True, check=False, env={})


def test_what_one_program_does_the_next_one_sees(directory: Path) -> None:
    created = run(directory, "dom0", "lvcreate", "-n", "dns", "-L", "256M", "XEN")
    assert (created.returncode, created.stdout) == (0, '  Logical volume "dns" created.\n')
    assert "dns" in run(directory, "dom0", "lvs").stdout
    assert "dns" not in run(directory, "dom0m", "lvs").stdout
    again = run(directory, "dom0", "lvcreate", "-n", "dns", "-L", "256M", "XEN")
    assert again.returncode == 5
    assert again.stderr == '  Logical Volume "dns" already exists in volume group "XEN"\n'


def test_programs_at_the_same_time_do_not_lose_each_others_work(directory: Path) -> None:
    programs = [
        subprocess.Popen([str(directory / "dom0" / "bin" / "lvcreate"), "-n", f"v{n}", "-L", "4M", "XEN"])
        for n in range(6)
    ]
    assert [program.wait() for program in programs] == [0] * 6
    assert run(directory, "dom0", "lvs", "--noheadings", "-o", "name").stdout.split() == [f"v{n}" for n in range(6)]


def test_the_files_of_a_node_are_real_files_under_its_root(directory: Path) -> None:
    configuration = directory / "dom0" / "etc" / "xen" / "dns.cfg"
    configuration.parent.mkdir(parents=True, exist_ok=True)
    configuration.write_text('name = "dns"\nmemory = 128\nbootloader = "pygrub"\n')
    assert run(directory, "dom0", "xl", "create", "/etc/xen/dns.cfg").returncode == 0
    assert "dns" in run(directory, "dom0", "xl", "list").stdout
    # A shell in the demo completes real paths.
    assert "already exists" in run(directory, "dom0", "xl", "create", str(configuration)).stderr
    assert run(directory, "dom0m", "xl", "create", "/etc/xen/dns.cfg").returncode == 3


def test_proc_drbd_is_a_file_while_the_module_is_loaded(directory: Path) -> None:
    proc = directory / "dom0" / "proc" / "drbd"
    assert not proc.exists()
    run(directory, "dom0", "modprobe", "drbd")
    assert proc.read_text().startswith("version: 8.4.11")
    cluster.main(["power-cut", str(directory), "dom0"])
    assert not proc.exists()


def test_a_node_without_power_answers_nothing(directory: Path) -> None:
    assert cluster.main(["power-cut", str(directory), "dom0"]) == 0
    dead = run(directory, "dom0", "lvs")
    assert (dead.returncode, dead.stdout, dead.stderr) == (255, "", "dom0 has no power\n")
    assert run(directory, "dom0m", "lvs").returncode == 0
    assert cluster.main(["boot", str(directory), "dom0"]) == 0
    assert run(directory, "dom0", "lvs").returncode == 0


def test_every_command_is_logged_on_its_node(directory: Path) -> None:
    run(directory, "dom0", "lvs", "-o", "name, size")
    run(directory, "dom0m", "vgs")
    assert (directory / "dom0" / "var" / "log" / "commands.log").read_text() == "lvs -o 'name, size'\n"


def test_the_status_tells_what_is_cut_and_what_is_off(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cluster.main(["cut-link", str(directory), "dom0m", "dom0"])
    cluster.main(["power-cut", str(directory), "dom0m"])
    shown = capsys.readouterr().out.splitlines()
    assert shown[-3:] == [
        "dom0 (192.168.1.190): up, DRBD 8.4 not loaded, domains: none",
        "dom0m (192.168.1.191): no power",
        "link dom0 - dom0m: cut",
    ]
    cluster.main(["heal-link", str(directory), "dom0", "dom0m"])
    assert "cut" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["power-cut", "{}", "dom1"], "there is no node 'dom1'"),
        (["status", "{}/nowhere"], "there is no cluster in"),
        (["create", "{}", "--node", "dom0=10.0.0.1"], "there is a cluster in"),
        (["create", "{}/new", "--node", "dom0"], "write NAME=ADDRESS"),
        (["create", "{}/new", "--node", "dom0=10.0.0.1", "--memory", "much"], "'much' is not a size"),
    ],
)
def test_a_mistake_is_told_and_changes_nothing(
    directory: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    before = (directory / "world.json").read_text()
    assert cluster.main([argument.format(directory) for argument in arguments]) == 1
    assert message in capsys.readouterr().err
    assert (directory / "world.json").read_text() == before


def test_what_goes_on_by_itself_happens_once_whoever_looks(directory: Path) -> None:
    """A look alone keeps nothing of what time has done, but the end of a domain calls its script."""
    world_file = str(directory / "world.json")
    (directory / "dom0" / "etc" / "xen").mkdir(parents=True)
    (directory / "dom0" / "etc" / "xen" / "dns.cfg").write_text('name = "dns"\nbootloader = "pygrub"\n')
    run(directory, "dom0", "xl", "create", "/etc/xen/dns.cfg")
    with store.opened(world_file) as world:
        world.nodes["dom0"].domains[0].stops_at_s = world.time_s - 5
        world.nodes["dom0"].domains[0].shutdown = True
    run(directory, "dom0", "xl", "list")
    assert World.from_json(Path(world_file).read_text()).nodes["dom0"].domains == []


def test_starting_a_program_imports_little() -> None:
    code = "import sys, saltern.sim.executable; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"argparse", "subprocess", "saltern.sim.xl", "saltern.sim.lvm", "yaml", "networkx"} & set(loaded)
