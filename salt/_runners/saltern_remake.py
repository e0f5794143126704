"""
Remakes, carried out from the master
====================================

What ``salt-run topology.remake`` plans, ``salt-run state.orch remake`` has the nodes do, step by step. Killed anywhere, the same
command again takes it up.

.. versionadded:: 0.1.0
"""

import secrets
import shutil
import sys
import time

import salt.client
import salt.utils.args
from salt.exceptions import SaltException

WRITTEN_FOR = "0.1.0"

try:
    import saltern
except ImportError:
    saltern = None
else:
    if saltern.__version__ == WRITTEN_FOR:
        from saltern import asking, controller, remaking, topology
        from saltern.desired import compile_slices, slice_to_pillar
        from saltern.errors import Refused, SalternError, TopologyError
        from saltern.progress import Progress
        from saltern.secrets import masked
        from saltern.topology.remake import remake as plan_remake
        from saltern.topology.remake.show import text_of

__virtualname__ = "remake"


def __virtual__():
    """
    Refuse to load beside a core of another version.
    """
    found = getattr(saltern, "__version__", "none")
    if found == WRITTEN_FOR:
        return __virtualname__
    return False, f"this file belongs to Saltern {WRITTEN_FOR}, but the core in the master's Python is {found}"


def carry_out(before, destroy=None, allocation=None, timeout=86400, test=False):
    """
    Carry out what brings the nodes from a former topology to the present one, with progress on standard error.

    Every domain that changes is entered on all its nodes first, so that nothing else is done with it until the end; then the
    allocation follows the topology, and then each step is taken and proven by its nodes. What fails stops there; the
    same command again goes on from there.

    before
        The file of the former topology on the master, or a directory with its ``init.sls``

    destroy
        What may be destroyed, as a list or with commas between, as in ``topology.remake``. Default: nothing

    allocation
        The allocation file of the former topology. Default: ``allocation.sls`` beside it

    timeout
        Seconds that one step may wait, such as a full synchronisation. Default: 86400

    test
        Tell only the plan. Default: False

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run remake.carry_out before=/root/before destroy=vpn@dom0
    """
    named = salt.utils.args.split_input(destroy or [])
    return _remake(before, allocation, named, timeout, test)


def replace(domain, source, target, before, allocation=None, timeout=86400, test=False):
    """
    Move one copy of a domain's data to another node: a remake that does this and nothing else.

    The present topology must say it already. Naming the source is the consent to the end of the copy there.

    domain
        The domain

    source
        The node that gives its copy up

    target
        The node that gets one

    before
        The file of the former topology on the master, or a directory with its ``init.sls``

    allocation
        The allocation file of the former topology. Default: ``allocation.sls`` beside it

    timeout
        Seconds that one step may wait, such as a full synchronisation. Default: 86400

    test
        Tell only the plan. Default: False

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run remake.replace vpn dom0 dom1 before=/root/before
    """
    return _remake(before, allocation, [f"{domain}@{source}"], timeout, test, replacing=(domain, source, target))


# --- Inside ------------------------------------------------------------------------------------------------------
def _remake(before, allocation, named, timeout, test, replacing=None):
    read = __salt__["topology.change"](before, allocation)
    if "retcode" in read:
        return read
    pillars = __context__.pop("saltern.change")
    try:
        clusters = topology.compile_change(pillars["before"], pillars["after"])
        if replacing:
            remaking.require_moved(*clusters, *replacing)
        plan = plan_remake(*clusters, named)
        if plan.refusals:
            return _failed(text_of(plan))
        if replacing:
            remaking.require_replacement(plan, *replacing)
        remaking.refuse_what_is_left_to_people(remaking.parts_of(plan, *clusters, named))
        if test:
            steps = {f"step {number}": step.words for number, step in enumerate(plan.steps, 1)}
            text = text_of(plan)
            _progress().tell(text)
            return {"comment": text, "changes": steps}
        done = _carried_out(clusters, plan, named, before, allocation, timeout)
    except TopologyError as error:
        return _failed("; ".join(str(each).strip() for each in error.violations))
    except SalternError as error:
        # Not raised: Salt shows a traceback then, with the reason at its end.
        return _failed(str(error))
    return {
        "comment": "; ".join(done) or "nothing is to be done: everything is as the topology says",
        "changes": {f"{number}": words for number, words in enumerate(done, 1)},
    }


def _carried_out(clusters, plan, named, before, allocation, timeout):
    seen = _progress()
    shares = compile_slices(clusters[1])
    with salt.client.get_local_client(mopts=__opts__) as client:
        fleet = controller.Fleet(
            shares=shares,
            ask_each=asking.through(client, timeout_s=__opts__["timeout"], error=SaltException),
            tell=seen.tell,
            show=seen.show,
            now=time.monotonic,
            sleep=time.sleep,
        )
        run = remaking.Run(
            fleet=fleet,
            record=lambda what: _record(what, shares, before, allocation),
            run_id=secrets.token_hex(4),
            owner=f"{__opts__.get('user', 'root')} on {__opts__['id'].removesuffix('_master')}",
            since=time.strftime("%Y-%m-%d %H:%M:%S"),
            timeout_s=float(timeout),
        )
        try:
            return remaking.carry_out(run, *clusters, plan, named)
        finally:
            seen.end()


def _progress():
    return Progress(sys.stderr, columns=lambda: shutil.get_terminal_size().columns, now=time.monotonic)


def _record(what, shares, before, allocation):
    """Have the allocation follow, and see that what the master compiles then is what the plan leads to."""
    if "retcode" in __salt__["topology.change"](before, allocation):
        raise Refused("topology", "it can no longer be read", "`salt-run topology.validate` tells why")
    recorded = __context__.pop("saltern.change")["after"]["saltern"].get("allocation") or {}
    forget = [name for name in what["forget"] if name in (recorded.get("domains") or {})]
    said = __salt__["topology.allocate"](forget=forget, moved=list(what["moved"]))
    if "retcode" in said:
        words = " ".join(f"{verb}={','.join(names)}" for verb, names in what.items() if names)
        reason = said.get("error") or "; ".join(said.get("violations", ["it could not be written"]))
        raise Refused(
            "allocation",
            reason,
            f"Run `salt-run topology.allocate {words}` on the master, then give the same command again",
        )
    now = __salt__["topology.shares"]()
    wanted = {name: masked(slice_to_pillar(share)) for name, share in shares.items()}
    if now != wanted:
        raise Refused(
            "allocation",
            "the topology that the master compiles is not the one that the plan leads to",
            "See what was written to it meanwhile: `salt-run topology.remake` shows the plan of now",
        )


def _failed(reason):
    __context__["retcode"] = 1
    return {"retcode": 1, "error": reason}
