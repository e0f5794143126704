"""
Moving domains
==============

The steps of ``salt-run state.orch migrate``, in their order. Each asks the nodes anew; what they have in common is the name of
the domain and the id of the operation, which both nodes keep until it is over.

.. versionadded:: 0.1.0
"""

import sys
import time

import salt.client
from salt.exceptions import SaltRunnerError

WRITTEN_FOR = "0.1.0"

try:
    import saltern
except ImportError:
    saltern = None
else:
    if saltern.__version__ == WRITTEN_FOR:
        from saltern import bridge
        from saltern.desired import slice_from_pillar
        from saltern.errors import SalternError
        from saltern.plan import migrate
        from saltern.survey import from_plain

__virtualname__ = "migration"
_POLL_S = 1.0
_RENEW_S = 30.0


def __virtual__():
    """
    Refuse to load beside a core of another version.
    """
    found = getattr(saltern, "__version__", "none")
    if found == WRITTEN_FOR:
        return __virtualname__
    return False, f"this file belongs to Saltern {WRITTEN_FOR}, but the core in the master's Python is {found}"


def plan(domain, target=None):
    """
    Tell whether a domain can be moved now, from where to where; nothing is changed.

    domain
        The domain

    target
        The node to move it to. Default: the one of its two on which it does not run

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run migration.plan dns
    """
    _, found = _decide(domain, target)
    if found is None:
        return {"domain": domain, "changes": "none", "comment": f"{domain} runs on {target} already"}
    comment = f"{domain} moves from {found.source} to {found.target}"
    if found.waits_for:
        comment += f", after: {', '.join(found.waits_for)}"
    return {"domain": domain, "source": found.source, "target": found.target, "comment": comment}


def begin(domain, identifier, target=None):
    """
    Enter the migration on both nodes, so that nothing else is done with the domain.

    What an earlier operation has left half-done is settled first.

    domain
        The domain

    identifier
        The id of the operation

    target
        See ``migration.plan``

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run migration.begin dns 7c3f0c1e
    """
    share, found = _decide(domain, target, recover=True)
    if found is None:
        return f"{domain} runs on {target} already"
    owner = f"{__opts__.get('user', 'root')} on {__opts__['id'].removesuffix('_master')}"
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    entries = migrate.halves(found, share.domains[domain], share, identifier=identifier, owner=owner, since=since)
    entered = []
    try:
        for node, entry in entries.items():
            _ask([node], "operation.begin", bridge.plain(entry))
            entered.append(node)
    except SaltRunnerError:
        for node in entered:
            _ask([node], "operation.withdraw", domain, identifier)
        raise
    return f"{domain} is to move from {found.source} to {found.target}"


def synchronise(domain, identifier, target=None, timeout=3600):
    """
    Wait until both sides of every disk are connected and UpToDate, with progress on standard error.

    domain
        The domain

    identifier
        The id of the operation

    target
        See ``migration.plan``

    timeout
        Seconds to wait. Default: 3600

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run migration.synchronise dns 7c3f0c1e
    """
    deadline, renewed, said = time.monotonic() + timeout, 0.0, ""
    while True:
        share, found = _decide(domain, target, own=identifier)
        nodes = _nodes(share, domain)
        if found is None:
            return f"{domain} runs on {target} already"
        if not found.waits_for:
            _ask(nodes, "operation.renew", domain, identifier)
            return f"every disk of {domain} is connected and UpToDate on both nodes"
        waits = ", ".join(found.waits_for)
        if time.monotonic() > deadline:
            _withdraw(nodes, domain, identifier)
            raise SaltRunnerError(f"{domain} was not moved: after {timeout} s still: {waits}")
        if waits != said:
            _tell(f"{domain}: {waits}")
            said = waits
        if time.monotonic() - renewed > _RENEW_S:
            _ask(nodes, "operation.renew", domain, identifier)
            renewed = time.monotonic()
        time.sleep(_POLL_S)


