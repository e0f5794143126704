"""One domain explained, from what both its nodes told."""

from dataclasses import replace
from typing import Any

from answers import HOME, PARTNER, SHARES, SILENT, answer, domain, entry, resource

from saltern.bridge import plain
from saltern.model.survey import DiskSide, Survey
from saltern.status.answer import NO_OPERATIONS
from saltern.status.explain import Witness, explain, explain_text, heard
from saltern.units import GIB

SHARE = SHARES["dom0"]
SPEC = SHARE.domains["dns"]
HERE = DiskSide(
    role="Primary",
    disk="UpToDate",
    connection="Connected",
    partner_role="Secondary",
    partner_disk="UpToDate",
    protocol="C",
    synchronised_percent=None,
)
THERE = replace(HERE, role="Secondary", partner_role="Primary")


def survey(node: str, condition: str | None = None, side: DiskSide = THERE) -> Survey:
    return Survey(
        node=node,
        condition=condition,
        memory_bytes=None,
        sides={"dns": side},
        obstacles=(),
        free_memory_bytes=GIB,
        standing=None,
        stopped=None,
    )


def item(comment: str, result: bool | None = True, kind: str = "domain", warnings: tuple[str, ...] = ()) -> Any:
    return {
        "item": f"{kind} dns",
        "kind": kind,
        "result": result,
        "changes": result is None,
        "comment": comment,
        "warnings": list(warnings),
    }


AT_HOME = Witness(answer=HOME, survey=survey("dom0", "running", HERE), items=[item("dns runs at home")])
AT_PARTNER = Witness(answer=PARTNER, survey=survey("dom0m"), items=[item("dns belongs to dom0")])
GONE = Witness(answer=SILENT, survey="the minion does not answer", items="the minion does not answer")


def explained(home: Witness = AT_HOME, partner: Witness = AT_PARTNER) -> dict[str, Any]:
    return explain(SPEC, SHARE, {"dom0": home, "dom0m": partner})


def moved(log: str, sent: str = "") -> dict[str, Any]:
    return explained(
        replace(AT_HOME, answer=PARTNER, survey=survey("dom0"), log=sent),
        replace(AT_PARTNER, answer=HOME, survey=survey("dom0m", "running", HERE), log=log),
    )


def test_a_domain_in_good_order_is_told_in_four_sections() -> None:
    assert (
        explain_text(explained())
        == """\
Domain dns: home dom0, partner dom0m

Where
  It runs on dom0, its home.

Wrong
  Nothing.

What the next state.apply would do
  On dom0, its home:
    - domain dns: dns runs at home
    everything is as it should be (1 items)
  On dom0m, its partner:
    - domain dns: dns belongs to dom0
    everything is as it should be (1 items)

Could it move now
  yes, from dom0 to dom0m"""
    )


def test_a_domain_that_returns_by_itself_says_so_unless_somebody_wants_it_otherwise() -> None:
    def where(**notes: dict[str, str]) -> list[str]:
        spec = replace(SHARES["dom0"].domains["dns"], automatic_return=True)
        away = answer(resource(role="Primary"), domain())
        there = replace(away, operations={**away.operations, **notes})
        witnesses = {
            "dom0": Witness(answer=answer(resource()), survey="", items=[]),
            "dom0m": Witness(answer=there, survey="", items=[]),
        }
        return explain(spec, SHARES["dom0"], witnesses)["where"]

    assert where()[-1].startswith("It returns by itself when dom0 starts and its disks are UpToDate")
    maintained = where(maintenance={"dom0": "evacuated by root at noon"})
    assert maintained[-2] == "dom0 is in maintenance, evacuated by root at noon."
    assert maintained[-1].startswith("It stays there until somebody moves it home")
    told = where(placed={"dns": "put there by root at noon"})
    assert "It was put there by root at noon." in told
    assert told[-1].startswith("It stays there until")


def test_a_domain_away_from_home_tells_what_xl_said_when_it_was_sent_and_how_it_comes_back() -> None:
    begun = "migrate of dns from dom0 to dom0m, begun by root at 10:00\n"
    where = moved(begun, sent=f"{begun}Ready.\nMigration successful.\n")["where"]
    assert where == [
        "It runs on dom0m, away from its home dom0.",
        "The last operation on it that dom0m had a part in: migrate of dns from dom0 to dom0m, begun by root at 10:00, ended "
        "with: Migration successful.",
        "It stays there until somebody moves it home: "
        "`salt-run state.orch migrate pillar='{domain: dns, target: dom0}'`.",
    ]
    assert "by hand" in moved("")["where"][1]


