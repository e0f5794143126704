"""Doing: every action is one command or one file."""

from collections.abc import Callable
from pathlib import PurePosixPath

from saltern.argv import drbd, xen
from saltern.argv.action import command_for
from saltern.errors import Refused
from saltern.model.action import Action, EndOperation, ForgetStop, RemoveFile, StartDomain, WriteFile
from saltern.model.desired import DOMAIN_DIRECTORY, RESOURCE_DIRECTORY
from saltern.model.places import operation_file, stopped_file
from saltern.parse import xl_create
from saltern.plan.operation import CREATE_S
from saltern.run import DEFAULT_TIMEOUT_S, Host

# The tool that reads the files of a directory: what it cannot read is never put there.
_CHECKS: dict[PurePosixPath, Callable[[], list[str]]] = {
    RESOURCE_DIRECTORY: drbd.dump_stdin,
    DOMAIN_DIRECTORY: xen.create_dry_run_stdin,
}


def perform(host: Host, action: Action) -> None:
    """Do it. Raises ``CommandFailed``, ``CommandTimeout``, ``CommandMissing`` or ``OSError``."""
    if isinstance(action, WriteFile):
        try_file(host, action)
        host.write_text(action.path, action.text, action.mode)
        return
    gone = _taken_away(action)
    if gone is not None:
        host.remove(gone)
        return
    # A large guest takes its time; ending xl half-way would leave the pieces.
    timeout_s = CREATE_S if isinstance(action, StartDomain) else DEFAULT_TIMEOUT_S
    host.run(command_for(action), timeout_s=timeout_s)


def _taken_away(action: Action) -> str | None:
    """The file that an action takes away, for those that do nothing else."""
    match action:
        case EndOperation():
            return operation_file(action.domain)
        case ForgetStop():
            return stopped_file(action.domain)
        case RemoveFile():
            return action.path
    return None


def try_file(host: Host, action: Action) -> None:
    """Let the tool that will read a file read it first; it changes nothing.

    One value that drbdadm does not accept would block every drbdadm command for every resource of the node. Raises what
    the tool ends with, and ``Refused`` for what xl would silently leave out.
    """
    if not isinstance(action, WriteFile):
        return
    directory = PurePosixPath(action.path).parent
    if directory not in _CHECKS:
        return
    done = host.run(_CHECKS[directory](), stdin=action.text)
    left_out = xl_create.parse(done.stderr) if directory == DOMAIN_DIRECTORY else ()
    if left_out:
        raise Refused(
            f"file {action.path}",
            f"xl would leave out part of it: {'; '.join(left_out)}",
            "Correct it in the topology: `xl` or `interfaces` of the domain",
        )
