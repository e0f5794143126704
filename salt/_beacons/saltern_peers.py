"""
Partners that DRBD has lost
===========================

Tells the master when no resource of this node is connected with a partner any more, and when one is again. It is a sign, and no
proof of anything: the guards see it as well, and decide.

.. versionadded:: 0.1.0

Configuration of the minion of each node:

.. code-block:: yaml

    beacons:
      saltern_peers:
        - interval: 5
"""

WRITTEN_FOR = "0.1.0"

try:
    from saltern import loaded
except ImportError:
    saltern = None
else:
    saltern = loaded.current()
    if saltern.__version__ == WRITTEN_FOR:
        from saltern import bridge
        from saltern.errors import SalternError
        from saltern.guarding.partners import lost
        from saltern.guarding.settings import read_guard
        from saltern.model.places import GUARD_SETTINGS
        from saltern.observe import read_running, read_version

__virtualname__ = "saltern_peers"


def __virtual__():
    """
    Refuse to load beside a core of another version.
    """
    found = getattr(saltern, "__version__", "none")
    if found == WRITTEN_FOR:
        return __virtualname__
    return False, f"this file belongs to Saltern {WRITTEN_FOR}, but the core in this Python is {found}"


def validate(config):
    """
    It takes what every beacon takes, such as ``interval``.
    """
    if not isinstance(config, list):
        return False, "Configuration for the beacon saltern_peers must be a list"
    return True, "Valid beacon configuration"


def beacon(_config):
    """
    Return an event ``lost`` or ``back`` for each partner of which that has changed since the last look. What cannot be seen tells
    nothing. Runs ``drbdsetup events2``.
    """
    try:
        host = bridge.local_host(__opts__)
        if host.mode(GUARD_SETTINGS) is None:
            return []
        found = lost(read_guard(host, GUARD_SETTINGS), read_running(host, read_version(host)))
    except (SalternError, OSError):
        return []
    before = __context__.get(__virtualname__, frozenset())
    __context__[__virtualname__] = found
    return [
        *({"tag": "lost", "node": node} for node in sorted(found - before)),
        *({"tag": "back", "node": node} for node in sorted(before - found)),
    ]
