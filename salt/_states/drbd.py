"""
DRBD resources of this node
===========================

Each state is about one resource of this node's share of the topology in the pillar. LVM, DRBD and Xen are read once
in a run, and again after a change, however many states there are.

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
        from saltern.plan.items import Item, Kind

__virtualname__ = "drbd"


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


def module_loaded(name):
    """
    Ensure that the DRBD kernel module is loaded.

    Runs ``modprobe drbd``.

    name
        Free text; the module is always ``drbd``

    .. code-block:: yaml

        drbd kernel module:
          drbd.module_loaded: []
    """
    return _item(name, Item(Kind.MODULE))


def resource_configured(name):
    """
    Ensure that ``/etc/drbd.d/NAME.res`` says what the topology says.

    A file that Saltern did not write is left alone, and a configuration whose numbers clash with another resource on
    this node is never written: one conflict would block every ``drbdadm`` command.

    name
        The resource

    .. code-block:: yaml

        dns:
          drbd.resource_configured: []
    """
    return _item(name, Item(Kind.RESOURCE_CONFIGURATION, name))


def metadata_present(name):
    """
    Ensure that the metadata of this side of a resource exist.

    Runs ``drbdadm create-md`` without force, and only for a data volume that is still marked as blank.

    name
        The resource

    .. code-block:: yaml

        dns:
          drbd.metadata_present: []
    """
    return _item(name, Item(Kind.METADATA, name))


def resource_running(name):
    """
    Ensure that the kernel runs a resource as its configuration says.

    Runs ``drbdadm adjust``.

    name
        The resource

    .. code-block:: yaml

        dns:
          drbd.resource_running: []
    """
    return _item(name, Item(Kind.ACTIVATION, name))


def fenced(name):
    """
    Ensure that DRBD asks the guard of this node before a side of a resource goes on alone.

    Writes ``fencing resource-and-stonith`` and the handler ``fence-peer`` into ``/etc/drbd.d/NAME.res``, and runs
    ``drbdadm adjust``. From then on a Primary that loses its partner is suspended until the guard has an
    answer, so this comes after ``guard.running``. ``guard.configured`` and ``guard.absent`` take it back
    before the guard is told less, or ended.

    name
        The resource

    .. code-block:: yaml

        dns:
          drbd.fenced:
            - require:
              - guard: guard is running
    """
    return _item(name, Item(Kind.FENCING, name))


def first_synchronised(name):
    """
    Ensure that the first synchronisation of a resource has been started.

    Runs ``drbdadm primary --force``, on the home node only, once, and only when both sides are provably new.

    name
        The resource

    .. code-block:: yaml

        dns:
          drbd.first_synchronised: []
    """
    return _item(name, Item(Kind.FIRST_SYNCHRONISATION, name))


def size_used(name):
    """
    Ensure that a resource uses what both of its volumes have grown to.

    Runs ``drbdadm resize``, once both sides are connected, on the side that is Primary.

    name
        The resource

    .. code-block:: yaml

        dns:
          drbd.size_used: []
    """
    return _item(name, Item(Kind.SIZE, name))


def role_held(name):
    """
    Ensure that this side of a resource is Primary only while a domain here uses it.

    Runs ``drbdadm secondary`` on a Primary that no domain needs, so that the partner can take the domain over.

    name
        The resource

    .. code-block:: yaml

        dns:
          drbd.role_held: []
    """
    return _item(name, Item(Kind.ROLE, name))


def tie_breaker_running(name):
    """
    Ensure that a resource that this node breaks ties for is configured here, and up without a disk.

    Writes ``/etc/drbd.d/NAME.res`` and runs ``drbdadm adjust``. It takes DRBD 9.

    name
        The resource

    .. code-block:: yaml

        dns:
          drbd.tie_breaker_running: []
    """
    return _item(name, Item(Kind.TIE_BREAKER, name))
