"""An order between guards: a domain that both nodes may run is to be ended there."""

from saltern.guard.knowledge import Knowledge
from saltern.guard.messages import End


class Orders(Knowledge):
    """An order is taken once, while it is fresh, and from the other node of the domain alone.

    It is fresh when it names a beat that was sent a moment ago, in this boot, and nothing later was heard from who gives it:
    clocks are not compared, and one that was held up on its way, or comes from before a restart of either guard, is not taken.
    """

    def order_end(self, domain: str) -> End | None:
        """The order to the other node of a domain; ``None`` while its guard was not heard."""
        peer = self._peers[self._partners[domain]]
        if peer.beat is None:
            return None
        return End(domain, self.node, self.facts.boot, self._next(), peer.boot, peer.beat)

    def against_order(self, order: End, now_s: float) -> str | None:
        """Why an order is not taken, in words; ``None`` for one that is, and never will be again."""
        if self._partners.get(order.domain) != order.by:
            return f"{order.domain} is not shared with {order.by}"
        peer = self._peers[order.by]
        if (order.boot, order.number) <= max((peer.boot, peer.number), self._obeyed.get(order.by, (0, 0))):
            return "the order is an old one"
        sent = peer.sent.get(order.heard) if order.heard_boot == self.facts.boot else None
        if sent is None or now_s > sent.sent_s + self._times.dead_s:
            return "the order comes late, or from before a restart of this guard"
        self._obeyed[order.by] = (order.boot, order.number)
        return None
