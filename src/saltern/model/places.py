"""Where a node keeps what Saltern puts there."""

from typing import Final

CORE: Final = "/usr/lib/saltern"  # holds the package `saltern`, for the node's own Python
BLOCK_SCRIPT: Final = "/etc/xen/scripts/block-saltern"
HOTPLUG_LOG: Final = "/var/log/xen/xen-hotplug.log"
OPERATION_SCRIPT: Final = (
    "/usr/lib/saltern/operation"  # does what is asked of a node: it sends domains, takes them in, starts and stops them
)
MIGRATION_KEY: Final = "/etc/saltern/migration_key"
HOST_KEYS: Final = tuple(f"/etc/ssh/ssh_host_{kind}_key.pub" for kind in ("ed25519", "ecdsa", "rsa"))
AUTHORIZED_KEYS: Final = "/root/.ssh/authorized_keys"
KNOWN_HOSTS: Final = "/etc/saltern/known_hosts"
OPERATIONS: Final = "/var/lib/saltern/operations"
MAINTENANCE: Final = "/var/lib/saltern/maintenance"
GUARD_SCRIPT: Final = "/usr/lib/saltern/guard"  # the guard, the witness, and DRBD's handler
DRBD_HELPER: Final = "/sys/module/drbd/parameters/usermode_helper"  # what the kernel runs for each of its handlers
GUARD_UNIT: Final = "/etc/systemd/system/saltern-guard.service"
GUARD_SETTINGS: Final = "/etc/saltern/guard.json"
WITNESS_SETTINGS: Final = "/etc/saltern/witness.json"
GUARD_KEY: Final = "/etc/saltern/guard_key"  # the secret half of the pair of a guard, or of a witness
GUARD_FACTS: Final = "/var/lib/saltern/guard/facts.json"
GUARD_TOLD: Final = "/var/lib/saltern/guard/told"  # how far its log was passed on, a file for each master
GUARD_PAUSED: Final = "/var/lib/saltern/guard/paused"
WITNESS_PROMISES: Final = "/var/lib/saltern/witness/promises.json"
# A boot empties this directory; a restart of the guard does not.
GUARD_SOCKET: Final = "/run/saltern/guard.sock"
GUARD_RENEWED: Final = "/run/saltern/renewed.json"
GUARD_WATCHDOG: Final = "/run/saltern/watchdog.json"
GUARD_ASIDE: Final = "/run/saltern/aside.json"  # it has stepped aside, and one that takes its place has, too
GUARD_LOCK: Final = "/run/saltern/guard.lock"
WITNESS_LOCK: Final = "/run/saltern/witness.lock"
GUARD_LOGS: Final = "/var/log/saltern"


def operation_file(domain: str) -> str:
    """Where a node keeps what is being done with a domain."""
    return f"{OPERATIONS}/{domain}.json"


def operation_lock(domain: str) -> str:
    """What whoever works on it holds."""
    return f"{OPERATIONS}/{domain}.lock"


def stopped_file(domain: str) -> str:
    """Where a node keeps that a domain is to stay stopped, and who said so."""
    return f"{OPERATIONS}/{domain}.stopped"


def placed_file(domain: str) -> str:
    """Where a node keeps that somebody has put a domain there, to stay, and who did."""
    return f"{OPERATIONS}/{domain}.placed"


def withdrawn_file(domain: str) -> str:
    """Where a node keeps the id of the last operation on a domain that was taken back."""
    return f"{OPERATIONS}/{domain}.withdrawn"


def maintenance_file(node: str) -> str:
    """Where a node keeps that it is in maintenance, or that a partner of it is: who has begun that, and when."""
    return f"{MAINTENANCE}/{node}"


def remake_file(domain: str) -> str:
    """Where a node keeps that a domain is being remade, and how far that is; afterwards, that it was."""
    return f"{OPERATIONS}/{domain}.remake"


def withdrawn_remake_file(domain: str) -> str:
    """Where a node keeps the id of the last remake of a domain that was taken back."""
    return f"{OPERATIONS}/{domain}.remake-withdrawn"


def told_to_stop(domid: int) -> str:
    """Where xenstore has, until a domain is gone, that somebody has it shut down to stay so."""
    return f"/local/domain/{domid}/saltern-stop"


def operation_log(domain: str) -> str:
    """What the tools have said meanwhile."""
    return f"{OPERATIONS}/{domain}.log"
