"""What is known of the attempts at having a node switched off."""

from dataclasses import dataclass, field

from saltern.guard.retry import Retry


@dataclass(slots=True)
class Fencing:
    """What a fence agent was asked to do with a node since that was heard last, one at a time.

    A result is ``void`` when the node was heard while the agent was at work: it may be about what was before.
    """

    retry: Retry = field(default_factory=Retry)
    under_way: bool = False
    void: bool = False
    off: bool = False

    def may_begin(self, now_s: float) -> bool:
        """Whether the agent is to be asked now, as far as it goes."""
        return not self.under_way and not self.off and now_s >= self.retry.from_s

    def ended(self, off: bool, now_s: float) -> None:
        """The agent has come to its end, and has seen the node ``off`` or not."""
        if self.under_way and not self.void:
            self.off = off
            if not off:
                self.retry.failed(now_s)
        self.under_way = self.void = False

    def heard(self) -> None:
        """The node lives."""
        self.void = self.under_way
        self.off = False
        if self.retry.failures:
            self.retry = Retry()
