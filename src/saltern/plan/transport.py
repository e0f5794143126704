"""The way that domains take from node to node: a key pair of each node's own, which the partners let do one thing only."""

from saltern.errors import Refused
from saltern.model.action import MakeMigrationKey, WriteFile
from saltern.model.desired import NodeSlice
from saltern.model.places import AUTHORIZED_KEYS, KNOWN_HOSTS, MIGRATION_KEY
from saltern.plan.step import Step
from saltern.plan.view import View
from saltern.render import ssh_files

_PRIVATE = 0o600


def partners(node_slice: NodeSlice) -> list[str]:
    """The nodes with which this one shares a disk."""
    return sorted({resource.peer_of(node_slice.node).node for resource in node_slice.resources.values()})


def key_step(node_slice: NodeSlice, view: View) -> Step:
    """Make the key pair of this node, once. Raises ``Refused`` when others than root may read it."""
    mode = view.mode(MIGRATION_KEY)
    if mode is None:
        return Step(
            comment="the key by which domains are sent is made",
            # ssh-keygen makes no directory; the first file in it does.
            actions=(*_known_hosts_first(view), MakeMigrationKey(node=node_slice.node)),
            changes={f"file {MIGRATION_KEY}": {"old": None, "new": "a new key pair"}},
        )
    if mode & 0o077:
        raise Refused(
            f"file {MIGRATION_KEY}",
            f"others than root may read it (mode {mode:04o}), so ssh does not use it",
            "Remove it and the `.pub` beside it, and apply both nodes again: a new one is made",
        )
    return Step(comment=f"{MIGRATION_KEY} is there")


def _known_hosts_first(view: View) -> tuple[WriteFile, ...]:
    if view.file(KNOWN_HOSTS) is not None:
        return ()
    return (WriteFile(path=KNOWN_HOSTS, text=ssh_files.known_hosts({}), mode=_PRIVATE),)


def trust_step(node_slice: NodeSlice, view: View) -> Step:
    """Let the partners send domains to this node, and know their hosts.

    Raises ``Refused`` for those that have not told their keys, when the others are let in; nothing that is there of them is
    taken away. A partner that is applied at the same time tells its keys at the beginning, and this comes last.
    """
    asked = {node: view.partner_keys(node) for node in partners(node_slice)}
    told = {node: keys for node, keys in asked.items() if keys is not None}
    silent = sorted(asked.keys() - told.keys())
    found = {path: view.file(path) or "" for path in (AUTHORIZED_KEYS, KNOWN_HOSTS)}
    wanted = {
        AUTHORIZED_KEYS: ssh_files.authorized_keys(found[AUTHORIZED_KEYS], told, keep=silent),
        KNOWN_HOSTS: ssh_files.known_hosts(told, found[KNOWN_HOSTS], keep=silent),
    }
    changed = {path: text for path, text in wanted.items() if told and found[path] != text}
    if changed:
        return Step(
            comment=f"domains can be sent here by {' and '.join(told)} now",
            actions=tuple(WriteFile(path=path, text=text, mode=_PRIVATE) for path, text in changed.items()),
            changes={f"file {path}": {"old": None, "new": f"keys of {' and '.join(told)}"} for path in changed},
        )
    if silent:
        raise Refused(
            f"node {' and '.join(silent)}",
            "it has not told its keys yet, so no domain can be sent between the two",
            f"Apply {' and '.join(silent)}, then this node again",
        )
    return Step(comment=f"domains can be sent here by {' and '.join(told)}")
