"""
Operations on domains, asked from the master
============================================

The steps of ``salt-run state.orch`` of ``migrate``, ``evacuate``, ``return``, ``start`` and ``stop``, in their order:
``begin``, ``synchronise``, ``carry_out``. Each asks the nodes anew; what they have in common is the id of the operations,
which both nodes of each domain keep until they are over.

What is to be done is named in every step in the same way: ``domain``, with or without a ``target``; or ``evacuate``, a node,
for all that runs there; or ``home``, a node or ``*``, for all that runs elsewhere and belongs there. ``kind`` is
``migrate``, ``offline migrate``, ``start`` or ``stop``.

.. versionadded:: 0.1.0
"""

import shutil
import sys
import time
import uuid

import salt.client
import salt.loader
import salt.pillar
from salt.exceptions import SaltException

WRITTEN_FOR = "0.1.0"

try:
    import saltern
except ImportError:
    saltern = None
else:
    if saltern.__version__ == WRITTEN_FOR:
        from saltern import asking, controller, given, inside, returning
        from saltern import growth as growing
        from saltern.desired import slice_from_pillar
        from saltern.errors import Refused, SalternError
        from saltern.model.operation import OperationKind
        from saltern.plan.selection import Selection, spec_of
        from saltern.progress import Progress

__virtualname__ = "operation"


def __virtual__():
    """
    Refuse to load beside a core of another version.
    """
    found = getattr(saltern, "__version__", "none")
    if found == WRITTEN_FOR:
        return __virtualname__
    return False, f"this file belongs to Saltern {WRITTEN_FOR}, but the core in the master's Python is {found}"


def plan(domain=None, target=None, evacuate=None, home=None, kind="migrate"):
    """
    Tell what would be done now; nothing is changed. What cannot be done is told with every reason.

    domain
        One domain

    target
        The node where it goes, or starts. Default: the other one of its two, or its home

    evacuate
        A node: all that runs there goes to its partner

    home
        A node: all that belongs there and runs elsewhere comes back. ``*`` for every node

    kind
        ``migrate``, ``offline migrate``, ``start`` or ``stop``. Default: migrate

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run operation.plan dns
        salt-run operation.plan evacuate=dom0
    """
    return _core(controller.decide, domain, target, evacuate, home, kind)


def destination(domain, target=None):
    """
    Return the node where ``state.orch migrate`` is to move a domain: the named one; or that of a migration of which an entry
    is still there, so that whoever repeats an interrupted command gets its end and not the way back; or none, and it moves to
    the other one of its two nodes.

    domain
        The domain

    target
        The node that was named. Default: none

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run operation.destination dns
    """

    def found(fleet):
        what = Selection(kind=OperationKind.MIGRATE, domain=domain, target=target)
        return {"target": target or controller.destination(fleet, what)}

    return _with_fleet(found)


def begin(identifier, domain=None, target=None, evacuate=None, home=None, kind="migrate", test=False):
    """
    Enter what is to be done on both nodes of each domain, so that nothing else is done with it: all of it, or nothing.

    What earlier operations have left half-done is settled first.

    identifier
        The id of the operations

    domain
        One domain; this and the next four as in ``operation.plan``

    target
        Where it goes, or starts

    evacuate
        The node that all leaves

    home
        The node that all comes back to

    kind
        What is done. Default: migrate

    test
        Tell only what would be done. Default: False

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run operation.begin 7c3f0c1e dns
    """

    def step(fleet, what):
        if test:
            return controller.foresee(fleet, what)
        owner, since = _whose()
        return controller.begin(fleet, what, identifier=str(identifier), owner=owner, since=since)

    return _core(step, domain, target, evacuate, home, kind)


def synchronise(
    identifier, domain=None, target=None, evacuate=None, home=None, kind="migrate", timeout=3600, test=False
):
    """
    Wait until both sides of every disk are connected and UpToDate, with progress on standard error.

    identifier
        The id of the operations

    domain
        One domain; this and the next four as in ``operation.plan``

    target
        Where it goes, or starts

    evacuate
        The node that all leaves

    home
        The node that all comes back to

    kind
        What is done. Default: migrate

    timeout
        Seconds to wait; then everything is taken back. Default: 3600

    test
        Tell only what would be waited for. Default: False

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run operation.synchronise 7c3f0c1e dns
    """

    def step(fleet, what):
        timeout_s = given.seconds("timeout", timeout)
        if test:
            return [each for each in controller.decide(fleet, what) if each.waits_for]
        controller.synchronise(fleet, what, identifier=identifier, timeout_s=timeout_s)
        return []

    otherwise = "every disk is connected and UpToDate"
    return _core(step, domain, target, evacuate, home, kind, otherwise=otherwise)


