"""Command lines of xenstore."""


def read(*paths: str) -> list[str]:
    """Read values, one a line in the order asked for; exit 1 when one of them is not there."""
    return ["xenstore-read", *paths]


def children(*paths: str) -> list[str]:
    """List what is directly below each path, with its own path, one a line; exit 1 when one of them is not there."""
    return ["xenstore-list", "-p", *paths]


def write(values: dict[str, str]) -> list[str]:
    """Write values, all in one transaction."""
    return ["xenstore-write", *(word for pair in values.items() for word in pair)]
