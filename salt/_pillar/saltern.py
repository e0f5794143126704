"""
Check the topology, and give each minion its own share of it
============================================================

The pillar key ``saltern`` holds the topology of a cluster. Here, on the master, it is validated and compiled; the
topology is taken out of the pillar and the minion is given what concerns it under the same key, and nothing else.
An invalid topology stops ``state.apply`` on every minion with all violations, before anything is touched. Orchestrations, which
the master runs under an id of its own, are given nothing of it: they ask runners, which check it themselves, and one of
them is what brings a topology into force that the allocation does not follow yet.

Beside it, ``saltern_core`` tells which core the master serves, so that a node need not ask for each of its files.

Master configuration:

.. code-block:: yaml

    ext_pillar:
      - saltern: {}

.. versionadded:: 0.1.0
"""

WRITTEN_FOR = "0.1.0"

try:
    import saltern
except ImportError:
    saltern = None


def ext_pillar(minion_id, pillar, _config=None):
    """
    Put this minion's share in the place of the topology.

    Errors are returned under ``_errors``, where Salt keeps those of a pillar, and not raised: what is returned replaces
    the topology also when a pillar was given on the command line, for Salt then passes in a copy of the pillar and
    what is taken out of the copy stays in.
    """
    if "saltern" not in pillar:
        return {}
    topology = {"saltern": pillar.pop("saltern")}
    if _is_master(minion_id, topology["saltern"]):
        return {"saltern": {}}
    found = getattr(saltern, "__version__", "none")
    if found != WRITTEN_FOR:
        # Not a matter of `__virtual__`: Salt leaves an ext_pillar out that does not load, and the topology would reach
        # the minions unchecked.
        reason = f"_pillar/saltern.py belongs to Saltern {WRITTEN_FOR}, but the core in the master's Python is {found}"
        return _refused(f"{reason}: install Saltern {WRITTEN_FOR} there and restart the master")
    try:
        from saltern.errors import TopologyError
        from saltern.topology import served
        from saltern.topology.share import share_of
    except ImportError as error:
        return _refused(f"{error}: install `saltern[master]` in the master's Python")
    try:
        share = share_of(topology, minion_id)
    except TopologyError as error:
        return _refused(str(error))
    if not share:
        return {"saltern": {}}
    return {"saltern": share, "saltern_core": served.digest(__opts__["file_roots"].get("base", []))}


def _is_master(minion_id, topology):
    """Whether it is the master itself that orchestrates, under the id of its own configuration, and no minion with a share."""
    if __opts__.get("__role") != "master" or minion_id != __opts__["id"]:
        return False
    nodes, witness = _section(topology, "nodes"), _section(_section(topology, "takeover"), "witness")
    return minion_id not in nodes and minion_id != witness.get("minion")


def _section(data, key):
    """A section of what is not checked yet; empty where there is none."""
    found = data.get(key) if isinstance(data, dict) else None
    return found if isinstance(found, dict) else {}


def _refused(reason):
    return {"saltern": {}, "_errors": [reason]}
