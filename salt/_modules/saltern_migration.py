"""
The keys by which domains are sent to and from this node
========================================================

.. versionadded:: 0.1.0
"""

from salt.exceptions import CommandExecutionError

WRITTEN_FOR = "0.1.0"

try:
    from saltern import loaded
except ImportError:
    saltern = None
else:
    saltern = loaded.current()
    if saltern.__version__ == WRITTEN_FOR:
        from saltern import bridge, observe
        from saltern.errors import SalternError

__virtualname__ = "migration"


def __virtual__():
    """
    Refuse to load beside a core of another version.
    """
    found = getattr(saltern, "__version__", "none")
    if found == WRITTEN_FOR:
        return __virtualname__
    return False, (
        f"this file belongs to Saltern {WRITTEN_FOR}, but the core in this minion's Python is {found}: "
        "run state.apply without the name of a state, which brings both; restart the minion if this stays"
    )


def keys():
    """
    Return what this node tells its partners, by way of Salt's mine: the public key by which it sends domains, and the
    public keys of its sshd. Nothing before they are made.

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 migration.keys
    """
    try:
        return bridge.plain(observe.read_own_keys(bridge.local_host(__opts__)))
    except (SalternError, OSError) as error:
        raise CommandExecutionError(str(error)) from error