def test_a_domain_that_a_guard_has_started_says_so_whether_its_home_is_back_or_not() -> None:
    taken = "start of dns, begun by the guard at 11:00, since dom0 was lost\n"
    before = "migrate of dns from dom0m to dom0, begun by root at 10:00\nMigration successful.\n"
    line = f"The last operation on it that dom0m had a part in: {taken.strip()}."
    there = replace(AT_PARTNER, answer=HOME, survey=survey("dom0m", "running", HERE), log=taken)
    assert line in moved(taken, sent=before)["where"]
    assert line in explained(GONE, there)["where"]


def test_a_command_is_not_broken_over_two_lines() -> None:
    text = explain_text(moved("Migration successful."))
    assert "\n  `salt-run state.orch migrate pillar='{domain: dns, target: dom0}'`." in text


def test_what_a_silent_home_knows_is_unknown() -> None:
    told = explained(GONE, replace(AT_PARTNER, answer=HOME, survey=survey("dom0m", "running", HERE)))
    assert told["where"][1] == "Whether it runs on dom0 is unknown: the minion does not answer."
    untold = replace(AT_PARTNER, answer=HOME, survey=survey("dom0m", "running", HERE), items="its core is an older one")
    assert "Why is unknown: dom0m does not tell." in explained(partner=untold, home=GONE)["where"]
    assert told["next_apply"]["dom0"] == {"unknown": "the minion does not answer"}
    assert told["move"] == {"possible": None, "told": "unknown: dom0: the minion does not answer"}
    assert "    unknown: the minion does not answer" in explain_text(told).splitlines()


def test_a_domain_that_runs_nowhere_tells_what_apply_refuses_and_why_it_cannot_move() -> None:
    down = replace(
        AT_HOME,
        answer=PARTNER,
        survey=survey("dom0"),
        items=[
            item("dns is up", kind="activation", warnings=("look at dmesg",)),
            item("would be made", None, kind="volume"),
            item("domain dns: not connected", False),
        ],
    )
    told = explained(down)
    assert told["where"] == ["It runs on neither of its nodes, dom0 and dom0m."]
    assert told["wrong"] == [
        {
            "about": "domain dns",
            "what": "it runs nowhere",
            "remedy": "`salt '*' state.apply` starts it, or tells why not",
        }
    ]
    lines = explain_text(told).splitlines()
    assert "    to do: `salt '*' state.apply` starts it, or tells why not" in lines
    assert "    - warns: activation dns: look at dmesg" in lines
    assert "    - would do: volume dns: would be made" in lines
    assert "    - would wait: domain dns: not connected" in explain_text(
        explained(replace(AT_HOME, items=[{**item("not connected", None), "changes": False}]))
    )
    assert "    - refuses: domain dns: not connected" in lines
    assert told["move"]["possible"] is False
    assert "nowhere" in told["move"]["told"]


def test_what_is_said_of_several_items_alike_is_said_once() -> None:
    left = [item("", kind=kind, warnings=("left half-done",)) for kind in ("volume", "metadata", "role")]
    lines = explain_text(explained(replace(AT_HOME, items=[*left, item("dns belongs to dom0")]))).splitlines()
    assert "    - warns: volume dns, metadata dns, role dns: left half-done" in lines
    assert sum("left half-done" in line for line in lines) == 1


def test_an_operation_is_told_where_it_is_and_when_left_as_wrong() -> None:
    home = replace(AT_HOME, answer=answer(resource(role="Primary"), domain(), entered=entry(alive=False)))
    told = explained(home)
    assert told["where"][1].endswith("at 2026-11-26 10:00:00: left half-done.")
    assert [fault["remedy"] for fault in told["wrong"]] == ["`salt-run cluster.recover dns`"]


def test_a_domain_that_waits_for_its_disks_can_move_after_that() -> None:
    busy = replace(HERE, partner_disk="Inconsistent", synchronised_percent=42.0)
    told = explained(replace(AT_HOME, survey=survey("dom0", "running", busy)))["move"]
    assert told["possible"] is True
    assert told["told"] == "from dom0 to dom0m, but not yet: it would wait while dns is being synchronised: 42.0 %"


def test_what_was_carried_by_salt_reads_as_it_was_sent() -> None:
    said = {
        "drbd.status": resource(),
        "xen.domains": [],
        "operation.entries": {**NO_OPERATIONS},
        "operation.look": {"dns": plain(survey("dom0m"))},
        "operation.explain": {"items": [item("dns belongs to dom0")], "log": "it went\n"},
    }
    found = heard(said)
    assert found.survey == survey("dom0m")
    assert (found.items, found.log) == ([item("dns belongs to dom0")], "it went\n")


def test_a_node_of_another_version_is_unknown_and_raises_nothing() -> None:
    found = heard(
        {
            "operation.look": {"dns": {"standing": {}}},
            "operation.explain": "Traceback\nTypeError: 'str' object is not callable",
        }
    )
    assert isinstance(found.survey, str)
    assert found.items == "it has no operation.explain yet; state.apply brings it"
    assert found.answer.trouble is not None
    assert explained(found)["move"]["possible"] is None
