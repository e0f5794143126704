"""What a domain needs on a node."""

import pytest
from pair import slices

from saltern.errors import Refused
from saltern.plan.items import Item, Kind, items, items_of

SHARE = slices()["dom0"]


def test_a_domain_needs_its_volumes_its_resources_the_scripts_and_itself_in_the_order_of_the_node() -> None:
    found = list(items_of("mail", SHARE))
    assert found == [item for item in items(SHARE) if item in found]
    names = {kind: {item.name for item in found if item.kind is kind} for kind in Kind}
    assert names[Kind.VOLUME] >= {"/dev/XEN/mail", "/dev/XEN/mail-xvdb"}
    assert not names[Kind.VOLUME] & {"/dev/XEN/dns", "/dev/XEN/router"}
    assert names[Kind.METADATA] == {"mail", "mail-xvdb"}
    assert names[Kind.DOMAIN] == names[Kind.OPERATION] == {"mail"}
    assert Item(Kind.MODULE) in found
    assert len(names[Kind.SCRIPT]) == 2


def test_every_item_of_a_node_is_needed_by_some_domain() -> None:
    assert {item for domain in SHARE.domains for item in items_of(domain, SHARE)} == set(items(SHARE))


def test_a_domain_that_is_not_there_is_refused() -> None:
    with pytest.raises(Refused, match="nothing to do with dom0"):
        list(items_of("nosuch", SHARE))
