"""Command lines of xenstore."""


def read(*paths: str) -> list[str]:
    """Read values, one a line in the order asked for; exit 1 when one of them is not there."""
    return ["xenstore-read", *paths]


def below(path: str) -> list[str]:
    """List all that is below a path; ``saltern.parse.xenstore_ls`` understands the answer."""
    return ["xenstore-ls", "-f", path]


def write(values: dict[str, str]) -> list[str]:
    """Write values, all in one transaction."""
    return ["xenstore-write", *(word for pair in values.items() for word in pair)]
