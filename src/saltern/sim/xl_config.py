"""xl.cfg(5) and xl-disk-configuration(5), as far as a domain's life depends on them."""

import re
from dataclasses import dataclass

from saltern.sim.model import DomainDisk

Value = str | list[str]
Config = dict[str, Value]

_TOKEN = re.compile(
    r"""(?P<blank>[ \t\r]+|\#[^\n]*)
      | (?P<end>[\n;])
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<number>[0-9][0-9a-fA-Fx]*)
      | (?P<text>"[^"\n]*"|'[^'\n]*')
      | (?P<mark>\+=|[=,\[\]])""",
    re.VERBOSE,
)
_WORDS = {"end": "NEWLINE", "name": "IDENT", "number": "NUMBER", "text": "STRING"}


class ConfigError(Exception):
    """A configuration that xl does not accept, in xl's words."""


@dataclass
class _Token:
    kind: str
    text: str
    line: int


def parse(text: str, path: str) -> Config:
    """Read assignments of texts, numbers and lists of them; numbers stay the text they were written as."""
    tokens = _tokens(text, path)
    config: Config = {}
    while tokens:
        if tokens[0].kind == "end":
            tokens.pop(0)
            continue
        key = _take(tokens, path, "name").text
        mark = _take(tokens, path, "mark", "=", "+=").text
        value = _value(tokens, path)
        before = config.get(key)
        config[key] = before + value if mark == "+=" and before and isinstance(before, type(value)) else value  # type: ignore[operator]
        _take(tokens, path, "end")
    return config


def _tokens(text: str, path: str) -> list[_Token]:
    found, at, line = [], 0, 1
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ConfigError(f"{path}:{line}: config parsing error near `{text[at]}': lexical error")
        if match.lastgroup != "blank":
            found.append(_Token(str(match.lastgroup), match.group(), line))
        line += match.group().count("\n")
        at = match.end()
    if found and found[-1].kind != "end":
        found.append(_Token("end", "", line))
    return found


def _take(tokens: list[_Token], path: str, kind: str, *texts: str) -> _Token:
    token = tokens[0] if tokens else _Token("end", "", 0)
    if token.kind != kind or (texts and token.text not in texts):
        expected = " or ".join(texts) or _WORDS[kind]
        raise _unexpected(token, path, expected)
    return tokens.pop(0)


def _unexpected(token: _Token, path: str, expected: str) -> ConfigError:
    near = "\\n" if token.text == "\n" else token.text
    found = _WORDS.get(token.kind, f"'{token.text}'")
    return ConfigError(
        f"{path}:{token.line}: config parsing error near `{near}': syntax error, unexpected {found}, expecting {expected}"
    )


def _value(tokens: list[_Token], path: str) -> Value:
    if not tokens or tokens[0].text != "[":
        return _atom(tokens, path)
    tokens.pop(0)
    items: list[str] = []
    _skip_lines(tokens)
    while tokens and tokens[0].text != "]":
        items.append(_atom(tokens, path))
        _skip_lines(tokens)
        if tokens and tokens[0].text == ",":
            tokens.pop(0)
            _skip_lines(tokens)
    _take(tokens, path, "mark", "]")
    return items


def _skip_lines(tokens: list[_Token]) -> None:
    while tokens and tokens[0].text == "\n":
        tokens.pop(0)


def _atom(tokens: list[_Token], path: str) -> str:
    token = tokens[0] if tokens else _Token("end", "", 0)
    if token.kind not in ("text", "number"):
        raise _unexpected(token, path, "STRING or NUMBER or '['")
    tokens.pop(0)
    return token.text[1:-1] if token.kind == "text" else token.text


def text_of(config: Config, key: str, default: str = "") -> str:
    """A single value; a list where one is wanted is an error."""
    value = config.get(key, default)
    if isinstance(value, list):
        raise ConfigError(f"value for `{key}' should be a single value")
    return value


def number_of(config: Config, key: str, default: int) -> int:
    """A number, decimal, octal or hexadecimal as in C."""
    text = text_of(config, key, str(default))
    try:
        return int(text, 0) if not re.fullmatch("0[0-7]+", text) else int(text, 8)
    except ValueError as error:
        raise ConfigError(f"value for `{key}' should be a number") from error


def list_of(config: Config, key: str) -> list[str]:
    """A list; a single value where one is wanted is an error."""
    value = config.get(key, [])
    if not isinstance(value, list):
        raise ConfigError(f"value for `{key}' should be a list")
    return value


def disk(specification: str) -> DomainDisk:
    """Read one disk: ``phy:/dev/drbd1,xvda,w``, ``/dev/drbd1,raw,xvda,rw`` or ``vdev=xvda,script=block-drbd,target=dns``."""
    prefixed = specification.startswith("phy:")
    rest, named = specification.removeprefix("phy:"), {}
    positional = []
    while rest:
        rest = rest.lstrip()
        if rest.startswith("target="):  # takes all that follows, commas as well
            named["target"], rest = rest.removeprefix("target=").strip(), ""
            break
        word, _, rest = rest.partition(",")
        key, equals, value = word.strip().partition("=")
        if not equals:
            positional.append(key)
        elif key in ("vdev", "script", "access", "format", "backendtype", "devtype", "discard"):
            named[key] = value
        else:
            raise _bad_disk("unknown value", key, specification)
    order = ("target", "vdev", "access") if prefixed else ("target", "format", "vdev", "access")
    values = dict(zip([key for key in order if key not in named], positional, strict=False)) | named
    if not values.get("vdev"):
        raise _bad_disk("no vdev specified", "", specification)
    if values.get("access", "rw") not in ("r", "ro", "w", "rw"):
        raise _bad_disk("unknown value for access", values["access"], specification)
    target, script = values.get("target", ""), values.get("script", "")
    mode = "r" if values.get("access", "rw").startswith("ro") or values.get("access") == "r" else "w"
    return DomainDisk(vdev=values["vdev"], path="" if script else target, target=target, script=script, mode=mode)


def _bad_disk(reason: str, near: str, specification: str) -> ConfigError:
    return ConfigError(f"config parsing error in disk specification: {reason}: near `{near}' in `{specification}'")


def interface(specification: str) -> dict[str, str]:
    """Read one network interface: ``mac=00:16:3e:00:00:50,bridge=xenbr0``."""
    return {
        key.strip(): value.strip()
        for key, _, value in (part.partition("=") for part in specification.split(","))
        if value
    }
