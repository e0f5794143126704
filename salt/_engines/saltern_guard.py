"""
What the guard has decided, as events on the bus
================================================

Each line of the guard's log becomes an event ``saltern/CLUSTER/guard/NODE`` on the master's bus, with ``at``, ``subject`` and
``words``; what somebody wants to hear of at once has an ``event`` too (docs/reference/events.md). While the master does not
answer they wait on the node, and come later, in order: believe nothing that is old, and look.

.. versionadded:: 0.1.0

Configuration of the minion of each node:

.. code-block:: yaml

    engines:
      - saltern_guard: {}
"""

import logging
import os
import time

import salt.channel.client
from salt.minion import resolve_dns

WRITTEN_FOR = "0.1.0"

try:
    from saltern import loaded
except ImportError:
    saltern = None
else:
    saltern = loaded.current()
    if saltern.__version__ == WRITTEN_FOR:
        from saltern import bridge, loaded
        from saltern.errors import FileError
        from saltern.guarding import following
        from saltern.guarding.settings import read_guard
        from saltern.model.places import GUARD_SETTINGS
        from saltern.run import LocalHost

__virtualname__ = "saltern_guard"
log = logging.getLogger(__name__)
_LOOK_S, _AGAIN_S, _ANSWER_S = 2, 10, 15


def __virtual__():
    """
    Refuse to load beside a core of another version.
    """
    found = getattr(saltern, "__version__", "none")
    if found == WRITTEN_FOR:
        return __virtualname__
    return False, f"this file belongs to Saltern {WRITTEN_FOR}, but the core in this Python is {found}"


def start():
    """
    Pass on what the guard decides. When the core is replaced, or the minion that has started it is gone, it ends, and Salt
    starts it again.
    """
    parent, host = os.getppid(), LocalHost(root=bridge.root(__opts__))
    while loaded.is_current() and os.getppid() == parent:
        time.sleep(_LOOK_S if _pass_on(host) else _AGAIN_S)


def _pass_on(host):
    """Whether the master has got all there is."""
    try:
        tag = f"saltern/{read_guard(host, GUARD_SETTINGS).cluster}/guard/{__opts__['id']}"
    except FileError:  # there is no guard here, or none yet
        return True
    for position, line in following.news(host):
        try:
            _send(tag, line)
        except Exception as error:  # Salt raises what it likes while the master is down
            log.warning("The master has not got an event %s: %r; it is kept, and told later", tag, error)
            return False
        following.keep(host, position)
    return True


def _send(tag, data):
    """
    Give the master an event; raises unless it has got it.

    `event.send` leaves it with the minion, and nobody knows what comes of it. With a preload it goes to the master, but engines
    begin before their minion has looked its master up, so that it would ask 0.0.0.0 for ever.
    """
    master = resolve_dns(__opts__, fallback=False)
    with salt.channel.client.ReqChannel.factory({**__opts__, **master}) as channel:
        load = {"cmd": "_minion_event", "id": __opts__["id"], "tag": tag, "data": data}
        channel.send(load, tries=1, timeout=_ANSWER_S)
