"""
A cluster as a whole, asked from the master
===========================================

Loaded as ``cluster``, beside the functions of Salt's own runner of that name; a file called ``cluster.py`` would take
its place.

.. versionadded:: 0.1.0
"""

import contextlib
import shutil
import signal
import sys
import time

import salt.client
from salt.exceptions import SaltException

WRITTEN_FOR = "0.1.0"

try:
    import saltern
except ImportError:
    saltern = None
else:
    if saltern.__version__ == WRITTEN_FOR:
        from saltern.desired import slice_from_pillar
        from saltern.errors import Refused
        from saltern.status.answer import ASKED, answer, asked_now
        from saltern.status.explain import ASKED_OF_DOMAIN, explain_text, heard
        from saltern.status.explain import explain as explained
        from saltern.status.state import cluster_status, keepers
        from saltern.status.text import WIDTH, status_text
        from saltern.status.watch import changes, remembered, screen, timed

__virtualname__ = "cluster"


def __virtual__():
    """
    Refuse to load beside a core of another version.
    """
    found = getattr(saltern, "__version__", "none")
    if found == WRITTEN_FOR:
        return __virtualname__
    return False, f"this file belongs to Saltern {WRITTEN_FOR}, but the core in the master's Python is {found}"


def status(timeout=15):
    """
    Return where the domains run and belong, the state of their disks, the operations that are going on, and in words
    everything that is wrong or worth notice: domains away from their home or in no topology, and memory that takes effect
    at the next start only.

    Text for people; data with ``--out=json`` or any other outputter. All nodes are asked at the same time, in one
    call, for ``drbd.status``, ``xen.domains``, ``operation.entries`` and ``guard.status``. The exit code is 0 also when
    something is wrong.

    timeout
        Seconds to wait for the nodes. Default: 15

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run cluster.status
        salt-run cluster.status --out=json
    """
    found = __salt__["topology.shares"]()
    if "retcode" in found:
        return found
    state = _look({node: slice_from_pillar(share) for node, share in found.items()}, timeout)
    return state if __opts__.get("output") else status_text(state)


def watch(interval=2, count=0, timeout=15):
    """
    Show what ``cluster.status`` tells, again and again, until Ctrl-C.

    On a terminal the screen is renewed in place, with the speed of each synchronisation and the time it still takes, from
    what was synchronised since the last look. Otherwise a line is printed for each thing that has changed, with the time;
    on the first look for everything. A node that does not answer is waited for until the timeout, and is told to be silent;
    the others are shown as ever. The topology is read once, at the start. The exit code is 0.

    interval
        Seconds between two looks. Default: 2

    count
        How often to look; 0 is without end. Default: 0

    timeout
        Seconds to wait for the nodes on each look. Default: 15

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run cluster.watch
        salt-run cluster.watch interval=10 >>/var/log/cluster.log
    """
    found = __salt__["topology.shares"]()
    if "retcode" in found:
        return found
    shares = {node: slice_from_pillar(share) for node, share in found.items()}
    show = _show_screen if sys.stdout.isatty() else _show_changes
    earlier, looked, seen, looks = None, 0.0, {}, 0
    with _until_interrupted():
        while True:
            state, now = _look(shares, timeout), time.monotonic()
            seen.update({node: time.strftime("%H:%M:%S") for node, said in state["nodes"].items() if said == "answers"})
            state = timed(remembered(state, seen), earlier, now - looked) if earlier else state
            show(state, earlier, interval)
            earlier, looked, looks = state, now, looks + 1
            if looks == count:
                break
            time.sleep(interval)
    return ""


def explain(domain, timeout=15):
    """
    Tell of one domain where it is and why, as far as that is known; what is wrong with it, and what to do; what the next
    ``state.apply`` would do on either of its nodes, or refuses to and why; and whether it could be moved now.

    Nothing is changed. Text for people; data with ``--out=json`` or any other outputter. What a node does not tell is said
    to be unknown. The exit code is 1 when the topology has no such domain, or when neither of its nodes answers; otherwise
    0, also when something is wrong. The data have the same keys whoever answers, with ``retcode: 1`` beside them when
    neither node does. Where there is no such domain there are none: then ``retcode: 1`` and ``error``, the reason, are all.

    domain
        The domain

    timeout
        Seconds to wait for the nodes. Default: 15

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run cluster.explain dns
        salt-run cluster.explain dns --out=json
    """
    found = __salt__["topology.shares"]()
    if "retcode" in found:
        return found
    shares = [slice_from_pillar(share) for share in found.values()]
    share = next((each for each in shares if domain in each.domains), None)
    if share is None:
        return _unknown_domain(domain, shares)
    spec = share.domains[domain]
    functions = (*ASKED, *ASKED_OF_DOMAIN)
    said = asked_now(lambda nodes: _ask(nodes, functions, timeout, domain), [spec.home, spec.partner])
    told = explained(spec, share, {node: heard(each) for node, each in said.items()})
    answered = any(isinstance(each, dict) for each in said.values())
    if __opts__.get("output"):
        return told if answered else _ending_with_1(told)
    return explain_text(told) if answered else _failed(explain_text(told))


