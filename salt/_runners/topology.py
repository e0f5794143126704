"""
The topology of a cluster, on the master
========================================

The topology is the file that the master's configuration names, else ``saltern/init.sls`` in the first of the base
environment's pillar roots that has one; its allocation is ``allocation.sls`` beside it.

.. code-block:: yaml

    saltern:
      topology: /srv/pillar/saltern/init.sls

.. versionadded:: 0.1.0
"""

import pathlib

import salt.loader
import salt.template
import salt.utils.args
import salt.utils.dictupdate
from salt.exceptions import SaltException

WRITTEN_FOR = "0.1.0"

try:
    import saltern
except ImportError:
    saltern = None
else:
    if saltern.__version__ == WRITTEN_FOR:
        from saltern import topology
        from saltern.desired import slice_to_pillar
        from saltern.errors import TopologyError, UnknownEntry
        from saltern.run import LocalHost
        from saltern.secrets import masked, redact
        from saltern.topology import graph as drawing
        from saltern.topology.remake import remake as plan_remake
        from saltern.topology.remake.show import text_of as plan_of
        from saltern.topology.show import text_of


def __virtual__():
    """
    Refuse to load beside a core of another version.
    """
    found = getattr(saltern, "__version__", "none")
    if found == WRITTEN_FOR:
        return True
    return False, f"this file belongs to Saltern {WRITTEN_FOR}, but the core in the master's Python is {found}"


def validate():
    """
    Check the topology; every violation is told, with both owners and their pillar paths.

    Nothing is changed and no node is asked. The exit code is 1 when the topology is invalid.

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run topology.validate
    """

    def check(pillar):
        cluster = topology.compile(pillar).cluster
        return {
            "valid": True,
            "cluster": cluster.name,
            "nodes": list(cluster.nodes),
            "domains": list(cluster.domains),
            "takeover": "automatic" if cluster.takeover else "none: what a lost node ran is started by a person only",
        }

    return _with_pillar(check)


def allocate(forget=None, moved=None):
    """
    Give numbers to what has none, and write them to ``allocation.sls`` beside the topology.

    The file says where the data of each domain are: nodes, volume groups, resources, volumes, UUID and numbers.
    Nothing in it is changed or given up, also not when a domain is taken out of the topology or placed on other
    nodes: what is left on its nodes may still run. Commit both files together.

    forget
        Domains (``dns``) or single disks (``dns/xvdb``), as a list or with commas between, whose entries are given
        up. They must run nowhere, and their data may stay behind, or were moved by hand. What is in the topology is
        allocated anew. The numbers stay reserved under ``retired`` in the file, because what is left on the nodes
        would connect with whatever else is given them: delete the lines of a node by hand when nothing is left on
        it. Default: none

    moved
        Domains whose entries follow the topology, because one copy of their data was moved, as ``topology.remake`` plans it:
        nodes, volume groups, volumes, names and numbers. What they had elsewhere stays reserved under ``retired``.
        Default: none

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run topology.allocate
        salt-run topology.allocate forget=dns,mail/xvdb
        salt-run topology.allocate moved=router
    """
    forgotten = salt.utils.args.split_input(forget or [])
    followed = salt.utils.args.split_input(moved or [])

    def write(pillar):
        path = _path().with_name("allocation.sls")
        text = topology.write_allocation(topology.load_and_allocate(pillar, forgotten, followed))
        changed = not path.exists() or path.read_text(encoding="utf-8") != text
        if changed:
            LocalHost().write_text(str(path), text, 0o644)
        return {"file": str(path), "changed": changed}

    # From before it is read until it is written: what a second one writes meanwhile would be undone.
    lock = pathlib.Path(__opts__["cachedir"]) / "saltern" / "allocation.lock"
    try:
        with LocalHost().hold(str(lock)):
            return _with_pillar(write)
    except BlockingIOError:
        return _failed(
            "another `topology.allocate` is under way on this master; give the same command again when it has ended"
        )
    except OSError as error:
        return _failed(f"the lock of allocations could not be taken: {error}")


def show(node=None):
    """
    Show what the nodes are given of the topology, as text for people.

    node
        Only what this node is given. Default: all of them

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run topology.show dom0
    """

    def text(pillar):
        slices = topology.compile(pillar).slices
        if node is not None and node not in slices:
            return _failed(f"the topology has no node {node!r}; it has {', '.join(slices)}")
        return "\n".join(text_of(share) for name, share in slices.items() if node in (None, name))

    return _with_pillar(text)


