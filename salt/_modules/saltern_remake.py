"""
Steps of a remake on this node
==============================

What the runner ``remake`` has the nodes do, one step after the other. Every function looks at what is there first: asked for
again, it does nothing. See ``docs/design/remake.md``.

.. versionadded:: 0.1.0
"""

import contextlib

from salt.exceptions import CommandExecutionError

WRITTEN_FOR = "0.1.0"

try:
    from saltern import loaded
except ImportError:
    saltern = None
else:
    saltern = loaded.current()
    if saltern.__version__ == WRITTEN_FOR:
        from saltern import bridge, observe, operations, remake_entries, remake_step, survey
        from saltern.desired import slice_from_pillar
        from saltern.errors import SalternError, SliceError
        from saltern.travel import step_from_plain

__virtualname__ = "remake"
_MINE = "saltern_keys"


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


def entries(domains):
    """
    Return the remakes that domains are in on this node, or were: whose, how many of how many steps are done, and whether
    somebody works on it.

    Starts no process.

    domains
        A name, or several

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 remake.entries dns
    """
    return _core(lambda host: remake_entries.found(host, _list(domains)))


def enter(entries):
    """
    Enter the remakes of domains, so that nothing else is done with them here, or take them up again.

    entries
        The remakes, as the runner made them

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 remake.enter '[{...}]'
    """
    return _core(lambda host: remake_entries.enter_all(host, [remake_entries.from_plain(each) for each in entries]))


def withdraw(domains, identifier):
    """
    Take back the remakes of domains that were entered, and of which no step was done.

    domains
        A name, or several

    identifier
        The id of the remake

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 remake.withdraw dns 9c1f8e0a7d3b2c44-7c3f0c1e
    """
    return _core(lambda host: remake_entries.withdraw(host, _list(domains), identifier))


def note(domains, identifier, reached):
    """
    Note how many steps of a remake are done, and that somebody is at work.

    domains
        A name, or several

    identifier
        The id of the remake

    reached
        How many steps are done, on all nodes

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 remake.note dns 9c1f8e0a7d3b2c44-7c3f0c1e 3
    """
    return _core(lambda host: remake_entries.note(host, _list(domains), identifier, int(reached)))


def take(step, number, expected, uuid, identifier):
    """
    Take one step of a remake on this node: look, do what is not done, look again. Returns what was ``done``, and what time has
    still to bring (``waits``). Refused where what is there is neither the beginning of the step nor its end.

    step
        The step, as the runner made it, without secrets

    number
        Which one of its domain it is, from 1: what is counted as done already is refused

    expected
        What the topology gives this node of the domain, without secrets: where the minion's pillar says another thing, it is
        asked for anew. Nothing for a step that only takes apart

    uuid
        The UUID of the domain before the remake

    identifier
        The id of the remake

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 remake.take '{...}' 3 '{...}' 6f3d2a10-93a5-5f0e-9d55-0a4f6f1d2c33 9c1f8e0a7d3b2c44-7c3f0c1e
    """

    def taken(host):
        told = step_from_plain(step)
        return remake_step.take(
            host,
            __opts__["id"],
            told,
            number=int(number),
            uuid=uuid,
            share=lambda: _share(expected),
            identifier=identifier,
        )

    return _core(taken)


def settle_in(domain, expected, identifier):
    """
    Make sure, at the end of a remake, that all that a domain needs on this node is as the topology says, as
    ``state.apply`` would; refused with everything that is not.

    domain
        The domain

    expected
        What the topology gives this node of it, without secrets

    identifier
        The id of the remake

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 remake.settle_in dns '{...}' 9c1f8e0a7d3b2c44-7c3f0c1e
    """
    return _core(lambda host: remake_step.settle_in(host, domain, _share(expected), identifier))


def end(domains, identifier, gone):
    """
    Note that the remake of domains is over, so that everything is allowed with them again.

    domains
        A name, or several

    identifier
        The id of the remake

    gone
        Those of them that the topology no longer has

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 remake.end dns 9c1f8e0a7d3b2c44-7c3f0c1e '[]'
    """
    return _core(lambda host: remake_entries.end(host, _list(domains), identifier, _list(gone)))


def prepared(volume_group):
    """
    Return what a node has that is about to be given its first domains; refused where DRBD, Xen or the volume group lacks.

    volume_group
        The volume group that the topology gives it

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom1 remake.prepared XEN
    """
    return _core(lambda host: remake_step.prepared(host, __opts__["id"], volume_group))


def look(domains, share, identifier, preparing=False):
    """
    Return what this node has of domains, as ``operation.look`` does, compared with what it is told and not with its pillar:
    between two topologies the one or the other holds.

    domains
        A name, or several

    share
        What these domains have here at this moment, without secrets

    identifier
        The id of the remake, whose own entry is not told

    preparing
        Whether whoever looks is preparing an operation of that id within it, which is then renewed. Default: False

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 remake.look dns '{...}' 9c1f8e0a7d3b2c44-7c3f0c1e
    """

    def seen(host):
        given = slice_from_pillar(share)
        operations.keep_prepared(host, _list(domains), identifier if preparing else None)
        return survey.look(_list(domains), given, observe.Observation(host, given.node, ours=identifier))

    return _core(seen)


def keys(share):
    """
    Return the public keys of this node by which domains are sent and received; the pair is made where there is none.

    share
        What the domain that is about to move has here, without secrets

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom1 remake.keys '{...}'
    """
    return _core(lambda host: remake_step.own_keys(host, slice_from_pillar(share)))


def trust(share, keys):
    """
    Let the partner of a domain that is about to move send it here, as the state ``migration.partners_trusted`` does.

    share
        What the domain has here, without secrets

    keys
        The public keys of both nodes, as ``remake.keys`` returns them, by node

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom1 remake.trust '{...}' '{...}'
    """

    def ask(node):
        told = keys.get(node) or __salt__["mine.get"](node, _MINE).get(node)
        return bridge.keys_from_plain(told)

    def trusted(host):
        own = None
        with contextlib.suppress(SliceError):  # a node that is no longer in the topology
            own = bridge.node_slice(_fresh_pillar())  # whoever is not in it is let in no longer
        return remake_step.trust(host, slice_from_pillar(share), own, ask)

    return _core(trusted)


def _core(function):
    try:
        return bridge.plain(function(bridge.local_host(__opts__)))
    except (SalternError, OSError) as error:
        raise CommandExecutionError(str(error)) from error


def _share(expected):
    return bridge.current_slice(__pillar__, expected, _fresh_pillar)


def _fresh_pillar():
    """The pillar of now: a minion keeps it as it was at its last refresh."""
    return __salt__["pillar.items"](unmask=True)


def _list(domains):
    return [domains] if isinstance(domains, str) else list(domains)
