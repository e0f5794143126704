"""
Steps of an orchestration
=========================

Used by ``salt-run state.orch``, on the master. Salt's own ``salt.runner`` says only that a function would be executed, and counts
every one as a change.

.. versionadded:: 0.1.0
"""

WRITTEN_FOR = "0.1.0"

try:
    import saltern
except ImportError:
    saltern = None

__virtualname__ = "orchestration"


def __virtual__():
    """
    Refuse to load beside a core of another version.
    """
    found = getattr(saltern, "__version__", "none")
    if found == WRITTEN_FOR:
        return __virtualname__
    return False, f"this file belongs to Saltern {WRITTEN_FOR}, but the core in this Python is {found}"


def step(name, **kwargs):
    """
    Ensure that a step was taken: call a function of a runner, which says what it has changed, or would change.

    name
        The function. It takes ``test``, and returns ``changes`` and ``comment``

    kwargs
        What it is given

    .. code-block:: yaml

        nothing else is done with the domain:
          orchestration.step:
            - name: operation.begin
            - identifier: 7c3f0c1e
            - domain: dns
    """
    given = {key: value for key, value in kwargs.items() if not key.startswith("__")}
    said = __salt__["saltutil.runner"](name, full_return=True, test=bool(__opts__["test"]), **given)
    found = said.get("return")
    if not said.get("success", True) or not isinstance(found, dict) or "comment" not in found:
        return {"name": name, "result": False, "changes": {}, "comment": _reason(found)}
    result = None if __opts__["test"] and found["changes"] else True
    return {"name": name, "result": result, "changes": found["changes"], "comment": found["comment"]}


def _reason(found):
    """Why a runner did not do its step, in words."""
    if isinstance(found, dict) and "violations" in found:
        return "\n".join(["the topology is invalid:", *found["violations"]])
    return str(found.get("error", found) if isinstance(found, dict) else found).strip()
