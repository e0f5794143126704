"""
Volume groups and logical volumes of this node
==============================================

Beside the functions of Salt's own ``lvm`` module, whose names differ. A failed read raises and is never an empty answer.

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
        from saltern.argv import lvm as argv
        from saltern.errors import SalternError
        from saltern.units import parse_size

__virtualname__ = "lvm"


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


def groups():
    """
    Return all volume groups: size, free space and extent size in bytes.

    Runs ``vgs`` and ``lvs``.

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 lvm.groups
    """
    return _read(lambda host: observe.read_lvm(host).volume_groups)


def volumes(volume_group=None):
    """
    Return all logical volumes by ``GROUP/NAME``: size in bytes, whether active, whether open, and tags.

    Runs ``vgs`` and ``lvs``.

    volume_group
        Only those of this volume group. Default: all of them

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 lvm.volumes XEN
    """
    found = _read(lambda host: observe.read_lvm(host).volumes)
    return {f"{group}/{name}": volume for (group, name), volume in found.items() if volume_group in (None, group)}


def volume_create(volume_group, name, size):
    """
    Create a logical volume.

    Runs ``lvcreate``.

    volume_group
        The volume group

    name
        The logical volume

    size
        Its size as ``2G``, ``512M``, or an integer of bytes; LVM rounds up to whole extents

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 lvm.volume_create XEN scratch 2G
    """
    return _run(lambda: argv.lvcreate(volume_group, name, parse_size(size)))


def volume_extend(volume_group, name, size):
    """
    Grow a logical volume. LVM refuses a size that is not larger than it is.

    Runs ``lvextend``.

    volume_group
        The volume group

    name
        The logical volume

    size
        Its size as ``2G``, ``512M``, or an integer of bytes; LVM rounds up to whole extents

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 lvm.volume_extend XEN scratch 3G
    """
    return _run(lambda: argv.lvextend(volume_group, name, parse_size(size)))


def volume_remove(volume_group, name, *, confirm=None):
    """
    Remove a logical volume and all that is on it. LVM refuses while something holds it open.

    Runs ``lvremove``.

    volume_group
        The volume group

    name
        The logical volume

    confirm
        ``GROUP/NAME`` once more: without it nothing is removed

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt dom0 lvm.volume_remove XEN scratch confirm=XEN/scratch
    """
    if confirm != f"{volume_group}/{name}":
        raise SaltInvocationError(f"this destroys all data on {name}; say so with confirm={volume_group}/{name}")
    return _run(argv.lvremove, volume_group, name)
