"""LVM's JSON reports (lvmreport(7)): the rows of one section, each with exactly the columns that were asked for."""

import json
from collections.abc import Collection

from saltern.errors import ParseError


def rows(tool: str, text: str, section: str, columns: Collection[str]) -> list[dict[str, str]]:
    """The rows of ``section`` (``lv`` or ``vg``) of a report by ``--reportformat json``.

    Raises ``ParseError`` for anything but one report with that section and those columns, all of them text, and for a
    log section (lvm.conf: log/report_command_log) that tells of an error.
    """
    try:
        document = json.loads(text)
        (report,) = document["report"]
        found = report[section]
        log = document.get("log", [])
        failures = [entry for entry in log if entry["log_type"] == "error"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ParseError(tool, f"this is not a JSON report with a section {section!r}: {error}", text) from error
    if failures:
        raise ParseError(tool, "its log tells of an error", text)
    if not isinstance(found, list):
        raise ParseError(tool, f"section {section!r} is not a list", text)
    for row in found:
        if not isinstance(row, dict) or row.keys() != set(columns):
            raise ParseError(tool, f"a row does not have exactly the columns {', '.join(columns)}", text)
        if not all(isinstance(value, str) for value in row.values()):
            raise ParseError(tool, "a value is not text", text)
    return found
