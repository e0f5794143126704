"""The guard is given the processor before others; what it leaves behind for a domain, or runs for the administrator, is not."""

import os


def give_up() -> None:
    """Have this thread, and what it starts, take its turn like everybody else: each thread has a nice value (sched(7)).

    Else xl, which stays as long as a domain, would go before the store of Xen that it asks, and before the guests' backends.
    """
    if os.getpriority(os.PRIO_PROCESS, 0) < 0:
        os.setpriority(os.PRIO_PROCESS, 0, 0)