def recover(domain):
    """
    Have both nodes of a domain settle what an interrupted operation has left of it, each its own half.

    Nothing is done where nothing is left, and it is refused where somebody still works on it. Where both halves of a
    migration had to be ended, the next ``state.apply`` starts the domain at home. Other nodes that have an entry of it, such as
    those where it was before, settle it as well.

    domain
        The domain, also one that the topology no longer has

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run cluster.recover dns
    """
    return _on_its_nodes(domain, "operation.settle")


def release(domain):
    """
    Take the entries of an operation away from both nodes of a domain, without settling anything.

    For what ``cluster.recover`` refuses to settle, after you have seen to it. It is refused where somebody still works
    on the domain. Notes that it is to stay stopped, or where it is, go as well where the topology does not give the node such a
    domain.

    domain
        The domain, also one that the topology no longer has

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run cluster.release dns
    """
    return _on_its_nodes(domain, "operation.release")


def pause(node=None, timeout=15):
    """
    Have a guard take nothing over, or all of them, until ``cluster.resume``. Guards go on keeping their leases, so nothing stops.

    What a node runs is taken over by its partners: it is they who are to be paused before something is done to it. A node
    that does not answer is told, and the exit code is 1.

    node
        One node. Default: all

    timeout
        Seconds to wait for the nodes. Default: 15

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run cluster.pause
        salt-run cluster.pause dom0m
    """
    return _on_guards("guard.pause", node, timeout, [_user()])


def resume(node=None, timeout=15):
    """
    Have a guard take over again what is lost, or all of them.

    node
        One node. Default: all

    timeout
        Seconds to wait for the nodes. Default: 15

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run cluster.resume
    """
    return _on_guards("guard.resume", node, timeout)


def confirm_dead(node, confirm=None, who=None, timeout=15):
    """
    Tell the guards of a node's partners that it is off, which somebody has seen who stands before it. They start what it ran, as
    if a fence agent had switched it off. For a lost node that no agent can be asked about, such as one whose management board has
    lost its power as well.

    **Its data are at stake:** when the node lives after all, its domains run twice. See that it is off, and that it stays off
    until this is done. A guard refuses it while it hears the node or replicates with it; where there are leases, because only
    the witness knows whose data are the newer ones. The exit code is 1 when one refuses, or does not answer. Copies that are
    not UpToDate are not started all the same.

    node
        The node that is off

    confirm
        Its name once more

    who
        Who has seen it, for the log of the guards. Default: the user of this runner

    timeout
        Seconds to wait for the guards. Default: 15

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run cluster.confirm_dead dom0 dom0 who='maria, who stands before it'
    """
    found = __salt__["topology.shares"]()
    if "retcode" in found:
        return found
    reason = _unguarded(found, node)
    if reason:
        return _failed(reason)
    partners = _partners(found, node)
    if not partners:
        return _failed(f"no node shares guarded domains with {node!r}, so nobody could take anything over")
    if confirm != node:
        differs = f"the second name is {confirm!r}, and the first is {node!r}; " if confirm else ""
        return _failed(
            f"{differs}when {node} lives after all, what it runs will run twice; say that it is off by writing its name twice"
        )
    return _tell_guards("guard.confirm_dead", partners, timeout, [node], confirm=node, who=who or _user())


def wake(node, timeout=15):
    """
    Have the guards of all nodes look again that share domains with one that may be lost. They decide by what they see.

    For the reactor, when a beacon has told that a partner is out of sight; it can be called at any time and as often as one
    likes. For a machine that is no node of the topology nothing is done.

    node
        The node that may be lost

    timeout
        Seconds to wait for the others. Default: 15

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run cluster.wake dom0
    """
    found = __salt__["topology.shares"]()
    if "retcode" in found:
        return found
    return _tell_guards("guard.wake", _partners(found, node), timeout)


def _partners(shares, node):
    share = slice_from_pillar(shares[node]) if node in shares else None
    return sorted(share.guard.partners) if share is not None and share.guard is not None else []


def _user():
    return f"{__opts__.get('user', 'root')} on {__opts__['id'].removesuffix('_master')}"


def fence_domain(domain, node, timeout=60):
    """
    End a domain at once on one of its two nodes: one that is stuck, or that runs on both sides after a mistake. The guard of its
    other node tells the guard there; where that minion does not answer, the one of ``node`` itself is asked. The exit code is 1
    unless it is known to be gone there.

    domain
        Its name

    node
        Where it is to be ended

    timeout
        Seconds to wait for a minion. Default: 60

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run cluster.fence_domain dns dom0
    """
    found = __salt__["topology.shares"]()
    if "retcode" in found:
        return found
    shares = {name: slice_from_pillar(share) for name, share in found.items()}
    reason = _unguarded(found, node)
    if reason:
        return _failed(reason)
    if not any(domain in share.domains for share in shares.values()):
        return _unknown_domain(domain, shares.values())
    nodes = [name for name, share in shares.items() if domain in share.domains and share.guard is not None]
    if node not in nodes:
        return _failed(f"no guard of {node} has {domain}; those of {' and '.join(nodes) or 'no node'} have")
    with salt.client.get_local_client(mopts=__opts__) as client:
        for asked in sorted(nodes, key=lambda name: name == node):
            told = [domain, node]
            said = client.cmd(
                [asked], "guard.fence_domain", told, tgt_type="list", full_return=True, timeout=timeout
            ).get(asked)
            if said:
                break
    if not said:
        return _failed(f"neither of {nodes} answers: nothing is known of {domain}")
    return _failed(str(said["ret"]).removeprefix("ERROR: ")) if said["retcode"] else said["ret"]


