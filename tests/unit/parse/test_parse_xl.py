from pathlib import Path

import pytest

from saltern.errors import ParseError
from saltern.model.observed import Hypervisor, XenDomain
from saltern.parse import xl_info, xl_list

DATA = Path(__file__).parents[2] / "data" / "xl"
MIB = 1024**2
ALONE = (DATA / "4.17-list-v-alone.txt").read_text()
DOMAINS = (DATA / "4.17-list-v-domains.txt").read_text()
INFO = (DATA / "4.17-info.txt").read_text()
HEADER, DOMAIN_0, *_ = DOMAINS.splitlines(keepends=True)
DNS = DOMAINS.splitlines(keepends=True)[3]


def by_domid() -> dict[int, XenDomain]:
    return {domain.domid: domain for domain in xl_list.parse(DOMAINS)}


def test_domain_0_is_left_out() -> None:
    assert xl_list.parse(ALONE) == ()


def test_a_running_domain_is_read_with_memory_in_bytes() -> None:
    assert by_domid()[17] == XenDomain(
        domid=17,
        name="dns",
        uuid="f9c4a00a-3a73-4fa6-9e80-713ef3b46dfb",
        memory_bytes=128 * MIB,
        vcpus=1,
        cpu_time_s=3.3,
        running=False,
        blocked=True,
        paused=False,
        shut_down=False,
        suspended=False,
        crashed=False,
        dying=False,
    )


def test_the_remains_of_a_domain_have_no_name_but_their_uuid() -> None:
    zombie, successor = by_domid()[16], by_domid()[17]
    assert zombie.name is None
    assert zombie.paused
    assert zombie.shut_down
    assert zombie.suspended
    assert zombie.dying
    assert zombie.uuid == successor.uuid


def test_a_domain_on_its_way_in_is_paused_and_called_so() -> None:
    incoming = by_domid()[18]
    assert (incoming.name, incoming.paused, incoming.vcpus) == ("vpn--incoming", True, 0)


def test_a_name_longer_than_its_column_does_not_shift_the_others() -> None:
    domain = by_domid()[20]
    assert domain.name == "a-domain-whose-name-is-longer-than-the-column"
    assert (domain.memory_bytes, domain.vcpus, domain.running) == (131072 * MIB, 16, True)


def test_a_name_with_blanks_and_numbers_is_a_name() -> None:
    assert by_domid()[21].name == "two words 7 8"


def test_a_crash_is_not_a_mere_shutdown() -> None:
    assert by_domid()[21].crashed
    assert by_domid()[19].shut_down
    assert not by_domid()[19].crashed


def test_a_domain_whose_name_is_blank_is_still_a_domain() -> None:
    (domain,) = xl_list.parse(HEADER + DOMAIN_0 + DNS.replace("dns", "   "))
    assert domain.name is None


def test_the_order_of_xl_is_kept() -> None:
    assert [domain.domid for domain in xl_list.parse(DOMAINS)] == [16, 17, 18, 19, 20, 21]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param(HEADER, id="no Domain-0"),
        pytest.param(HEADER + DNS, id="a domain, but no Domain-0"),
        pytest.param(DOMAIN_0 + DNS, id="no header"),
        pytest.param(HEADER.replace("UUID", "Name"), id="another header"),
        pytest.param(HEADER + DOMAIN_0 + DNS[:-1], id="the last line not ended"),
        pytest.param(HEADER + DOMAIN_0 + DNS[:60] + "\n", id="a line cut off"),
        pytest.param(HEADER + DOMAIN_0 + DNS + DNS, id="a domain twice"),
        pytest.param(HEADER + DOMAIN_0 + "\n", id="an empty line"),
        pytest.param(HEADER + DOMAIN_0 + DNS.replace("-b----", "zb----"), id="a state not known"),
        pytest.param(HEADER + DOMAIN_0 + DNS.replace("f9c4a00a", "?"), id="not a UUID"),
        pytest.param(HEADER + DOMAIN_0 + "libxl: error: something\n", id="an error among the lines"),
    ],
)
def test_a_list_that_is_not_understood_raises(text: str) -> None:
    with pytest.raises(ParseError):
        xl_list.parse(text)


def test_memory_is_told_in_bytes() -> None:
    assert xl_info.parse(INFO) == Hypervisor(
        free_memory_bytes=1124 * MIB, total_memory_bytes=2047 * MIB, xen_version="4.17.7", shadow_paging=False
    )


def test_a_hypervisor_with_shadow_paging_says_so() -> None:
    assert xl_info.parse(INFO.replace(" hap ", " hap shadow ")).shadow_paging


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("free_memory ", "memory_free "),
        ("1124", "1124.5"),
        ("1124", "-1"),
        ("total_memory ", "free_memory "),
        ("xen_version ", "version "),
        ("nr_cpus                : 1", "libxl failed"),
    ],
)
def test_facts_that_are_missing_doubled_or_no_numbers_raise(old: str, new: str) -> None:
    with pytest.raises(ParseError):
        xl_info.parse(INFO.replace(old, new, 1))
