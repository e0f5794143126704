import json
from pathlib import Path

import pytest

from saltern.argv.lvm import LV_COLUMNS, VG_COLUMNS
from saltern.errors import ParseError
from saltern.model.observed import LogicalVolume, VolumeGroup
from saltern.parse import lvs, vgs

DATA = Path(__file__).parents[2] / "data" / "lvm"
DNS = dict(zip(LV_COLUMNS, ("XEN", "dns", "268435456", "-wi-a-----", ""), strict=True))
XEN = dict(zip(VG_COLUMNS, ("XEN", "2143289344", "1732247552", "4194304"), strict=True))


def report(section: str, *rows: dict[str, str], **more: object) -> str:
    return json.dumps({"report": [{section: list(rows)}], **more})


def volume(**changes: str) -> LogicalVolume:
    (found,) = lvs.parse(report("lv", DNS | changes)).values()
    return found


def test_volumes_are_read_with_sizes_in_bytes() -> None:
    dns = LogicalVolume(
        volume_group="XEN", name="dns", size_bytes=256 * 1024**2, active=True, open=False, tags=frozenset()
    )
    found = lvs.parse((DATA / "2.03.16-lvs.txt").read_text())
    assert found["XEN", "dns"] == dns
    assert found["XEN", "meta"].size_bytes == 136 * 1024**2


def test_volume_groups_are_read_with_sizes_in_bytes() -> None:
    assert vgs.parse((DATA / "2.03.16-vgs.txt").read_text()) == {
        "XEN": VolumeGroup(name="XEN", size_bytes=2143289344, free_bytes=1732247552, extent_size_bytes=4 * 1024**2)
    }


def test_no_volumes_are_none() -> None:
    assert lvs.parse(report("lv")) == {}
    assert vgs.parse(report("vg")) == {}


def test_an_open_volume_is_open() -> None:
    assert volume(lv_attr="-wi-ao----").open


def test_a_volume_that_is_not_active_is_not_active() -> None:
    assert not volume(lv_attr="-wi-------").active


def test_tags_are_told_apart() -> None:
    assert volume(lv_tags="saltern.blank,other").tags == {"saltern.blank", "other"}


def test_a_log_that_tells_of_success_is_no_failure() -> None:
    log = [{"log_seq_num": "1", "log_type": "status", "log_message": "success", "log_ret_code": "1"}]
    assert lvs.parse(report("lv", DNS, log=log))


def test_a_log_that_tells_of_an_error_raises() -> None:
    log = [{"log_seq_num": "1", "log_type": "error", "log_message": "Volume group XEN not found"}]
    with pytest.raises(ParseError, match="error"):
        lvs.parse(report("lv", DNS, log=log))


def test_two_volume_groups_of_one_name_raise() -> None:
    with pytest.raises(ParseError, match="twice"):
        vgs.parse(report("vg", XEN, XEN))
    with pytest.raises(ParseError, match="twice"):
        lvs.parse(report("lv", DNS, DNS))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"lv_attr": "-wi-X-----"}, id="a state that LVM does not know"),
        pytest.param({"lv_attr": "-wi-aX----"}, id="LVM does not know whether it is open"),
        pytest.param({"lv_attr": "-wi-?-----"}, id="a state that we do not know"),
        pytest.param({"lv_attr": "-wi-"}, id="attributes cut off"),
        pytest.param({"lv_size": "268435456B"}, id="a size with a suffix"),
        pytest.param({"lv_size": "256.00m"}, id="a size in other units"),
        pytest.param({"lv_size": "-1"}, id="a size below zero"),
        pytest.param({"lv_size": ""}, id="no size"),
        pytest.param({"lv_name": ""}, id="no name"),
        pytest.param({"vg_name": ""}, id="no volume group"),
        pytest.param({"lv_uuid": "x"}, id="a column that was not asked for"),
    ],
)
def test_a_volume_that_is_not_understood_raises(changes: dict[str, str]) -> None:
    with pytest.raises(ParseError):
        lvs.parse(report("lv", DNS | changes))


@pytest.mark.parametrize("column", LV_COLUMNS)
def test_a_volume_without_a_column_raises(column: str) -> None:
    with pytest.raises(ParseError):
        lvs.parse(report("lv", {key: value for key, value in DNS.items() if key != column}))


@pytest.mark.parametrize(
    "changes",
    [{"vg_size": "2.00g"}, {"vg_free": ""}, {"vg_extent_size": "0"}, {"vg_name": ""}, {"pv_count": "1"}],
)
def test_a_volume_group_that_is_not_understood_raises(changes: dict[str, str]) -> None:
    with pytest.raises(ParseError):
        vgs.parse(report("vg", XEN | changes))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "null",
        '{"report": []}',
        '{"report": [{"lv": []}, {"lv": []}]}',
        '{"report": [{"vg": []}]}',
        '{"report": [{"lv": {}}]}',
        '{"report": [{"lv": [[]]}]}',
        '{"report": [{"lv": [], "log": 1}], "log": 1}',
        json.dumps({"report": [{"lv": [DNS | {"lv_size": 268435456}]}]}),
        "[" * 100_000,
        '  Volume group "XEN" not found\n',
    ],
)
def test_a_report_of_another_form_raises(text: str) -> None:
    with pytest.raises(ParseError):
        lvs.parse(text)
