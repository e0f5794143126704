"""
The guard of this node
======================

A service of its own, which needs neither minion nor master. These functions ask it by its socket on this node, and change
nothing of what it decides.

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
        from saltern import bridge
        from saltern.errors import SalternError
        from saltern.guarding import asked

__virtualname__ = "guard"


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


def _core(function, *args):
    try:
        return function(bridge.local_host(__opts__), bridge.root(__opts__), *args)
    except (SalternError, OSError) as error:
        raise CommandExecutionError(str(error)) from error


def status():
    """
    Return whether this node is protected, and if not, why; by whom the guard is paused; how long ago its leases were renewed;
    which nodes it has proven dead; for each domain its lease, and why it could not be started here; and what was decided last.

    Where the topology has no automatic takeover, ``configured`` is false, and nothing else is told. Starts no process.

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 guard.status
    """
    return _core(asked.status)


def pause(who=None):
    """
    Have the guard of this node take nothing over until ``guard.resume``. It keeps its leases, and protects what runs here, as
    ever.

    who
        Who wants it, for the status. Default: the name of this minion

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 guard.pause who='maria: works on dom0'
    """
    return _core(asked.pause, who or __opts__["id"])


def resume():
    """
    Have the guard of this node take over again what is lost.

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 guard.resume
    """
    return _core(asked.resume)


def confirm_dead(node, *, confirm=None, who=None):
    """
    Tell the guard of this node that a partner is off, which somebody has seen who stands before it. What that partner ran is then
    started here, as if a fence agent had switched it off.

    **Its data are at stake:** when the partner lives after all, its domains run twice. See that it is off, and that it stays
    off until this is done. It is refused while the partner is heard or replicates; where there are leases, because only the
    witness knows whose data are the newer ones; and where no guard runs. Who has said so is in the log of the guard.

    node
        The partner that is off

    confirm
        The name of the partner once more

    who
        Who has seen it. Default: the name of this minion

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0m guard.confirm_dead dom0 confirm=dom0 who='maria, who stands before it'
    """
    if confirm != node:
        reason = f"when {node} lives after all, what it runs will run twice; say that it is off with confirm={node}"
        raise CommandExecutionError(reason)
    return _core(asked.confirm_dead, node, who or __opts__["id"])


def wake():
    """
    Have the guard of this node look again now. It decides by what it sees, as ever: to be woken in vain, late or twice changes
    nothing.

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0m guard.wake
    """
    return _core(asked.wake)


def fence_domain(domain, node):
    """
    End a domain at once on one of its two nodes, and return when it is gone. On the other node than this one the guard there is
    told directly, so that neither master nor minion there is needed; guards know each other by their keys, and an order that is
    told again, or comes late, is none. The domain is free to start again.

    A guest that is ended so loses what it had not written yet.

    domain
        Its name

    node
        Where it is to be ended: this node, or the other node of the domain

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0m guard.fence_domain dns dom0
    """
    return _core(asked.fence_domain, domain, node)


def key():
    """
    Return the public half of this machine's key, by which guards and witnesses know each other, or nothing before it is made.
    It travels by way of Salt's mine.

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 guard.key
    """
    return _core(asked.public_key)
