"""
DRBD on this node
=================

Look at DRBD resources, and act on one of them. Nothing here uses force.

.. versionadded:: 0.1.0
"""

from salt.exceptions import CommandExecutionError, SaltInvocationError

WRITTEN_FOR = "0.1.0"

try:
    from saltern import loaded
except ImportError:
    saltern = None
else:
    saltern = loaded.current()
    if saltern.__version__ == WRITTEN_FOR:
        from saltern import bridge, observe
        from saltern.argv import drbd as argv
        from saltern.errors import SalternError
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


def _fresh_pillar():
    """The pillar of now: a minion keeps it as it was at its last refresh."""
    return __salt__["pillar.items"](unmask=True)


def _item(kind, resource):
    try:
        outcome = bridge.converge(__opts__, _fresh_pillar()).item(Item(kind, resource))
    except SalternError as error:
        raise CommandExecutionError(str(error)) from error
    if outcome.result is False:
        raise CommandExecutionError(outcome.comment)
    return outcome.comment


def version():
    """
    Return the version of the kernel module, and whether it is loaded.

    Runs ``drbdadm --version``, or reads ``/proc/drbd`` while the module is loaded.

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 drbd.version
    """
    return _read(observe.read_version)


def status(resource=None):
    """
    Return what the kernel runs: roles, disks, connections and, while it synchronises, what is out of sync.

    Runs ``drbdsetup events2 --now --statistics``.

    resource
        Only this one. Default: all of them

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 drbd.status dns
    """
    running = _read(lambda host: observe.read_running(host, observe.read_version(host)))
    if resource is None:
        return running
    if resource not in running:
        raise CommandExecutionError(
            f"the kernel runs no resource {resource!r}; `drbd.adjust` brings up what is configured"
        )
    return running[resource]


def configured():
    """
    Return the resources that drbdadm finds in the configuration, whoever wrote it.

    Runs ``drbdadm dump-xml``.

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 drbd.configured
    """
    return _read(observe.read_configured)


def metadata(resource):
    """
    Return whether this side of a resource has metadata (``valid``, ``blank`` or ``no device``), and the generation of
    its data, in hexadecimal as drbdadm prints it.

    Runs ``drbdmeta get-gi``, or ``drbdsetup get-gi`` while the disk is attached.

    resource
        A resource of this node's share of the topology

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 drbd.metadata dns
    """

    def reader(host):
        share = bridge.node_slice(_fresh_pillar())
        if resource not in share.resources:
            raise CommandExecutionError(f"the topology gives this node no resource {resource!r}")
        version = observe.read_version(host)
        lvm, running = observe.read_lvm(host), observe.read_running(host, version)
        return observe.read_metadata(host, share.node, share.resources[resource], version, lvm, running)

    found = _read(reader)
    return {**found, "current": f"{found['current']:016X}"}


def metadata_create(resource):
    """
    Create the metadata of this side, under the same conditions as the state ``drbd.metadata_present``: on volumes that
    are provably blank, never over metadata.

    Runs ``drbdadm create-md``, and changes the marks of the volumes.

    resource
        A resource of this node's share of the topology

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 drbd.metadata_create dns
    """
    return _item(Kind.METADATA, resource)


def metadata_wipe(resource, *, confirm=None):
    """
    Wipe the metadata of a replica whose data are gone from this node, so that the next ``state.apply`` builds it anew and
    synchronises it from the partner.

    Refused while the disk is attached, and while its volume is there and may hold data.

    Runs ``drbdadm wipe-md --force``, and marks the metadata volume as blank.

    resource
        The resource, in this node's share of the topology

    confirm
        The resource once more: without it nothing is wiped

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 drbd.metadata_wipe dns confirm=dns
    """
    if confirm != resource:
        raise SaltInvocationError(f"this wipes the metadata of {resource} here; say so with confirm={resource}")
    return _item(Kind.LOST_METADATA, resource)


def adjust(resource):
    """
    Bring the kernel to what the configuration of a resource says.

    Runs ``drbdadm adjust``.

    resource
        The resource

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 drbd.adjust dns
    """
    return _run(argv.adjust, resource)


def primary(resource):
    """
    Make this side Primary, while it is connected: without a connection nobody knows whether the other side is it.

    DRBD itself refuses a second Primary, and a disk that is not up to date.

    Runs ``drbdadm primary``.

    resource
        The resource

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 drbd.primary dns
    """
    if any(each["state"] != "Connected" for each in status(resource)["connections"] or [{"state": "StandAlone"}]):
        raise CommandExecutionError(
            f"{resource} is not connected, and its other side may be Primary: connect it (`drbd.connect`), or prove that the "
            f"other node is dead and run `drbdadm primary {resource}` there yourself"
        )
    return _run(argv.primary, resource)


def secondary(resource):
    """
    Make this side Secondary. DRBD refuses while something holds the device open.

    Runs ``drbdadm secondary``.

    resource
        The resource

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 drbd.secondary dns
    """
    return _run(argv.secondary, resource)


def connect(resource):
    """
    Connect a resource to its other side.

    Runs ``drbdadm connect``.

    resource
        The resource

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 drbd.connect dns
    """
    return _run(argv.connect, resource)


def disconnect(resource):
    """
    Disconnect a resource from its other side. What is written then is replicated after the next connection.

    Runs ``drbdadm disconnect``.

    resource
        The resource

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 drbd.disconnect dns
    """
    return _run(argv.disconnect, resource)


def down(resource):
    """
    Take a resource out of the kernel. DRBD refuses while something holds the device open.

    Runs ``drbdadm down``.

    resource
        The resource

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 drbd.down dns
    """
    return _run(argv.down, resource)


def resize(resource):
    """
    Use what both volumes of a resource have grown to.

    Runs ``drbdadm resize``.

    resource
        The resource

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 drbd.resize dns
    """
    return _run(argv.resize, resource)