def carry_out(
    identifier,
    domain=None,
    target=None,
    evacuate=None,
    home=None,
    kind="migrate",
    at_a_time=2,
    timeout=3600,
    test=False,
):
    """
    Do it, and wait for the end of it, with progress on standard error. One that fails does not hold the others up.

    A node that is evacuated is marked as in maintenance, on itself and on its partners; one that its domains come home to is
    no longer.

    identifier
        The id of the operations

    domain
        One domain; this and the next four as in ``operation.plan``

    target
        Where it goes, or starts

    evacuate
        The node that all leaves

    home
        The node that all comes back to

    kind
        What is done. Default: migrate

    at_a_time
        How many domains at a time. Default: 2

    timeout
        Seconds to wait for each; what takes longer goes on by itself. Default: 3600

    test
        Tell only what would be done. Default: False

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run operation.carry_out 7c3f0c1e dns
    """

    def step(fleet, what):
        parallel, timeout_s = given.count("at_a_time", at_a_time), given.seconds("timeout", timeout)
        if test:
            return controller.decide(fleet, what)
        owner, since = _whose()
        return controller.carry_out(
            fleet,
            what,
            identifier=identifier,
            parallel=parallel,
            timeout_s=timeout_s,
            mark=f"evacuated by {owner} at {since}",
        )

    return _core(step, domain, target, evacuate, home, kind)


def growth(domain, disk, size=None, test=False):
    """
    Tell what a disk has on both nodes, and what the topology gives it; refused where it cannot grow now.

    domain
        The domain

    disk
        Its disk, such as ``xvda``

    size
        The new size, such as ``3G``, as a check: it has to be in the topology already

    test
        Changes nothing in any case. Default: False

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run operation.growth dns xvda 3G
    """
    return _with_fleet(lambda fleet: {"comment": str(growing.decide(fleet, domain, disk, size)), "changes": {}})


def grown(domain, disk, test=False):
    """
    Make sure that a disk has on both nodes what the topology gives it. Then the file system on it grows, where the topology
    names the minion of the guest (``minion`` of the domain) and the whole disk is mounted there with ext3, ext4, XFS or Btrfs;
    else it is told what is to be run in the guest.

    domain
        The domain

    disk
        Its disk, such as ``xvda``

    test
        Tell what would have to grow. Default: False

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run operation.grown dns xvda
    """

    def look(fleet):
        found = growing.seen(fleet, domain, disk)
        if not found.is_done and not test:
            raise Refused(f"disk {domain}/{disk}", str(found), "See what state.apply says on both nodes")
        told = _file_system(fleet, found, spec_of(domain, fleet.shares).minion, test)
        fleet.tell(told["comment"])
        return told

    return _with_fleet(look)


def nodes(domain):
    """
    Return the two nodes of a domain, its home first.

    domain
        The domain

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run operation.nodes dns
    """

    def both(fleet):
        spec = spec_of(domain, fleet.shares)
        return [spec.home, spec.partner]

    return _with_fleet(both)


def ready(node, timeout=3600, test=False):
    """
    Wait until a node answers, and every disk of its domains is connected and UpToDate on both sides.

    node
        The node

    timeout
        Seconds to wait. Default: 3600

    test
        Wait for nothing. Default: False

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run operation.ready dom0
    """

    def wait(fleet):
        timeout_s = given.seconds("timeout", timeout)
        if not test:
            controller.ready(fleet, node, timeout_s=timeout_s)
        return _made_sure(f"every disk of {node} is connected and UpToDate", test)

    return _with_fleet(wait)


def return_automatic(node, timeout=3600, test=False):
    """
    Bring the domains home that belong to a node, have ``return: automatic`` in the topology, and run with their partner: each
    while it runs, one after the other, as soon as its disks are connected and UpToDate.

    For the reactor, when a minion has started; it can be called at any time and as often as one likes. What is at home, what
    somebody has moved by name, what is being moved, and everything while the node is in maintenance stays where it is. For a
    minion that is no node of the topology nothing is done.

    node
        The node that is back

    timeout
        Seconds to wait until they can return. Default: 3600

    test
        Tell only what would return now. Default: False

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run operation.return_automatic dom0
        salt-run operation.return_automatic dom0 test=True
    """

    def bring(fleet):
        timeout_s = given.seconds("timeout", timeout)
        if test:
            found = returning.foreseen(fleet, node)
        else:
            owner, since = _whose()
            planned = returning.bring_home(
                fleet,
                node,
                identifiers=iter(lambda: uuid.uuid4().hex[:16], None),
                owner=f"automatic return, {owner}",
                since=since,
                timeout_s=timeout_s,
            )
            found = {each.domain: str(each) for each in planned}
        return {"comment": "; ".join(found.values()) or "nothing is to return", "changes": found}

    return _with_fleet(bring)


