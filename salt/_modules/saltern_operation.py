"""
Operations on domains of this node
==================================

What is being done with a domain across its two nodes, such as a migration. Each node keeps an entry of it until it is over
there: it keeps a second operation out, and tells whoever comes next what an interruption has left. The runners ``operation``
and ``cluster`` call these functions on both nodes; by hand they are of use to look.

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
        from saltern import bridge, observe, operations, survey, work
        from saltern.errors import SalternError
        from saltern.model.places import HOTPLUG_LOG, operation_log
        from saltern.parse import hotplug_log

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


def _fresh_pillar():
    """The pillar of now: a minion keeps it as it was at its last refresh."""
    return __salt__["pillar.items"](unmask=True)


def look(domains=None, share=None, preparing=None):
    """
    Return what this node has of domains: their condition, the sides of their disks, what is not as the topology says, and
    the operations that they are in.

    Runs ``xl list -v``, ``xl info`` and ``drbdsetup events2``, once for all.

    domains
        A name, or several. Default: all of this node's share of the topology

    share
        What the master has of them now, without secrets: where the minion's pillar says another thing, it is asked for
        anew. Default: it is asked for anew in any case

    preparing
        The id of operations on these domains that whoever looks is preparing; they are renewed first, as by
        ``operation.renew``. Default: none

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 operation.look dns
    """

    def seen(host):
        given = bridge.current_slice(__pillar__, share, _fresh_pillar)
        names = given.domains if domains is None else _list(domains)
        operations.keep_prepared(host, names, preparing)
        return survey.look(names, given, observe.Observation(host, given.node))

    return _core(seen)


def entries():
    """
    Return what is being done with domains on this node: for each domain with an entry of an operation its id and kind, in
    words what it is, and whether somebody still works on it; which of them are to stay stopped, or were put here to stay; and
    which nodes are in maintenance. Entries that cannot be read are told as such, and so are notes of domains that are not, or
    no longer, in this node's share of the topology; for that the master is asked for the pillar of now.

    Starts no process.

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 operation.entries
    """

    def told(host):
        found = operations.entries(host, bridge.node_slice(__pillar__).domains)
        if not found.strange:
            return found
        return operations.entries(host, bridge.node_slice(_fresh_pillar()).domains)

    return _core(told)


def explain(domain):
    """
    Return what the next ``state.apply`` would make of all that a domain needs on this node, item by item with the result
    and the comment of a dry run, and what the tools said in the last operation on it. Nothing is changed. The topology is that
    of now, as it will be for the apply.

    Runs what ``state.apply test=True`` runs. ``salt-run cluster.explain`` makes sentences of it.

    domain
        The domain

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 operation.explain dns
    """

    def foreseen(host):
        return {
            "items": bridge.foreseen(__opts__, _fresh_pillar(), domain),
            "log": host.read_text(operation_log(domain)) or "",
        }

    return _core(foreseen)


def begin(entries):
    """
    Enter operations, each unless there is another one for its domain: all of them, or none.

    entries
        The operations, as the runner made them

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 operation.begin '[{...}]'
    """
    return _core(lambda host: operations.begin_all(host, [survey.operation_from_plain(each) for each in entries]))


def renew(domains, identifier):
    """
    Say that operations are still being prepared: what nobody says this of for two minutes counts as left.

    domains
        The domains

    identifier
        The id that their operations have

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 operation.renew dns 7c3f0c1e
    """
    return _core(lambda host: operations.renew_all(host, _list(domains), identifier))


def carry_out(domain, identifier):
    """
    Begin this node's half of an operation: send a domain, shut it down, or start it. The process outlives this minion, and
    settles this half at its end.

    domain
        The domain

    identifier
        The id of the operation

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 operation.carry_out dns 7c3f0c1e
    """
    return _core(work.begin, domain, identifier)


def wait(domains, identifier, at_most):
    """
    Wait until an operation is over on this node, and return whether it is. Starts no process: while a domain moves, it costs
    less to wait for the end than to look for it.

    domains
        The domains; the first one whose operation is over ends it

    identifier
        The id that their operations have

    at_most
        Seconds to wait

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 operation.wait dns 7c3f0c1e 10
    """
    return _core(operations.wait, _list(domains), identifier, float(at_most))


def two_primaries(resources):
    """
    Return for how many seconds two Primaries were allowed on each resource in the last migration to this node; nothing
    while they still are, and where it is not known.

    resources
        A name, or several

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 operation.two_primaries dns
    """

    return _core(lambda host: hotplug_log.two_primaries_s(host.read_text(HOTPLUG_LOG) or "", _list(resources)))


def log(domain):
    """
    Return what the tools said on this node in the last operation on a domain, or nothing.

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


def withdraw(domains, identifier):
    """
    Take back operations that were entered and came to nothing. What somebody carries out ends by itself; what a process has begun
    that no longer lives is settled; one that comes only after this is not entered. Returns the domains whose operation stays.

    domains
        The domains

    identifier
        The id that their operations have

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 operation.withdraw dns 7c3f0c1e
    """
    return _core(lambda host: operations.withdraw_all(host, _list(domains), identifier))


def give_up(domains, identifier):
    """
    Take operations back, also a start that was begun and waits for the domain to be shut down on the other node: it ends by
    itself within seconds. What is being started or shut down goes on.

    domains
        The domains

    identifier
        The id that their operations have

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0m operation.give_up dns 7c3f0c1e
    """
    return _core(lambda host: operations.give_up(host, _list(domains), identifier))


def finish(domains, identifier):
    """
    End the halves that had nothing to do, when the other node has done its half; what a process has begun that no longer lives is
    settled.

    domains
        The domains

    identifier
        The id that their operations have

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 operation.finish dns 7c3f0c1e
    """
    return _core(lambda host: [operations.finish(host, domain, identifier) for domain in _list(domains)])


def begin_maintenance(node, note):
    """
    Mark a node, this one or a partner of it, as in maintenance: domains that belong there do not return by themselves. The
    file is ``/var/lib/saltern/maintenance/NODE``. ``salt-run state.orch evacuate`` does it on the node and its partners.

    node
        The node

    note
        Why and by whom, in words

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt -L dom0,dom0m operation.begin_maintenance dom0 'its memory is exchanged'
    """
    return _core(operations.begin_maintenance, node, note)


def end_maintenance(node):
    """
    Take the mark of maintenance away. ``salt-run state.orch return`` does it on the node and its partners.

    node
        The node

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt -L dom0,dom0m operation.end_maintenance dom0
    """
    return _core(operations.end_maintenance, node)


def release(domain):
    """
    Take the entry of an operation away that nobody works on, without settling anything. What is left of the domain stays.
    What was taken away is returned. Notes that it is to stay stopped, or here, go as well when they belong to no domain of this
    node's share of the topology.

    domain
        The domain

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 operation.release dns
    """
    return _core(operations.release, domain, lambda: bridge.node_slice(_fresh_pillar()).domains.get(domain))


def _list(domains):
    return [domains] if isinstance(domains, str) else list(domains)
