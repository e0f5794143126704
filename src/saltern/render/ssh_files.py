"""What OpenSSH reads: who may send domains to this node, and by which keys the partners are known (sshd(8))."""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from saltern.errors import RenderError
from saltern.model.observed import SshKeys
from saltern.model.places import OPERATION_SCRIPT
from saltern.render.header import HEADER

_MARK: Final = "saltern-migration-of-"
_BASE64: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
_HOST_KEYS: Final = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")


def authorized_keys(found: str, partners: Mapping[str, SshKeys], keep: Collection[str] = ()) -> str:
    """The file with a line of ours for each partner, and whatever else is in it as it was, the lines of those to ``keep`` too.

    The key is allowed one command, whatever is asked for, and neither a terminal nor a tunnel. Raises ``RenderError``.
    """
    marks = {line: line.rpartition(" ")[2] for line in _lines(found)}
    kept = [line for line in _lines(found) if not marks[line].startswith(_MARK) or marks[line][len(_MARK) :] in keep]
    ours = [
        f'restrict,command="{OPERATION_SCRIPT} receive" {_key(keys.migration, ("ssh-ed25519",), node)} {_MARK}{node}'
        for node, keys in sorted(partners.items())
    ]
    return "".join(f"{line}\n" for line in [*kept, *ours])


def _lines(text: str) -> list[str]:
    """As sshd reads them: by line feeds alone."""
    return text.removesuffix("\n").split("\n") if text else []


def known_hosts(partners: Mapping[str, SshKeys], found: str = "", keep: Collection[str] = ()) -> str:
    """The file by which the hosts of partners are known, by the names of their nodes. Raises ``RenderError``.

    Of what is ``found`` in it the lines of those to ``keep`` stay.
    """
    lines = [f"{node} {_key(key, _HOST_KEYS, node)}" for node, keys in sorted(partners.items()) for key in keys.host]
    kept = [line for line in _lines(found) if line.partition(" ")[0] in keep]
    return "".join(f"{line}\n" for line in [HEADER, *kept, *lines])


def _key(text: str, kinds: Iterable[str], node: str) -> str:
    """Kind and key of a line of a ``.pub`` file, without its comment: what a node tells must not end the line of another."""
    words = text.split()
    if len(words) < 2 or words[0] not in kinds or set(words[1]) - _BASE64:
        raise RenderError(
            f"node {node}", "the public key that it has told", text, f"{' or '.join(kinds)} and the key itself"
        )
    return f"{words[0]} {words[1]}"