def partners(node, test=False):
    """
    Make sure that no partner of a node is in maintenance, so that what leaves it goes nowhere that may go down at any moment.

    node
        The node

    test
        Look at nothing. Default: False

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run operation.partners dom0
    """

    def look(fleet):
        if not test:
            controller.require_partners(fleet, node)
        return _made_sure(f"no partner of {node} is in maintenance", test)

    return _with_fleet(look)


def unknown(keys):
    """
    Return those keys of the pillar of a command that the master has not in a pillar of its own. Nothing of the values is told.

    keys
        The keys

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run operation.unknown '[ofline, site]'
    """
    # Salt begins with the pillar that it has already, in an orchestration with that of the command.
    opts = {**__opts__, "pillar": {}}
    own = salt.pillar.Pillar(opts, salt.loader.grains(opts), opts["id"], opts["saltenv"], pillarenv=opts["pillarenv"])
    found = own.compile_pillar()
    return [key for key in keys if key not in found]


def empty(node, test=False):
    """
    Make sure that no domain at all is on a node, also none that is in no topology.

    node
        The node

    test
        Look at nothing. Default: False

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run operation.empty dom0
    """

    def look(fleet):
        if not test:
            controller.require_empty(fleet, node)
        return _made_sure(f"no domain is on {node}", test)

    return _with_fleet(look)


# --- Inside ------------------------------------------------------------------------------------------------------
def _core(step, domain, target, evacuate, home, kind, otherwise="nothing is to be done: everything is in its place"):
    """What is shown of a step of the core, and what a state makes its changes of."""

    def with_selection(fleet):
        if kind not in tuple(OperationKind):
            raise Refused(f"operation {kind}", "there is no such kind", f"There are {', '.join(OperationKind)}")
        what = Selection(kind=OperationKind(kind), domain=domain, target=target, evacuate=evacuate, home=home)
        planned = step(fleet, what)
        return {
            "comment": "; ".join(map(str, planned)) or otherwise,
            "changes": {each.domain: str(each) for each in planned},
        }

    return _with_fleet(with_selection)


def _made_sure(words, test):
    """What is shown of a step that changes nothing: a dry run, which does not look, says only what would be made sure."""
    return {"comment": f"it would be made sure that {words}" if test else words, "changes": {}}


def _file_system(fleet, found, minion, test):
    """Have the minion of a guest grow what is on a disk that has grown, or tell what is to be run there."""
    disk = found.device
    if test:
        words = inside.by_hand(disk) if minion is None else f"then {minion} grows the file system on /dev/{disk}"
        changes = {} if found.is_done else {f"{found.domain}/{disk}": str(found)}
        return {"comment": f"{found}; {words}", "changes": changes}
    if minion is None:
        return {"comment": f"{found}; {inside.by_hand(disk)}", "changes": {}}
    grown = inside.grow(fleet, minion, disk, found.size_bytes)
    return {"comment": f"{found}; {grown.words}", "changes": {disk: grown.words} if grown.changed else {}}


def _whose():
    """Who begins something, and when, in words."""
    owner = f"{__opts__.get('user', 'root')} on {__opts__['id'].removesuffix('_master')}"
    return owner, time.strftime("%Y-%m-%d %H:%M:%S")


def _with_fleet(step):
    """What a step returns that is given the nodes to ask; or else why not, with an exit code of 1."""
    found = __salt__["topology.shares"]()
    if "retcode" in found:
        return found
    seen = Progress(sys.stderr, columns=lambda: shutil.get_terminal_size().columns, now=time.monotonic)
    with salt.client.get_local_client(mopts=__opts__) as client:
        fleet = controller.Fleet(
            shares={node: slice_from_pillar(share) for node, share in found.items()},
            ask_each=asking.through(client, timeout_s=__opts__["timeout"], error=SaltException),
            tell=seen.tell,
            show=seen.show,
            now=time.monotonic,
            sleep=time.sleep,
        )
        try:
            return step(fleet)
        except SalternError as error:
            # Not raised: Salt shows a traceback then, with the reason at its end.
            return _failed(str(error))
        except (KeyboardInterrupt, SystemExit):  # Salt's own handler of Ctrl-C raises the latter
            return _failed(
                "interrupted: what the nodes have begun goes on by itself, the rest is not done. `salt-run cluster.status` "
                "shows it; before you give the same command again, look there, or name the `target`"
            )
        finally:
            seen.end()


def _failed(reason):
    __context__["retcode"] = 1
    return {"retcode": 1, "error": reason}
