"""Keeping secrets out of what is shown, told and logged."""

import re
from collections.abc import Mapping
from typing import Any, Final

HIDDEN: Final = "(hidden)"
_NAME: Final = re.compile(r"secret|passw", re.IGNORECASE)
# `shared-secret "x y";` and `--shared-secret=x` and `vncpasswd = "x"` and `name="shared-secret" value="x"`.
_VALUE: Final = re.compile(
    r"""([\w-]*(?:secret|passw)[\w-]*"?(?:\s+value)?\s*[=\s]\s*)("(?:[^"\\]|\\.)*"|'[^']*'|[^\s;,'"]+)""", re.IGNORECASE
)


def is_secret(name: str) -> bool:
    """True for the name of an option whose value is a secret: ``shared-secret``, ``vncpasswd``."""
    return _NAME.search(name) is not None


def redact(text: str) -> str:
    """``text`` with the values of secret options hidden, in drbd.conf, its XML, xl.cfg and on command lines."""
    return _VALUE.sub(lambda match: match[1] + HIDDEN, text)


def masked(tree: Any) -> Any:
    """A copy of plain data in which the values of secret keys are hidden, and what texts tell of them (``vfb``)."""
    if isinstance(tree, Mapping):
        return {key: _hidden(value) if is_secret(str(key)) else masked(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [masked(each) for each in tree]
    if isinstance(tree, str):
        return redact(tree)
    return tree


def _hidden(tree: Any) -> Any:
    """Nothing of a secret; of secrets by name the names."""
    return {key: _hidden(each) for key, each in tree.items()} if isinstance(tree, Mapping) else HIDDEN
