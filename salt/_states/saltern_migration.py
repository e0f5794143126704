"""
The way that domains take from node to node
===========================================

Each node has a key pair of its own for it. The public half, and the public keys of its sshd, go to the partners by way
of Salt's mine; a partner lets that key take domains in, and nothing else.

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
        from saltern.errors import Refused, SliceError
        from saltern.plan import transport
        from saltern.plan.items import Item, Kind

__virtualname__ = "migration"
_MINE = "saltern_keys"
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
    Ensure that this node has a key pair for sending domains, and that its partners can learn the public half.

    Runs ``ssh-keygen`` once. Nothing leaves the node but public keys, which the master keeps in the mine.

    name
        Free text

    .. code-block:: yaml

        migration key:
          migration.key_present: []
    """
    made = _item(name, Item(Kind.MIGRATION_KEY))
    if made["result"]:
        _tell_partners(made)
    return made


def partners_trusted(name):
    """
    Ensure that the partners of this node can send domains to it, and that their hosts are known.

    Each partner's key gets a line in root's ``authorized_keys`` which allows ``/usr/lib/saltern/operation receive`` and
    nothing else; other lines stay as they are. A partner that is applied at the same time, and has not told its keys yet, is
    waited for, a minute at most; then the others are let in, and the state fails with the name of the one that is missing.

    name
        Free text

    .. code-block:: yaml

        partners:
          migration.partners_trusted: []
    """
    try:
        partners = transport.partners(bridge.node_slice(__pillar__))
    except SliceError as error:
        return {"name": name, "result": False, "changes": {}, "comment": str(error)}
    deadline = time.monotonic() + (0 if __opts__["test"] else _PATIENCE_S)
    while time.monotonic() < deadline and not all(map(_keys_of, partners)):
        time.sleep(_POLL_S)
    return _item(name, Item(Kind.TRUST))


def _item(name, item):
    try:
        outcome = bridge.converge(__opts__, __pillar__, _keys_of).item(item)
    except (Refused, SliceError) as error:
        return {"name": name, "result": False, "changes": {}, "comment": str(error)}
    return {"name": name, "result": outcome.result, "changes": outcome.changes, "comment": outcome.comment}


def _keys_of(node):
    return bridge.keys_from_plain(__salt__["mine.get"](node, _MINE).get(node))


def _tell_partners(made):
    own, told = __salt__["migration.keys"](), __salt__["mine.get"](__opts__["id"], _MINE).get(__opts__["id"])
    if own is None:
        made["result"] = False
        made["comment"] += "; but there is no public key of sshd in /etc/ssh, so partners could not know this host"
    elif own != told and not __opts__["test"]:
        __salt__["mine.send"](_MINE, mine_function="migration.keys")
