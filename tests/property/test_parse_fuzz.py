"""Every parser against noise: it raises ``ParseError`` or gives something consistent, and never loses a thing."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saltern.errors import ParseError
from saltern.model.observed import MetadataState
from saltern.parse import (
    drbd_version,
    drbdadm_adjust,
    drbdadm_dump_xml,
    drbdmeta_gi,
    drbdsetup_events2,
    drbdsetup_show,
    findmnt,
    lvs,
    systemctl_show,
    vgs,
    xl_info,
    xl_list,
)

DATA = Path(__file__).parents[1] / "data"
FORMS = drbdadm_dump_xml.parse((DATA / "drbdadm" / "9.22-dump-xml-forms.txt").read_text())
FORMS_84 = drbdadm_dump_xml.parse((DATA / "drbdadm" / "9.22-dump-xml-8.4-forms.txt").read_text())


def adjust(text: str) -> object:
    return drbdadm_adjust.parse(text, FORMS_84 if "drbdsetup-84" in text else FORMS, "dom0")


def get_gi(text: str) -> object:
    return drbdmeta_gi.parse(0, text, "")


def stream(text: str) -> object:
    return [drbdsetup_events2.parse_line(line) for line in text.splitlines()]


PARSERS: Mapping[str, tuple[Callable[[str], object], str]] = {
    "events2": (drbdsetup_events2.parse, "drbdsetup/*.txt"),
    "stream": (stream, "drbdsetup/*stream*.txt"),
    "show": (drbdsetup_show.parse_addresses, "drbdsetup_show/*.txt"),
    "two primaries": (drbdsetup_show.parse_two_primaries, "drbdsetup_show/*.txt"),
    "dump-xml": (drbdadm_dump_xml.parse, "drbdadm/*dump-xml*.txt"),
    "adjust": (adjust, "drbdadm/9.22-adjust*.txt"),
    "get-gi": (get_gi, "drbdmeta/*-get-gi-*.txt"),
    "proc": (drbd_version.parse_proc_drbd, "proc_drbd/*.txt"),
    "version": (drbd_version.parse_drbdadm, "drbdadm/*version*.txt"),
    "lvs": (lvs.parse, "lvm/*lvs.txt"),
    "vgs": (vgs.parse, "lvm/*vgs.txt"),
    "findmnt": (findmnt.parse, "findmnt/*.txt"),
    "systemctl show": (systemctl_show.parse, "systemctl/*.txt"),
    "xl list": (xl_list.parse, "xl/*list*.txt"),
    "xl info": (xl_info.parse, "xl/*info.txt"),
}
SAMPLES = {
    name: [path.read_text() for path in sorted(DATA.glob(pattern)) if name != "events2" or "stream" not in path.name]
    for name, (_, pattern) in PARSERS.items()
}
parsers = pytest.mark.parametrize("name", PARSERS)
fuzz = settings(deadline=None, max_examples=150)


def attempt(name: str, text: str) -> object:
    """What the parser makes of it; ``ParseError`` itself where it refuses. Anything else it raises is a bug."""
    try:
        return PARSERS[name][0](text)
    except ParseError as error:
        assert str(error)
        return error


def test_there_is_a_sample_for_every_parser() -> None:
    assert all(SAMPLES.values())


@parsers
@fuzz
@given(text=st.text())
def test_any_text_is_read_or_refused(name: str, text: str) -> None:
    attempt(name, text)


@parsers
@fuzz
@given(data=st.data())
def test_samples_with_parts_replaced_are_read_or_refused(name: str, data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(SAMPLES[name]))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 12)))
        text = text[:start] + data.draw(st.text(max_size=6)) + text[end:]
    attempt(name, text)


@parsers
@fuzz
@given(data=st.data())
def test_samples_with_lines_moved_doubled_or_dropped_are_read_or_refused(name: str, data: st.DataObject) -> None:
    lines = data.draw(st.sampled_from(SAMPLES[name])).splitlines(keepends=True)
    chosen = data.draw(st.lists(st.sampled_from(lines), max_size=2 * len(lines)))
    attempt(name, "".join(chosen))


@pytest.mark.parametrize(
    "name", ["events2", "two primaries", "dump-xml", "lvs", "vgs", "xl info", "version", "get-gi", "systemctl show"]
)
def test_a_sample_that_is_cut_off_anywhere_raises_or_is_whole(name: str) -> None:
    for sample in SAMPLES[name]:
        whole = PARSERS[name][0](sample)
        for kept in range(len(sample)):
            assert isinstance(found := attempt(name, sample[:kept]), ParseError) or found == whole, sample[:kept]


def test_a_list_of_domains_that_is_cut_off_within_a_line_raises() -> None:
    # Between two lines nothing tells that more was to come, but the exit code of xl.
    for sample in SAMPLES["xl list"]:
        for kept in range(len(sample)):
            if not sample[:kept].endswith("\n"):
                assert isinstance(attempt("xl list", sample[:kept]), ParseError)


@fuzz
@given(data=st.data())
def test_a_change_in_one_resource_never_loses_another(data: st.DataObject) -> None:
    sample = data.draw(st.sampled_from([text for text in SAMPLES["events2"] if text.count("exists resource") > 1]))
    lines = sample.splitlines()
    names = {line.split("name:")[1].split()[0] for line in lines[:-1]}
    dropped = data.draw(st.integers(0, len(lines) - 1))
    found = attempt("events2", "\n".join(line for number, line in enumerate(lines) if number != dropped))
    if not isinstance(found, ParseError):
        assert isinstance(found, dict)
        gone = names - found.keys()
        # A resource vanishes only together with its one and only line.
        assert not gone or [f"name:{name}" in lines[dropped] for name in gone] == [True]
        assert all(sum(f"name:{name} " in line for line in lines) == 1 for name in gone)


@fuzz
@given(returncode=st.integers(-20, 30), stdout=st.text(max_size=80), stderr=st.text(max_size=80))
def test_metadata_are_blank_only_when_drbdmeta_is_silent_with_exit_1(returncode: int, stdout: str, stderr: str) -> None:
    try:
        found = drbdmeta_gi.parse(returncode, stdout, stderr)
    except ParseError:
        return
    if found.state is MetadataState.BLANK:
        assert returncode == 1
        assert not stdout.strip()
        assert not stderr.strip()


@fuzz
@given(data=st.data())
def test_every_line_of_a_dry_run_is_kept_under_some_resource(data: st.DataObject) -> None:
    lines = data.draw(st.sampled_from(SAMPLES["adjust"])).splitlines()
    chosen = data.draw(st.lists(st.sampled_from(lines), unique=True))
    found = attempt("adjust", "".join(f"{line}\n" for line in chosen))
    assert isinstance(found, dict)
    assert sorted(line for kept in found.values() for line in kept) == sorted(chosen)
