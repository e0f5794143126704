"""Which domains of a dead node are started, which wait, and which are refused with what reason."""

import pytest

from saltern.guard.orphans import Found, Plan, Ward, objection, plan

GIB = 1024**3
NONE: frozenset[str] = frozenset()


def found(**changed: object) -> Found:
    return Found(disks={"dns": "UpToDate"})._replace(**changed)


def able(*names: str) -> dict[str, str | None]:
    return dict.fromkeys(names)


def test_good_data_that_nobody_claims_are_started_on() -> None:
    assert objection(found(), witnessed=False) is None


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ({"disks": {"dns": "Outdated"}}, "its disk dns is Outdated here"),
        ({"disks": {"a": "UpToDate", "b": "Inconsistent"}}, "its disk b is Inconsistent here"),
        ({"disks": {"dns": "a word of a DRBD to come"}}, "its disk dns is a word of a DRBD to come here"),
        ({"primary_there": frozenset({"dns"})}, "connected, and Primary over there"),
        ({"operation": "migrate of dns"}, "something is being done with it: migrate of dns"),
        ({"stopped": "ann, on Monday"}, "it stays stopped: ann, on Monday"),
    ],
)
def test_what_speaks_against_a_start_is_told_in_words(what: dict[str, object], words: str) -> None:
    assert words in (objection(found(**what), witnessed=True) or "")


def test_a_copy_that_was_not_connected_since_the_boot_is_good_only_by_a_witness() -> None:
    consistent = found(disks={"dns": "Consistent"})
    assert objection(consistent, witnessed=True) is None
    assert objection(consistent, witnessed=False) == "its disk dns is Consistent here"


def test_what_depends_on_nothing_starts_at_the_same_time() -> None:
    wards = {"a": Ward(), "b": Ward()}
    assert plan(able("a", "b"), wards, NONE, 0) == Plan(("a", "b"), {}, {})


def test_what_is_needed_runs_first() -> None:
    wards = {"db": Ward(), "web": Ward(depends_on=("db",))}
    assert plan(able("db", "web"), wards, NONE, 0) == Plan(("db",), {"web": "it waits for db"}, {})
    assert plan(able("web"), wards, frozenset({"db"}), 0) == Plan((), {"web": "it waits for db"}, {})
    assert plan(able("web"), wards, NONE, 0) == Plan(("web",), {}, {})


def test_a_lower_order_starts_earlier_but_not_before_what_it_needs() -> None:
    wards = {"late": Ward(order=20), "early": Ward(order=10), "first": Ward(order=1, depends_on=("late",))}
    start, waiting, _ = plan(able(*wards), wards, NONE, 0)
    assert start == ("early",)
    assert waiting == {"late": "it waits for early", "first": "it waits for early, late"}


def test_one_that_is_refused_holds_up_nobody() -> None:
    wards = {"db": Ward(order=1), "web": Ward(order=2, depends_on=("db",))}
    found_plan = plan({"db": "its disk db is Outdated here", "web": None}, wards, NONE, 0)
    assert found_plan == Plan(("web",), {}, {"db": "its disk db is Outdated here"})


def test_where_memory_is_short_priority_decides_then_the_order() -> None:
    wards = {
        "mail": Ward(2 * GIB, order=1),
        "dns": Ward(2 * GIB, order=2),
        "shop": Ward(2 * GIB, order=3, priority=5),
        "tiny": Ward(1 * GIB, order=4),
    }
    assert plan(able(*wards), wards, NONE, 5 * GIB) == Plan(
        ("mail",),
        {"shop": "it waits for mail", "tiny": "it waits for mail, shop"},
        {"dns": "it needs 2G of memory, and 1G are left here"},
    )


def test_what_an_important_domain_needs_is_as_important() -> None:
    wards = {"games": Ward(GIB), "db": Ward(GIB, order=50), "shop": Ward(GIB, order=1, priority=5, depends_on=("db",))}
    assert plan(able(*wards), wards, NONE, 2 * GIB).refused == {"games": "it needs 1G of memory, and 0B are left here"}


def test_what_is_being_started_has_its_memory_already() -> None:
    wards = {"a": Ward(2 * GIB), "b": Ward(2 * GIB)}
    assert plan(able("b"), wards, frozenset({"a"}), 3 * GIB).refused == {
        "b": "it needs 2G of memory, and 1G are left here"
    }


def test_unknown_memory_is_not_free_memory() -> None:
    assert plan(able("a"), {"a": Ward()}, NONE, None).refused == {"a": "it is not known how much memory is free here"}
