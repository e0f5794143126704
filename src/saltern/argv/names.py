"""The one check between a name and a command line."""


def name(text: str) -> str:
    """``text`` itself; ``ValueError`` when it is no text, empty, or begins with ``-``, so that a tool would read an option.

    Salt gives numbers for what looks like one on its command line. The programs refuse such names at creation, but not
    everywhere.
    """
    if not isinstance(text, str) or not text or text.startswith("-"):
        raise ValueError(f"{text!r} cannot be a name on a command line: it is empty, begins with '-', or is no text")
    return text