def move(domain, identifier, target=None, timeout=3600):
    """
    Send the domain to its partner, and wait for the end of that.

    domain
        The domain

    identifier
        The id of the operation

    target
        See ``migration.plan``

    timeout
        Seconds to wait. What takes longer goes on by itself. Default: 3600

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run migration.move dns 7c3f0c1e
    """
    share, found = _decide(domain, target, own=identifier)
    if found is None:
        return f"{domain} runs on {target} already"
    _ask([found.source], "operation.move", domain, identifier)
    begun = time.monotonic()
    while True:
        surveys = _surveys(share, domain)
        wrong = migrate.arrived(share.domains[domain], surveys, found.target)
        if not wrong:
            return f"{domain} runs on {found.target}, {time.monotonic() - begun:.0f} s after its migration began"
        over = all(each.standing is None for each in surveys.values())
        if over and surveys[found.target].condition != "running":
            raise SaltRunnerError(_not_moved(domain, found.source, surveys[found.source].condition))
        if time.monotonic() - begun > timeout:
            raise SaltRunnerError(f"{domain} is not on {found.target} after {timeout} s: {'; '.join(wrong)}")
        time.sleep(_POLL_S)


# --- Inside ------------------------------------------------------------------------------------------------------
def _decide(domain, target, *, own=None, recover=False):
    """The share of a node of the domain, and the move. ``own`` is the id of the operation whose entries are no obstacle."""
    share = _share(domain)
    surveys = _surveys(share, domain)
    left = [each for each in surveys.values() if each.standing is not None and not each.standing.alive]
    if recover and left:
        _ask([each.node for each in left], "operation.settle", domain)
        surveys = _surveys(share, domain)
    try:
        there = target is not None and target in surveys and surveys[target].condition == "running"
        if own is not None and not there:
            surveys = migrate.without(surveys, own)
        return share, migrate.decide(share.domains[domain], surveys, target=target)
    except SalternError as error:
        raise SaltRunnerError(str(error)) from error


def _share(domain):
    found = __salt__["topology.shares"]()
    if "retcode" in found:
        raise SaltRunnerError("; ".join(found.get("violations", [])) or found.get("error", "no topology"))
    shares = [slice_from_pillar(share) for share in found.values()]
    share = next((each for each in shares if domain in each.domains), None)
    if share is None:
        names = sorted({name for each in shares for name in each.domains})
        raise SaltRunnerError(f"the topology has no domain {domain!r}; it has {', '.join(names)}")
    return share


def _nodes(share, domain):
    spec = share.domains[domain]
    return [spec.home, spec.partner]


def _surveys(share, domain):
    said = _ask(_nodes(share, domain), "operation.look", domain)
    return {node: from_plain(each) for node, each in said.items()}


def _ask(nodes, function, *args):
    """What each node answers; an exception where one does not, or fails."""
    with salt.client.get_local_client(mopts=__opts__) as client:
        said = client.cmd(nodes, function, args, tgt_type="list", full_return=True, timeout=__opts__["timeout"])
    trouble = []
    for node in nodes:
        answer = said.get(node)
        if not answer:
            trouble.append(f"{node}: the minion does not answer")
        elif answer.get("retcode"):
            trouble.append(f"{node}: {str(answer['ret']).removeprefix('ERROR: ')}")
    if trouble:
        raise SaltRunnerError("; ".join(trouble))
    return {node: said[node]["ret"] for node in nodes}


def _withdraw(nodes, domain, identifier):
    _ask(nodes, "operation.withdraw", domain, identifier)


def _not_moved(domain, source, condition):
    """Why a migration that is over has not moved anything."""
    where = (
        f"stays on {source}" if condition == "running" else "runs nowhere now; `salt '*' state.apply` starts it at home"
    )
    lines = _ask([source], "operation.log", domain)[source].strip().splitlines()
    return f"{domain} {where}: {' / '.join(lines[-6:]) or 'xl said nothing'}"


def _tell(text):
    print(text, file=sys.stderr, flush=True)
