"""What people want to hear of at once: the lines of a guard's log that carry one of these words as their ``event``."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Event(StrEnum):
    """See ``MEANINGS``."""

    GUARD_BEGINS = "guard-begins"
    GUARD_ENDED = "guard-ended"
    GUARD_PAUSED = "guard-paused"
    GUARD_RESUMED = "guard-resumed"
    NODE_LOST = "node-lost"
    NODE_DEAD = "node-dead"
    NODE_BACK = "node-back"
    FENCING_BEGINS = "fencing-begins"
    NODE_FENCED = "node-fenced"
    FENCING_FAILED = "fencing-failed"
    AGENT_FAILS = "agent-fails"
    DEATH_CONFIRMED = "death-confirmed"
    GIVEN_UP = "given-up"
    LEASE_ENDED = "lease-ended"
    DOMAIN_STARTED = "domain-started"
    DOMAIN_START_FAILED = "domain-start-failed"
    DOMAIN_REFUSED = "domain-refused"
    DOMAIN_NOT_ENDED = "domain-not-ended"
    DOMAIN_FENCED = "domain-fenced"
    DATA_ALONE = "data-alone"
    DATA_SAME = "data-same"
    HANDLER_FAILED = "handler-failed"


MEANINGS: Final[Mapping[Event, str]] = {
    Event.GUARD_BEGINS: "The guard of the node has begun: after a boot, a restart, or when it was killed.",
    Event.GUARD_ENDED: "It has ended on purpose: the node is not protected, and nothing of it is taken over.",
    Event.GUARD_PAUSED: "Somebody has paused it: it takes nothing over.",
    Event.GUARD_RESUMED: "It takes over again.",
    Event.NODE_LOST: "A partner is not heard any more. That proves nothing yet; the witness is asked to answer it no longer.",
    Event.NODE_DEAD: "A partner is proven dead: what it ran may be started here.",
    Event.NODE_BACK: "A partner that was proven dead is back.",
    Event.FENCING_BEGINS: "The fence agent of a lost partner is asked to switch it off. An attempt after a failure is not told.",
    Event.NODE_FENCED: "A fence agent has switched a partner off, and says that it is off.",
    Event.FENCING_FAILED: "A fence agent could not switch a partner off, and why; told again for another reason.",
    Event.AGENT_FAILS: "A fence agent does not work, and why, as it is tried out from time to time: it could switch nobody off.",
    Event.DEATH_CONFIRMED: "A person has said that a partner is off, with `cluster.confirm_dead`.",
    Event.GIVEN_UP: "This node itself was given up for lost, or taken over from: it is answered again when it runs nothing.",
    Event.LEASE_ENDED: "The lease of a domain has ended here, so the domain is ended at once.",
    Event.DOMAIN_STARTED: "An orphan was started here.",
    Event.DOMAIN_START_FAILED: "Starting an orphan has failed; it is tried again after a while.",
    Event.DOMAIN_REFUSED: "An orphan is not started here, and why.",
    Event.DOMAIN_NOT_ENDED: "A domain without a lease could not be ended; it is tried again, until the watchdog resets the node.",
    Event.DOMAIN_FENCED: "A domain is ended here because somebody has ordered that, on this node or on its other one.",
    Event.DATA_ALONE: "A domain goes on here without its other copy, which counts as outdated from now on.",
    Event.DATA_SAME: "The other copy of a domain is the same again, or being made so, or this node's is no longer the newer one.",
    Event.HANDLER_FAILED: "DRBD's handler `fence-peer` has not told it that a domain may go on: the guard has told it so itself.",
}
