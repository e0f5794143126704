"""
Xen domains of this node
========================

Look at the domains that the hypervisor knows, start and stop one of them.

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
        from saltern.argv import xen as argv
        from saltern.errors import SalternError
        from saltern.plan.items import Item, Kind

__virtualname__ = "xen"


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


def _read(reader, *args):
    try:
        return bridge.plain(reader(bridge.local_host(__opts__), *args))
    except SalternError as error:
        raise CommandExecutionError(str(error)) from error


def _run(command, *args):
    try:
        bridge.local_host(__opts__).run(command(*args))
    except (SalternError, ValueError) as error:
        raise CommandExecutionError(str(error)) from error
    return True


def domains():
    """
    Return all domains but Domain-0, also paused, incoming and dying ones.

    Runs ``xl list -v``.

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 xen.domains
    """
    return _read(lambda host: observe.read_xen(host).domains)


def memory():
    """
    Return the memory in bytes that the hypervisor can give to a new domain.

    Runs ``xl info``.

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 xen.memory
    """
    return _read(observe.read_free_memory_bytes)


def domain_start(domain):
    """
    Start a domain of this node's share of the topology, under the same conditions as the state ``xen.domain_running``:
    on its home, when it provably runs nowhere and its disks are UpToDate here.

    Runs ``xl create``.

    domain
        The domain

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 xen.domain_start dns
    """
    try:
        outcome = bridge.converge(__opts__, __salt__["pillar.items"](unmask=True)).item(Item(Kind.DOMAIN, domain))
    except SalternError as error:
        raise CommandExecutionError(str(error)) from error
    if outcome.result is False or domain not in [each["name"] for each in domains()]:
        raise CommandExecutionError(outcome.comment)
    return outcome.comment


def domain_stop(domain):
    """
    Ask a domain to shut down. It goes on running until it does.

    Runs ``xl shutdown``.

    domain
        The domain

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 xen.domain_stop dns
    """
    return _run(argv.shutdown, domain)


def domain_destroy(domain, *, confirm=None):
    """
    End a domain at once, as by pulling its plug.

    Runs ``xl destroy``.

    domain
        The domain

    confirm
        The domain once more: without it nothing is ended

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 xen.domain_destroy dns confirm=dns
    """
    if confirm != domain:
        raise CommandExecutionError(f"this ends {domain} without a shutdown; say so with confirm={domain}")
    return _run(argv.destroy, domain)


def domain_pause(domain):
    """
    Hold the processors of a domain.

    Runs ``xl pause``.

    domain
        The domain

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 xen.domain_pause dns
    """
    return _run(argv.pause, domain)


def domain_unpause(domain):
    """
    Let the processors of a paused domain go on.

    Runs ``xl unpause``.

    domain
        The domain

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 xen.domain_unpause dns
    """
    return _run(argv.unpause, domain)
