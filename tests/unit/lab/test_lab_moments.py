"""What the moments of the lab go by, without a machine."""

from pathlib import Path

from lab.cluster import Lab
from lab.moments import topology


def test_the_topology_is_the_one_in_the_pillar_of_the_master_with_whatever_was_changed_in_it(tmp_path: Path) -> None:
    (tmp_path / "run/wiring.json").parent.mkdir(parents=True)
    (tmp_path / "run/wiring.json").write_text(WIRING)
    lab = Lab(tmp_path)
    lab.master.renew_pillar()
    file = lab.master.pillar / "saltern/init.sls"
    assert list(topology(lab)["domains"]) == ["router", "dns", "vpn", "mail"]
    file.write_text('{"saltern": {"domains": {"one": {"home": "node1"}}}}')
    assert topology(lab) == {"domains": {"one": {"home": "node1"}}}


WIRING = """
{"ports": {"ssh": [1, 2], "link": [3, 4], "publish": 5, "ret": 6, "witness": 7, "board": 8}, "sockets": "/nowhere"}
"""
