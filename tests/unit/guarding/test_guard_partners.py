"""A partner is lost when DRBD is connected with it by no resource any more."""

import pytest
from nodes import running

from saltern.guarding.partners import lost
from saltern.guarding.settings import GuardedDomain, GuardSettings, Party, Place
from saltern.model.running import ConnectionState, RunningResource

DOMAINS = (("dns", "dom1", ("dns", "dns-xvdb")), ("mail", "dom2", ("mail",)))
SETTINGS = GuardSettings(
    version=1,
    node="dom0",
    listen=Place(address="192.168.1.190", port=7780),
    partners={name: Party(address="192.168.1.191", port=7780, key=name * 10) for name in ("dom1", "dom2")},
    witness=Party(address="192.168.1.10", port=7781, key="f" * 40),
    domains=tuple(
        GuardedDomain(name=name, uuid=name, partner=node, resources=each, memory_bytes=1)
        for name, node, each in DOMAINS
    ),
)


def sides(**states: ConnectionState) -> dict[str, RunningResource]:
    return {name.replace("_", "-"): running(state=state)["dns"] for name, state in states.items()}


CONNECTED, CONNECTING = ConnectionState.CONNECTED, ConnectionState.CONNECTING


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ({"dns": CONNECTED, "dns_xvdb": CONNECTED, "mail": CONNECTED}, set()),
        ({"dns": CONNECTING, "dns_xvdb": CONNECTED, "mail": CONNECTED}, set()),
        ({"dns": CONNECTING, "dns_xvdb": CONNECTING, "mail": CONNECTED}, {"dom1"}),
        ({"dns": CONNECTING, "mail": CONNECTING}, {"dom1", "dom2"}),
        ({"mail": ConnectionState.STANDALONE}, {"dom2"}),
        ({}, set()),
        ({"strange": CONNECTING}, set()),
    ],
)
def test_a_partner_is_lost_when_nothing_that_is_up_is_connected(
    states: dict[str, ConnectionState], expected: set[str]
) -> None:
    assert lost(SETTINGS, sides(**states)) == expected