def _on_guards(function, node, timeout, arguments=()):
    found = __salt__["topology.shares"]()
    if "retcode" in found:
        return found
    reason = _unguarded(found, node)
    if reason:
        return _failed(reason)
    return _tell_guards(function, _guarded(found) if node is None else [node], timeout, arguments)


def _guarded(shares):
    return [name for name, share in shares.items() if slice_from_pillar(share).guard is not None]


def _unguarded(shares, node=None):
    """Why no guard can be asked about a node, or about any; ``None`` where one can."""
    guarded = _guarded(shares)
    if not guarded:
        return "no node has a guard: the topology has no `saltern:takeover`"
    if node is None or node in guarded:
        return None
    if node in shares:
        return f"{node} has no guard; those that have are {', '.join(guarded)}"
    return f"the topology has no node {node!r}; it has {', '.join(shares)}"


def _tell_guards(function, nodes, timeout, arguments=(), **named):
    if not nodes:
        return {}
    with salt.client.get_local_client(mopts=__opts__) as client:
        said = client.cmd(
            nodes, function, list(arguments), kwarg=named, tgt_type="list", full_return=True, timeout=timeout
        )
    return _answered(nodes, said)


def _on_its_nodes(domain, function):
    found = __salt__["topology.shares"]()
    if "retcode" in found:
        return found
    shares = {node: slice_from_pillar(share) for node, share in found.items()}
    try:
        nodes = keepers(domain, shares, _ask(list(shares), ("operation.entries",), __opts__["timeout"]))
    except Refused as refused:
        return _failed(str(refused))
    with salt.client.get_local_client(mopts=__opts__) as client:
        said = client.cmd(nodes, function, [domain], tgt_type="list", full_return=True, timeout=__opts__["timeout"])
    return _answered(nodes, said)


def _answered(nodes, said):
    """What each node has answered; with an exit code of 1 unless all went well."""
    answers = {node: said.get(node) or {"retcode": 1, "ret": "the minion does not answer"} for node in nodes}
    told = {node: answer["ret"] or "done" for node, answer in answers.items()}
    return _ending_with_1(told) if any(answer["retcode"] for answer in answers.values()) else told


def _unknown_domain(domain, shares):
    names = sorted({name for share in shares for name in share.domains})
    return _failed(f"the topology has no domain {domain!r}; it has {', '.join(names) or 'none'}")


def _failed(reason):
    return _ending_with_1({"error": reason})


def _ending_with_1(told):
    """The same with an exit code of 1, which `salt-run` takes from the answer alone."""
    __context__["retcode"] = 1
    return {"retcode": 1, **told}


def _look(shares, timeout):
    """The state of the cluster now."""
    said = asked_now(lambda nodes: _ask(nodes, ASKED, timeout), list(shares))
    return cluster_status(shares, {node: answer(each) for node, each in said.items()})


def _ask(nodes, functions, timeout, domain=None):
    """What Salt gives for each node that is asked for all functions in one call; those about a domain are given its name."""
    arguments = [[domain] if function in ASKED_OF_DOMAIN else [] for function in functions]
    try:
        with _undisturbed():
            made = salt.client.get_local_client(mopts=__opts__)
        with made as client:
            said = client.cmd(nodes, list(functions), arguments, tgt_type="list", timeout=timeout)
    except SaltException as error:  # the master is down; who watches sees it come back
        return dict.fromkeys(nodes, f"nobody could be asked: {error}")
    return {node: said.get(node) for node in nodes}


# --- Watching ----------------------------------------------------------------------------------------------------
@contextlib.contextmanager
def _until_interrupted():
    """Ctrl-C ends what is within, and is no error."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        print(flush=True)
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _undisturbed():
    """Ctrl-C has its effect afterwards: a client of Salt's that is half made complains on the screen when it is given up."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _show_screen(state, _earlier, interval):
    columns, rows = shutil.get_terminal_size()
    text = status_text(state, min(columns, WIDTH))
    heading = f"{time.strftime('%H:%M:%S')}, every {interval} s; Ctrl-C ends it"
    print(screen(f"{heading}\n\n{text}", columns=columns, rows=rows), end="", flush=True)


def _show_changes(state, earlier, _interval):
    now = time.strftime("%Y-%m-%d %H:%M:%S")
    for line in changes(state, earlier):
        print(f"{now} {line}", flush=True)
