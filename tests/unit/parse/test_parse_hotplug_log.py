"""For how long two Primaries were allowed is measured by the block script, and read from where it has written it."""

from saltern.model import hotplug
from saltern.parse import hotplug_log

LOG = "".join(
    f"2026-11-26 10:00:0{second} block-saltern: {text}\n"
    for second, text in enumerate(
        [
            "add dns: Primary",
            hotplug.arriving("dns"),
            hotplug.window_closed("dns", 2.04),
            hotplug.arriving("dns-xvdb"),
            hotplug.window_closed("mail", 7),
        ]
    )
)


def test_the_last_window_of_each_resource_is_found_and_an_open_one_has_no_length() -> None:
    assert hotplug_log.two_primaries_s(LOG, ["dns", "dns-xvdb", "web"]) == {"dns": 2.0, "dns-xvdb": None, "web": None}
    again = LOG + "2026-11-26 10:01:00 block-saltern: " + hotplug.arriving("dns") + "\n"
    assert hotplug_log.two_primaries_s(again, ["dns"]) == {"dns": None}


def test_what_else_is_in_that_log_is_passed_over() -> None:
    assert hotplug_log.two_primaries_s("RTNETLINK answers: No such process\n\n" + LOG, ["mail"]) == {"mail": 7.0}
