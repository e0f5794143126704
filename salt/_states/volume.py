"""
Logical volumes of the disks of domains and of their DRBD metadata
==================================================================

A volume is created when it is missing and grown when it is too small. It is never shrunk and never removed. Sizes
come from this node's share of the topology in the pillar.

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

__virtualname__ = "volume"


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


def present(name):
    """
    Ensure that a logical volume of this node exists and is at least as large as the topology says.

    Runs ``lvcreate`` or ``lvextend``. A new data volume is tagged ``saltern.blank`` until its DRBD metadata exist.

    name
        The device, such as ``/dev/XEN/dns``

    .. code-block:: yaml

        /dev/XEN/dns:
          volume.present: []
    """
    return _item(name, Item(Kind.VOLUME, name))
