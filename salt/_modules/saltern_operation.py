"""
Operations on domains of this node
==================================

What is being done with a domain across its two nodes, such as a migration. Each node keeps an entry of it until it is over
there: it keeps a second operation out, and tells whoever comes next what an interruption has left. The runners ``migration``
and ``cluster`` call these functions on both nodes; by hand they are of use to look.

.. versionadded:: 0.1.0
"""

from salt.exceptions import CommandExecutionError

WRITTEN_FOR = "0.1.0"

try:
    import saltern
except ImportError:
    saltern = None
else:
    if saltern.__version__ == WRITTEN_FOR:
        from saltern import bridge, observe, operations, survey
        from saltern.errors import SalternError
        from saltern.model.places import MIGRATION, operation_log

__virtualname__ = "operation"


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
        return bridge.plain(function(bridge.local_host(__opts__), *args))
    except (SalternError, OSError) as error:
        raise CommandExecutionError(str(error)) from error


def look(domain):
    """
    Return what this node has of a domain: its condition, the sides of its disks, what is not as the topology says, and
    the operation that it is in.

    Runs ``xl list -v``, ``xl info`` and ``drbdsetup events2``.

    domain
        The domain

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 operation.look dns
    """

    def seen(host):
        share = bridge.node_slice(__pillar__)
        return survey.look(domain, share, observe.Observation(host, share.node))

    return _core(seen)


def begin(entry):
    """
    Enter an operation, unless there is another one for this domain.

    entry
        The operation, as the runner made it

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 operation.begin '{...}'
    """
    return _core(lambda host: operations.begin(host, survey.operation_from_plain(entry)))


def renew(domain, identifier):
    """
    Say that an operation is still being prepared: what nobody says this of for two minutes counts as left.

    domain
        The domain

    identifier
        The operation

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 operation.renew dns 7c3f0c1e
    """
    return _core(operations.renew, domain, identifier)


def move(domain, identifier):
    """
    Start to send a domain to its partner. The process outlives this minion; it settles this node's half at its end.

    domain
        The domain

    identifier
        The operation

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 operation.move dns 7c3f0c1e
    """

    def start(host):
        operations.require(host, domain, identifier)
        host.detach([MIGRATION, "send", domain, identifier])

    return _core(start)


def log(domain):
    """
    Return what the tools said in the last operation on a domain, or nothing.

    domain
        The domain

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 operation.log dns
    """
    return _core(lambda host: host.read_text(operation_log(domain)) or "")


def settle(domain):
    """
    Settle this node's half of an operation that nobody works on any more, and return what was done.

    domain
        The domain

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 operation.settle dns
    """
    return _core(operations.settle_left, domain)


def withdraw(domain, identifier):
    """
    Take back an operation that was entered and not begun.

    domain
        The domain

    identifier
        The operation

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 operation.withdraw dns 7c3f0c1e
    """
    return _core(operations.withdraw, domain, identifier)


def release(domain):
    """
    Take the entry of an operation away that nobody works on, without settling anything. What is left of the domain stays.

    domain
        The domain

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 operation.release dns
    """
    return _core(operations.release, domain)
