"""Doing: every action is one command or one file."""

from saltern.argv.action import command_for
from saltern.model.action import Action, WriteFile
from saltern.run import Host


def perform(host: Host, action: Action) -> None:
    """Do it. Raises ``CommandFailed``, ``CommandTimeout``, ``CommandMissing`` or ``OSError``."""
    if isinstance(action, WriteFile):
        host.write_text(action.path, action.text, action.mode)
    else:
        host.run(command_for(action))
