"""ssh-keygen, as far as it makes a key pair; and the check of sshd whether a node may log in to another for a migration."""

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

from saltern.model.places import AUTHORIZED_KEYS, HOST_KEYS, KNOWN_HOSTS, MIGRATION_KEY
from saltern.sim.options import UsageError, parse
from saltern.sim.tools import Result

if TYPE_CHECKING:
    from saltern.sim.model import SimNode
    from saltern.sim.world import World

_OPTIONS = {"-q": "quiet", "-t": "type=", "-N": "passphrase=", "-C": "comment=", "-f": "file="}


def run(world: "World", node: str, argv: Sequence[str]) -> Result:
    """Make a key pair; without a terminal nothing is overwritten."""
    try:
        options = parse(argv[1:], _OPTIONS)
    except UsageError as error:
        return Result(1, "", f"ssh-keygen: {error}\n")
    path, files = options.last("file"), world.nodes[node].files
    directory = f"{path.rpartition('/')[0]}/"
    if not any(each.startswith(directory) for each in files):
        return Result(1, "", f'Saving key "{path}" failed: No such file or directory\n')
    if path in files:
        return Result(1, f"{path} already exists.\nOverwrite (y/n)? ", "")
    # Of the node alone: were it of the world's chance, the order in which two nodes come to it would give them other keys.
    content = sha256(f"{node} {path}".encode()).hexdigest()
    files[path] = (f"-----BEGIN OPENSSH PRIVATE KEY-----\n{content}\n", 0o600)
    files[f"{path}.pub"] = (public_key(content[:16], options.last("comment")), 0o644)
    return Result()


def public_key(content: str, comment: str) -> str:
    """A line that looks like that of a public key."""
    return f"ssh-ed25519 {b64encode(content.encode()).decode()} {comment}\n"


def refusal(source: "SimNode", target: "SimNode") -> str:
    """Why ``source`` cannot log in to ``target`` by its migration key; empty when it can."""
    host = " ".join(_text(target, HOST_KEYS[0]).split()[:2])
    if f"{target.name} {host}\n" not in _text(source, KNOWN_HOSTS):
        return "Host key verification failed."
    key = " ".join(_text(source, f"{MIGRATION_KEY}.pub").split()[:2])
    if not key or key not in _text(target, AUTHORIZED_KEYS):
        return f"root@{target.address}: Permission denied (publickey)."
    return ""


def _text(node: "SimNode", path: str) -> str:
    found = node.files.get(path)
    return "" if found is None else found[0]
