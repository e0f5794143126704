"""What the block script writes into Xen's log about two Primaries; ``saltern.parse.hotplug_log`` reads it."""


def arriving(resource: str) -> str:
    """A domain comes in: from here on both sides may be Primary."""
    return f"add {resource}: Primary beside the partner, for a migration"


def window_left(resource: str, reason: str) -> str:
    """It cannot be closed now, and this is tried again; ``reason`` tells what is in the way."""
    return f"two Primaries stay allowed on {resource} for now: {reason}"


def window_closed(resource: str, lasted_s: float) -> str:
    """Only one side may be Primary again."""
    return f"close {resource}: two Primaries were allowed for {lasted_s:.1f} s"
