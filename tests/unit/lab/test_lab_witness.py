"""The third machine of the lab: how its minion is set up."""

import json
from pathlib import Path

from lab.master import Master
from lab.witness import NAME, Witness


def test_its_engine_listens_on_loopback_where_the_machines_forward_to(tmp_path: Path) -> None:
    master = Master(tmp_path / "master", tmp_path / "sockets", 10001, 10002)
    master.prepare(["node1"], others=[NAME])
    one = Witness(tmp_path / "witness", tmp_path / "sockets", master, 10003)
    one.write_configuration()
    settings = json.loads((tmp_path / "witness/etc/minion").read_text())
    assert settings["engines"] == [{"saltern_witness": {"address": "127.0.0.1", "port": 10003}}]
    assert (settings["master"], settings["publish_port"], settings["master_port"]) == ("127.0.0.1", 10001, 10002)
    assert (tmp_path / "witness/pki/minion.pem").stat().st_mode & 0o777 == 0o400
    one.write_configuration()  # once more, over what is there
    assert not one.running


def test_the_master_expects_it_while_it_is_there_and_knows_it_again(tmp_path: Path) -> None:
    """`salt '*'` waits for every minion whose key is accepted."""
    master = Master(tmp_path / "master", tmp_path / "sockets", 10001, 10002)
    master.prepare(["node1"], others=[NAME])
    minions, key = tmp_path / "master/pki/minions", tmp_path / "master/keys/witness.pub"
    assert [path.name for path in minions.iterdir()] == ["node1"]
    master.accept(NAME)
    first = key.read_bytes()
    assert (minions / NAME).read_bytes() == first
    Witness(tmp_path / "witness", tmp_path / "sockets", master, 10003).stop()
    assert [path.name for path in minions.iterdir()] == ["node1"]
    master.accept(NAME)
    assert (minions / NAME).read_bytes() == key.read_bytes() == first
