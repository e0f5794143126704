"""The files that tell a guard and a witness: read whole, or refused with the place of what is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest

from saltern.errors import FileError
from saltern.guarding.settings import Party, Place, read_guard, read_witness
from saltern.model.places import GUARD_SETTINGS, WITNESS_SETTINGS
from saltern.run import LocalHost

KEYS = ["0123456789abcdefghijABCDEFGHIJ.:+=^!/*?&", "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7", "a" * 40]
GUARD = {
    "version": 1,
    "node": "dom0",
    "listen": {"address": "192.168.1.190", "port": 7780},
    "partners": {"dom0m": {"address": "192.168.1.191", "port": 7780, "key": KEYS[0]}},
    "witness": {"address": "192.168.1.1", "port": 7781, "key": KEYS[1]},
    "domains": [{"name": "dns", "uuid": "u1", "partner": "dom0m", "resources": ["dns"], "memory_bytes": 1}],
}
BY_QUORUM = {"detect_s": 10.5, "takeover_s": 40}
WITNESS = {"version": 1, "listen": GUARD["listen"], "nodes": {"dom0": KEYS[0], "dom0m": KEYS[1]}}


def write(tmp_path: Path, path: str, content: object) -> LocalHost:
    host = LocalHost(root=str(tmp_path))
    host.write_text(path, content if isinstance(content, str) else json.dumps(content), 0o600)
    return host


def test_a_guard_is_told_its_node_its_partners_and_its_domains(tmp_path: Path) -> None:
    found = read_guard(write(tmp_path, GUARD_SETTINGS, GUARD), GUARD_SETTINGS)
    assert found.partners["dom0m"] == Party(address="192.168.1.191", port=7780, key=KEYS[0])
    assert found.domain_of("dns") == found.domains[0]
    assert found.domain_of("strange") is None
    assert found.times.takeover_s == 20.0


def test_by_quorum_a_guard_has_neither_witness_nor_agents(tmp_path: Path) -> None:
    told = {**GUARD, "witness": None, "quorum": True, "times": BY_QUORUM}
    assert read_guard(write(tmp_path, GUARD_SETTINGS, told), GUARD_SETTINGS).quorum


MIRRORED = {
    **GUARD,
    "node": "dom0m",
    "partners": {"dom0": {"address": "192.168.1.190", "port": 7780, "key": "b" * 40}},
    "domains": [{"name": "dns", "uuid": "u1", "partner": "dom0", "resources": ["dns"], "memory_bytes": 2}],
}


@pytest.mark.parametrize(
    ("changed", "alike"),
    [
        ({}, True),
        ({"notify": ["/bin/true"], "fencing": {"dom0": {"agent": "fence_x", "options": {}, "timeout_s": 9}}}, True),
        ({"times": {"lease_s": 9, "takeover_s": 40}}, False),
        ({"witness": {**GUARD["witness"], "key": "c" * 40}}, False),  # type: ignore[dict-item]
        ({"witness": None, "quorum": True, "times": BY_QUORUM}, False),
        ({"domains": []}, False),
        ({"domains": [{**MIRRORED["domains"][0], "resources": ["dns", "dns-xvdb"]}]}, False),  # type: ignore[index]
    ],
)
def test_two_partners_are_on_the_same_terms_when_they_were_told_the_same(
    tmp_path: Path, changed: dict[str, Any], alike: bool
) -> None:
    here = read_guard(write(tmp_path, GUARD_SETTINGS, GUARD), GUARD_SETTINGS)
    there = read_guard(write(tmp_path, GUARD_SETTINGS, {**MIRRORED, **changed}), GUARD_SETTINGS)
    assert (here.terms["dom0m"] == there.terms["dom0"]) is alike


def test_an_ipv6_address_is_written_in_brackets() -> None:
    assert Place(address="fd00::1", port=7780).endpoint == "tcp://[fd00::1]:7780"


def domain(**fields: Any) -> dict[str, Any]:
    return {**GUARD["domains"][0], **fields}  # type: ignore[index]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"version": 2}, "version: 2"),
        ({"node": "dom0m"}, "is this node itself"),
        ({"listen": {"address": "192.168.1.190"}}, "listen:port: nothing"),
        ({"fence": {}}, "fence: an unknown key"),
        ({"witness": {**GUARD["witness"], "key": "secret"}}, "witness: 'secret' is no public key"),  # type: ignore[dict-item]
        ({"witness": {**GUARD["witness"], "key": KEYS[0]}}, "the same key"),  # type: ignore[dict-item]
        ({"times": {"takeover_s": 10}}, "times: takeover is 10 s"),
        ({"witness": None}, "witness, fencing, quorum: none"),
        ({"quorum": True, "times": BY_QUORUM}, "quorum: beside witness or fencing"),
        ({"quorum": True, "witness": None}, "times: detect is 0 s"),
        ({"quorum": True, "witness": None, "times": {**BY_QUORUM, "takeover_s": 20}}, "until then the lost node may"),
        ({"times": {"beat_s": "soon"}}, "times:beat_s: 'soon'"),
        ({"domains": [domain(partner="dom1")]}, "partner 'dom1'; allowed: dom0m"),
        ({"domains": [domain(resources=[])]}, "no resource"),
        ({"domains": [domain(), domain(name="mail", uuid="u2")]}, "the resource dns stands there 2 times"),
        ({"domains": [domain(), domain(resources=["b"], uuid="u2")]}, "the name dns stands there 2 times"),
        ({"domains": [domain(), domain(name="mail", resources=["b"])]}, "the UUID u1 stands there 2 times"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, changed: dict[str, Any], told: str) -> None:
    host = write(tmp_path, GUARD_SETTINGS, {**GUARD, **changed})
    with pytest.raises(FileError) as error:
        read_guard(host, GUARD_SETTINGS)
    assert told in str(error.value)
    assert GUARD_SETTINGS in str(error.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no such file"):
        read_guard(LocalHost(root=str(tmp_path)), GUARD_SETTINGS)


def test_half_a_file_is_none(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no JSON"):
        read_guard(write(tmp_path, GUARD_SETTINGS, json.dumps(GUARD)[:-9]), GUARD_SETTINGS)


def test_a_witness_is_told_the_keys_of_the_nodes(tmp_path: Path) -> None:
    assert read_witness(write(tmp_path, WITNESS_SETTINGS, WITNESS), WITNESS_SETTINGS).nodes == WITNESS["nodes"]
    host = write(tmp_path, WITNESS_SETTINGS, {**WITNESS, "nodes": {"dom0": KEYS[0], "dom0m": KEYS[0]}})
    with pytest.raises(FileError, match="the same key"):
        read_witness(host, WITNESS_SETTINGS)
