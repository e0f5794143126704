"""The one check between a name and a command line."""


def name(text: str) -> str:
    """``text`` itself; ``ValueError`` when it is empty or begins with ``-``, so that a tool would read an option.

    Sources: the programs themselves refuse such names at creation, but not everywhere.
    """
    if not text or text.startswith("-"):
        raise ValueError(f"{text!r} cannot be a name on a command line: it is empty or begins with '-'")
    return text
