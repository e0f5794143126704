"""
Xen domains of this node
========================

Each state is about one domain of this node's share of the topology in the pillar.

.. versionadded:: 0.1.0
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
        from saltern.model.places import BLOCK_SCRIPT, OPERATION_SCRIPT
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


def _item(name, item):
    return bridge.state_return(name, item, __context__, __instance_id__, __opts__, __pillar__)


def block_script_installed(name):
    """
    Ensure that ``/etc/xen/scripts/block-saltern`` is there, by which Xen attaches the disks of domains.

    It makes a disk Primary for a domain that starts here or arrives, refuses whatever is not proven safe, and makes it
    Secondary again when the domain is gone. It needs the core in ``/usr/lib/saltern``, where the state ``core`` puts it.

    name
        Free text; the script is always ``block-saltern``

    .. code-block:: yaml

        block script:
          xen.block_script_installed: []
    """
    return _item(name, Item(Kind.SCRIPT, BLOCK_SCRIPT))


def operation_script_installed(name):
    """
    Ensure that ``/usr/lib/saltern/operation`` is there, which sends domains to the partner and takes them in.

    name
        Free text; the script is always the same

    .. code-block:: yaml

        migration script:
          xen.operation_script_installed: []
    """
    return _item(name, Item(Kind.SCRIPT, OPERATION_SCRIPT))


def operation_settled(name):
    """
    Ensure that nothing is left of an operation on a domain that was interrupted.

    Such are the halves of a migration whose processes are gone. This node's half is ended, or goes on, by the table in
    docs/design/operate.md. What somebody still works on is left alone.

    name
        The domain

    .. code-block:: yaml

        dns:
          xen.operation_settled: []
    """
    return _item(name, Item(Kind.OPERATION, name))


def domain_configured(name):
    """
    Ensure that ``/etc/xen/NAME.cfg`` says what the topology says.

    It is written on both nodes of the domain, so that either can run it.

    name
        The domain

    .. code-block:: yaml

        dns:
          xen.domain_configured: []
    """
    return _item(name, Item(Kind.DOMAIN_CONFIGURATION, name))


def domain_running(name):
    """
    Ensure that a domain runs, on its home node.

    Runs ``xl create`` when the domain provably runs nowhere and all its disks are UpToDate here; the block script then makes
    them Primary. On the partner node nothing is ever started.

    name
        The domain

    .. code-block:: yaml

        dns:
          xen.domain_running: []
    """
    return _item(name, Item(Kind.DOMAIN, name))