def shares():
    """
    Return what the nodes are given of the topology, by node, as the pillar carries it; secrets are hidden.

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run topology.shares --out=json
    """

    def data(pillar):
        return {name: masked(slice_to_pillar(share)) for name, share in topology.compile(pillar).slices.items()}

    return _with_pillar(data)


def graph(form="dot"):
    """
    Draw nodes, domains and dependencies.

    form
        ``dot`` for Graphviz, ``mermaid`` for Markdown. Default: dot

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run topology.graph | dot -Tsvg > cluster.svg
    """
    drawings = {"dot": drawing.dot, "mermaid": drawing.mermaid}
    if form not in drawings:
        return _failed(f"no drawing in the form {form!r}; there are {', '.join(drawings)}")
    return _with_pillar(lambda pillar: drawings[form](topology.compile(pillar).cluster))


def remake(before, destroy=None, allocation=None):
    """
    Plan what brings the nodes from a former topology to the present one, step by step; nothing is done.

    Each step is told with its risk, the way back, and what carries it out today. What would destroy data that are not
    named is refused, and so is what cannot be done; then the exit code is 1. It is assumed that the nodes are as the
    former topology says, each domain running at its home.

    before
        The file of the former topology on the master, or a directory with its ``init.sls``

    destroy
        What may be destroyed, as a list or with commas between: domains (``dns``), disks (``dns/xvdb``), and copies
        that are replaced (``dns@dom0m``). Default: nothing

    allocation
        The allocation file of the former topology. Default: ``allocation.sls`` beside it

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run topology.remake before=/root/before/saltern/init.sls
        salt-run topology.remake before=/root/before/saltern/init.sls destroy=dns@dom0m
    """
    named = salt.utils.args.split_input(destroy or [])

    def plan(pillar):
        clusters = topology.compile_change(_former(before, allocation), pillar)
        found = plan_remake(*clusters, named)
        return {**_failed(plan_of(found)), "possible": False} if found.refusals else plan_of(found)

    return _with_pillar(plan)


def change(before, allocation=None):
    """
    Read a former topology and the present one, and return the names of the domains of both.

    For the runner ``remake``, which finds both in ``__context__``: what is returned goes to the job cache, and the topologies may
    hold secrets.

    before
        The file of the former topology on the master, or a directory with its ``init.sls``

    allocation
        The allocation file of the former topology. Default: ``allocation.sls`` beside it

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run topology.change before=/root/before
    """

    def read(pillar):
        pillars = {"before": _former(before, allocation), "after": pillar}
        __context__["saltern.change"] = pillars
        return {key: sorted((each.get("saltern") or {}).get("domains") or {}) for key, each in pillars.items()}

    return _with_pillar(read)


def _former(before, allocation):
    path = pathlib.Path(before)
    path = path / "init.sls" if path.is_dir() else path
    for each in (path, *([pathlib.Path(allocation)] if allocation else [])):
        if not each.is_file():
            raise FileNotFoundError(f"{each} does not exist; name the file of the former topology, or its directory")
    return _pillar(path, allocation)


def _with_pillar(function):
    try:
        return function(_pillar())
    except TopologyError as error:
        return {**_failed(None), "valid": False, "violations": [str(each).strip() for each in error.violations]}
    except (SaltException, UnknownEntry, OSError) as error:
        return _failed(redact(str(error)))


def _failed(reason):
    # The one makes orchestration fail, the other gives salt-run its exit code; an exception would be shown as a
    # traceback, with the reason below it.
    __context__["retcode"] = 1
    return {"retcode": 1, **({"error": reason} if reason else {})}


def _path():
    configured = __opts__.get("saltern", {}).get("topology")
    if configured:
        return pathlib.Path(configured)
    found = [pathlib.Path(root) / "saltern" / "init.sls" for root in __opts__["pillar_roots"].get("base", [])]
    for path in found:
        if path.exists():
            return path
    raise FileNotFoundError(
        f"no topology: none of {', '.join(map(str, found))} exists; "
        "write one, or name it as `saltern: {topology: PATH}` in the master's configuration"
    )


def _pillar(path=None, allocation=None):
    """A topology and its allocation, rendered as Salt renders a pillar."""
    path = path or _path()
    beside = pathlib.Path(allocation) if allocation else path.with_name("allocation.sls")
    pillar = _rendered(path)
    if allocation or beside.exists():
        return salt.utils.dictupdate.merge(pillar, _rendered(beside))
    return pillar


def _rendered(path):
    renderers = salt.loader.render(__opts__, salt.loader.minion_mods(__opts__))
    return salt.template.compile_template(
        str(path),
        renderers,
        __opts__["renderer"],
        __opts__["renderer_blacklist"],
        __opts__["renderer_whitelist"],
    )
