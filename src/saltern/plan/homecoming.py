"""Whether a domain returns home by itself: decided on the master, from what both its nodes told."""

from collections.abc import Mapping

from saltern.model.desired import DomainSpec, NodeSlice
from saltern.model.survey import Survey


def returning(node: str, shares: Mapping[str, NodeSlice]) -> dict[str, DomainSpec]:
    """The domains at home on a node that return there by themselves, in start order; none for what is no node."""
    domains = shares[node].domains if node in shares else {}
    return {name: spec for name, spec in domains.items() if spec.home == node and spec.automatic_return}


def is_away(domain: DomainSpec, surveys: Mapping[str, Survey]) -> bool:
    """Whether it is with its partner, in whatever condition."""
    return surveys[domain.partner].condition is not None


def stays(domain: DomainSpec, surveys: Mapping[str, Survey]) -> str | None:
    """Why a domain does not return by itself, in words, however long it is waited for; ``None`` for one that does when it can.

    It goes by what somebody wants, and leaves alone what is not simply running with the partner.
    """
    home, away = surveys[domain.home], surveys[domain.partner]
    if home.condition is not None or away.condition != "running":
        found = ", ".join(f"{each.condition} on {each.node}" for each in (home, away) if each.condition) or "nowhere"
        return f"it is {found}"
    for each in (home, away):
        if domain.home in each.maintenance:
            return f"{domain.home} is in maintenance, {each.maintenance[domain.home]}"
        if each.standing is not None:
            return f"{each.node} has the {each.standing.operation}"
    return None if away.placed is None else f"it was {away.placed}"
