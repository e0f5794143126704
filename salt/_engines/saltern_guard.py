"""
What the guard has decided, as events on the bus
================================================

Each line of the guard's log becomes an event ``saltern/CLUSTER/guard/NODE`` on the master's bus, with ``at``, ``subject`` and
``words``; what somebody wants to hear of at once has an ``event`` too (docs/reference/events.md). While a master does not
answer they wait on the node, and come later, in order: believe nothing that is old, and look. Of several masters each gets
every event; where the minion uses one of several, that one.

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
import salt.config
from salt.minion import prep_ip_port

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
_LOOK_S, _AGAIN_S, _ANSWER_S, _CHOSEN_S = 2, 10, 15, 300
_ONE_OF_SEVERAL = "one-of-several"


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
    Pass on what the guard decides, to one master: a minion of several masters has an engine for each.

    What an engine knows of its master is what the minion knew when it started the engine. When it has ended, Salt starts it
    again within ten seconds, with what the minion knows then. So it ends when the minion has not looked its master up yet,
    when that does not answer, now and then where the minion may have chosen another, and when the core is replaced.
    """
    parent = os.getppid()
    if _is_masterless():
        log.info("This minion has no master: nobody is told what the guard decides")
        while os.getppid() == parent:  # or Salt would start it every ten seconds
            time.sleep(_AGAIN_S)
    elif __opts__.get("master_uri"):
        _follow(parent)


def _is_masterless():
    is_local = __opts__["file_client"] == "local" and not __opts__["use_master_when_local"]
    return is_local or __opts__["master_type"] == "disable"


def _follow(parent):
    host, until_s = LocalHost(root=bridge.root(__opts__)), time.monotonic() + _CHOSEN_S
    _forget_strangers(host)
    while loaded.is_current() and os.getppid() == parent:
        if not _pass_on(host):
            time.sleep(_AGAIN_S)
            return
        time.sleep(_LOOK_S)
        if _is_one_of_several() and time.monotonic() >= until_s:
            return


def _is_one_of_several():
    """Whether the minion chooses its master: by `failover`, `distributed`, or a function."""
    return __opts__["master_type"] != "str"


def _master():
    """Whose position it is. Masters of which the minion uses one share one: what one of them was told, they were told."""
    return _ONE_OF_SEVERAL if _is_one_of_several() else _name(__opts__)


def _name(opts):
    return f"{opts['master']}:{opts['master_port']}"


def _forget_strangers(host):
    """Take away the positions of masters that the minion no longer has."""
    if following.masters(host) <= {_master()}:
        return
    known = {_master()} if _is_one_of_several() else _configured()
    if _master() in known:  # otherwise the configuration is not that of this minion, or cannot be read
        following.forget_all_but(host, known)


def _configured():
    """All masters of a minion that uses all of them; an engine is given its own alone."""
    opts = salt.config.minion_config(__opts__["conf_file"], minion_id=__opts__["id"])
    masters = opts["master"] if isinstance(opts["master"], list) else [opts["master"]]
    return {_name({**opts, **prep_ip_port({**opts, "master": master})}) for master in masters}


def _pass_on(host):
    """Whether the master has got all there is."""
    try:
        tag = f"saltern/{read_guard(host, GUARD_SETTINGS).cluster}/guard/{__opts__['id']}"
    except FileError:  # there is no guard here, or none yet
        return True
    news = following.news(host, _master())
    if not news:
        return True
    try:
        _send(host, tag, news)
    except Exception as error:  # Salt raises what it likes while the master is down
        log.warning(
            "The master %s has not got an event %s: %r; it is kept, and told later", _name(__opts__), tag, error
        )
        return False
    return True


def _send(host, tag, news):
    """
    Give the master events, one after the other; raises at the first that it has not got.

    `event.send` leaves an event with the minion, and nobody knows what comes of it.
    """
    with salt.channel.client.ReqChannel.factory(dict(__opts__)) as channel:
        for position, line in news:
            load = {"cmd": "_minion_event", "id": __opts__["id"], "tag": tag, "data": line}
            channel.send(load, tries=1, timeout=_ANSWER_S)
            following.keep(host, _master(), position)
