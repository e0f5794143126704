"""A real master and two real minions, each minion on a simulated node whose tools are executables on its PATH.

The Python of a minion finds Salt, but neither Saltern nor pip: the core can only come from the master.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import salt._logging
from minions import CHECKOUT, NODES, Salted, master_daemon, node_daemon
from saltfactories.manager import FactoriesManager

from saltern.sim import fork_server

# What is logged before Salt's logging is set up, it prints at its end, to a stream that pytest has closed by then.
salt._logging.shutdown_temp_handler()


@pytest.fixture(scope="session")
def directory() -> Iterator[Path]:
    """Short, because the paths of Unix sockets under it are limited to 107 characters."""
    path = Path(tempfile.mkdtemp(prefix="saltern-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def salt_factories_config(directory: Path) -> dict[str, Any]:
    # With a code_dir, scripts put that first on the path of every Python: the minions would find what is installed there.
    return {
        "root_dir": str(directory / "salt"),
        "code_dir": None,
        "slow_stop": False,
        "inject_sitecustomize": False,
        "log_server_level": "error",  # at the default, debug, an apply takes three times as long
    }


@pytest.fixture(scope="session", autouse=True)
def _programs() -> Iterator[None]:
    """Simulated programs start fast, whoever starts them: every process of these tests comes from this one."""
    with fork_server.serving():
        yield


@pytest.fixture(scope="session")
def _salted(_programs: None, salt_factories: FactoriesManager, directory: Path) -> Iterator[Salted]:
    pillar = directory / "pillar"
    shutil.copytree(CHECKOUT / "pillar", pillar)
    site = directory / "site"  # states of the user's own
    site.mkdir()
    master = master_daemon(salt_factories, "master", pillar, site)
    minions = {name: node_daemon(master, directory, name) for name in NODES}
    salted = Salted(directory, pillar, master, minions)
    salted.empty()
    with master.started():
        for minion in minions.values():
            minion.start()
        salted.bootstrap()
        yield salted
        for minion in minions.values():
            minion.terminate()


@pytest.fixture
def salted(_salted: Salted) -> Salted:
    """Master and minions with the example topology, both nodes with an empty volume group."""
    shutil.copytree(CHECKOUT / "pillar", _salted.pillar, dirs_exist_ok=True)
    _salted.empty()
    return _salted


@pytest.fixture
def fresh(salted: Salted) -> Iterator[Salted]:
    """The same, on minions that nothing of Saltern has reached yet."""
    for node in NODES:
        shutil.rmtree(salted.core(node))
        salted.link(node).unlink()
        shutil.rmtree(salted.minions[node].config["extension_modules"])
    yield salted
    salted.bootstrap()


@pytest.fixture(scope="session")
def _converged(_salted: Salted, directory: Path) -> Path:
    """The files of both nodes after an apply and the end of the first synchronisation."""
    # It is made when a test first asks for it, and the test before may have left a pillar of its own.
    shutil.copytree(CHECKOUT / "pillar", _salted.pillar, dirs_exist_ok=True)
    _salted.empty()
    _salted.apply()
    _salted.synchronise()
    return Path(shutil.copytree(directory / "nodes", directory / "converged"))


@pytest.fixture
def converged(salted: Salted, _converged: Path) -> Salted:
    """The same, with both nodes as an apply has left them, and no command in their logs."""
    salted.restore(_converged)
    return salted


@pytest.fixture
def three(salted: Salted) -> Iterator[Salted]:
    """Three nodes with one domain, vpn, at home on dom0m with its replica on dom0; BEFORE is kept in ``before``."""
    salted.empty({**NODES, "dom1": "192.168.1.192"})
    topology = salted.pillar / "saltern" / "init.sls"
    topology.write_text(THREE)
    (topology.parent / "allocation.sls").write_text("{}\n")
    assert salted.run("topology.allocate")[0] == 0
    shutil.rmtree(salted.directory / "before", ignore_errors=True)
    shutil.copytree(topology.parent, salted.directory / "before")
    with salted.joined("dom1"):
        salted.apply_layers()
        salted.synchronise()
        yield salted


THREE = """
saltern:
  nodes:
    dom0: {address: 192.168.1.190, volume_group: XEN}
    dom0m: {address: 192.168.1.191, volume_group: XEN}
    dom1: {address: 192.168.1.192, volume_group: XEN}
  domains:
    vpn:
      home: dom0m
      partner: dom0
      memory: 64M
      xl: {bootloader: pygrub}
      disks: {xvda: {size: 1G}}
"""
