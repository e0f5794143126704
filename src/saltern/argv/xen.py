"""Command lines of xl(1)."""

from saltern.argv.names import name


def list_domains() -> list[str]:
    """Read all domains; ``saltern.parse.xl_list`` understands the answer."""
    return ["xl", "list", "-v"]


def info() -> list[str]:
    """Read what the hypervisor has; ``saltern.parse.xl_info`` understands the answer."""
    return ["xl", "info"]


def create(file: str) -> list[str]:
    """Start a domain from its configuration file."""
    return ["xl", "create", name(file)]


def create_dry_run_stdin() -> list[str]:
    """Let xl read a configuration from standard input; it fails when it would not accept it (transcript 252)."""
    return ["xl", "create", "-n", "-q", "/dev/stdin"]


def shutdown(domain: str) -> list[str]:
    """Ask a domain to shut down, by its power button where it has no other ear; it goes on running until it does."""
    return ["xl", "shutdown", "-F", name(domain)]


def destroy(domain: str) -> list[str]:
    """End a domain at once."""
    return ["xl", "destroy", name(domain)]


def migrate(domain: str, transport: str) -> list[str]:
    """Move a domain by way of ``transport``: a line of shell that reaches ``xl migrate-receive`` (xl(1), ``-s``)."""
    return ["xl", "migrate", "-s", "", name(domain), transport]


def migrate_receive() -> list[str]:
    """Take in the domain that comes on standard input."""
    return ["xl", "migrate-receive"]


def pause(domain: str) -> list[str]:
    """Hold a domain's processors."""
    return ["xl", "pause", name(domain)]


def unpause(domain: str) -> list[str]:
    """Let a domain's processors go on."""
    return ["xl", "unpause", name(domain)]
