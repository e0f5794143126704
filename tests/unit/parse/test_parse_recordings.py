"""The parsers understand whatever real tools printed into the recordings, wherever it stands in them."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from saltern.argv.lvm import LV_COLUMNS, VG_COLUMNS
from saltern.parse import (
    drbd_version,
    drbdadm_adjust,
    drbdadm_dump_xml,
    drbdmeta_gi,
    drbdsetup_events2,
    lvs,
    vgs,
    xl_list,
)

DATA = Path(__file__).parents[2] / "data"
TEXTS = {path.name: path.read_text() for path in sorted((DATA / "transcripts").glob("*.txt"))}
CONFIGURED = drbdadm_dump_xml.parse((DATA / "drbdadm/8.4-dump-xml.txt").read_text())


FORMS: dict[str, tuple[str, Callable[[str], object]]] = {
    "events2": (r"(?:exists (?!-).*\n)*exists -\n", drbdsetup_events2.parse),
    "lvs": (r"  \{\n(?:      .*\n)+  \}\n", lvs.parse),
    "vgs": (r"  \{\n(?:      .*\n)+  \}\n", vgs.parse),
    "get-gi": (r"(?:[0-9A-F]{16}:){4}[01](?::[01]){6}\n", lambda text: drbdmeta_gi.parse(0, text, "")),
    "xl list -v": (r"Name +ID .* UUID .*\n(?:\S+ +\d+ +\d+ .*\n)+", xl_list.parse),
    "/proc/drbd": (r"version: 8.4.*\nsrcversion: .*\n", drbd_version.parse_proc_drbd),
    "drbdadm --version": (r"DRBDADM_BUILDTAG=(?:.*\n){5}", drbd_version.parse_drbdadm),
    "dump-xml": (r"<config (?:.*\n)+?</config>\n", drbdadm_dump_xml.parse),
}
COLUMNS = {"lvs": ",".join(LV_COLUMNS), "vgs": ",".join(VG_COLUMNS)}


def printed(form: str) -> list[tuple[str, str]]:
    """What was printed in a form, with the name of its recording; reports only with the columns that are parsed."""
    pattern, _ = FORMS[form]
    found = []
    for name, text in TEXTS.items():
        for match in re.finditer(rf"(?m)^{pattern}", text):
            keys = {"lvs": '"lv"', "vgs": '"vg"'}.get(form, "")
            if keys in match[0] and COLUMNS.get(form, "") in text:
                found.append((name, match[0]))
    return found


@pytest.mark.parametrize("form", FORMS)
def test_what_was_recorded_is_understood(form: str) -> None:
    _, parse = FORMS[form]
    texts = printed(form)
    assert texts
    for name, text in texts:
        assert parse(text) is not None, name


def test_what_adjusting_would_run_is_understood() -> None:
    seen = 0
    for name, text in TEXTS.items():
        node = name.split(".")[-2]
        for match in re.finditer(r"(?m)^(?:drbdsetup-84 .*\n|drbdmeta \d+ v08 .* apply-al\n)+", text):
            if "-d adjust dns" in text and "del-minor" not in match[0] and "10.77.0.9" not in match[0]:
                assert set(drbdadm_adjust.parse(match[0], CONFIGURED, node)) == {"dns"}, name
                seen += 1
    assert seen > 10
