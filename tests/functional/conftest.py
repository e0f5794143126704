"""Both nodes of the example cluster, each with Salt's own loaders in this process, on one simulated world.

Pillar, ext_pillar, SLS and thin files are the real ones; only the door to the node leads to the simulator.
"""

import shutil
from pathlib import Path
from typing import Any

import pytest
import salt._logging
import salt.config
from salted import Cluster
from saltfactories.utils.functional import Loaders

from saltern import bridge
from saltern.sim.world import NodeSpec, World
from saltern.units import GIB

# What is logged before Salt's logging is set up, it prints at its end, to a stream that pytest has closed by then.
salt._logging.shutdown_temp_handler()

CHECKOUT = Path(__file__).parents[2]
ADDRESSES = {"dom0": "192.168.1.190", "dom0m": "192.168.1.191", "elsewhere": "192.168.1.192"}


def _options(directory: Path, pillar: Path, node: str) -> dict[str, Any]:
    home = directory / node
    options = salt.config.apply_minion_config(
        {
            "id": node,
            "root_dir": str(home),
            "cachedir": str(home / "cache"),
            "extension_modules": str(home / "extmods"),
            "sock_dir": str(home / "sock"),
            "pki_dir": str(home / "pki"),
            "log_file": str(home / "log"),
            "file_client": "local",
            "local": True,
            "file_roots": {"base": [str(CHECKOUT / path) for path in ("salt/states", "salt")]},
            "pillar_roots": {"base": [str(pillar)]},
            "pillar_dirs": [str(CHECKOUT / "salt/_pillar")],
            "ext_pillar": [{"saltern": {}}],
            "enable_fqdns_grains": False,
            "enable_gpu_grains": False,
        },
        minion_id=node,
    )
    (home / "cache").mkdir(parents=True)
    return dict(options)


@pytest.fixture(scope="session")
def _directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("salt")


@pytest.fixture
def pillar(_directory: Path) -> Path:
    """The directory of the pillar: a fresh copy of the example, to be edited."""
    directory = _directory / "pillar"
    shutil.rmtree(directory, ignore_errors=True)
    return Path(shutil.copytree(CHECKOUT / "pillar", directory))


@pytest.fixture(scope="session")
def _loaders(_directory: Path) -> dict[str, Loaders]:
    # Each with modules of its own: what the loader puts into a module is that of the loader that loaded it last.
    return {
        node: Loaders(_options(_directory, _directory / "pillar", node), loaded_base_name=f"salt.loaded.{node}")
        for node in ADDRESSES
    }


@pytest.fixture
def loaders(_loaders: dict[str, Loaders], pillar: Path) -> dict[str, Loaders]:
    """Salt's loaders by node; `elsewhere` is a minion that is not in the topology."""
    for each in _loaders.values():
        each.context.clear()
        # Without a master, Salt merges a new pillar into the one that it had (ssh_merge_pillar).
        each.opts["pillar"] = {}
        each.refresh_pillar()
    return _loaders


@pytest.fixture
def cluster(loaders: dict[str, Loaders], pillar: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """Both nodes with an empty volume group."""
    specs = [
        NodeSpec(name=name, address=address, volume_group_size_bytes=24 * GIB, memory_bytes=4 * GIB)
        for name, address in ADDRESSES.items()
    ]
    cluster = Cluster(World.create(specs), loaders, pillar)
    monkeypatch.setattr(bridge, "local_host", lambda opts: cluster[opts["id"]].host)
    return cluster


@pytest.fixture(scope="session")
def _worlds() -> dict[str, World]:
    return {}


@pytest.fixture
def converged(cluster: Cluster, _worlds: dict[str, World]) -> Cluster:
    """Both nodes as they should be, with nothing in the logs of their commands."""
    if "converged" not in _worlds:
        cluster.converge()
        _worlds["converged"] = cluster.world
    cluster.use(_worlds["converged"].copy())
    return cluster
