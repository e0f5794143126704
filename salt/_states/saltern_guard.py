"""
The guard of a node, and the witness
====================================

A guard is a service of its own, which needs neither minion nor master. It is known to its partners and to the witness by a
key, whose public half travels by way of Salt's mine; the other half never leaves the node.

.. versionadded:: 0.1.0
"""

import time

WRITTEN_FOR = "0.1.0"

try:
    from saltern import loaded
except ImportError:
    saltern = None
else:
    saltern = loaded.current()
    if saltern.__version__ == WRITTEN_FOR:
        from saltern import bridge
        from saltern.errors import SalternError
        from saltern.guarding import asked, told, upkeep

__virtualname__ = "guard"
_MINE = "saltern_guard_key"
_PATIENCE_S, _POLL_S = 60, 1


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


def key_present(name):
    """
    Ensure that this machine has a key pair, by which guards and witnesses know it, and that others can learn the public half.

    It is made once, in ``/etc/saltern/guard_key``, for root alone. Nothing leaves the machine but the public half, which the
    master keeps in the mine.

    name
        Free text

    .. code-block:: yaml

        guard key:
          guard.key_present: []
    """
    made = _state(name, upkeep.key)
    if made["result"]:
        own, known = __salt__["guard.key"](), _key_of(__opts__["id"])
        if own != known and not __opts__["test"]:
            __salt__["mine.send"](_MINE, mine_function="guard.key")
    return made


def script_installed(name):
    """
    Ensure that ``/usr/lib/saltern/guard`` is there, by which guard, witness and DRBD's handler are run.

    name
        Free text

    .. code-block:: yaml

        guard script:
          guard.script_installed: []
    """
    return _state(name, upkeep.script)


def configured(name):
    """
    Ensure that the guard of this node is told what the topology says, and that systemd knows it.

    A witness or a partner that is applied at the same time, and has not told its key yet, is waited for, a minute at most. A
    partner that is still silent then is left out, and so are the domains that are shared with it: the state fails with
    its name, and the next apply adds it. What was known of it before stays.

    name
        Free text

    .. code-block:: yaml

        guard settings:
          guard.configured: []
    """

    def write(host, test):
        node_slice = bridge.node_slice(__pillar__)
        guard = told.guard_of(node_slice)
        before = told.keys_before(host, guard.witness and guard.witness.minion)
        found = told.guard_settings(node_slice, {**before, **_keys(told.parties(guard), before)})
        return upkeep.told(host, found, _ask(), test=test)

    return _state(name, write)


def witness_configured(name):
    """
    Ensure that the witness on this machine is told what the topology says. The engine ``saltern_witness`` is the witness.

    Nodes that have not told their keys yet are waited for, as in ``guard.configured``.

    name
        Free text

    .. code-block:: yaml

        witness settings:
          guard.witness_configured: []
    """

    def write(host, test):
        witness = bridge.witness_spec(__pillar__)
        before = told.keys_before_of_witness(host)
        found = told.witness_settings(witness, {**before, **_keys(witness.nodes, before)})
        return upkeep.told(host, found, _ask(), test=test)

    return _state(name, write)


def running(name):
    """
    Ensure that the guard runs, now and after each boot, with the core and the settings that are on this node.

    One that runs with others is asked to end, and started again. It ends when it is known elsewhere that nothing is to be taken
    over from here; no domain stops, and nothing is reset. Runs ``systemctl``.

    name
        Free text

    .. code-block:: yaml

        guard:
          guard.running: []
    """
    return _state(name, lambda host, test: upkeep.guard_runs(host, _ask(), test=test))


def absent(name):
    """
    Ensure that no guard is on this node: it is ended in order, and its settings and its unit are taken away. Its key stays.

    name
        Free text

    .. code-block:: yaml

        no guard:
          guard.absent: []
    """
    return _state(name, lambda host, test: upkeep.guard_gone(host, _ask(), test=test))


def _ask():
    return asked.guard(bridge.root(__opts__))


def _state(name, function):
    try:
        kept = function(bridge.local_host(__opts__), test=__opts__["test"])
    except (SalternError, OSError) as error:
        return {"name": name, "result": False, "changes": {}, "comment": str(error)}
    result = None if kept.changes and __opts__["test"] else kept.trouble is None
    comment = "; ".join(filter(None, (kept.comment, kept.trouble)))
    return {"name": name, "result": result, "changes": dict(kept.changes), "comment": comment}


def _keys(names, before):
    """The keys of machines, as far as they have told them. Those of which nothing was known before are waited for."""
    deadline = time.monotonic() + (0 if __opts__["test"] else _PATIENCE_S)
    while True:
        found = {each: key for each in names if (key := _key_of(each))}
        if found.keys() | before.keys() >= set(names) or time.monotonic() >= deadline:
            return found
        time.sleep(_POLL_S)


def _key_of(machine):
    found = __salt__["mine.get"](machine, _MINE).get(machine)
    return found if isinstance(found, str) else None
