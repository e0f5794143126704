"""Command lines of OpenSSH."""

from saltern.argv.names import name
from saltern.model.operation import Operation
from saltern.model.places import KNOWN_HOSTS, MIGRATION_KEY

# Both ends of a cable that was cut hang for half a minute, not for the quarter of an hour that TCP would.
_OPTIONS = (
    "BatchMode=yes",
    "IdentitiesOnly=yes",
    "StrictHostKeyChecking=yes",
    f"UserKnownHostsFile={KNOWN_HOSTS}",
    "GlobalKnownHostsFile=none",
    "ConnectTimeout=15",
    "ServerAliveInterval=5",
    "ServerAliveCountMax=6",
)


def connect(operation: Operation) -> list[str]:
    """Log in to the target with the key that allows nothing but taking this domain in; host keys are known by node."""
    options = [word for option in (*_OPTIONS, f"HostKeyAlias={operation.target}") for word in ("-o", option)]
    asked = f"receive {name(operation.domain)} {name(operation.id)}"
    return ["ssh", "-F", "none", "-i", MIGRATION_KEY, *options, "-l", "root", name(operation.address), asked]


def make_key(comment: str) -> list[str]:
    """Make a key pair; it is refused where there is one."""
    return ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", MIGRATION_KEY]
